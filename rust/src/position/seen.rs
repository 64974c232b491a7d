//! Which fills were applied: a bounded memory by time that never forgets silently.

use std::collections::BTreeSet;

use crate::types::{MarketKey, VenueMs};

/// What makes a fill unique: a trade id counts only together with market and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FillId {
    /// First, because the oldest is forgotten first.
    pub time: VenueMs,
    pub key: MarketKey,
    pub tid: u64,
}

/// What is known of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    New,
    Seen,
    /// From before the memory: it may have been applied.
    TooOld,
}

/// The newest fills, and the time up to which older ones were forgotten.
#[derive(Debug)]
pub(super) struct SeenFills {
    ids: BTreeSet<FillId>,
    capacity: usize,
    forgotten: Option<VenueMs>,
}

impl SeenFills {
    pub fn new(capacity: usize) -> Self {
        Self {
            ids: BTreeSet::new(),
            capacity,
            forgotten: None,
        }
    }

    /// Notes the fill and says what was known of it. A fill that is too old is not noted.
    pub fn note(&mut self, id: FillId) -> Sight {
        if self.ids.contains(&id) {
            return Sight::Seen;
        }
        if self.forgotten.is_some_and(|forgotten| id.time <= forgotten) {
            return Sight::TooOld;
        }
        self.ids.insert(id);
        if self.ids.len() > self.capacity {
            if let Some(oldest) = self.ids.pop_first() {
                self.forgotten = Some(oldest.time);
            }
        }
        Sight::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(time: u64, asset: u32, tid: u64) -> FillId {
        FillId {
            time: VenueMs(time),
            key: MarketKey { dex: 0, asset },
            tid,
        }
    }

    #[test]
    fn a_trade_id_is_new_in_another_market_or_at_another_time() {
        let mut seen = SeenFills::new(8);
        assert_eq!(seen.note(id(1, 1, 1)), Sight::New);
        assert_eq!(seen.note(id(1, 1, 1)), Sight::Seen);
        assert_eq!(
            (seen.note(id(1, 2, 1)), seen.note(id(2, 1, 1))),
            (Sight::New, Sight::New)
        );
    }

    #[test]
    fn what_may_have_been_forgotten_is_told_apart() {
        let mut seen = SeenFills::new(2);
        for time in 1..=4 {
            assert_eq!(seen.note(id(time, 1, 1)), Sight::New);
        }
        assert_eq!(
            (seen.note(id(2, 1, 1)), seen.note(id(1, 1, 9))),
            (Sight::TooOld, Sight::TooOld)
        );
        assert_eq!((seen.note(id(4, 1, 1)), seen.ids.len()), (Sight::Seen, 2));
    }

    proptest! {
        #[test]
        fn no_fill_is_new_twice(fills in proptest::collection::vec((0_u64..30, 0_u32..2, 0_u64..3), 0..300)) {
            let mut seen = SeenFills::new(16);
            let mut new = std::collections::HashSet::new();
            for (time, asset, tid) in fills {
                if seen.note(id(time, asset, tid)) == Sight::New {
                    prop_assert!(new.insert((time, asset, tid)));
                }
                prop_assert!(seen.ids.len() <= 16);
            }
        }
    }
}
