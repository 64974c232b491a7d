//! Leaving positions: the one rule, the claim, and the way from a market update to a flatten order.
//!
//! Never holds a copy of the rule elsewhere and never sends anything. A claim is released by the
//! order side alone, with the way in which its order ended.

mod claims;
mod reason;
mod rule;
mod watcher;

pub use claims::{Claim, FlatteningSet};
pub use reason::{ExitPath, ExitReason, ReleaseReason};
pub use rule::{EdgeEvaporated, ExitSettings, OracleReversal, QuickProfit, Share, exit_rule, market_condition};
pub use watcher::{ExitWatcher, FlattenOrder, Outcome};

#[cfg(test)]
mod tests;
