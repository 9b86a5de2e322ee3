use proptest::prelude::*;

use super::*;

fn sketch(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|value| sketch.add(*value));
    sketch
}

/// The sample of that rank.
fn exact(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}

fn close(got: f64, want: f64, error: f64) -> bool {
    (got - want).abs() <= error * want.abs() * (1.0 + 1e-9)
}

#[test]
fn a_bucket_is_as_wide_as_one_percent_allows() {
    assert!(((WIDTH / 2.0).tanh() - 0.01).abs() < 1e-12);
}

#[test]
fn nothing_has_no_quantiles() {
    assert!(Sketch::default().quantile(0.5).is_nan());
}

#[test]
fn equal_samples_are_exact() {
    for value in [0.0, -0.0, 1.0, -3.7, 5e-324, -5e-324, f64::MAX, f64::MIN, f64::MIN_POSITIVE] {
        for part in [0.0, 0.5, 1.0] {
            assert_eq!(sketch(&[value]).quantile(part), value);
            assert_eq!(sketch(&[value; 4]).quantile(part), value);
        }
    }
}

#[test]
fn quantiles_of_a_line() {
    let values: Vec<f64> = (-100..=9_900).map(f64::from).collect();
    let sketch = sketch(&values);
    for (part, want) in [(0.5, 4900.0), (0.9, 8900.0), (0.99, 9800.0), (0.01, 0.0)] {
        let got = sketch.quantile(part);
        assert!(close(got, want, 0.01) || (got - want).abs() <= 1.0, "{part}: {got}");
    }
    assert_eq!((sketch.quantile(0.0), sketch.quantile(1.0)), (-100.0, 9900.0));
}

#[test]
fn four_decades_fit_at_the_finest_level() {
    let values: Vec<f64> = (0..40_000).map(|n| 10_f64.powf(f64::from(n) / 10_000.0)).collect();
    let sketch = sketch(&values);
    assert_eq!(sketch.level, 0);
    assert!(sketch.buckets.len() > 450, "{}", sketch.buckets.len());
    assert!(close(sketch.quantile(0.5), 100.0, 0.01));
}

#[test]
fn any_samples_fit_and_stay_ordered() {
    // Every magnitude there is, of both signs.
    let mut sketch = Sketch::default();
    for n in -7_440..7_090 {
        let magnitude = (f64::from(n) / 10.0).exp();
        sketch.add(magnitude);
        sketch.add(-magnitude);
    }
    assert!(sketch.buckets.len() <= LIMIT && sketch.buckets.capacity() <= LIMIT);
    let parts: Vec<f64> = (0..=100).map(|n| sketch.quantile(f64::from(n) / 100.0)).collect();
    assert!(parts.is_sorted(), "{parts:?}");
    assert!(sketch.quantile(0.4) < 0.0 && sketch.quantile(0.6) > 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The bound that the level promises holds, whatever the samples are, in whatever parts they
    /// came.
    #[test]
    fn quantiles_are_close(
        values in prop::collection::vec(
            prop_oneof![
                Just(0.0),
                -10.0..10.0,
                (-300.0..300.0_f64).prop_map(|e| 10_f64.powf(e)),
                (-300.0..300.0_f64).prop_map(|e| -(10_f64.powf(e))),
            ],
            1..1200,
        ),
        parts in 1_usize..6,
        part in 0.0..=1.0,
    ) {
        let mut merged = Sketch::default();
        for chunk in values.chunks(values.len().div_ceil(parts)) {
            merged.merge(&sketch(chunk));
        }
        prop_assert!(merged.buckets.len() <= LIMIT);
        prop_assert!(merged.buckets.is_sorted_by(|one, next| one.0 < next.0));
        let total: u64 = merged.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        prop_assert_eq!(total as usize, values.len());
        let base = (WIDTH * f64::from(1_u32 << merged.level)).exp();
        let error = if merged.level == 0 { 0.01 } else { (base - 1.0) / (base + 1.0) };
        let (got, want) = (merged.quantile(part), exact(&values, part));
        prop_assert!(close(got, want, error), "{got} for {want}, level {}", merged.level);
        // In one go it is the same, but for the level.
        let whole = sketch(&values);
        prop_assert!(whole.level <= merged.level);
    }
}
