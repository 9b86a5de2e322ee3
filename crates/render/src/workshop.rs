//! Where templates are executed and files are written: everything that computes long or waits for
//! disks. It lives on one thread; a [`Report`] answers each [`Order`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    hash::{BuildHasher, RandomState},
    io::Read,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use catalog::{Endpoint, Finding, Question, Status};
use catalog_functions::{Answers, Known, Need, Options};
use nix::fcntl::OFlag;

use crate::{
    Destination, Outcome, Source, Target, Template, TemplateId,
    host::HERE,
    inputs::Inputs,
    order::{Execution, Fingerprint, Lack, Order, PassReport, Report, Task, Text, Why, Written},
    replacement::{self, Candidate, Prepared},
    shrinkage::Counts,
};

/// All templates and what is known.
pub(crate) struct Workshop {
    sheets: Vec<Sheet>,
    answers: Answers,
    inputs: Inputs,
    random: RandomState,
    /// Nobody waits for it any more.
    is_left: Arc<AtomicBool>,
}

/// One template at work.
struct Sheet {
    template: catalog_functions::Template,
    destination: Destination,
    checked: bool,
    minimum: Counts,
    /// What it has asked for when it was executed last.
    needs: BTreeSet<Need>,
    /// While it fails: what it had asked for before. What stands behind the error will mostly be
    /// asked again.
    before_error: BTreeSet<Need>,
    /// How many of these the catalog has not answered.
    unanswered: usize,
    /// Something of it has changed since it was executed.
    is_stale: bool,
    /// The newest text, until it stands.
    text: Option<(Fingerprint, String)>,
    candidate: Option<(Fingerprint, Candidate)>,
}

impl Workshop {
    /// Reads and parses the templates.
    ///
    /// # Errors
    /// All that cannot be read or are no templates.
    pub(crate) fn open(
        templates: &[Template],
        environment: &Arc<BTreeMap<String, String>>,
    ) -> Result<Workshop, Vec<(TemplateId, String)>> {
        let mut sheets = Vec::new();
        let mut errors = Vec::new();
        let mut paths = BTreeMap::new();
        for (index, template) in templates.iter().enumerate() {
            match parse(template, environment) {
                Ok(parsed) => sheets.push(Sheet::new(template, parsed)),
                Err(error) => errors.push((TemplateId(index), error)),
            }
            if let Destination::File(Target { path, .. }) = &template.destination
                && let Some(other) = paths.insert(path, &template.name)
            {
                let name = &template.name;
                let error = format!("both {other} and {name} are to write {}", path.display());
                errors.push((TemplateId(index), error));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let (answers, inputs, random) = (Answers::new(), Inputs::default(), RandomState::new());
        let is_left = Arc::default();
        Ok(Workshop { sheets, answers, inputs, random, is_left })
    }

    /// Removes what predecessors that were killed have left behind.
    pub(crate) fn tidy(&self) {
        for sheet in &self.sheets {
            if let Destination::File(target) = &sheet.destination {
                replacement::remove_leftovers(target);
            }
        }
    }

    pub(crate) fn perform(&mut self, order: Order) -> Report {
        match order {
            Order::Pass { news, look, partial } => Report::Pass(self.pass(news, look, partial)),
            Order::Text(id, task) => Report::Text(id, self.text(id, task)),
        }
    }

    /// From now on no file is replaced once that has become true: another one may be at work.
    pub(crate) fn heed(&mut self, is_left: Arc<AtomicBool>) {
        self.is_left = is_left;
    }

    /// What is known changes only here, between executions, so that no text mixes two states.
    fn pass(
        &mut self,
        news: Vec<(Question, Arc<Finding>)>,
        look: bool,
        partial: bool,
    ) -> PassReport {
        let begin = Instant::now();
        for (question, finding) in news {
            self.learn(Need::Catalog(question), Known::Catalog(finding));
        }
        if look {
            for (path, content) in self.inputs.look() {
                self.learn(Need::File(path), Known::File(content));
            }
        }
        let mut results = Vec::new();
        let mut dropped = BTreeSet::new();
        let mut needs_changed = false;
        for (index, sheet) in self.sheets.iter_mut().enumerate() {
            if !sheet.is_stale || (sheet.unanswered > 0 && !partial) {
                continue;
            }
            let (result, before) = sheet.execute(&mut self.answers, &mut self.inputs, &self.random);
            needs_changed |= before != sheet.needs;
            dropped.extend(before.into_iter().filter(|need| !sheet.needs.contains(need)));
            results.push((TemplateId(index), result));
        }
        let sheets = &self.sheets;
        let wanted = |need: &Need| sheets.iter().any(|sheet| sheet.needs.contains(need));
        for need in dropped.iter().filter(|need| !wanted(need)) {
            self.answers.forget(need);
        }
        self.inputs.keep(|path| wanted(&Need::File(path.to_owned())));
        PassReport {
            results,
            questions: needs_changed.then(|| self.questions()),
            reads_files: !self.inputs.is_empty(),
            waits: self.sheets.iter().any(|sheet| sheet.is_stale),
            took: begin.elapsed(),
        }
    }

    fn learn(&mut self, need: Need, known: Known) {
        let is_first = self.answers.get(&need).is_none();
        for sheet in self.sheets.iter_mut().filter(|sheet| sheet.needs.contains(&need)) {
            sheet.is_stale = true;
            if is_first && matches!(need, Need::Catalog(_)) {
                sheet.unanswered = sheet.unanswered.saturating_sub(1);
            }
        }
        self.answers.learn(need, known);
    }

    fn questions(&self) -> BTreeSet<Question> {
        let needs = self.sheets.iter().flat_map(|sheet| &sheet.needs);
        let question = |need: &Need| match need {
            Need::Catalog(question) => Some(question.clone()),
            Need::File(_) => None,
        };
        let mut questions = BTreeSet::new();
        questions.extend(needs.filter_map(question));
        questions
    }

    fn text(&mut self, TemplateId(index): TemplateId, task: Task) -> Written {
        let Some(sheet) = self.sheets.get_mut(index) else {
            return Written::Failed("there is no such template".to_owned());
        };
        match task {
            Task::Write => sheet.write(&self.is_left),
            Task::Install => sheet.install(&self.is_left),
            Task::Discard => {
                sheet.candidate = None;
                Written::Discarded
            }
        }
    }
}

impl Sheet {
    fn new(template: &Template, parsed: catalog_functions::Template) -> Sheet {
        Sheet {
            template: parsed,
            destination: template.destination.clone(),
            checked: template.checked,
            minimum: template.minimum.clone(),
            needs: BTreeSet::new(),
            before_error: BTreeSet::new(),
            unanswered: 0,
            is_stale: true,
            text: None,
            candidate: None,
        }
    }

    /// Returns what it asked for before, too.
    fn execute(
        &mut self,
        answers: &mut Answers,
        inputs: &mut Inputs,
        random: &RandomState,
    ) -> (Execution, BTreeSet<Need>) {
        let mut read = Vec::new();
        let pass = loop {
            let pass = self.template.execute(answers);
            // Files are read at once. Each round reads another, so that there is an end.
            let is_new = |need: &&Need| matches!(need, Need::File(path) if !inputs.has(path));
            let files: Vec<Need> = pass.missing.iter().filter(is_new).cloned().collect();
            let before = read.len();
            for need in files {
                let Need::File(path) = &need else { continue };
                if let Some(content) = inputs.follow(path) {
                    answers.learn(need.clone(), Known::File(content));
                    read.push(need);
                }
            }
            if read.len() == before {
                break pass;
            }
        };
        // What a later round does not ask for is not followed either.
        for need in read.iter().filter(|need| !pass.needs.contains(need)) {
            answers.forget(need);
        }
        let before = std::mem::replace(&mut self.needs, pass.needs);
        match pass.text {
            Ok(_) => self.before_error.clear(),
            Err(_) => {
                if self.before_error.is_empty() {
                    self.before_error.clone_from(&before);
                }
                self.needs.extend(self.before_error.iter().cloned());
            }
        }
        let is_unanswered =
            |need: &&Need| matches!(need, Need::Catalog(_)) && answers.get(need).is_none();
        self.unanswered = self.needs.iter().filter(is_unanswered).count();
        self.is_stale = false;
        self.text = None;
        let result = match pass.text {
            _ if !pass.missing.is_empty() => {
                let why = |need: &Need| match need {
                    Need::File(path) => {
                        Why::Unreadable(inputs.trouble(path).unwrap_or("not read yet").to_owned())
                    }
                    need if answers.get(need).is_some() => Why::Absent,
                    _ => Why::Unanswered,
                };
                let lack = |need: Need| Lack { why: why(&need), need };
                Execution::Lacking(pass.missing.into_iter().map(lack).collect())
            }
            Err(error) => Execution::Wrong(error),
            Ok(text) => {
                let fingerprint = Fingerprint(random.hash_one(&text));
                let counts = self.counts(answers);
                self.text = Some((fingerprint, text));
                Execution::Text(Text { fingerprint, counts })
            }
        };
        (result, before)
    }

    /// Passing instances of the services that have a minimum: all that it has asked about.
    fn counts(&self, answers: &Answers) -> Counts {
        let count = |service: &String| {
            let mut passing = BTreeSet::new();
            for need in &self.needs {
                let is_about =
                    matches!(need, Need::Catalog(Question::Service(it)) if it.name == *service);
                if is_about
                    && let Some(Known::Catalog(finding)) = answers.get(need)
                    && let Finding::Service(endpoints) = &*finding
                {
                    let endpoints = endpoints.iter().filter(|it| it.status() == Status::Passing);
                    let node = |it: &Endpoint| (it.node.datacenter.clone(), it.node.name.clone());
                    passing.extend(endpoints.map(|it| (node(it), it.id.clone())));
                }
            }
            passing.len()
        };
        let mut counts = Counts::new();
        for service in self.minimum.keys() {
            counts.insert(service.clone(), count(service));
        }
        counts
    }

    fn write(&mut self, is_left: &AtomicBool) -> Written {
        let Some((fingerprint, text)) = self.text.take() else {
            return Written::Failed("there is no text".to_owned());
        };
        let target = match &self.destination {
            Destination::Print => return Written::Printed(text.into()),
            Destination::File(target) => target,
        };
        let written = match replacement::prepare(target, &text) {
            Ok(Prepared::Same) => return Written::Stands(Outcome::Unchanged),
            Ok(Prepared::Candidate(candidate)) if self.checked => {
                let path = candidate.path().to_owned();
                self.candidate = Some((fingerprint, candidate));
                Written::Candidate(path)
            }
            Ok(Prepared::Candidate(candidate)) => match candidate.install(is_left) {
                Ok(()) => return Written::Stands(Outcome::Replaced),
                Err(error) => Written::Failed(error),
            },
            Err(error) => Written::Failed(error),
        };
        // It may have to be written once more.
        self.text = Some((fingerprint, text));
        written
    }

    fn install(&mut self, is_left: &AtomicBool) -> Written {
        let Some((fingerprint, candidate)) = self.candidate.take() else {
            return Written::Failed("there is no candidate".to_owned());
        };
        match candidate.install(is_left) {
            Ok(()) => {
                self.text.take_if(|(newest, _)| *newest == fingerprint);
                Written::Stands(Outcome::Replaced)
            }
            Err(error) => Written::Failed(error),
        }
    }
}

/// Reads and parses one template.
fn parse(
    template: &Template,
    environment: &Arc<BTreeMap<String, String>>,
) -> Result<catalog_functions::Template, String> {
    let options = Options {
        left_delimiter: template.left_delimiter.clone(),
        right_delimiter: template.right_delimiter.clone(),
        error_on_missing_key: template.error_on_missing_key,
        environment: Arc::clone(environment),
        denied: template.denied.clone(),
        host: HERE,
    };
    match &template.source {
        Source::Text(text) => catalog_functions::Template::parse(&template.name, text, &options),
        Source::File(path) => {
            let text = read(path)?;
            catalog_functions::Template::parse(&path.display().to_string(), &text, &options)
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let text = match path.starts_with("/dev") || path.starts_with("/proc") {
        // Whoever names such a file means what it does, be it a pipe: `/dev/stdin`.
        true => special(path),
        false => regular(path),
    };
    text.map_err(|error| format!("cannot read the template {}: {error}", path.display()))
}

/// The text of whatever it is. A pipe can be read once: what comes out of it the second time must
/// not replace a file.
fn special(path: &Path) -> Result<String, String> {
    let in_words = |error: std::io::Error| error.to_string();
    let mut file = fs::File::open(path).map_err(in_words)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(in_words)?;
    if text.is_empty() && file.metadata().map_err(in_words)?.file_type().is_fifo() {
        return Err("nothing comes out of this pipe; has it been read before?".to_owned());
    }
    Ok(text)
}

/// The text of a file. Whoever opens a pipe waits for somebody to write.
fn regular(path: &Path) -> Result<String, String> {
    let in_words = |error: std::io::Error| error.to_string();
    let flags = OFlag::O_NONBLOCK.bits();
    let mut file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(in_words)?;
    if !file.metadata().map_err(in_words)?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(in_words)?;
    Ok(text)
}
