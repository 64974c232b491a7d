//! The latest touch and asset context of every market, with their times.
//!
//! Owns what the venue said last and when it was received; takes no decision. A missing side is
//! `None`, never a price of zero. The engine writes here under its lock; every reader gets a
//! [`Snapshot`] by value.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::decimal::{Bps, Px, SCALE, Sz, Usd};
use crate::edge::{self, Edge};
use crate::frame::{AssetCtx, Bbo, BookLevel, L2Book};
use crate::types::{MarketKey, Ns, VenueMs};

/// How long the newest venue time of a channel outranks older ones, in milliseconds of receipt.
/// Reordering is shorter; a venue clock set back, or one bogus time in the future, is longer, and
/// must not freeze the market for ever.
const REGRESSION_MS_MAX: u64 = 5_000;

/// Most decimals a perpetual's size may have: its price then has none.
const SZ_DECIMALS_MAX: u32 = 6;

/// What the shell knows of a market from discovery and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketSpec {
    /// Asset id as actions carry it.
    pub asset: u32,
    /// Position of the dex in `perpDexs`; 0 is the main one.
    pub dex_index: u16,
    /// Name of the dex; empty for the main one.
    pub dex: String,
    /// The venue's full coin name, case as given.
    pub coin: String,
    /// Decimals of a size.
    pub sz_decimals: u32,
    /// Taker fee of one fill.
    pub taker_fee_bps: Bps,
    /// Gross edge from which an entry is considered.
    pub entry_threshold_bps: Bps,
    /// Largest notional of one entry.
    pub max_notional_usd: Usd,
    /// Whether entries are allowed in this market; exits always are.
    pub entry_enabled: bool,
    /// Place of the market's blackout in the settings, where it has one.
    #[serde(default)]
    pub blackout: Option<usize>,
}

impl MarketSpec {
    /// The key under which every room knows this market.
    pub fn key(&self) -> MarketKey {
        MarketKey {
            dex: self.dex_index,
            asset: self.asset,
        }
    }

    /// What makes the spec unusable, if anything.
    pub fn fault(&self) -> Option<String> {
        let Self {
            asset,
            coin,
            sz_decimals,
            ..
        } = self;
        if coin.is_empty() {
            Some(format!("market {asset}: empty coin"))
        } else if *sz_decimals > SZ_DECIMALS_MAX {
            Some(format!(
                "market {asset}: sz_decimals {sz_decimals} above {SZ_DECIMALS_MAX}"
            ))
        } else if !(0..SCALE).contains(&self.taker_fee_bps.0) || self.max_notional_usd.0 < 0 {
            Some(format!(
                "market {asset}: taker_fee_bps or max_notional_usd out of range"
            ))
        } else if self.entry_threshold_bps.0 <= 0 {
            Some(format!("market {asset}: entry_threshold_bps must be above 0"))
        } else {
            None
        }
    }
}

/// Best price of one side and what is displayed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price, above zero.
    pub px: Px,
    /// Displayed size, above zero.
    pub sz: Sz,
}

impl From<&BookLevel<'_>> for Level {
    fn from(level: &BookLevel<'_>) -> Self {
        Self {
            px: level.px.0,
            sz: level.sz.0,
        }
    }
}

/// One market at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The market.
    pub key: MarketKey,
    /// Best bid, absent when that side is empty or unknown.
    pub bid: Option<Level>,
    /// Best ask, absent when that side is empty or unknown.
    pub ask: Option<Level>,
    /// Oracle price of the last context; absent when the venue gave none or zero.
    pub oracle: Option<Px>,
    /// The oracle price before its last change.
    pub prev_oracle: Option<Px>,
    /// Mark price of the last context.
    pub mark: Option<Px>,
    /// Open interest in base units, truncated to eight decimals.
    pub open_interest: Option<Sz>,
    /// Venue time of the touch; zero when none was seen.
    pub book_time: VenueMs,
    /// When the touch was received; zero when none was seen.
    pub book_recv: Ns,
    /// When the last context was received; zero when none was seen.
    pub oracle_recv: Ns,
    /// Receive time of the context in which the oracle changed last.
    pub oracle_changed: Ns,
    /// Consecutive oracle changes in one direction: positive up, negative down.
    pub oracle_moves: i32,
}

impl Snapshot {
    /// A market of which nothing was seen yet.
    pub fn empty(key: MarketKey) -> Self {
        Self {
            key,
            bid: None,
            ask: None,
            oracle: None,
            prev_oracle: None,
            mark: None,
            open_interest: None,
            book_time: VenueMs(0),
            book_recv: Ns(0),
            oracle_recv: Ns(0),
            oracle_changed: Ns(0),
            oracle_moves: 0,
        }
    }

    /// Edge of a buy at the best ask; `None` without oracle or ask.
    pub fn buy_edge(&self) -> Option<Edge> {
        edge::buy_edge(self.oracle?, self.ask?.px)
    }

    /// Edge of a sale at the best bid; `None` without oracle or bid.
    pub fn sell_edge(&self) -> Option<Edge> {
        edge::sell_edge(self.oracle?, self.bid?.px)
    }

    fn set_oracle(&mut self, oracle: Option<Px>, recv: Ns) {
        let (Some(new), Some(old)) = (oracle, self.oracle) else {
            // A first price, or the loss of one, is no move.
            if oracle != self.oracle {
                (self.prev_oracle, self.oracle_moves, self.oracle_changed) = (None, 0, recv);
            }
            self.oracle = oracle;
            return;
        };
        if new == old {
            return;
        }
        let (up, down) = (
            self.oracle_moves.max(0).saturating_add(1),
            self.oracle_moves.min(0).saturating_sub(1),
        );
        self.oracle_moves = if new > old { up } else { down };
        self.prev_oracle = Some(old);
        self.oracle = Some(new);
        self.oracle_changed = recv;
    }
}

/// What became of one piece of market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The market changed, or was confirmed: decide on it.
    Updated(MarketKey),
    /// Older than what the same channel had said: dropped.
    Regressed,
    /// Older than what another channel had said: dropped, and normal.
    Superseded,
    /// A coin that is not tracked.
    Untracked,
}

/// Newest venue time of one channel of one market, and when it was received.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    time: VenueMs,
    recv: Ns,
}

impl Newest {
    /// Whether `time` is older than what still counts as the newest.
    fn outranks(self, time: VenueMs, recv: Ns) -> bool {
        time < self.time && recv <= self.recv.plus_ms(REGRESSION_MS_MAX)
    }
}

#[derive(Debug)]
struct Market {
    spec: Arc<MarketSpec>,
    snapshot: Snapshot,
    /// Per channel, because channels are not ordered among themselves.
    newest_bbo: Newest,
    newest_l2: Newest,
}

/// Every tracked market. Lookups are by the venue's case-sensitive coin name or by asset id.
#[derive(Debug, Default)]
pub struct MarketState {
    markets: Vec<Market>,
    by_coin: FxHashMap<String, usize>,
    by_asset: FxHashMap<u32, usize>,
    dex_index: FxHashMap<String, u16>,
}

impl MarketState {
    /// Adds a market or updates its spec. Other terms under a known asset id start it afresh,
    /// because a venue may recycle ids.
    pub fn set_market(&mut self, spec: MarketSpec) {
        let key = spec.key();
        self.dex_index.insert(spec.dex.clone(), spec.dex_index);
        if let Some(&slot) = self.by_asset.get(&key.asset) {
            let market = &mut self.markets[slot];
            if market.spec.coin != spec.coin || market.spec.key() != key {
                self.by_coin.remove(&market.spec.coin);
                *market = Market::new(spec.clone());
            }
            self.by_coin.insert(spec.coin.clone(), slot);
            market.spec = Arc::new(spec);
            return;
        }
        let slot = self.markets.len();
        self.by_coin.insert(spec.coin.clone(), slot);
        self.by_asset.insert(key.asset, slot);
        self.markets.push(Market::new(spec));
    }

    /// Takes a new touch.
    pub fn apply_bbo(&mut self, bbo: &Bbo<'_>, recv: Ns) -> Applied {
        let Some(market) = self.by_coin(&bbo.coin) else {
            return Applied::Untracked;
        };
        if market.newest_bbo.outranks(bbo.time, recv) {
            return Applied::Regressed;
        }
        market.newest_bbo = Newest { time: bbo.time, recv };
        let [bid, ask] = &bbo.bbo;
        market.set_touch(bid.as_ref(), ask.as_ref(), bbo.time, recv)
    }

    /// Takes the best levels of a ladder as the touch.
    pub fn apply_l2book(&mut self, book: &L2Book<'_>, recv: Ns) -> Applied {
        let Some(market) = self.by_coin(&book.coin) else {
            return Applied::Untracked;
        };
        if market.newest_l2.outranks(book.time, recv) {
            return Applied::Regressed;
        }
        market.newest_l2 = Newest { time: book.time, recv };
        let [bids, asks] = &book.levels;
        market.set_touch(bids.first(), asks.first(), book.time, recv)
    }

    /// Takes an asset context by coin; contexts carry no time, their age is that of the receipt.
    pub fn apply_ctx(&mut self, coin: &str, ctx: &AssetCtx<'_>, recv: Ns) -> Applied {
        match self.by_coin(coin) {
            Some(market) => market.set_ctx(ctx, recv),
            None => Applied::Untracked,
        }
    }

    /// Takes the asset context at a position in the universe of a dex.
    pub fn apply_ctx_at(&mut self, dex: &str, position: usize, ctx: &AssetCtx<'_>, recv: Ns) -> Applied {
        let asset = self.dex_index.get(dex).and_then(|&dex| asset_id(dex, position));
        match asset.and_then(|asset| self.by_asset.get(&asset)) {
            Some(&slot) => self.markets[slot].set_ctx(ctx, recv),
            None => Applied::Untracked,
        }
    }

    /// The market as last seen; `None` when it is not tracked.
    pub fn get_snapshot(&self, key: MarketKey) -> Option<Snapshot> {
        self.market(key).map(|market| market.snapshot)
    }

    /// The terms of a market.
    pub fn get_spec(&self, key: MarketKey) -> Option<Arc<MarketSpec>> {
        self.market(key).map(|market| Arc::clone(&market.spec))
    }

    /// The key of an asset id.
    pub fn key_of_asset(&self, asset: u32) -> Option<MarketKey> {
        self.by_asset.get(&asset).map(|&slot| self.markets[slot].spec.key())
    }

    /// The key of a coin; case matters.
    pub fn key_of_coin(&self, coin: &str) -> Option<MarketKey> {
        self.by_coin.get(coin).map(|&slot| self.markets[slot].spec.key())
    }

    /// The position of a dex in `perpDexs`, known as soon as one of its markets is tracked.
    pub fn index_of_dex(&self, dex: &str) -> Option<u16> {
        self.dex_index.get(dex).copied()
    }

    fn market(&self, key: MarketKey) -> Option<&Market> {
        self.by_asset
            .get(&key.asset)
            .map(|&slot| &self.markets[slot])
            .filter(|market| market.spec.key() == key)
    }

    fn by_coin(&mut self, coin: &str) -> Option<&mut Market> {
        self.by_coin.get(coin).map(|&slot| &mut self.markets[slot])
    }
}

impl Market {
    fn new(spec: MarketSpec) -> Self {
        let snapshot = Snapshot::empty(spec.key());
        Self {
            spec: Arc::new(spec),
            snapshot,
            newest_bbo: Newest::default(),
            newest_l2: Newest::default(),
        }
    }

    fn set_touch(
        &mut self,
        bid: Option<&BookLevel<'_>>,
        ask: Option<&BookLevel<'_>>,
        time: VenueMs,
        recv: Ns,
    ) -> Applied {
        let book = Newest {
            time: self.snapshot.book_time,
            recv: self.snapshot.book_recv,
        };
        if book.outranks(time, recv) {
            return Applied::Superseded;
        }
        self.snapshot.bid = bid.map(Level::from);
        self.snapshot.ask = ask.map(Level::from);
        self.snapshot.book_time = time;
        self.snapshot.book_recv = recv;
        Applied::Updated(self.snapshot.key)
    }

    fn set_ctx(&mut self, ctx: &AssetCtx<'_>, recv: Ns) -> Applied {
        self.snapshot.set_oracle(ctx.oracle_px.0, recv);
        self.snapshot.mark = ctx.mark_px.0;
        self.snapshot.open_interest = ctx.open_interest.0;
        self.snapshot.oracle_recv = recv;
        Applied::Updated(self.snapshot.key)
    }
}

/// The asset id of a position in the universe of a dex; `None` beyond the range of the scheme.
fn asset_id(dex: u16, position: usize) -> Option<u32> {
    let position = u32::try_from(position).ok().filter(|&position| position < 10_000)?;
    Some(if dex == 0 {
        position
    } else {
        100_000 + 10_000 * u32::from(dex) + position
    })
}
