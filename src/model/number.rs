//! Integers that may be percentages, and the way in which Kubernetes rounds them.

use serde::{Deserialize, Serialize};

/// An integer, or a string: a percentage such as `25%`, or the name of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(i64),
    /// A percentage or a name.
    Text(String),
}

impl IntOrString {
    /// The share of `total` that this means, a percentage rounded up.
    /// `None` for a string that is not a percentage.
    pub fn of_rounded_up(&self, total: i64) -> Option<i64> {
        Some(match self.percent()? {
            Ok(count) => count,
            Err(percent) => (percent * total + 99).div_euclid(100),
        })
    }

    /// The share of `total` that this means, a percentage rounded down.
    pub fn of_rounded_down(&self, total: i64) -> Option<i64> {
        Some(match self.percent()? {
            Ok(count) => count,
            Err(percent) => (percent * total).div_euclid(100),
        })
    }

    fn percent(&self) -> Option<Result<i64, i64>> {
        match self {
            Self::Int(count) => Some(Ok(*count)),
            Self::Text(text) => Some(Err(text.strip_suffix('%')?.parse().ok()?)),
        }
    }
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
}
