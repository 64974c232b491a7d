//! Identities and times used by every room. Owns no arithmetic and no state.

use std::fmt;

/// A venue perpetual: the position of its dex in `perpDexs` and its asset id in actions.
///
/// The main dex is index 0; asset ids of builder dexs are `100000 + 10000 * dex + index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarketKey {
    /// Position of the dex in `perpDexs` (0 is the main dex).
    pub dex: u16,
    /// Asset id as actions carry it.
    pub asset: u32,
}

impl MarketKey {
    /// Shows the market as operators read it: `dex_1:110026 (SILVER)`.
    ///
    /// `coin` is the venue's full name (`xyz:SILVER`); the dex prefix is left out.
    pub fn show(self, coin: &str) -> String {
        let short = coin.split_once(':').map_or(coin, |(_, name)| name);
        format!("{self} ({short})")
    }
}

impl fmt::Display for MarketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dex_{}:{}", self.dex, self.asset)
    }
}

/// Direction of an order or a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
pub enum Side {
    /// Buys: `B` on the wire.
    #[serde(rename = "B")]
    Buy,
    /// Sells: `A` on the wire.
    #[serde(rename = "A")]
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// True for [`Side::Buy`], as field `b` of an order.
    pub fn is_buy(self) -> bool {
        self == Self::Buy
    }
}

/// Client order id: 16 bytes, never zero, `0x` and 32 lower-case hex digits on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cloid(pub u128);

impl Cloid {
    /// The id numbered `counter` of the session `session`; never zero for `counter` above zero.
    ///
    /// A session's ids are unique as long as the shell draws `session` at random for each start.
    pub fn of(session: u64, counter: u64) -> Self {
        Self((u128::from(session) << 64) | u128::from(counter))
    }

    /// Reads the wire form; `None` unless it is `0x` and 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for Cloid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:032x}", self.0)
    }
}

/// Nanoseconds since the Unix epoch on the shell's steady clock: the only local time there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ns(pub u64);

impl Ns {
    /// Nanoseconds from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// Whole milliseconds since the epoch.
    pub fn as_ms(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// The venue's own time: milliseconds since the Unix epoch (block time).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
pub struct VenueMs(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn market_shows_as_operators_read_it() {
        let key = MarketKey { dex: 1, asset: 110_026 };
        assert_eq!(key.show("xyz:SILVER"), "dex_1:110026 (SILVER)");
    }

    #[test]
    fn cloid_survives_the_wire_and_refuses_other_text() {
        let cloid = Cloid::of(7, 1);
        assert_eq!(Cloid::parse(&cloid.to_string()), Some(cloid));
        for bad in [
            "",
            "0x",
            "0x+0000000000000000000000000000001",
            "00000000000000000000000000000001",
        ] {
            assert_eq!(Cloid::parse(bad), None, "{bad}");
        }
    }
}
