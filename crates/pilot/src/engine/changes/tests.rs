use std::{collections::BTreeMap, sync::Arc};

use catalog::{Catalog, memory::Memory};
use config::{Host, Source};

use super::*;

const JOB: JobId = JobId(0);
const WATCH: WatchId = WatchId(0);

fn watching() -> Config {
    let text = r#"{ consul: "c:1", watches: [{ key: "k", interval: 1 }],
        jobs: [{ exec: "note", when: { source: "watch.k", each: "changed" } }] }"#;
    let source = Source { name: "app.json5".into(), text: text.into() };
    let host = Host { environment: BTreeMap::new(), hostname: "h".into(), addresses: Vec::new() };
    config::load(&source, &[], &host).unwrap()
}

#[tokio::test]
async fn what_could_not_be_written_comes_with_the_next_one() {
    let config = watching();
    let memory = Arc::new(Memory::new());
    let catalog: Arc<dyn Catalog> = Arc::clone(&memory) as _;
    let mut watches = Watches::new(&config);
    watches.begin(WATCH, &catalog);
    let mut changes = Changes::new(&config);
    let parent = tempfile::tempdir().unwrap();
    let reason = Reason::Watch(WATCH, WatchEvent::Changed);

    let mut befores = Vec::new();
    for value in ["1", "2", "3"] {
        memory.set("k", value.as_bytes());
        assert_eq!(watches.next().await, WATCH);
        let folder = Folder::below(&[parent.path()]).unwrap();
        let file = folder.path.join("1.json");
        changes.folder = Some(folder);
        if value == "2" {
            fs::create_dir(&file).unwrap();
        }
        let path = changes.tell(JOB, reason, &config, &watches, None);
        assert_eq!(path, (value != "2").then_some(file));
        if let Some(path) = path {
            let told: serde_json::Value =
                serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            befores.push(told["before"].clone());
            changes.ended(JOB);
            assert!(!path.exists());
        }
    }
    let told = serde_json::json!([{ "key": "k", "value": "1" }]);
    assert_eq!(befores, [serde_json::json!([]), told]);
}

#[test]
fn without_a_place_for_it_the_complaint_is_always_the_same() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("missing");
    let complaint = || Folder::below(&[&missing, &missing]).err().unwrap().to_string();
    let first = complaint();
    assert!(first.contains(&*missing.to_string_lossy()), "{first}");
    assert_eq!(complaint(), first);
    let made = Folder::below(&[&missing, parent.path()]).unwrap();
    assert_eq!(made.path.parent(), Some(parent.path()));
}
