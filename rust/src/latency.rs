//! A histogram of durations: for the summary, the status view and the metrics. Owns no clock.

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// Longest duration told apart: a minute in ns. Longer ones count as this long, but `max` and the sum are exact.
const NS_MAX: u64 = 60_000_000_000;
/// Significant figures of a duration.
const FIGURES: u8 = 3;

/// Durations in ns in bounded memory, to three figures; their maximum and their sum are exact.
#[derive(Debug)]
pub struct Latencies(Mutex<State>);

#[derive(Debug)]
struct State {
    buckets: Histogram<u64>,
    max: u64,
    sum: u64,
}

/// What a histogram held at one moment, with counts that add up from bound to bound.
#[derive(Debug, PartialEq, Eq)]
pub struct Cumulative {
    /// For each bound, how many durations were at most this long.
    pub at_most: Vec<u64>,
    /// How many there were.
    pub count: u64,
    /// All of them together in ns.
    pub sum_ns: u64,
}

impl Latencies {
    /// An empty one; the text of the error is that of the underlying histogram.
    pub fn new() -> Result<Self, String> {
        let buckets = Histogram::new_with_bounds(1, NS_MAX, FIGURES).map_err(|error| error.to_string())?;
        Ok(Self(Mutex::new(State {
            buckets,
            max: 0,
            sum: 0,
        })))
    }

    /// Counts one duration.
    pub fn record(&self, ns: u64) {
        let mut state = self.0.lock();
        state.max = state.max.max(ns);
        state.sum = state.sum.saturating_add(ns);
        state.buckets.saturating_record(ns);
    }

    /// The duration in ns that `q` percent (0 to 100) do not exceed; 0 when nothing was recorded.
    pub fn percentile(&self, q: f64) -> u64 {
        let state = self.0.lock();
        state.buckets.value_at_percentile(q).min(state.max)
    }

    /// The longest duration in ns.
    pub fn max(&self) -> u64 {
        self.0.lock().max
    }

    /// The mean in ns; 0 when nothing was recorded.
    pub fn mean(&self) -> f64 {
        let state = self.0.lock();
        state.sum as f64 / state.buckets.len().max(1) as f64
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.0.lock().buckets.len()
    }

    /// The durations counted up to each of `bounds_ns`, which ascend. One within 0.1 % of a bound may count as on it.
    pub fn cumulative(&self, bounds_ns: &[u64]) -> Cumulative {
        let state = self.0.lock();
        let mut at_most = Vec::with_capacity(bounds_ns.len());
        let mut bounds = bounds_ns.iter().copied().peekable();
        let mut seen = 0;
        for bucket in state.buckets.iter_recorded() {
            let ns = bucket.value_iterated_to();
            while bounds
                .next_if(|bound| state.buckets.highest_equivalent(*bound) < ns)
                .is_some()
            {
                at_most.push(seen);
            }
            seen += bucket.count_since_last_iteration();
        }
        at_most.resize(bounds_ns.len(), seen);
        Cumulative {
            at_most,
            count: seen,
            sum_ns: state.sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: &[u64]) -> Latencies {
        let made = Latencies::new().unwrap();
        for ns in durations {
            made.record(*ns);
        }
        made
    }

    #[test]
    fn counts_add_up_from_bound_to_bound_and_a_duration_on_a_bound_is_within_it() {
        let found = of(&[500, 1_000, 1_001, 250_000, 250_000]).cumulative(&[499, 1_000, 100_000, 250_000, 1_000_000]);
        assert_eq!(found.at_most, [0, 2, 3, 5, 5]);
        assert_eq!((found.count, found.sum_ns), (5, 502_501));
    }

    #[test]
    fn what_is_longer_than_every_bound_is_in_the_count_alone() {
        let found = of(&[10, 2 * NS_MAX]).cumulative(&[10, 1_000]);
        assert_eq!((found.at_most, found.count), (vec![1, 1], 2));
        assert_eq!(
            found.sum_ns,
            10 + 2 * NS_MAX,
            "the sum is not cut where the buckets end"
        );
    }

    #[test]
    fn an_empty_one_is_all_zeros() {
        let empty = of(&[]);
        assert_eq!(empty.cumulative(&[1, 2]).at_most, [0, 0]);
        assert_eq!((empty.max(), empty.mean().to_bits(), empty.percentile(99.0)), (0, 0, 0));
    }

    #[test]
    fn without_bounds_there_is_the_count_alone() {
        assert_eq!(of(&[7]).cumulative(&[]).count, 1);
    }

    proptest::proptest! {
        #[test]
        fn counts_never_fall_and_agree_with_counting_one_by_one(
            durations in proptest::collection::vec(0_u64..100_000_000, 0..200),
        ) {
            // Powers of two end a bucket's range exactly nowhere, so that the tolerance of a bound is seen too.
            let bounds: Vec<u64> = (4..27).map(|power| 1 << power).collect();
            let found = of(&durations).cumulative(&bounds);
            proptest::prop_assert!(found.at_most.is_sorted());
            for (bound, counted) in bounds.iter().zip(&found.at_most) {
                let least = durations.iter().filter(|ns| *ns <= bound).count() as u64;
                let most = durations.iter().filter(|ns| **ns <= bound + bound / 1_000).count() as u64;
                proptest::prop_assert!((least..=most).contains(counted), "{least} {counted} {most} at {bound}");
            }
            proptest::prop_assert_eq!(found.sum_ns, durations.iter().sum::<u64>());
        }
    }
}
