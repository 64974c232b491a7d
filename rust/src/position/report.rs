//! What goes into the tracker and what it reports: plain values.

use super::ledger::Dollars;
use crate::decimal::{Px, Sz, Usd};
use crate::types::{Cloid, MarketKey, Side, VenueMs};

/// A fill of the account in a tracked market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFill {
    /// The market.
    pub key: MarketKey,
    /// Our side.
    pub side: Side,
    /// Price.
    pub px: Px,
    /// Size, above zero.
    pub sz: Sz,
    /// Fee in collateral; negative is a rebate.
    pub fee: Usd,
    /// Trade id.
    pub tid: u64,
    /// Venue time.
    pub time: VenueMs,
    /// Client order id of our order, when it had one.
    pub cloid: Option<Cloid>,
}

/// What became of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillStatus {
    /// Counted now: in cash, and in the size unless an adopted size held it already.
    Applied,
    /// Counted before, or part of the state that the dex was adopted from.
    Known,
    /// Kept until the account state of its dex has come.
    Held,
    /// Older than the memory of fills: not counted, the account states decide on the size.
    TooOld,
}

/// The status of a fill and the signed size after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillOutcome {
    /// What became of it.
    pub status: FillStatus,
    /// Signed size now.
    pub position: Sz,
}

/// One position of an account state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// The market.
    pub key: MarketKey,
    /// Signed size.
    pub szi: Sz,
    /// The venue's average entry price, truncated.
    pub entry_px: Option<Px>,
}

/// The venue's size replaced ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeChange {
    /// The market.
    pub key: MarketKey,
    /// Signed size before.
    pub was: Sz,
    /// Signed size from now on.
    pub now: Sz,
}

/// What an account state changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountOutcome {
    /// Sizes taken over against ours; not those of the first state of a dex.
    pub resyncs: Vec<SizeChange>,
    /// Held fills that were decided on by this state, oldest first.
    pub released: Vec<(NewFill, FillOutcome)>,
}

/// What is at stake, in dollars at entry prices, entries on their way included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// In the market asked for.
    pub market_usd: Usd,
    /// In all markets.
    pub total_usd: Usd,
    /// Markets with a position or an entry on its way.
    pub open_markets: usize,
    /// The market has a position.
    pub has_position: bool,
    /// The market has an entry on its way.
    pub entry_pending: bool,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the counters")]
pub struct PositionCounters {
    pub fills_applied: u64,
    pub fills_duplicate: u64,
    pub fills_too_old: u64,
    pub fills_held: u64,
    pub fills_held_dropped: u64,
    pub states_verified: u64,
    pub states_regressed: u64,
    pub resyncs: u64,
}

/// Cash of one market since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cash {
    /// The market.
    pub key: MarketKey,
    /// Sold less bought less fees, and funding.
    pub cash: Dollars,
    /// Fees paid.
    pub fees: Dollars,
    /// Profit of what was closed, before fees.
    pub realized_pnl: Dollars,
    /// Funding received less funding paid; part of the cash.
    pub funding: Dollars,
}
