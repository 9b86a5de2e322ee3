//! What a renderer is asked for: templates with everything looked up that can be.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use catalog::Catalog;
use config::{
    Config, Template,
    template::{Source, TemplateId},
};
use process::Identity;
use render::{Destination, Opening, Renderer, Target, Wait};

use crate::engine::registry::{Stamp, stamp};

/// Templates, ready to be rendered.
pub(super) struct Orders {
    settings: Vec<Template>,
    /// Their files as they were when they were read.
    sources: Vec<Stamp>,
    /// What `env` finds.
    environment: BTreeMap<String, String>,
    orders: Vec<render::Template>,
}

impl Orders {
    /// Looks up users and groups, reads and parses.
    ///
    /// # Errors
    /// Everything that is wrong with any, one on a line.
    pub(super) fn build(
        settings: &[Template],
        environment: BTreeMap<String, String>,
    ) -> Result<Orders, String> {
        // Before they are read: a change in between is then found by the next reload.
        let sources = settings.iter().map(source_stamp).collect();
        let orders = all(settings.iter().map(order))?;
        check(&orders, &environment)?;
        Ok(Orders { settings: settings.to_vec(), sources, environment, orders })
    }

    /// As the configuration has them.
    pub(super) fn settings(&self) -> &[Template] {
        &self.settings
    }

    /// Whether these are the same, with the same texts, and find the same environment.
    pub(super) fn are_as(&self, other: &Orders) -> bool {
        self.settings == other.settings
            && self.sources == other.sources
            && self.environment == other.environment
    }

    /// Where a template stands among others, with the same text; `None`: nowhere.
    pub(super) fn place_in(&self, id: TemplateId, other: &Orders) -> Option<TemplateId> {
        let (settings, source) = (self.settings.get(id.0)?, self.sources.get(id.0)?);
        let mut others = other.settings.iter().zip(&other.sources);
        others.position(|same| same == (settings, source)).map(TemplateId)
    }

    /// Begins: first the sources are read once more.
    ///
    /// # Errors
    /// There can be no thread.
    pub(super) fn open(&self, catalog: &Arc<dyn Catalog>) -> Result<Opening, String> {
        Renderer::open(Arc::clone(catalog), self.orders.clone(), self.environment.clone())
    }
}

/// What is wrong with the texts of a configuration's templates; as warnings what they do not fit,
/// and files with texts that are not here: it may be meant for another machine.
///
/// # Errors
/// Texts that are no templates, one on a line.
pub(crate) fn faults(
    config: &Config,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<String>, String> {
    let is_here = |template: &&Template| match &template.source {
        Source::File(path) => path.is_file(),
        Source::Contents(_) => true,
    };
    let (here, missing): (Vec<&Template>, Vec<&Template>) =
        config.templates.iter().partition(is_here);
    let nobody = |template: &Template| Template { user: None, group: None, ..template.clone() };
    let orders = all(here.iter().map(|template| order(&nobody(template))))?;
    check(&orders, environment)?;
    let absent = missing.iter().map(|template| {
        let Source::File(path) = &template.source else { return String::new() };
        format!(
            "templates ({}): source {} is no file here, or not yet: it would not start without",
            template.name,
            path.display()
        )
    });
    let users = here.iter().filter_map(|template| order(template).err());
    let users = users.map(|error| format!("{error}: it would not start here"));
    let oddities = here.iter().flat_map(|template| oddities(template));
    Ok(absent.chain(users).chain(oddities).collect())
}

/// What is probably not meant: a text without an action, and services with a minimum that it does
/// not ask for, as far as it names what it asks for.
fn oddities(template: &Template) -> Vec<String> {
    let text = match &template.source {
        Source::File(path) => fs::read_to_string(path).unwrap_or_default(),
        Source::Contents(text) => text.clone(),
    };
    let (name, left, minimum) = (&template.name, &template.left_delimiter, &template.minimum);
    if template.destination.is_dir() {
        let folder = template.destination.display();
        return vec![format!(
            "templates ({name}): destination {folder} is a folder here: it could not be written"
        )];
    }
    if !text.contains(left) {
        return vec![format!(
            "templates ({name}): there is no {left} in it: it is copied as it is"
        )];
    }
    let names_all = text.split("service ").skip(1).all(|rest| {
        let argument = rest.trim_start();
        argument.starts_with('"') || argument.starts_with('`')
    });
    let unasked = minimum.keys().filter(|service| names_all && !text.contains(service.as_str()));
    let words = |service| format!("never asks for the service {service:?}, whose minimum is set");
    unasked.map(|service| format!("templates ({name}): it {}", words(service))).collect()
}

/// Reads and parses.
fn check(
    orders: &[render::Template],
    environment: &BTreeMap<String, String>,
) -> Result<(), String> {
    let named = |(id, error): (render::TemplateId, String)| {
        let name = orders.get(id.0).map(|order| order.name.as_str()).unwrap_or_default();
        format!("templates ({name}): {error}")
    };
    let problems: Vec<String> =
        render::problems(orders, environment).into_iter().map(named).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn source_stamp(template: &Template) -> Stamp {
    match &template.source {
        Source::File(path) => stamp(path),
        Source::Contents(_) => None,
    }
}

fn order(template: &Template) -> Result<render::Template, String> {
    let wrong = |error| format!("templates ({}): {error}", template.name);
    let lookup = |user: Option<&str>, group: Option<&str>| Identity::lookup(user, group);
    let user = template.user.as_deref().map(|user| lookup(Some(user), None).map(|it| it.uid()));
    let group = template.group.as_deref().map(|group| lookup(None, Some(group)).map(|it| it.gid()));
    // From the root: a check gets the candidate's path, and may run somewhere else.
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| format!("templates ({}): {}: {error}", template.name, path.display()))
    };
    let mut minimum = BTreeMap::new();
    for (service, count) in &template.minimum {
        minimum.insert(service.clone(), usize::try_from(*count).unwrap_or(usize::MAX));
    }
    Ok(render::Template {
        name: template.name.clone(),
        source: match &template.source {
            Source::File(path) => render::Source::File(absolute(path)?),
            Source::Contents(text) => render::Source::Text(text.clone()),
        },
        destination: Destination::File(Target {
            path: absolute(&template.destination)?,
            mode: template.mode,
            user: user.transpose().map_err(wrong)?,
            group: group.transpose().map_err(wrong)?,
            backup: false,
            create_folders: true,
        }),
        wait: template.wait.map(|wait| Wait { min: wait.min, max: wait.max }),
        checked: template.check.is_some(),
        minimum,
        shrink_after: template.shrink_after,
        left_delimiter: template.left_delimiter.clone(),
        right_delimiter: template.right_delimiter.clone(),
        error_on_missing_key: false,
        denied: Vec::new(),
    })
}

/// All of them, or all that is wrong with any, one on a line.
fn all<T>(each: impl Iterator<Item = Result<T, String>>) -> Result<Vec<T>, String> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for one in each {
        match one {
            Ok(one) => good.push(one),
            Err(error) => wrong.push(error),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong.join("\n")) }
}
