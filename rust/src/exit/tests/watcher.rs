//! From an update to a claimed order, and the race of both paths.

use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;

#[test]
fn an_exit_is_claimed_once_priced_beyond_the_touch_and_dated_by_its_frame() {
    let (watcher, orders) = watcher(settings());
    let look = |now, path| {
        watcher.on_market_update(
            &spec(),
            &market("99.95", "100.1", now),
            Some(&position("1.239")),
            now,
            path,
        )
    };
    assert_eq!(look(after(500), ExitPath::Primary), Outcome::Holding);
    assert_eq!(watcher.deadline(&position("1.239")), Some(after(1_000)));
    let order = claimed(look(after(1_300), ExitPath::Primary));
    // 99.95 less 50 bps is 99.45025, a sell goes down to the tick; the size down to the lot.
    assert_eq!(
        (order.px, order.sz, order.side),
        (px("99.45"), Sz::parse("1.23").unwrap(), Side::Sell)
    );
    assert_eq!((order.due, order.decided), (after(1_000), after(1_300)));
    assert_eq!(order.edge, Some(Bps::parse("-5").unwrap()));
    assert_eq!(orders.try_recv(), Ok(order));
    assert_eq!(look(after(1_400), ExitPath::Backup), Outcome::Flattening);
    assert_eq!((orders.len(), watcher.deadline(&position("1.239"))), (0, None));
}

#[test]
fn the_backup_alone_dates_an_exit_by_the_frame_that_made_it_due() {
    let (watcher, _orders) = watcher(ExitSettings {
        primary: false,
        ..settings()
    });
    let look = |frame, now, path| {
        watcher.on_market_update(
            &spec(),
            &market("100", "100.1", frame),
            Some(&position("-1")),
            now,
            path,
        )
    };
    let met = |frame, now, path| {
        watcher.on_market_update(&spec(), &market("99", "100", frame), Some(&position("-1")), now, path)
    };
    assert_eq!(look(after(2_000), after(2_000), ExitPath::Primary), Outcome::Holding);
    assert_eq!(met(after(2_100), after(2_100), ExitPath::Primary), Outcome::PathOff);
    assert_eq!(met(after(2_150), after(2_150), ExitPath::Primary), Outcome::PathOff);
    assert_eq!(watcher.deadline(&position("-1")), None);
    let order = claimed(met(after(2_150), after(2_200), ExitPath::Backup));
    assert_eq!(
        (order.due, order.path, order.side),
        (after(2_100), ExitPath::Backup, Side::Buy)
    );
}

#[test]
fn attempts_that_fill_nothing_back_off_and_reach_further_until_one_fills() {
    let (watcher, orders) = watcher(settings());
    let look = |ms| {
        watcher.on_market_update(
            &spec(),
            &market("100", "100.1", after(ms)),
            Some(&position("1")),
            after(ms),
            ExitPath::Primary,
        )
    };
    let first = claimed(look(1_000));
    assert_eq!(orders.try_recv(), Ok(first.clone()));
    assert!(watcher.release(KEY, first.cloid, ReleaseReason::Canceled, after(1_100)));
    assert!(!watcher.release(KEY, first.cloid, ReleaseReason::Canceled, after(1_100)));
    assert_eq!(look(1_299), Outcome::BackingOff);
    assert_eq!(watcher.deadline(&position("1")), Some(after(1_300)));
    let second = claimed(look(1_300));
    assert_eq!((second.px, second.due), (px("99"), after(1_300)));
    assert_ne!(second.cloid, first.cloid);
    watcher.release(KEY, second.cloid, ReleaseReason::Rejected, after(1_300));
    assert_eq!(look(1_699), Outcome::BackingOff);
    assert_eq!(orders.try_recv(), Ok(second));
    let third = claimed(look(1_700));
    assert_eq!(third.px, px("98"));
    watcher.release(KEY, third.cloid, ReleaseReason::PartlyFilled, after(1_800));
    assert_eq!(claimed(look(1_800)).px, px("99.5"));
}

#[test]
fn a_full_channel_gives_the_claim_back_and_is_tried_again() {
    let (watcher, orders) = watcher(ExitSettings {
        flatten_queue_max: 1,
        ..settings()
    });
    let other = MarketKey { dex: 1, asset: 110_027 };
    let now = after(1_000);
    let mut second_market = market("100", "100.1", now);
    second_market.key = other;
    let second = Position {
        key: other,
        ..position("1")
    };
    claimed(watcher.on_market_update(
        &spec(),
        &market("100", "100.1", now),
        Some(&position("1")),
        now,
        ExitPath::Primary,
    ));
    let look = |now| watcher.on_market_update(&spec(), &second_market, Some(&second), now, ExitPath::Backup);
    assert_eq!(look(now), Outcome::ChannelFull);
    assert!(!watcher.set().is_flattening(other));
    assert!(
        watcher
            .set()
            .counters()
            .contains(&("claims_released_channel_full".to_owned(), 1))
    );
    assert_eq!(look(after(1_199)), Outcome::BackingOff);
    orders.try_recv().unwrap();
    claimed(look(after(1_200)));
}

#[test]
fn a_time_stop_without_a_fresh_price_uses_what_was_seen_last_or_waits() {
    let (watcher, _orders) = watcher(settings());
    let now = after(40_000);
    let look = |snapshot: Snapshot, now| {
        watcher.on_market_update(&spec(), &snapshot, Some(&position("1")), now, ExitPath::Primary)
    };
    assert_eq!(look(Snapshot::empty(KEY), now), Outcome::NoOrder);
    assert_eq!(watcher.deadline(&position("1")), Some(after(40_200)));
    let order = claimed(look(
        Snapshot {
            ask: None,
            bid: None,
            ..market("", "", after(1))
        },
        after(40_200),
    ));
    assert_eq!(
        (order.px, order.reason, order.due),
        (px("99.5"), ExitReason::TimeStop, after(40_200))
    );
}

#[test]
fn a_request_stands_until_the_position_is_gone_and_outranks_the_time_stop_only_if_urgent() {
    let (watcher, _orders) = watcher(ExitSettings {
        flatten_queue_max: 9,
        ..settings()
    });
    let quiet = |ms| market("99", "101", after(ms));
    let request = |reason, ms| watcher.request(&spec(), &quiet(ms), Some(&position("1")), reason, after(ms));
    let look = |ms| watcher.on_market_update(&spec(), &quiet(ms), Some(&position("1")), after(ms), ExitPath::Backup);
    let order = claimed(request(ExitReason::Operator, 10));
    assert_eq!(
        (order.reason, order.path, order.due),
        (ExitReason::Operator, ExitPath::Operator, after(10))
    );
    assert_eq!(request(ExitReason::Operator, 11), Outcome::Flattening);
    watcher.release(KEY, order.cloid, ReleaseReason::Expired, after(20));
    assert_eq!(look(219), Outcome::BackingOff);
    let again = claimed(look(220));
    assert_eq!((again.reason, again.path), (ExitReason::Operator, ExitPath::Backup));
    watcher.release(KEY, again.cloid, ReleaseReason::NotSent, after(230));
    assert_eq!(claimed(look(30_000)).reason, ExitReason::TimeStop);
    assert_eq!(
        watcher.on_market_update(&spec(), &quiet(1), None, after(1), ExitPath::Backup),
        Outcome::NoPosition
    );
    assert_eq!(
        watcher.request(&spec(), &quiet(1), None, ExitReason::Operator, after(1)),
        Outcome::NoPosition
    );
}

#[test]
fn both_paths_at_once_send_exactly_one_flatten() {
    for _ in 0..200 {
        let (watcher, orders) = watcher(ExitSettings {
            flatten_queue_max: 64,
            ..settings()
        });
        let barrier = Barrier::new(4);
        let wins: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (watcher, barrier) = (&watcher, &barrier);
                    let path = if thread % 2 == 0 {
                        ExitPath::Primary
                    } else {
                        ExitPath::Backup
                    };
                    scope.spawn(move || {
                        let snapshot = market("100", "100.1", after(1_000));
                        barrier.wait();
                        let outcome =
                            watcher.on_market_update(&spec(), &snapshot, Some(&position("1")), after(1_000), path);
                        usize::from(matches!(outcome, Outcome::Claimed(_)))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((wins, orders.len()), (1, 1));
    }
}

proptest! {
    #[test]
    fn every_order_is_legal_and_never_larger_than_the_position(
        bid in 1_i64..2_000_000, szi in -1_000_000_000_i64..1_000_000_000, attempts in 0_u32..6, cloid in any::<u64>(),
    ) {
        prop_assume!(szi != 0);
        let (watcher, _orders) = ExitWatcher::new(settings(), Arc::default(), Arc::new(CloidSource::new(cloid)));
        let held = Position { szi: Sz(szi), ..position("1") };
        let mut now = after(30_000);
        for attempt in 0..=attempts {
            let mut snapshot = market("", "", now);
            snapshot.oracle = Some(Px(bid * 10_000));
            match watcher.on_market_update(&spec(), &snapshot, Some(&held), now, ExitPath::Backup) {
                Outcome::Claimed(order) => {
                    prop_assert!(order.px.is_on_tick(2));
                    prop_assert!(order.sz.0 > 0 && order.sz.0 <= szi.abs() && order.sz.on_lot(2) == order.sz);
                    prop_assert!(order.cloid != Cloid(0));
                    prop_assert!(watcher.release(KEY, order.cloid, ReleaseReason::Canceled, now));
                }
                Outcome::NoOrder => prop_assert!(szi.abs() < 1_000_000 || bid * 10_000 < 1_000_000),
                Outcome::ChannelFull => prop_assert!(attempt >= 2),
                other => prop_assert!(false, "{:?}", other),
            }
            now = now.plus_ms(5_000);
        }
    }
}
