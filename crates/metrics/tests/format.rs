//! Whatever is registered, the page is in the text format and says what was recorded. The parser
//! here is written after the format's description, not after the writer.

use std::collections::BTreeMap;
use std::time::Instant;

use metrics::{Buckets, Quantiles, Registry};
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq)]
struct Page {
    help: BTreeMap<String, String>,
    kind: BTreeMap<String, String>,
    samples: BTreeMap<(String, Vec<(String, String)>), f64>,
}

/// Reads a page; every departure from the format is an error.
fn parse(text: &str) -> Result<Page, String> {
    let mut page = Page::default();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    for line in text.split_terminator('\n') {
        parse_line(line, &mut page).map_err(|error| format!("{error}: {line:?}"))?;
    }
    Ok(page)
}

fn parse_line(line: &str, page: &mut Page) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        let (name, help) = rest.split_once(' ').ok_or("no help")?;
        let help = unescape(help, "\\n")?;
        let old = page.help.insert(name.into(), help);
        return if old.is_none() { Ok(()) } else { Err("a second HELP".into()) };
    }
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').ok_or("no type")?;
        if !["counter", "gauge", "histogram", "summary"].contains(&kind) {
            return Err("an unknown type".into());
        }
        let old = page.kind.insert(name.into(), kind.into());
        return if old.is_none() { Ok(()) } else { Err("a second TYPE".into()) };
    }
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    check_name(name)?;
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, quoted) = rest.split_once("=\"").ok_or("no label value")?;
            check_name(label)?;
            let end = end_of_quote(quoted).ok_or("an open quote")?;
            labels.push((label.into(), unescape(&quoted[..end], "\\n\"")?));
            rest = &quoted[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').ok_or("an open brace")?;
    }
    let value = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    let value = match value {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        // What Rust reads beyond this is spelled differently in Go.
        digits if digits.contains(|c: char| !"0123456789.e+-".contains(c)) => {
            return Err("not a number".into());
        }
        digits => digits.parse().map_err(|_| "not a number")?,
    };
    let family = ["_bucket", "_sum", "_count", ""].iter().find_map(|suffix| {
        let family = name.strip_suffix(suffix)?;
        page.kind.contains_key(family).then_some(family)
    });
    family.ok_or("no TYPE before the sample")?;
    match page.samples.insert((name.into(), labels), value) {
        None => Ok(()),
        Some(_) => Err("the same series twice".into()),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        && !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if valid { Ok(()) } else { Err(format!("a bad name {name:?}")) }
}

fn end_of_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(n, c)| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end.then_some(n)
    })
}

fn unescape(text: &str, allowed: &str) -> Result<String, String> {
    let mut chars = text.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(c) if allowed.contains(c) => out.push(if c == 'n' { '\n' } else { c }),
            other => return Err(format!("a bad escape {other:?}")),
        }
    }
    Ok(out)
}

fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec!['\\', '"', '\n', 'n', '{', '}', ',', '=', '#', ' ', '\r']);
    prop_oneof![
        prop::collection::vec(prop_oneof![odd, any::<char>()], 0..12)
            .prop_map(|chars| chars.into_iter().collect()),
        any::<String>(),
    ]
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        -1e7..1e7,
        -1e-3..1e-3
    ]
}

fn same(one: f64, other: f64) -> bool {
    one == other || one.is_nan() && other.is_nan()
}

proptest! {
    #[test]
    fn the_page_parses_and_says_what_was_recorded(
        help in any_text(),
        labels in prop::collection::btree_set((any_text(), any_text()), 0..5),
        values in prop::collection::vec(any_value(), 0..20),
        bounds in prop::collection::btree_set(-1000_i32..1000, 1..6),
    ) {
        let (registry, now) = (Registry::new(), Instant::now());
        let bounds: Vec<f64> = bounds.into_iter().map(|bound| f64::from(bound) / 7.0).collect();
        let buckets = Buckets::new(&bounds).unwrap();
        let counter = registry.counter("c", &help, ["a", "b"]).unwrap();
        let gauge = registry.gauge("g", &help, ["a", "b"]).unwrap();
        let histogram = registry.histogram("h", &help, ["a", "b"], buckets).unwrap();
        let summary = registry.summary("s", &help, ["a", "b"], Quantiles::default()).unwrap();
        for (a, b) in &labels {
            for value in &values {
                counter.with([a, b]).add(*value);
                gauge.with([a, b]).set(*value);
                histogram.with([a, b]).observe(*value);
                summary.with([a, b]).observe(*value, now);
            }
            if values.is_empty() {
                counter.with([a, b]);
                gauge.with([a, b]);
            }
        }
        let text = registry.render(now);
        let page = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let finite = values.iter().filter(|value| value.is_finite());
        for (a, b) in &labels {
            let key = vec![("a".to_owned(), a.clone()), ("b".to_owned(), b.clone())];
            let with = |label: &str, value: &str| {
                let further = (label.to_owned(), value.to_owned());
                key.iter().cloned().chain([further]).collect::<Vec<_>>()
            };
            let sample = |name: &str, labels: &[(String, String)]| {
                page.samples.get(&(name.to_owned(), labels.to_vec())).copied()
            };
            let steps = values.iter().filter(|value| value.is_finite() && **value >= 0.0);
            let total = steps.fold(0.0, |sum, step| sum + step);
            prop_assert!(sample("c", &key).is_some_and(|value| same(value, total)));
            let last = values.last().copied().unwrap_or(0.0);
            prop_assert!(sample("g", &key).is_some_and(|value| same(value, last)));
            if values.is_empty() {
                continue;
            }
            let count = finite.clone().count() as f64;
            let sum = finite.clone().fold(0.0, |sum, value| sum + value);
            for name in ["h", "s"] {
                prop_assert_eq!(sample(&format!("{name}_count"), &key), Some(count));
                let shown = sample(&format!("{name}_sum"), &key);
                prop_assert!(shown.is_some_and(|shown| same(shown, sum)));
            }
            prop_assert_eq!(sample("h_bucket", &with("le", "+Inf")), Some(count));
            // The default quantiles, a nonzero number of samples: within 1 % or in between.
            let median = sample("s", &with("quantile", "0.5"));
            prop_assert!(median.is_some_and(|median| median.is_nan() == (count == 0.0)));
        }
        for ((name, labels), value) in &page.samples {
            // Bounds come back exactly, and buckets hold what is not above them.
            let Some((_, le)) = labels.iter().find(|(name, _)| name == "le") else { continue };
            prop_assert_eq!(name, "h_bucket");
            let le: f64 = le.trim_start_matches('+').parse().unwrap();
            prop_assert!(le == f64::INFINITY || bounds.contains(&le), "{le}");
            prop_assert_eq!(*value, finite.clone().filter(|value| **value <= le).count() as f64);
        }
        let shown = !labels.is_empty();
        for name in ["c", "g"] {
            prop_assert_eq!(page.kind.contains_key(name), shown);
            let help = (shown && !help.is_empty()).then_some(&help);
            prop_assert_eq!(page.help.get(name), help);
        }
    }
}

#[test]
fn the_parser_refuses_what_is_not_the_format() {
    let fine = "# HELP a x\\\\y\\n\n# TYPE a gauge\na{b=\"\\\"\\\\\"} 1e+06\n";
    assert_eq!(parse(fine).unwrap().samples.len(), 1);
    for text in [
        "a 1\n",
        "# TYPE a gauge\na 1",
        "# TYPE a gauge\na one\n",
        "# TYPE a gauge\na inf\n",
        "# TYPE a gauge\na{b=\"c} 1\n",
        "# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# TYPE a gauge\na{b=\"c\"}1\n",
        "# TYPE a gauge\na 1\na 2\n",
        "# TYPE a gauge\n# TYPE a gauge\n",
        "# TYPE a thing\n",
        "# HELP a \\\"\n",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
