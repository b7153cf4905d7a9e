//! What a line may leave behind in an account: after it, programs may be no longer what they are
//! called, and what only looks cannot be told by its words. In doubt it leaves something behind.

use serde::{Deserialize, Serialize};

use crate::effects::{is_special_path, left_behind};
use crate::item::ItemSyntax;
use crate::restrict::Line;
use crate::tables::RiskTables;

/// Why an item, once it ran, may have changed what programs are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// In the whole account, for every later session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// In the shell that runs it, for as long as it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
}

impl Taint {
    /// The first of both.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.account.as_deref().or(self.shell.as_deref())
    }

    fn account(why: impl Into<String>) -> Self {
        Self { account: Some(why.into()), shell: None }
    }

    /// What an item leaves behind; `script`: it is the standard input of something.
    pub(crate) fn of<'a>(
        syntax: ItemSyntax<'_>,
        item: &[u8],
        line: impl FnOnce() -> &'a Line<'a>,
        script: bool,
    ) -> Self {
        match syntax {
            ItemSyntax::Command if script => Self::account("a script can do anything"),
            ItemSyntax::Command => Self::of_line(line()),
            ItemSyntax::File => {
                let text = String::from_utf8_lossy(item);
                let special = text.split_whitespace().find(|word| is_special_word(word));
                special.map_or_else(Self::default, |path| Self::account(format!("writes {path}")))
            }
            ItemSyntax::Input { .. } | ItemSyntax::Keys { .. } => {
                Self::account("what a program does with its input is not known")
            }
            ItemSyntax::Control { .. } | ItemSyntax::Signature => Self::default(),
        }
    }

    fn of_line(line: &Line<'_>) -> Self {
        let performance = match &line.performance {
            Ok(performance) => performance,
            Err(unread) => return Self::account(unread.why),
        };
        let mut taint = Self::default();
        for command in &performance.commands {
            if let Some(why) = left_behind(&command.effects) {
                return Self::account(why);
            }
            if command.effects.redefines {
                let why = "it changes what later words mean in its shell";
                taint.shell.get_or_insert_with(|| why.to_owned());
            }
        }
        taint
    }
}

/// A word of the text of a change of files that is such a path.
fn is_special_word(word: &str) -> bool {
    let path = word.trim_matches(|c| matches!(c, '"' | '\'' | ':' | ',' | '(' | ')' | '$'));
    let is_path = path.starts_with('/') || path.starts_with('~');
    is_path && (is_special_path(path) || RiskTables::builtin().path_lists.is_system(path))
}
