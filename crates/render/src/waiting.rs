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
    let lacks: Vec<(&Lack, Option<String>)> =
        lacks.iter().map(|lack| (lack, trouble(lack))).collect();
    let rank = |(lack, trouble): &(&Lack, Option<String>)| {
        (trouble.is_none(), lack.why == Why::Unanswered)
    };
    let ranks = [(false, false), (false, true), (true, false), (true, true)];
    // By kind and name behind that.
    let in_order = ranks.iter().flat_map(|of| lacks.iter().filter(move |lack| rank(lack) == *of));
    let named: Vec<String> =
        in_order.take(NAMED).map(|(lack, trouble)| one(lack, trouble)).collect();
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use catalog::{
        Error,
        memory::{Memory, Mood},
    };

    use super::*;

    fn key(key: &str) -> Question {
        Question::Keys { keys: Keys::One(key.to_owned()), datacenter: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_comes_first_and_what_has_no_answer_yet_last() {
        let memory = Arc::new(Memory::new());
        let mut survey = Survey::new(Arc::clone(&memory) as Arc<dyn Catalog>, Duration::MAX);
        memory.set_mood(Mood::Failing(Error::Refused("no".to_owned())));
        survey.follow([key("d")].into());
        assert_eq!(survey.news().await, []);
        let lacks = [
            ("a", Why::Unanswered),
            ("b", Why::Absent),
            ("c", Why::Unanswered),
            ("d", Why::Unanswered),
        ];
        let lacks = lacks.map(|(name, why)| Lack { need: Need::Catalog(key(name)), why });
        let first = "key \"d\": refused: no, key \"b\" does not exist, key \"a\"";
        assert_eq!(in_words(&lacks, &*memory, &survey), format!("{first} and 1 more"));
    }
}
