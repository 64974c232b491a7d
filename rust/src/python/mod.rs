//! The binding: the only place that names `PyO3`. Thin; converts types and holds no logic.
//!
//! Only plain types cross: integers, texts, bytes and frozen classes of them. Python objects are
//! built after every lock of the crate has been released.

#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments converted from Python arrive by value"
)]

mod engine;
mod events;
mod keys;
mod kill;
mod latency;
mod signer;
mod views;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    hip3._hip3,
    CoreError,
    PyException,
    "A bug of this program, or configuration that it cannot run with. Nothing that the venue says raises this."
);

/// Trading core of hip3: market state, edges, exits, signing. No I/O, no clock.
#[pymodule]
mod _hip3 {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::CoreError;
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::events::{
        AccountState, Ack, Entry, Fill, Malformed, OrderUpdate, PostReply, Resync, UnknownFrame, VenueError,
    };
    #[pymodule_export]
    use super::keys::{address_of, keystore_address, lock_key, relock_key};
    #[pymodule_export]
    use super::latency::LatencyHistogram;
    #[pymodule_export]
    use super::signer::{SignedAction, Signer, recover_l1, recover_user};
    #[pymodule_export]
    use super::views::{Claim, EdgePeriod, EdgeRow, FlattenOrder, Position, Snapshot};

    /// Adds `EXIT_REASONS`, and `Event`, the union of the event classes, for annotations and `isinstance`.
    #[pymodule_init]
    fn add_words_and_event_union(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let reasons = crate::exit::ExitReason::ALL.iter().map(|reason| reason.code());
        module.add(
            "EXIT_REASONS",
            pyo3::types::PyTuple::new(py, reasons.collect::<Vec<_>>())?,
        )?;
        let others = [
            py.get_type::<OrderUpdate>(),
            py.get_type::<Fill>(),
            py.get_type::<PostReply>(),
            py.get_type::<Ack>(),
            py.get_type::<VenueError>(),
            py.get_type::<Resync>(),
            py.get_type::<Malformed>(),
            py.get_type::<UnknownFrame>(),
            py.get_type::<AccountState>(),
        ];
        let mut union = py.get_type::<Entry>().into_any();
        for class in others {
            union = union.bitor(class)?;
        }
        module.add("Event", union)
    }
}
