//! Exact fixed-point numbers: prices, sizes, basis points, dollars.
//!
//! Owns parsing of venue strings, tick and lot rounding and the wire form. No float decides
//! anything here; `to_f64` exists for display and statistics alone.

use std::fmt;

/// Units in one: prices and sizes carry eight decimals, the most the venue accepts.
pub const SCALE: i64 = 100_000_000;
/// [`Bps`] units in one basis point, so that a fraction of one is `SCALE` units.
pub const BPS_UNIT: i64 = 10_000;
/// [`Usd`] units in one dollar: the venue's own six decimals.
pub const USD_UNIT: i64 = 1_000_000;

/// Why a text is no number of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not `-?digits[.digits]`.
    Syntax,
    /// More decimals than the type carries, and not only zeros.
    TooFine,
    /// Beyond the range of the type.
    TooLarge,
    /// Zero or negative where only a magnitude makes sense.
    NotPositive,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a plain decimal number",
            Self::TooFine => "more decimals than are carried",
            Self::TooLarge => "number out of range",
            Self::NotPositive => "number not above zero",
        })
    }
}

impl std::error::Error for DecimalError {}

/// Reads `-?digits[.digits]` as an integer of `10^-decimals`.
///
/// With `truncate`, digits beyond `decimals` are dropped towards zero; without, they are an error
/// unless they are zeros.
pub fn parse_fixed(text: &str, decimals: u32, truncate: bool) -> Result<i64, DecimalError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match rest.split_once('.') {
        Some((_, "")) => return Err(DecimalError::Syntax),
        Some((whole, fraction)) => (whole, fraction),
        None => (rest, ""),
    };
    if whole.is_empty() {
        return Err(DecimalError::Syntax);
    }
    let mut value: i64 = 0;
    let mut push = |digit: u8| -> Result<(), DecimalError> {
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i64::from(digit)))
            .ok_or(DecimalError::TooLarge)?;
        Ok(())
    };
    for byte in whole.bytes() {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Syntax);
        }
        push(byte - b'0')?;
    }
    let mut kept = 0;
    for byte in fraction.bytes() {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Syntax);
        }
        if kept < decimals {
            push(byte - b'0')?;
            kept += 1;
        } else if byte != b'0' && !truncate {
            return Err(DecimalError::TooFine);
        }
    }
    for _ in kept..decimals {
        push(0)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer of `10^-decimals` as plain decimal without trailing zeros; `-0` cannot occur.
fn write_fixed(f: &mut fmt::Formatter<'_>, value: i64, unit: i64, decimals: usize) -> fmt::Result {
    let magnitude = value.unsigned_abs();
    let unit = unit.unsigned_abs();
    if value < 0 {
        f.write_str("-")?;
    }
    write!(f, "{}", magnitude / unit)?;
    let mut fraction = magnitude % unit;
    if fraction == 0 {
        return Ok(());
    }
    let mut width = decimals;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(f, ".{fraction:0width$}")
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $unit:expr, $decimals:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// Reads the text exactly.
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                parse_fixed(text, $decimals, false).map(Self)
            }

            /// Reads the text, dropping digits that the type does not carry.
            pub fn parse_truncating(text: &str) -> Result<Self, DecimalError> {
                parse_fixed(text, $decimals, true).map(Self)
            }

            /// For display and statistics; never for a decision.
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / $unit as f64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_fixed(f, self.0, $unit, $decimals as usize)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(TextVisitor(Self::parse))
            }
        }
    };
}

/// Reads a decimal text in place, without a copy of it.
struct TextVisitor<T>(fn(&str) -> Result<T, DecimalError>);

impl<T> serde::de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(|e| E::custom(format_args!("{e}: {text:?}")))
    }
}

fixed!(
    /// A price in units of `10^-8`.
    Px, SCALE, 8
);
fixed!(
    /// A size in units of `10^-8`: a magnitude where it names an order, signed in a position.
    Sz, SCALE, 8
);
fixed!(
    /// Basis points in units of `10^-4` bps.
    Bps, BPS_UNIT, 4
);
fixed!(
    /// A plain factor in units of `10^-8`: a share, a fraction, a multiple.
    Ratio, SCALE, 8
);
fixed!(
    /// US dollars (or collateral) in units of `10^-6`.
    Usd, USD_UNIT, 6
);

/// Which way a price is moved onto the tick grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next lower tick.
    Down,
    /// To the next higher tick.
    Up,
}

/// Most decimals of a perpetual's price: `6 - szDecimals`.
const PERP_PX_DECIMALS: u32 = 6;
/// Significant figures of a price that is not an integer.
const PX_FIGURES: u32 = 5;

/// The tick at `px` in price units: five significant figures and `6 - sz_decimals` decimals, where
/// every integer is legal (order rules of the venue's documentation).
fn tick_at(px: i64, sz_decimals: u32) -> i64 {
    let by_decimals = 10_i64.pow(8 - PERP_PX_DECIMALS.saturating_sub(sz_decimals));
    let mut by_figures = 1_i64;
    let limit = 10_i64.pow(PX_FIGURES);
    while px / by_figures >= limit {
        by_figures *= 10;
    }
    by_decimals.max(by_figures.min(SCALE))
}

impl Px {
    /// This price on the tick grid of a perpetual with `sz_decimals`, moved as `rounding` says.
    #[must_use]
    pub fn on_tick(self, sz_decimals: u32, rounding: Rounding) -> Self {
        let tick = tick_at(self.0, sz_decimals);
        let down = self.0.div_euclid(tick) * tick;
        match rounding {
            Rounding::Down => Self(down),
            Rounding::Up if down == self.0 => self,
            Rounding::Up => Self(down + tick),
        }
    }

    /// Whether the venue takes this price for a perpetual with `sz_decimals`.
    pub fn is_on_tick(self, sz_decimals: u32) -> bool {
        self.0 > 0 && self.on_tick(sz_decimals, Rounding::Down) == self
    }

    /// This price times `1 + bps / 10_000`, truncated to the unit.
    #[must_use]
    pub fn moved_by(self, bps: Bps) -> Self {
        let moved = i128::from(self.0) * (i128::from(SCALE) + i128::from(bps.0)) / i128::from(SCALE);
        Self(i64::try_from(moved).unwrap_or(i64::MAX))
    }
}

impl Sz {
    /// This size rounded towards zero to the lot `10^-sz_decimals`.
    #[must_use]
    pub fn on_lot(self, sz_decimals: u32) -> Self {
        let lot = 10_i64.pow(8 - sz_decimals.min(8));
        Self(self.0 / lot * lot)
    }
}

/// `px * sz` in dollars, truncated towards zero; exact for every legal price and size, because
/// their decimals add up to six at most.
pub fn notional(px: Px, sz: Sz) -> Usd {
    let unit = i128::from(SCALE) * i128::from(SCALE) / i128::from(USD_UNIT);
    let value = i128::from(px.0) * i128::from(sz.0) / unit;
    Usd(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
}

/// The size whose notional at `px` is at most `usd`, in size units; `px` must be above zero.
pub fn size_for(usd: Usd, px: Px) -> Sz {
    let unit = i128::from(SCALE) * i128::from(SCALE) / i128::from(USD_UNIT);
    let value = i128::from(usd.0) * unit / i128::from(px.0.max(1));
    Sz(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn venue_texts_are_read_and_written_exactly() {
        for (text, shown) in [
            ("80639.0", "80639"),
            ("0.001234", "0.001234"),
            ("-0.5", "-0.5"),
            ("-0", "0"),
            ("100", "100"),
        ] {
            assert_eq!(Px::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for text in ["", "-", ".", "1.", ".5", "NaN", "1e5", "0x1", "+1", "1 ", "--1", "inf"] {
            assert_eq!(Px::parse(text), Err(DecimalError::Syntax), "{text:?}");
        }
        assert_eq!(Px::parse("0.123456789"), Err(DecimalError::TooFine));
        assert_eq!(Px::parse("0.1234567890000"), Err(DecimalError::TooFine));
        assert_eq!(Px::parse("0.1234567800000"), Ok(Px(12_345_678)));
        assert_eq!(Px::parse("92233720369"), Err(DecimalError::TooLarge));
        assert_eq!(Sz::parse_truncating("1200496.1199999999"), Ok(Sz(120_049_611_999_999)));
    }

    #[test]
    fn ticks_follow_the_venue_examples() {
        // Examples of the venue's documentation, "Tick and lot size".
        for (px, sz_decimals, legal) in [
            ("1234.5", 1, true),
            ("1234.56", 1, false),
            ("0.001234", 0, true),
            ("0.0012345", 0, false),
            ("0.01234", 1, true),
            ("0.012345", 1, false),
            ("123456", 1, true),
            ("12345.6", 1, false),
        ] {
            assert_eq!(Px::parse(px).unwrap().is_on_tick(sz_decimals), legal, "{px}");
        }
    }

    #[test]
    fn notional_is_exact_in_millionths() {
        let value = notional(Px::parse("83985.7").unwrap(), Sz::parse("0.06075").unwrap());
        assert_eq!(value.to_string(), "5102.131275");
        assert_eq!(
            size_for(Usd::parse("100").unwrap(), Px::parse("25").unwrap()),
            Sz::parse("4").unwrap()
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(units in -9_000_000_000_000_000_000_i64..9_000_000_000_000_000_000) {
            prop_assert_eq!(Px::parse(&Px(units).to_string()), Ok(Px(units)));
        }

        #[test]
        fn rounding_stays_on_its_side_within_a_tick(units in 1_i64..9_000_000_000_000_000, sz_decimals in 0_u32..6) {
            let px = Px(units);
            let down = px.on_tick(sz_decimals, Rounding::Down);
            let up = px.on_tick(sz_decimals, Rounding::Up);
            prop_assert!(down <= px && px <= up);
            prop_assert!(up.is_on_tick(sz_decimals));
            prop_assert!(down.0 == 0 || down.is_on_tick(sz_decimals));
            prop_assert!(up.0 - down.0 <= tick_at(units, sz_decimals));
        }

        #[test]
        fn any_text_is_a_number_or_an_error(text in "\\PC*") {
            let _ = Px::parse(&text);
        }
    }
}
