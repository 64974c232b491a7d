use super::*;
use crate::types::Side;
use proptest::prelude::*;

const SILVER: MarketKey = MarketKey { dex: 1, asset: 110_026 };
const GOLD: MarketKey = MarketKey { dex: 1, asset: 110_003 };

fn sz(text: &str) -> Sz {
    Sz::parse(text).unwrap()
}

fn fill(tid: u64, time: u64, side: Side, amount: &str) -> NewFill {
    let (px, fee) = (Px::parse("100").unwrap(), Usd::parse("0.01").unwrap());
    NewFill {
        key: SILVER,
        side,
        px,
        sz: sz(amount),
        fee,
        tid,
        time: VenueMs(time),
        cloid: None,
    }
}

fn row(size: &str) -> AccountRow {
    AccountRow {
        key: SILVER,
        szi: sz(size),
        entry_px: Some(Px::parse("99").unwrap()),
    }
}

/// A tracker whose dex was adopted flat at 1,000 ms.
fn adopted() -> PositionTracker {
    let mut tracker = PositionTracker::default();
    tracker.on_account_state(1, VenueMs(1_000), &[], Ns(1));
    tracker
}

fn size(tracker: &PositionTracker) -> Sz {
    tracker.get_position(SILVER).map_or(Sz(0), |position| position.szi)
}

#[test]
fn each_funding_payment_counts_once_and_those_before_the_start_not_at_all() {
    let paid = Usd::parse("-0.25").unwrap();
    let mut early = PositionTracker::default();
    assert!(!early.apply_funding(SILVER, paid, VenueMs(2_000)));
    let mut tracker = adopted();
    assert!(!tracker.apply_funding(SILVER, paid, VenueMs(1_000)));
    assert!(tracker.cash().is_empty());
    assert!(tracker.apply_funding(SILVER, paid, VenueMs(3_600_000)));
    assert!(!tracker.apply_funding(SILVER, paid, VenueMs(3_600_000)));
    assert!(tracker.apply_funding(SILVER, Usd::parse("0.05").unwrap(), VenueMs(7_200_000)));
    let row = tracker.cash()[0];
    assert_eq!(
        (row.cash.to_string(), row.funding.to_string()),
        ("-0.2".to_owned(), "-0.2".to_owned())
    );
    assert_eq!((row.fees, row.realized_pnl), (Dollars(0), Dollars(0)));
}

#[test]
fn each_fill_counts_once_whatever_is_replayed() {
    let mut tracker = adopted();
    let first = fill(7, 2_000, Side::Buy, "1.5");
    assert_eq!(
        tracker.apply_fill(&first, Ns(5)),
        FillOutcome {
            status: FillStatus::Applied,
            position: sz("1.5")
        }
    );
    // The other partial fill of the same block has another trade id.
    assert_eq!(
        tracker.apply_fill(&fill(8, 2_000, Side::Buy, "0.5"), Ns(6)).position,
        sz("2")
    );
    assert_eq!(
        tracker.apply_fill(&first, Ns(7)),
        FillOutcome {
            status: FillStatus::Known,
            position: sz("2")
        }
    );
    let old = tracker.apply_fill(&fill(1, 1_000, Side::Buy, "9"), Ns(8));
    assert_eq!(
        old,
        FillOutcome {
            status: FillStatus::Known,
            position: sz("2")
        }
    );
    let counters = tracker.counters();
    assert_eq!((counters.fills_applied, counters.fills_duplicate), (2, 1));
    assert_eq!(tracker.cash()[0].cash.to_string(), "-200.02");
}

#[test]
fn fills_before_the_first_state_wait_for_it_and_are_told_apart_by_it() {
    let mut tracker = PositionTracker::default();
    for (tid, time) in [(2, 1_500), (1, 900)] {
        assert_eq!(
            tracker.apply_fill(&fill(tid, time, Side::Buy, "1"), Ns(1)).status,
            FillStatus::Held
        );
    }
    assert!(!tracker.is_adopted(1));
    let outcome = tracker.on_account_state(1, VenueMs(1_000), &[row("1")], Ns(2));
    let statuses: Vec<_> = outcome
        .released
        .iter()
        .map(|(fill, outcome)| (fill.tid, outcome.status))
        .collect();
    assert_eq!(statuses, [(1, FillStatus::Known), (2, FillStatus::Applied)]);
    assert_eq!((size(&tracker), outcome.resyncs), (sz("2"), vec![]));
}

#[test]
fn held_fills_are_bounded_and_their_loss_is_counted() {
    let mut tracker = PositionTracker::default();
    for tid in 0..=FILLS_HELD_MAX as u64 {
        tracker.apply_fill(&fill(tid, tid, Side::Buy, "1"), Ns(1));
    }
    assert_eq!(
        (tracker.held.len(), tracker.counters().fills_held_dropped),
        (FILLS_HELD_MAX, 1)
    );
}

#[test]
fn one_empty_state_never_flattens_and_two_agreeing_ones_do() {
    let mut tracker = adopted();
    tracker.apply_fill(&fill(1, 2_000, Side::Buy, "3"), Ns(5));
    assert_eq!(tracker.on_account_state(1, VenueMs(2_100), &[], Ns(6)).resyncs, []);
    assert_eq!(tracker.on_account_state(1, VenueMs(2_100), &[], Ns(7)).resyncs, []);
    assert_eq!(size(&tracker), sz("3"));
    // A state that agrees with us ends the dispute.
    tracker.on_account_state(1, VenueMs(2_200), &[row("3")], Ns(8));
    assert_eq!(tracker.get_position(SILVER).unwrap().verified, Ns(8));
    tracker.on_account_state(1, VenueMs(2_300), &[], Ns(9));
    let resyncs = tracker.on_account_state(1, VenueMs(2_400), &[], Ns(10)).resyncs;
    assert_eq!(
        resyncs,
        [SizeChange {
            key: SILVER,
            was: sz("3"),
            now: Sz(0)
        }]
    );
    assert_eq!((size(&tracker), tracker.counters().resyncs), (Sz(0), 1));
}

#[test]
fn states_from_before_the_last_fill_or_the_last_state_decide_nothing() {
    let mut tracker = adopted();
    tracker.apply_fill(&fill(1, 5_000, Side::Buy, "3"), Ns(5));
    for time in [3_000, 4_000] {
        assert_eq!(tracker.on_account_state(1, VenueMs(time), &[], Ns(6)).resyncs, []);
    }
    assert_eq!(
        tracker.on_account_state(1, VenueMs(3_500), &[], Ns(6)),
        AccountOutcome::default()
    );
    assert_eq!((size(&tracker), tracker.counters().states_regressed), (sz("3"), 1));
    assert_eq!(tracker.get_position(SILVER).unwrap().verified, Ns(0));
}

#[test]
fn a_fill_that_comes_after_its_size_was_taken_over_moves_cash_alone() {
    let mut tracker = adopted();
    for time in [3_000, 3_100] {
        tracker.on_account_state(1, VenueMs(time), &[row("2")], Ns(3));
    }
    assert_eq!(size(&tracker), sz("2"));
    let late = tracker.apply_fill(&fill(1, 2_900, Side::Buy, "2"), Ns(4));
    assert_eq!(
        late,
        FillOutcome {
            status: FillStatus::Applied,
            position: sz("2")
        }
    );
    assert_eq!(tracker.cash()[0].cash.to_string(), "-200.01");
}

#[test]
fn a_fill_older_than_the_memory_is_counted_and_leaves_the_size_to_the_states() {
    let mut tracker = PositionTracker::remembering(1);
    tracker.on_account_state(1, VenueMs(0), &[], Ns(1));
    for time in [10, 20, 30] {
        tracker.apply_fill(&fill(time, time, Side::Buy, "1"), Ns(2));
    }
    let outcome = tracker.apply_fill(&fill(9, 15, Side::Buy, "1"), Ns(3));
    assert_eq!(
        outcome,
        FillOutcome {
            status: FillStatus::TooOld,
            position: sz("3")
        }
    );
    assert_eq!(tracker.counters().fills_too_old, 1);
}

#[test]
fn an_entry_counts_as_exposure_until_it_is_settled_and_never_twice() {
    let mut tracker = adopted();
    let (cloid, usd) = (Cloid(4), |text: &str| Usd::parse(text).unwrap());
    assert!(tracker.reserve_entry(
        cloid,
        SILVER,
        usd("400"),
        sz("4"),
        Bps(450_000),
        Px::parse("101").unwrap()
    ));
    let exposure = tracker.exposure(SILVER);
    assert_eq!(
        (exposure.market_usd, exposure.total_usd, exposure.open_markets),
        (usd("400"), usd("400"), 1)
    );
    assert!(exposure.entry_pending && !exposure.has_position);
    let partial = NewFill {
        cloid: Some(cloid),
        ..fill(1, 2_000, Side::Buy, "1")
    };
    tracker.apply_fill(&partial, Ns(5));
    let exposure = tracker.exposure(SILVER);
    assert_eq!((exposure.market_usd, exposure.open_markets), (usd("400"), 1));
    let position = tracker.get_position(SILVER).unwrap();
    assert_eq!((position.entry_edge, position.entry), (Some(Bps(450_000)), Ns(5)));
    assert!(tracker.settle_entry(cloid) && !tracker.settle_entry(cloid));
    let other = tracker.exposure(GOLD);
    assert_eq!(
        (other.market_usd, other.total_usd, other.open_markets),
        (usd("0"), usd("100"), 1)
    );
}

proptest! {
    #[test]
    fn any_order_repetition_and_gap_of_fills_gives_the_same_books(
        order in proptest::collection::vec(0_usize..12, 0..80),
    ) {
        let fills: Vec<_> = (0..12_u64)
            .map(|i| fill(i, 2_000 + i / 3, if i % 3 == 0 { Side::Sell } else { Side::Buy }, "0.25"))
            .collect();
        let mut tracker = adopted();
        // The gap is closed at the end by one read of them all.
        for i in order.into_iter().chain(0..12) {
            tracker.apply_fill(&fills[i], Ns(3));
        }
        prop_assert_eq!(size(&tracker), sz("1"));
        prop_assert_eq!(tracker.counters().fills_applied, 12);
        prop_assert_eq!(tracker.cash()[0].cash.to_string(), "-100.12");
    }
}
