//! The rule alone.

use proptest::prelude::*;

use super::*;

#[test]
fn a_position_is_left_where_book_and_oracle_meet_and_not_a_unit_before() {
    let now = after(1_000);
    for (szi, bid, ask, leaves) in [
        ("1", "99.95", "100.1", true),
        ("1", "99.94999999", "100.1", false),
        ("1", "101", "101.1", true),
        ("-1", "99.9", "100.05", true),
        ("-1", "99.9", "100.05000001", false),
        ("-1", "90", "90.1", true),
    ] {
        let reason = exit_rule(&position(szi), &market(bid, ask, now), &settings(), now);
        assert_eq!(
            reason,
            leaves.then_some(ExitReason::MarkRegression),
            "{szi} {bid} {ask}"
        );
    }
}

#[test]
fn absent_crossed_and_stale_data_satisfy_no_market_condition() {
    let now = after(10_000);
    let rule = |snapshot: Snapshot| exit_rule(&position("1"), &snapshot, &settings(), now);
    let rule_short = |snapshot: Snapshot| exit_rule(&position("-1"), &snapshot, &settings(), now);
    assert_eq!(rule_short(market("99", "", now)), None);
    assert_eq!(rule(market("", "100", now)), None);
    assert_eq!(rule(market("100.1", "100", now)), None);
    let met = market("100", "100.1", now);
    assert_eq!(rule(met), Some(ExitReason::MarkRegression));
    assert_eq!(
        rule(Snapshot {
            book_recv: after(7_999),
            ..met
        }),
        None
    );
    assert_eq!(
        rule(Snapshot {
            book_recv: after(8_000),
            ..met
        }),
        Some(ExitReason::MarkRegression)
    );
    assert_eq!(
        rule(Snapshot {
            oracle_recv: after(1_999),
            ..met
        }),
        None
    );
    assert_eq!(rule(Snapshot { oracle: None, ..met }), None);
}

#[test]
fn holding_time_comes_first_and_the_time_stop_needs_no_market() {
    let met = |now| market("100", "100.1", now);
    let rule = |snapshot: &Snapshot, now| exit_rule(&position("1"), snapshot, &settings(), now);
    assert_eq!(rule(&met(after(999)), after(999)), None);
    assert_eq!(rule(&met(after(1_000)), after(1_000)), Some(ExitReason::MarkRegression));
    let blind = Snapshot::empty(KEY);
    assert_eq!(rule(&blind, after(29_999)), None);
    assert_eq!(rule(&blind, after(30_000)), Some(ExitReason::TimeStop));
    assert_eq!(
        rule(&met(after(30_000)), after(30_000)),
        Some(ExitReason::MarkRegression)
    );
}

#[test]
fn the_optional_conditions_hold_by_their_own_parameters() {
    let now = after(2_000);
    let far = market("99.9", "100.1", now);
    let mut options = settings();
    assert_eq!(exit_rule(&position("1"), &far, &options, now), None);
    options.quick_profit.enabled = true;
    // 99.6 * 1.002 = 99.7992.
    assert_eq!(
        exit_rule(&position("1"), &market("99.7992", "101", now), &options, now),
        Some(ExitReason::QuickProfit)
    );
    assert_eq!(
        exit_rule(&position("1"), &market("99.79919999", "101", now), &options, now),
        None
    );
    options.quick_profit.enabled = false;
    options.edge_evaporated.enabled = true;
    // A fifth of 40 bps is 8 bps.
    assert_eq!(
        exit_rule(&position("1"), &market("99.92", "101", now), &options, now),
        Some(ExitReason::EdgeEvaporated)
    );
    assert_eq!(
        exit_rule(&position("1"), &market("99.91999999", "101", now), &options, now),
        None
    );
    let unknown = Position {
        entry_edge: None,
        ..position("1")
    };
    assert_eq!(exit_rule(&unknown, &market("99.92", "101", now), &options, now), None);
    options.edge_evaporated.enabled = false;
    options.oracle_reversal.enabled = true;
    let turned = Snapshot {
        oracle_moves: -2,
        oracle_changed: after(1),
        oracle: Some(px("99.99")),
        ..far
    };
    assert_eq!(
        exit_rule(&position("1"), &turned, &options, now),
        Some(ExitReason::OracleReversal)
    );
    for other in [
        Snapshot {
            oracle_moves: -1,
            ..turned
        },
        Snapshot {
            oracle_changed: ENTRY,
            ..turned
        },
        Snapshot {
            oracle: Some(px("100")),
            ..turned
        },
    ] {
        assert_eq!(exit_rule(&position("1"), &other, &options, now), None);
    }
}

#[test]
fn options_that_cannot_work_are_named() {
    assert_eq!(settings().fault(), None);
    let bad = ExitSettings {
        time_stop_ms: 10,
        ..settings()
    };
    assert_eq!(bad.fault(), Some("time_stop_ms is below min_holding_ms"));
    let unknown = r#"{"primary":true,"surprise":1}"#;
    assert!(serde_json::from_str::<ExitSettings>(unknown).is_err());
}

proptest! {
    #[test]
    fn the_rule_for_a_short_mirrors_that_for_a_long(offset in -2_000_000_i64..2_000_000, threshold in 0_i64..1_000_000) {
        let now = after(5_000);
        let options = ExitSettings { exit_threshold_bps: Bps(threshold), ..settings() };
        let oracle = px("100").0;
        let at = |units: i64| Px(oracle + units * 100);
        let long = market(&at(offset).to_string(), "", now);
        let short = market("", &at(-offset).to_string(), now);
        let left = exit_rule(&position("1"), &long, &options, now);
        prop_assert_eq!(left, exit_rule(&position("-1"), &short, &options, now));
        let exact = i128::from(offset) * 100 * 100_000_000 >= -i128::from(threshold) * i128::from(oracle);
        prop_assert_eq!(left.is_some(), exact);
    }
}
