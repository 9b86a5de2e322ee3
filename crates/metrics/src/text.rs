//! Prometheus' classic text format, 0.0.4, as its own clients write it.

use std::fmt::Write;

/// A page of metrics in the making.
pub(crate) struct Text(String);

/// The labels of one series: names, and a value for each.
#[derive(Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) names: &'a [Box<str>],
    pub(crate) values: &'a [Box<str>],
}

impl Text {
    pub(crate) fn new() -> Self {
        Text(String::new())
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// What introduces a family. A metric without a help text has no such line.
    pub(crate) fn family(&mut self, name: &str, help: &str, kind: &str) {
        if !help.is_empty() {
            self.push(&["# HELP ", name, " "]);
            self.escape(help, false);
            self.0.push('\n');
        }
        self.push(&["# TYPE ", name, " ", kind, "\n"]);
    }

    /// One sample: `name` and `suffix`, the labels, perhaps one more label whose value is a number
    /// (`le`, `quantile`), and the value.
    pub(crate) fn sample(
        &mut self,
        (name, suffix): (&str, &str),
        labels: Labels<'_>,
        further: Option<(&str, f64)>,
        value: f64,
    ) {
        self.series(name, suffix, labels, further);
        self.number(value);
        self.0.push('\n');
    }

    /// [`Text::sample`] of a count, which is exact whatever its size.
    pub(crate) fn count(
        &mut self,
        (name, suffix): (&str, &str),
        labels: Labels<'_>,
        further: Option<(&str, f64)>,
        count: u64,
    ) {
        self.series(name, suffix, labels, further);
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{count}");
    }

    fn series(
        &mut self,
        name: &str,
        suffix: &str,
        labels: Labels<'_>,
        further: Option<(&str, f64)>,
    ) {
        self.push(&[name, suffix]);
        let mut open = '{';
        for (name, value) in labels.names.iter().zip(labels.values) {
            self.0.push(open);
            self.push(&[name, "=\""]);
            self.escape(value, true);
            self.0.push('"');
            open = ',';
        }
        if let Some((name, value)) = further {
            self.0.push(open);
            self.push(&[name, "=\""]);
            self.number(value);
            self.0.push('"');
            open = ',';
        }
        self.0.push_str(if open == ',' { "} " } else { " " });
    }

    fn push(&mut self, parts: &[&str]) {
        self.0.extend(parts.iter().copied());
    }

    fn escape(&mut self, text: &str, quoted: bool) {
        for c in text.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '"' if quoted => self.0.push_str("\\\""),
                c => self.0.push(c),
            }
        }
    }

    /// A number as Go's `strconv` writes it in the format `g` with the fewest digits: an exponent
    /// of at least two digits from 1e+06 up and below 0.0001. Negative zero is zero.
    fn number(&mut self, value: f64) {
        if value.is_nan() {
            return self.0.push_str("NaN");
        }
        if value.is_infinite() {
            return self.0.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        if value == 0.0 {
            return self.0.push('0');
        }
        // Writing to a string cannot fail.
        let _ = if (1e-4..1e6).contains(&value.abs()) {
            write!(self.0, "{value}")
        } else {
            let text = format!("{value:e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) =
                exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            write!(self.0, "{mantissa}e{sign}{digits:0>2}")
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> String {
        let mut text = Text::new();
        text.number(value);
        text.into_string()
    }

    #[test]
    fn numbers_are_those_of_go() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100_000.0, "100000"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (-1_234_567.0, "-1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_099, "9.9e-05"),
            (1.844_674_407_370_955_2e19, "1.8446744073709552e+19"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
