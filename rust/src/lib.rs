//! Trading core of `hip3`: no I/O, no clock, no random source.

pub mod decimal;
pub mod detect;
pub mod edge;
pub mod engine;
pub mod exit;
pub mod frame;
pub mod latency;
pub mod market;
pub mod order;
pub mod position;
#[cfg(feature = "python")]
mod python;
pub mod signing;
pub mod types;
