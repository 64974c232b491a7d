//! The options of the core, as the shell hands them over once.

use serde::Deserialize;

use crate::detect::{EntrySettings, Schedule};
use crate::exit::ExitSettings;

/// Options of the edge statistics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeSettings {
    /// Length of a reporting period in milliseconds.
    pub period_ms: u64,
}

/// Every option of the core.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// When and how large to enter.
    pub entry: EntrySettings,
    /// When and how to leave.
    pub exit: ExitSettings,
    /// What to report of edges.
    pub edges: EdgeSettings,
    /// Times without entries, which markets name by their place here.
    #[serde(default)]
    pub blackouts: Vec<Schedule>,
}

impl Settings {
    /// What makes the options unusable, if anything.
    pub fn fault(&self) -> Option<String> {
        let period = (self.edges.period_ms == 0).then(|| "edges.period_ms must be above 0".to_owned());
        let exit = || self.exit.fault().map(|fault| format!("exit: {fault}"));
        let blackout = || self.blackouts.iter().find_map(Schedule::fault).map(str::to_owned);
        self.entry
            .fault()
            .map(str::to_owned)
            .or_else(exit)
            .or(period)
            .or_else(blackout)
    }
}
