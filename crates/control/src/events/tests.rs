//! A stream without a network.

use std::future::poll_fn;

use super::*;

fn event(name: &str) -> Event {
    Event { source: "app".into(), event: name.into(), ..Event::default() }
}

/// What the stream has to say now.
fn now(stream: &mut Subscription) -> Option<String> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(stream).poll_frame(&mut context) {
        Poll::Ready(Some(Ok(frame))) => Some(text(frame)),
        Poll::Ready(None) => Some("end".into()),
        Poll::Pending => None,
    }
}

fn text(frame: Frame<Bytes>) -> String {
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn what_was_missed_is_said_where_it_is_missing() {
    let events = Events::new();
    let mut stream = events.subscribe(Filter::default()).unwrap();
    for _ in 0..QUEUE + 5 {
        events.publish(|| event("healthy"));
    }
    for _ in 0..10 {
        assert!(now(&mut stream).unwrap().starts_with("event: healthy\n"));
    }
    // There is room again, but five are missing before this one.
    events.publish(|| event("stopped"));
    for _ in 10..QUEUE {
        assert!(now(&mut stream).unwrap().starts_with("event: healthy\n"));
    }
    assert_eq!(now(&mut stream).unwrap(), "event: missed\ndata: {\"missed\":6}\n\n");
    assert_eq!(now(&mut stream), None);
    events.publish(|| event("stopping"));
    assert!(now(&mut stream).unwrap().starts_with("event: stopping\n"));
}

#[tokio::test]
async fn an_end_comes_after_what_waits() {
    let events = Events::new();
    let mut stream = events.subscribe(Filter::default()).unwrap();
    events.publish(|| event("shutdown"));
    events.close();
    assert!(now(&mut stream).unwrap().starts_with("event: shutdown\n"));
    assert_eq!(now(&mut stream).unwrap(), "end");
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_fifteen_seconds_at_most() {
    let events = Events::new();
    let mut stream = events.subscribe(Filter::default()).unwrap();
    let begun = Instant::now();
    let mut next = async || {
        let frame = poll_fn(|context| Pin::new(&mut stream).poll_frame(context)).await;
        (text(frame.unwrap().unwrap()), begun.elapsed().as_secs())
    };
    assert_eq!(next().await, (":\n\n".to_owned(), 15));
    assert_eq!(next().await, (":\n\n".to_owned(), 30));
    tokio::time::advance(Duration::from_secs(10)).await;
    events.publish(|| event("healthy"));
    assert_eq!(next().await.1, 40);
    assert_eq!(next().await, (":\n\n".to_owned(), 55));
}
