use super::*;
use crate::frame::{Body, parse};

fn spec(asset: u32, coin: &str) -> MarketSpec {
    let dex = coin.split_once(':').map_or("", |(dex, _)| dex);
    let text = format!(
        r#"{{"asset":{asset},"dex_index":{},"dex":"{dex}","coin":"{coin}","sz_decimals":2,"taker_fee_bps":"0.9",
        "entry_threshold_bps":"40","max_notional_usd":"1000","entry_enabled":true}}"#,
        u32::from(asset >= 110_000)
    );
    serde_json::from_str(&text).unwrap()
}

fn state() -> MarketState {
    let mut state = MarketState::default();
    state.set_market(spec(110_026, "xyz:SILVER"));
    state.set_market(spec(0, "BTC"));
    state
}

const SILVER: MarketKey = MarketKey { dex: 1, asset: 110_026 };

fn feed(state: &mut MarketState, text: &str, recv: u64) -> Applied {
    match parse(text.as_bytes()).unwrap().body {
        Body::Bbo(bbo) => state.apply_bbo(&bbo, Ns(recv)),
        Body::L2Book(book) => state.apply_l2book(&book, Ns(recv)),
        Body::ActiveAssetCtx(ctx) => state.apply_ctx(&ctx.coin, &ctx.ctx, Ns(recv)),
        Body::AllDexsAssetCtxs(all) => {
            let (dex, ctxs) = &all.ctxs[0];
            state.apply_ctx_at(dex, ctxs.len() - 1, &ctxs[ctxs.len() - 1], Ns(recv))
        }
        other => panic!("{other:?}"),
    }
}

fn bbo(time: u64, bid: &str) -> String {
    let bid = if bid.is_empty() {
        "null".into()
    } else {
        format!(r#"{{"px":"{bid}","sz":"2","n":1}}"#)
    };
    format!(r#"{{"channel":"bbo","data":{{"coin":"xyz:SILVER","time":{time},"bbo":[{bid},null]}}}}"#)
}

fn l2(time: u64, bid: &str) -> String {
    format!(
        r#"{{"channel":"l2Book","data":{{"coin":"xyz:SILVER","time":{time},"levels":[[{{"px":"{bid}","sz":"2","n":1}},{{"px":"1","sz":"2","n":1}}],[]]}}}}"#
    )
}

fn ctx(oracle: &str) -> String {
    format!(
        r#"{{"channel":"activeAssetCtx","data":{{"coin":"xyz:SILVER","ctx":{{"oraclePx":"{oracle}","markPx":"30","openInterest":"5.123456789"}}}}}}"#
    )
}

#[test]
fn touch_and_context_meet_in_one_snapshot() {
    let mut state = state();
    assert_eq!(feed(&mut state, &bbo(7, "30.5"), 100), Applied::Updated(SILVER));
    assert_eq!(feed(&mut state, &ctx("30.4"), 200), Applied::Updated(SILVER));
    let snapshot = state.get_snapshot(SILVER).unwrap();
    assert_eq!(
        snapshot.bid.unwrap(),
        Level {
            px: Px::parse("30.5").unwrap(),
            sz: Sz::parse("2").unwrap()
        }
    );
    assert_eq!(
        (
            snapshot.ask,
            snapshot.book_time,
            snapshot.book_recv,
            snapshot.oracle_recv
        ),
        (None, VenueMs(7), Ns(100), Ns(200))
    );
    assert_eq!(snapshot.open_interest.unwrap().to_string(), "5.12345678");
    assert!(snapshot.buy_edge().is_none() && snapshot.sell_edge().is_some());
}

#[test]
fn an_empty_side_is_absent_again() {
    let mut state = state();
    feed(&mut state, &bbo(7, "30.5"), 100);
    feed(&mut state, &bbo(8, ""), 101);
    assert_eq!(state.get_snapshot(SILVER).unwrap().bid, None);
}

#[test]
fn time_that_goes_back_is_dropped_for_a_while() {
    let mut state = state();
    feed(&mut state, &bbo(1_000, "30.5"), 100);
    assert_eq!(feed(&mut state, &bbo(999, "31"), 101), Applied::Regressed);
    assert_eq!(feed(&mut state, &bbo(1_000, "30.6"), 102), Applied::Updated(SILVER));
    assert_eq!(feed(&mut state, &l2(998, "31"), 103), Applied::Superseded);
    assert_eq!(feed(&mut state, &l2(997, "31"), 104), Applied::Regressed);
    assert_eq!(
        state.get_snapshot(SILVER).unwrap().bid.unwrap().px,
        Px::parse("30.6").unwrap()
    );
    let later = Ns(102).plus_ms(REGRESSION_MS_MAX + 1).0;
    assert_eq!(feed(&mut state, &bbo(999, "31"), later), Applied::Updated(SILVER));
}

#[test]
fn oracle_moves_are_counted_by_direction() {
    let mut state = state();
    let mut moves = Vec::new();
    for (i, oracle) in ["30", "31", "31", "32", "31.5", "31", "0", "31"]
        .into_iter()
        .enumerate()
    {
        feed(&mut state, &ctx(oracle), i as u64);
        moves.push(state.get_snapshot(SILVER).unwrap().oracle_moves);
    }
    assert_eq!(moves, [0, 1, 1, 2, -1, -2, 0, 0]);
    let snapshot = state.get_snapshot(SILVER).unwrap();
    assert_eq!((snapshot.oracle_changed, snapshot.prev_oracle), (Ns(7), None));
}

#[test]
fn names_and_positions_find_their_own_market() {
    let mut state = state();
    state.set_market(spec(110_001, "xyz:kPEPE"));
    assert_eq!(state.key_of_coin("xyz:KPEPE"), None);
    assert_eq!(
        state.key_of_coin("xyz:kPEPE"),
        Some(MarketKey { dex: 1, asset: 110_001 })
    );
    let rows = vec![r#"{"oraclePx":"1"}"#; 27].join(",");
    let all = |dex: &str| format!(r#"{{"channel":"allDexsAssetCtxs","data":{{"ctxs":[["{dex}",[{rows}]]]}}}}"#);
    assert_eq!(feed(&mut state, &all("xyz"), 1), Applied::Updated(SILVER));
    assert_eq!(feed(&mut state, &all("abc"), 1), Applied::Untracked);
    assert_eq!(feed(&mut state, &all(""), 1), Applied::Untracked);
    assert_eq!(asset_id(1, 10_000), None);
    assert_eq!(state.get_snapshot(MarketKey { dex: 2, asset: 110_026 }), None);
}

#[test]
fn a_recycled_asset_id_starts_afresh_and_a_new_spec_does_not() {
    let mut state = state();
    feed(&mut state, &bbo(7, "30.5"), 100);
    state.set_market(MarketSpec {
        entry_threshold_bps: Bps(1),
        ..spec(110_026, "xyz:SILVER")
    });
    assert!(state.get_snapshot(SILVER).unwrap().bid.is_some());
    assert_eq!(state.get_spec(SILVER).unwrap().entry_threshold_bps, Bps(1));
    state.set_market(spec(110_026, "xyz:TIN"));
    assert!(state.get_snapshot(SILVER).unwrap().bid.is_none());
    assert_eq!(
        (state.key_of_coin("xyz:SILVER"), state.key_of_coin("xyz:TIN")),
        (None, Some(SILVER))
    );
}

#[test]
fn an_unusable_spec_names_its_fault() {
    assert_eq!(spec(1, "X").fault(), None);
    let bad = MarketSpec {
        sz_decimals: 9,
        ..spec(1, "X")
    };
    assert_eq!(bad.fault().unwrap(), "market 1: sz_decimals 9 above 6");
    assert!(
        MarketSpec {
            entry_threshold_bps: Bps(0),
            ..spec(1, "X")
        }
        .fault()
        .is_some()
    );
}
