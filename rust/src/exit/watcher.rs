//! `ExitWatcher`: from a market update to a claimed flatten order in the channel.
//!
//! Asks the one rule, claims, prices the order and hands it over without blocking. Keeps per open
//! position what the rule cannot know: since when it has been due, and how earlier attempts ended.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::claims::{Claim, FlatteningSet};
use super::reason::{ExitPath, ExitReason, ReleaseReason};
use super::rule::{ExitSettings, exit_rule, market_condition, own_side_px};
use crate::decimal::{Bps, Px, Rounding, Sz};
use crate::market::{MarketSpec, Snapshot};
use crate::order::CloidSource;
use crate::position::Position;
use crate::types::{Cloid, MarketKey, Ns, Side};

/// Longest pause between attempts, in ms.
const RETRY_MS_MAX: u64 = 5_000;

/// A reduce-only order that closes a whole position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlattenOrder {
    /// The market.
    pub key: MarketKey,
    /// The venue's full coin name.
    pub coin: String,
    /// Side of the order.
    pub side: Side,
    /// Limit price, on the tick.
    pub px: Px,
    /// Size, on the lot.
    pub sz: Sz,
    /// Holds the claim.
    pub cloid: Cloid,
    /// Why.
    pub reason: ExitReason,
    /// Found by.
    pub path: ExitPath,
    /// When it was decided.
    pub decided: Ns,
    /// Since when it could have been decided.
    pub due: Ns,
    /// Edge of closing at the touch; negative while the book is on the wrong side of the oracle.
    pub edge: Option<Bps>,
}

/// What became of a look at one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is held.
    NoPosition,
    /// No reason to leave.
    Holding,
    /// A reason to leave, but this path is switched off.
    PathOff,
    /// A flatten order is alive.
    Flattening,
    /// The last attempt filled nothing a moment ago.
    BackingOff,
    /// Neither a touch nor an oracle to price the order from, or less than a lot to close.
    NoOrder,
    /// The channel was full: the claim was given back.
    ChannelFull,
    /// The order is in the channel.
    Claimed(FlattenOrder),
}

/// What is remembered of one open position.
#[derive(Clone, Copy, Debug)]
struct Track {
    /// Entry time of the position that this is about.
    entry: Ns,
    /// Since when a market condition has held without a break.
    held_since: Option<Ns>,
    requested: Option<ExitReason>,
    /// Attempts in a row that filled nothing.
    attempts: u32,
    not_before: Ns,
}

impl Track {
    fn of(position: &Position) -> Self {
        Self {
            entry: position.entry,
            held_since: None,
            requested: None,
            attempts: 0,
            not_before: Ns(0),
        }
    }
}

/// A reason to leave and since when it has stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    reason: ExitReason,
    since: Ns,
}

/// See the module's head.
#[derive(Debug)]
pub struct ExitWatcher {
    settings: ExitSettings,
    set: Arc<FlatteningSet>,
    cloids: Arc<CloidSource>,
    channel: Sender<FlattenOrder>,
    tracks: Mutex<FxHashMap<MarketKey, Track>>,
}

impl ExitWatcher {
    /// The watcher, and the other end of its channel.
    pub fn new(
        settings: ExitSettings,
        set: Arc<FlatteningSet>,
        cloids: Arc<CloidSource>,
    ) -> (Self, Receiver<FlattenOrder>) {
        let (channel, orders) = bounded(settings.flatten_queue_max);
        (
            Self {
                settings,
                set,
                cloids,
                channel,
                tracks: Mutex::default(),
            },
            orders,
        )
    }

    /// Looks at one position: the primary path with each update of its market and at its deadlines,
    /// the backup path with each of its rounds. A path that is switched off only remembers since
    /// when an exit has been due.
    pub fn on_market_update(
        &self,
        spec: &MarketSpec,
        market: &Snapshot,
        position: Option<&Position>,
        now: Ns,
        path: ExitPath,
    ) -> Outcome {
        let key = market.key;
        let Some(position) = position else {
            self.tracks.lock().remove(&key);
            return Outcome::NoPosition;
        };
        let (due, track) = {
            let mut tracks = self.tracks.lock();
            let track = fresh_track(&mut tracks, position);
            (self.decide(track, position, market, now), *track)
        };
        let Some(due) = due else {
            return Outcome::Holding;
        };
        let on = match path {
            ExitPath::Primary => self.settings.primary,
            ExitPath::Backup => self.settings.backup,
            ExitPath::Operator => true,
        };
        if !on {
            return Outcome::PathOff;
        }
        if now < track.not_before && path != ExitPath::Operator {
            return Outcome::BackingOff;
        }
        self.flatten(spec, market, position, due, track.attempts, now, path)
    }

    /// Asks for the exit of a position on purpose. The request stands until the position is gone.
    pub fn request(
        &self,
        spec: &MarketSpec,
        market: &Snapshot,
        position: Option<&Position>,
        reason: ExitReason,
        now: Ns,
    ) -> Outcome {
        if let Some(position) = position {
            let mut tracks = self.tracks.lock();
            let track = fresh_track(&mut tracks, position);
            track.requested = Some(track.requested.map_or(reason, |standing| standing.min(reason)));
        }
        self.on_market_update(spec, market, position, now, ExitPath::Operator)
    }

    /// Ends the claim of `key` held by `cloid`; an attempt that filled nothing delays the next.
    pub fn release(&self, key: MarketKey, cloid: Cloid, reason: ReleaseReason, now: Ns) -> bool {
        let released = self.set.release(key, cloid, reason);
        if released {
            if let Some(track) = self.tracks.lock().get_mut(&key) {
                self.note_attempt(track, reason, now);
            }
        }
        released
    }

    /// When the primary path has to look at `position` even if no frame comes: at the end of its
    /// holding time if a market condition holds, at its time stop, at the end of a pause.
    ///
    /// `None` while a claim is alive or the path is off. A time in the past means at once, and does
    /// not come again once the position has been looked at.
    pub fn deadline(&self, position: &Position) -> Option<Ns> {
        if !self.settings.primary || self.set.is_flattening(position.key) {
            return None;
        }
        let track = self.tracks.lock().get(&position.key).copied();
        let track = track
            .filter(|track| track.entry == position.entry)
            .unwrap_or(Track::of(position));
        let time_stop = position.entry.plus_ms(self.settings.time_stop_ms);
        let due = match (track.requested, track.held_since) {
            (Some(_), _) => Ns(0),
            (None, Some(_)) => position.entry.plus_ms(self.settings.min_holding_ms).min(time_stop),
            (None, None) => time_stop,
        };
        Some(due.max(track.not_before))
    }

    /// The claims.
    pub fn set(&self) -> &FlatteningSet {
        &self.set
    }

    /// The reason to leave, and the bookkeeping of since when a market condition has held.
    fn decide(&self, track: &mut Track, position: &Position, market: &Snapshot, now: Ns) -> Option<Due> {
        let holds = market_condition(position, market, &self.settings, now).is_some();
        // A condition first seen by a timer was brought by the newer of the two frames.
        let brought = market.book_recv.max(market.oracle_recv).min(now);
        track.held_since = holds.then(|| track.held_since.unwrap_or(brought));
        let urgent = track.requested.filter(|reason| *reason < ExitReason::MarkRegression);
        let reason = urgent
            .or_else(|| exit_rule(position, market, &self.settings, now))
            .or(track.requested)?;
        let since = match reason {
            ExitReason::TimeStop => position.entry.plus_ms(self.settings.time_stop_ms),
            ExitReason::HardStop | ExitReason::Operator => now,
            _ => track
                .held_since
                .unwrap_or(now)
                .max(position.entry.plus_ms(self.settings.min_holding_ms)),
        };
        // After a pause an attempt is due at its end, not at the time of the first attempt.
        Some(Due {
            reason,
            since: since.max(track.not_before).min(now),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one decision, already taken apart")]
    fn flatten(
        &self,
        spec: &MarketSpec,
        market: &Snapshot,
        position: &Position,
        due: Due,
        attempts: u32,
        now: Ns,
        path: ExitPath,
    ) -> Outcome {
        let key = market.key;
        if self.set.is_flattening(key) {
            return Outcome::Flattening;
        }
        let side = position.closing_side();
        let sz = Sz(position.szi.0.saturating_abs()).on_lot(spec.sz_decimals);
        let px = self.flatten_px(market, position, attempts, spec.sz_decimals, now);
        let (Some(px), true) = (px, sz.0 > 0) else {
            self.pause(key, now);
            return Outcome::NoOrder;
        };
        let cloid = self.cloids.draw();
        let Due { reason, since } = due;
        let lease_until = now.plus_ms(self.settings.claim_lease_ms);
        if !self.set.try_claim(
            key,
            Claim {
                cloid,
                reason,
                path,
                claimed: now,
                lease_until,
            },
        ) {
            return Outcome::Flattening;
        }
        let edge = if side.is_buy() {
            market.buy_edge()
        } else {
            market.sell_edge()
        };
        let order = FlattenOrder {
            key,
            coin: spec.coin.clone(),
            side,
            px,
            sz,
            cloid,
            reason,
            path,
            decided: now,
            due: since,
            edge: edge.map(crate::edge::Edge::to_bps),
        };
        if self.channel.try_send(order.clone()).is_err() {
            self.set.release(key, cloid, ReleaseReason::ChannelFull);
            self.pause(key, now);
            return Outcome::ChannelFull;
        }
        Outcome::Claimed(order)
    }

    /// The limit of a flatten order: beyond the touch while that is fresh, else beyond the oracle,
    /// else beyond whatever was seen last, because a position is not kept for want of a fresh price.
    fn flatten_px(
        &self,
        market: &Snapshot,
        position: &Position,
        attempts: u32,
        sz_decimals: u32,
        now: Ns,
    ) -> Option<Px> {
        let book_fresh = now <= market.book_recv.plus_ms(self.settings.book_age_ms_max);
        let oracle_fresh = now <= market.oracle_recv.plus_ms(self.settings.oracle_age_ms_max);
        let touch = own_side_px(position, market);
        let oracle = market.oracle.filter(|px| px.0 > 0);
        let base = (touch.filter(|_| book_fresh))
            .or(oracle.filter(|_| oracle_fresh))
            .or(touch)
            .or(oracle)?;
        let first = self.settings.flatten_slippage_bps.0;
        let slippage = first
            .saturating_mul(1 << attempts.min(16))
            .min(self.settings.flatten_slippage_max_bps.0);
        let px = match position.closing_side() {
            Side::Buy => base.moved_by(Bps(slippage)).on_tick(sz_decimals, Rounding::Up),
            Side::Sell => base.moved_by(Bps(-slippage)).on_tick(sz_decimals, Rounding::Down),
        };
        (px.0 > 0).then_some(px)
    }

    /// Puts the next look off, so that what cannot be done now is not tried with every frame.
    fn pause(&self, key: MarketKey, now: Ns) {
        if let Some(track) = self.tracks.lock().get_mut(&key) {
            track.not_before = now.plus_ms(self.settings.flatten_retry_ms);
        }
    }

    fn note_attempt(&self, track: &mut Track, reason: ReleaseReason, now: Ns) {
        if reason.is_progress() {
            (track.attempts, track.not_before) = (0, Ns(0));
            return;
        }
        let pause_ms = self
            .settings
            .flatten_retry_ms
            .saturating_mul(1 << track.attempts.min(16))
            .min(RETRY_MS_MAX);
        track.attempts = track.attempts.saturating_add(1);
        track.not_before = now.plus_ms(pause_ms);
    }
}

/// The track of `position`; one of an earlier position in the market is begun afresh.
fn fresh_track<'a>(tracks: &'a mut FxHashMap<MarketKey, Track>, position: &Position) -> &'a mut Track {
    let track = tracks.entry(position.key).or_insert_with(|| Track::of(position));
    if track.entry != position.entry {
        *track = Track::of(position);
    }
    track
}
