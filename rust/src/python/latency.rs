//! The histogram of durations as a Python class.

use pyo3::prelude::*;

use super::CoreError;
use crate::latency::{Cumulative, Latencies};

/// Durations in ns in bounded memory; percentiles to three figures, maximum, mean and sum exact.
#[pyclass(frozen, module = "hip3._hip3")]
pub struct LatencyHistogram(Latencies);

#[pymethods]
impl LatencyHistogram {
    #[new]
    fn new() -> PyResult<Self> {
        Latencies::new().map(Self).map_err(CoreError::new_err)
    }

    /// Counts one duration of `ns` nanoseconds; a negative one counts as zero.
    fn record(&self, ns: i64) {
        self.0.record(u64::try_from(ns).unwrap_or(0));
    }

    /// The duration in ns that `q` percent (0 to 100) do not exceed; 0 when nothing was recorded.
    fn percentile(&self, q: f64) -> u64 {
        self.0.percentile(q)
    }

    /// The longest duration in ns, exact.
    fn max(&self) -> u64 {
        self.0.max()
    }

    /// The mean in ns; 0 when nothing was recorded.
    fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// How many durations were recorded.
    fn count(&self) -> u64 {
        self.0.count()
    }

    /// For each of `bounds_ns` (ascending) how many were at most this long; the count of all; their sum in ns.
    fn cumulative(&self, bounds_ns: Vec<u64>) -> (Vec<u64>, u64, u64) {
        let Cumulative { at_most, count, sum_ns } = self.0.cumulative(&bounds_ns);
        (at_most, count, sum_ns)
    }
}
