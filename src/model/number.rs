//! Integers that may be percentages, and the way in which Kubernetes rounds them.

use serde::{Deserialize, Deserializer, Serialize};

/// An integer, or a string: a percentage such as `25%`, or the name of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(#[serde(deserialize_with = "int32")] i64),
    /// A percentage or a name.
    Text(String),
}

impl IntOrString {
    /// The share of `total` that this means, a percentage rounded up.
    /// `None` for a string that is not a percentage.
    pub fn of_rounded_up(&self, total: i64) -> Option<i64> {
        Some(match self.percent()? {
            Ok(count) => count,
            Err(percent) => share(percent, total, 99),
        })
    }

    /// The share of `total` that this means, a percentage rounded down.
    pub fn of_rounded_down(&self, total: i64) -> Option<i64> {
        Some(match self.percent()? {
            Ok(count) => count,
            Err(percent) => share(percent, total, 0),
        })
    }

    fn percent(&self) -> Option<Result<i64, i64>> {
        match self {
            Self::Int(count) => Some(Ok(*count)),
            Self::Text(text) => Some(Err(text.strip_suffix('%')?.parse().ok()?)),
        }
    }
}

/// `percent` of `total`, with what is added before a fraction is dropped; within the numbers of
/// the API.
fn share(percent: i64, total: i64, round: i128) -> i64 {
    let share = (i128::from(percent) * i128::from(total) + round).div_euclid(100);
    i64::try_from(share.clamp(i32::MIN.into(), i32::MAX.into())).expect("it is a number of 32 bits")
}

/// Reads a number that the API keeps in 32 bits, and refuses what it would.
pub fn int32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    i32::deserialize(deserializer).map(i64::from)
}

/// The same where the number may be absent.
pub fn optional_int32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::<i32>::deserialize(deserializer).map(|number| number.map(i64::from))
}

impl std::fmt::Display for IntOrString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(count) => write!(f, "{count}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_both_ways() {
        let quarter = IntOrString::Text("25%".into());
        assert_eq!(quarter.of_rounded_up(3), Some(1));
        assert_eq!(quarter.of_rounded_down(3), Some(0));
        assert_eq!(IntOrString::Int(2).of_rounded_up(9), Some(2));
        assert_eq!(IntOrString::Text("http".into()).of_rounded_up(9), None);
    }

    #[test]
    fn huge_numbers_stay_those_of_the_api() {
        let most = i64::from(i32::MAX);
        assert_eq!(IntOrString::Text("99999999999%".into()).of_rounded_up(i64::MAX), Some(most));
        assert_eq!(IntOrString::Text("-9223372036854775808%".into()).of_rounded_down(most), Some(i32::MIN.into()));
        assert!(serde_json::from_str::<IntOrString>("2147483647").is_ok());
        assert!(serde_json::from_str::<IntOrString>("2147483648").is_err());
    }
}
