//! The four risk levels. It must never know how a score came about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A risk level; the order is from harmless to catastrophic.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// 0-24.
    #[default]
    Low,
    /// 25-49.
    Medium,
    /// 50-74.
    High,
    /// 75-100.
    Critical,
}

impl Level {
    /// The level of a score; everything from 75 up is critical.
    #[must_use]
    pub fn of(score: u8) -> Self {
        match score {
            0..=24 => Self::Low,
            25..=49 => Self::Medium,
            50..=74 => Self::High,
            _ => Self::Critical,
        }
    }

    /// The word people see: `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().as_str() {
            "LOW" => Ok(Self::Low),
            "MEDIUM" => Ok(Self::Medium),
            "HIGH" => Ok(Self::High),
            "CRITICAL" => Ok(Self::Critical),
            _ => Err(format!("unknown level {text:?}: use LOW, MEDIUM, HIGH or CRITICAL")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn bounds_are_those_of_the_specification() {
        for (score, level) in [
            (0, Level::Low),
            (24, Level::Low),
            (25, Level::Medium),
            (49, Level::Medium),
            (50, Level::High),
            (74, Level::High),
            (75, Level::Critical),
            (100, Level::Critical),
            (255, Level::Critical),
        ] {
            assert_eq!(Level::of(score), level, "{score}");
        }
    }
}
