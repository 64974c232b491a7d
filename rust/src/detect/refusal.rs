//! Why there is no entry.

use std::fmt;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why there is no entry. Codes are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// Every refusal, in the order of the conditions.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code that counters and logs use.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

refusals! {
    /// Neither side is better than the oracle by the threshold: the usual case.
    NoEdge = "no_edge",
    /// One side of the book is empty or unknown.
    OneSided = "one_sided",
    /// There is no oracle price.
    NoOracle = "no_oracle",
    /// Entries are switched off.
    EntriesOff = "entries_off",
    /// Entries are switched off in this market.
    MarketOff = "market_off",
    /// The market is not entered at this time.
    BlackedOut = "blacked_out",
    /// Bid and ask cross or touch.
    CrossedBook = "crossed_book",
    /// The touch is too old.
    StaleBook = "stale_book",
    /// The asset context is too old.
    StaleOracle = "stale_oracle",
    /// Fees and slippage eat the edge.
    NetEdge = "net_edge",
    /// There is no mark price.
    NoMark = "no_mark",
    /// Mark and middle of the book are too far apart.
    MarkFar = "mark_far",
    /// The spread is wide against its own average.
    WideSpread = "wide_spread",
    /// Too little is displayed.
    ThinTouch = "thin_touch",
    /// The oracle did not just move in favour of the trade.
    NoOracleMove = "no_oracle_move",
    /// The market was left a moment ago.
    Cooldown = "cooldown",
    /// A flatten order may be alive in this market.
    Flattening = "flattening",
    /// No account state of the market's dex has come yet: what is held there is unknown.
    AccountUnknown = "account_unknown",
    /// There is a position already.
    PositionOpen = "position_open",
    /// An entry is on its way already.
    EntryPending = "entry_pending",
    /// As many markets as allowed are held or being entered.
    PositionsMax = "positions_max",
    /// The cap of the market is reached.
    MarketCap = "market_cap",
    /// The cap over all markets is reached.
    TotalCap = "total_cap",
    /// The venue gave no open interest to take a share of.
    NoOpenInterest = "no_open_interest",
    /// On the tick grid no price keeps the net edge.
    NoPrice = "no_price",
    /// What all limits leave is below the venue's smallest order.
    BelowMinimum = "below_minimum",
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
