//! Positions from fills and account states, and what is on its way to becoming one.
//!
//! Every fill counts once, whatever its order, repetition or gap. The venue's account states verify
//! the sizes; a size that differs is taken over only when two states agree on it, so that a moment's
//! empty answer flattens nothing. Owns no prices and no orders; the engine calls it under its lock.

mod ledger;
mod report;
mod seen;

use rustc_hash::FxHashMap;

use crate::decimal::{Bps, Px, Sz, Usd};
use crate::types::{Cloid, MarketKey, Ns, VenueMs};
pub use ledger::{Dollars, Position};
use ledger::{Ledger, Origin};
pub use report::{
    AccountOutcome, AccountRow, Cash, Exposure, FillOutcome, FillStatus, NewFill, PositionCounters, SizeChange,
};
use seen::{FillId, SeenFills, Sight};

/// Fills remembered for telling repetitions: a reconnect replays 2,000 at most.
const FILLS_REMEMBERED_MAX: usize = 65_536;
/// Fills kept while the account state of their dex has not come.
const FILLS_HELD_MAX: usize = 10_000;
/// Entries on their way; the cap on positions keeps them far below.
const ENTRIES_PENDING_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug)]
struct PendingEntry {
    key: MarketKey,
    notional: Dollars,
    sz: Sz,
    unfilled: Sz,
    origin: Origin,
}

impl PendingEntry {
    /// What of the notional has not become a position.
    fn remaining(&self) -> Dollars {
        Dollars(self.notional.0 / i128::from(self.sz.0.max(1)) * i128::from(self.unfilled.0))
    }
}

#[derive(Clone, Copy, Debug)]
struct Dex {
    /// Time of the state that the dex was adopted from: fills up to it are part of that state.
    adopted: VenueMs,
    newest: VenueMs,
}

/// See the module's head.
#[derive(Debug)]
pub struct PositionTracker {
    ledgers: FxHashMap<MarketKey, Ledger>,
    dexs: FxHashMap<u16, Dex>,
    pending: FxHashMap<Cloid, PendingEntry>,
    held: Vec<NewFill>,
    seen: SeenFills,
    counters: PositionCounters,
    /// Markets with a position in order of their key, and the totals: renewed with each change,
    /// because they are read with each frame and changed by few.
    open: Vec<MarketKey>,
    total: Dollars,
    open_markets: usize,
}

impl Default for PositionTracker {
    fn default() -> Self {
        Self::remembering(FILLS_REMEMBERED_MAX)
    }
}

impl PositionTracker {
    fn remembering(fills: usize) -> Self {
        Self {
            ledgers: FxHashMap::default(),
            dexs: FxHashMap::default(),
            pending: FxHashMap::default(),
            held: Vec::new(),
            seen: SeenFills::new(fills),
            counters: PositionCounters::default(),
            open: Vec::new(),
            total: Dollars(0),
            open_markets: 0,
        }
    }

    /// Counts a fill, unless it was counted before. `now` becomes the entry time if it opens.
    pub fn apply_fill(&mut self, fill: &NewFill, now: Ns) -> FillOutcome {
        let status = match self.dexs.get(&fill.key.dex) {
            None => self.hold(*fill),
            Some(dex) if fill.time <= dex.adopted => FillStatus::Known,
            Some(_) => self.count(fill, now),
        };
        let position = self.ledgers.get(&fill.key).map_or(Sz(0), |ledger| ledger.szi);
        FillOutcome { status, position }
    }

    /// Counts a funding payment, unless it was counted before or is part of the state that was adopted.
    ///
    /// A market is paid once for an hour, so that its time tells one payment from another.
    pub fn apply_funding(&mut self, key: MarketKey, usdc: Usd, time: VenueMs) -> bool {
        let adopted = self.dexs.get(&key.dex).map(|dex| dex.adopted);
        let ledger = self.ledgers.entry(key).or_default();
        let new = adopted.is_some_and(|adopted| time > adopted) && time > ledger.funded;
        if new {
            ledger.add_funding(usdc, time);
        }
        new
    }

    fn hold(&mut self, fill: NewFill) -> FillStatus {
        if self.held.len() >= FILLS_HELD_MAX {
            // The oldest is the likeliest to be part of the state that is awaited.
            self.held.remove(0);
            self.counters.fills_held_dropped += 1;
        }
        self.held.push(fill);
        self.counters.fills_held += 1;
        FillStatus::Held
    }

    fn count(&mut self, fill: &NewFill, now: Ns) -> FillStatus {
        let ledger = self.ledgers.entry(fill.key).or_default();
        match self.seen.note(FillId {
            time: fill.time,
            key: fill.key,
            tid: fill.tid,
        }) {
            Sight::Seen => {
                self.counters.fills_duplicate += 1;
                return FillStatus::Known;
            }
            Sight::TooOld => {
                ledger.verified = Ns(0);
                self.counters.fills_too_old += 1;
                return FillStatus::TooOld;
            }
            Sight::New => self.counters.fills_applied += 1,
        }
        let mut origin = Origin::default();
        if let Some(pending) = fill.cloid.and_then(|cloid| self.pending.get_mut(&cloid)) {
            origin = pending.origin;
            pending.unfilled = Sz((pending.unfilled.0 - fill.sz.0).max(0));
        }
        ledger.add_cash(fill.side, fill.px, fill.sz, fill.fee);
        if fill.time > ledger.sized {
            ledger.add_size(fill.side, fill.px, fill.sz, origin, now);
        }
        ledger.last_fill = ledger.last_fill.max(fill.time);
        self.renew_totals();
        FillStatus::Applied
    }

    /// Takes the account state of one dex. The first is adopted; later ones verify, and replace a
    /// size once two of them with different times agree against ours and no fill is newer.
    ///
    /// A market that is absent from `rows` has no position in this state.
    pub fn on_account_state(&mut self, dex: u16, time: VenueMs, rows: &[AccountRow], now: Ns) -> AccountOutcome {
        let mut outcome = AccountOutcome::default();
        match self.dexs.get_mut(&dex) {
            None => {
                self.dexs.insert(
                    dex,
                    Dex {
                        adopted: time,
                        newest: time,
                    },
                );
                for row in rows.iter().filter(|row| row.key.dex == dex && row.szi.0 != 0) {
                    self.ledgers
                        .entry(row.key)
                        .or_default()
                        .adopt(row.szi, row.entry_px, now);
                }
                outcome.released = self.release_held(dex, now);
            }
            Some(known) if time < known.newest => {
                self.counters.states_regressed += 1;
                return outcome;
            }
            Some(known) => {
                known.newest = time;
                outcome.resyncs = self.compare(dex, time, rows, now);
            }
        }
        self.renew_totals();
        outcome
    }

    fn release_held(&mut self, dex: u16, now: Ns) -> Vec<(NewFill, FillOutcome)> {
        let (mut released, kept): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|fill| fill.key.dex == dex);
        self.held = kept;
        released.sort_by_key(|fill| fill.time);
        released
            .into_iter()
            .map(|fill| (fill, self.apply_fill(&fill, now)))
            .collect()
    }

    fn compare(&mut self, dex: u16, time: VenueMs, rows: &[AccountRow], now: Ns) -> Vec<SizeChange> {
        for row in rows.iter().filter(|row| row.key.dex == dex) {
            self.ledgers.entry(row.key).or_default();
        }
        let mut resyncs = Vec::new();
        for (key, ledger) in self.ledgers.iter_mut().filter(|(key, _)| key.dex == dex) {
            let row = rows.iter().find(|row| row.key == *key);
            let szi = row.map_or(Sz(0), |row| row.szi);
            if time < ledger.last_fill {
                // Told before the last fill: it can neither confirm nor deny.
                continue;
            }
            if szi == ledger.szi {
                ledger.verified = now;
                ledger.disputed = None;
                continue;
            }
            match ledger.disputed {
                Some((told, first)) if told == szi && first != time => {
                    resyncs.push(SizeChange {
                        key: *key,
                        was: ledger.szi,
                        now: szi,
                    });
                    ledger.adopt(szi, row.and_then(|row| row.entry_px), now);
                    // Fills up to here are in this size: one that comes late moves cash alone.
                    ledger.sized = time;
                }
                Some((told, _)) if told == szi => {}
                _ => ledger.disputed = Some((szi, time)),
            }
        }
        resyncs.sort_by_key(|change| change.key);
        self.counters.states_verified += 1;
        self.counters.resyncs += resyncs.len() as u64;
        resyncs
    }

    /// Reserves what an entry order may become; false when too many are on their way already.
    pub fn reserve_entry(
        &mut self,
        cloid: Cloid,
        key: MarketKey,
        notional: Usd,
        sz: Sz,
        edge: Bps,
        oracle: Px,
    ) -> bool {
        if self.pending.len() >= ENTRIES_PENDING_MAX {
            return false;
        }
        let origin = Origin {
            edge: Some(edge),
            oracle: Some(oracle),
        };
        self.pending.insert(
            cloid,
            PendingEntry {
                key,
                notional: notional.into(),
                sz,
                unfilled: sz,
                origin,
            },
        );
        self.renew_totals();
        true
    }

    /// Ends the reservation of an entry order that is over; false when there was none.
    pub fn settle_entry(&mut self, cloid: Cloid) -> bool {
        let known = self.pending.remove(&cloid).is_some();
        self.renew_totals();
        known
    }

    /// Whether an entry on its way has had a fill; `None` when it is not on its way.
    pub fn entry_has_fill(&self, cloid: Cloid) -> Option<bool> {
        self.pending.get(&cloid).map(|pending| pending.unfilled != pending.sz)
    }

    /// The market of an entry on its way.
    pub fn entry_key(&self, cloid: Cloid) -> Option<MarketKey> {
        self.pending.get(&cloid).map(|pending| pending.key)
    }

    /// The open position of a market.
    pub fn get_position(&self, key: MarketKey) -> Option<Position> {
        self.ledgers.get(&key).and_then(|ledger| ledger.position(key))
    }

    /// Every open position, in order of market.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.open.iter().filter_map(|key| self.get_position(*key))
    }

    /// Whether an account state of this dex has been adopted.
    pub fn is_adopted(&self, dex: u16) -> bool {
        self.dexs.contains_key(&dex)
    }

    /// What is at stake in `key` and in all.
    pub fn exposure(&self, key: MarketKey) -> Exposure {
        let ledger = self.ledgers.get(&key);
        let mut market = ledger.map_or(Dollars(0), Ledger::exposure);
        let mut entry_pending = false;
        for pending in self.pending.values().filter(|pending| pending.key == key) {
            market.add(pending.remaining());
            entry_pending = true;
        }
        Exposure {
            market_usd: market.to_usd(),
            total_usd: self.total.to_usd(),
            open_markets: self.open_markets,
            has_position: ledger.is_some_and(|ledger| ledger.szi.0 != 0),
            entry_pending,
        }
    }

    /// Cash of every market that traded or was paid funding, in order of market.
    pub fn cash(&self) -> Vec<Cash> {
        let moved = self.ledgers.iter();
        let moved = moved.filter(|(_, ledger)| ledger.last_fill.max(ledger.funded) > VenueMs(0));
        let mut rows: Vec<_> = moved
            .map(|(key, ledger)| Cash {
                key: *key,
                cash: ledger.cash,
                fees: ledger.fees,
                realized_pnl: ledger.realized,
                funding: ledger.funding,
            })
            .collect();
        rows.sort_by_key(|row| row.key);
        rows
    }

    /// What was counted since the start.
    pub fn counters(&self) -> PositionCounters {
        self.counters
    }

    fn renew_totals(&mut self) {
        self.open.clear();
        self.open.extend(
            self.ledgers
                .iter()
                .filter(|(_, ledger)| ledger.szi.0 != 0)
                .map(|(key, _)| *key),
        );
        self.open.sort_unstable();
        self.total = Dollars(0);
        for ledger in self.open.iter().filter_map(|key| self.ledgers.get(key)) {
            self.total.add(ledger.exposure());
        }
        for pending in self.pending.values() {
            self.total.add(pending.remaining());
        }
        let mut markets: Vec<_> = self
            .pending
            .values()
            .map(|pending| pending.key)
            .chain(self.open.iter().copied())
            .collect();
        markets.sort_unstable();
        markets.dedup();
        self.open_markets = markets.len();
    }
}

#[cfg(test)]
mod tests;
