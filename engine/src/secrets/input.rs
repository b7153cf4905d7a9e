//! Secrets in standard input: a program may read one there that looks like nothing at all, and what
//! comes in pieces is read with what came before it.

use std::ops::Range;

use super::line::{self, Scan, is_masked};
use super::text;
use super::{MASK, Masked, is_telling, mask_text, merge, replace, search};
use crate::tables::SecretInput;

/// The most of what came before that what follows is read with, in bytes.
const BEFORE: usize = 16 * 1024;

/// The shortest beginning of a secret that is one where a text was cut.
const PART: usize = 4;

/// The most secrets that are looked for in what follows.
const VALUES: usize = 256;

/// The standard input of a command as it comes, to mask the secrets in it. It must only ever add to
/// what is found in each piece by itself.
#[derive(Clone, Debug, Default)]
pub struct InputSecrets {
    reads: Option<SecretInput>,
    /// The line that is a secret came already.
    line_over: bool,
    before: String,
    values: Vec<String>,
    /// Those that are secrets because of where they stood.
    sure: Vec<String>,
}

impl InputSecrets {
    /// For a command that writes its input to a place of secrets, or has a shell run it.
    pub(crate) fn of(command: &[u8], to_secret_place: bool, is_code: bool) -> Self {
        let command = String::from_utf8_lossy(command);
        let mut scan = Scan::default();
        let mut reads = None;
        if line::is_suspect(&command) {
            reads = scan.line(&command, 0, &mut Vec::new());
        }
        if reads.is_none_or(|reads| reads == SecretInput::Word) {
            let word = |word: &str| says_so(word.trim_matches(['"', '\'', '(', ')', ';']));
            let told = to_secret_place || command.split_whitespace().any(word);
            reads = told.then_some(SecretInput::All).or(reads);
        }
        // No code is hidden behind a program that reads a secret before it.
        if is_code && reads.is_some_and(|reads| reads != SecretInput::Word) {
            reads = Some(SecretInput::Line);
        }
        Self { reads, ..Self::default() }
    }

    /// Whether the program says that it is a secret, whatever it looks like.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.reads.is_some()
    }

    /// The next piece with its secrets masked.
    #[must_use]
    pub fn mask(&self, piece: &[u8]) -> Masked {
        let piece = readable(piece);
        let whole = format!("{}{piece}", self.before);
        let start = self.before.len();
        let read = mask_text(&whole);
        let mut values = read.values;
        let mut ranges: Vec<Range<usize>> = read.replaced.into_iter().map(|(at, _)| at).collect();
        let mut sure = Vec::new();
        for range in self.told(&whole, start) {
            sure.extend(whole.get(range.clone()).map(str::to_owned));
            ranges.push(range);
        }
        // No line of a shell, it may be a text of its own: a manifest.
        if line::is_suspect(&whole) {
            let known = ranges.len();
            text::find(&whole, &mut ranges);
            let new = ranges.get(known..).unwrap_or_default().iter();
            values.extend(new.filter_map(|range| whole.get(range.clone()).map(str::to_owned)));
        }
        // What is in two pieces may be told of in two pieces.
        for range in ranges.iter().filter(|range| range.start < start && start < range.end) {
            for part in [range.start..start, start..range.end] {
                sure.extend(whole.get(part).map(|part| part.trim().to_owned()));
            }
        }
        let mut found = Vec::new();
        if start > 0 {
            let (alone, more) = search(&piece);
            found = alone;
            values.extend(more);
        }
        let inside = |range: Range<usize>| {
            let range = range.start.max(start)..range.end;
            (range.end > range.start).then(|| range.start - start..range.end - start)
        };
        found.extend(ranges.into_iter().filter_map(inside));
        values.extend(self.values.iter().cloned());
        values.extend(sure.iter().cloned());
        sure.retain(|value| !value.is_empty());
        values.retain(|value| !value.is_empty());
        values.dedup();
        for value in values.iter().filter(|value| is_telling(value)) {
            line::everywhere(&piece, value, &mut found);
        }
        let mut masked = replace(&piece, merge(&piece, found), values);
        sure.extend(self.sure.iter().cloned());
        masked.sure = sure;
        masked
    }

    /// What is a secret because the program reads one there.
    fn told(&self, whole: &str, start: usize) -> Vec<Range<usize>> {
        let Some(reads) = self.reads else { return Vec::new() };
        // A line may have begun before.
        let first = whole.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let mut out = Vec::new();
        let mut at = first;
        for line in whole.get(first..).unwrap_or("").split_inclusive('\n') {
            let from = at;
            at += line.len();
            let content = line.trim_end_matches(['\n', '\r']);
            let skip = match reads {
                SecretInput::Line if self.line_over => break,
                SecretInput::Word if content.contains([' ', ';', '|']) => continue,
                SecretInput::All | SecretInput::Line | SecretInput::Word => 0,
                SecretInput::Pairs => match content.find(':') {
                    Some(colon) => colon + 1,
                    None => continue,
                },
            };
            if content.get(skip..).is_some_and(|rest| !rest.is_empty() && !is_masked(rest)) {
                out.push(from + skip..from + content.len());
            }
            if reads == SecretInput::Line {
                break;
            }
        }
        out
    }

    /// The command was given a piece: what follows is read with it.
    pub fn give(&mut self, piece: &[u8]) {
        let masked = self.mask(piece);
        let add = |known: &mut Vec<String>, value: String| {
            if known.len() < VALUES && !known.contains(&value) {
                known.push(value);
            }
        };
        let telling = masked.values.into_iter().filter(|value| is_telling(value));
        telling.for_each(|value| add(&mut self.values, value));
        masked.sure.into_iter().for_each(|value| add(&mut self.sure, value));
        self.line_over |= piece.contains(&b'\n');
        self.before.push_str(&readable(piece));
        let mut cut = self.before.len().saturating_sub(BEFORE);
        while !self.before.is_char_boundary(cut) {
            cut += 1;
        }
        self.before.drain(..cut);
    }
}

/// As a shell reads it: without NUL.
fn readable(piece: &[u8]) -> String {
    let piece: Vec<u8> = piece.iter().copied().filter(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&piece).into_owned()
}

fn without<'a>(text: &str, values: impl Iterator<Item = &'a String>) -> String {
    let mut found = Vec::new();
    for value in values {
        line::everywhere(text, value, &mut found);
        // Where the text was cut, only its beginning.
        let cut = (PART..value.len()).rev().filter_map(|length| value.get(..length));
        let cut = cut.take(text.len()).find(|part| text.ends_with(part));
        found.extend(cut.map(|part| text.len() - part.len()..text.len()));
    }
    replace(text, merge(text, found), Vec::new()).text
}

/// Whether an option says of any program that it reads a secret there: `--password-stdin`.
fn says_so(word: &str) -> bool {
    let Some(option) = word.strip_prefix("--") else { return false };
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let name = name.to_ascii_lowercase();
    let secret = ["pass", "pw", "token", "secret", "key", "cred"];
    secret.iter().any(|word| name.contains(word))
        && (name.contains("stdin")
            || name == "with-token"
            || matches!(value, "-" | "@-" | "/dev/stdin" | "file:///dev/stdin" | "@/dev/stdin"))
        || matches!((name.as_str(), value), ("passphrase-fd", "0"))
}

impl Masked {
    /// The same as [`apply`](Self::apply) for a text that quotes the input: short secrets too are
    /// found in it.
    #[must_use]
    pub fn apply_to_quote(&self, text: &str) -> String {
        let values = self.sure.iter().chain(&self.values);
        self.apply(&without(text, values))
    }

    /// The same as [`apply`](Self::apply), with short secrets that are known by where they stand.
    #[must_use]
    pub fn apply_strictly(&self, text: &str) -> String {
        self.apply(&without(text, self.sure.iter()))
    }

    /// Whether nothing but secrets is in it.
    #[must_use]
    pub fn is_all_masked(&self) -> bool {
        self.masked && self.text.replace(MASK, "").trim().is_empty()
    }
}
