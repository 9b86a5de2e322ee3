//! What a template waits for, in a user's words.

use catalog::{Catalog, Keys, Question, Survey};
use catalog_functions::Need;

use crate::order::{Lack, Why};

/// How many things are named.
const NAMED: usize = 3;

/// What is missing, what was refused first.
pub(crate) fn in_words(lacks: &[Lack], catalog: &dyn Catalog, survey: &Survey) -> String {
    let trouble = |lack: &Lack| match &lack.need {
        Need::Catalog(question) => survey.trouble(question),
        Need::File(_) => None,
    };
    // The sort is stable: by kind and name behind that.
    let mut lacks: Vec<(&Lack, Option<String>)> =
        lacks.iter().map(|lack| (lack, trouble(lack))).collect();
    lacks.sort_by_key(|(lack, trouble)| (trouble.is_none(), lack.why == Why::Unanswered));
    let named: Vec<String> =
        lacks.iter().take(NAMED).map(|(lack, trouble)| one(lack, trouble)).collect();
    let mut words = named.join(", ");
    if lacks.len() > NAMED {
        words.push_str(&format!(" and {} more", lacks.len() - NAMED));
    }
    if let Some(outage) = catalog.reachability().outage() {
        words.push_str(&format!("; the catalog does not answer: {outage}"));
    }
    words
}

fn one(Lack { need, why }: &Lack, trouble: &Option<String>) -> String {
    let what = name(need);
    match (why, trouble) {
        (_, Some(trouble)) => format!("{what}: {trouble}"),
        (Why::Unanswered, None) => what,
        (Why::Absent, None) => match need {
            Need::Catalog(Question::Keys { keys: Keys::Under(_), .. }) => {
                format!("{what}: there are none")
            }
            _ => format!("{what} does not exist"),
        },
        (Why::Unreadable(reason), None) => format!("{what}: {reason}"),
    }
}

fn name(need: &Need) -> String {
    match need {
        Need::File(path) => format!("file \"{}\"", path.display()),
        Need::Catalog(question) => question.to_string(),
    }
}
