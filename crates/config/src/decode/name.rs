//! Names of services.

/// What a service's name should look like.
pub(crate) const RULE: &str =
    "want a lower-case letter, then letters, digits and -, at least two in all";

/// Whether a name is `^[a-z][a-zA-Z0-9\-]+$`: fit for DNS and for variables.
pub(crate) fn is_service_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    first && name.len() > 1 && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Makes a name differ from those that are taken: `name`, `name[2]`, `name[3]` …
pub(crate) fn unique(name: &str, taken: &[String]) -> String {
    let free = |candidate: &String| !taken.contains(candidate);
    let numbered = (2..).map(|number: usize| format!("{name}[{number}]"));
    // The numbers never end, so there is a free one.
    std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default()
}
