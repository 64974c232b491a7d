//! What the engine tells after an input, as frozen Python classes. Exact numbers travel as decimal text.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::views::shown;
use crate::engine::event::{self, Event};

macro_rules! class {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[pyclass(frozen, get_all, module = "hip3._hip3")]
        #[derive(Debug)]
        pub struct $name {
            $($field: $type,)+
        }
    };
}

class!(
    /// An entry was decided; its notional is reserved until `settle_entry`.
    Entry {
        asset: u32,
        coin: String,
        is_buy: bool,
        px: String,
        sz: String,
        cloid: String,
        edge_bps: String,
        net_edge_bps: String,
        oracle_px: String,
        notional_usd: String,
        book_age_ms: u64,
        oracle_age_ms: u64,
        decided_ns: u64,
    }
);

class!(
    /// The venue reported a change of an order.
    OrderUpdate {
        coin: String,
        oid: u64,
        cloid: Option<String>,
        status: String,
        sz: String,
        orig_sz: String,
        time_ms: u64,
    }
);

class!(
    /// The venue reported a fill, new or not.
    Fill {
        coin: String,
        asset: Option<u32>,
        is_buy: bool,
        px: String,
        sz: String,
        tid: u64,
        oid: u64,
        cloid: Option<String>,
        fee: String,
        closed_pnl: String,
        dir: String,
        time_ms: u64,
        applied: bool,
        known: bool,
        position: String,
    }
);

class!(
    /// The answer to a WebSocket post.
    PostReply {
        id: u64,
        kind: String,
        payload: Py<PyBytes>,
    }
);

class!(
    /// A subscription was acknowledged.
    Ack {
        method: String,
        subscription: Py<PyBytes>,
    }
);

class!(
    /// The venue sent a text on its error channel.
    VenueError {
        text: String,
    }
);

class!(
    /// The venue's position differed from ours and was taken over.
    Resync {
        asset: u32,
        coin: String,
        was: String,
        now: String,
    }
);

class!(
    /// The input could not be read; nothing of it was applied.
    Malformed {
        reason: String,
    }
);

class!(
    /// A channel that this program does not know.
    UnknownFrame {
        channel: String,
    }
);

class!(
    /// The account state of one dex.
    AccountState {
        dex: String,
        time_ms: u64,
        account_value: String,
        total_raw_usd: String,
        withdrawable: String,
    }
);

shown!(
    Entry,
    OrderUpdate,
    Fill,
    PostReply,
    Ack,
    VenueError,
    Resync,
    Malformed,
    UnknownFrame,
    AccountState
);

/// The Python object of one event.
pub(super) fn object(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    match event {
        Event::Entry(entry) => Entry::from(entry).into_py_any(py),
        Event::OrderUpdate(update) => OrderUpdate::from(update).into_py_any(py),
        Event::Fill(fill) => Fill::from(fill).into_py_any(py),
        Event::PostReply(event::PostReply { id, kind, payload }) => PostReply {
            id,
            kind,
            payload: PyBytes::new(py, &payload).unbind(),
        }
        .into_py_any(py),
        Event::Ack(event::Ack { method, subscription }) => Ack {
            method,
            subscription: PyBytes::new(py, &subscription).unbind(),
        }
        .into_py_any(py),
        Event::VenueError(text) => VenueError { text }.into_py_any(py),
        Event::Resync(event::Resync { key, coin, was, now }) => Resync {
            asset: key.asset,
            coin,
            was: was.to_string(),
            now: now.to_string(),
        }
        .into_py_any(py),
        Event::Malformed(reason) => Malformed { reason }.into_py_any(py),
        Event::UnknownFrame(channel) => UnknownFrame { channel }.into_py_any(py),
        Event::AccountState(state) => AccountState::from(state).into_py_any(py),
    }
}

impl From<event::Entry> for Entry {
    fn from(entry: event::Entry) -> Self {
        Self {
            asset: entry.key.asset,
            coin: entry.coin,
            is_buy: entry.side.is_buy(),
            px: entry.px.to_string(),
            sz: entry.sz.to_string(),
            cloid: entry.cloid.to_string(),
            edge_bps: entry.edge.to_string(),
            net_edge_bps: entry.net_edge.to_string(),
            oracle_px: entry.oracle.to_string(),
            notional_usd: entry.notional.to_string(),
            book_age_ms: entry.book_age_ms,
            oracle_age_ms: entry.oracle_age_ms,
            decided_ns: entry.decided.0,
        }
    }
}

impl From<event::OrderUpdate> for OrderUpdate {
    fn from(update: event::OrderUpdate) -> Self {
        Self {
            coin: update.coin,
            oid: update.oid,
            cloid: update.cloid,
            status: update.status,
            sz: update.sz,
            orig_sz: update.orig_sz,
            time_ms: update.time.0,
        }
    }
}

impl From<event::Fill> for Fill {
    fn from(fill: event::Fill) -> Self {
        Self {
            coin: fill.coin,
            asset: fill.asset,
            is_buy: fill.side.is_buy(),
            px: fill.px.to_string(),
            sz: fill.sz.to_string(),
            tid: fill.tid,
            oid: fill.oid,
            cloid: fill.cloid,
            fee: fill.fee.to_string(),
            closed_pnl: fill.closed_pnl.to_string(),
            dir: fill.dir,
            time_ms: fill.time.0,
            applied: fill.applied,
            known: fill.known,
            position: fill.position.to_string(),
        }
    }
}

impl From<event::AccountState> for AccountState {
    fn from(state: event::AccountState) -> Self {
        Self {
            dex: state.dex,
            time_ms: state.time.0,
            account_value: state.account_value,
            total_raw_usd: state.total_raw_usd,
            withdrawable: state.withdrawable,
        }
    }
}
