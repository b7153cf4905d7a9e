//! Where a program takes its secrets, as the table says: the values of its options, its operands.

use std::ops::Range;

use super::super::names::{ends_in_secret, is_no_value, is_secret_name};
use super::super::within::{in_address, typed};
use super::super::word::Unquoted;
use super::{Scan, both, is_masked, is_option, program_of};
use crate::tables::{SecretInput, SecretPlaces, SecretTable};

impl Scan {
    /// One program with its arguments.
    pub(super) fn program(
        &mut self,
        words: &[&Unquoted],
        first: bool,
        line: &str,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let name = program_of(&words.first()?.text);
        let places = SecretTable::builtin().of(name);
        let mut input = None;
        for places in places.iter().filter(|places| first || !places.direct) {
            if places.holds(words) {
                self.places(places, words, found);
                if places.typed {
                    self.typed(words, line, found);
                }
                input = both(input, places.stdin);
            }
        }
        // Options named like a secret, of whatever program.
        for (at, word) in words.iter().enumerate().skip(1) {
            let text = word.text.as_str();
            if !text.starts_with('-') || text.contains('=') {
                continue;
            }
            // jq's, with a name and a value.
            if matches!(text, "--arg" | "--argjson")
                && words.get(at + 1).is_some_and(|name| is_secret_name(&name.text))
            {
                self.next_word(words, at + 1, found);
            }
            let option = text.trim_start_matches('-');
            let name = option.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if option.len() < 2
                || !name
                || !is_secret_name(option)
                || places.iter().any(|places| places.flags.iter().any(|flag| flag == text))
            {
                continue;
            }
            self.next_word(words, at, found);
        }
        input
    }

    /// What is typed to a program: one word that is no command.
    fn typed(&mut self, words: &[&Unquoted], line: &str, found: &mut Vec<Range<usize>>) {
        for word in words.iter().skip(1).filter(|word| !word.text.starts_with('-')) {
            if let Some(range) = typed(&word.text, line.contains("spawn")) {
                self.push(word, range, found);
            }
        }
    }

    /// The word behind an option, if it can be its value.
    fn next_word(&mut self, words: &[&Unquoted], at: usize, found: &mut Vec<Range<usize>>) -> bool {
        let Some(next) = words.get(at + 1) else { return false };
        let option = next.text.strip_prefix('-').is_some_and(|rest| {
            rest.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic())
        });
        if (option && !next.is_quoted_at(0)) || next.text == "-" {
            return false;
        }
        if !is_masked(&next.text) {
            self.push(next, 0..next.text.len(), found);
        }
        true
    }

    fn places(
        &mut self,
        places: &SecretPlaces,
        words: &[&Unquoted],
        found: &mut Vec<Range<usize>>,
    ) {
        let separator = places.separator.as_deref().unwrap_or(":");
        let mut options_end = false;
        let mut operands = Vec::new();
        let mut at = 1;
        while let Some(word) = words.get(at) {
            let text = word.text.as_str();
            at += 1;
            if options_end || !is_option(text) {
                operands.push(*word);
                continue;
            }
            if text == "--" {
                options_end = true;
                continue;
            }
            let mut taken = false;
            for (options, kind) in [
                (&places.values, Value::Whole),
                (&places.attached, Value::Attached),
                (&places.pairs, Value::Pair),
                (&places.assignments, Value::Assignment),
                (&places.cookies, Value::Cookie),
                (&places.addresses, Value::Address),
            ] {
                for option in options {
                    match value_of(text, option, places) {
                        Found::Nothing => {}
                        Found::Within(from) => self.take(word, from, kind, separator, found),
                        Found::Next => {
                            if kind == Value::Attached {
                                continue;
                            }
                            taken = true;
                            if kind == Value::Whole {
                                taken = self.next_word(words, at - 1, found);
                            } else if let Some(next) = words.get(at) {
                                self.take(next, 0, kind, separator, found);
                            }
                        }
                    }
                }
            }
            for prefix in &places.prefixes {
                self.behind_prefix(word, prefix, found);
            }
            if taken || places.takes.iter().any(|option| option == text) {
                if let Some(value) = words.get(at) {
                    for prefix in &places.prefixes {
                        self.behind_prefix(value, prefix, found);
                    }
                }
                at += 1;
            }
        }
        let operands = operands.get(places.sub_commands(&operands)..).unwrap_or(&[]);
        self.operands(places, operands, separator, found);
    }

    fn operands(
        &mut self,
        places: &SecretPlaces,
        operands: &[&Unquoted],
        separator: &str,
        found: &mut Vec<Range<usize>>,
    ) {
        for (at, word) in operands.iter().enumerate() {
            let number = at + 1;
            let secret = places.operands.contains(&number)
                || places.rest.is_some_and(|from| number >= from)
                || (places.last && number == operands.len());
            let name_before = at.checked_sub(1).and_then(|at| operands.get(at));
            let named = places.named && name_before.is_some_and(|w| ends_in_secret(&w.text));
            if secret || (named && !is_no_value(&word.text)) {
                self.take(word, 0, Value::Whole, separator, found);
            }
            if places.operand_addresses {
                self.take(word, 0, Value::Address, separator, found);
            }
            if places.operand_pairs {
                self.take(word, 0, Value::Pair, separator, found);
            }
            if places.operand_assignments {
                self.take(word, 0, Value::Assignment, separator, found);
            }
            for prefix in &places.prefixes {
                self.behind_prefix(word, prefix, found);
            }
        }
    }

    fn behind_prefix(&mut self, word: &Unquoted, prefix: &str, found: &mut Vec<Range<usize>>) {
        if word.text.starts_with(prefix) && word.text.len() > prefix.len() {
            self.push(word, prefix.len()..word.text.len(), found);
        }
    }

    /// A value, or the part of it that is secret.
    fn take(
        &mut self,
        word: &Unquoted,
        from: usize,
        kind: Value,
        separator: &str,
        found: &mut Vec<Range<usize>>,
    ) {
        let Some(text) = word.text.get(from..) else { return };
        let start = match kind {
            Value::Address => {
                if let Some(secret) = in_address(text) {
                    self.push(word, from + secret.start..from + secret.end, found);
                }
                return;
            }
            Value::Whole | Value::Attached => Some(0),
            Value::Pair => text.find(separator).map(|at| at + separator.len()),
            Value::Assignment => text.find('=').map(|at| at + 1),
            Value::Cookie => text.contains('=').then_some(0),
        };
        let Some(start) = start else { return };
        let value = text.get(start..).unwrap_or("");
        let elsewhere = kind == Value::Assignment && (value.starts_with('@') || value == "-");
        // `DOMAIN/user` and `//host/share` are no pairs, and neither is the port in an address.
        let address = kind == Value::Pair && (value.starts_with('/') || text.contains("://"));
        if value.is_empty() || elsewhere || address || is_masked(value) {
            return;
        }
        self.push(word, from + start..word.text.len(), found);
    }
}

/// What an option's value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Address,
    Assignment,
    Attached,
    Cookie,
    Pair,
    Whole,
}

/// Where the value of an option is.
enum Found {
    Nothing,
    Within(usize),
    Next,
}

/// Where the value of `option` is, if `text` is that option.
fn value_of(text: &str, option: &str, places: &SecretPlaces) -> Found {
    if text == option {
        return Found::Next;
    }
    if let Some(rest) = text.strip_prefix(option) {
        if rest.starts_with('=') && option.len() > 2 {
            return Found::Within(option.len() + 1);
        }
        // `-pX`; `/p:X` and `-hpX` where the table says that it is attached.
        let attached = places.attached.iter().any(|known| known == option);
        let longer = places.values.iter().chain(&places.takes).any(|known| known == text);
        if (option.len() == 2 && !longer && !option.starts_with("--")) || attached {
            return Found::Within(option.len());
        }
        return Found::Nothing;
    }
    let letter = option.strip_prefix('-').filter(|rest| rest.len() == 1);
    let Some(letter) = letter.filter(|_| !places.whole && !text.starts_with("--")) else {
        return Found::Nothing;
    };
    // A letter in a bundle, unless one before it takes what follows.
    let Some(at) = text.find(letter).filter(|at| *at > 1) else { return Found::Nothing };
    let before = text.get(1..at).unwrap_or("");
    let flags = before.chars().all(|c| {
        c.is_ascii_alphabetic()
            && !places.takes.iter().any(|option| option.strip_prefix('-') == Some(&c.to_string()))
    });
    match flags {
        true if at + letter.len() == text.len() => Found::Next,
        true => Found::Within(at + letter.len()),
        false => Found::Nothing,
    }
}

impl SecretPlaces {
    /// Whether what must be there for this to hold is there.
    fn holds(&self, words: &[&Unquoted]) -> bool {
        let arguments = || words.iter().skip(1).map(|word| word.text.as_str());
        let when = self.when.is_empty()
            || self.when.iter().any(|option| {
                arguments().any(|text| {
                    let letter = option.strip_prefix('-').filter(|rest| rest.len() == 1);
                    text == option
                        || text.strip_prefix(option.as_str()).is_some_and(|r| r.starts_with('='))
                        || letter.is_some_and(|letter| {
                            text.starts_with('-')
                                && !text.starts_with("--")
                                && text.contains(letter)
                        })
                })
            });
        let mut rest = arguments();
        when && self.after.iter().all(|wanted| rest.any(|text| text == wanted))
    }

    /// How many operands come before those that count: up to the last of `after`.
    fn sub_commands(&self, operands: &[&Unquoted]) -> usize {
        let mut at = 0;
        for wanted in &self.after {
            match operands.iter().skip(at).position(|word| word.text == *wanted) {
                Some(offset) => at += offset + 1,
                None => return at,
            }
        }
        at
    }
}
