//! The one door into the core: a frame and a time in, decisions and facts out.
//!
//! Owns the order of things within a frame (state, then exits, then entries) and the locks. Holds no
//! socket, file, clock, thread or random source: the same inputs in the same order give the same
//! decisions. Called by the shell's trader; the backup path may call from another thread.
//!
//! Locks are taken in the order markets, positions, decisions, and then those inside the watcher.
//! The positions stay locked (shared) while an exit is claimed, so that a fill cannot make the
//! position stale between the look and the claim.

mod account;
mod decide;
pub mod event;
mod record;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Receiver;
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::detect::Detector;
use crate::edge::{EdgePeriod, EdgeRow, EdgeTracker};
use crate::exit::{Claim, ExitWatcher, FlattenOrder, FlatteningSet, ReleaseReason};
use crate::frame::{self, Body, SubscriptionResponse};
use crate::market::{Applied, MarketSpec, MarketState, Snapshot};
use crate::order::CloidSource;
use crate::position::{Position, PositionCounters, PositionTracker};
use crate::types::{Cloid, MarketKey, Ns, VenueMs};
use account::HeldFills;
use decide::Seen;
use event::{Ack, Event, OrderUpdate, PostReply};
use record::{Counts, Decided, count};
pub use settings::{EdgeSettings, Settings};

/// Why the engine cannot be set up; a fault of configuration or of the shell.
#[derive(Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The settings cannot be read or contradict themselves.
    Settings(String),
    /// The markets cannot be read or contradict each other.
    Markets(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(text) => write!(f, "engine settings: {text}"),
            Self::Markets(text) => write!(f, "engine markets: {text}"),
        }
    }
}

impl std::error::Error for EngineError {}

/// What decides and remembers decisions.
#[derive(Debug)]
struct Decisions {
    detector: Detector,
    edges: EdgeTracker,
    decided: Decided,
    /// Entries the venue called filled before their fill came, until when to wait for it.
    awaited: FxHashMap<Cloid, Ns>,
    held: HeldFills,
}

/// See the module's head.
#[derive(Debug)]
pub struct Engine {
    markets: RwLock<MarketState>,
    positions: RwLock<PositionTracker>,
    decisions: Mutex<Decisions>,
    watcher: ExitWatcher,
    flattens: Receiver<FlattenOrder>,
    cloids: Arc<CloidSource>,
    counts: Counts,
    latest_venue_ms: AtomicU64,
}

impl Engine {
    /// An engine without markets. `settings` is JSON; `session` makes its order ids unique.
    pub fn new(settings: &[u8], session: u64) -> Result<Self, EngineError> {
        let settings = read_settings(settings)?;
        let cloids = Arc::new(CloidSource::new(session));
        let set = Arc::new(FlatteningSet::default());
        let (watcher, flattens) = ExitWatcher::new(settings.exit, set, Arc::clone(&cloids));
        Ok(Self {
            markets: RwLock::default(),
            positions: RwLock::default(),
            decisions: Mutex::new(Decisions {
                detector: Detector::new(settings.entry, settings.blackouts),
                edges: EdgeTracker::new(settings.edges.period_ms),
                decided: Decided::default(),
                awaited: FxHashMap::default(),
                held: HeldFills::default(),
            }),
            watcher,
            flattens,
            cloids,
            counts: Counts::default(),
            latest_venue_ms: AtomicU64::new(0),
        })
    }

    /// Adds markets and updates the terms of known ones, all or none. `markets` is a JSON list of
    /// [`MarketSpec`].
    pub fn set_markets(&self, markets: &[u8]) -> Result<(), EngineError> {
        let specs = read_markets(markets)?;
        let mut state = self.markets.write();
        put_markets(&mut state, &mut self.decisions.lock(), specs);
        Ok(())
    }

    /// Puts other entry settings, blackouts and terms of markets in place, at one moment; exits stay as they are.
    pub fn reconfigure(&self, settings: &[u8], markets: &[u8]) -> Result<(), EngineError> {
        let settings = read_settings(settings)?;
        let specs = read_markets(markets)?;
        let mut state = self.markets.write();
        let mut decisions = self.decisions.lock();
        decisions.detector.replace(settings.entry, settings.blackouts);
        put_markets(&mut state, &mut decisions, specs);
        Ok(())
    }

    /// Takes one message of the venue, received at `recv`; what cannot be read changes nothing.
    pub fn on_frame(&self, frame: &[u8], recv: Ns) -> Vec<Event> {
        count(&self.counts.frames);
        match frame::parse(frame) {
            Ok(frame) => self.on_body(frame.body, recv),
            Err(error) => {
                count(&self.counts.frames_malformed);
                vec![Event::Malformed(error.to_string())]
            }
        }
    }

    fn on_body(&self, body: Body<'_>, recv: Ns) -> Vec<Event> {
        match body {
            Body::Bbo(bbo) => {
                self.note_venue_time(bbo.time);
                let applied = self.markets.write().apply_bbo(&bbo, recv);
                self.on_applied(applied, Seen::Touch, recv)
            }
            Body::ActiveAssetCtx(ctx) => {
                let applied = self.markets.write().apply_ctx(&ctx.coin, &ctx.ctx, recv);
                self.on_applied(applied, Seen::Other, recv)
            }
            Body::L2Book(book) => {
                self.note_venue_time(book.time);
                let applied = self.markets.write().apply_l2book(&book, recv);
                self.on_applied(applied, Seen::Other, recv)
            }
            Body::AllDexsAssetCtxs(all) => {
                let keys = self.apply_contexts(&all, recv);
                self.on_markets(&keys, Seen::Other, recv)
            }
            Body::OrderUpdates(updates) => updates.into_iter().map(|update| self.order_update(update)).collect(),
            Body::UserFills(fills) => self.on_fills(&fills.fills, recv),
            Body::User(events) => self.on_fills(&events.fills, recv),
            Body::ClearinghouseState(state) => self.on_account_state(&state.dex, &state.state, recv),
            Body::AllDexsClearinghouseState(all) => all
                .states
                .iter()
                .flat_map(|(dex, state)| self.on_account_state(dex, state, recv))
                .collect(),
            Body::SubscriptionResponse(SubscriptionResponse {
                method, subscription, ..
            }) => {
                vec![Event::Ack(Ack {
                    method: method.to_string(),
                    subscription: subscription.get().into(),
                })]
            }
            Body::Post(post) => vec![Event::PostReply(PostReply {
                id: post.id,
                kind: post.response.kind.word().to_owned(),
                payload: post.response.payload.get().into(),
            })],
            Body::Error(text) => vec![Event::VenueError(text.to_string())],
            Body::Unknown { channel, .. } => {
                count(&self.counts.frames_unknown);
                vec![Event::UnknownFrame(channel.to_string())]
            }
            Body::UserFundings(paid) => self.on_fundings(&paid.fundings),
            Body::AllMids(_)
            | Body::Trades(_)
            | Body::Candle(_)
            | Body::ActiveAssetData(_)
            | Body::OpenOrders(_)
            | Body::SpotState(_)
            | Body::WebData3(_)
            | Body::Notification(_)
            | Body::UserNonFundingLedgerUpdates(_)
            | Body::Pong
            | Body::Established
            | Body::Control(_) => Vec::new(),
        }
    }

    fn order_update(&self, update: frame::OrderUpdate<'_>) -> Event {
        self.note_venue_time(update.status_time);
        Event::OrderUpdate(OrderUpdate {
            coin: update.order.coin.to_string(),
            oid: update.order.oid,
            cloid: update.order.cloid.map(|cloid| cloid.0.into_owned()),
            status: update.status.word().to_owned(),
            sz: update.order.sz.to_string(),
            orig_sz: update.order.orig_sz.to_string(),
            time: update.status_time,
        })
    }

    fn apply_contexts(&self, all: &frame::AllDexsAssetCtxs<'_>, recv: Ns) -> Vec<MarketKey> {
        let mut state = self.markets.write();
        let mut keys = Vec::new();
        for (dex, ctxs) in &all.ctxs {
            for (position, ctx) in ctxs.iter().enumerate() {
                // Most of what this frame holds is not tracked, and that is no news.
                if let Applied::Updated(key) = state.apply_ctx_at(dex, position, ctx, recv) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    fn note_venue_time(&self, time: VenueMs) {
        self.latest_venue_ms.fetch_max(time.0, Ordering::Relaxed);
    }

    /// The next flatten order to send; each is given to one caller.
    pub fn pop_flatten(&self) -> Option<FlattenOrder> {
        self.flattens.try_recv().ok()
    }

    /// Flatten orders waiting to be sent.
    pub fn flattens_waiting(&self) -> usize {
        self.flattens.len()
    }

    /// Ends the claim that `cloid` holds on a market; false when it holds none.
    pub fn release_claim(&self, asset: u32, cloid: Cloid, reason: ReleaseReason, now: Ns) -> bool {
        let key = self.markets.read().key_of_asset(asset);
        key.is_some_and(|key| self.watcher.release(key, cloid, reason, now))
    }

    /// Every claim, in order of market.
    pub fn claims(&self) -> Vec<(MarketKey, Claim)> {
        self.watcher.set().claims()
    }

    /// Whether a flatten order of the market is alive or being sent.
    pub fn is_flattening(&self, asset: u32) -> bool {
        let key = self.markets.read().key_of_asset(asset);
        key.is_some_and(|key| self.watcher.set().is_flattening(key))
    }

    /// The operator's switch of entries, beside that of the settings; exits always go on.
    pub fn set_entries_enabled(&self, enabled: bool) {
        self.decisions.lock().detector.set_allowed(enabled);
    }

    /// A market as last seen, with its coin.
    pub fn get_snapshot(&self, asset: u32) -> Option<(Snapshot, String)> {
        let markets = self.markets.read();
        let key = markets.key_of_asset(asset)?;
        Some((markets.get_snapshot(key)?, markets.get_spec(key)?.coin.clone()))
    }

    /// The open position of a market, with its coin.
    pub fn get_position(&self, asset: u32) -> Option<(Position, String)> {
        let key = self.markets.read().key_of_asset(asset)?;
        let position = self.positions.read().get_position(key)?;
        Some((position, self.coin_of(key)))
    }

    /// Every open position with its coin, in order of market.
    pub fn positions(&self) -> Vec<(Position, String)> {
        let positions: Vec<Position> = self.positions.read().positions().collect();
        positions
            .into_iter()
            .map(|position| (position, self.coin_of(position.key)))
            .collect()
    }

    /// Cash, fees, realized profit and funding of every market that had any, as exact text, with its coin.
    pub fn cash(&self) -> Vec<(String, [String; 4])> {
        let rows = self.positions.read().cash();
        rows.into_iter()
            .map(|row| {
                let amounts = [row.cash, row.fees, row.realized_pnl, row.funding];
                (self.coin_of(row.key), amounts.map(|amount| amount.to_string()))
            })
            .collect()
    }

    fn coin_of(&self, key: MarketKey) -> String {
        self.markets
            .read()
            .get_spec(key)
            .map_or_else(|| key.to_string(), |spec| spec.coin.clone())
    }

    /// Edges of the period that ended, when one has; see [`EdgeTracker::maybe_log`].
    pub fn maybe_log(&self, now: Ns) -> Option<EdgePeriod> {
        self.decisions.lock().edges.maybe_log(now)
    }

    /// Edges of every market since the start.
    pub fn edge_summary(&self) -> Vec<EdgeRow> {
        self.decisions.lock().edges.summary()
    }

    /// Digest of every decision so far.
    pub fn digest(&self) -> String {
        self.decisions.lock().decided.digest()
    }

    /// The newest venue time of any frame in milliseconds; 0 when none was seen.
    pub fn latest_venue_ms(&self) -> u64 {
        self.latest_venue_ms.load(Ordering::Relaxed)
    }

    /// Every counter since the start, by name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let mut counters = self.counts.all();
        let position_counters = self.positions.read().counters();
        counters.extend(by_name(&position_counters).map(|(name, value)| (name.to_owned(), value)));
        {
            let decisions = self.decisions.lock();
            counters.extend(decisions.decided.counters());
            counters.extend(
                decisions
                    .detector
                    .refused()
                    .map(|(code, value)| (format!("refused_{code}"), value)),
            );
        }
        counters.extend(self.watcher.set().counters());
        counters
    }
}

fn read_settings(json: &[u8]) -> Result<Settings, EngineError> {
    let settings: Settings = serde_json::from_slice(json).map_err(|error| EngineError::Settings(error.to_string()))?;
    settings
        .fault()
        .map_or(Ok(settings), |fault| Err(EngineError::Settings(fault)))
}

fn read_markets(json: &[u8]) -> Result<Vec<MarketSpec>, EngineError> {
    let specs: Vec<MarketSpec> =
        serde_json::from_slice(json).map_err(|error| EngineError::Markets(error.to_string()))?;
    let mut assets = FxHashSet::default();
    let mut coins = FxHashSet::default();
    for spec in &specs {
        if let Some(fault) = spec.fault() {
            return Err(EngineError::Markets(fault));
        }
        if !assets.insert(spec.asset) || !coins.insert(&spec.coin) {
            return Err(EngineError::Markets(format!(
                "asset {} or coin {:?} given twice",
                spec.asset, spec.coin
            )));
        }
    }
    Ok(specs)
}

fn put_markets(state: &mut MarketState, decisions: &mut Decisions, specs: Vec<MarketSpec>) {
    for spec in specs {
        decisions
            .edges
            .track_market(spec.key(), &spec.coin, spec.entry_threshold_bps);
        state.set_market(spec);
    }
}

fn by_name(counters: &PositionCounters) -> impl Iterator<Item = (&'static str, u64)> {
    let PositionCounters {
        fills_applied,
        fills_duplicate,
        fills_too_old,
        fills_held,
        fills_held_dropped,
        states_verified,
        states_regressed,
        resyncs,
    } = *counters;
    [
        ("fills_applied", fills_applied),
        ("fills_duplicate", fills_duplicate),
        ("fills_too_old", fills_too_old),
        ("fills_held", fills_held),
        ("fills_held_dropped", fills_held_dropped),
        ("states_verified", states_verified),
        ("states_regressed", states_regressed),
        ("resyncs", resyncs),
    ]
    .into_iter()
}
