//! What the engine tells the shell: small, owned, and exact. Numbers keep their fixed-point types;
//! the binding writes them as plain decimal text.

use crate::decimal::{Bps, Px, Sz, Usd};
use crate::types::{Cloid, MarketKey, Ns, Side, VenueMs};

/// One thing the shell has to know of after an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry was decided; its notional is reserved until [`super::Engine::settle_entry`].
    Entry(Entry),
    /// The venue reported a change of an order.
    OrderUpdate(OrderUpdate),
    /// The venue reported a fill, whether it was new or not.
    Fill(Fill),
    /// The answer to a WebSocket post.
    PostReply(PostReply),
    /// A subscription was acknowledged.
    Ack(Ack),
    /// The venue sent a text on its `error` channel.
    VenueError(String),
    /// The venue's position differed from ours and was taken over.
    Resync(Resync),
    /// The input could not be read; nothing of it was applied.
    Malformed(String),
    /// A channel that this program does not know.
    UnknownFrame(String),
    /// The account state of one dex arrived.
    AccountState(AccountState),
}

/// An entry order to send as immediate-or-cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The market.
    pub key: MarketKey,
    /// The venue's full name of it.
    pub coin: String,
    /// Direction of the order.
    pub side: Side,
    /// Limit price, on the tick grid.
    pub px: Px,
    /// Size, on the lot grid.
    pub sz: Sz,
    /// Client order id, unique in the session.
    pub cloid: Cloid,
    /// Gross edge at the touch, rounded down.
    pub edge: Bps,
    /// Edge less fees both ways and expected slippage, rounded down.
    pub net_edge: Bps,
    /// Oracle price the edge was measured against.
    pub oracle: Px,
    /// Size times the worse of limit and touch.
    pub notional: Usd,
    /// Age of the touch at the decision, in milliseconds.
    pub book_age_ms: u64,
    /// Age of the asset context at the decision, in milliseconds.
    pub oracle_age_ms: u64,
    /// When it was decided: the receive time of the frame.
    pub decided: Ns,
}

/// One row of `orderUpdates`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The venue's full coin name.
    pub coin: String,
    /// The venue's order id.
    pub oid: u64,
    /// Client order id as the venue wrote it, when the order had one.
    pub cloid: Option<String>,
    /// The venue's status word, unknown ones included.
    pub status: String,
    /// What remains of the order, as the venue wrote it.
    pub sz: String,
    /// What was asked for, as the venue wrote it.
    pub orig_sz: String,
    /// Venue time of the status.
    pub time: VenueMs,
}

/// One fill of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The venue's full coin name.
    pub coin: String,
    /// The asset id, when the market is tracked.
    pub asset: Option<u32>,
    /// Direction of our side.
    pub side: Side,
    /// Fill price.
    pub px: Px,
    /// Filled size, a magnitude.
    pub sz: Sz,
    /// Trade id: unique together with coin and time.
    pub tid: u64,
    /// The venue's order id.
    pub oid: u64,
    /// Client order id as the venue wrote it, when the order had one.
    pub cloid: Option<String>,
    /// Fee paid; negative is a rebate.
    pub fee: Usd,
    /// The venue's own profit of the closed part, gross of fees.
    pub closed_pnl: Usd,
    /// The venue's direction word.
    pub dir: String,
    /// Venue time of the fill.
    pub time: VenueMs,
    /// Whether this frame changed our position.
    pub applied: bool,
    /// Whether the fill was in our books already: seen before, or part of an adopted state.
    pub known: bool,
    /// Our signed position after it.
    pub position: Sz,
}

/// The answer to a WebSocket post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostReply {
    /// The id of the request.
    pub id: u64,
    /// `action`, `info`, `error`, or a word this program does not know.
    pub kind: String,
    /// The payload as the venue wrote it.
    pub payload: Vec<u8>,
}

/// The answer to a subscription request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// `subscribe` or `unsubscribe`.
    pub method: String,
    /// The subscription as the venue wrote it, defaults filled in.
    pub subscription: Vec<u8>,
}

/// The venue's position replaced ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The market.
    pub key: MarketKey,
    /// The venue's full name of it.
    pub coin: String,
    /// Our signed position before.
    pub was: Sz,
    /// The venue's signed position, ours from now on.
    pub now: Sz,
}

/// Margin figures of one dex, as the venue wrote them (collateral units).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Name of the dex; empty for the main one.
    pub dex: String,
    /// Venue time of the state.
    pub time: VenueMs,
    /// Collateral and unrealized profit together.
    pub account_value: String,
    /// Collateral less the cost of the positions.
    pub total_raw_usd: String,
    /// What could be taken out.
    pub withdrawable: String,
}
