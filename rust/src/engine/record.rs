//! What the engine counts, and the digest of what it decided.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use sha3::{Digest, Sha3_256};

use super::event::Entry;
use crate::decimal::{Px, Sz};
use crate::exit::{ExitReason, FlattenOrder};
use crate::types::{MarketKey, Ns, Side};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the start.
        #[derive(Debug, Default)]
        pub(super) struct Counts { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl Counts {
            /// Every counter by name.
            pub fn all(&self) -> Vec<(String, u64)> {
                vec![$((stringify!($name).to_owned(), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counts! {
    /// Inputs taken.
    frames,
    /// Inputs that could not be read.
    frames_malformed,
    /// Inputs on channels that are not known.
    frames_unknown,
    /// Market data older than what its channel had said.
    frames_regressed,
    /// Market data older than what another channel had said.
    frames_superseded,
    /// Market data of markets that are not tracked.
    frames_untracked,
    /// Markets looked at after a frame.
    updates,
    /// Fills whose amounts could not be read.
    fills_unreadable,
    /// Flatten orders for which the channel had no room.
    flatten_channel_full,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Running SHA3-256 over one line of text per decision, and the number of each kind.
///
/// Two runs over the same inputs decided the same exactly when their digests agree.
#[derive(Debug, Default)]
pub(super) struct Decided {
    hash: Sha3_256,
    line: String,
    entries: u64,
    exits: [u64; ExitReason::ALL.len()],
}

impl Decided {
    pub fn entry(&mut self, entry: &Entry) {
        self.entries += 1;
        let line = (entry.decided, entry.key, entry.side, entry.px, entry.sz);
        self.add("entry", line, format_args!(""));
    }

    pub fn exit(&mut self, order: &FlattenOrder) {
        self.exits[order.reason as usize] += 1;
        let line = (order.decided, order.key, order.side, order.px, order.sz);
        self.add("exit", line, format_args!(" {} {}", order.reason, order.path));
    }

    fn add(
        &mut self,
        kind: &str,
        (at, key, side, px, sz): (Ns, MarketKey, Side, Px, Sz),
        rest: std::fmt::Arguments<'_>,
    ) {
        let side = if side.is_buy() { "buy" } else { "sell" };
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{kind} {} {key} {side} {px} {sz}{rest}", at.0);
        self.hash.update(self.line.as_bytes());
    }

    /// The digest so far, in lower-case hex.
    pub fn digest(&self) -> String {
        self.hash
            .clone()
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// `entries` and `exits_<reason>`.
    pub fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let exits = ExitReason::ALL
            .iter()
            .map(|reason| (format!("exits_{reason}"), self.exits[*reason as usize]));
        std::iter::once(("entries".to_owned(), self.entries)).chain(exits)
    }
}
