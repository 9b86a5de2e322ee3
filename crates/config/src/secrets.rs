//! What must not be shown, and how the parts of a configuration are shown without it.
//!
//! A template puts the value of a variable wherever it likes: into arguments, tags, names, paths.
//! Whoever prints a job does not know which of its texts are secret; a [`crate::Config`] does, for
//! it carries its [`Secrets`]. Therefore the `Debug` of a configuration shows everything and
//! replaces what is secret, and the `Debug` of a part alone shows no text of the file at all, but
//! for what is too short to be a secret. [`masked_debug`] makes such implementations; no type
//! that holds text of the file derives `Debug` (`tests/secrets.rs` sees to it).
//!
//! How a part knows that its configuration masks it: by the formatter's flag `-`, which has no
//! meaning of its own for any type of the standard library.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    json5::{self, Span, Value},
    render::render,
};

/// Shorter values are not looked for: they would hide half of every text.
const SHORTEST: usize = 6;
/// A secret as Go's functions write it, in one template: each one costs time at the start.
const ENCODED: &str = "{{ urlquery .SECRET }}\0{{ html .SECRET }}\0{{ js .SECRET }}";
/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Texts that must not be shown: the values of variables whose names speak of secrets
/// (`DB_PASSWORD`), and tokens. Its `Debug` shows none of them.
///
/// All are equal: what is hidden is no part of what a configuration means.
#[derive(Clone, Default)]
pub struct Secrets {
    forms: BTreeSet<String>,
}

impl Secrets {
    /// The secrets of an environment.
    pub fn of(environment: &BTreeMap<String, String>) -> Self {
        let mut secrets = Self::default();
        for (_, value) in secret_variables(environment) {
            secrets.add(value);
        }
        secrets
    }

    /// One more, unless it is too short to be told from other words.
    pub(crate) fn add(&mut self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let mut add = |form: &str| {
            if form.len() >= SHORTEST && !self.forms.contains(form) {
                self.forms.insert(form.to_owned());
            }
        };
        add(value);
        // What JSON5 makes of it, once a template has put it into a string.
        for quote in ['"', '\''] {
            if value.contains('\\')
                && let Ok(node) = json5::parse(&format!("{quote}{value}{quote}"))
                && let Value::String(text) = node.value
            {
                add(&text);
                add(escaped(&text).as_str());
            }
        }
        add(&escaped(value));
        // What a template makes of it on the way, above all for a URL.
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let secret = BTreeMap::from([("SECRET".to_owned(), value.to_owned())]);
            let forms = render(ENCODED, &secret).unwrap_or_default();
            for form in forms.split('\0') {
                add(form);
                form.split_whitespace().for_each(&mut add);
            }
        }
        // A command is split into words; a name becomes a variable's.
        value.split_whitespace().for_each(&mut add);
        let symbol = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
        add(&value.chars().map(symbol).collect::<String>().to_ascii_uppercase());
    }

    /// Every place of a secret in the text, those that overlap too.
    pub(crate) fn places(&self, text: &str) -> Vec<Span> {
        let mut places = Vec::new();
        for form in &self.forms {
            let mut from = 0;
            while let Some(found) = text.get(from..).and_then(|rest| rest.find(form.as_str())) {
                let start = from + found;
                places.push(Span { start, end: start + form.len() });
                let first = form.chars().next().map_or(1, char::len_utf8);
                from = start + first;
            }
        }
        places
    }

    /// The text with `***` in place of every secret.
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = self.places(text);
        if hidden.is_empty() {
            return text.to_owned();
        }
        hidden.sort_unstable_by_key(|span| (span.start, span.end));
        let mut shown = String::with_capacity(text.len());
        let mut behind = 0;
        for Span { start, end } in hidden {
            if start >= behind {
                shown.push_str(text.get(behind..start).unwrap_or(""));
                shown.push_str(HIDDEN);
            }
            behind = behind.max(end);
        }
        shown.push_str(text.get(behind..).unwrap_or(""));
        shown
    }
}

impl PartialEq for Secrets {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// A string as `Debug` writes it, without the quotes around it.
fn escaped(text: &str) -> String {
    let escaped = format!("{text:?}");
    escaped.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// The text with `***` in place of the value of every variable whose name speaks of secrets.
/// Whoever has many texts makes one [`Secrets`].
pub fn hide_secrets(text: &str, environment: &BTreeMap<String, String>) -> String {
    Secrets::of(environment).hide(text)
}

/// The variables whose names speak of secrets, and whose values are long enough to be told from
/// other words.
pub(crate) fn secret_variables(
    environment: &BTreeMap<String, String>,
) -> impl Iterator<Item = (&String, &String)> {
    environment.iter().filter(|(name, value)| value.len() >= SHORTEST && speaks_of_secrets(name))
}

/// What the names of secrets have in them, in lower case.
pub(crate) const WORDS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "private",
    "api_key",
    "apikey",
    "api-key",
    "authorization",
    "access_key",
];
/// The same, as last part of a name (`DB_PASS`): inside of names they stand for other things.
pub(crate) const ENDS: [&str; 3] = ["_pass", "_pwd", "cookie"];

/// Whether a name in lower case is that of a file with a secret (`db_password_file`, `tokenFile`):
/// where it is may be said.
pub(crate) fn speaks_of_a_file(name: &str) -> bool {
    name.ends_with("_file") || name.ends_with("tokenfile")
}

/// Whether the value of a variable of this name is a secret.
pub(crate) fn speaks_of_secrets(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if speaks_of_a_file(&name) {
        return false;
    }
    WORDS.iter().any(|word| name.contains(word)) || ENDS.iter().any(|end| name.ends_with(end))
}

/// Text of the file in a part: shown if the whole configuration is shown, which masks it, or if it
/// is too short for a secret.
pub(crate) struct Text<'a, T>(pub(crate) &'a T);

impl<T: fmt::Debug> fmt::Debug for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_masked(f) {
            return self.0.fmt(f);
        }
        let shown = format!("{:?}", self.0);
        f.write_str(if shown.len() < SHORTEST + "\"\"".len() { &shown } else { "…" })
    }
}

/// Variables of a file, whose names may speak of secrets too.
pub(crate) struct Variables<'a>(pub(crate) &'a BTreeMap<String, Option<String>>);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !is_masked(f) {
            return Text(self.0).fmt(f);
        }
        let shown = self.0.iter().map(|(name, value)| {
            let hidden = || HIDDEN.to_owned();
            let value = value.as_ref();
            (name, if speaks_of_secrets(name) { value.map(|_| hidden()) } else { value.cloned() })
        });
        f.debug_map().entries(shown).finish()
    }
}

/// Whether a [`Secrets::hide`] reads what is written.
fn is_masked(f: &fmt::Formatter<'_>) -> bool {
    f.sign_minus()
}

/// Writes a whole, of which `shown` shows all parts, without its secrets.
pub(crate) fn write_masked(
    shown: &dyn fmt::Debug,
    secrets: &Secrets,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let text = if f.alternate() { format!("{shown:-#?}") } else { format!("{shown:-?}") };
    f.write_str(&secrets.hide(&text))
}

/// Implements `Debug` for a struct that holds text of the file: fields of kind `text` are such
/// text, those of kind `part` are not, or see to it themselves.
macro_rules! masked_debug {
    ($type:ident { $($kind:ident $field:ident),* $(,)? }) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // So that a new field cannot be forgotten.
                let Self { $($field),* } = self;
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($field), &$crate::secrets::$kind($field)))*
                    .finish()
            }
        }
    };
}
pub(crate) use masked_debug;

/// A field of [`masked_debug`] with text of the file.
pub(crate) fn text<T>(field: &T) -> Text<'_, T> {
    Text(field)
}

/// A field of [`masked_debug`] without.
pub(crate) fn part<T>(field: &T) -> &T {
    field
}

/// A field of [`masked_debug`] with variables.
pub(crate) fn variables(field: &BTreeMap<String, Option<String>>) -> Variables<'_> {
    Variables(field)
}
