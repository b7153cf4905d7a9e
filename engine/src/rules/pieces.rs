//! Deny rules for texts that cannot be read as a whole: too long, too deep, or with something in them that
//! nobody can read. What stands between two separators is held against the rules by itself. It must never
//! be what a rule allows by.

use std::collections::HashSet;

use super::plain::every_command;
use super::set::{RuleSet, decided};
use super::types::{Effect, Outcome, RuleVerdict};
use crate::Context;
use crate::restrict::Suspect;

/// The most different pieces that are read, at about 5 us each. A text with more of them is denied where
/// there are deny rules.
const MOST: usize = 20_000;

/// Words that begin something else than a command.
const KEYWORDS: &[&str] =
    &["!", "do", "elif", "else", "exec", "fi", "if", "then", "time", "until", "while"];

impl RuleSet {
    /// The deny rule that is about a piece of a text.
    pub(crate) fn denied_in_pieces(&self, text: &[u8], context: &Context) -> Option<RuleVerdict> {
        if !self.rules().iter().any(|rule| rule.effect == Effect::Deny) {
            return None;
        }
        let text =
            String::from_utf8_lossy(text).replace(['\0', '\u{feff}'], "").replace("\\\n", "");
        let separates = |c: char| matches!(c, '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`');
        let mut seen: HashSet<&str> = HashSet::new();
        for piece in text.split(separates) {
            let piece = without_keywords(piece);
            if piece.is_empty() || !self.may_be_about(piece) || !seen.insert(piece) {
                continue;
            }
            if seen.len() > MOST {
                let rule = self.forbids(context)?;
                let why = format!(
                    "it is too long to be held against rule {} ({}): split it",
                    rule.id, rule.pattern
                );
                return Some(RuleVerdict { why, ..decided(Outcome::Deny, rule) });
            }
            let commands = every_command(piece.as_bytes()).into_iter().map(Suspect::from);
            if let Some(rule) =
                commands.into_iter().find_map(|one| self.denied_command(&one, context))
            {
                return Some(decided(Outcome::Deny, rule));
            }
        }
        None
    }

    /// Whether a piece can be about something that is denied: one of its words may begin such a command, or
    /// is written in a way that may spell anything.
    fn may_be_about(&self, piece: &str) -> bool {
        let special = ['\'', '"', '\\', '$', '*', '?', '[', '~', '!', '\u{fffd}'];
        piece.contains(special) || piece.split_whitespace().any(|word| self.may_deny(word, true))
    }
}

fn without_keywords(piece: &str) -> &str {
    let mut piece = piece.trim();
    while let Some((word, rest)) = piece.split_once(char::is_whitespace) {
        if !KEYWORDS.contains(&word) {
            break;
        }
        piece = rest.trim_start();
    }
    piece
}
