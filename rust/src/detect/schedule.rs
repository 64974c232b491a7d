//! Times in which a market is not entered.

use serde::Deserialize;

use crate::types::Ns;

/// Spans of time as `[start, end)` in nanoseconds since the epoch: sorted and disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Schedule(Vec<(u64, u64)>);

impl Schedule {
    /// What makes the spans unusable, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let whole = self.0.iter().all(|(start, end)| start < end);
        let sorted = self.0.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        (!whole || !sorted).then_some("a blackout must be sorted spans, each with its start before its end")
    }

    /// Whether `now` is in one of the spans.
    pub fn covers(&self, now: Ns) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= now.0);
        after > 0 && now.0 < self.0[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(spans: &[(u64, u64)]) -> Schedule {
        Schedule(spans.to_vec())
    }

    #[test]
    fn a_span_holds_from_its_start_to_just_before_its_end() {
        let found = schedule(&[(10, 20), (20, 21), (30, u64::MAX)]);
        assert_eq!(found.fault(), None);
        let covered: Vec<u64> = (5..40).filter(|now| found.covers(Ns(*now))).collect();
        assert_eq!(covered, (10..21).chain(30..40).collect::<Vec<_>>());
        assert!(!Schedule::default().covers(Ns(0)));
        assert!(found.covers(Ns(u64::MAX - 1)));
    }

    #[test]
    fn spans_that_overlap_or_run_backwards_are_a_fault() {
        assert!(schedule(&[(10, 20), (19, 30)]).fault().is_some());
        assert!(schedule(&[(30, 40), (10, 20)]).fault().is_some());
        assert!(schedule(&[(20, 20)]).fault().is_some());
    }
}
