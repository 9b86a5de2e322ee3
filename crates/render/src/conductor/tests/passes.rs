//! From what is asked to a text.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_file_follows_what_the_catalog_says() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    assert_eq!(stage.waiting(), ["it has not been executed yet"]);
    assert_eq!(stage.now().await, replaced());
    assert_eq!((stage.file().as_str(), stage.waiting()), ("10.0.0.1:80\n", vec![]));
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "10.0.0.1:80\n10.0.0.2:80\n");
    // What does not change the text is no news.
    put(&stage.memory, "web", 1);
    assert_eq!(stage.pass(60 * SECOND).await, []);
    stage.memory.remove("db-1");
    stage.memory.remove("db-2");
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "");
    assert_eq!(stage.conductor.effort(), Effort { passes: 4, texts: 3 });
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_an_answer() {
    let mut stage = Stage::of(Memory::new(), "none{{range service \"db\"}}some{{end}}", |_| {});
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "none");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_right_already_is_told_once() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    fs::write(stage.path(), "10.0.0.1:80\n").unwrap();
    assert_eq!(stage.now().await, unchanged());
    assert_eq!(stage.pass(60 * SECOND).await, []);
}

/// Every service in the list is asked about; those that are gone are not any more.
#[tokio::test(start_paused = true)]
async fn questions_in_loops_are_found_and_dropped() {
    let text = r#"{{range services}}{{.Name}}:{{range service .Name}} {{.ID}}{{end}}
{{end}}"#;
    let mut stage = Stage::of(memory(&[("a", 1), ("b", 1), ("b", 2)]), text, |_| {});
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "a: a-1\nb: b-1 b-2\n");
    assert_eq!(stage.conductor.survey.len(), 3);
    // One pass for each level, whatever the number of services.
    assert_eq!(stage.conductor.effort().passes, 3);
    stage.memory.remove("b-1");
    stage.memory.remove("b-2");
    put(&stage.memory, "c", 1);
    stage.now().await;
    assert_eq!(stage.file(), "a: a-1\nc: c-1\n");
    assert_eq!(stage.conductor.survey.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn templates_share_questions_and_only_those_concerned_are_executed() {
    let mut stage = Stage::new(memory(&[("db", 1), ("web", 1)]), |folder| {
        let text = r#"{{range service "web"}}{{.ID}}{{end}}"#;
        vec![template(folder, "a", DB), template(folder, "b", DB), template(folder, "c", text)]
    });
    let rendered = |ids: &[usize]| -> Vec<Event> {
        ids.iter().map(|id| Event::Rendered(TemplateId(*id), Outcome::Replaced)).collect()
    };
    assert_eq!(stage.now().await, rendered(&[0, 1, 2]));
    assert_eq!(stage.conductor.survey.len(), 2);
    let before = stage.conductor.effort().passes;
    put(&stage.memory, "web", 2);
    assert_eq!(stage.now().await, rendered(&[2]));
    assert_eq!(stage.conductor.effort().passes, before + 1);
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, rendered(&[0, 1]));
    assert_eq!(stage.names(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_exist_holds_the_file_back() {
    let text = r#"{{key "a/b"}}{{range service "db"}} {{.ID}}{{end}}"#;
    let mut stage = Stage::of(memory(&[("db", 1)]), text, |_| {});
    assert_eq!(stage.pass(60 * SECOND).await, []);
    assert_eq!(stage.waiting(), ["key \"a/b\" does not exist"]);
    stage.memory.set("a/b", b"one");
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "one db-1");
    // Deleted: what was rendered stands, whatever else changes.
    stage.memory.unset("a/b");
    put(&stage.memory, "db", 2);
    assert_eq!(stage.pass(60 * SECOND).await, [Event::Lacks(TemplateId(0))]);
    assert_eq!(stage.file(), "one db-1");
    assert_eq!(stage.waiting(), ["key \"a/b\" does not exist"]);
    stage.memory.set("a/b", b"two");
    assert_eq!(stage.now().await, replaced());
    assert_eq!((stage.file().as_str(), stage.waiting()), ("two db-1 db-2", vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_default_does_not_hold_back() {
    let mut stage = Stage::of(Memory::new(), r#"{{keyOrDefault "a" "none"}}"#, |_| {});
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "none");
    stage.memory.set("a", b"some");
    stage.now().await;
    assert_eq!(stage.file(), "some");
}

/// What it asks behind the error is not asked anew when it is right again; but what it does not ask
/// any more then is dropped.
#[tokio::test(start_paused = true)]
async fn questions_behind_an_error_are_kept_while_it_lasts() {
    let text = r#"{{$a := keyOrDefault "a" ""}}{{if eq $a "bad"}}{{index "x" 5}}{{end}}
        {{if ne $a "less"}}{{range service "db"}}{{.ID}}{{end}}{{end}}"#;
    let mut stage = Stage::of(memory(&[("db", 1)]), text, |_| {});
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.conductor.survey.len(), 2);
    for _ in 0..2 {
        stage.memory.set("a", b"bad");
        let events = stage.pass(SECOND).await;
        assert!(matches!(events[..], [Event::Failed(..)]), "{events:?}");
        assert_eq!(stage.conductor.survey.len(), 2);
        stage.memory.set("a", b"worse");
        assert_eq!(stage.pass(SECOND).await, unchanged());
    }
    stage.memory.set("a", b"bad");
    stage.pass(SECOND).await;
    stage.memory.set("a", b"less");
    stage.pass(SECOND).await;
    assert_eq!(stage.conductor.survey.len(), 1);
}

/// Of one that has never come to anything its owner knows anyway.
#[tokio::test(start_paused = true)]
async fn what_is_not_there_any_more_is_told_once() {
    let mut stage = Stage::of(memory(&[]), r#"{{key "a"}}{{key "b"}}"#, |_| {});
    assert_eq!(stage.now().await, []);
    stage.memory.set("a", b"1");
    stage.memory.set("b", b"2");
    assert_eq!(stage.now().await, replaced());
    for _ in 0..2 {
        stage.memory.unset("a");
        assert_eq!(stage.pass(SECOND).await, [Event::Lacks(TemplateId(0))]);
        assert_eq!(stage.waiting(), ["key \"a\" does not exist"]);
        assert!(stage.conductor.lacks(TemplateId(0)));
        stage.memory.unset("b");
        assert_eq!(stage.pass(SECOND).await, []);
        stage.memory.set("a", b"1");
        stage.memory.set("b", b"2");
        assert_eq!(stage.pass(SECOND).await, []);
        assert!(!stage.conductor.lacks(TemplateId(0)));
    }
    assert_eq!(stage.file(), "12");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_wrong_is_told_once_and_the_old_file_stands() {
    let text =
        r#"{{if eq (keyOrDefault "a" "") "bad"}}{{index "x" 5}}{{end}}{{keyOrDefault "a" ""}}"#;
    let mut stage = Stage::of(Memory::new(), text, |_| {});
    assert_eq!(stage.now().await, replaced());
    stage.memory.set("a", b"bad");
    let events = stage.now().await;
    let [Event::Failed(TemplateId(0), reason)] = &events[..] else { panic!("{events:?}") };
    assert!(reason.contains("template: file:1:") && reason.contains("index"), "{reason}");
    assert_eq!(&stage.waiting()[..], std::slice::from_ref(reason));
    assert_eq!((stage.pass(60 * SECOND).await, stage.file().as_str()), (vec![], ""));
    // It says that all is well again, although the file was right all the time.
    stage.memory.unset("a");
    assert_eq!((stage.now().await, stage.waiting()), (unchanged(), vec![]));
    stage.memory.set("a", b"bad");
    assert_eq!(stage.now().await, events);
    stage.memory.set("a", b"good");
    assert_eq!((stage.now().await, stage.file().as_str()), (replaced(), "good"));
}

#[tokio::test(start_paused = true)]
async fn printed_texts_are_told() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |template| {
        template.destination = Destination::Print;
    });
    let printed = |text: &str| vec![Event::Printed(TemplateId(0), text.into())];
    assert_eq!(stage.now().await, printed("10.0.0.1:80\n"));
    put(&stage.memory, "web", 1);
    assert_eq!(stage.now().await, []);
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, printed("10.0.0.1:80\n10.0.0.2:80\n"));
    assert_eq!((stage.names(), stage.waiting()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn files_that_templates_read_are_looked_at_every_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let motd = folder.path().join("motd");
    let text = format!("{{{{file {motd:?}}}}}");
    let mut stage = Stage::of(Memory::new(), &text, |_| {});
    assert_eq!(stage.pass(60 * SECOND).await, []);
    let words = format!("file {motd:?}: No such file or directory (os error 2)");
    assert_eq!(stage.waiting(), [words]);
    fs::write(&motd, "hello").unwrap();
    assert_eq!(stage.pass(2 * SECOND + MOMENT).await, replaced());
    fs::write(&motd, "hello again").unwrap();
    assert_eq!(stage.pass(2 * SECOND + MOMENT).await, replaced());
    assert_eq!(stage.file(), "hello again");
    fs::remove_file(&motd).unwrap();
    assert_eq!((stage.pass(60 * SECOND).await, stage.waiting()), (vec![], vec![]));
}

/// The name of one is in another, and changes.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_asked_for_again_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [("which", "a"), ("a", "one"), ("b", "two")] {
        fs::write(path(name), content).unwrap();
    }
    let text =
        format!("{{{{file (printf \"%s/%s\" {:?} (file {:?}))}}}}", folder.path(), path("which"));
    let mut stage = Stage::of(Memory::new(), &text, |_| {});
    assert_eq!((stage.now().await, stage.file().as_str()), (replaced(), "one"));
    for (which, content, expected) in [("b", "", "two"), ("a", "three", "three"), ("b", "", "two")]
    {
        if which == "a" {
            fs::write(path(which), content).unwrap();
        }
        fs::write(path("which"), which).unwrap();
        assert_eq!(stage.pass(3 * SECOND).await, replaced());
        assert_eq!(stage.file(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_in_a_row_are_rendered_once_they_rest() {
    let wait = Some(Wait { min: 5 * SECOND, max: 20 * SECOND });
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |template| template.wait = wait);
    // The first time, too.
    assert_eq!(stage.pass(4 * SECOND).await, []);
    assert_eq!(stage.waiting(), ["it waits for changes to come to rest"]);
    assert_eq!(stage.pass(2 * SECOND).await, replaced());
    for number in 2..5 {
        put(&stage.memory, "db", number);
        assert_eq!(stage.pass(3 * SECOND).await, []);
    }
    // The last was three seconds ago.
    assert_eq!(stage.pass(1900 * MOMENT).await, []);
    assert_eq!(stage.pass(200 * MOMENT).await, replaced());
    assert_eq!(stage.file().lines().count(), 4);
    // At the latest after the maximum.
    let begin = Instant::now();
    let mut rendered = Vec::new();
    for number in 5..14 {
        put(&stage.memory, "db", number);
        for event in stage.pass(4 * SECOND).await {
            rendered.push((begin.elapsed().as_secs(), event));
        }
    }
    assert_eq!(rendered.len(), 1, "{rendered:?}");
    assert_eq!(stage.file().lines().count(), 9, "those of the first twenty seconds");
    // What is again as it was is no change.
    stage.pass(60 * SECOND).await;
    put(&stage.memory, "db", 20);
    assert_eq!(stage.pass(SECOND).await, []);
    stage.memory.remove("db-20");
    assert_eq!(stage.pass(60 * SECOND).await, []);
}

/// A question that nobody answers does not hold back what has nothing to do with it, nor that it is
/// not asked any more.
#[tokio::test(start_paused = true)]
async fn an_open_question_can_become_needless() {
    let text = r#"{{if eq (keyOrDefault "ask" "") "yes"}}{{key "missing"}}{{end}}done"#;
    let memory = Memory::new();
    memory.set("ask", b"yes");
    let mut stage = Stage::of(memory, text, |_| {});
    assert_eq!(stage.pass(60 * SECOND).await, []);
    assert_eq!(stage.conductor.survey.len(), 2);
    stage.memory.set("ask", b"no");
    assert_eq!(stage.pass(SECOND).await, replaced());
    assert_eq!((stage.file().as_str(), stage.conductor.survey.len()), ("done", 1));
}

/// A catalog that never rests costs half a core at most.
#[tokio::test(start_paused = true)]
async fn a_long_pass_is_followed_by_as_long_a_rest() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    stage.now().await;
    stage.conductor.worker.takes = 2 * SECOND;
    // The first is not delayed.
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, replaced());
    let before = stage.conductor.effort().passes;
    for number in 3..8 {
        put(&stage.memory, "db", number);
        assert_eq!(stage.pass(SECOND / 4).await, []);
    }
    assert_eq!(stage.pass(SECOND).await, replaced());
    assert_eq!(stage.conductor.effort().passes, before + 1);
    assert_eq!(stage.file().lines().count(), 7);
}

/// A catalog that never rests must not keep files from being looked at.
#[tokio::test(start_paused = true)]
async fn files_are_looked_at_however_often_the_catalog_changes() {
    let mut stage = Stage::new(memory(&[("db", 1)]), |folder| {
        let motd = folder.path().join("motd");
        fs::write(&motd, "one").unwrap();
        let text = format!("{{{{file \"{}\"}}}} {DB}", motd.display());
        vec![template(folder, "file", &text)]
    });
    stage.now().await;
    fs::write(stage.folder.path().join("motd"), "two").unwrap();
    for number in 2..10 {
        put(&stage.memory, "db", number);
        stage.pass(SECOND).await;
    }
    assert!(stage.file().starts_with("two"), "{:?}", stage.file());
}
