//! Frames about the account: orders, fills, state.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::wire::{LoosePx, Text, loose_usd, record, words};
use crate::decimal::{DecimalError, Px, Sz, Usd};
use crate::types::{Side, VenueMs};

/// What a status word says of an order. Words are read by their ending, because the venue adds
/// new ones: `…Canceled` is dead, `…Rejected` never lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStatus<'a> {
    /// It rests.
    Open,
    /// It was filled whole.
    Filled,
    /// Its trigger fired.
    Triggered,
    /// It was cancelled, for the reason in the word.
    Canceled(Text<'a>),
    /// It was refused, for the reason in the word.
    Rejected(Text<'a>),
    /// A word that this program does not know.
    Unknown(Text<'a>),
}

impl OrderStatus<'_> {
    /// The venue's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Triggered => "triggered",
            Self::Canceled(text) | Self::Rejected(text) | Self::Unknown(text) => text,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OrderStatus<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(d)?;
        Ok(match &*text {
            "open" => Self::Open,
            "filled" => Self::Filled,
            "triggered" => Self::Triggered,
            "canceled" => Self::Canceled(text),
            "rejected" => Self::Rejected(text),
            word if word.ends_with("Canceled") || word.ends_with("Cancel") => Self::Canceled(text),
            word if word.ends_with("Rejected") => Self::Rejected(text),
            _ => Self::Unknown(text),
        })
    }
}

words! {
    /// What a fill did to the position.
    Dir {
        /// Opened or grew a long.
        OpenLong = "Open Long",
        /// Opened or grew a short.
        OpenShort = "Open Short",
        /// Reduced or closed a long.
        CloseLong = "Close Long",
        /// Reduced or closed a short.
        CloseShort = "Close Short",
        /// Turned a long into a short.
        LongToShort = "Long > Short",
        /// Turned a short into a long.
        ShortToLong = "Short > Long",
        /// Spot purchase.
        Buy = "Buy",
        /// Spot sale.
        Sell = "Sell",
    }
}

words! {
    /// What a post answer answers.
    PostKind {
        /// A signed action.
        Action = "action",
        /// A read.
        Info = "info",
        /// The request itself was refused; the payload is a text.
        Error = "error",
    }
}

record! {
    /// An order as the venue lists it.
    OrderRow {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Its side.
        side: Side = "side" required,
        /// Limit price as the venue wrote it.
        limit_px: Text<'a> = "limitPx" required,
        /// Remaining size as the venue wrote it.
        sz: Text<'a> = "sz" required,
        /// The venue's order id.
        oid: u64 = "oid" required,
        /// Venue time of its placing.
        timestamp: VenueMs = "timestamp" optional,
        /// Size asked for; absent in some old answers.
        orig_sz: Text<'a> = "origSz" optional,
        /// Client order id.
        cloid: Option<Text<'a>> = "cloid" optional,
        /// Whether it may only reduce.
        reduce_only: bool = "reduceOnly" optional,
    }

    /// A change of an order.
    OrderUpdate {
        /// The order.
        order: OrderRow<'a> = "order" required,
        /// What it is now.
        status: OrderStatus<'a> = "status" required,
        /// Venue time of the change.
        status_time: VenueMs = "statusTimestamp" required,
    }

    /// One fill. Amounts stay text until [`Fill::amounts`], so that an odd figure of a market
    /// which nobody here trades does not cost the other fills of its frame.
    Fill {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Price.
        px: Text<'a> = "px" required,
        /// Size, a magnitude.
        sz: Text<'a> = "sz" required,
        /// Our side.
        side: Side = "side" required,
        /// Block time.
        time: VenueMs = "time" required,
        /// Signed position before.
        start_position: Text<'a> = "startPosition" optional,
        /// What it did.
        dir: Dir<'a> = "dir" required,
        /// Profit of the closed part, gross of fees.
        closed_pnl: Text<'a> = "closedPnl" optional,
        /// Transaction hash.
        hash: Text<'a> = "hash" optional,
        /// The venue's order id.
        oid: u64 = "oid" required,
        /// Whether we were the taker.
        crossed: bool = "crossed" optional,
        /// Fee; negative is a rebate.
        fee: Text<'a> = "fee" optional,
        /// Trade id, unique together with coin and time.
        tid: u64 = "tid" required,
        /// Client order id.
        cloid: Option<Text<'a>> = "cloid" optional,
        /// Token the fee was paid in.
        fee_token: Text<'a> = "feeToken" optional,
        /// Set when a liquidation caused it.
        liquidation: Option<&'a RawValue> = "liquidation" optional,
    }

    /// Fills, either recent ones on subscribing or new ones.
    UserFills {
        /// Whether these are recent fills told again.
        is_snapshot: bool = "isSnapshot" optional,
        /// Account address.
        user: Text<'a> = "user" required,
        /// The fills, oldest first.
        fills: Vec<Fill<'a>> = "fills" required,
    }

    /// Funding payments.
    UserFundings {
        /// Whether these are recent payments told again.
        is_snapshot: bool = "isSnapshot" optional,
        /// Account address.
        user: Text<'a> = "user" required,
        /// The payments, oldest first.
        fundings: Vec<Funding<'a>> = "fundings" required,
    }

    /// A cancellation that the user did not ask for.
    NonUserCancel {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// The venue's order id.
        oid: u64 = "oid" required,
    }

    /// A funding payment.
    Funding {
        /// Venue time.
        time: VenueMs = "time" required,
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Received; negative was paid.
        usdc: Text<'a> = "usdc" required,
        /// Signed position it was paid on.
        szi: Text<'a> = "szi" required,
        /// Hourly rate, a fraction.
        funding_rate: Text<'a> = "fundingRate" required,
    }

    /// An event of the account: one of its parts is present.
    UserEvents {
        /// Fills.
        fills: Vec<Fill<'a>> = "fills" optional,
        /// A funding payment.
        funding: Option<Funding<'a>> = "funding" optional,
        /// A liquidation, as the venue wrote it.
        liquidation: Option<&'a RawValue> = "liquidation" optional,
        /// Orders cancelled by the venue.
        non_user_cancel: Vec<NonUserCancel<'a>> = "nonUserCancel" optional,
    }

    /// Margin figures, as the venue wrote them.
    MarginSummary {
        /// Collateral and unrealized profit.
        account_value: Text<'a> = "accountValue" required,
        /// Notional of all positions.
        total_ntl_pos: Text<'a> = "totalNtlPos" optional,
        /// Collateral less the cost of the positions.
        total_raw_usd: Text<'a> = "totalRawUsd" optional,
        /// Margin in use.
        total_margin_used: Text<'a> = "totalMarginUsed" optional,
    }

    /// One position of an account state.
    PositionRow {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Signed size.
        szi: Sz = "szi" required,
        /// Average entry price; null when flat.
        entry_px: LoosePx = "entryPx" optional,
        /// Leverage as the venue wrote it.
        leverage: Option<&'a RawValue> = "leverage" optional,
        /// Notional as the venue wrote it.
        position_value: Text<'a> = "positionValue" optional,
        /// Unrealized profit as the venue wrote it.
        unrealized_pnl: Text<'a> = "unrealizedPnl" optional,
        /// Where it would be liquidated.
        liquidation_px: LoosePx = "liquidationPx" optional,
        /// Margin it holds.
        margin_used: Text<'a> = "marginUsed" optional,
    }

    /// A position with its kind.
    AssetPosition {
        /// `oneWay` as far as known.
        kind: Text<'a> = "type" optional,
        /// The position.
        position: PositionRow<'a> = "position" required,
    }

    /// The account on one dex.
    DexAccount {
        /// Figures of all positions.
        margin_summary: MarginSummary<'a> = "marginSummary" required,
        /// Figures of cross positions.
        cross_margin_summary: Option<MarginSummary<'a>> = "crossMarginSummary" optional,
        /// What could be taken out.
        withdrawable: Text<'a> = "withdrawable" required,
        /// Open positions.
        asset_positions: Vec<AssetPosition<'a>> = "assetPositions" required,
        /// Venue time of the state.
        time: VenueMs = "time" required,
    }

    /// The account state of one dex.
    ClearinghouseState {
        /// Name of the dex; empty for the main one.
        dex: Text<'a> = "dex" required,
        /// Account address.
        user: Text<'a> = "user" required,
        /// The state.
        state: DexAccount<'a> = "clearinghouseState" required,
    }

    /// The account states of every dex.
    AllDexsClearinghouseState {
        /// Account address.
        user: Text<'a> = "user" optional,
        /// Dex name (empty for the main one) and state.
        states: Vec<(Text<'a>, DexAccount<'a>)> = "clearinghouseStates" required,
    }

    /// Open orders of one dex.
    OpenOrders {
        /// Name of the dex; empty for the main one.
        dex: Text<'a> = "dex" optional,
        /// Account address.
        user: Text<'a> = "user" required,
        /// The orders.
        orders: Vec<OrderRow<'a>> = "orders" required,
    }

    /// A frame of which only the head matters here; the body is in `other`.
    UserBody {
        /// Account address, when the frame names one.
        user: Option<Text<'a>> = "user" optional,
        /// Whether it tells again what was before.
        is_snapshot: bool = "isSnapshot" optional,
    }

    /// The answer to a subscription request.
    SubscriptionResponse {
        /// `subscribe` or `unsubscribe`.
        method: Text<'a> = "method" required,
        /// The subscription with the venue's defaults filled in.
        subscription: &'a RawValue = "subscription" required,
    }

    /// The body of a post answer.
    PostResponse {
        /// What it answers.
        kind: PostKind<'a> = "type" required,
        /// The answer as the venue wrote it.
        payload: &'a RawValue = "payload" required,
    }

    /// The answer to a post.
    Post {
        /// Id of the request.
        id: u64 = "id" required,
        /// The answer.
        response: PostResponse<'a> = "response" required,
    }
}

/// The amounts of a fill as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillAmounts {
    /// Price; digits beyond eight decimals (averages of an aggregated feed) are dropped.
    pub px: Px,
    /// Size, a magnitude, exact.
    pub sz: Sz,
    /// Fee.
    pub fee: Usd,
    /// Profit of the closed part.
    pub closed_pnl: Usd,
}

impl Fill<'_> {
    /// Reads the amounts.
    pub fn amounts(&self) -> Result<FillAmounts, DecimalError> {
        let px = Px::parse_truncating(&self.px)?;
        let sz = Sz::parse(&self.sz)?;
        if px.0 <= 0 || sz.0 <= 0 {
            return Err(DecimalError::NotPositive);
        }
        Ok(FillAmounts {
            px,
            sz,
            fee: loose_usd(&self.fee)?,
            closed_pnl: loose_usd(&self.closed_pnl)?,
        })
    }
}
