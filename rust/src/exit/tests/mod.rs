//! Tests of the exits: what they share is here.

mod rule;
mod watcher;

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::*;
use crate::decimal::{Bps, Px, Sz, Usd};
use crate::market::{Level, MarketSpec, Snapshot};
use crate::order::CloidSource;
use crate::position::{Dollars, Position};
use crate::types::{Cloid, MarketKey, Ns, Side};

const KEY: MarketKey = MarketKey { dex: 1, asset: 110_026 };
/// When the positions of these tests were opened.
const ENTRY: Ns = Ns(1_000_000_000_000);

fn settings() -> ExitSettings {
    serde_json::from_str(
        r#"{"primary":true,"backup":true,"exit_threshold_bps":"5","min_holding_ms":1000,"time_stop_ms":30000,
        "book_age_ms_max":2000,"oracle_age_ms_max":8000,"quick_profit":{"enabled":false,"profit_bps":"20"},
        "edge_evaporated":{"enabled":false,"fraction":"0.2"},"oracle_reversal":{"enabled":false,"moves":2},
        "flatten_slippage_bps":"50","flatten_slippage_max_bps":"200","flatten_retry_ms":200,
        "flatten_queue_max":2,"claim_lease_ms":5000}"#,
    )
    .unwrap()
}

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn position(szi: &str) -> Position {
    Position {
        key: KEY,
        szi: Sz::parse(szi).unwrap(),
        entry_px: px("99.6"),
        entry: ENTRY,
        entry_edge: Some(Bps::parse("40").unwrap()),
        entry_oracle: Some(px("100")),
        verified: ENTRY,
        realized_pnl: Dollars(0),
    }
}

/// A market seen whole at `now`: bid and ask as given (empty for an absent side), oracle 100.
fn market(bid: &str, ask: &str, now: Ns) -> Snapshot {
    let level = |text: &str| {
        Px::parse(text).ok().map(|px| Level {
            px,
            sz: Sz(100_000_000),
        })
    };
    let mut snapshot = Snapshot::empty(KEY);
    (snapshot.bid, snapshot.ask, snapshot.oracle) = (level(bid), level(ask), Some(px("100")));
    (snapshot.book_recv, snapshot.oracle_recv) = (now, now);
    snapshot
}

fn spec() -> MarketSpec {
    MarketSpec {
        asset: KEY.asset,
        dex_index: KEY.dex,
        dex: "xyz".to_owned(),
        coin: "xyz:SILVER".to_owned(),
        sz_decimals: 2,
        taker_fee_bps: Bps(9_000),
        entry_threshold_bps: Bps(400_000),
        max_notional_usd: Usd(1_000_000_000),
        entry_enabled: true,
        blackout: None,
    }
}

fn after(ms: u64) -> Ns {
    ENTRY.plus_ms(ms)
}

fn watcher(settings: ExitSettings) -> (ExitWatcher, Receiver<FlattenOrder>) {
    ExitWatcher::new(settings, Arc::default(), Arc::new(CloidSource::new(1)))
}

fn claimed(outcome: Outcome) -> FlattenOrder {
    match outcome {
        Outcome::Claimed(order) => order,
        other => panic!("not claimed but {other:?}"),
    }
}
