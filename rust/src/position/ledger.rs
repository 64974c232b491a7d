//! One market's account: size, cost, cash, realized profit. All exact; fills and adoptions change it.
//!
//! Cash is what the fills moved: what was sold less what was bought less fees. Together with the
//! position at mark and the collateral at the start it gives the equity, without reading the venue.

use std::fmt;

use crate::decimal::{Bps, Px, SCALE, Sz, USD_UNIT, Usd};
use crate::types::{MarketKey, Ns, Side, VenueMs};

/// Dollars in units of `10^-16`, so that the product of a price and a size needs no rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub i128);

/// [`Dollars`] units in one dollar.
const DOLLAR: u128 = 10_u128.pow(16);
/// Decimals of [`Dollars`].
const DOLLAR_DECIMALS: usize = 16;

impl Dollars {
    /// `px * sz`, exact; a signed size gives a signed value.
    pub fn product(px: Px, sz: Sz) -> Self {
        Self(i128::from(px.0) * i128::from(sz.0))
    }

    /// Adds `other`; saturates far beyond any account, so that no frame can make it panic.
    pub fn add(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// Truncated towards zero to millionths, saturating.
    pub fn to_usd(self) -> Usd {
        let millionths = self.0 / (i128::from(SCALE) * i128::from(SCALE) / i128::from(USD_UNIT));
        Usd(i64::try_from(millionths).unwrap_or(if millionths < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl From<Usd> for Dollars {
    fn from(usd: Usd) -> Self {
        Self(i128::from(usd.0) * (i128::from(SCALE) * i128::from(SCALE) / i128::from(USD_UNIT)))
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", magnitude / DOLLAR)?;
        let fraction = format!("{:0DOLLAR_DECIMALS$}", magnitude % DOLLAR);
        match fraction.trim_end_matches('0') {
            "" => Ok(()),
            digits => write!(f, ".{digits}"),
        }
    }
}

/// An open position, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The market.
    pub key: MarketKey,
    /// Signed size: positive long, negative short, never zero.
    pub szi: Sz,
    /// Average entry price, truncated; zero when the venue gave none with an adopted size.
    pub entry_px: Px,
    /// When the position was opened or adopted; increases keep it.
    pub entry: Ns,
    /// Gross edge of the entry that opened it; `None` for an adopted position.
    pub entry_edge: Option<Bps>,
    /// Oracle price when that entry was decided.
    pub entry_oracle: Option<Px>,
    /// When an account state last agreed with the size; zero when none did since it changed hands.
    pub verified: Ns,
    /// Profit of what was closed in this market since the start, before fees.
    pub realized_pnl: Dollars,
}

impl Position {
    /// The side whose order closes the position.
    pub fn closing_side(&self) -> Side {
        if self.szi.0 > 0 { Side::Sell } else { Side::Buy }
    }
}

/// Where an opening fill came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub edge: Option<Bps>,
    pub oracle: Option<Px>,
}

/// The books of one market.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub szi: Sz,
    /// What the open size cost, signed like it.
    cost: Dollars,
    pub entry: Ns,
    pub origin: Origin,
    pub verified: Ns,
    pub cash: Dollars,
    pub fees: Dollars,
    pub realized: Dollars,
    /// Funding received less funding paid; part of the cash.
    pub funding: Dollars,
    /// Newest funding payment that was applied.
    pub funded: VenueMs,
    /// Newest fill that was applied.
    pub last_fill: VenueMs,
    /// Account state whose size was last taken over after the first adoption of the dex.
    pub sized: VenueMs,
    /// A differing size and the time of the state that told it, until a second state decides.
    pub disputed: Option<(Sz, VenueMs)>,
}

impl Ledger {
    /// The position, unless flat.
    pub fn position(&self, key: MarketKey) -> Option<Position> {
        (self.szi.0 != 0).then(|| Position {
            key,
            szi: self.szi,
            entry_px: self.entry_px(),
            entry: self.entry,
            entry_edge: self.origin.edge,
            entry_oracle: self.origin.oracle,
            verified: self.verified,
            realized_pnl: self.realized,
        })
    }

    /// What the open size cost, as a magnitude.
    pub fn exposure(&self) -> Dollars {
        Dollars(self.cost.0.abs())
    }

    fn entry_px(&self) -> Px {
        match self.szi.0 {
            0 => Px(0),
            size => Px(i64::try_from(self.cost.0 / i128::from(size)).unwrap_or(i64::MAX)),
        }
    }

    /// Books cash and fee of a fill.
    pub fn add_cash(&mut self, side: Side, px: Px, sz: Sz, fee: Usd) {
        let value = Dollars::product(px, sz);
        self.cash.add(if side.is_buy() { Dollars(-value.0) } else { value });
        self.cash.add(Dollars(-Dollars::from(fee).0));
        self.fees.add(fee.into());
    }

    /// Books a funding payment: positive was received.
    pub fn add_funding(&mut self, usdc: Usd, time: VenueMs) {
        self.cash.add(usdc.into());
        self.funding.add(usdc.into());
        self.funded = time;
    }

    /// Moves the size by a fill: closes what is against it, then opens the rest.
    pub fn add_size(&mut self, side: Side, px: Px, sz: Sz, origin: Origin, now: Ns) {
        let signed = if side.is_buy() { sz.0 } else { -sz.0 };
        let against = (self.szi.0 > 0) != (signed > 0) && self.szi.0 != 0;
        let closing = if against {
            signed.abs().min(self.szi.0.abs()) * signed.signum()
        } else {
            0
        };
        if closing != 0 {
            // The part of the cost that leaves; truncation stays in the open part, so the sum of
            // realized profit and cost is exact and a flat market has realized exactly its cash.
            let (closed, held) = (i128::from(-closing), i128::from(self.szi.0));
            // In two parts, because cost times size is beyond 128 bits for large holdings.
            let released = self.cost.0 / held * closed + self.cost.0 % held * closed / held;
            self.realized
                .add(Dollars(Dollars::product(px, Sz(-closing)).0.saturating_sub(released)));
            self.cost.add(Dollars(-released));
            self.szi.0 += closing;
        }
        let opening = signed - closing;
        if opening != 0 {
            if self.szi.0 == 0 {
                (self.entry, self.origin, self.verified) = (now, origin, Ns(0));
            }
            self.szi.0 = self.szi.0.saturating_add(opening);
            self.cost.add(Dollars::product(px, Sz(opening)));
        }
        self.disputed = None;
    }

    /// Takes over the venue's size. Entry time, edge and price stay when the direction does.
    pub fn adopt(&mut self, szi: Sz, entry_px: Option<Px>, now: Ns) {
        let same_direction = self.szi.0.signum() == szi.0.signum();
        let px = if same_direction && self.szi.0 != 0 {
            self.entry_px()
        } else {
            entry_px.unwrap_or_default()
        };
        if !same_direction {
            (self.entry, self.origin) = (now, Origin::default());
        }
        self.szi = szi;
        self.cost = Dollars::product(px, szi);
        self.verified = now;
        self.disputed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn px(text: &str) -> Px {
        Px::parse(text).unwrap()
    }

    fn sz(text: &str) -> Sz {
        Sz::parse(text).unwrap()
    }

    fn fill(ledger: &mut Ledger, side: Side, price: &str, amount: &str, fee: &str) {
        ledger.add_cash(side, px(price), sz(amount), Usd::parse(fee).unwrap());
        ledger.add_size(side, px(price), sz(amount), Origin::default(), Ns(1));
    }

    #[test]
    fn a_round_trip_leaves_its_profit_less_fees_in_cash() {
        let mut ledger = Ledger::default();
        fill(&mut ledger, Side::Buy, "100", "2", "0.018");
        fill(&mut ledger, Side::Buy, "101", "1", "0.009");
        assert_eq!(ledger.entry_px(), px("100.33333333"));
        fill(&mut ledger, Side::Sell, "102", "3", "0.027");
        assert_eq!((ledger.szi, ledger.cost), (Sz(0), Dollars(0)));
        assert_eq!(
            (ledger.realized.to_string(), ledger.fees.to_string()),
            ("5".to_owned(), "0.054".to_owned())
        );
        assert_eq!(ledger.cash.to_string(), "4.946");
    }

    #[test]
    fn a_flip_closes_first_and_opens_the_rest_afresh() {
        let mut ledger = Ledger::default();
        fill(&mut ledger, Side::Sell, "50", "4", "0");
        ledger.add_size(
            Side::Buy,
            px("49"),
            sz("6"),
            Origin {
                edge: Some(Bps(7)),
                oracle: None,
            },
            Ns(9),
        );
        let position = ledger.position(MarketKey { dex: 0, asset: 0 }).unwrap();
        assert_eq!(
            (position.szi, position.entry_px, position.entry),
            (sz("2"), px("49"), Ns(9))
        );
        assert_eq!(
            (position.entry_edge, position.realized_pnl.to_string()),
            (Some(Bps(7)), "4".to_owned())
        );
    }

    #[test]
    fn an_adopted_size_keeps_entry_facts_only_in_the_same_direction() {
        let mut ledger = Ledger::default();
        ledger.add_size(
            Side::Buy,
            px("10"),
            sz("4"),
            Origin {
                edge: Some(Bps(1)),
                oracle: None,
            },
            Ns(5),
        );
        ledger.adopt(sz("3"), Some(px("11")), Ns(8));
        assert_eq!(
            (ledger.entry, ledger.entry_px(), ledger.origin.edge),
            (Ns(5), px("10"), Some(Bps(1)))
        );
        ledger.adopt(sz("-1"), Some(px("11")), Ns(9));
        assert_eq!(
            (ledger.entry, ledger.entry_px(), ledger.origin.edge),
            (Ns(9), px("11"), None)
        );
    }

    #[test]
    fn dollars_show_every_digit_they_have() {
        for (units, text) in [
            (0, "0"),
            (-1, "-0.0000000000000001"),
            (15_000_000_000_000_000, "1.5"),
            (-20_000_000_000_000_000, "-2"),
        ] {
            assert_eq!(Dollars(units).to_string(), text);
        }
        assert_eq!(Dollars::from(Usd(-1)).to_usd(), Usd(-1));
    }

    proptest! {
        #[test]
        fn size_is_the_sum_of_fills_and_realized_less_cost_is_cash(fills in proptest::collection::vec((any::<bool>(), 1_i64..100_000, 1_i64..100_000), 1..60)) {
            let mut ledger = Ledger::default();
            let mut size = 0;
            for (is_buy, price, amount) in fills {
                let side = if is_buy { Side::Buy } else { Side::Sell };
                ledger.add_cash(side, Px(price * 10_000), Sz(amount * 10_000), Usd(0));
                ledger.add_size(side, Px(price * 10_000), Sz(amount * 10_000), Origin::default(), Ns(1));
                size += if is_buy { amount } else { -amount } * 10_000;
                prop_assert_eq!(ledger.szi, Sz(size));
                prop_assert_eq!(ledger.realized.0 - ledger.cost.0, ledger.cash.0);
                prop_assert!(size != 0 || ledger.cost.0 == 0);
            }
        }
    }
}
