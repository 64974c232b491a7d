//! What the engine shows of its state, as frozen Python classes. Exact numbers travel as decimal text.

use pyo3::prelude::*;

use crate::edge::{self, Edge};
use crate::exit;
use crate::market;
use crate::position;
use crate::types::MarketKey;

/// An optional number as its text.
pub(super) fn text(number: Option<impl std::fmt::Display>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn edge_text(edge: Option<Edge>) -> Option<String> {
    text(edge.map(Edge::to_bps))
}

macro_rules! shown {
    ($($name:ident),+) => {
        $(#[pymethods]
        impl $name {
            fn __repr__(&self) -> String {
                format!("{self:?}")
            }
        })+
    };
}
pub(super) use shown;

/// A reduce-only order that closes a whole position.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
#[derive(Debug)]
pub struct FlattenOrder {
    asset: u32,
    coin: String,
    is_buy: bool,
    px: String,
    sz: String,
    cloid: String,
    reason: &'static str,
    path: &'static str,
    decided_ns: u64,
    due_ns: u64,
    edge_bps: Option<String>,
}

impl From<exit::FlattenOrder> for FlattenOrder {
    fn from(order: exit::FlattenOrder) -> Self {
        Self {
            asset: order.key.asset,
            coin: order.coin,
            is_buy: order.side.is_buy(),
            px: order.px.to_string(),
            sz: order.sz.to_string(),
            cloid: order.cloid.to_string(),
            reason: order.reason.code(),
            path: order.path.code(),
            decided_ns: order.decided.0,
            due_ns: order.due.0,
            edge_bps: text(order.edge),
        }
    }
}

/// A market that has a flatten order alive.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
#[derive(Debug)]
pub struct Claim {
    asset: u32,
    cloid: String,
    reason: &'static str,
    path: &'static str,
    claimed_ns: u64,
    lease_until_ns: u64,
}

impl From<(MarketKey, exit::Claim)> for Claim {
    fn from((key, claim): (MarketKey, exit::Claim)) -> Self {
        Self {
            asset: key.asset,
            cloid: claim.cloid.to_string(),
            reason: claim.reason.code(),
            path: claim.path.code(),
            claimed_ns: claim.claimed.0,
            lease_until_ns: claim.lease_until.0,
        }
    }
}

/// One market at one moment.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
#[derive(Debug)]
pub struct Snapshot {
    asset: u32,
    coin: String,
    bid_px: Option<String>,
    bid_sz: Option<String>,
    ask_px: Option<String>,
    ask_sz: Option<String>,
    oracle_px: Option<String>,
    mark_px: Option<String>,
    buy_edge_bps: Option<String>,
    sell_edge_bps: Option<String>,
    book_recv_ns: u64,
    oracle_recv_ns: u64,
    oracle_changed_ns: u64,
    book_time_ms: u64,
}

impl From<(market::Snapshot, String)> for Snapshot {
    fn from((market, coin): (market::Snapshot, String)) -> Self {
        Self {
            asset: market.key.asset,
            coin,
            bid_px: text(market.bid.map(|level| level.px)),
            bid_sz: text(market.bid.map(|level| level.sz)),
            ask_px: text(market.ask.map(|level| level.px)),
            ask_sz: text(market.ask.map(|level| level.sz)),
            oracle_px: text(market.oracle),
            mark_px: text(market.mark),
            buy_edge_bps: edge_text(market.buy_edge()),
            sell_edge_bps: edge_text(market.sell_edge()),
            book_recv_ns: market.book_recv.0,
            oracle_recv_ns: market.oracle_recv.0,
            oracle_changed_ns: market.oracle_changed.0,
            book_time_ms: market.book_time.0,
        }
    }
}

/// One open position.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
#[derive(Debug)]
pub struct Position {
    asset: u32,
    coin: String,
    szi: String,
    entry_px: String,
    entry_ns: u64,
    entry_edge_bps: Option<String>,
    verified_ns: u64,
    realized_pnl_usd: String,
}

impl From<(position::Position, String)> for Position {
    fn from((position, coin): (position::Position, String)) -> Self {
        Self {
            asset: position.key.asset,
            coin,
            szi: position.szi.to_string(),
            entry_px: position.entry_px.to_string(),
            entry_ns: position.entry.0,
            entry_edge_bps: text(position.entry_edge),
            verified_ns: position.verified.0,
            realized_pnl_usd: position.realized_pnl.to_string(),
        }
    }
}

/// Edges of one market; floats, because they only show.
#[pyclass(frozen, get_all, module = "hip3._hip3")]
#[derive(Debug)]
pub struct EdgeRow {
    market: String,
    coin: String,
    asset: u32,
    max_buy_edge_bps: f64,
    max_sell_edge_bps: f64,
    threshold_bps: f64,
    threshold_pct: f64,
    updates: u64,
    p50_bps: f64,
    p90_bps: f64,
    p95_bps: f64,
    p99_bps: f64,
}

impl From<edge::EdgeRow> for EdgeRow {
    fn from(row: edge::EdgeRow) -> Self {
        Self {
            market: row.market,
            coin: row.coin,
            asset: row.asset,
            max_buy_edge_bps: row.max_buy_edge_bps,
            max_sell_edge_bps: row.max_sell_edge_bps,
            threshold_bps: row.threshold_bps,
            threshold_pct: row.threshold_pct,
            updates: row.updates,
            p50_bps: row.p50_bps,
            p90_bps: row.p90_bps,
            p95_bps: row.p95_bps,
            p99_bps: row.p99_bps,
        }
    }
}

/// Edges of one period over all markets.
#[pyclass(frozen, module = "hip3._hip3")]
#[derive(Debug)]
pub struct EdgePeriod {
    rows: Vec<Py<EdgeRow>>,
    #[pyo3(get)]
    global_max_edge_bps: f64,
    #[pyo3(get)]
    threshold_bps: f64,
    #[pyo3(get)]
    markets_tracked: usize,
}

#[pymethods]
impl EdgePeriod {
    #[getter]
    fn rows(&self, py: Python<'_>) -> Vec<Py<EdgeRow>> {
        self.rows.iter().map(|row| row.clone_ref(py)).collect()
    }
}

impl EdgePeriod {
    /// The period as a Python class; its rows become objects once.
    pub(super) fn build(py: Python<'_>, period: edge::EdgePeriod) -> PyResult<Self> {
        let rows = period
            .rows
            .into_iter()
            .map(|row| Py::new(py, EdgeRow::from(row)))
            .collect::<PyResult<_>>()?;
        Ok(Self {
            rows,
            global_max_edge_bps: period.global_max_edge_bps,
            threshold_bps: period.threshold_bps,
            markets_tracked: period.markets_tracked,
        })
    }
}

shown!(FlattenOrder, Claim, Snapshot, Position, EdgeRow);
