//! Standard base64 with padding, as keys' values travel in JSON.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Where a text is no base64.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub(crate) struct Illegal(usize);

/// Bytes as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let six = (group >> (18 - 6 * at)) as usize & 63;
            let letter = ALPHABET.get(six).copied().unwrap_or(b'=');
            text.push(char::from(if at > chunk.len() { b'=' } else { letter }));
        }
    }
    text
}

/// Text as bytes. Line breaks are passed over, as Go does.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Illegal> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut letters, mut padding) = (0_u32, 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        let six = match byte {
            b'\r' | b'\n' => continue,
            // Only the last two letters of the last group may be missing.
            b'=' if letters + padding >= 2 && letters + padding < 4 => {
                padding += 1;
                continue;
            }
            _ if padding > 0 => return Err(Illegal(at)),
            _ => ALPHABET.iter().position(|letter| *letter == byte).ok_or(Illegal(at))?,
        };
        group = group << 6 | six as u32;
        letters += 1;
        if letters == 4 {
            bytes.extend_from_slice(group.to_be_bytes().get(1..).unwrap_or_default());
            (group, letters) = (0, 0);
        }
    }
    if (letters + padding) % 4 != 0 {
        return Err(Illegal(text.len()));
    }
    if letters > 0 {
        let whole = (group << (6 * (4 - letters))).to_be_bytes();
        bytes.extend_from_slice(whole.get(1..letters).unwrap_or_default());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (&[0xfb, 0xff, 0xfe], "+//+"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes), "{text}");
        }
        assert_eq!(decode("Zm\r\n9v").as_deref(), Ok(&b"foo"[..]));
        for (bad, at) in [("zzz!", 3), ("Zg=", 3), ("Z===", 1), ("Zg==Zg==", 4), ("Zg===", 4)] {
            assert_eq!(decode(bad), Err(Illegal(at)), "{bad}");
        }
    }
}
