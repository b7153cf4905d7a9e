//! The effects that a use of a program can have, as the tables name them. It must never hold points.

use crate::Category;

/// One effect; each is a modifier or a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Effect {
    /// Destroys data or running things.
    Destructive,
    /// Takes everything there is, or everything beneath something.
    Wide,
    Recursive,
    Force,
    /// Raises privilege.
    Privilege,
    /// Runs something given as data.
    Exec,
    /// Makes another program run something else.
    Hijack,
    Persist,
    Tamper,
    /// Removes a safety switch.
    Safety,
    /// Shows or takes secrets.
    Secret,
    /// Cannot be undone and takes the system or all data with it: floor 95.
    Catastrophic,
    /// Floor 75.
    Critical,
    /// Floor 50.
    High,
    Obfuscation,
    /// What runs comes from elsewhere and cannot be seen.
    Unseen,
    /// Operands name hosts.
    Host,
    /// Writes where the system lives, whatever the operands say.
    System,
    Dry,
    Help,
    Read,
}

impl Effect {
    /// Every effect, sorted by its name in the tables; a set is iterated in this order.
    const ALL: [Self; 21] = [
        Self::Catastrophic,
        Self::Critical,
        Self::Destructive,
        Self::Dry,
        Self::Exec,
        Self::Force,
        Self::Help,
        Self::High,
        Self::Hijack,
        Self::Host,
        Self::Obfuscation,
        Self::Persist,
        Self::Privilege,
        Self::Read,
        Self::Recursive,
        Self::Safety,
        Self::Secret,
        Self::System,
        Self::Tamper,
        Self::Unseen,
        Self::Wide,
    ];

    /// The name in the tables.
    fn as_str(self) -> &'static str {
        match self {
            Self::Catastrophic => "catastrophic",
            Self::Critical => "critical",
            Self::Destructive => "destructive",
            Self::Dry => "dry",
            Self::Exec => "exec",
            Self::Force => "force",
            Self::Help => "help",
            Self::High => "high",
            Self::Hijack => "hijack",
            Self::Host => "host",
            Self::Obfuscation => "obfuscation",
            Self::Persist => "persist",
            Self::Privilege => "privilege",
            Self::Read => "read",
            Self::Recursive => "recursive",
            Self::Safety => "safety",
            Self::Secret => "secret",
            Self::System => "system",
            Self::Tamper => "tamper",
            Self::Unseen => "unseen",
            Self::Wide => "wide",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown effect {name:?}: use {known}, none or category:NAME")
        })
    }
}

/// A set of effects, and a category where a use changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EffectSet {
    bits: u32,
    pub(crate) category: Option<Category>,
}

impl EffectSet {
    /// Reads `destructive wide category:disk`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::default();
        for word in text.split_whitespace() {
            if let Some(name) = word.strip_prefix("category:") {
                set.category = Some(
                    Category::named(name).ok_or_else(|| format!("unknown category {name:?}"))?,
                );
            } else if word != "none" {
                set.insert(Effect::named(word)?);
            }
        }
        Ok(set)
    }

    pub(crate) fn insert(&mut self, effect: Effect) {
        self.bits |= 1 << effect as u32;
    }

    pub(crate) fn contains(self, effect: Effect) -> bool {
        self.bits & (1 << effect as u32) != 0
    }

    /// Whether it can lower a score; then options must be spelled out in full to match.
    pub(crate) fn lowers(self) -> bool {
        let reducers =
            (1 << Effect::Dry as u32) | (1 << Effect::Help as u32) | (1 << Effect::Read as u32);
        self.bits & reducers != 0 || self.category == Some(Category::Inspection)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Effect> {
        Effect::ALL.into_iter().filter(move |effect| self.contains(*effect))
    }
}
