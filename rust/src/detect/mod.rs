//! Whether a market may be entered now, at which price and in which size, or the reason why not.
//!
//! Owns the conditions, the spread averages and cool-downs per market, and the count of each
//! refusal. Sends nothing and reserves nothing: the engine turns a signal into an order. The usual
//! answer is [`Refusal::NoEdge`]; it comes first and costs two multiplications.

mod refusal;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use crate::decimal::{Bps, Px, Ratio, Rounding, SCALE, Sz, Usd, notional, size_for};
use crate::edge::Edge;
use crate::market::{Level, MarketSpec, Snapshot};
use crate::position::Exposure;
use crate::types::{MarketKey, Ns, Side};
pub use refusal::Refusal;
pub use schedule::Schedule;
pub use settings::EntrySettings;

/// An entry that meets every condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySignal {
    /// The market.
    pub key: MarketKey,
    /// Direction of the order.
    pub side: Side,
    /// Limit price, on the tick grid.
    pub px: Px,
    /// Size, on the lot grid.
    pub sz: Sz,
    /// Gross edge at the touch, rounded down.
    pub edge: Bps,
    /// Edge less fees both ways and expected slippage.
    pub net_edge: Bps,
    /// The oracle price.
    pub oracle: Px,
    /// Size at the worse of limit and touch.
    pub notional: Usd,
    /// Age of the touch, in milliseconds.
    pub book_age_ms: u64,
    /// Age of the asset context, in milliseconds.
    pub oracle_age_ms: u64,
}

/// Bits of fraction in a spread average.
const SPREAD_FRACTION: u32 = 12;
/// Weight of a new spread in the average: 1/32, so it spans some seconds of a busy market.
const SPREAD_SHIFT: u32 = 5;

/// What is remembered of one market.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// Average spread including the last touch, and without it, as a fraction of the middle in
    /// [`Bps`] units with [`SPREAD_FRACTION`] more bits; zero when none was seen.
    spread: i64,
    spread_before: i64,
    cooldown_until: Ns,
}

/// A touch with both sides and its oracle.
#[derive(Clone, Copy)]
struct Quote {
    bid: Level,
    ask: Level,
    oracle: Px,
}

impl Quote {
    fn of(snapshot: &Snapshot) -> Result<Self, Refusal> {
        let (Some(bid), Some(ask)) = (snapshot.bid, snapshot.ask) else {
            return Err(Refusal::OneSided);
        };
        let oracle = snapshot.oracle.ok_or(Refusal::NoOracle)?;
        Ok(Self { bid, ask, oracle })
    }

    fn touch(&self, side: Side) -> Level {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }
}

/// The side whose edge reaches the market's threshold, with the edge.
///
/// Of a crossed book both sides may; the buy is named then, and the crossing refused later.
pub fn find_edge(spec: &MarketSpec, snapshot: &Snapshot) -> Result<(Side, Edge), Refusal> {
    let reaches = |edge: &Edge| edge.at_least(spec.entry_threshold_bps);
    let buy = snapshot.buy_edge().filter(reaches).map(|edge| (Side::Buy, edge));
    let found = buy.or_else(|| snapshot.sell_edge().filter(reaches).map(|edge| (Side::Sell, edge)));
    found.ok_or(Refusal::NoEdge)
}

/// Applies the conditions of an entry to every market update and counts what it refuses.
#[derive(Debug)]
pub struct Detector {
    settings: EntrySettings,
    blackouts: Vec<Schedule>,
    /// The operator's switch, beside that of the settings.
    allowed: bool,
    memory: FxHashMap<MarketKey, Memory>,
    refused: FxHashMap<Refusal, u64>,
}

impl Detector {
    /// A detector that has seen nothing. The settings must be without [`EntrySettings::fault`]; markets name
    /// their blackout by its place.
    pub fn new(settings: EntrySettings, blackouts: Vec<Schedule>) -> Self {
        Self {
            settings,
            blackouts,
            allowed: true,
            memory: FxHashMap::default(),
            refused: FxHashMap::default(),
        }
    }

    /// Other settings and blackouts from here on; what is remembered of markets stays.
    pub fn replace(&mut self, settings: EntrySettings, blackouts: Vec<Schedule>) {
        self.settings = settings;
        self.blackouts = blackouts;
    }

    /// The operator's switch of entries; on, it brings back only what the settings allow.
    pub fn set_allowed(&mut self, allowed: bool) {
        self.allowed = allowed;
    }

    /// Takes the spread of a new touch into the market's average; once per touch.
    pub fn record_touch(&mut self, snapshot: &Snapshot) {
        let (Some(bid), Some(ask)) = (snapshot.bid, snapshot.ask) else {
            return;
        };
        let spread = spread(bid.px, ask.px);
        if spread < 0 {
            return;
        }
        let memory = self.memory.entry(snapshot.key).or_default();
        if memory.spread == 0 {
            memory.spread = spread;
        }
        memory.spread_before = memory.spread;
        memory.spread += (spread - memory.spread) >> SPREAD_SHIFT;
    }

    /// Starts the rest of a market whose position was left.
    pub fn note_exit(&mut self, key: MarketKey, now: Ns) {
        self.memory.entry(key).or_default().cooldown_until = now.plus_ms(self.settings.cooldown_ms);
    }

    /// Starts the pause of a market in which an entry order came to nothing.
    pub fn note_miss(&mut self, key: MarketKey, now: Ns) {
        let until = &mut self.memory.entry(key).or_default().cooldown_until;
        *until = (*until).max(now.plus_ms(self.settings.retry_ms));
    }

    /// Counts a refusal, also one that was found outside.
    pub fn refuse(&mut self, refusal: Refusal) -> Refusal {
        *self.refused.entry(refusal).or_default() += 1;
        refusal
    }

    /// How often each refusal was given.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::ALL
            .iter()
            .map(|refusal| (refusal.code(), self.refused.get(refusal).copied().unwrap_or(0)))
    }

    /// The entry that a market offers at `now`, or the first condition that it fails.
    pub fn check_dislocations(
        &mut self,
        spec: &MarketSpec,
        snapshot: &Snapshot,
        exposure: &Exposure,
        now: Ns,
    ) -> Result<EntrySignal, Refusal> {
        self.check(spec, snapshot, exposure, now)
            .map_err(|refusal| self.refuse(refusal))
    }

    fn check(
        &self,
        spec: &MarketSpec,
        snapshot: &Snapshot,
        exposure: &Exposure,
        now: Ns,
    ) -> Result<EntrySignal, Refusal> {
        let (side, edge) = find_edge(spec, snapshot)?;
        let quote = Quote::of(snapshot)?;
        ensure(self.settings.enabled && self.allowed, Refusal::EntriesOff)?;
        ensure(spec.entry_enabled, Refusal::MarketOff)?;
        ensure(!self.is_blacked_out(spec, now), Refusal::BlackedOut)?;
        ensure(quote.bid.px < quote.ask.px, Refusal::CrossedBook)?;
        let book_age_ms = now.since(snapshot.book_recv) / 1_000_000;
        let oracle_age_ms = now.since(snapshot.oracle_recv) / 1_000_000;
        ensure(book_age_ms <= self.settings.book_age_ms_max, Refusal::StaleBook)?;
        ensure(oracle_age_ms <= self.settings.oracle_age_ms_max, Refusal::StaleOracle)?;
        let cost = self.cost(spec);
        ensure(
            edge.at_least(Bps(cost.0 + self.settings.min_net_edge_bps.0)),
            Refusal::NetEdge,
        )?;
        self.check_quality(snapshot, &quote, side, now)?;
        self.check_exposure(exposure)?;
        let px = self.limit_px(spec, &quote, side)?;
        let sz = self.size(spec, snapshot, quote.touch(side), px, exposure)?;
        let edge = edge.to_bps();
        Ok(EntrySignal {
            key: snapshot.key,
            side,
            px,
            sz,
            edge,
            net_edge: Bps(edge.0 - cost.0),
            oracle: quote.oracle,
            notional: notional(px.max(quote.touch(side).px), sz),
            book_age_ms,
            oracle_age_ms,
        })
    }

    /// A market that names a blackout which is not there is out: what it was told is not known.
    fn is_blacked_out(&self, spec: &MarketSpec, now: Ns) -> bool {
        spec.blackout
            .is_some_and(|place| self.blackouts.get(place).is_none_or(|schedule| schedule.covers(now)))
    }

    /// Fees of entry and exit and the slippage expected.
    fn cost(&self, spec: &MarketSpec) -> Bps {
        Bps(2 * spec.taker_fee_bps.0 + self.settings.slippage_cost_bps.0)
    }

    /// Mark, spread, depth, oracle move, rest.
    fn check_quality(&self, snapshot: &Snapshot, quote: &Quote, side: Side, now: Ns) -> Result<(), Refusal> {
        let settings = &self.settings;
        let twice_mid = i128::from(quote.bid.px.0) + i128::from(quote.ask.px.0);
        let mark = snapshot.mark.ok_or(Refusal::NoMark)?;
        let distance = (2 * i128::from(mark.0) - twice_mid).abs();
        let near = distance * i128::from(SCALE) <= i128::from(settings.mark_mid_bps_max.0) * twice_mid;
        ensure(near, Refusal::MarkFar)?;
        let memory = self.memory.get(&snapshot.key).copied().unwrap_or_default();
        let narrow = i128::from(spread(quote.bid.px, quote.ask.px)) * i128::from(SCALE)
            <= i128::from(memory.spread_before) * i128::from(settings.spread_ratio_max.0);
        ensure(narrow, Refusal::WideSpread)?;
        let touch = quote.touch(side);
        ensure(
            notional(touch.px, touch.sz) >= settings.touch_notional_usd_min,
            Refusal::ThinTouch,
        )?;
        if settings.require_oracle_move {
            let favourable = if side.is_buy() {
                snapshot.oracle_moves > 0
            } else {
                snapshot.oracle_moves < 0
            };
            let recent = now <= snapshot.oracle_changed.plus_ms(settings.oracle_move_ms_max);
            ensure(favourable && recent, Refusal::NoOracleMove)?;
        }
        ensure(now >= memory.cooldown_until, Refusal::Cooldown)
    }

    /// What is held or on its way.
    fn check_exposure(&self, exposure: &Exposure) -> Result<(), Refusal> {
        let settings = &self.settings;
        ensure(!exposure.has_position, Refusal::PositionOpen)?;
        ensure(!exposure.entry_pending, Refusal::EntryPending)?;
        ensure(exposure.open_markets < settings.positions_max, Refusal::PositionsMax)?;
        ensure(
            exposure.market_usd < settings.market_notional_usd_max,
            Refusal::MarketCap,
        )?;
        ensure(exposure.total_usd < settings.total_notional_usd_max, Refusal::TotalCap)
    }

    /// The better of touch plus slippage and the price at which the net edge would be gone, on the
    /// tick grid towards the better.
    fn limit_px(&self, spec: &MarketSpec, quote: &Quote, side: Side) -> Result<Px, Refusal> {
        let touch = quote.touch(side).px;
        let spent = self.cost(spec).0 + self.settings.min_net_edge_bps.0;
        let slipped = |sign: i64| scaled(touch, SCALE + sign * self.settings.slippage_bps.0, sign < 0);
        let px = match side {
            Side::Buy => {
                let worst = slipped(1).min(scaled(quote.oracle, SCALE - spent, false));
                worst.on_tick(spec.sz_decimals, Rounding::Down)
            }
            Side::Sell => {
                let worst = slipped(-1).max(scaled(quote.oracle, SCALE + spent, true));
                worst.on_tick(spec.sz_decimals, Rounding::Up)
            }
        };
        let reachable = if side.is_buy() { px >= touch } else { px <= touch };
        ensure(reachable, Refusal::NoPrice)?;
        Ok(px)
    }

    /// Every cap, then the lot, and only then the venue's minimum.
    fn size(
        &self,
        spec: &MarketSpec,
        snapshot: &Snapshot,
        touch: Level,
        px: Px,
        exposure: &Exposure,
    ) -> Result<Sz, Refusal> {
        let settings = &self.settings;
        let share = share_of(touch.sz, settings.sizing_alpha);
        let displayed = notional(touch.px, touch.sz).min(settings.touch_notional_usd_full);
        let scaled = i128::from(share.0) * i128::from(displayed.0) / i128::from(settings.touch_notional_usd_full.0);
        let scaled = Sz(i64::try_from(scaled).unwrap_or(i64::MAX));
        let open_interest = snapshot.open_interest.ok_or(Refusal::NoOpenInterest)?;
        let usd = spec
            .max_notional_usd
            .min(Usd(settings.market_notional_usd_max.0 - exposure.market_usd.0))
            .min(Usd(settings.total_notional_usd_max.0 - exposure.total_usd.0));
        let sz = scaled
            .min(size_for(usd, px.max(touch.px)))
            .min(share_of(open_interest, settings.oi_share_max))
            .min(touch.sz)
            .on_lot(spec.sz_decimals);
        // The venue counts at the limit price.
        let enough = sz.0 > 0 && notional(px, sz) >= settings.order_notional_usd_min;
        ensure(enough, Refusal::BelowMinimum)?;
        Ok(sz)
    }
}

/// Spread over middle in [`Bps`] units with [`SPREAD_FRACTION`] more bits.
fn spread(bid: Px, ask: Px) -> i64 {
    let (bid, ask) = (i128::from(bid.0), i128::from(ask.0));
    let scaled = (ask - bid) * 2 * i128::from(SCALE) * (1 << SPREAD_FRACTION) / (bid + ask).max(1);
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// `px * factor / SCALE`, rounded up or down to the unit.
fn scaled(px: Px, factor: i64, up: bool) -> Px {
    let product = i128::from(px.0) * i128::from(factor.max(0));
    let whole = product / i128::from(SCALE) + i128::from(up && product % i128::from(SCALE) != 0);
    Px(i64::try_from(whole).unwrap_or(i64::MAX))
}

/// `sz * ratio`, truncated.
fn share_of(sz: Sz, ratio: Ratio) -> Sz {
    let product = i128::from(sz.0) * i128::from(ratio.0) / i128::from(SCALE);
    Sz(i64::try_from(product).unwrap_or(i64::MAX))
}
