//! One unusual thing about a command.

use serde::{Deserialize, Serialize};

/// One unusual thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// One of the eight names, e.g. `rate_burst`.
    pub name: String,
    /// What was seen, in words a reviewer can check.
    pub evidence: String,
}
