//! Trading core of `hip3`: no I/O, no clock, no random source.

pub mod decimal;
pub mod types;
