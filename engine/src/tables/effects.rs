//! What a use of a program can mean, as the tables write it. It must never hold points.

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

const NAMES: [(&str, Effect); 21] = [
    ("catastrophic", Effect::Catastrophic),
    ("critical", Effect::Critical),
    ("destructive", Effect::Destructive),
    ("dry", Effect::Dry),
    ("exec", Effect::Exec),
    ("force", Effect::Force),
    ("help", Effect::Help),
    ("high", Effect::High),
    ("hijack", Effect::Hijack),
    ("host", Effect::Host),
    ("obfuscation", Effect::Obfuscation),
    ("persist", Effect::Persist),
    ("privilege", Effect::Privilege),
    ("read", Effect::Read),
    ("recursive", Effect::Recursive),
    ("safety", Effect::Safety),
    ("secret", Effect::Secret),
    ("system", Effect::System),
    ("tamper", Effect::Tamper),
    ("unseen", Effect::Unseen),
    ("wide", Effect::Wide),
];

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
                let (_, effect) =
                    NAMES.iter().find(|(name, _)| *name == word).ok_or_else(|| {
                        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                        format!(
                            "unknown effect {word:?}: use {}, none or category:NAME",
                            known.join(", ")
                        )
                    })?;
                set.insert(*effect);
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

    /// Whether nothing but reducers is in it; only then options must be spelled out in full.
    pub(crate) fn lowers(self) -> bool {
        let reducers =
            (1 << Effect::Dry as u32) | (1 << Effect::Help as u32) | (1 << Effect::Read as u32);
        self.bits & reducers != 0 || self.category == Some(Category::Inspection)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Effect> {
        NAMES.iter().map(|(_, effect)| *effect).filter(move |effect| self.contains(*effect))
    }
}
