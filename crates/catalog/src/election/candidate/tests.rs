use super::*;

#[test]
fn the_margin_is_a_tenth_and_at_least_100_ms() {
    let millis = |ttl| span(Duration::from_millis(ttl)).as_millis();
    assert_eq!([10_000, 1_000, 500, 100].map(millis), [9_000, 900, 400, 50]);
}
