//! `FlatteningSet`: which markets have a flatten order alive. One lock, check and insert in one step.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::reason::{ExitPath, ExitReason, ReleaseReason};
use crate::types::{Cloid, MarketKey, Ns};

/// The right to flatten one market, held by one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The order that holds it.
    pub cloid: Cloid,
    /// Why the position is left.
    pub reason: ExitReason,
    /// Who found it.
    pub path: ExitPath,
    /// When it was made.
    pub claimed: Ns,
    /// When an inquiry is due; it frees nothing by itself.
    pub lease_until: Ns,
}

#[derive(Debug, Default)]
struct State {
    claims: FxHashMap<MarketKey, Claim>,
    made: [u64; ExitPath::ALL.len()],
    released: [u64; ReleaseReason::ALL.len()],
    /// Releases that named another order than the holder, or a market without a claim.
    mismatched: u64,
}

/// Claims by market: bounded by the markets. Shared by both exit paths and the order side.
#[derive(Debug, Default)]
pub struct FlatteningSet(Mutex<State>);

impl FlatteningSet {
    /// Claims `key` unless it is claimed; true for exactly one caller.
    pub fn try_claim(&self, key: MarketKey, claim: Claim) -> bool {
        let mut state = self.0.lock();
        if state.claims.contains_key(&key) {
            return false;
        }
        state.claims.insert(key, claim);
        state.made[claim.path as usize] += 1;
        true
    }

    /// Ends the claim of `key` if `cloid` holds it; true once.
    pub fn release(&self, key: MarketKey, cloid: Cloid, reason: ReleaseReason) -> bool {
        let mut state = self.0.lock();
        if state.claims.get(&key).is_none_or(|claim| claim.cloid != cloid) {
            state.mismatched += 1;
            return false;
        }
        state.claims.remove(&key);
        state.released[reason as usize] += 1;
        true
    }

    /// Whether a flatten order of `key` is alive or being sent.
    pub fn is_flattening(&self, key: MarketKey) -> bool {
        self.0.lock().claims.contains_key(&key)
    }

    /// Every claim, in order of market.
    pub fn claims(&self) -> Vec<(MarketKey, Claim)> {
        self.matching(|_| true)
    }

    /// Claims whose lease has run out: each needs an inquiry.
    pub fn expired(&self, now: Ns) -> Vec<(MarketKey, Claim)> {
        self.matching(|claim| claim.lease_until <= now)
    }

    fn matching(&self, wanted: impl Fn(&Claim) -> bool) -> Vec<(MarketKey, Claim)> {
        let state = self.0.lock();
        let mut claims: Vec<_> = state
            .claims
            .iter()
            .filter(|(_, claim)| wanted(claim))
            .map(|(key, claim)| (*key, *claim))
            .collect();
        claims.sort_by_key(|(key, _)| *key);
        claims
    }

    /// Counters by name: `claims_made_<path>`, `claims_released_<reason>`, `claims_mismatched`.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let state = self.0.lock();
        let made = ExitPath::ALL
            .iter()
            .map(|path| (format!("claims_made_{path}"), state.made[*path as usize]));
        let released = ReleaseReason::ALL
            .iter()
            .map(|reason| (format!("claims_released_{reason}"), state.released[*reason as usize]));
        let mut counters: Vec<_> = made.chain(released).collect();
        counters.push(("claims_mismatched".to_owned(), state.mismatched));
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    const KEY: MarketKey = MarketKey { dex: 1, asset: 110_026 };

    fn claim(cloid: u128, path: ExitPath) -> Claim {
        let (claimed, lease_until) = (Ns(1), Ns(10));
        Claim {
            cloid: Cloid(cloid),
            reason: ExitReason::MarkRegression,
            path,
            claimed,
            lease_until,
        }
    }

    #[test]
    fn threads_of_both_paths_get_exactly_one_claim_at_a_time() {
        const THREADS: u128 = 8;
        const ROUNDS: u128 = 2_000;
        let set = FlatteningSet::default();
        let barrier = Barrier::new(THREADS as usize);
        let winners: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (set, barrier) = (&set, &barrier);
                    scope.spawn(move || {
                        let path = if thread % 2 == 0 {
                            ExitPath::Primary
                        } else {
                            ExitPath::Backup
                        };
                        let mut won = 0;
                        for round in 0..ROUNDS {
                            barrier.wait();
                            let mine = claim(1 + thread * ROUNDS + round, path);
                            let winner = set.try_claim(KEY, mine);
                            won += u64::from(winner);
                            barrier.wait();
                            assert_eq!(set.release(KEY, mine.cloid, ReleaseReason::Filled), winner);
                        }
                        won
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(u128::from(winners), ROUNDS);
        let count = |name: &str| set.counters().into_iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(
            u128::from(count("claims_made_primary") + count("claims_made_backup")),
            ROUNDS
        );
        assert_eq!(u128::from(count("claims_released_filled")), ROUNDS);
    }

    #[test]
    fn only_the_holder_ends_a_claim_and_only_once() {
        let set = FlatteningSet::default();
        assert!(set.try_claim(KEY, claim(5, ExitPath::Primary)));
        assert!(!set.try_claim(KEY, claim(6, ExitPath::Backup)));
        assert!(!set.release(KEY, Cloid(6), ReleaseReason::Filled));
        assert!(set.release(KEY, Cloid(5), ReleaseReason::Canceled));
        assert!(!set.release(KEY, Cloid(5), ReleaseReason::Canceled));
        assert!(set.counters().contains(&("claims_mismatched".to_owned(), 2)));
    }

    #[test]
    fn a_lease_that_runs_out_is_told_and_frees_nothing() {
        let set = FlatteningSet::default();
        set.try_claim(KEY, claim(5, ExitPath::Primary));
        assert_eq!(set.expired(Ns(9)), []);
        assert_eq!(set.expired(Ns(10)), set.claims());
        assert!(set.is_flattening(KEY) && !set.try_claim(KEY, claim(6, ExitPath::Backup)));
    }
}
