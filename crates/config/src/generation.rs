//! Which of the two spellings a file uses.

use crate::{
    Generation,
    decode::{Report, suggestion::did_you_mean},
    json5::{Member, Span, Value},
};

/// Keys that only 1.x and 2.x have.
const V2: [&str; 8] =
    ["services", "backends", "tasks", "coprocesses", "preStart", "onStart", "preStop", "postStop"];
/// Keys that only 3.x has.
const V3: [&str; 4] = ["jobs", "watches", "elections", "templates"];

/// A key that tells the generation.
struct Evidence {
    key: String,
    span: Span,
}

/// The generation that the keys speak of; without any such key 2.x if there is an application on
/// the command line, else 3.x. `None` if the keys contradict each other, which is reported.
pub(crate) fn detect(
    members: &[Member],
    has_application: bool,
    report: &Report<'_>,
) -> Option<Generation> {
    let v2 = evidence(members, &V2, "sensors");
    let v3 = evidence(members, &V3, "metrics");
    match (v2.first(), v3.first()) {
        (Some(a), Some(b)) => {
            let names = |evidence: &[Evidence]| {
                let names: Vec<String> =
                    evidence.iter().map(|found| format!("{:?}", found.key)).collect();
                names.join(", ")
            };
            let fault = format!(
                "the file mixes two generations: {} {} of 2.x, {} of 3.x",
                names(&v2),
                if v2.len() == 1 { "is" } else { "are" },
                names(&v3)
            );
            let span = if a.span.start > b.span.start { a.span } else { b.span };
            report.problem("", span, fault, "want the keys of one of them alone");
            None
        }
        (Some(_), None) => Some(Generation::V2),
        (None, Some(_)) => Some(Generation::V3),
        (None, None) => Some(guess(members, has_application)),
    }
}

fn evidence(members: &[Member], keys: &[&str], telemetry_key: &str) -> Vec<Evidence> {
    let mut found = Vec::new();
    for member in members {
        if keys.iter().any(|key| key.eq_ignore_ascii_case(&member.key)) {
            found.push(Evidence { key: member.key.clone(), span: member.key_span });
        }
        if member.key.eq_ignore_ascii_case("telemetry")
            && let Value::Object(inner) = &member.value.value
        {
            let inner = inner.iter().filter(|inner| inner.key.eq_ignore_ascii_case(telemetry_key));
            found.extend(inner.map(|inner| Evidence {
                key: format!("telemetry.{}", inner.key),
                span: inner.key_span,
            }));
        }
    }
    found
}

/// So many keys are looked at for a slip of the pen.
const MOST: usize = 100;

/// Without evidence, a key that is nearly one of a generation's decides, so that the error about
/// it suggests the right one.
fn guess(members: &[Member], has_application: bool) -> Generation {
    let near = |keys: &[&str]| {
        let mut members = members.iter().take(MOST);
        members.any(|member| did_you_mean(&member.key, keys.iter().copied()).is_some())
    };
    if near(&V2) || (has_application && !near(&V3)) { Generation::V2 } else { Generation::V3 }
}
