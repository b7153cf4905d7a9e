//! The tables as a whole, and the ones that come with the engine.

use std::sync::{Arc, LazyLock};

use super::grammar::Grammar;
use super::load::{self, Points, TablesError};
use super::path_lists::PathLists;
use super::program::Program;
use crate::hashed::HashMap;

/// The tables the scorer reads: programs, points, paths and hosts.
#[derive(Clone, Debug)]
pub struct RiskTables {
    pub(crate) programs: HashMap<String, Arc<Program>>,
    pub(crate) points: Points,
    pub(crate) path_lists: PathLists,
    pub(crate) grammars: HashMap<String, Arc<Grammar>>,
}

static BUILTIN: LazyLock<RiskTables> = LazyLock::new(load::builtin);

impl RiskTables {
    /// The tables that come with the engine.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The built-in tables with a user's changes, in TOML; the format is in `docs/RISK.md`.
    ///
    /// # Errors
    /// Names the key that is unknown or has a wrong value.
    pub fn with_overrides(toml: &str) -> Result<Self, TablesError> {
        load::with_overrides(toml)
    }

    /// How many programs the tables know, aliases included.
    #[must_use]
    pub fn program_count(&self) -> usize {
        self.programs.len()
    }

    /// What is assumed about a program that no table describes: its verbs are taken at face value.
    pub(crate) fn undescribed(&self) -> Option<&Program> {
        self.programs.get("?").map(Arc::as_ref)
    }

    /// The grammar of a program's arguments, if they are understood.
    pub(crate) fn grammar(&self, name: &str) -> Option<&Arc<Grammar>> {
        self.grammars.get(name)
    }

    pub(crate) fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name).map(Arc::as_ref).or_else(|| {
            // `python3.12`, `mkfs.ext4`, `gcc-13`: the version is not part of what it does.
            let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
            if base.len() < name.len()
                && !base.is_empty()
                && let Some(program) = self.programs.get(base)
            {
                return Some(program);
            }
            let stem = name.split_once('.')?.0;
            matches!(stem, "mkfs" | "fsck").then(|| self.programs.get(stem).map(Arc::as_ref))?
        })
    }
}

impl Default for RiskTables {
    fn default() -> Self {
        Self::builtin().clone()
    }
}
