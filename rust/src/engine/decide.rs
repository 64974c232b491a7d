//! From a change of state to decisions: exits first, then entries; and exits on time alone.

use std::sync::Arc;

use super::event::{Entry, Event};
use super::record::count;
use super::{Decisions, Engine};
use crate::detect::{Refusal, find_edge};
use crate::exit::{ExitPath, ExitReason, Outcome};
use crate::market::{Applied, MarketSpec, Snapshot};
use crate::position::{Position, PositionTracker};
use crate::types::{Cloid, MarketKey, Ns};

/// How long the fill of an entry that the venue called filled is awaited, in milliseconds; after
/// that the account states decide what is held.
const FILL_WAIT_MS: u64 = 10_000;

/// What a frame brought of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A touch of the `bbo` channel: the only one that moves the spread average.
    Touch,
    /// Anything else.
    Other,
}

/// One market as it is to be decided on.
struct Look {
    spec: Arc<MarketSpec>,
    snapshot: Snapshot,
}

impl Engine {
    pub(super) fn on_applied(&self, applied: Applied, seen: Seen, recv: Ns) -> Vec<Event> {
        match applied {
            Applied::Updated(key) => return self.on_markets(&[key], seen, recv),
            Applied::Regressed => count(&self.counts.frames_regressed),
            Applied::Superseded => count(&self.counts.frames_superseded),
            Applied::Untracked => count(&self.counts.frames_untracked),
        }
        Vec::new()
    }

    /// Decides on markets that changed: all exits, then entries.
    pub(super) fn on_markets(&self, keys: &[MarketKey], seen: Seen, recv: Ns) -> Vec<Event> {
        let looks: Vec<Look> = keys.iter().filter_map(|key| self.look(*key)).collect();
        {
            let positions = self.positions.read();
            for look in &looks {
                count(&self.counts.updates);
                self.watch(
                    look,
                    positions.get_position(look.snapshot.key).as_ref(),
                    recv,
                    ExitPath::Primary,
                );
            }
        }
        looks
            .iter()
            .filter_map(|look| self.consider_entry(look, seen, recv))
            .map(Event::Entry)
            .collect()
    }

    fn look(&self, key: MarketKey) -> Option<Look> {
        let markets = self.markets.read();
        Some(Look {
            spec: markets.get_spec(key)?,
            snapshot: markets.get_snapshot(key)?,
        })
    }

    /// Asks the watcher about one position; the caller holds the positions. True when it claimed.
    fn watch(&self, look: &Look, position: Option<&Position>, now: Ns, path: ExitPath) -> bool {
        let outcome = self
            .watcher
            .on_market_update(&look.spec, &look.snapshot, position, now, path);
        self.note_outcome(&outcome)
    }

    fn note_outcome(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Claimed(order) => self.decisions.lock().decided.exit(order),
            Outcome::ChannelFull => count(&self.counts.flatten_channel_full),
            _ => {}
        }
        matches!(outcome, Outcome::Claimed(_))
    }

    /// Records the edges of a market, and reserves the entry that it offers, if any.
    fn consider_entry(&self, look: &Look, seen: Seen, recv: Ns) -> Option<Entry> {
        let Look { spec, snapshot } = look;
        {
            let mut decisions = self.decisions.lock();
            decisions
                .edges
                .record_edge(snapshot.key, snapshot.buy_edge(), snapshot.sell_edge());
            if seen == Seen::Touch {
                decisions.detector.record_touch(snapshot);
            }
            // The usual case ends here, before the positions are locked for writing.
            if let Err(refusal) = find_edge(spec, snapshot) {
                decisions.detector.refuse(refusal);
                return None;
            }
        }
        let mut positions = self.positions.write();
        let mut decisions = self.decisions.lock();
        self.enter(look, &mut positions, &mut decisions, recv)
    }

    fn enter(
        &self,
        Look { spec, snapshot }: &Look,
        positions: &mut PositionTracker,
        decisions: &mut Decisions,
        now: Ns,
    ) -> Option<Entry> {
        let key = snapshot.key;
        let exposure = positions.exposure(key);
        let signal = decisions
            .detector
            .check_dislocations(spec, snapshot, &exposure, now)
            .ok()?;
        let refusal = if !positions.is_adopted(key.dex) {
            Some(Refusal::AccountUnknown)
        } else if self.watcher.set().is_flattening(key) {
            Some(Refusal::Flattening)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            decisions.detector.refuse(refusal);
            return None;
        }
        let cloid = self.cloids.draw();
        if !positions.reserve_entry(cloid, key, signal.notional, signal.sz, signal.edge, signal.oracle) {
            decisions.detector.refuse(Refusal::PositionsMax);
            return None;
        }
        let entry = Entry {
            key,
            coin: spec.coin.clone(),
            side: signal.side,
            px: signal.px,
            sz: signal.sz,
            cloid,
            edge: signal.edge,
            net_edge: signal.net_edge,
            oracle: signal.oracle,
            notional: signal.notional,
            book_age_ms: signal.book_age_ms,
            oracle_age_ms: signal.oracle_age_ms,
            decided: now,
        };
        decisions.decided.entry(&entry);
        Some(entry)
    }

    /// Ends the reservation of an entry whose order is over; false when there was none.
    ///
    /// An order that `filled` keeps its reservation until its first fill has come, since the answer
    /// may overtake the fill and the market would look free in between.
    pub fn settle_entry(&self, cloid: Cloid, filled: bool, now: Ns) -> bool {
        let mut positions = self.positions.write();
        match positions.entry_has_fill(cloid) {
            Some(false) if filled => {
                self.decisions.lock().awaited.insert(cloid, now.plus_ms(FILL_WAIT_MS));
                true
            }
            Some(false) => {
                if let Some(key) = positions.entry_key(cloid) {
                    self.decisions.lock().detector.note_miss(key, now);
                }
                positions.settle_entry(cloid)
            }
            _ => positions.settle_entry(cloid),
        }
    }

    /// Settles entries whose fill has come, or has been awaited in vain.
    pub(super) fn settle_awaited(&self, positions: &mut PositionTracker, now: Ns) {
        let mut decisions = self.decisions.lock();
        decisions.awaited.retain(|cloid, until| {
            let over = *until <= now || positions.entry_has_fill(*cloid) != Some(false);
            if over {
                positions.settle_entry(*cloid);
            }
            !over
        });
    }

    /// The primary path without a frame: looks at positions whose holding time or time stop ended,
    /// or whose pause did. Returns the claims made.
    pub fn on_deadline(&self, now: Ns) -> usize {
        self.settle_awaited(&mut self.positions.write(), now);
        let is_due = |position: &Position| self.watcher.deadline(position).is_some_and(|at| at <= now);
        let due: Vec<MarketKey> = self
            .positions
            .read()
            .positions()
            .filter(is_due)
            .map(|position| position.key)
            .collect();
        self.watch_all(&due, now, ExitPath::Primary)
    }

    /// When [`Self::on_deadline`] has to be called next.
    pub fn next_deadline(&self) -> Option<Ns> {
        self.positions
            .read()
            .positions()
            .filter_map(|position| self.watcher.deadline(&position))
            .min()
    }

    /// The backup path: looks at every position. Returns the claims made.
    pub fn sweep_exits(&self, now: Ns) -> usize {
        self.settle_awaited(&mut self.positions.write(), now);
        let open: Vec<MarketKey> = self.positions.read().positions().map(|position| position.key).collect();
        self.watch_all(&open, now, ExitPath::Backup)
    }

    fn watch_all(&self, keys: &[MarketKey], now: Ns, path: ExitPath) -> usize {
        let claims = |key: &&MarketKey| {
            let Some(look) = self.look(**key) else { return false };
            let positions = self.positions.read();
            let position = positions.get_position(**key);
            self.watch(&look, position.as_ref(), now, path)
        };
        keys.iter().filter(claims).count()
    }

    /// Asks for the exit of a market's position on purpose; true when a flatten order was made.
    /// Where that is not possible at once, the request stands until the position is gone.
    pub fn request_exit(&self, asset: u32, reason: ExitReason, now: Ns) -> bool {
        let key = self.markets.read().key_of_asset(asset);
        let Some(look) = key.and_then(|key| self.look(key)) else {
            return false;
        };
        let positions = self.positions.read();
        let position = positions.get_position(look.snapshot.key);
        let outcome = self
            .watcher
            .request(&look.spec, &look.snapshot, position.as_ref(), reason, now);
        self.note_outcome(&outcome)
    }
}
