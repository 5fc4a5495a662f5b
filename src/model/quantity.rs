//! Resource quantities: `100m`, `1.5Gi`, `2e3`.
//!
//! Source: the Kubernetes API reference, "Quantity". A value is held in billionths, the finest
//! step that the API stores, so that sums and comparisons are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

use serde_json::Value;

const NANO: i128 = 1_000_000_000;

/// The largest amount; the API cuts larger ones to it. Sums stop far above.
const MOST: i128 = i64::MAX as i128 * NANO;

/// An amount in billionths of its unit (cores, bytes, objects).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// The text is not a quantity.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a quantity such as 500m, 2 or 1.5Gi")]
pub struct NotAQuantity(String);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole units: cores, bytes or objects.
    pub const fn units(count: i64) -> Self {
        Self(count as i128 * NANO)
    }

    /// Thousandths: `milli(250)` is `250m`.
    pub const fn milli(count: i64) -> Self {
        Self(count as i128 * (NANO / 1000))
    }

    /// Mebibytes.
    pub const fn mebi(count: i64) -> Self {
        Self(count as i128 * (1 << 20) * NANO)
    }

    /// Reads every notation of the API: decimal and binary suffixes, and exponents.
    pub fn parse(text: &str) -> Result<Self, NotAQuantity> {
        parse(text.trim()).ok_or_else(|| NotAQuantity(text.to_owned()))
    }

    /// Reads a JSON string or number, as the API accepts both.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text).ok(),
            Value::Number(number) => Self::parse(&number.to_string()).ok(),
            _ => None,
        }
    }

    /// Rounds up to a multiple of `step`.
    #[must_use]
    pub fn round_up(self, step: Self) -> Self {
        Self(self.0.saturating_add(step.0 - 1).div_euclid(step.0).saturating_mul(step.0))
    }

    /// Times `numerator / denominator`, rounded up to a billionth.
    #[must_use]
    pub fn scale(self, numerator: i64, denominator: i64) -> Self {
        let product = self.0.saturating_mul(i128::from(numerator));
        let denominator = i128::from(denominator);
        Self(product.saturating_add(denominator - 1).div_euclid(denominator))
    }

    /// `self - other`, not below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// True for nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// In thousandths, rounded up.
    pub fn as_milli(self) -> i128 {
        self.0.saturating_add(NANO / 1000 - 1).div_euclid(NANO / 1000)
    }

    /// In whole units, rounded up.
    pub fn as_units(self) -> i128 {
        self.0.saturating_add(NANO - 1).div_euclid(NANO)
    }

    /// The largest binary suffix that divides the amount: `2Gi`; for memory.
    pub fn binary(self) -> String {
        if self.0 % NANO != 0 {
            return self.to_string();
        }
        let mut amount = self.0 / NANO;
        let mut suffix = "";
        for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
            if amount == 0 || amount % 1024 != 0 {
                break;
            }
            amount /= 1024;
            suffix = next;
        }
        format!("{amount}{suffix}")
    }
}

/// Decimal, as the API writes CPU: `2`, `1500m`, `3u`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, suffix) in [(NANO, ""), (NANO / 1000, "m"), (1000, "u"), (1, "n")] {
            if self.0 % step == 0 {
                return write!(f, "{}{suffix}", self.0 / step);
            }
        }
        Ok(())
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<i64> for Quantity {
    type Output = Self;
    fn mul(self, count: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

fn parse(text: &str) -> Option<Quantity> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (multiplier, exponent) = multiplier(suffix)?;
    let digits = format!("{whole}{fraction}");
    let shift = exponent.saturating_add(9).saturating_sub(i32::try_from(fraction.len()).ok()?);
    let amount = scaled(digits.trim_start_matches('0'), multiplier, shift).min(MOST);
    Some(Quantity(if negative { -amount } else { amount }))
}

/// `digits · multiplier · 10^shift`, a fraction rounded up; what is too large stops at the end.
fn scaled(digits: &str, multiplier: i128, shift: i32) -> i128 {
    if digits.is_empty() {
        return 0;
    }
    let digits = digits.parse().unwrap_or(i128::MAX).saturating_mul(multiplier);
    let power = 10_i128.saturating_pow(shift.unsigned_abs());
    if shift >= 0 { digits.saturating_mul(power) } else { digits.saturating_add(power - 1) / power }
}

/// The factor and the power of ten that a suffix means.
fn multiplier(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        other => (1, other.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_of_the_reference() {
        for (text, same) in [
            ("0.1", "100m"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1.5Gi", "1536Mi"),
            ("128974848", "123Mi"),
            ("129e6", "129M"),
            ("12e-1", "1200m"),
            ("+1", "1"),
            (".5", "500m"),
            ("1.", "1"),
            ("00.50", "500m"),
            ("1E", "1000P"),
            ("1Ei", "1024Pi"),
            ("-1", "-1000m"),
            ("0", "0Gi"),
            ("1e-12", "1n"),
            ("1e-2000000000", "1n"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap(), Quantity::parse(same).unwrap(), "{text}");
        }
        for bad in ["", "Mi", "1.2.3", "1Kb", "one", "1 Gi", "-"] {
            assert!(Quantity::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_too_large_is_cut_as_the_api_cuts_it() {
        let most = Quantity::units(i64::MAX);
        let nines = "9".repeat(99);
        for text in ["9223372036854775808", "1e30", "9999Ei", "1e2000000000", nines.as_str()] {
            assert_eq!(Quantity::parse(text).unwrap(), most, "{text}");
        }
        let (sum, product) = (most + most, most * i64::MAX);
        assert!(sum > most && product > sum && product + product >= product);
        assert!(product.scale(12, 10).round_up(Quantity::mebi(256)) > most);
    }

    #[test]
    fn canonical_text() {
        assert_eq!(Quantity::parse("1.5").unwrap().to_string(), "1500m");
        assert_eq!(Quantity::parse("2").unwrap().to_string(), "2");
        assert_eq!(Quantity::parse("2048Mi").unwrap().binary(), "2Gi");
        assert_eq!(Quantity::parse("100M").unwrap().binary(), "100000000");
    }

    #[test]
    fn rounding() {
        assert_eq!(Quantity::milli(1201).round_up(Quantity::milli(500)).to_string(), "1500m");
        assert_eq!(Quantity::units(10).scale(12, 10), Quantity::units(12));
    }

    proptest::proptest! {
        #[test]
        fn text_round_trips(n in 0_i64..10_000_000) {
            let quantity = Quantity::milli(n);
            proptest::prop_assert_eq!(Quantity::parse(&quantity.to_string()).unwrap(), quantity);
            let memory = Quantity::units(n);
            proptest::prop_assert_eq!(Quantity::parse(&memory.binary()).unwrap(), memory);
        }

        #[test]
        fn order_is_that_of_the_amounts(a in 0_i64..1_000_000, b in 0_i64..1_000_000) {
            let (left, right) = (Quantity::milli(a * 1000), Quantity::units(b));
            proptest::prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }
    }
}
