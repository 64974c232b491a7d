//! The one exit rule, pure: a position, a market and a time give a reason to leave, or none.
//!
//! Both paths and every replay decide here. Conditions on prices are compared by cross
//! multiplication, so they hold exactly or not at all.

use serde::Deserialize;

use super::reason::ExitReason;
use crate::decimal::{Bps, Px, SCALE, parse_fixed};
use crate::market::Snapshot;
use crate::position::Position;
use crate::types::{Ns, Side};

/// A share of one in units of `10^-8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub i64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let units = parse_fixed(&text, 8, false).map_err(|e| serde::de::Error::custom(format!("{e}: {text:?}")))?;
        Ok(Self(units))
    }
}

/// Leave with a profit of so much over the entry price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuickProfit {
    /// Off by default.
    pub enabled: bool,
    /// Profit at our side of the touch, gross of fees.
    pub profit_bps: Bps,
}

/// Leave when little is left of the edge that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeEvaporated {
    /// Off by default.
    pub enabled: bool,
    /// Share of the entry edge at or below which the distance from book to oracle counts as gone.
    pub fraction: Share,
}

/// Leave when the oracle turns against the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleReversal {
    /// Off by default.
    pub enabled: bool,
    /// Consecutive oracle moves against the position, the last of them after the entry.
    pub moves: u16,
}

/// Options of the exits. Ages and periods in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitSettings {
    /// Exits on market data.
    pub primary: bool,
    /// Exits by the timer over all positions.
    pub backup: bool,
    /// Distance from book to oracle at which both have met again.
    pub exit_threshold_bps: Bps,
    /// No exit on a market condition before a position is this old.
    pub min_holding_ms: u64,
    /// Exit of a position this old, whatever the market.
    pub time_stop_ms: u64,
    /// Older touches satisfy no market condition.
    pub book_age_ms_max: u64,
    /// Older asset contexts satisfy no market condition.
    pub oracle_age_ms_max: u64,
    /// See [`QuickProfit`].
    pub quick_profit: QuickProfit,
    /// See [`EdgeEvaporated`].
    pub edge_evaporated: EdgeEvaporated,
    /// See [`OracleReversal`].
    pub oracle_reversal: OracleReversal,
    /// How far beyond the touch a first flatten order may fill.
    pub flatten_slippage_bps: Bps,
    /// The same for later attempts at most: it doubles with each attempt that filled nothing.
    pub flatten_slippage_max_bps: Bps,
    /// Pause after a first attempt that filled nothing; doubles with each further one.
    pub flatten_retry_ms: u64,
    /// Flatten orders that may wait for the sender.
    pub flatten_queue_max: usize,
    /// Lifetime of a claim before an inquiry is due.
    pub claim_lease_ms: u64,
}

impl ExitSettings {
    /// What makes the options unusable, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        if self.exit_threshold_bps.0.abs() >= SCALE {
            Some("exit_threshold_bps must be within 10000")
        } else if self.time_stop_ms < self.min_holding_ms {
            Some("time_stop_ms is below min_holding_ms")
        } else if !(0..SCALE).contains(&self.flatten_slippage_bps.0) || self.flatten_slippage_max_bps.0 >= SCALE {
            Some("flatten slippage must be from 0 to below 10000 bps")
        } else if self.flatten_slippage_max_bps < self.flatten_slippage_bps {
            Some("flatten_slippage_max_bps is below flatten_slippage_bps")
        } else if self.flatten_queue_max == 0 || self.flatten_retry_ms == 0 || self.claim_lease_ms == 0 {
            Some("flatten_queue_max, flatten_retry_ms and claim_lease_ms must be above 0")
        } else if !(0..SCALE).contains(&self.quick_profit.profit_bps.0) {
            Some("quick_profit.profit_bps must be from 0 to below 10000")
        } else if !(0..=SCALE).contains(&self.edge_evaporated.fraction.0) {
            Some("edge_evaporated.fraction must be from 0 to 1")
        } else if self.oracle_reversal.moves == 0 {
            Some("oracle_reversal.moves must be above 0")
        } else {
            None
        }
    }
}

/// Why to leave `position` now, in order of precedence; `None` to stay.
pub fn exit_rule(position: &Position, market: &Snapshot, settings: &ExitSettings, now: Ns) -> Option<ExitReason> {
    if now >= position.entry.plus_ms(settings.min_holding_ms) {
        if let Some(reason) = market_condition(position, market, settings, now) {
            return Some(reason);
        }
    }
    (now >= position.entry.plus_ms(settings.time_stop_ms)).then_some(ExitReason::TimeStop)
}

/// The part of the rule that looks at the market, as if the position were old enough.
///
/// Nothing holds on a stale or crossed book or a stale oracle, and an absent side satisfies nothing.
pub fn market_condition(
    position: &Position,
    market: &Snapshot,
    settings: &ExitSettings,
    now: Ns,
) -> Option<ExitReason> {
    let fresh = now <= market.book_recv.plus_ms(settings.book_age_ms_max)
        && now <= market.oracle_recv.plus_ms(settings.oracle_age_ms_max);
    let crossed = matches!((market.bid, market.ask), (Some(bid), Some(ask)) if bid.px > ask.px);
    let oracle = market.oracle.filter(|oracle| oracle.0 > 0)?;
    let touch = own_side_px(position, market)?;
    if !fresh || crossed {
        return None;
    }
    let gap = Gap::of(position.closing_side(), touch, oracle);
    if gap.at_most(i128::from(settings.exit_threshold_bps.0), i128::from(SCALE)) {
        return Some(ExitReason::MarkRegression);
    }
    if settings.quick_profit.enabled && profit_reached(position, touch, settings.quick_profit.profit_bps) {
        return Some(ExitReason::QuickProfit);
    }
    if let Some(edge) = position.entry_edge.filter(|_| settings.edge_evaporated.enabled) {
        let left = i128::from(edge.0) * i128::from(settings.edge_evaporated.fraction.0);
        if gap.at_most(left, i128::from(SCALE) * i128::from(SCALE)) {
            return Some(ExitReason::EdgeEvaporated);
        }
    }
    let reversed = settings.oracle_reversal.enabled && oracle_turned(position, market, oracle, settings);
    reversed.then_some(ExitReason::OracleReversal)
}

/// The price at which the position could be closed: the bid for a long one, the ask for a short one.
pub fn own_side_px(position: &Position, market: &Snapshot) -> Option<Px> {
    let level = match position.closing_side() {
        Side::Sell => market.bid,
        Side::Buy => market.ask,
    };
    level.map(|level| level.px).filter(|px| px.0 > 0)
}

/// How far the closing price still is on the wrong side of the oracle: a fraction of the oracle.
struct Gap {
    num: i128,
    oracle: Px,
}

impl Gap {
    fn of(closing: Side, touch: Px, oracle: Px) -> Self {
        let sign = if closing.is_buy() { -1 } else { 1 };
        Self {
            num: sign * (i128::from(oracle.0) - i128::from(touch.0)),
            oracle,
        }
    }

    /// `num / oracle <= limit / unit`, without division; saturated where no real price can be.
    fn at_most(&self, limit: i128, unit: i128) -> bool {
        self.num.saturating_mul(unit) <= i128::from(self.oracle.0).saturating_mul(limit)
    }
}

fn profit_reached(position: &Position, touch: Px, profit: Bps) -> bool {
    if position.entry_px.0 <= 0 {
        return false;
    }
    let entry = i128::from(position.entry_px.0);
    let touch = i128::from(touch.0) * i128::from(SCALE);
    match position.closing_side() {
        Side::Sell => touch >= entry * i128::from(SCALE + profit.0),
        Side::Buy => touch <= entry * i128::from(SCALE - profit.0),
    }
}

fn oracle_turned(position: &Position, market: &Snapshot, oracle: Px, settings: &ExitSettings) -> bool {
    let moves = i32::from(settings.oracle_reversal.moves);
    let (in_a_row, worse) = match position.closing_side() {
        Side::Sell => (
            market.oracle_moves <= -moves,
            position.entry_oracle.is_none_or(|entry| oracle < entry),
        ),
        Side::Buy => (
            market.oracle_moves >= moves,
            position.entry_oracle.is_none_or(|entry| oracle > entry),
        ),
    };
    in_a_row && worse && market.oracle_changed > position.entry
}
