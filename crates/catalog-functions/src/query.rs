//! The queries of templates, such as `"v2.web@dc1~_agent|passing,warning"`, as questions.

use catalog::{Health, Keys, Question, ServiceQuestion};

use crate::objects::Standing;

const SERVICE: &str = "[TAG.]NAME[@DATACENTER][~NEAR][|FILTER]";
const SERVICES: &str = "[@DATACENTER]";
const NODE: &str = "[NAME][@DATACENTER]";
const NODES: &str = "[@DATACENTER][~NEAR]";
const KEY: &str = "KEY[@DATACENTER]";

/// Which instances a template wants to see, by how they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter(u8);

impl Filter {
    const PASSING: Filter = Filter(1 << Standing::Passing as u8);
    const ANY: Filter = Filter(u8::MAX);

    /// Whether it lets them through.
    pub(crate) fn admits(self, standing: Standing) -> bool {
        self.0 & 1 << standing as u8 != 0
    }

    /// Reads words between commas.
    fn parse(words: &str) -> Result<Filter, String> {
        let mut filter = Filter(0);
        for word in words.split(',').map(str::trim) {
            let standing = match word {
                "any" => return Ok(Filter::ANY),
                "passing" => Standing::Passing,
                "warning" => Standing::Warning,
                "critical" => Standing::Critical,
                "maintenance" => Standing::Maintenance,
                "" => return Err("no state of health follows | or a comma".to_owned()),
                other => {
                    return Err(format!(
                        "{other:?} is no state of health: want passing, warning, critical, \
                         maintenance or any"
                    ));
                }
            };
            filter.0 |= 1 << standing as u8;
        }
        Ok(filter)
    }
}

/// A query cut at its marks.
struct Parts<'q> {
    name: &'q str,
    datacenter: Option<String>,
    near: Option<String>,
    filter: Option<&'q str>,
}

/// Cuts a query. Of the marks, those in `marks` may be in it.
fn cut<'q>(query: &'q str, marks: &str, form: &str) -> Result<Parts<'q>, String> {
    let wrong = |what: &str| format!("{query:?}: {what}; want {form:?}");
    let mut rest = query;
    let mut take = |mark: char, what: &str| {
        if !marks.contains(mark) {
            return Ok(None);
        }
        let Some((before, part)) = rest.split_once(mark) else { return Ok(None) };
        rest = before;
        if part.is_empty() {
            return Err(wrong(&format!("no {what} follows {mark}")));
        }
        // Taken from the end: a mark that is left within a part stands too far right.
        match part.chars().find(|char| marks.contains(*char) && mark != '|') {
            Some(other) if other == mark => Err(wrong(&format!("there are two {mark}"))),
            Some(other) => Err(wrong(&format!("{other} stands after {mark}"))),
            None => Ok(Some(part)),
        }
    };
    let filter = take('|', "state of health")?;
    let near = take('~', "node")?;
    let datacenter = take('@', "datacenter")?;
    for part in [datacenter, near].into_iter().flatten() {
        if let Some(char) = part.chars().find(|char| " \t\n|~@?/".contains(*char)) {
            return Err(wrong(&format!("{char:?} cannot be in a name")));
        }
    }
    Ok(Parts {
        name: rest,
        datacenter: datacenter.map(str::to_owned),
        near: near.map(str::to_owned),
        filter,
    })
}

/// Refuses what would otherwise ask for something else.
fn plain_name(query: &str, name: &str, form: &str) -> Result<(), String> {
    if let Some(char) = name.chars().find(|char| char.is_whitespace() || char.is_control()) {
        return Err(format!("{query:?}: {char:?} cannot be in a name; want {form:?}"));
    }
    match name.split_once('?') {
        Some((_, parameters)) => Err(format!(
            "{query:?}: ?{parameters}: namespaces, partitions and peers are not supported"
        )),
        None => Ok(()),
    }
}

/// `service`. `None`: an empty query, which finds nothing.
pub(crate) fn service(query: &str) -> Result<Option<(ServiceQuestion, Filter)>, String> {
    // A variable that is not set.
    if query.is_empty() {
        return Ok(None);
    }
    let parts = cut(query, "|~@", SERVICE)?;
    plain_name(query, parts.name, SERVICE)?;
    let (tag, name) = match parts.name.rsplit_once('.') {
        Some((tag, name)) => (Some(tag), name),
        None => (None, parts.name),
    };
    if name.is_empty() {
        return Err(format!("{query:?}: no service is named; want {SERVICE:?}"));
    }
    if tag.is_some_and(str::is_empty) {
        return Err(format!("{query:?}: no tag stands before the dot; want {SERVICE:?}"));
    }
    let filter = parts.filter.map(Filter::parse).transpose();
    let filter = filter.map_err(|error| format!("{query:?}: {error}"))?;
    let filter = filter.unwrap_or(Filter::PASSING);
    let health = if filter == Filter::PASSING { Health::Passing } else { Health::Any };
    let question = ServiceQuestion {
        name: name.to_owned(),
        tag: tag.map(str::to_owned),
        datacenter: parts.datacenter,
        near: parts.near,
        health,
    };
    Ok(Some((question, filter)))
}

/// `services`.
pub(crate) fn services(query: &str) -> Result<Question, String> {
    let parts = cut(query, "@", SERVICES)?;
    nameless(query, parts.name, SERVICES)?;
    Ok(Question::Services { datacenter: parts.datacenter })
}

/// `node`.
pub(crate) fn node(query: &str) -> Result<Question, String> {
    let parts = cut(query, "@", NODE)?;
    plain_name(query, parts.name, NODE)?;
    let name = (!parts.name.is_empty()).then(|| parts.name.to_owned());
    Ok(Question::Node { name, datacenter: parts.datacenter })
}

/// `nodes`.
pub(crate) fn nodes(query: &str) -> Result<Question, String> {
    let parts = cut(query, "@~", NODES)?;
    nameless(query, parts.name, NODES)?;
    Ok(Question::Nodes { datacenter: parts.datacenter, near: parts.near })
}

fn nameless(query: &str, name: &str, form: &str) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    Err(format!("{query:?}: {name:?} stands before the @; want {form:?}"))
}

/// `key` and its like. `None`: an empty query, which finds nothing.
pub(crate) fn key(query: &str) -> Result<Option<Question>, String> {
    keys(query, Keys::One)
}

/// `ls`, `tree` and their like. `None`: an empty query, which finds nothing.
pub(crate) fn prefix(query: &str) -> Result<Option<Question>, String> {
    keys(query, Keys::Under)
}

fn keys(query: &str, keys: fn(String) -> Keys) -> Result<Option<Question>, String> {
    if query.is_empty() {
        return Ok(None);
    }
    let parts = cut(query, "@", KEY)?;
    let name = parts.name.strip_prefix('/').unwrap_or(parts.name);
    if parts.name.is_empty() {
        return Err(format!("{query:?}: no key is named; want {KEY:?}"));
    }
    Ok(Some(Question::Keys { keys: keys(name.to_owned()), datacenter: parts.datacenter }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(query: &str) -> (ServiceQuestion, Filter) {
        service(query).expect("well-formed").expect("not empty")
    }

    #[test]
    fn all_parts_of_a_query_are_found() {
        let (asked, filter) = question("v2.beta.web@dc1~node-1|warning, critical");
        assert_eq!((asked.name.as_str(), asked.tag.as_deref()), ("web", Some("v2.beta")));
        assert_eq!(asked.datacenter.as_deref(), Some("dc1"));
        assert_eq!(asked.near.as_deref(), Some("node-1"));
        assert_eq!(asked.health, Health::Any);
        assert!(filter.admits(Standing::Warning) && filter.admits(Standing::Critical));
        assert!(!filter.admits(Standing::Passing) && !filter.admits(Standing::Maintenance));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let (asked, filter) = question("web");
        assert_eq!(asked.health, Health::Passing);
        assert_eq!((asked.tag, asked.datacenter, asked.near), (None, None, None));
        assert!(filter.admits(Standing::Passing) && !filter.admits(Standing::Warning));
        assert_eq!(question("web|passing").0.health, Health::Passing);
        assert_eq!(question("web|any").0.health, Health::Any);
        assert!(question("web|critical,any").1.admits(Standing::Maintenance));
        assert!(service("").expect("well-formed").is_none());
    }

    /// An error is one line of a log.
    #[test]
    fn what_is_refused_is_written_as_an_escape() {
        let error = service("web?a\nb").expect_err("no name");
        assert!(error.contains("'\\n' cannot be in a name") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn keys_lose_one_slash_at_the_front() {
        let asked = key("/a/b@dc2").expect("well-formed").expect("not empty");
        let keys = Keys::One("a/b".to_owned());
        assert_eq!(asked, Question::Keys { keys, datacenter: Some("dc2".to_owned()) });
    }
}
