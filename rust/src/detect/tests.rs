use proptest::prelude::*;

use super::*;
use crate::types::VenueMs;

const KEY: MarketKey = MarketKey { dex: 1, asset: 110_026 };
/// A whole second, so that ages are easy to read.
const NOW: Ns = Ns(10_000_000_000);

fn settings() -> EntrySettings {
    serde_json::from_str(
        r#"{"enabled":true,"book_age_ms_max":2000,"oracle_age_ms_max":8000,"min_net_edge_bps":"5","slippage_bps":"5",
        "slippage_cost_bps":"2","mark_mid_bps_max":"50","spread_ratio_max":"3","touch_notional_usd_min":"500",
        "touch_notional_usd_full":"5000","require_oracle_move":false,"oracle_move_ms_max":3000,"cooldown_ms":5000,"retry_ms":1000,
        "sizing_alpha":"0.10","oi_share_max":"0.01","market_notional_usd_max":"1000","total_notional_usd_max":"5000",
        "positions_max":5,"order_notional_usd_min":"10"}"#,
    )
    .unwrap()
}

fn spec() -> MarketSpec {
    serde_json::from_str(
        r#"{"asset":110026,"dex_index":1,"dex":"xyz","coin":"xyz:SILVER","sz_decimals":2,"taker_fee_bps":"0.9",
        "entry_threshold_bps":"40","max_notional_usd":"1000","entry_enabled":true}"#,
    )
    .unwrap()
}

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn sz(text: &str) -> Sz {
    Sz::parse(text).unwrap()
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn bps(text: &str) -> Bps {
    Bps::parse(text).unwrap()
}

/// Oracle 100, ask 99.5: a buy edge of 50 bps on 10,000 dollars displayed.
fn snapshot() -> Snapshot {
    Snapshot {
        bid: Some(Level {
            px: px("99.48"),
            sz: sz("100.51"),
        }),
        ask: Some(Level {
            px: px("99.5"),
            sz: sz("100.51"),
        }),
        oracle: Some(px("100")),
        mark: Some(px("99.6")),
        open_interest: Some(sz("100000")),
        book_time: VenueMs(1),
        book_recv: NOW,
        oracle_recv: NOW,
        ..Snapshot::empty(KEY)
    }
}

fn detector() -> Detector {
    let mut detector = Detector::new(settings(), Vec::new());
    detector.record_touch(&snapshot());
    detector
}

fn check(snapshot: &Snapshot) -> Result<EntrySignal, Refusal> {
    detector().check_dislocations(&spec(), snapshot, &Exposure::default(), NOW)
}

fn check_with(change: impl FnOnce(&mut EntrySettings), snapshot: &Snapshot) -> Result<EntrySignal, Refusal> {
    let mut settings = settings();
    change(&mut settings);
    assert_eq!(settings.fault(), None);
    let mut detector = Detector::new(settings, Vec::new());
    detector.record_touch(snapshot);
    detector.check_dislocations(&spec(), snapshot, &Exposure::default(), NOW)
}

fn check_held(exposure: Exposure) -> Result<EntrySignal, Refusal> {
    detector().check_dislocations(&spec(), &snapshot(), &exposure, NOW)
}

#[test]
fn a_buy_meets_every_condition() {
    let signal = check(&snapshot()).unwrap();
    assert_eq!(
        (signal.key, signal.side, signal.edge, signal.net_edge),
        (KEY, Side::Buy, bps("50"), bps("46.2"))
    );
    // Five bps above the ask is 99.54975; five figures leave three decimals here.
    assert_eq!(signal.px, px("99.549"));
    // A tenth of the touch.
    assert_eq!((signal.sz, signal.notional), (sz("10.04"), usd("999.47196")));
}

#[test]
fn a_sale_is_the_mirror_of_it() {
    let mirrored = Snapshot {
        bid: Some(Level {
            px: px("100.5"),
            sz: sz("60"),
        }),
        ask: Some(Level {
            px: px("100.52"),
            sz: sz("60"),
        }),
        mark: Some(px("100.4")),
        ..snapshot()
    };
    let signal = check(&mirrored).unwrap();
    assert_eq!((signal.side, signal.edge, signal.sz), (Side::Sell, bps("50"), sz("6")));
    // 100.5 less five bps is 100.44975, and five figures leave two decimals.
    assert_eq!((signal.px, signal.notional), (px("100.45"), usd("603")));
}

#[test]
fn the_limit_never_pays_away_the_net_edge() {
    // Slippage of 60 bps would allow 100.097; fees 1.8, slippage 2 and net edge 5 leave 91.2 e-4.
    let signal = check_with(|settings| settings.slippage_bps = bps("60"), &snapshot()).unwrap();
    assert_eq!(signal.px, px("99.912"));
    let mut spec = spec();
    spec.taker_fee_bps = bps("20");
    let signal = detector()
        .check_dislocations(&spec, &snapshot(), &Exposure::default(), NOW)
        .unwrap();
    assert_eq!((signal.px, signal.net_edge), (px("99.53"), bps("8")));
    spec.taker_fee_bps = bps("21.5");
    let signal = detector()
        .check_dislocations(&spec, &snapshot(), &Exposure::default(), NOW)
        .unwrap();
    assert_eq!((signal.px, signal.net_edge), (px("99.5"), bps("5")));
    spec.taker_fee_bps = bps("21.5001");
    assert_eq!(
        detector().check_dislocations(&spec, &snapshot(), &Exposure::default(), NOW),
        Err(Refusal::NetEdge)
    );
}

#[test]
fn no_price_between_touch_and_net_edge_on_the_grid_is_refused() {
    let spec = MarketSpec {
        sz_decimals: 6,
        entry_threshold_bps: bps("1"),
        taker_fee_bps: bps("0"),
        ..spec()
    };
    // A touch off the grid (whole prices only here) that the rounded limit does not reach.
    let off = Snapshot {
        ask: Some(Level {
            px: px("99.5"),
            sz: sz("100"),
        }),
        ..snapshot()
    };
    let refused = detector().check_dislocations(&spec, &off, &Exposure::default(), NOW);
    assert_eq!(refused, Err(Refusal::NoPrice));
}

#[test]
fn the_threshold_is_met_exactly_or_not_at_all() {
    let bid = Some(Level {
        px: px("99.58"),
        sz: sz("100"),
    });
    let at = Snapshot {
        bid,
        ask: Some(Level {
            px: px("99.6"),
            sz: sz("100"),
        }),
        ..snapshot()
    };
    assert!(check(&at).is_ok());
    let above = Snapshot {
        bid,
        ask: Some(Level {
            px: Px(px("99.6").0 + 1),
            sz: sz("100"),
        }),
        ..snapshot()
    };
    assert_eq!(check(&above), Err(Refusal::NoEdge));
}

#[test]
fn what_the_book_or_the_oracle_lacks_is_named() {
    let ask = snapshot().ask;
    let cases = [
        (
            Snapshot {
                bid: None,
                ..snapshot()
            },
            Refusal::OneSided,
        ),
        (
            Snapshot {
                ask: None,
                ..snapshot()
            },
            Refusal::NoEdge,
        ),
        (
            Snapshot {
                oracle: None,
                ..snapshot()
            },
            Refusal::NoEdge,
        ),
        (Snapshot { bid: ask, ..snapshot() }, Refusal::CrossedBook),
        (
            Snapshot {
                book_recv: Ns(NOW.0 - 2_001_000_000),
                ..snapshot()
            },
            Refusal::StaleBook,
        ),
        (
            Snapshot {
                oracle_recv: Ns(NOW.0 - 8_001_000_000),
                ..snapshot()
            },
            Refusal::StaleOracle,
        ),
        (
            Snapshot {
                mark: None,
                ..snapshot()
            },
            Refusal::NoMark,
        ),
        (
            Snapshot {
                mark: Some(px("99.99")),
                ..snapshot()
            },
            Refusal::MarkFar,
        ),
        (
            Snapshot {
                bid: Some(Level {
                    px: px("99.43"),
                    sz: sz("1"),
                }),
                ..snapshot()
            },
            Refusal::WideSpread,
        ),
        (
            Snapshot {
                ask: Some(Level {
                    px: px("99.5"),
                    sz: sz("5.02"),
                }),
                ..snapshot()
            },
            Refusal::ThinTouch,
        ),
        (
            Snapshot {
                open_interest: None,
                ..snapshot()
            },
            Refusal::NoOpenInterest,
        ),
        (
            Snapshot {
                open_interest: Some(sz("10")),
                ..snapshot()
            },
            Refusal::BelowMinimum,
        ),
    ];
    for (snapshot, refusal) in cases {
        assert_eq!(check(&snapshot), Err(refusal));
    }
}

#[test]
fn ages_at_their_limit_still_trade() {
    let old = Snapshot {
        book_recv: Ns(NOW.0 - 2_000_000_000),
        oracle_recv: Ns(NOW.0 - 8_000_000_000),
        ..snapshot()
    };
    let signal = check(&old).unwrap();
    assert_eq!((signal.book_age_ms, signal.oracle_age_ms), (2_000, 8_000));
}

#[test]
fn what_is_held_or_on_its_way_is_named() {
    let held = Exposure::default();
    let cases = [
        (
            Exposure {
                has_position: true,
                ..held
            },
            Refusal::PositionOpen,
        ),
        (
            Exposure {
                entry_pending: true,
                ..held
            },
            Refusal::EntryPending,
        ),
        (
            Exposure {
                open_markets: 5,
                ..held
            },
            Refusal::PositionsMax,
        ),
        (
            Exposure {
                market_usd: usd("1000"),
                ..held
            },
            Refusal::MarketCap,
        ),
        (
            Exposure {
                total_usd: usd("5000.01"),
                ..held
            },
            Refusal::TotalCap,
        ),
    ];
    for (exposure, refusal) in cases {
        assert_eq!(check_held(exposure), Err(refusal));
    }
    let signal = check_held(Exposure {
        total_usd: usd("4900"),
        ..held
    })
    .unwrap();
    assert!(signal.notional <= usd("100") && signal.notional > usd("99"));
    assert_eq!(
        check_held(Exposure {
            total_usd: usd("4995"),
            ..held
        }),
        Err(Refusal::BelowMinimum)
    );
}

#[test]
fn switches_refuse_only_what_would_have_been() {
    let mut detector = detector();
    detector.set_allowed(false);
    let none = Exposure::default();
    assert_eq!(
        detector.check_dislocations(&spec(), &snapshot(), &none, NOW),
        Err(Refusal::EntriesOff)
    );
    detector.set_allowed(true);
    let off = MarketSpec {
        entry_enabled: false,
        ..spec()
    };
    assert_eq!(
        detector.check_dislocations(&off, &snapshot(), &none, NOW),
        Err(Refusal::MarketOff)
    );
    let quiet = Snapshot {
        oracle: Some(px("99.5")),
        ..snapshot()
    };
    assert_eq!(
        detector.check_dislocations(&off, &quiet, &none, NOW),
        Err(Refusal::NoEdge)
    );
    let counted: Vec<_> = detector.refused().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("no_edge", 1), ("entries_off", 1), ("market_off", 1)]);
}

#[test]
fn size_grows_with_the_touch_between_its_two_marks() {
    // 1,005 dollars displayed: a tenth of it, times 1,005/5,000.
    let thin = Snapshot {
        ask: Some(Level {
            px: px("99.5"),
            sz: sz("10.1"),
        }),
        ..snapshot()
    };
    assert_eq!(check(&thin).unwrap().sz, sz("0.2"));
    // 597 dollars displayed leave 7.13 dollars: under the venue's minimum, and not raised to it.
    let thinner = Snapshot {
        ask: Some(Level {
            px: px("99.5"),
            sz: sz("6"),
        }),
        ..snapshot()
    };
    assert_eq!(check(&thinner), Err(Refusal::BelowMinimum));
}

#[test]
fn an_oracle_move_can_be_required() {
    let require = |settings: &mut EntrySettings| settings.require_oracle_move = true;
    let moved = |moves: i32, age_ms: u64| Snapshot {
        oracle_moves: moves,
        oracle_changed: Ns(NOW.0 - age_ms * 1_000_000),
        ..snapshot()
    };
    assert!(check_with(require, &moved(1, 3_000)).is_ok());
    for (moves, age_ms) in [(0, 0), (-1, 0), (1, 3_001)] {
        assert_eq!(check_with(require, &moved(moves, age_ms)), Err(Refusal::NoOracleMove));
    }
}

#[test]
fn a_market_rests_after_it_was_left() {
    let mut detector = detector();
    detector.note_exit(KEY, NOW);
    let later = NOW.plus_ms(5_000);
    let fresh = Snapshot {
        book_recv: later,
        oracle_recv: later,
        ..snapshot()
    };
    let none = Exposure::default();
    assert_eq!(
        detector.check_dislocations(&spec(), &snapshot(), &none, NOW),
        Err(Refusal::Cooldown)
    );
    let early = Ns(later.0 - 1);
    assert_eq!(
        detector.check_dislocations(&spec(), &fresh, &none, early),
        Err(Refusal::Cooldown)
    );
    assert!(detector.check_dislocations(&spec(), &fresh, &none, later).is_ok());
}

#[test]
fn each_market_has_its_own_spread_average() {
    let mut detector = Detector::new(settings(), Vec::new());
    let none = Exposure::default();
    // A market of which no touch was averaged is judged wide, never narrow.
    assert_eq!(
        detector.check_dislocations(&spec(), &snapshot(), &none, NOW),
        Err(Refusal::WideSpread)
    );
    let other = Snapshot {
        key: MarketKey { dex: 1, asset: 1 },
        bid: Some(Level {
            px: px("90"),
            sz: sz("1"),
        }),
        ..snapshot()
    };
    detector.record_touch(&other);
    detector.record_touch(&snapshot());
    assert!(detector.check_dislocations(&spec(), &snapshot(), &none, NOW).is_ok());
    // One wide touch is measured against the average before it, not against itself.
    let wide = Snapshot {
        bid: Some(Level {
            px: px("99.43"),
            sz: sz("1"),
        }),
        ..snapshot()
    };
    detector.record_touch(&wide);
    assert_eq!(
        detector.check_dislocations(&spec(), &wide, &none, NOW),
        Err(Refusal::WideSpread)
    );
    for _ in 0..200 {
        detector.record_touch(&wide);
    }
    assert!(detector.check_dislocations(&spec(), &wide, &none, NOW).is_ok());
}

#[test]
fn settings_out_of_range_are_named() {
    type Change = fn(&mut EntrySettings);
    let changes: [(Change, &str); 4] = [
        (|s| s.sizing_alpha = Ratio(0), "sizing_alpha"),
        (|s| s.oi_share_max = Ratio(SCALE + 1), "oi_share_max"),
        (|s| s.touch_notional_usd_full = Usd(1), "touch_notional_usd_full"),
        (|s| s.slippage_bps = Bps(SCALE), "slippage_bps"),
    ];
    for (change, name) in changes {
        let mut settings = settings();
        change(&mut settings);
        assert!(settings.fault().unwrap().contains(name));
    }
}

#[test]
fn codes_are_distinct() {
    let mut codes: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Refusal::ALL.len());
}

proptest! {
    #[test]
    fn a_signal_keeps_every_limit(
        oracle in 1_000_i64..1_000_000_000, edge in 0_i64..300, spread in 1_i64..100, size in 1_i64..10_000_000,
        interest in 0_i64..1_000_000_000, sell in any::<bool>(), sz_decimals in 0_u32..=6, total in 0_i64..5_000,
    ) {
        // Prices of five significant figures, sizes in lots, as the venue quotes them.
        let spec = MarketSpec { sz_decimals, entry_threshold_bps: bps("12"), ..spec() };
        let oracle = Px(oracle * 10_000);
        let shift = i128::from(oracle.0) * i128::from(edge) / 10_000;
        let shift = i64::try_from(shift).unwrap();
        let lot = 10_i64.pow(8 - sz_decimals);
        let near = Px(if sell { oracle.0 + shift } else { oracle.0 - shift });
        let near = near.on_tick(sz_decimals, if sell { Rounding::Down } else { Rounding::Up });
        let width = near.0 / 10_000 * spread;
        let level = Level { px: near, sz: Sz(size * lot) };
        let far = Level { px: Px(if sell { near.0 + width } else { near.0 - width }), sz: Sz(lot) };
        prop_assume!(near.0 > 0 && far.px.0 > 0 && far.px != near);
        let (bid, ask) = if sell { (level, far) } else { (far, level) };
        let snapshot = Snapshot {
            bid: Some(bid), ask: Some(ask), oracle: Some(oracle), mark: Some(near),
            open_interest: Some(Sz(interest * lot)), ..snapshot()
        };
        let mut detector = Detector::new(settings(), Vec::new());
        detector.record_touch(&snapshot);
        let exposure = Exposure { total_usd: Usd(total * 1_000_000), ..Exposure::default() };
        let Ok(signal) = detector.check_dislocations(&spec, &snapshot, &exposure, NOW) else { return Ok(()) };
        prop_assert!(signal.px.is_on_tick(sz_decimals));
        prop_assert_eq!(signal.sz, signal.sz.on_lot(sz_decimals));
        prop_assert!(signal.sz.0 > 0 && signal.sz <= level.sz);
        prop_assert!(notional(signal.px, signal.sz) >= usd("10"));
        prop_assert!(signal.notional <= usd("1000"));
        prop_assert!(signal.notional.0 + exposure.total_usd.0 <= usd("5000").0);
        prop_assert!(i128::from(signal.sz.0) * 100 <= i128::from(interest) * i128::from(lot));
        // Whatever is paid up to the limit, the net edge stays at its minimum or above.
        let at_limit = if sell { crate::edge::sell_edge(oracle, signal.px) } else { crate::edge::buy_edge(oracle, signal.px) };
        prop_assert!(at_limit.unwrap().at_least(bps("8.8")));
        prop_assert_eq!(signal.side, if sell { Side::Sell } else { Side::Buy });
        let reachable = if sell { signal.px <= near } else { signal.px >= near };
        prop_assert!(reachable);
    }
}

#[test]
fn a_blackout_refuses_from_its_start_to_its_end_and_a_missing_one_always() {
    let spans = format!("[[{}, {}]]", NOW.0 + 10, NOW.0 + 20);
    let schedule: Schedule = serde_json::from_str(&spans).expect("spans");
    let mut detector = Detector::new(settings(), vec![schedule]);
    detector.record_touch(&snapshot());
    let mut check = |blackout, after: u64| {
        let named = MarketSpec { blackout, ..spec() };
        detector
            .check_dislocations(&named, &snapshot(), &Exposure::default(), Ns(NOW.0 + after))
            .err()
    };
    assert_eq!(check(Some(0), 9), None);
    assert_eq!(check(Some(0), 10), Some(Refusal::BlackedOut));
    assert_eq!(check(Some(0), 19), Some(Refusal::BlackedOut));
    assert_eq!(check(Some(0), 20), None);
    assert_eq!(check(None, 15), None);
    assert_eq!(check(Some(1), 0), Some(Refusal::BlackedOut));
}

#[test]
fn the_operators_switch_brings_back_only_what_the_settings_allow() {
    let off = EntrySettings {
        enabled: false,
        ..settings()
    };
    let mut detector = Detector::new(settings(), Vec::new());
    detector.replace(off, Vec::new());
    detector.set_allowed(false);
    detector.set_allowed(true);
    assert_eq!(
        detector.check_dislocations(&spec(), &snapshot(), &Exposure::default(), NOW),
        Err(Refusal::EntriesOff)
    );
}
