use std::path::PathBuf;
use std::sync::Barrier;

use proptest::prelude::*;

use super::event::{Entry, Fill, Resync};
use super::*;
use crate::decimal::{Bps, Px, Sz};
use crate::exit::{ExitPath, ExitReason};
use crate::types::Side;

const SILVER: u32 = 110_026;
const KEY: MarketKey = MarketKey { dex: 1, asset: SILVER };
const SETTINGS: &str = r#"{
 "entry":{"enabled":true,"book_age_ms_max":2000,"oracle_age_ms_max":8000,"min_net_edge_bps":"5","slippage_bps":"5",
  "slippage_cost_bps":"2","mark_mid_bps_max":"50","spread_ratio_max":"3","touch_notional_usd_min":"500",
  "touch_notional_usd_full":"5000","require_oracle_move":false,"oracle_move_ms_max":3000,"cooldown_ms":5000,"retry_ms":1000,
  "sizing_alpha":"0.10","oi_share_max":"0.01","market_notional_usd_max":"1000","total_notional_usd_max":"5000",
  "positions_max":5,"order_notional_usd_min":"10"},
 "exit":{"primary":true,"backup":true,"exit_threshold_bps":"5","min_holding_ms":1000,"time_stop_ms":30000,
  "book_age_ms_max":2000,"oracle_age_ms_max":8000,"quick_profit":{"enabled":false,"profit_bps":"20"},
  "edge_evaporated":{"enabled":false,"fraction":"0.2"},"oracle_reversal":{"enabled":false,"moves":2},
  "flatten_slippage_bps":"50","flatten_slippage_max_bps":"200","flatten_retry_ms":200,"flatten_queue_max":500,
  "claim_lease_ms":5000},
 "edges":{"period_ms":60000}}"#;

fn ms(ms: u64) -> Ns {
    Ns(0).plus_ms(1_000_000 + ms)
}

fn specs() -> String {
    let spec = |asset: u32, coin: &str| {
        format!(
            r#"{{"asset":{asset},"dex_index":1,"dex":"xyz","coin":"{coin}","sz_decimals":2,"taker_fee_bps":"0.9",
            "entry_threshold_bps":"40","max_notional_usd":"1000","entry_enabled":true}}"#
        )
    };
    format!("[{},{}]", spec(SILVER, "xyz:SILVER"), spec(110_003, "xyz:GOLD"))
}

fn bbo(time: u64, bid: &str, ask: &str) -> String {
    format!(
        r#"{{"channel":"bbo","data":{{"coin":"xyz:SILVER","time":{time},"bbo":[{{"px":"{bid}","sz":"60","n":1}},{{"px":"{ask}","sz":"60","n":1}}]}}}}"#
    )
}

fn ctx(oracle: &str) -> String {
    format!(
        r#"{{"channel":"activeAssetCtx","data":{{"coin":"xyz:SILVER","ctx":{{"oraclePx":"{oracle}","markPx":"99.6","openInterest":"100000.0"}}}}}}"#
    )
}

fn state(time: u64, size: &str) -> String {
    let rows = if size.is_empty() {
        String::new()
    } else {
        format!(r#"{{"type":"oneWay","position":{{"coin":"xyz:SILVER","szi":"{size}","entryPx":"99.5"}}}}"#)
    };
    format!(
        r#"{{"channel":"clearinghouseState","data":{{"dex":"xyz","user":"0x1","clearinghouseState":{{"marginSummary":{{"accountValue":"100.0","totalRawUsd":"100.0"}},"withdrawable":"1.0","assetPositions":[{rows}],"time":{time}}}}}}}"#
    )
}

fn fill(tid: u64, time: u64, side: &str, amount: &str, cloid: &str) -> String {
    format!(
        r#"{{"channel":"userFills","data":{{"user":"0x1","fills":[{{"coin":"xyz:SILVER","px":"99.5","sz":"{amount}","side":"{side}","time":{time},"dir":"Open Long","closedPnl":"0.0","oid":7,"fee":"0.01","tid":{tid},"cloid":"{cloid}"}}]}}}}"#
    )
}

fn engine() -> Engine {
    engine_with(SETTINGS)
}

fn engine_with(settings: &str) -> Engine {
    let engine = Engine::new(settings.as_bytes(), 7).unwrap();
    engine.set_markets(specs().as_bytes()).unwrap();
    engine
}

fn feed(engine: &Engine, frame: &str, at_ms: u64) -> Vec<Event> {
    engine.on_frame(frame.as_bytes(), ms(at_ms))
}

fn counter(engine: &Engine, name: &str) -> u64 {
    engine
        .counters()
        .into_iter()
        .find(|(known, _)| known == name)
        .unwrap_or_else(|| panic!("no counter {name}"))
        .1
}

/// Adopted flat at venue time 1,000, with a calm book; then the oracle moves away at 100 ms.
fn enter(engine: &Engine) -> Entry {
    feed(engine, &state(1_000, ""), 0);
    assert_eq!(feed(engine, &bbo(1, "99.48", "99.5"), 0), []);
    assert_eq!(feed(engine, &ctx("99.5"), 1), []);
    match feed(engine, &ctx("100"), 100).as_slice() {
        [Event::Entry(entry)] => entry.clone(),
        other => panic!("{other:?}"),
    }
}

/// As [`enter`], then filled at 200 ms.
fn hold(engine: &Engine) -> Entry {
    let entry = enter(engine);
    let size = entry.sz.to_string();
    feed(engine, &fill(1, 1_200, "B", &size, &entry.cloid.to_string()), 200);
    assert!(engine.settle_entry(entry.cloid, true, ms(201)));
    entry
}

/// The book of the exit: the bid has come back to the oracle.
fn regressed(time: u64) -> String {
    bbo(time, "99.96", "99.98")
}

#[test]
fn an_oracle_move_away_from_the_book_is_an_entry() {
    let engine = engine();
    let entry = enter(&engine);
    assert_eq!(
        (entry.key, entry.coin.as_str(), entry.side),
        (KEY, "xyz:SILVER", Side::Buy)
    );
    assert_eq!((entry.edge, entry.net_edge), (Bps(500_000), Bps(462_000)));
    assert_eq!(
        (entry.px, entry.sz, entry.oracle),
        (
            Px::parse("99.549").unwrap(),
            Sz::parse("6").unwrap(),
            Px::parse("100").unwrap()
        )
    );
    assert_eq!(
        (entry.cloid, entry.decided, entry.book_age_ms),
        (Cloid::of(7, 1), ms(100), 100)
    );
    // The reservation stands: the same offer is not taken twice.
    assert_eq!(feed(&engine, &ctx("100.01"), 120), []);
    assert_eq!(
        (counter(&engine, "refused_entry_pending"), counter(&engine, "entries")),
        (1, 1)
    );
    assert!(engine.settle_entry(entry.cloid, false, ms(130)));
    assert_eq!(feed(&engine, &ctx("100.02"), 140), []);
    assert_eq!(feed(&engine, &ctx("100.03"), 1_130).len(), 1);
}

#[test]
fn no_entry_while_the_account_of_the_dex_is_unknown_or_entries_are_off() {
    let engine = engine();
    feed(&engine, &bbo(1, "99.48", "99.5"), 0);
    assert_eq!(feed(&engine, &ctx("100"), 1), []);
    assert_eq!(counter(&engine, "refused_account_unknown"), 1);
    feed(&engine, &state(1_000, ""), 2);
    engine.set_entries_enabled(false);
    assert_eq!(feed(&engine, &ctx("100"), 3), []);
    assert_eq!(counter(&engine, "refused_entries_off"), 1);
    engine.set_entries_enabled(true);
    assert_eq!(feed(&engine, &ctx("100"), 4).len(), 1);
}

#[test]
fn an_answer_that_overtakes_its_fill_keeps_the_market_taken() {
    let engine = engine();
    let entry = enter(&engine);
    assert!(engine.settle_entry(entry.cloid, true, ms(110)));
    assert_eq!(feed(&engine, &ctx("100.01"), 120), []);
    assert_eq!(counter(&engine, "refused_entry_pending"), 1);
    feed(&engine, &fill(1, 1_200, "B", "6", &entry.cloid.to_string()), 130);
    assert!(!engine.settle_entry(entry.cloid, true, ms(131)));
    let (position, coin) = engine.get_position(SILVER).unwrap();
    assert_eq!(
        (position.szi, position.entry_edge, coin.as_str()),
        (entry.sz, Some(entry.edge), "xyz:SILVER")
    );
    // A fill that never comes does not keep the market for ever.
    let other = super::tests::engine();
    let entry = enter(&other);
    other.settle_entry(entry.cloid, true, ms(110));
    other.sweep_exits(ms(10_110));
    assert!(!other.settle_entry(entry.cloid, true, ms(10_111)));
}

#[test]
fn an_entry_that_came_to_nothing_pauses_its_market() {
    let engine = engine();
    let entry = enter(&engine);
    assert!(engine.settle_entry(entry.cloid, false, ms(110)));
    assert_eq!(feed(&engine, &ctx("100.01"), 500), []);
    assert_eq!(counter(&engine, "refused_cooldown"), 1);
    feed(&engine, &bbo(5, "99.48", "99.5"), 1_105);
    assert_eq!(feed(&engine, &ctx("100.02"), 1_111).len(), 1);
}

#[test]
fn funding_moves_cash_once_however_often_it_is_told() {
    let engine = engine();
    hold(&engine);
    let row =
        r#"{"time":3600000,"coin":"xyz:SILVER","usdc":"-0.05","szi":"6","fundingRate":"0.00001","nSamples":null}"#;
    for snapshot in ["", r#""isSnapshot":true,"#] {
        let frame = format!(r#"{{"channel":"userFundings","data":{{{snapshot}"user":"0x1","fundings":[{row}]}}}}"#);
        assert_eq!(feed(&engine, &frame, 1_260), []);
    }
    let other = row.replace("SILVER", "UNKNOWN");
    feed(
        &engine,
        &format!(r#"{{"channel":"userFundings","data":{{"user":"0x1","fundings":[{other}]}}}}"#),
        1_270,
    );
    let cash = engine.cash();
    assert_eq!((cash.len(), cash[0].1[3].as_str()), (1, "-0.05"));
}

#[test]
fn the_book_coming_back_is_an_exit_within_its_frame_and_once() {
    let engine = engine();
    let entry = hold(&engine);
    feed(&engine, &regressed(2), 1_250);
    let order = engine.pop_flatten().unwrap();
    assert_eq!(
        (order.reason, order.path, order.side),
        (ExitReason::MarkRegression, ExitPath::Primary, Side::Sell)
    );
    assert_eq!((order.sz, order.decided, order.due), (entry.sz, ms(1_250), ms(1_250)));
    feed(&engine, &regressed(3), 1_260);
    assert_eq!((engine.sweep_exits(ms(1_270)), engine.flattens_waiting()), (0, 0));
    assert!(engine.is_flattening(SILVER) && engine.claims()[0].1.cloid == order.cloid);
    // The fill comes before the claim ends: flat, free, and at rest.
    let events = feed(&engine, &fill(2, 2_400, "A", "6", &order.cloid.to_string()), 1_300);
    assert!(matches!(
        &events[..],
        [Event::Fill(Fill {
            applied: true,
            position: Sz(0),
            ..
        })]
    ));
    assert!(engine.release_claim(SILVER, order.cloid, ReleaseReason::Filled, ms(1_301)));
    assert!(!engine.release_claim(SILVER, order.cloid, ReleaseReason::Filled, ms(1_302)));
    assert_eq!((engine.positions(), engine.is_flattening(SILVER)), (vec![], false));
    feed(&engine, &bbo(4, "99.48", "99.5"), 1_400);
    assert_eq!(feed(&engine, &ctx("100"), 1_500), []);
    assert_eq!(counter(&engine, "refused_cooldown"), 2);
    assert_eq!(
        engine.cash(),
        [("xyz:SILVER".into(), ["-0.02", "0.02", "0", "0"].map(str::to_owned))]
    );
}

#[test]
fn a_condition_that_came_too_early_is_an_exit_at_its_deadline() {
    let engine = engine();
    hold(&engine);
    assert_eq!(engine.next_deadline(), Some(ms(30_200)));
    feed(&engine, &regressed(2), 700);
    assert_eq!(
        (engine.flattens_waiting(), engine.next_deadline()),
        (0, Some(ms(1_200)))
    );
    assert_eq!(engine.on_deadline(ms(1_199)), 0);
    assert_eq!(engine.on_deadline(ms(1_200)), 1);
    let order = engine.pop_flatten().unwrap();
    assert_eq!(
        (order.due, order.path, engine.next_deadline()),
        (ms(1_200), ExitPath::Primary, None)
    );
}

#[test]
fn time_alone_ends_a_position_without_fresh_data() {
    let engine = engine();
    hold(&engine);
    assert_eq!((engine.on_deadline(ms(30_199)), engine.on_deadline(ms(30_200))), (0, 1));
    assert_eq!(engine.pop_flatten().unwrap().reason, ExitReason::TimeStop);
    assert_eq!(counter(&engine, "exits_time_stop"), 1);
}

#[test]
fn each_path_works_without_the_other() {
    let backup = engine_with(&SETTINGS.replace(r#""primary":true"#, r#""primary":false"#));
    hold(&backup);
    feed(&backup, &regressed(2), 1_250);
    assert_eq!((backup.flattens_waiting(), backup.next_deadline()), (0, None));
    assert_eq!(backup.sweep_exits(ms(1_330)), 1);
    let order = backup.pop_flatten().unwrap();
    assert_eq!(
        (order.path, order.due, order.decided),
        (ExitPath::Backup, ms(1_250), ms(1_330))
    );
    assert_eq!(
        (
            counter(&backup, "claims_made_backup"),
            counter(&backup, "claims_made_primary")
        ),
        (1, 0)
    );

    let primary = engine_with(&SETTINGS.replace(r#""backup":true"#, r#""backup":false"#));
    hold(&primary);
    feed(&primary, &regressed(2), 1_190);
    assert_eq!(primary.sweep_exits(ms(1_250)), 0);
    assert_eq!(primary.on_deadline(ms(1_260)), 1);
}

#[test]
fn both_paths_on_many_threads_make_one_flatten() {
    for round in 0..200 {
        let engine = engine();
        hold(&engine);
        feed(&engine, &regressed(2), 1_190);
        let barrier = Barrier::new(4);
        let made: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4_u64)
                .map(|thread| {
                    let (engine, barrier) = (&engine, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        match thread {
                            0 => engine.sweep_exits(ms(1_300)),
                            1 => engine.on_deadline(ms(1_300)),
                            2 => usize::from(engine.request_exit(SILVER, ExitReason::Operator, ms(1_300))),
                            _ => {
                                feed(engine, &regressed(3), 1_300);
                                0
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(made <= 1, "round {round}");
        assert_eq!((engine.flattens_waiting(), engine.claims().len()), (1, 1));
    }
}

#[test]
fn a_request_exits_at_once_and_only_what_is_held() {
    let engine = engine();
    assert!(!engine.request_exit(SILVER, ExitReason::Operator, ms(1)));
    assert!(!engine.request_exit(5, ExitReason::Operator, ms(1)));
    hold(&engine);
    assert!(engine.request_exit(SILVER, ExitReason::HardStop, ms(300)));
    let order = engine.pop_flatten().unwrap();
    assert_eq!((order.reason, order.path), (ExitReason::HardStop, ExitPath::Operator));
}

#[test]
fn fills_wait_for_the_account_state_and_are_told_then() {
    let engine = engine();
    assert_eq!(feed(&engine, &fill(1, 900, "B", "1", "0x"), 0), []);
    assert_eq!(feed(&engine, &fill(2, 1_100, "B", "2", "0x"), 1), []);
    let events = feed(&engine, &state(1_000, "1"), 2);
    let fills: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Fill(fill) => Some((fill.tid, fill.applied, fill.known, fill.position.to_string())),
            _ => None,
        })
        .collect();
    assert!(matches!(&events[0], Event::AccountState(state) if state.account_value == "100.0"));
    assert_eq!(fills, [(1, false, true, "1".into()), (2, true, false, "3".into())]);
    let again = feed(&engine, &fill(2, 1_100, "B", "2", "0x"), 3);
    assert!(matches!(
        &again[..],
        [Event::Fill(Fill {
            applied: false,
            known: true,
            ..
        })]
    ));
}

#[test]
fn two_states_against_ours_are_a_resync() {
    let engine = engine();
    hold(&engine);
    assert_eq!(feed(&engine, &state(2_000, ""), 300).len(), 1);
    assert_eq!(engine.positions().len(), 1);
    let events = feed(&engine, &state(2_100, ""), 400);
    let want = Resync {
        key: KEY,
        coin: "xyz:SILVER".into(),
        was: Sz::parse("6").unwrap(),
        now: Sz(0),
    };
    assert_eq!(events[1], Event::Resync(want));
    assert_eq!((counter(&engine, "resyncs"), engine.latest_venue_ms()), (1, 2_100));
}

#[test]
fn what_the_venue_says_beside_prices_reaches_the_shell() {
    let engine = engine();
    let ack = feed(
        &engine,
        r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo"}}}"#,
        0,
    );
    assert!(matches!(&ack[..], [Event::Ack(ack)] if ack.subscription == br#"{"type":"bbo"}"#));
    let post = feed(
        &engine,
        r#"{"channel":"post","data":{"id":3,"response":{"type":"error","payload":"no"}}}"#,
        0,
    );
    assert!(
        matches!(&post[..], [Event::PostReply(reply)] if reply.id == 3 && reply.kind == "error" && reply.payload == b"\"no\"")
    );
    assert_eq!(
        feed(&engine, r#"{"channel":"error","data":"bad"}"#, 0),
        [Event::VenueError("bad".into())]
    );
    assert_eq!(
        feed(&engine, r#"{"channel":"new","data":1}"#, 0),
        [Event::UnknownFrame("new".into())]
    );
    assert!(matches!(&feed(&engine, "{", 0)[..], [Event::Malformed(_)]));
    let update = r#"{"channel":"orderUpdates","data":[{"order":{"coin":"xyz:SILVER","side":"B","limitPx":"1","sz":"0.0","oid":5,"timestamp":1,"origSz":"2"},"status":"parked","statusTimestamp":9}]}"#;
    assert!(matches!(&feed(&engine, update, 0)[..], [Event::OrderUpdate(update)] if update.status == "parked"));
    for quiet in [
        r#"{"channel":"pong"}"#,
        "Websocket connection established.",
        r#"{"channel":"hip3","data":{}}"#,
    ] {
        assert_eq!(feed(&engine, quiet, 0), []);
    }
    let counts = ["frames", "frames_malformed", "frames_unknown"].map(|name| counter(&engine, name));
    assert_eq!(counts, [9, 1, 1]);
}

#[test]
fn an_unreadable_fill_of_a_tracked_market_is_told() {
    let engine = engine();
    feed(&engine, &state(1_000, ""), 0);
    let events = feed(&engine, &fill(1, 1_100, "B", "1e3", "0x"), 1);
    assert!(matches!(&events[..], [Event::Malformed(text)] if text.contains("xyz:SILVER")));
    let other = fill(1, 1_100, "B", "1", "0x").replace("xyz:SILVER", "@142");
    assert!(matches!(
        &feed(&engine, &other, 2)[..],
        [Event::Fill(Fill {
            asset: None,
            applied: false,
            ..
        })]
    ));
}

#[test]
fn contexts_of_all_dexs_decide_as_single_ones_do() {
    let engine = engine();
    feed(&engine, &state(1_000, ""), 0);
    feed(&engine, &bbo(1, "99.48", "99.5"), 0);
    let quiet = r#"{"oraclePx":"1","markPx":"1"}"#;
    let rows = [
        vec![quiet; 26].join(","),
        r#"{"oraclePx":"100","markPx":"99.6","openInterest":"100000.0"}"#.into(),
    ]
    .join(",");
    let all = format!(r#"{{"channel":"allDexsAssetCtxs","data":{{"ctxs":[["",[{quiet}]],["xyz",[{rows}]]]}}}}"#);
    assert!(matches!(&feed(&engine, &all, 1)[..], [Event::Entry(_)]));
    // SILVER and GOLD are tracked; the touch was an update as well.
    assert_eq!(
        (counter(&engine, "updates"), counter(&engine, "frames_untracked")),
        (3, 0)
    );
}

#[test]
fn edges_are_recorded_with_each_update_and_logged_each_period() {
    let engine = engine();
    assert_eq!(engine.maybe_log(ms(0)), None);
    enter(&engine);
    let period = engine.maybe_log(ms(60_000)).unwrap();
    assert_eq!((period.rows[0].updates, period.markets_tracked), (3, 2));
    assert!((period.global_max_edge_bps - 50.0).abs() < 1e-9);
    assert_eq!(engine.edge_summary()[0].market, "dex_1:110026 (SILVER)");
    let (snapshot, coin) = engine.get_snapshot(SILVER).unwrap();
    assert_eq!(
        (snapshot.oracle, coin.as_str()),
        (Some(Px::parse("100").unwrap()), "xyz:SILVER")
    );
}

#[test]
fn the_same_inputs_give_the_same_digest_and_others_another() {
    let run = |exit_at: u64| {
        let engine = engine();
        hold(&engine);
        let entered = engine.digest();
        feed(&engine, &regressed(2), exit_at);
        (entered, engine.digest())
    };
    assert_eq!(run(1_250), run(1_250));
    assert_eq!(run(1_250).0, run(1_251).0);
    assert_ne!(run(1_250).1, run(1_251).1);
    assert_ne!(run(1_250).0, run(1_250).1);
}

#[test]
fn unusable_settings_and_markets_are_named() {
    let refuse = |settings: &str| Engine::new(settings.as_bytes(), 1).unwrap_err().to_string();
    assert!(refuse("{}").contains("missing field `entry`"));
    assert!(refuse(&SETTINGS.replace("cooldown_ms", "cooldown")).contains("cooldown"));
    assert!(refuse(&SETTINGS.replace(r#""sizing_alpha":"0.10""#, r#""sizing_alpha":"1.5""#)).contains("sizing_alpha"));
    assert!(refuse(&SETTINGS.replace(r#""time_stop_ms":30000"#, r#""time_stop_ms":3"#)).contains("time_stop_ms"));
    assert!(refuse(&SETTINGS.replace("60000", "0")).contains("period_ms"));
    let engine = engine();
    let twice = engine
        .set_markets(specs().replace("110003", "110026").as_bytes())
        .unwrap_err();
    assert!(twice.to_string().contains("given twice"));
    assert!(
        engine
            .set_markets(specs().replace(r#""sz_decimals":2"#, r#""sz_decimals":7"#).as_bytes())
            .is_err()
    );
    assert!(engine.set_markets(b"{}").is_err());
    assert_eq!(engine.set_markets(specs().as_bytes()), Ok(()));
}

#[test]
fn captured_frames_pass_through() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/frames");
    let Ok(text) = std::fs::read_to_string(dir.join("ws_captured.jsonl")) else {
        println!("skipped: no captured frames at {}", dir.display());
        return;
    };
    let engine = engine();
    for line in text.lines() {
        feed(&engine, line, 1);
    }
    let all = std::fs::read(dir.join("ws_all_dexs_asset_ctxs.json")).unwrap();
    engine.on_frame(&all, ms(2));
    assert_eq!(
        (counter(&engine, "frames_malformed"), counter(&engine, "frames_unknown")),
        (0, 0)
    );
    assert!(engine.get_snapshot(SILVER).unwrap().0.oracle.is_some());
}

#[derive(Clone, Debug)]
enum Input {
    Frame(String),
    Fill(u64, bool, u8),
    State(u64, i8),
    Deadline,
    Sweep,
    Order,
}

fn inputs() -> impl Strategy<Value = Vec<(u64, Input)>> {
    let price = 9_900_u32..10_100;
    let input = prop_oneof![
        (price.clone(), 1_u32..40, 0_u64..50).prop_map(|(bid, spread, time)| {
            let px = |px: u32| format!("{}.{:02}", px / 100, px % 100);
            Input::Frame(bbo(time, &px(bid), &px(bid + spread)))
        }),
        price.prop_map(|oracle| Input::Frame(ctx(&format!("{}.{:02}", oracle / 100, oracle % 100)))),
        (0_u64..20, any::<bool>(), 1_u8..8).prop_map(|(tid, buy, size)| Input::Fill(tid, buy, size)),
        (1_000_u64..3_000, -5_i8..5).prop_map(|(time, size)| Input::State(time, size)),
        Just(Input::Deadline),
        Just(Input::Sweep),
        Just(Input::Order),
    ];
    proptest::collection::vec((0_u64..800, input), 0..120)
}

/// Plays the inputs, checks what must hold after each, and returns the digest.
fn play(inputs: &[(u64, Input)]) -> String {
    let engine = engine();
    let mut now = 0;
    for (step, input) in inputs {
        now += step;
        match input {
            Input::Frame(frame) => drop(feed(&engine, frame, now)),
            Input::Fill(tid, is_buy, amount) => {
                let side = if *is_buy { "B" } else { "A" };
                feed(
                    &engine,
                    &fill(*tid, 1_000 + tid * 100, side, &amount.to_string(), "0x"),
                    now,
                );
            }
            Input::State(time, 0) => drop(feed(&engine, &state(*time, ""), now)),
            Input::State(time, size) => drop(feed(&engine, &state(*time, &size.to_string()), now)),
            Input::Deadline => drop(engine.on_deadline(ms(now))),
            Input::Sweep => drop(engine.sweep_exits(ms(now))),
            Input::Order => {
                if let Some(order) = engine.pop_flatten() {
                    assert!(engine.release_claim(order.key.asset, order.cloid, ReleaseReason::Canceled, ms(now)));
                }
            }
        }
        // One claim for each order that waits, and never two in a market.
        assert_eq!(engine.claims().len(), engine.flattens_waiting());
        assert!(engine.claims().len() <= 1);
    }
    engine.digest()
}

proptest! {
    #[test]
    fn any_bytes_leave_the_engine_whole(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let engine = engine();
        for frame in &frames {
            engine.on_frame(frame, ms(1));
        }
        prop_assert_eq!(counter(&engine, "frames"), frames.len() as u64);
    }

    #[test]
    fn any_course_of_inputs_is_decided_the_same_twice(inputs in inputs()) {
        prop_assert_eq!(play(&inputs), play(&inputs));
    }
}
