//! The modifiers of a score and their names in messages and JSON. It must never hold points: those
//! are the tables'.

use crate::Category;

/// What raises or lowers the score of a command besides its category; `docs/RISK.md` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    Deception,
    Destructive,
    Development,
    DryRun,
    Force,
    HelpOrVersion,
    Hijack,
    HomeData,
    Indirect,
    LineEndings,
    Obfuscation,
    OpenEnded,
    Padding,
    Persistence,
    PipeToInterpreter,
    Privilege,
    Production,
    ReadOnly,
    Recursive,
    SafetyOff,
    Secret,
    SystemPath,
    Tampering,
    Uninspectable,
    UnlistedHost,
    Wide,
}

impl Modifier {
    /// The name in messages and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deception => "deception",
            Self::Destructive => "destructive",
            Self::Development => "development_scope",
            Self::DryRun => "dry_run",
            Self::Force => "force",
            Self::HelpOrVersion => "help_or_version",
            Self::Hijack => "hijack",
            Self::HomeData => "home_data",
            Self::Indirect => "indirect",
            Self::LineEndings => "line_endings",
            Self::Obfuscation => "obfuscation",
            Self::OpenEnded => "open_ended",
            Self::Padding => "padding",
            Self::Persistence => "persistence",
            Self::PipeToInterpreter => "pipe_to_interpreter",
            Self::Privilege => "privilege",
            Self::Production => "production",
            Self::ReadOnly => "read_only",
            Self::Recursive => "recursive",
            Self::SafetyOff => "safety_off",
            Self::Secret => "secret",
            Self::SystemPath => "system_path",
            Self::Tampering => "tampering",
            Self::Uninspectable => "uninspectable",
            Self::UnlistedHost => "unlisted_host",
            Self::Wide => "wide",
        }
    }

    /// The floor that comes with a modifier: no score is below it where the modifier applies.
    pub(crate) fn floor(self) -> Option<i32> {
        match self {
            Self::Deception => Some(75),
            Self::Secret | Self::Uninspectable => Some(50),
            Self::Destructive
            | Self::Development
            | Self::DryRun
            | Self::Force
            | Self::HelpOrVersion
            | Self::Hijack
            | Self::HomeData
            | Self::Indirect
            | Self::LineEndings
            | Self::Obfuscation
            | Self::OpenEnded
            | Self::Padding
            | Self::Persistence
            | Self::PipeToInterpreter
            | Self::Privilege
            | Self::Production
            | Self::ReadOnly
            | Self::Recursive
            | Self::SafetyOff
            | Self::SystemPath
            | Self::Tampering
            | Self::UnlistedHost
            | Self::Wide => None,
        }
    }

    /// Whether a line with this modifier gets no points off: what it seems to be cannot be trusted.
    pub(crate) fn voids_reducers(self) -> bool {
        matches!(
            self,
            Self::Deception
                | Self::Hijack
                | Self::Indirect
                | Self::Obfuscation
                | Self::PipeToInterpreter
                | Self::Tampering
        )
    }
}

/// What a term of a score stands for. [`crate::Term`] holds its name as text, because whoever reads
/// an assessment must accept the names of a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermKind {
    /// The base: what kind of work it is.
    Category(Category),
    /// The rest up to a score it must not fall below.
    Floor,
    /// No points: read as input to a program.
    Input,
    /// No points: read as text among keys.
    Keys,
    Modifier(Modifier),
}

impl TermKind {
    /// The name in messages and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Category(category) => category.as_str(),
            Self::Floor => "floor",
            Self::Input => "input",
            Self::Keys => "keys",
            Self::Modifier(modifier) => modifier.as_str(),
        }
    }
}

impl From<Category> for TermKind {
    fn from(category: Category) -> Self {
        Self::Category(category)
    }
}

impl From<Modifier> for TermKind {
    fn from(modifier: Modifier) -> Self {
        Self::Modifier(modifier)
    }
}
