//! Market data frames.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::wire::{LevelPx, LevelSz, OpenInterest, RefPx, Text, record};
use crate::types::{Side, VenueMs};

record! {
    /// One price level of a book.
    BookLevel {
        /// Price, above zero.
        px: LevelPx = "px" required,
        /// Displayed size, above zero.
        sz: LevelSz = "sz" required,
        /// Orders in the level.
        n: u64 = "n" optional,
    }

    /// Best bid and ask of a coin; an empty side is `None`.
    Bbo {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Block time.
        time: VenueMs = "time" required,
        /// Bid, then ask.
        bbo: [Option<BookLevel<'a>>; 2] = "bbo" required,
    }

    /// The ladder of a coin, best levels first.
    L2Book {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Block time.
        time: VenueMs = "time" required,
        /// Bids, then asks.
        levels: [Vec<BookLevel<'a>>; 2] = "levels" required,
    }

    /// Reference figures of a perpetual. What does not decide stays text.
    AssetCtx {
        /// Oracle price.
        oracle_px: RefPx = "oraclePx" optional,
        /// Mark price.
        mark_px: RefPx = "markPx" optional,
        /// Middle of the book, when it has two sides.
        mid_px: RefPx = "midPx" optional,
        /// Open interest in base units.
        open_interest: OpenInterest = "openInterest" optional,
        /// Hourly funding, a fraction.
        funding: Option<Text<'a>> = "funding" optional,
        /// Price a day before.
        prev_day_px: Option<Text<'a>> = "prevDayPx" optional,
        /// Notional of a day.
        day_ntl_vlm: Option<Text<'a>> = "dayNtlVlm" optional,
        /// Volume of a day in base units.
        day_base_vlm: Option<Text<'a>> = "dayBaseVlm" optional,
        /// Premium over the oracle, when the book has two sides.
        premium: Option<Text<'a>> = "premium" optional,
        /// Average prices for a fixed notional, bid and ask, when the book has two sides.
        impact_pxs: Option<[Text<'a>; 2]> = "impactPxs" optional,
    }

    /// The context of one coin. It carries no time.
    ActiveAssetCtx {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// The figures.
        ctx: AssetCtx<'a> = "ctx" required,
    }

    /// The contexts of every dex.
    AllDexsAssetCtxs {
        /// Dex name (empty for the main one) and contexts in the order of its universe.
        ctxs: Vec<(Text<'a>, Vec<AssetCtx<'a>>)> = "ctxs" required,
    }

    /// Mid prices by coin.
    AllMids {
        /// The prices as the venue wrote them, by coin.
        mids: Mids<'a> = "mids" required,
        /// The dex asked for, if one was.
        dex: Option<Text<'a>> = "dex" optional,
    }

    /// One trade between two users.
    Trade {
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// The aggressor's side.
        side: Side = "side" required,
        /// Price as the venue wrote it.
        px: Text<'a> = "px" required,
        /// Size as the venue wrote it.
        sz: Text<'a> = "sz" required,
        /// Block time.
        time: VenueMs = "time" required,
        /// Transaction hash, all zeros for some system trades.
        hash: Text<'a> = "hash" optional,
        /// Trade id, unique together with coin and time.
        tid: u64 = "tid" required,
        /// Buyer and seller.
        users: Option<[Text<'a>; 2]> = "users" optional,
    }

    /// One candle; prices and volume as the venue wrote them.
    Candle {
        /// First millisecond.
        open_time: VenueMs = "t" required,
        /// Last millisecond.
        close_time: VenueMs = "T" required,
        /// The venue's full coin name.
        coin: Text<'a> = "s" required,
        /// Interval, such as `1m`.
        interval: Text<'a> = "i" required,
        /// First price.
        open: Text<'a> = "o" required,
        /// Last price.
        close: Text<'a> = "c" required,
        /// Highest price.
        high: Text<'a> = "h" required,
        /// Lowest price.
        low: Text<'a> = "l" required,
        /// Volume in base units.
        volume: Text<'a> = "v" required,
        /// Trades.
        n: u64 = "n" optional,
    }

    /// What a user may trade in a coin.
    ActiveAssetData {
        /// Account address.
        user: Text<'a> = "user" required,
        /// The venue's full coin name.
        coin: Text<'a> = "coin" required,
        /// Leverage as the venue wrote it.
        leverage: Option<&'a RawValue> = "leverage" optional,
        /// Largest sizes, buy and sell.
        max_trade_szs: Option<[Text<'a>; 2]> = "maxTradeSzs" optional,
        /// Collateral available, buy and sell.
        available_to_trade: Option<[Text<'a>; 2]> = "availableToTrade" optional,
        /// Mark price.
        mark_px: RefPx = "markPx" optional,
    }
}

/// Pairs of a JSON object in their order.
#[derive(Clone, Debug, Default)]
pub struct Mids<'a>(pub Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Mids<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = Mids<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of prices")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut mids = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    mids.push(pair);
                }
                Ok(Mids(mids))
            }
        }
        d.deserialize_map(V)
    }
}
