//! A histogram of durations for the summary and the status view.

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::CoreError;

/// Longest duration told apart: a minute in ns. Longer ones count as this long, but `max` is exact.
const NS_MAX: u64 = 60_000_000_000;
/// Significant figures of a percentile.
const FIGURES: u8 = 3;

/// Durations in ns in bounded memory; percentiles to three figures, the maximum exact.
#[pyclass(frozen, module = "hip3._hip3")]
pub struct LatencyHistogram(Mutex<State>);

struct State {
    buckets: Histogram<u64>,
    max: u64,
}

#[pymethods]
impl LatencyHistogram {
    #[new]
    fn new() -> PyResult<Self> {
        let buckets = Histogram::new_with_bounds(1, NS_MAX, FIGURES).map_err(|e| CoreError::new_err(e.to_string()))?;
        Ok(Self(Mutex::new(State { buckets, max: 0 })))
    }

    /// Counts one duration of `ns` nanoseconds; a negative one counts as zero.
    fn record(&self, ns: i64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        let mut state = self.0.lock();
        state.max = state.max.max(ns);
        state.buckets.saturating_record(ns);
    }

    /// The duration in ns that `q` percent (0 to 100) do not exceed; 0 when nothing was recorded.
    fn percentile(&self, q: f64) -> u64 {
        let state = self.0.lock();
        state.buckets.value_at_percentile(q).min(state.max)
    }

    /// The longest duration in ns, exact.
    fn max(&self) -> u64 {
        self.0.lock().max
    }

    /// The mean in ns; 0 when nothing was recorded.
    fn mean(&self) -> f64 {
        self.0.lock().buckets.mean()
    }

    /// How many durations were recorded.
    fn count(&self) -> u64 {
        self.0.lock().buckets.len()
    }
}
