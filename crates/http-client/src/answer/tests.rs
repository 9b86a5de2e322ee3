use super::*;

use proptest::prelude::*;

/// What is read of `bytes`, of which no more than `piece` arrive at once, and what is left of them:
/// the status, the body, and whether the connection stays. The connection ends behind them.
fn read(bytes: &[u8], piece: usize, method: &Method) -> Result<(u16, String, bool), String> {
    let mut held = Vec::new();
    let mut pieces = bytes.chunks(piece);
    let closed = || "closed".to_owned();
    let mut head = loop {
        if let Some(head) = head(&mut held, method)? {
            break head;
        }
        held.extend_from_slice(pieces.next().ok_or_else(closed)?);
    };
    let mut body = Vec::new();
    loop {
        while let Some(data) = head.body.data(&mut held)? {
            assert!(!data.is_empty());
            body.extend_from_slice(&data);
        }
        if head.body == Body::Ended {
            break;
        }
        match pieces.next() {
            Some(piece) => held.extend_from_slice(piece),
            None if head.body.end() => break,
            None => return Err(closed()),
        }
    }
    let stays = head.stays && held.is_empty();
    Ok((head.status.as_u16(), String::from_utf8_lossy(&body).into_owned(), stays))
}

/// As [`read`], however the bytes are cut.
fn however_cut(text: &str, method: &Method) -> Result<(u16, String, bool), String> {
    let whole = read(text.as_bytes(), text.len().max(1), method);
    for piece in 1..text.len() {
        let cut = read(text.as_bytes(), piece, method);
        // What follows the answer may not have been seen yet.
        let stays = |outcome: &Result<(u16, String, bool), String>| {
            outcome.clone().map(|(status, body, _)| (status, body))
        };
        assert_eq!(stays(&cut), stays(&whole), "in pieces of {piece}: {text:?}");
    }
    whole
}

fn get(text: &str) -> Result<(u16, String, bool), String> {
    however_cut(text, &Method::GET)
}

fn good(status: u16, body: &str, stays: bool) -> Result<(u16, String, bool), String> {
    Ok((status, body.to_owned(), stays))
}

#[test]
fn a_body_ends_where_its_length_says() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n";
    assert_eq!(get(&format!("{head}\r\nhello")), good(200, "hello", true));
    assert_eq!(get(&format!("{head}content-length: 5\r\n\r\nhello")), good(200, "hello", true));
    assert_eq!(get(&format!("{head}\r\nhello, and more")), good(200, "hello", false));
    assert_eq!(get(&format!("{head}\r\nhell")), Err("closed".to_owned()));
    assert_eq!(get("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"), good(500, "", true));
}

#[test]
fn a_length_that_is_none_is_refused() {
    for length in ["five", "-1", "+5", "5, 6", "", "0x5", "99999999999999999999999"] {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello");
        assert_eq!(
            get(&text),
            Err("its answer is no HTTP: a bad content-length".to_owned()),
            "{length}"
        );
    }
}

#[test]
fn chunks_are_put_together() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
    let body = "3\r\none\r\nA;name=value\r\n0123456789\r\n";
    assert_eq!(get(&format!("{head}{body}0\r\n\r\n")), good(200, "one0123456789", true));
    let trailer = "a: b\r\nc: d\r\n";
    assert_eq!(get(&format!("{head}{body}0\r\n{trailer}\r\n")), good(200, "one0123456789", true));
    assert_eq!(get(&format!("{head}{body}")), Err("closed".to_owned()));
    assert_eq!(get(&format!("{head}{body}0\r\n")), Err("closed".to_owned()));
}

#[test]
fn chunks_that_are_wrong_are_refused() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let long = "x".repeat(LINE);
    for (body, what) in [
        ("x\r\n", "a bad length"),
        ("-1\r\n", "a bad length"),
        ("11111111111111111\r\n", "a bad length"),
        (&*format!("1;{long}"), "a bad length"),
        ("1\r\nab\r\n", "does not end"),
        ("1\r\na\n1", "does not end"),
        (&*format!("0\r\n{long}"), "its trailer is too long"),
        (&*format!("0\r\n{}", "a: b\r\n".repeat(LINE / 6 + 1)), "its trailer is too long"),
    ] {
        let error = read(format!("{head}{body}").as_bytes(), 4096, &Method::GET).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn without_a_length_the_connection_ends_the_body() {
    assert_eq!(get("HTTP/1.1 200 OK\r\n\r\nall of it"), good(200, "all of it", false));
    assert_eq!(get("HTTP/1.0 200 OK\r\n\r\nall of it"), good(200, "all of it", false));
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    let length = "content-length: 5\r\n\r\n";
    let head = format!("HTTP/1.1 200 OK\r\n{length}");
    assert_eq!(however_cut(&head, &Method::HEAD), good(200, "", true));
    for status in [204, 304] {
        let text = format!("HTTP/1.1 {status} Nothing\r\n{length}");
        assert_eq!(get(&text), good(status, "", true));
    }
}

#[test]
fn news_about_an_answer_is_none() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n\
                HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(get(text), good(200, "x", true));
    let error = get("HTTP/1.1 101 Switching\r\n\r\n").unwrap_err();
    assert_eq!(error, "it wants to speak something else than HTTP");
}

#[test]
fn a_connection_stays_if_both_mean_to() {
    for (version, said, stays) in [
        ("1.1", "", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "connection: x, Close\r\n", false),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.0", "", false),
        ("1.0", "connection: keep-alive\r\n", true),
    ] {
        let text = format!("HTTP/{version} 200 OK\r\n{said}content-length: 1\r\n\r\nx");
        assert_eq!(get(&text), good(200, "x", stays), "{text}");
    }
    // Whoever added the second may see the end elsewhere.
    let both =
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(get(both), good(200, "", false));
}

#[test]
fn what_is_no_http_is_refused() {
    for text in [
        "hello\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let error = read(text.as_bytes(), text.len(), &Method::GET).unwrap_err();
        assert!(error.starts_with("its answer is no HTTP"), "{text}: {error}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(HEAD));
    let error = read(endless.as_bytes(), 4096, &Method::GET).unwrap_err();
    assert_eq!(error, format!("its head is longer than {HEAD} bytes"));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
    assert!(read(many.as_bytes(), 4096, &Method::GET).is_err());
}

#[test]
fn nothing_is_kept_of_what_was_taken() {
    let mut held = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec();
    let mut head = head(&mut held, &Method::GET).unwrap().unwrap();
    assert_eq!(head.body.data(&mut held).unwrap().unwrap().as_ref(), b"hello");
    assert_eq!((held.capacity(), head.body), (0, Body::Ended));
}

proptest! {
    /// Whatever comes is read, or refused, the same way however it is cut, and never panics.
    #[test]
    fn nonsense_is_read_however_it_is_cut(
        start in prop::sample::select(vec![
            "", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ]),
        rest in prop::collection::vec(
            prop::sample::select(b"0123aF;\r\n: x\xff".to_vec()), 0..40,
        ),
        piece in 1_usize..20,
    ) {
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend(rest);
        let plain = |outcome: Result<(u16, String, bool), String>| {
            outcome.map(|(status, body, _)| (status, body)).ok()
        };
        let whole = plain(read(&bytes, bytes.len().max(1), &Method::GET));
        prop_assert_eq!(plain(read(&bytes, piece, &Method::GET)), whole);
    }
}
