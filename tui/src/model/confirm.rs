//! What must follow the key for an allow, by level. It must never ask for less than was configured.

use expacti_engine::Level;

/// What follows `a` before an allow counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfirmKind {
    /// Nothing.
    None,
    /// The key `y`.
    Y,
    /// The target's name, typed.
    TargetName,
}

/// What follows `a`, by level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Confirm {
    /// For LOW.
    pub low: ConfirmKind,
    /// For MEDIUM.
    pub medium: ConfirmKind,
    /// For HIGH.
    pub high: ConfirmKind,
    /// For CRITICAL.
    pub critical: ConfirmKind,
}

impl Default for Confirm {
    fn default() -> Self {
        Self {
            low: ConfirmKind::None,
            medium: ConfirmKind::None,
            high: ConfirmKind::Y,
            critical: ConfirmKind::TargetName,
        }
    }
}

impl Confirm {
    /// What follows `a` at that level.
    pub fn of(&self, level: Level) -> ConfirmKind {
        match level {
            Level::Low => self.low,
            Level::Medium => self.medium,
            Level::High => self.high,
            Level::Critical => self.critical,
        }
    }
}
