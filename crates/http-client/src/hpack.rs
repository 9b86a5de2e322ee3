//! Headers as HTTP/2 packs them (RFC 7541), as far as one unary call needs it. Pure.
//!
//! We tell the server to keep no table of headers it has sent, so there is none here. Of those that
//! a server can name by number only the status is understood; the others are passed over.

/// A header: its name and value.
pub(crate) type Header = (Vec<u8>, Vec<u8>);

/// The statuses among the headers with numbers, from number 8 on.
const STATUSES: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];
const STATUS: &[u8] = b":status";
/// Headers that have numbers.
const NUMBERED: usize = 61;

/// Appends a header that the server is not to remember.
pub(crate) fn write(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        write_length(block, text.len());
        block.extend_from_slice(text.as_bytes());
    }
}

fn write_length(block: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 0x7f;
    let Some(mut rest) = length.checked_sub(PREFIX) else {
        return block.extend(u8::try_from(length));
    };
    block.push(0x7f);
    while rest >= 0x80 {
        block.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}

/// Reads a block of headers; `None` if it is none. Names of headers that have numbers are empty,
/// but for the status.
pub(crate) fn read(mut block: &[u8]) -> Option<Vec<Header>> {
    let mut headers = Vec::new();
    while let Some(&first) = block.first() {
        if first & 0x80 != 0 {
            let number = integer(&mut block, 7)?;
            if number == 0 || number > NUMBERED {
                return None;
            }
            let status = number.checked_sub(8).and_then(|index| STATUSES.get(index));
            headers.extend(status.map(|status| (STATUS.to_vec(), status.as_bytes().to_vec())));
        } else if first & 0xe0 == 0x20 {
            // The size of the table that is not used.
            integer(&mut block, 5)?;
        } else {
            let name = match integer(&mut block, if first & 0x40 != 0 { 6 } else { 4 })? {
                0 => string(&mut block)?,
                8..=14 => STATUS.to_vec(),
                number if number > NUMBERED => return None,
                _ => Vec::new(),
            };
            headers.push((name, string(&mut block)?));
        }
    }
    Some(headers)
}

/// A number that begins in the last `bits` of the first byte.
fn integer(block: &mut &[u8], bits: u32) -> Option<usize> {
    let (&first, mut rest) = block.split_first()?;
    let prefix = (1_usize << bits) - 1;
    let mut value = usize::from(first) & prefix;
    if value == prefix {
        for shift in [0, 7, 14] {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Some(value);
            }
        }
        // Larger than any block.
        return None;
    }
    *block = rest;
    Some(value)
}

fn string(block: &mut &[u8]) -> Option<Vec<u8>> {
    let packed = block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    if packed { unpack(text) } else { Some(text.to_vec()) }
}

/// How many bits stand for a byte, and at the end for the end (appendix B). The code is canonical:
/// the lengths say it all.
#[rustfmt::skip]
const BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
    6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23,
    23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
    27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
/// The longest code, in bits.
const LONGEST: u8 = 30;
/// No header of a health check is longer when it is packed, in bytes: it takes some steps for each
/// bit, and is unpacked where other things wait.
const PACKED: usize = 1 << 10;
/// The bytes by the length of their codes, and at the end the end: in the order of their codes.
#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would say so")]
const BY_LENGTH: [u16; 257] = {
    let (mut sorted, mut at, mut bits) = ([0; 257], 0, 1);
    while bits <= LONGEST {
        let mut symbol = 0;
        while symbol < BITS.len() {
            if BITS[symbol] == bits {
                sorted[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        bits += 1;
    }
    sorted
};
/// How many there are of each length.
#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would say so")]
const COUNTS: [u16; 1 + LONGEST as usize] = {
    let (mut counts, mut symbol) = ([0; 1 + LONGEST as usize], 0);
    while symbol < BITS.len() {
        counts[BITS[symbol] as usize] += 1;
        symbol += 1;
    }
    counts
};

/// Takes a text out of its Huffman code.
fn unpack(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > PACKED {
        return None;
    }
    let mut unpacked = Vec::new();
    let mut code = Code::default();
    for byte in text {
        for shift in (0..8).rev() {
            if let Some(symbol) = code.push(u32::from(byte >> shift & 1))? {
                unpacked.push(symbol);
                code = Code::default();
            }
        }
    }
    // The rest of the last byte is filled with ones.
    (code.bits < 8 && code.ones).then_some(unpacked)
}

/// The bits of a code so far, and where among the codes of that length they are.
struct Code {
    bits: usize,
    value: u32,
    /// The first code of that length.
    first: u32,
    /// How many codes are shorter.
    shorter: u32,
    ones: bool,
}

impl Default for Code {
    fn default() -> Self {
        Code { bits: 0, value: 0, first: 0, shorter: 0, ones: true }
    }
}

impl Code {
    /// Adds a bit; the inner `None`: there must be more of them; the outer: there is no such code.
    fn push(&mut self, bit: u32) -> Option<Option<u8>> {
        self.bits += 1;
        self.value = self.value << 1 | bit;
        self.first <<= 1;
        self.ones &= bit == 1;
        // Longer than any: there is none.
        let count = u32::from(*COUNTS.get(self.bits)?);
        let nth = self.value.checked_sub(self.first)?;
        if nth < count {
            let symbol = BY_LENGTH.get(usize::try_from(self.shorter + nth).ok()?)?;
            // The last one is the end, which no text contains.
            return u8::try_from(*symbol).ok().map(Some);
        }
        self.first += count;
        self.shorter += count;
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.as_bytes().to_vec(), value.as_bytes().to_vec())
    }

    /// The examples of RFC 7541, C.4.1 and C.6.1.
    #[test]
    fn huffman_code_is_read() {
        let host = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(unpack(&host).unwrap(), b"www.example.com");
        assert_eq!(unpack(&[0x64, 0x02]).unwrap(), b"302");
        assert_eq!(unpack(&[0xae, 0xc3, 0x77, 0x1a, 0x4b]).unwrap(), b"private");
        // Filled with zeros, with a whole byte, with the end.
        for wrong in [&[0x64][..], &[0x64, 0x02, 0xff], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(unpack(wrong), None, "{wrong:x?}");
        }
    }

    /// It could keep its asker busy.
    #[test]
    fn what_is_long_is_not_unpacked() {
        assert!(unpack(&[0; PACKED - PACKED % 5]).is_some());
        assert_eq!(unpack(&[0; PACKED + 1]), None);
    }

    #[test]
    fn every_symbol_has_its_code() {
        // The codes of a complete code fill up their space.
        let filled: u64 = BITS.iter().map(|bits| 1 << (LONGEST - bits)).sum();
        assert_eq!(filled, 1 << LONGEST);
    }

    #[test]
    fn headers_are_read_as_they_are_written() {
        let long = "x".repeat(300);
        let mut block = Vec::new();
        for (name, value) in [("te", "trailers"), ("a", ""), ("b", &long)] {
            write(&mut block, name, value);
        }
        let expected = vec![header("te", "trailers"), header("a", ""), header("b", &long)];
        assert_eq!(read(&block), Some(expected));
        for cut in 1..block.len() {
            let _ = read(&block[..cut]);
        }
    }

    #[test]
    fn the_status_is_read_in_each_form() {
        let status = |text| Some(vec![header(":status", text)]);
        assert_eq!(read(&[0x88]), status("200"));
        assert_eq!(read(&[0x20, 0x8d]), status("404"));
        assert_eq!(read(&[0x08, 3, b'2', b'0', b'1']), status("201"));
        assert_eq!(read(&[0x48, 0x82, 0x64, 0x02]), status("302"));
        // Another with a number is passed over; one from a table that is not there is wrong.
        assert_eq!(read(&[0x81]), Some(vec![]));
        assert_eq!(read(&[0xbe]), None);
        assert_eq!(read(&[0x80]), None);
        assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f]), None);
    }
}
