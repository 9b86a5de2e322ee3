//! The three shapes of a log line.

use config::LogFormat;
use log::Level;
use process::{Clock, Pid};

use super::structured::Entry;

/// One line, ours or a child's.
pub(super) struct Line<'a> {
    pub(super) level: Level,
    /// The job's name and the process's id; `None` for our own lines.
    pub(super) child: Option<(&'a str, Pid)>,
    /// Without its newline. Children's may be any bytes.
    pub(super) message: &'a [u8],
    /// What else it says, if it is an entry itself.
    pub(super) entry: Option<&'a Entry>,
}

impl Line<'_> {
    /// Appends the line, newline included.
    pub(super) fn write(&self, format: LogFormat, clock: &mut Clock, out: &mut Vec<u8>) {
        match format {
            LogFormat::Default => self.plain(clock, out),
            LogFormat::Text => self.logfmt(clock, out),
            LogFormat::Json => self.json(clock, out),
        }
        out.push(b'\n');
    }

    /// `TIME MESSAGE`, or `TIME JOB PID MESSAGE`. The message's bytes are kept as they are.
    fn plain(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        self.time(clock, out);
        out.push(b' ');
        if let Some((job, pid)) = self.child {
            out.extend_from_slice(job.as_bytes());
            out.push(b' ');
            number(pid, out);
            out.push(b' ');
        }
        if self.entry.is_some() {
            // What was one line stays one.
            let is_break = |byte: &u8| *byte < 0x20 || *byte == 0x7f;
            out.extend(self.message.iter().map(|byte| if is_break(byte) { b' ' } else { *byte }));
        } else {
            out.extend_from_slice(self.message);
        }
        self.pairs(out);
    }

    /// The entry's own time, or else now.
    fn time(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        match self.entry.and_then(|entry| entry.time.as_ref()) {
            Some(time) => escaped(time, Escapes::Go, out),
            None => clock.now(out),
        }
    }

    /// ` name=value` for each field of the entry.
    fn pairs(&self, out: &mut Vec<u8>) {
        for (name, value) in self.entry.iter().flat_map(|entry| &entry.fields) {
            out.push(b' ');
            bare_or_quoted(name, out);
            out.push(b'=');
            match value {
                serde_json::Value::String(text) => bare_or_quoted(text, out),
                other => bare_or_quoted(&other.to_string(), out),
            }
        }
    }

    /// `time="…" level=info msg="…" job=app pid=12`.
    fn logfmt(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(b"time=\"");
        self.time(clock, out);
        out.extend_from_slice(b"\" level=");
        out.extend_from_slice(level_word(self.level));
        out.extend_from_slice(b" msg=");
        quoted(self.message, Escapes::Go, out);
        if let Some((job, pid)) = self.child {
            out.extend_from_slice(b" job=");
            bare_or_quoted(job, out);
            out.extend_from_slice(b" pid=");
            number(pid, out);
        }
        self.pairs(out);
    }

    /// One object: `level`, `msg`, `time`, and for a child `job` and `pid`.
    fn json(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some((job, pid)) = self.child {
            out.extend_from_slice(b"\"job\":");
            quoted(job.as_bytes(), Escapes::Json, out);
            out.extend_from_slice(b",\"pid\":");
            number(pid, out);
            out.push(b',');
        }
        for (name, value) in self.entry.iter().flat_map(|entry| &entry.fields) {
            quoted(name.as_bytes(), Escapes::Json, out);
            out.push(b':');
            out.extend_from_slice(value.to_string().as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(b"\"level\":\"");
        out.extend_from_slice(level_word(self.level));
        out.extend_from_slice(b"\",\"msg\":");
        quoted(self.message, Escapes::Json, out);
        out.extend_from_slice(b",\"time\":");
        match self.entry.and_then(|entry| entry.time.as_ref()) {
            Some(time) => quoted(time.as_bytes(), Escapes::Json, out),
            None => {
                out.push(b'"');
                clock.now(out);
                out.push(b'"');
            }
        }
        out.push(b'}');
    }
}

fn level_word(level: Level) -> &'static [u8] {
    match level {
        Level::Error => b"error",
        Level::Warn => b"warning",
        Level::Info => b"info",
        Level::Debug | Level::Trace => b"debug",
    }
}

/// As logfmt has it: quoted only if it must be.
fn bare_or_quoted(text: &str, out: &mut Vec<u8>) {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@^+".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_bare) {
        out.extend_from_slice(text.as_bytes());
    } else {
        quoted(text.as_bytes(), Escapes::Go, out);
    }
}

fn number(pid: Pid, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{pid}");
}

/// How bytes that cannot stand in a quoted string are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// As Go quotes: `\x00`, and a byte that is no UTF-8 as `\xff`.
    Go,
    /// As JSON: `\u0000`, and bytes that are no UTF-8 as U+FFFD, for which JSON has no way.
    Json,
}

fn quoted(bytes: &[u8], escapes: Escapes, out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        escaped(chunk.valid(), escapes, out);
        match escapes {
            Escapes::Go => chunk.invalid().iter().for_each(|byte| hex(b"\\x", *byte, out)),
            Escapes::Json if chunk.invalid().is_empty() => {}
            Escapes::Json => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
    out.push(b'"');
}

fn escaped(text: &str, escapes: Escapes, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7f if escapes == Escapes::Go => hex(b"\\x", byte, out),
            0..0x20 => hex(b"\\u00", byte, out),
            _ => out.push(byte),
        }
    }
}

fn hex(prefix: &[u8], byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    out.extend_from_slice(prefix);
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(bytes: &[u8], escapes: Escapes) -> String {
        let mut out = Vec::new();
        quoted(bytes, escapes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn any_bytes_make_a_valid_json_string() {
        let text = quote(b"a\"b\\c\0\x1b\xff\xfe\xc3\xa9\t", Escapes::Json);
        let value: String = serde_json::from_str(&text).unwrap();
        assert_eq!(value, "a\"b\\c\0\x1b\u{fffd}\u{fffd}é\t");
    }

    #[test]
    fn logfmt_loses_no_byte() {
        assert_eq!(quote(b"a\0\xff\"", Escapes::Go), r#""a\x00\xff\"""#);
    }

    #[test]
    fn a_line_of_our_own_names_no_job() {
        let mut out = Vec::new();
        let line = Line { level: Level::Warn, child: None, message: b"look out", entry: None };
        line.write(LogFormat::Json, &mut Clock::default(), &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["level"], "warning");
        assert_eq!(value["msg"], "look out");
        assert!(value.get("job").is_none());
        out.clear();
        line.write(LogFormat::Default, &mut Clock::default(), &mut out);
        assert!(out.ends_with(b"Z look out\n"), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn an_entry_of_a_child_keeps_its_fields_in_every_shape() {
        let line = br#"{"level":"error","msg":"no \"luck\"","n":1,"job":"theirs","time":"then"}"#;
        let entry = Entry::read(line).unwrap();
        let message = entry.message.as_bytes();
        let child = Some(("app", Pid::ours()));
        let written = |format| {
            let mut out = Vec::new();
            let line = Line { level: Level::Error, child, message, entry: Some(&entry) };
            line.write(format, &mut Clock::default(), &mut out);
            String::from_utf8(out).unwrap()
        };
        let pid = Pid::ours();
        assert_eq!(
            written(LogFormat::Default),
            format!("then app {pid} no \"luck\" fields.job=theirs n=1\n")
        );
        assert_eq!(
            written(LogFormat::Text),
            format!(
                "time=\"then\" level=error msg=\"no \\\"luck\\\"\" job=app pid={pid} \
                 fields.job=theirs n=1\n"
            )
        );
        let json: serde_json::Value = serde_json::from_str(&written(LogFormat::Json)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "job": "app", "pid": pid.as_raw(), "level": "error", "msg": "no \"luck\"",
                "time": "then", "n": 1, "fields.job": "theirs",
            })
        );
    }
}
