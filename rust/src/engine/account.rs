//! Fills and account states on their way into the books.

use rustc_hash::FxHashMap;

use super::Engine;
use super::event::{AccountState, Event, Fill, Resync};
use super::record::count;
use crate::decimal::{Sz, Usd};
use crate::frame::{self, DexAccount, FillAmounts};
use crate::position::{AccountRow, FillOutcome, FillStatus, NewFill, SizeChange};
use crate::types::{Cloid, MarketKey, Ns, VenueMs};

/// Fill events kept while their dex has no account state: as many as the tracker holds back.
const HELD_MAX: usize = 10_000;

/// What tells one fill from another.
type FillKey = (MarketKey, u64, VenueMs);

/// Events of fills that wait for the account state of their dex.
#[derive(Debug, Default)]
pub(super) struct HeldFills(FxHashMap<FillKey, Fill>);

impl HeldFills {
    fn keep(&mut self, key: MarketKey, fill: Fill) {
        // Beyond the bound the tracker drops the oldest and counts it; the account state that is
        // awaited decides what those fills came to, so their events may go too.
        if self.0.len() < HELD_MAX {
            self.0.insert((key, fill.tid, fill.time), fill);
        }
    }

    fn take(&mut self, fill: &NewFill) -> Option<Fill> {
        self.0.remove(&(fill.key, fill.tid, fill.time))
    }
}

impl Engine {
    /// Books fills in their order. Those of markets that are not tracked are told, not booked.
    pub(super) fn on_fills(&self, fills: &[frame::Fill<'_>], recv: Ns) -> Vec<Event> {
        let mut events = Vec::with_capacity(fills.len());
        for fill in fills {
            self.note_venue_time(fill.time);
            let key = self.markets.read().key_of_coin(&fill.coin);
            match fill.amounts() {
                Ok(amounts) => self.on_fill(fill, &amounts, key, recv, &mut events),
                Err(error) => {
                    count(&self.counts.fills_unreadable);
                    if key.is_some() {
                        events.push(Event::Malformed(format!(
                            "fill {} of {:?}: {error}",
                            fill.tid, &*fill.coin
                        )));
                    }
                }
            }
        }
        self.settle_awaited(&mut self.positions.write(), recv);
        events
    }

    /// Books funding payments of tracked markets; each once, whatever was told again.
    pub(super) fn on_fundings(&self, fundings: &[frame::Funding<'_>]) -> Vec<Event> {
        let mut events = Vec::new();
        for paid in fundings {
            self.note_venue_time(paid.time);
            let Some(key) = self.markets.read().key_of_coin(&paid.coin) else {
                continue;
            };
            match Usd::parse(&paid.usdc) {
                Ok(usdc) => {
                    self.positions.write().apply_funding(key, usdc, paid.time);
                }
                Err(error) => events.push(Event::Malformed(format!("funding of {:?}: {error}", &*paid.coin))),
            }
        }
        events
    }

    fn on_fill(
        &self,
        fill: &frame::Fill<'_>,
        amounts: &FillAmounts,
        key: Option<MarketKey>,
        recv: Ns,
        events: &mut Vec<Event>,
    ) {
        let event = fill_event(fill, amounts, key);
        let Some(key) = key else {
            events.push(Event::Fill(event));
            return;
        };
        let new = NewFill {
            key,
            side: fill.side,
            px: amounts.px,
            sz: amounts.sz,
            fee: amounts.fee,
            tid: fill.tid,
            time: fill.time,
            cloid: fill.cloid.as_deref().and_then(Cloid::parse),
        };
        let outcome = self.positions.write().apply_fill(&new, recv);
        if outcome.status == FillStatus::Held {
            self.decisions.lock().held.keep(key, event);
        } else {
            self.tell_fill(event, key, outcome, recv, events);
        }
    }

    fn tell_fill(&self, fill: Fill, key: MarketKey, outcome: FillOutcome, now: Ns, events: &mut Vec<Event>) {
        let FillOutcome { status, position } = outcome;
        let applied = status == FillStatus::Applied;
        if applied && position == Sz(0) {
            self.decisions.lock().detector.note_exit(key, now);
        }
        if status == FillStatus::TooOld {
            // Nobody can say whether this fill was counted: the size has to be read again.
            let coin = fill.coin.clone();
            events.push(Event::Resync(Resync {
                key,
                coin,
                was: position,
                now: position,
            }));
        }
        events.push(Event::Fill(Fill {
            applied,
            known: status == FillStatus::Known,
            position,
            ..fill
        }));
    }

    /// Takes the account state of one dex: what it releases, what it corrects, and its figures.
    pub(super) fn on_account_state(&self, dex: &str, state: &DexAccount<'_>, recv: Ns) -> Vec<Event> {
        self.note_venue_time(state.time);
        let mut events = vec![Event::AccountState(AccountState {
            dex: dex.to_owned(),
            time: state.time,
            account_value: state.margin_summary.account_value.to_string(),
            total_raw_usd: state.margin_summary.total_raw_usd.to_string(),
            withdrawable: state.withdrawable.to_string(),
        })];
        let (index, rows) = {
            let markets = self.markets.read();
            // A dex of which no market is tracked has no books here.
            let Some(index) = markets.index_of_dex(dex) else {
                return events;
            };
            let positions = state.asset_positions.iter().map(|row| &row.position);
            let tracked = positions.filter_map(|row| Some((markets.key_of_coin(&row.coin)?, row)));
            let rows: Vec<AccountRow> = tracked
                .map(|(key, row)| AccountRow {
                    key,
                    szi: row.szi,
                    entry_px: row.entry_px.0,
                })
                .collect();
            (index, rows)
        };
        let outcome = self.positions.write().on_account_state(index, state.time, &rows, recv);
        for (fill, outcome) in outcome.released {
            let held = self.decisions.lock().held.take(&fill);
            if let Some(held) = held {
                self.tell_fill(held, fill.key, outcome, recv, &mut events);
            }
        }
        events.extend(outcome.resyncs.into_iter().map(|change| self.tell_resync(change, recv)));
        self.settle_awaited(&mut self.positions.write(), recv);
        events
    }

    fn tell_resync(&self, SizeChange { key, was, now }: SizeChange, recv: Ns) -> Event {
        if now == Sz(0) {
            self.decisions.lock().detector.note_exit(key, recv);
        }
        Event::Resync(Resync {
            key,
            coin: self.coin_of(key),
            was,
            now,
        })
    }
}

/// The event of a fill as if it changed nothing.
fn fill_event(fill: &frame::Fill<'_>, amounts: &FillAmounts, key: Option<MarketKey>) -> Fill {
    Fill {
        coin: fill.coin.to_string(),
        asset: key.map(|key| key.asset),
        side: fill.side,
        px: amounts.px,
        sz: amounts.sz,
        tid: fill.tid,
        oid: fill.oid,
        cloid: fill.cloid.as_deref().map(str::to_owned),
        fee: amounts.fee,
        closed_pnl: amounts.closed_pnl,
        dir: fill.dir.word().to_owned(),
        time: fill.time,
        applied: false,
        known: false,
        position: Sz(0),
    }
}
