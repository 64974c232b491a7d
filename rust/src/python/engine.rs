//! The engine for the shell: conversions around [`crate::engine::Engine`], nothing else.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::CoreError;
use super::events;
use super::views::{Claim, EdgePeriod, EdgeRow, FlattenOrder, Position, Snapshot};
use crate::engine;
use crate::exit::{ExitReason, ReleaseReason};
use crate::types::{Cloid, Ns};

fn cloid(text: &str) -> PyResult<Cloid> {
    Cloid::parse(text).ok_or_else(|| PyValueError::new_err(format!("cloid is not 0x and 32 hex digits: {text:?}")))
}

/// Market state, edges, entries, exits and positions behind one door for frames.
#[pyclass(frozen, module = "hip3._hip3")]
pub struct Engine(engine::Engine);

#[pymethods]
impl Engine {
    #[new]
    fn new(settings: &[u8], session: u64) -> PyResult<Self> {
        engine::Engine::new(settings, session)
            .map(Self)
            .map_err(|e| CoreError::new_err(e.to_string()))
    }

    fn set_markets(&self, markets: &[u8]) -> PyResult<()> {
        self.0
            .set_markets(markets)
            .map_err(|e| CoreError::new_err(e.to_string()))
    }

    fn reconfigure(&self, settings: &[u8], markets: &[u8]) -> PyResult<()> {
        self.0
            .reconfigure(settings, markets)
            .map_err(|e| CoreError::new_err(e.to_string()))
    }

    fn on_frame(&self, py: Python<'_>, frame: &[u8], recv_ns: u64) -> PyResult<Option<Vec<Py<PyAny>>>> {
        let told = self.0.on_frame(frame, Ns(recv_ns));
        if told.is_empty() {
            return Ok(None);
        }
        told.into_iter()
            .map(|event| events::object(py, event))
            .collect::<PyResult<_>>()
            .map(Some)
    }

    fn on_deadline(&self, now_ns: u64) -> usize {
        self.0.on_deadline(Ns(now_ns))
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        self.0.next_deadline().map(|deadline| deadline.0)
    }

    fn sweep_exits(&self, now_ns: u64) -> usize {
        self.0.sweep_exits(Ns(now_ns))
    }

    fn request_exit(&self, asset: u32, reason: &str, now_ns: u64) -> PyResult<bool> {
        let Some(why @ (ExitReason::Operator | ExitReason::HardStop)) = ExitReason::parse(reason) else {
            return Err(PyValueError::new_err(format!(
                "no exit can be requested for {reason:?}"
            )));
        };
        Ok(self.0.request_exit(asset, why, Ns(now_ns)))
    }

    fn pop_flatten(&self) -> Option<FlattenOrder> {
        self.0.pop_flatten().map(FlattenOrder::from)
    }

    fn flattens_waiting(&self) -> usize {
        self.0.flattens_waiting()
    }

    fn release_claim(&self, asset: u32, cloid: &str, reason: &str, now_ns: u64) -> PyResult<bool> {
        let how = ReleaseReason::parse(reason)
            .ok_or_else(|| PyValueError::new_err(format!("no claim ends by {reason:?}")))?;
        Ok(self.0.release_claim(asset, self::cloid(cloid)?, how, Ns(now_ns)))
    }

    fn claims(&self) -> Vec<Claim> {
        self.0.claims().into_iter().map(Claim::from).collect()
    }

    fn settle_entry(&self, cloid: &str, filled: bool, now_ns: u64) -> PyResult<bool> {
        Ok(self.0.settle_entry(self::cloid(cloid)?, filled, Ns(now_ns)))
    }

    fn set_entries_enabled(&self, enabled: bool) {
        self.0.set_entries_enabled(enabled);
    }

    fn get_snapshot(&self, asset: u32) -> Option<Snapshot> {
        self.0.get_snapshot(asset).map(Snapshot::from)
    }

    fn get_position(&self, asset: u32) -> Option<Position> {
        self.0.get_position(asset).map(Position::from)
    }

    fn positions(&self) -> Vec<Position> {
        self.0.positions().into_iter().map(Position::from).collect()
    }

    fn is_flattening(&self, asset: u32) -> bool {
        self.0.is_flattening(asset)
    }

    fn maybe_log(&self, py: Python<'_>, now_ns: u64) -> PyResult<Option<EdgePeriod>> {
        self.0
            .maybe_log(Ns(now_ns))
            .map(|period| EdgePeriod::build(py, period))
            .transpose()
    }

    fn edge_summary(&self) -> Vec<EdgeRow> {
        self.0.edge_summary().into_iter().map(EdgeRow::from).collect()
    }

    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, count) in self.0.counters() {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }

    fn cash(&self) -> Vec<(String, String, String, String, String)> {
        let rows = self.0.cash().into_iter();
        rows.map(|(coin, [cash, fees, realized, funding])| (coin, cash, fees, realized, funding))
            .collect()
    }

    fn digest(&self) -> String {
        self.0.digest()
    }

    fn latest_venue_ms(&self) -> u64 {
        self.0.latest_venue_ms()
    }
}
