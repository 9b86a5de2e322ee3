//! Random histories: a file is always the template over one state of the catalog that was true at
//! a time, never an older one than before, never a part of one; and in the end it is the newest.

use proptest::prelude::*;

use super::*;

/// Both lists are of one question; and the version says which state it was.
const TEXT: &str = r#"v{{keyOrDefault "version" "0"}}:{{range service "db"}} {{.ID}}{{end}}|{{range service "db"}} {{.ID}}{{end}} end"#;

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Remove(u8),
    Version,
    Wipe,
    Down,
    Frozen,
    Well,
    Accept,
    Refuse,
    /// Milliseconds.
    Pass(u64),
    /// Somebody makes a folder where the file is to be; or takes it away.
    Obstruct(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..4).prop_map(Step::Put),
        3 => (1u8..4).prop_map(Step::Remove),
        2 => Just(Step::Version),
        1 => Just(Step::Wipe),
        1 => Just(Step::Down),
        1 => Just(Step::Frozen),
        3 => Just(Step::Well),
        3 => Just(Step::Accept),
        1 => Just(Step::Refuse),
        6 => (0u64..4000).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Obstruct),
    ]
}

/// What a template may be.
#[derive(Clone, Debug)]
struct Kind {
    checked: bool,
    wait: Option<(u64, u64)>,
    minimum: usize,
}

fn kind() -> impl Strategy<Value = Kind> {
    let wait = proptest::option::of((1u64..3000, 1u64..9000));
    (any::<bool>(), wait, 0usize..3).prop_map(|(checked, wait, minimum)| Kind {
        checked,
        wait,
        minimum,
    })
}

/// What was true of the database when; the same state twice has two numbers.
struct History {
    version: u64,
    states: Vec<(String, u64)>,
    now: std::collections::BTreeSet<u8>,
}

impl History {
    fn note(&mut self) {
        let list: String = self.now.iter().map(|number| format!(" db-{number}")).collect();
        self.states.push((list, self.version));
    }
}

struct Run {
    stage: Stage,
    history: History,
    /// The latest moment at which what was seen last can have been true, of either question.
    seen: (usize, u64),
    last: String,
    offered: Option<String>,
    /// The text that was refused last, until another is offered or stands, and when.
    refused: Option<(String, Instant)>,
}

impl Run {
    async fn step(&mut self, step: Step) {
        let memory = Arc::clone(&self.stage.memory);
        match step {
            Step::Put(number) => {
                put(&memory, "db", number);
                self.history.now.insert(number);
            }
            Step::Remove(number) => {
                memory.remove(&id("db", number));
                self.history.now.remove(&number);
            }
            Step::Version => {
                self.history.version += 1;
                memory.set("version", self.history.version.to_string().as_bytes());
            }
            Step::Wipe => {
                memory.wipe();
                self.history.now.clear();
                // Keys are lost as well; the next one is a further version all the same.
                memory.set("version", self.history.version.to_string().as_bytes());
            }
            Step::Down => memory.set_mood(down()),
            Step::Frozen => memory.set_mood(Mood::Frozen),
            Step::Well => memory.set_mood(Mood::Well),
            Step::Accept => {
                self.stage.conductor.accept(TemplateId(0));
                self.offered = None;
            }
            Step::Refuse => {
                self.stage.conductor.refuse(TemplateId(0), "no");
                let refused = self.offered.take().map(|text| (text, Instant::now()));
                self.refused = refused.or(self.refused.take());
            }
            Step::Pass(milliseconds) => {
                let events = self.stage.pass(Duration::from_millis(milliseconds)).await;
                self.hear(events);
            }
            Step::Obstruct(true) => {
                let aside = self.stage.folder.path().join("aside");
                if !self.stage.path().is_dir() {
                    let _ = fs::rename(self.stage.path(), aside);
                    fs::create_dir(self.stage.path()).unwrap();
                }
            }
            Step::Obstruct(false) => {
                let aside = self.stage.folder.path().join("aside");
                if self.stage.path().is_dir() {
                    fs::remove_dir(self.stage.path()).unwrap();
                    let _ = fs::rename(aside, self.stage.path());
                }
            }
        }
        self.history.note();
        self.look();
    }

    fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Candidate(_, path) => {
                    assert_eq!(self.offered, None, "one at a time");
                    let text = fs::read_to_string(path).unwrap();
                    self.read(&text);
                    if let Some((refused, at)) = self.refused.take() {
                        assert!(refused != text || at.elapsed() >= 10 * SECOND, "refused");
                    }
                    self.offered = Some(text);
                }
                Event::Failed(_, reason) => assert!(!reason.is_empty()),
                Event::Rendered(_, _) => self.refused = None,
                // No key is ever taken away.
                Event::Printed(_, _) | Event::Lacks(_) => panic!("{event:?}"),
            }
        }
    }

    /// The file is a whole text, of a state not older than the one before.
    fn look(&mut self) {
        let Ok(text) = fs::read_to_string(self.stage.path()) else { return };
        if text == self.last {
            return;
        }
        let (list, version) = self.read(&text);
        let (earliest, before) = self.seen;
        // Each question has its own history: the list was true when it was not older than the last.
        let found = self.history.states.iter().rposition(|state| state.0 == list);
        let at = found.expect("a list that was true");
        assert!(at >= earliest, "older than before: {text:?}");
        assert!(version >= before, "an older version: {text:?}");
        // The first time at which it can have been true, not before the last one.
        let states = &self.history.states;
        let first = (earliest..states.len()).find(|at| states[*at].0 == list).unwrap();
        self.seen = (first, version);
        self.last = text;
    }

    /// Whole, and of one state in all its parts.
    fn read(&self, text: &str) -> (String, u64) {
        let whole = text.strip_prefix('v').and_then(|text| text.strip_suffix(" end"));
        let (version, lists) = whole.expect("whole").split_once(':').unwrap();
        let (a, b) = lists.split_once('|').unwrap();
        assert_eq!(a, b, "one state");
        (a.to_owned(), version.parse().unwrap())
    }
}

async fn run(kind: Kind, steps: Vec<Step>) {
    // Nothing is empty at first, so that what is not known is not taken for what is.
    let memory = memory(&[("db", 1)]);
    memory.set("version", b"1");
    let stage = Stage::of(memory, TEXT, |template| {
        template.checked = kind.checked;
        let wait =
            |(min, max)| Wait { min: Duration::from_millis(min), max: Duration::from_millis(max) };
        template.wait = kind.wait.map(wait);
        template.minimum = BTreeMap::from([("db".to_owned(), kind.minimum)]);
        template.shrink_after = 10 * SECOND;
    });
    let mut history = History { version: 1, states: Vec::new(), now: [1].into() };
    history.note();
    let (seen, last) = ((0, 0), String::new());
    let mut run = Run { stage, history, seen, last, offered: None, refused: None };
    for step in steps {
        run.step(step).await;
    }
    // All is well in the end, also what was refused before.
    run.step(Step::Obstruct(false)).await;
    run.step(Step::Well).await;
    for _ in 0..20 {
        run.step(Step::Pass(20_000)).await;
        run.step(Step::Accept).await;
    }
    run.step(Step::Pass(20_000)).await;
    let (list, version) = run.history.states.last().unwrap();
    let newest = format!("v{version}:{list}|{list} end");
    assert_eq!((run.stage.file(), run.stage.waiting()), (newest, vec![]));
    assert!(run.stage.names().iter().all(|name| !name.contains(".new-")), "nothing is left");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_always_whole_and_true_and_never_older(
        kind in kind(),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(kind, steps));
    }
}
