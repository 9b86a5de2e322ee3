use std::collections::BTreeSet;

use catalog::memory::Memory;

use super::*;

/// Templates of these names, each a file in the folder.
fn templates(folder: &Path, names: &[&str]) -> Templates {
    let entry = |name: &&str| {
        let file = folder.join(name).display().to_string();
        format!(
            r#"{{ name: "{name}", contents: "<< range service `app` >>x<< end >>",
                delimiters: ["<<", ">>"], destination: "{file}", minimum: {{ app: 1 }} }}"#
        )
    };
    let entries: Vec<String> = names.iter().map(entry).collect();
    let text = format!(r#"{{ consul: "c:1", templates: [{}] }}"#, entries.join(", "));
    let source = config::Source { name: "app.json5".into(), text };
    let config = config::load(&source, &[], &config::Host::default()).unwrap();
    Templates::build(&config, &Environment::new(&config)).unwrap()
}

/// The one before has replaced files, and has not come to tell of it.
#[tokio::test]
async fn what_was_replaced_during_a_reload_is_told_by_its_successors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut first = templates(folder, &["a", "b", "c"]);
    let replaced = |index| render::Event::Rendered(render::TemplateId(index), Outcome::Replaced);
    let events =
        vec![replaced(0), replaced(2), render::Event::Failed(render::TemplateId(1), "x".into())];
    let task = tokio::task::spawn_blocking(move || events);
    let heirs = (0..3).map(|index| (index, TemplateId(index))).collect();
    first.clearing = Some(Clearing { task, heirs });
    // Two reloads, one right after the other.
    let mut second = templates(folder, &["c", "b", "a"]);
    second.inherit(&mut first);
    let mut third = templates(folder, &["new", "c", "b"]);
    third.inherit(&mut second);
    let catalog: Arc<dyn Catalog> = Arc::new(Memory::new());
    third.begin(Some(&catalog));
    // "a" is no more; of the others the first news are those that were left, then its own.
    let News::Rendered(id, Outcome::Replaced) = third.next().await else { panic!() };
    assert_eq!(id, TemplateId(1), "\"c\" has another place now");
    let mut rendered = BTreeSet::new();
    while rendered.len() < 3 {
        if let News::Rendered(id, _) = third.next().await {
            rendered.insert(id);
        }
    }
}

/// A third reload comes before the second configuration has told what the first one has left.
#[tokio::test]
async fn what_is_left_to_tell_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = templates(folder.path(), &["a", "b"]);
    first.left = vec![TemplateId(1)];
    let mut second = templates(folder.path(), &["b", "c"]);
    second.inherit(&mut first);
    let catalog: Arc<dyn Catalog> = Arc::new(Memory::new());
    second.begin(Some(&catalog));
    let News::Rendered(TemplateId(0), Outcome::Replaced) = second.next().await else { panic!() };
}

/// The catalog has lost its memory, and then a reload changes other templates.
#[tokio::test]
async fn what_stood_is_known_to_the_next_renderer() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = templates(folder.path(), &["a"]);
    let catalog: Arc<dyn Catalog> = Arc::new(Memory::new());
    first.begin(Some(&catalog));
    let News::Rendered(..) = first.next().await else { panic!() };
    first.end();
    first.states[0].standing = BTreeMap::from([("app".to_owned(), 2)]);
    let mut second = templates(folder.path(), &["b", "a"]);
    second.inherit(&mut first);
    second.begin(Some(&catalog));
    let refused = async {
        loop {
            if let News::Failed(TemplateId(1), why) = second.next().await {
                break why;
            }
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(30), refused).await.unwrap();
    assert!(why.contains("its minimum is 1"), "{why}");
    second.end();
    assert_eq!(second.states[1].standing, first.states[0].standing);
}

/// They could be read when the configuration was prepared.
#[tokio::test(start_paused = true)]
async fn sources_that_cannot_be_read_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("source"), "old").unwrap();
    let text = format!(
        r#"{{ consul: "c:1", templates: [{{ name: "a", source: "{}", destination: "{}" }}] }}"#,
        path("source").display(),
        path("file").display()
    );
    let source = config::Source { name: "app.json5".into(), text };
    let config = config::load(&source, &[], &config::Host::default()).unwrap();
    let mut templates = Templates::build(&config, &Environment::new(&config)).unwrap();
    std::fs::remove_file(path("source")).unwrap();
    let catalog: Arc<dyn Catalog> = Arc::new(Memory::new());
    templates.begin(Some(&catalog));
    for _ in 0..2 {
        let why = loop {
            if let News::Broken(why) = templates.next().await {
                break why;
            }
        };
        assert!(why.contains("cannot read the template"), "{why}");
    }
    std::fs::write(path("source"), "new").unwrap();
    while !matches!(templates.next().await, News::Rendered(..)) {}
    assert_eq!(std::fs::read_to_string(path("file")).unwrap(), "new");
}
