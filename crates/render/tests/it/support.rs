//! A renderer whose owner is a thread of its own, so that a test may look on.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use catalog::Catalog;
use consul::{Address, Options};
use render::{Destination, Effort, Event, Renderer, Source, Target, Template, TemplateId};
use tempfile::TempDir;
use testkit::wait_until;
use tokio::sync::mpsc as channel;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a test tells the owner.
enum Word {
    Accept,
    Refuse(String),
    End,
}

pub(crate) struct Owner {
    pub(crate) folder: TempDir,
    events: mpsc::Receiver<Event>,
    tell: channel::Sender<Word>,
    waiting: Arc<Mutex<(Vec<String>, Effort)>>,
    thread: Option<JoinHandle<()>>,
}

impl Owner {
    /// Starts a renderer of one template, which writes `file`.
    pub(crate) fn start(
        catalog: Arc<dyn Catalog>,
        text: &str,
        change: impl FnOnce(&mut Template),
    ) -> Owner {
        let folder = tempfile::tempdir().unwrap();
        let mut template = template(folder.path().join("file"), text);
        change(&mut template);
        let (hear, events) = mpsc::channel();
        let (tell, mut words) = channel::channel(10);
        let waiting: Arc<Mutex<(Vec<String>, Effort)>> = Arc::default();
        let seen = Arc::clone(&waiting);
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let mut renderer =
                    Renderer::start(catalog, vec![template], BTreeMap::new()).unwrap();
                let mut tick = tokio::time::interval(Duration::from_millis(10));
                loop {
                    tokio::select! {
                        event = renderer.next() => drop(hear.send(event)),
                        word = words.recv() => match word {
                            Some(Word::Accept) => renderer.accept(TemplateId(0)),
                            Some(Word::Refuse(reason)) => renderer.refuse(TemplateId(0), &reason),
                            Some(Word::End) | None => break,
                        },
                        // A busy owner: what is waited for is begun anew all the time.
                        _ = tick.tick() => {}
                    }
                    let words = renderer.waiting().into_iter().map(|(_, words)| words).collect();
                    *seen.lock().unwrap() = (words, renderer.effort());
                }
            });
        };
        let thread = Some(thread::spawn(body));
        Owner { folder, events, tell, waiting, thread }
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn event(&self) -> Event {
        self.events.recv_timeout(LONG).expect("an event")
    }

    /// What has been told and not been asked for.
    pub(crate) fn told(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    pub(crate) fn accept(&self) {
        self.tell.blocking_send(Word::Accept).unwrap();
    }

    pub(crate) fn refuse(&self, reason: &str) {
        self.tell.blocking_send(Word::Refuse(reason.to_owned())).unwrap();
    }

    /// Ends the renderer, and waits until it has.
    pub(crate) fn end(&mut self) {
        let _ = self.tell.blocking_send(Word::End);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    pub(crate) fn file(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn waiting(&self) -> Vec<String> {
        self.waiting.lock().unwrap().0.clone()
    }

    pub(crate) fn effort(&self) -> Effort {
        self.waiting.lock().unwrap().1
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        wait_until(&format!("the file is {text:?}"), LONG, || match self.file() {
            file if file == text => Ok(()),
            file => Err(format!("{file:?}, waiting for {:?}", self.waiting())),
        });
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

pub(crate) fn template(path: PathBuf, text: &str) -> Template {
    Template {
        name: "test".to_owned(),
        source: Source::Text(text.to_owned()),
        destination: Destination::File(Target {
            path,
            mode: None,
            user: None,
            group: None,
            backup: false,
            create_folders: false,
        }),
        wait: None,
        checked: false,
        minimum: BTreeMap::new(),
        shrink_after: Duration::ZERO,
        left_delimiter: String::new(),
        right_delimiter: String::new(),
        error_on_missing_key: false,
        denied: Vec::new(),
    }
}

/// A client of the agent at `127.0.0.1:PORT`.
pub(crate) fn client(address: &str) -> Arc<dyn Catalog> {
    let (host, port) = address.rsplit_once(':').unwrap();
    let address = Address::Http { host: host.to_owned(), port: port.parse().unwrap() };
    Arc::new(consul::Consul::build(Options::new(vec![address])).unwrap())
}
