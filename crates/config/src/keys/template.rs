//! Files that are rendered from the catalog.

use super::{Kind, SPAN, key, required, table};

table!(
    TEMPLATE,
    "template",
    &[
        required("name", Kind::Name, "template.NAME in events."),
        key("source", Kind::Text, "The file with the template; or contents."),
        key("contents", Kind::Strings, "The template itself, or a list of its lines."),
        key("delimiters", Kind::Strings, "What opens and closes an action ({{ and }})."),
        required("destination", Kind::Name, "The file that is rendered."),
        key("mode", Kind::Mode, "Its permissions, like 0640; as before, or 0644, if not given."),
        key("user", Kind::Account, "Its owner; as before if not given."),
        key("group", Kind::Account, "Its group; as before if not given."),
        key(
            "wait",
            Kind::OneOf(&[Kind::Wait, Kind::Object(&WAIT)]),
            "How long changes rest: MIN or MIN:MAX."
        ),
        key(
            "check",
            Kind::OneOf(&[Kind::Command, Kind::Object(&CHECK)]),
            "Decides about a new text, whose path is its last argument, by exit code 0."
        ),
        key("minimum", Kind::Counts, "Fewest instances of services."),
        key("shrinkAfter", SPAN, "How long fewer than the minimum are not believed (5 minutes)."),
    ],
);

table!(
    WAIT,
    "wait",
    &[
        required("min", SPAN, "Without a further change."),
        key("max", SPAN, "At the latest; 4 times the min if not given."),
    ],
);

table!(
    CHECK,
    "check",
    &[
        required("exec", Kind::Command, "What decides."),
        key("timeout", SPAN, "It has said no after this long (10 s)."),
    ],
);
