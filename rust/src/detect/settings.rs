//! Conditions of an entry as they are configured.

use serde::Deserialize;

use crate::decimal::{Bps, Ratio, SCALE, Usd};

/// Conditions of an entry. Ages and times in milliseconds, money in dollars.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntrySettings {
    /// Whether entries are made at all.
    pub enabled: bool,
    /// Oldest touch that is traded on.
    pub book_age_ms_max: u64,
    /// Oldest asset context that is traded on.
    pub oracle_age_ms_max: u64,
    /// Edge that must remain after fees both ways and expected slippage.
    pub min_net_edge_bps: Bps,
    /// How far the limit may lie beyond the touch.
    pub slippage_bps: Bps,
    /// Slippage expected over entry and exit together.
    pub slippage_cost_bps: Bps,
    /// Largest distance of the mark from the middle of the book.
    pub mark_mid_bps_max: Bps,
    /// Largest spread as a multiple of the market's own moving average.
    pub spread_ratio_max: Ratio,
    /// Smallest notional displayed at the touch.
    pub touch_notional_usd_min: Usd,
    /// Touch notional from which the size is no longer scaled down.
    pub touch_notional_usd_full: Usd,
    /// Whether the oracle must just have moved in favour of the trade.
    pub require_oracle_move: bool,
    /// How recent such a move must be.
    pub oracle_move_ms_max: u64,
    /// Rest after a position was left.
    pub cooldown_ms: u64,
    /// Pause of a market after an entry order that came to nothing.
    pub retry_ms: u64,
    /// Share of the displayed size that is taken.
    pub sizing_alpha: Ratio,
    /// Largest share of the market's open interest.
    pub oi_share_max: Ratio,
    /// Largest notional in one market, orders on their way included.
    pub market_notional_usd_max: Usd,
    /// Largest notional in all markets, orders on their way included.
    pub total_notional_usd_max: Usd,
    /// Most markets held or being entered at once.
    pub positions_max: usize,
    /// The venue's smallest order.
    pub order_notional_usd_min: Usd,
}

impl EntrySettings {
    /// What makes the settings unusable, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let share = |ratio: Ratio| (1..=SCALE).contains(&ratio.0);
        let bps = |bps: Bps| (0..SCALE).contains(&bps.0);
        if !share(self.sizing_alpha) {
            Some("entry.sizing_alpha must be above 0 and at most 1")
        } else if !share(self.oi_share_max) {
            Some("entry.oi_share_max must be above 0 and at most 1")
        } else if self.touch_notional_usd_full.0 <= 0 || self.touch_notional_usd_full < self.touch_notional_usd_min {
            Some("entry.touch_notional_usd_full must be above 0 and at least touch_notional_usd_min")
        } else if !bps(self.slippage_bps) {
            Some("entry.slippage_bps must be at least 0 and below 10000")
        } else if !bps(self.slippage_cost_bps) || !bps(self.min_net_edge_bps) {
            Some("entry.slippage_cost_bps and entry.min_net_edge_bps must be at least 0 and below 10000")
        } else {
            None
        }
    }
}
