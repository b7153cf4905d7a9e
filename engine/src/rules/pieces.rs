//! Deny rules for texts that cannot be read as a whole: too long, too deep, or with something in them that
//! nobody can read. What stands between two separators is held against the rules by itself. It must never
//! be what a rule allows by.

use std::collections::HashSet;

use super::plain::every_command;
use super::set::{RuleSet, decided};
use super::types::{Effect, Outcome, RuleVerdict};
use crate::Context;
use crate::program::{base_name, family};
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
        let programs = self.denied_programs()?;
        let text =
            String::from_utf8_lossy(text).replace(['\0', '\u{feff}'], "").replace("\\\n", "");
        let separates = |c: char| matches!(c, '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`');
        let mut seen: HashSet<&str> = HashSet::new();
        for piece in text.split(separates) {
            let piece = without_keywords(piece);
            if piece.is_empty() || !may_name(piece, &programs) || !seen.insert(piece) {
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

    /// The programs that deny rules name, and those like them; an empty name stands for any. `None`:
    /// there is no such rule.
    fn denied_programs(&self) -> Option<Vec<&str>> {
        let denies = self.rules().iter().filter(|rule| rule.effect == Effect::Deny);
        let named = denies.map(|rule| rule.program().map_or("", base_name));
        let programs: Vec<&str> = named
            .flat_map(|name| std::iter::once(name).chain(family(name).iter().copied()))
            .collect();
        (!programs.is_empty()).then_some(programs)
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

/// Whether a piece can be about one of these programs: it holds the name of one, or something that may
/// spell it otherwise.
fn may_name(piece: &str, programs: &[&str]) -> bool {
    piece.contains(['\'', '"', '\\', '$', '*', '?', '[', '~', '!', '\u{fffd}'])
        || programs.iter().any(|name| piece.contains(name))
}
