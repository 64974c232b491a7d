//! Edge arithmetic (pure, exact) and what is remembered of edges: maxima, percentiles, counts.
//!
//! An edge is kept as the fraction it is, `(oracle - ask) / oracle` or `(bid - oracle) / oracle`,
//! and compared by cross multiplication: a threshold is met exactly or not at all. The tracker
//! rounds edges to basis points of four decimals and serves statistics and display alone.
//! Owns no market data and takes no decision; the engine calls it with each market update.

use rustc_hash::FxHashMap;

use crate::decimal::{BPS_UNIT, Bps, Px, SCALE};
use crate::types::{MarketKey, Ns};

/// A price advantage over the oracle as an exact fraction of the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Advantage in price units; negative when the price is on the wrong side of the oracle.
    num: i128,
    /// The oracle price in price units, above zero.
    oracle: i64,
}

/// What a buy at `ask` gains on the oracle; `None` unless both prices are above zero.
pub fn buy_edge(oracle: Px, ask: Px) -> Option<Edge> {
    Edge::of(oracle, ask, 1)
}

/// What a sale at `bid` gains on the oracle; `None` unless both prices are above zero.
pub fn sell_edge(oracle: Px, bid: Px) -> Option<Edge> {
    Edge::of(oracle, bid, -1)
}

impl Edge {
    fn of(oracle: Px, px: Px, sign: i128) -> Option<Self> {
        (oracle.0 > 0 && px.0 > 0).then(|| Self {
            num: sign * (i128::from(oracle.0) - i128::from(px.0)),
            oracle: oracle.0,
        })
    }

    /// Whether the edge is `bps` or more, exactly.
    pub fn at_least(self, bps: Bps) -> bool {
        self.num * i128::from(SCALE) >= i128::from(bps.0) * i128::from(self.oracle)
    }

    /// The edge in basis points, rounded towards minus infinity to four decimals.
    pub fn to_bps(self) -> Bps {
        let units = (self.num * i128::from(SCALE)).div_euclid(i128::from(self.oracle));
        Bps(i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The edge in basis points, for display alone.
    pub fn to_f64(self) -> f64 {
        self.num as f64 / self.oracle as f64 * 10_000.0
    }
}

/// Histogram units in one basis point.
const STEPS_PER_BPS: i64 = 100;
/// Values below this many histogram units have a bucket each; above, each power of two has this
/// many buckets halved, so a bucket is at most 1/32 of its value wide.
const LINEAR: u64 = 64;
/// Buckets: the linear part, and 32 for each power of two up to 2^20 units (10,485 bps).
const BUCKETS: usize = 64 + 14 * 32;

/// Counts of edges of at least zero; what is below zero counts as zero, what is beyond the last
/// bucket counts there.
#[derive(Clone, Debug)]
struct Histogram {
    counts: Box<[u32; BUCKETS]>,
}

impl Histogram {
    fn new() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
        }
    }

    fn bucket(edge: Bps) -> usize {
        let units = (edge.0 / (BPS_UNIT / STEPS_PER_BPS)).max(0).unsigned_abs();
        if units < LINEAR {
            return usize::try_from(units).unwrap_or(BUCKETS - 1);
        }
        let shift = units.ilog2() - 5;
        let index = u64::from(shift) * 32 + (units >> shift);
        usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
    }

    /// The lower end of a bucket in basis points.
    fn lower_bps(bucket: usize) -> f64 {
        let units = if bucket < 64 {
            bucket as f64
        } else {
            let shift = (bucket - 32) / 32;
            ((bucket - shift * 32) << shift) as f64
        };
        units / STEPS_PER_BPS as f64
    }

    fn record(&mut self, edge: Bps) {
        let count = &mut self.counts[Self::bucket(edge)];
        *count = count.saturating_add(1);
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// The lower ends of the buckets in which `per_mille` thousandths of the counts are reached.
    fn percentiles<const N: usize>(&self, per_mille: [u64; N]) -> [f64; N] {
        let total: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        per_mille.map(|share| {
            let rank = (total * share).div_ceil(1_000).max(1);
            let mut seen = 0;
            let bucket = self.counts.iter().position(|&count| {
                seen += u64::from(count);
                seen >= rank
            });
            bucket.map_or(0.0, Self::lower_bps)
        })
    }
}

/// What one stretch of time showed of one market.
#[derive(Clone, Debug)]
struct Stretch {
    max_buy: Bps,
    max_sell: Bps,
    updates: u64,
    histogram: Histogram,
}

impl Stretch {
    fn new() -> Self {
        Self {
            max_buy: Bps(0),
            max_sell: Bps(0),
            updates: 0,
            histogram: Histogram::new(),
        }
    }

    fn record(&mut self, buy_edge: Option<Edge>, sell_edge: Option<Edge>) {
        let (buy_bps, sell_bps) = (buy_edge.map(Edge::to_bps), sell_edge.map(Edge::to_bps));
        self.updates += 1;
        self.max_buy = self.max_buy.max(buy_bps.unwrap_or_default());
        self.max_sell = self.max_sell.max(sell_bps.unwrap_or_default());
        if let Some(best) = buy_bps.max(sell_bps) {
            self.histogram.record(best);
        }
    }

    fn add(&mut self, other: &Self) {
        self.max_buy = self.max_buy.max(other.max_buy);
        self.max_sell = self.max_sell.max(other.max_sell);
        self.updates += other.updates;
        self.histogram.add(&other.histogram);
    }
}

#[derive(Clone, Debug)]
struct Tracked {
    coin: String,
    threshold: Bps,
    period: Stretch,
    /// Everything before the running period.
    past: Stretch,
}

/// Edges of one market over a period, for display. Percentiles are those of the better edge of
/// each update, counted as zero below zero, and understate by at most one part in 32.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// The market as operators read it.
    pub market: String,
    /// The venue's full coin name.
    pub coin: String,
    /// Asset id.
    pub asset: u32,
    /// Largest edge of a buy, never below zero.
    pub max_buy_edge_bps: f64,
    /// Largest edge of a sale, never below zero.
    pub max_sell_edge_bps: f64,
    /// Entry threshold of the market.
    pub threshold_bps: f64,
    /// The larger of both maxima as percent of the threshold; 0 without a threshold.
    pub threshold_pct: f64,
    /// Market updates counted.
    pub updates: u64,
    /// Median.
    pub p50_bps: f64,
    /// 90th percentile.
    pub p90_bps: f64,
    /// 95th percentile.
    pub p95_bps: f64,
    /// 99th percentile.
    pub p99_bps: f64,
}

/// What one period showed of all markets.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgePeriod {
    /// Markets with at least one update, by asset id.
    pub rows: Vec<EdgeRow>,
    /// Largest edge of any market.
    pub global_max_edge_bps: f64,
    /// Smallest entry threshold of any tracked market.
    pub threshold_bps: f64,
    /// Markets tracked, quiet ones included.
    pub markets_tracked: usize,
}

/// Edges of every tracked market, by period and since the start. Memory is fixed per market.
#[derive(Debug)]
pub struct EdgeTracker {
    markets: FxHashMap<MarketKey, Tracked>,
    period_ms: u64,
    period_start: Option<Ns>,
}

impl EdgeTracker {
    /// A tracker that closes a period each `period_ms` milliseconds.
    pub fn new(period_ms: u64) -> Self {
        Self {
            markets: FxHashMap::default(),
            period_ms,
            period_start: None,
        }
    }

    /// Tracks a market, or updates its name and threshold.
    pub fn track_market(&mut self, key: MarketKey, coin: &str, threshold: Bps) {
        let tracked = self.markets.entry(key).or_insert_with(|| Tracked {
            coin: String::new(),
            threshold,
            period: Stretch::new(),
            past: Stretch::new(),
        });
        coin.clone_into(&mut tracked.coin);
        tracked.threshold = threshold;
    }

    /// Counts one market update, also without an edge; markets that are not tracked are ignored.
    pub fn record_edge(&mut self, key: MarketKey, buy_edge: Option<Edge>, sell_edge: Option<Edge>) {
        if let Some(tracked) = self.markets.get_mut(&key) {
            tracked.period.record(buy_edge, sell_edge);
        }
    }

    /// Closes the period when it has lasted `period_ms`, and starts the next at `now`. The first
    /// call only starts one.
    pub fn maybe_log(&mut self, now: Ns) -> Option<EdgePeriod> {
        let start = *self.period_start.get_or_insert(now);
        if now < start.plus_ms(self.period_ms) {
            return None;
        }
        self.period_start = Some(now);
        let rows = rows(
            self.markets
                .iter()
                .map(|(&key, tracked)| (key, tracked, &tracked.period)),
        );
        let period = EdgePeriod {
            global_max_edge_bps: rows
                .iter()
                .map(|row| row.max_buy_edge_bps.max(row.max_sell_edge_bps))
                .fold(0.0, f64::max),
            threshold_bps: self
                .markets
                .values()
                .map(|tracked| tracked.threshold)
                .min()
                .unwrap_or_default()
                .to_f64(),
            markets_tracked: self.markets.len(),
            rows,
        };
        for tracked in self.markets.values_mut().filter(|tracked| tracked.period.updates > 0) {
            let period = std::mem::replace(&mut tracked.period, Stretch::new());
            tracked.past.add(&period);
        }
        Some(period)
    }

    /// Every market with an update since the start, by asset id.
    pub fn summary(&self) -> Vec<EdgeRow> {
        let whole: Vec<(MarketKey, &Tracked, Stretch)> = self
            .markets
            .iter()
            .map(|(&key, tracked)| {
                let mut whole = tracked.past.clone();
                whole.add(&tracked.period);
                (key, tracked, whole)
            })
            .collect();
        rows(whole.iter().map(|(key, tracked, whole)| (*key, *tracked, whole)))
    }
}

fn rows<'a>(stretches: impl Iterator<Item = (MarketKey, &'a Tracked, &'a Stretch)>) -> Vec<EdgeRow> {
    let mut rows: Vec<EdgeRow> = stretches
        .filter(|(_, _, stretch)| stretch.updates > 0)
        .map(|(key, tracked, stretch)| {
            let max = stretch.max_buy.max(stretch.max_sell);
            let [p50_bps, p90_bps, p95_bps, p99_bps] = stretch.histogram.percentiles([500, 900, 950, 990]);
            EdgeRow {
                market: key.show(&tracked.coin),
                coin: tracked.coin.clone(),
                asset: key.asset,
                max_buy_edge_bps: stretch.max_buy.to_f64(),
                max_sell_edge_bps: stretch.max_sell.to_f64(),
                threshold_bps: tracked.threshold.to_f64(),
                threshold_pct: if tracked.threshold.0 > 0 {
                    max.0 as f64 * 100.0 / tracked.threshold.0 as f64
                } else {
                    0.0
                },
                updates: stretch.updates,
                p50_bps,
                p90_bps,
                p95_bps,
                p99_bps,
            }
        })
        .collect();
    rows.sort_by_key(|row| row.asset);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SILVER: MarketKey = MarketKey { dex: 1, asset: 110_026 };

    fn px(text: &str) -> Px {
        Px::parse(text).unwrap()
    }

    fn bps(text: &str) -> Bps {
        Bps::parse(text).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn edges_are_those_of_the_definition() {
        // (100 - 99.5) / 100 and (100.6 - 100) / 100.
        assert_eq!(buy_edge(px("100"), px("99.5")).unwrap().to_bps(), bps("50"));
        assert_eq!(sell_edge(px("100"), px("100.6")).unwrap().to_bps(), bps("60"));
        assert_eq!(buy_edge(px("100"), px("100.6")).unwrap().to_bps(), bps("-60"));
        assert!(close(buy_edge(px("100"), px("99.5")).unwrap().to_f64(), 50.0));
    }

    #[test]
    fn a_third_of_a_basis_point_decides_without_rounding() {
        // 1/30000 is 0.3333… bps: above 0.3333 and below 0.3334.
        let edge = buy_edge(px("30000"), px("29999")).unwrap();
        assert!(edge.at_least(bps("0.3333")) && !edge.at_least(bps("0.3334")));
        assert_eq!(edge.to_bps(), bps("0.3333"));
        assert_eq!(sell_edge(px("30000"), px("29999")).unwrap().to_bps(), bps("-0.3334"));
    }

    #[test]
    fn a_price_of_zero_has_no_edge() {
        assert_eq!(buy_edge(Px(0), px("1")), None);
        assert_eq!(sell_edge(px("1"), Px(0)), None);
        assert_eq!(buy_edge(px("1"), Px(-5)), None);
    }

    #[test]
    fn the_silver_period_reads_as_operators_know_it() {
        let mut tracker = EdgeTracker::new(60_000);
        tracker.track_market(SILVER, "xyz:SILVER", bps("40"));
        tracker.track_market(MarketKey { dex: 1, asset: 110_001 }, "xyz:TSLA", bps("35"));
        assert_eq!(tracker.maybe_log(Ns(0)), None);
        for i in 0..905_u32 {
            // Oracle 100: one bid at 100.2447, the others at the oracle; asks never below it.
            let bid = if i == 400 { px("100.2447") } else { px("100") };
            tracker.record_edge(SILVER, buy_edge(px("100"), px("100.3")), sell_edge(px("100"), bid));
        }
        assert_eq!(tracker.maybe_log(Ns(0).plus_ms(59_999)), None);
        let period = tracker.maybe_log(Ns(0).plus_ms(60_000)).unwrap();
        let row = &period.rows[0];
        assert_eq!((row.market.as_str(), row.updates), ("dex_1:110026 (SILVER)", 905));
        assert!(close(row.max_buy_edge_bps, 0.0) && close(row.max_sell_edge_bps, 24.47));
        assert!(close(row.threshold_bps, 40.0) && close(row.threshold_pct.floor(), 61.0));
        assert!(close(period.global_max_edge_bps, 24.47) && close(period.threshold_bps, 35.0));
        assert_eq!((period.rows.len(), period.markets_tracked), (1, 2));
        assert!(close(row.p50_bps, 0.0) && close(row.p99_bps, 0.0));
    }

    #[test]
    fn a_period_starts_empty_and_the_summary_keeps_all() {
        let mut tracker = EdgeTracker::new(1_000);
        tracker.track_market(SILVER, "xyz:SILVER", bps("40"));
        tracker.maybe_log(Ns(0));
        for ask in ["99.9", "99.8", "99.7"] {
            tracker.record_edge(SILVER, buy_edge(px("100"), px(ask)), None);
        }
        assert_eq!(tracker.maybe_log(Ns(0).plus_ms(1_000)).unwrap().rows[0].updates, 3);
        tracker.record_edge(SILVER, None, None);
        let row = &tracker.maybe_log(Ns(0).plus_ms(2_000)).unwrap().rows[0];
        assert_eq!(row.updates, 1);
        assert!(close(row.max_buy_edge_bps, 0.0));
        let whole = &tracker.summary()[0];
        assert_eq!(whole.updates, 4);
        assert!(close(whole.max_buy_edge_bps, 30.0));
        assert!(whole.p50_bps > 19.0 && whole.p50_bps <= 20.0);
    }

    proptest! {
        #[test]
        fn an_edge_compares_as_the_fraction_it_is(
            oracle in 1_i64..i64::MAX, other in 1_i64..i64::MAX, threshold in -2_000_000_000_i64..2_000_000_000,
        ) {
            let edge = buy_edge(Px(oracle), Px(other)).unwrap();
            let floor = edge.to_bps();
            // at_least(t) holds exactly for the t up to the rounded-down edge.
            prop_assert!(edge.at_least(floor));
            if floor.0 < i64::MAX {
                prop_assert!(!edge.at_least(Bps(floor.0 + 1)));
            }
            prop_assert_eq!(edge.at_least(Bps(threshold)), threshold <= floor.0);
            let mirrored = sell_edge(Px(oracle), Px(other)).unwrap();
            prop_assert_eq!(mirrored.num, -edge.num);
            let float = (oracle as f64 - other as f64) / oracle as f64 * 10_000.0;
            prop_assert!((edge.to_f64() - float).abs() <= 1e-9 * float.abs().max(1e-2));
        }

        #[test]
        fn a_bucket_is_close_below_its_value(units in 0_i64..1_000_000) {
            let value = units as f64 / 100.0;
            let bucket = Histogram::bucket(Bps(units * 100));
            prop_assert!(bucket < BUCKETS);
            let lower = Histogram::lower_bps(bucket);
            prop_assert!(lower <= value + 1e-9 && value - lower <= value / 32.0 + 1e-9);
        }
    }
}
