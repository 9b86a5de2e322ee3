//! `/ui/`: the page. It is part of the program, and may load nothing from elsewhere.

use super::{Refusal, Reply, Request};

/// Whatever finds its way into the page must not run: only the page's own files do.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page's files: name, type, content.
const FILES: &[(&str, &str, &[u8])] = &[
    ("dom.js", JAVASCRIPT, include_bytes!("../../ui/dom.js")),
    ("icon.svg", SVG, include_bytes!("../../ui/icon.svg")),
    ("index.html", HTML, include_bytes!("../../ui/index.html")),
    ("keys.js", JAVASCRIPT, include_bytes!("../../ui/keys.js")),
    ("main.js", JAVASCRIPT, include_bytes!("../../ui/main.js")),
    ("model.js", JAVASCRIPT, include_bytes!("../../ui/model.js")),
    ("style.css", CSS, include_bytes!("../../ui/style.css")),
    ("views.js", JAVASCRIPT, include_bytes!("../../ui/views.js")),
    ("watch.js", JAVASCRIPT, include_bytes!("../../ui/watch.js")),
];

/// A file by its name; the page itself without one.
pub(crate) fn answer(request: &Request, name: &str) -> Result<Reply, Refusal> {
    let name = if name.is_empty() { "index.html" } else { name };
    let file = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, content) = file.ok_or_else(Refusal::unknown)?;
    request.allow("GET")?;
    // Another version of the program has another page at the same address.
    Ok(Reply::raw(*content, kind)
        .header("cache-control", "no-cache")
        .header("content-security-policy", POLICY)
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff"))
}
