//! The catalog alone, for programs of ours whose other settings stand elsewhere.

use std::collections::BTreeMap;

use crate::{
    Catalog, Host, Problem,
    decode::{Field, Keys, Report, registry::registry},
    json5, keys,
};

/// The catalog that the keys `consul` and `etcd` of a JSON5 text name, as in a 3.x file, and what is
/// legal there but probably not meant. The `CONSUL_*` variables fill the gaps; without either key
/// `CONSUL_HTTP_ADDR` counts. Nothing of the text is a template, and other keys are not looked at.
///
/// # Errors
/// Everything that is wrong with it. Their positions are those in this text.
pub fn catalog_of(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(Option<Catalog>, Vec<String>), Vec<Problem>> {
    let report = Report::new(text, environment);
    report.compare_keys(Keys::Exact);
    let host =
        Host { environment: environment.clone(), hostname: String::new(), addresses: Vec::new() };
    let found = match json5::parse(text) {
        Ok(node) => Field::root(&report, &node, &keys::ROOT_V3)
            .object()
            .and_then(|mut root| registry(&mut root, &host).catalog()),
        Err(error) => {
            report.syntax(error);
            None
        }
    };
    match report.finish() {
        (problems, warnings) if problems.is_empty() => Ok((found, warnings)),
        (problems, _) => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(text: &str, variables: &[(&str, &str)]) -> Result<Option<Catalog>, Vec<String>> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let faults = |problems: Vec<Problem>| {
            problems.into_iter().map(|problem| problem.path + ": " + &problem.fault).collect()
        };
        catalog_of(text, &variables.collect()).map(|(catalog, _)| catalog).map_err(faults)
    }

    fn address(catalog: Option<Catalog>) -> String {
        match catalog {
            Some(Catalog::Consul(consul)) => match &consul.addresses[0] {
                crate::catalog::ConsulAddress::Http { host, port } => format!("{host}:{port}"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_text_says_wins_over_the_variables() {
        let variable = [("CONSUL_HTTP_ADDR", "there:1")];
        assert_eq!(address(catalog("{consul: 'here:2'}", &variable).unwrap()), "here:2");
        assert_eq!(address(catalog("{consul: {}}", &variable).unwrap()), "there:1");
        assert_eq!(address(catalog("{}", &variable).unwrap()), "there:1");
        assert_eq!(address(catalog("{consul: {}}", &[]).unwrap()), "127.0.0.1:8500");
        assert_eq!(catalog("{}", &[]).unwrap(), None);
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let wrong = catalog("{consul: {address: 'here', maxStale: 'x'}}", &[]).unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("consul.address: \"here\" has no port"), "{wrong:?}");
    }
}
