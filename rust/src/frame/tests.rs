use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::decimal::{Px, Sz};
use crate::types::{Side, VenueMs};

fn body(text: &str) -> Body<'_> {
    parse(text.as_bytes()).unwrap().body
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

fn bbo_with(px: &str, sz: &str) -> String {
    format!(r#"{{"channel":"bbo","data":{{"coin":"BTC","time":1,"bbo":[{{"px":"{px}","sz":"{sz}","n":1}},null]}}}}"#)
}

#[test]
fn a_touch_is_read_exactly_and_an_empty_side_is_absent() {
    let text = bbo_with("80639.0", "0.00186");
    let Body::Bbo(bbo) = body(&text) else { panic!("no bbo") };
    assert_eq!((&*bbo.coin, bbo.time), ("BTC", VenueMs(1)));
    let bid = bbo.bbo[0].as_ref().unwrap();
    assert_eq!(
        (bid.px.0, bid.sz.0),
        (Px::parse("80639").unwrap(), Sz::parse("0.00186").unwrap())
    );
    assert!(bbo.bbo[1].is_none());
}

#[test]
fn a_level_that_is_no_price_costs_the_frame() {
    for px in ["0", "0.0", "-1", "NaN", "1e400", "", "0x1", "99999999999999999999"] {
        assert!(parse(bbo_with(px, "1").as_bytes()).is_err(), "px {px:?}");
    }
    for sz in ["0", "-1", "NaN", ""] {
        assert!(parse(bbo_with("1", sz).as_bytes()).is_err(), "sz {sz:?}");
    }
    assert!(error(&bbo_with("-1", "1")).starts_with("bbo: book price not above zero: -1"));
    let number = r#"{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[{"px":1.5,"sz":"1"},null]}}"#;
    assert!(parse(number.as_bytes()).is_err());
}

#[test]
fn a_context_without_a_usable_oracle_has_none() {
    for (oracle, want) in [(r#""0.0""#, None), ("null", None), (r#""0.3754""#, Some("0.3754"))] {
        let text = format!(r#"{{"channel":"activeAssetCtx","data":{{"coin":"X","ctx":{{"oraclePx":{oracle}}}}}}}"#);
        let Body::ActiveAssetCtx(ctx) = body(&text) else {
            panic!("no ctx")
        };
        assert_eq!(ctx.ctx.oracle_px.0, want.map(|px| Px::parse(px).unwrap()));
    }
    assert!(parse(br#"{"channel":"activeAssetCtx","data":{"coin":"X","ctx":{"oraclePx":"NaN"}}}"#).is_err());
    assert!(parse(br#"{"channel":"activeAssetCtx","data":{"coin":"X","ctx":{"oraclePx":"-1"}}}"#).is_err());
}

#[test]
fn open_interest_is_truncated_and_saturates() {
    for (text, want) in [("1200496.1199999999", 120_049_611_999_999), ("999999999999", i64::MAX)] {
        let text = format!(r#"{{"channel":"activeAssetCtx","data":{{"coin":"X","ctx":{{"openInterest":"{text}"}}}}}}"#);
        let Body::ActiveAssetCtx(ctx) = body(&text) else {
            panic!("no ctx")
        };
        assert_eq!(ctx.ctx.open_interest.0, Some(Sz(want)));
    }
}

#[test]
fn what_is_unknown_survives() {
    let text = r#"{"channel":"bbo","seq":7,"data":{"coin":"B\u0054C","time":1,"bbo":[null,null],"fast":[1,{}]}}"#;
    let frame = parse(text.as_bytes()).unwrap();
    assert_eq!((&*frame.other[0].0, frame.other[0].1.get()), ("seq", "7"));
    let Body::Bbo(bbo) = frame.body else { panic!("no bbo") };
    assert_eq!(
        (&*bbo.coin, &*bbo.other[0].0, bbo.other[0].1.get()),
        ("BTC", "fast", "[1,{}]")
    );

    let Body::Unknown { channel, data } = body(r#"{"channel":"outcomes","data":[1]}"#) else {
        panic!("known")
    };
    assert_eq!((&*channel, data.unwrap().get()), ("outcomes", "[1]"));
}

#[test]
fn order_updates_are_read_as_array_and_as_object() {
    let row = r#"{"order":{"coin":"BTC","side":"B","limitPx":"1","sz":"0.0","oid":5,"timestamp":1,"origSz":"2"},"status":"STATUS","statusTimestamp":9}"#;
    for (word, dead) in [
        ("iocCancelRejected", false),
        ("newKindCanceled", true),
        ("scheduledCancel", true),
    ] {
        let row = row.replace("STATUS", word);
        for text in [
            format!(r#"{{"channel":"orderUpdates","data":[{row}]}}"#),
            format!(r#"{{"data":{row},"channel":"orderUpdates"}}"#),
        ] {
            let Body::OrderUpdates(updates) = body(&text) else {
                panic!("no updates")
            };
            assert_eq!(
                (updates.len(), updates[0].order.side, updates[0].status.word()),
                (1, Side::Buy, word)
            );
            assert_eq!(matches!(updates[0].status, OrderStatus::Canceled(_)), dead);
        }
    }
    let text = format!(
        r#"{{"channel":"orderUpdates","data":[{}]}}"#,
        row.replace("STATUS", "parked")
    );
    let Body::OrderUpdates(updates) = body(&text) else {
        panic!("no updates")
    };
    assert_eq!(updates[0].status, OrderStatus::Unknown(Text("parked".into())));
}

#[test]
fn an_odd_amount_costs_its_fill_and_not_the_frame() {
    let fill = |sz: &str, dir: &str| {
        format!(
            r#"{{"coin":"X","px":"1.23456789012","sz":"{sz}","side":"A","time":1,"dir":"{dir}","oid":2,"tid":3,"fee":"-0.002994","closedPnl":"1.5"}}"#
        )
    };
    let text = format!(
        r#"{{"channel":"userFills","data":{{"user":"0x1","fills":[{},{}]}}}}"#,
        fill("2.5", "Close Long"),
        fill("1e9", "Spot Dust Conversion")
    );
    let Body::UserFills(fills) = body(&text) else {
        panic!("no fills")
    };
    assert!(!fills.is_snapshot);
    let amounts = fills.fills[0].amounts().unwrap();
    assert_eq!(
        (amounts.px.to_string(), amounts.sz.to_string()),
        ("1.23456789".into(), "2.5".into())
    );
    assert_eq!(
        (amounts.fee.to_string(), amounts.closed_pnl.to_string()),
        ("-0.002994".into(), "1.5".into())
    );
    assert_eq!(fills.fills[0].dir, Dir::CloseLong);
    assert!(fills.fills[1].amounts().is_err());
    assert_eq!(fills.fills[1].dir.word(), "Spot Dust Conversion");
}

#[test]
fn replies_keep_their_payload() {
    let text = r#"{"channel":"post","data":{"id":12,"response":{"type":"info","payload":{"type":"meta","data":{}}}}}"#;
    let Body::Post(post) = body(text) else {
        panic!("no post")
    };
    assert_eq!(
        (post.id, post.response.kind, post.response.payload.get()),
        (12, PostKind::Info, r#"{"type":"meta","data":{}}"#)
    );
    assert!(matches!(body(r#"{"channel":"pong"}"#), Body::Pong));
    assert!(matches!(body("Websocket connection established."), Body::Established));
    let Body::Control(data) = body(r#"{"channel":"hip3","data":{"kind":"timer"}}"#) else {
        panic!("no control")
    };
    assert_eq!(data.get(), r#"{"kind":"timer"}"#);
}

#[test]
fn an_account_state_is_read_and_an_empty_one_refused() {
    let text = r#"{"channel":"clearinghouseState","data":{"dex":"xyz","user":"0x1","clearinghouseState":{
        "marginSummary":{"accountValue":"100.5","totalNtlPos":"0.0","totalRawUsd":"90.0","totalMarginUsed":"0.0"},
        "withdrawable":"1.0","assetPositions":[{"type":"oneWay","position":{"coin":"xyz:SILVER","szi":"-1.25","entryPx":null}}],"time":5}}}"#;
    let Body::ClearinghouseState(state) = body(text) else {
        panic!("no state")
    };
    let row = &state.state.asset_positions[0].position;
    assert_eq!(
        (&*state.dex, row.szi, row.entry_px.0),
        ("xyz", Sz::parse("-1.25").unwrap(), None)
    );
    assert!(
        parse(br#"{"channel":"clearinghouseState","data":{"dex":"xyz","user":"0x1","clearinghouseState":{}}}"#)
            .is_err()
    );
}

#[test]
fn size_depth_and_doubled_keys_are_bounded() {
    let large = vec![b' '; FRAME_BYTES_MAX + 1];
    assert!(matches!(parse(&large), Err(FrameError::TooLarge(_))));
    for depth in [1_000, 1_000_000] {
        let deep = format!(
            r#"{{"channel":"bbo","data":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert!(parse(deep.as_bytes()).is_err());
        let unknown = deep.replace("bbo", "new");
        assert!(parse(unknown.as_bytes()).is_ok());
    }
    assert!(error(r#"{"channel":"bbo","channel":"pong"}"#).contains("duplicate field"));
    assert_eq!(error(r#"{"channel":"bbo"}"#), "bbo: no data");
    assert!(error(&bbo_with(&"ä".repeat(5_000), "1")).len() < 300);
}

fn frames_dir() -> Option<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/frames");
    if !dir.is_dir() {
        println!("skipped: no captured frames at {}", dir.display());
        return None;
    }
    Some(dir)
}

#[test]
fn captured_frames_are_all_known() {
    let Some(dir) = frames_dir() else { return };
    for line in fs::read_to_string(dir.join("ws_captured.jsonl")).unwrap().lines() {
        let frame = parse(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(!matches!(frame.body, Body::Unknown { .. }), "{line}");
        assert!(frame.other.is_empty(), "{line}");
    }
    let text = fs::read_to_string(dir.join("ws_all_dexs_asset_ctxs.json")).unwrap();
    let Body::AllDexsAssetCtxs(all) = body(&text) else {
        panic!("no contexts")
    };
    assert_eq!(
        (
            all.ctxs.len(),
            all.ctxs.iter().map(|(_, ctxs)| ctxs.len()).sum::<usize>()
        ),
        (9, 412)
    );
    assert!(
        all.ctxs
            .iter()
            .flat_map(|(_, ctxs)| ctxs)
            .all(|ctx| ctx.other.is_empty())
    );
    let text = fs::read_to_string(dir.join("ws_allmids.json")).unwrap();
    let Body::AllMids(mids) = body(&text) else {
        panic!("no mids")
    };
    assert_eq!(mids.mids.0.len(), 5);
}

#[test]
fn captured_answers_are_read_in_the_frames_the_shell_makes_of_them() {
    let Some(dir) = frames_dir() else { return };
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let response = |name: &str| {
        let pair: serde_json::Value = serde_json::from_str(&read(name)).unwrap();
        pair["response"].to_string()
    };
    let fills =
        |rows: &str| format!(r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"0x1","fills":{rows}}}}}"#);
    let text = fills(&read("http_user_fills_dust_conversion.json"));
    let Body::UserFills(rows) = body(&text) else {
        panic!("no fills")
    };
    // Dust of spot has ten decimals, which no perpetual has: it alone is refused.
    let refused: Vec<_> = rows
        .fills
        .iter()
        .filter(|fill| fill.amounts().is_err())
        .map(|fill| fill.dir.word())
        .collect();
    assert_eq!((rows.fills.len(), refused), (5, vec!["Spot Dust Conversion"]));
    // Answers of 2023 have no trade id: such a fill cannot be told from its repetition.
    assert!(error(&fills(&response("http_sdk_get_user_fills.json"))).contains("missing field `tid`"));
    let text = format!(
        r#"{{"channel":"openOrders","data":{{"user":"0x1","orders":{}}}}}"#,
        response("http_sdk_get_open_orders.json")
    );
    assert!(matches!(body(&text), Body::OpenOrders(_)));
    for name in [
        "http_l2_book_btc.json",
        "http_l2_book_snapshot.json",
        "ws_book_data.json",
    ] {
        let text = format!(r#"{{"channel":"l2Book","data":{}}}"#, read(name));
        let Body::L2Book(book) = body(&text) else {
            panic!("{name}")
        };
        assert!(book.levels.iter().all(|side| !side.is_empty()), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_damaged_frame_gives_a_frame_or_an_error(at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..400) {
        let text = r#"{"channel":"userFills","data":{"isSnapshot":true,"user":"0x31","fills":[{"coin":"USUAL","px":"0.01152","sz":"1052.9","side":"A","time":1788490193264,"startPosition":"-3695042.8999999999","dir":"Open Short","closedPnl":"0.0","oid":535618784464,"crossed":true,"fee":"0.0","tid":691079299625582,"feeToken":"USDC","twapId":null}]}}"#;
        let mut bytes = text.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(Frame { body: Body::UserFills(fills), .. }) = parse(&bytes) {
            for fill in &fills.fills {
                let _ = fill.amounts();
            }
        }
        bytes.truncate(cut);
        let _ = parse(&bytes);
    }

    #[test]
    fn any_text_in_a_number_is_read_positive_or_refused(px in "\\PC{0,12}", sz in "[-+.0-9eE]{0,12}") {
        if let Ok(Frame { body: Body::Bbo(bbo), .. }) = parse(bbo_with(&px, &sz).as_bytes()) {
            let level = bbo.bbo[0].as_ref().unwrap();
            prop_assert!(level.px.0.0 > 0 && level.sz.0.0 > 0);
        }
    }
}
