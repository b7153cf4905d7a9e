//! Masks secrets for display. It must never change the bytes that run.
//!
//! Three readers, each of which only ever adds: `text` knows what shows in any text (tokens, headers,
//! addresses, what is named like a secret), `line` knows which option or operand of a program holds a
//! secret, from `tables/secrets.toml`, and `word` takes quotes off, so that neither is misled by them.
//! Variables (`$TOKEN`) and placeholders (`<password>`) are not secrets. What cannot be read is masked
//! rather than shown.

mod input;
mod line;
mod names;
mod pairs;
mod replaced;
mod text;
mod within;
mod word;

use std::ops::Range;

pub use input::InputSecrets;
use line::Scan;

use crate::parse::Script;

/// What stands in the place of a secret; it does not tell the length.
const MASK: &str = "•••";

/// A command as it may be shown, logged and recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    /// The text, secrets replaced by `•••`.
    pub text: String,
    /// Whether anything was replaced.
    pub masked: bool,
    /// What was replaced: source, and where it is in `text`.
    replaced: Vec<(Range<usize>, Range<usize>)>,
    /// The secrets, to be found elsewhere.
    values: Vec<String>,
    /// Those of them that are secrets because of where they stand, however short.
    sure: Vec<String>,
}

/// Replaces passwords, tokens and keys by `•••`.
#[must_use]
pub fn mask_secrets(command: &[u8]) -> Masked {
    mask_text(&String::from_utf8_lossy(command))
}

/// The most rounds until nothing more is found in what is left.
const ROUNDS: usize = 4;

/// The secrets of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Where they are: byte ranges, in order, apart from each other.
    pub(crate) ranges: Vec<Range<usize>>,
    /// The secrets, to be found elsewhere.
    values: Vec<String>,
}

/// Replaces the secrets that [`find`] has found in this text.
pub(crate) fn mask_found(text: &str, found: &Found) -> Masked {
    let Found { ranges, values } = found.clone();
    mask_ranges(text, ranges, values)
}

fn mask_text(text: &str) -> Masked {
    let (found, values) = search(text);
    mask_ranges(text, found, values)
}

fn mask_ranges(text: &str, mut found: Vec<Range<usize>>, values: Vec<String>) -> Masked {
    // A mask changes what stands around it: what is shown is read again, until it holds nothing.
    for _ in 0..ROUNDS {
        let masked = replace(text, found.clone(), values.clone());
        if !masked.masked {
            return masked;
        }
        let more = search(&masked.text).0;
        if more.is_empty() {
            return masked;
        }
        found.extend(more.into_iter().map(|range| masked.source(range)));
        found = merge(text, found);
    }
    replace(text, std::iter::once(0..text.len()).collect(), values)
}

/// Masks the arguments of a program, each of which stays one argument.
#[must_use]
pub fn mask_arguments(arguments: &[String]) -> Vec<String> {
    // Quoted as a shell would have them, they are a line.
    let quoted: Vec<String> =
        arguments.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let line = quoted.join(" ");
    if !line::is_suspect(&line) {
        return arguments.to_vec();
    }
    let masked = mask_text(&line);
    if !masked.masked {
        return arguments.to_vec();
    }
    let mut at = 0;
    let mut out = Vec::with_capacity(arguments.len());
    for (argument, quoted) in arguments.iter().zip(&quoted) {
        let range = at..at + quoted.len();
        at = range.end + 1;
        let touched = masked
            .replaced
            .iter()
            .any(|(source, _)| source.start < range.end && source.end > range.start);
        if !touched {
            out.push(argument.clone());
            continue;
        }
        let (start, end) = (masked.position(range.start), masked.position(range.end));
        let shown = masked.text.get(start..end).unwrap_or(MASK);
        out.push(word::unquote_all(shown, 0..shown.len()).text);
    }
    out
}

impl Masked {
    /// Where a place of the source is in the text.
    fn position(&self, at: usize) -> usize {
        let mut position = at;
        for (source, shown) in &self.replaced {
            if at >= source.end {
                position = shown.end + (at - source.end);
            } else if at > source.start {
                return shown.end;
            } else {
                break;
            }
        }
        position
    }

    /// The part of the source that is shown there.
    fn source(&self, shown: Range<usize>) -> Range<usize> {
        let place = |at: usize, end: bool| {
            let mut place = at;
            for (source, mask) in &self.replaced {
                if at >= mask.end {
                    place = source.end + (at - mask.end);
                } else if at > mask.start {
                    return if end { source.end } else { source.start };
                } else {
                    break;
                }
            }
            place
        };
        place(shown.start, false)..place(shown.end, true)
    }

    /// A span of the source as a span of the text: it does not tell how long a secret is.
    #[must_use]
    pub fn span(&self, span: [usize; 2]) -> [usize; 2] {
        let [from, to] = span;
        // What begins inside a secret begins where its mask does.
        let inside = self.replaced.iter().find(|(s, _)| s.start <= from && from < s.end);
        let start = inside.map_or_else(|| self.position(from), |(_, shown)| shown.start);
        [start, self.position(to).max(start)]
    }

    /// Masks a text that tells of this one: its own secrets, and the ones that were found here.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        if text.len() < 2 {
            return text.to_owned();
        }
        let (mut found, values) = search(text);
        for value in self.values.iter().filter(|value| is_telling(value)) {
            line::everywhere(text, value, &mut found);
        }
        replace(text, found, values).text
    }
}

/// Whether a secret cannot be a word that means something else elsewhere.
fn is_telling(value: &str) -> bool {
    let letters = value.bytes().all(|b| b.is_ascii_lowercase())
        || value.bytes().all(|b| b.is_ascii_uppercase());
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    match value.len() {
        0..=4 => false,
        5..=11 => !(letters || digits && value.len() < 6),
        _ => true,
    }
}

/// The secrets of a text.
pub(crate) fn find(text: &str) -> Found {
    let (ranges, values) = search(text);
    Found { ranges, values }
}

/// The secrets of a line that was read already.
pub(crate) fn find_in(line: &str, script: &Script) -> Found {
    let read = |scan: &mut Scan, found: &mut Vec<_>| {
        // What is too much to be read at all is masked, as everywhere.
        scan.begin(line, 0, found).then(|| scan.read_line(line, script, 0, found))
    };
    let (ranges, values) = search_with(line, read);
    Found { ranges, values }
}

fn search(text: &str) -> (Vec<Range<usize>>, Vec<String>) {
    search_with(text, |scan, found| scan.line(text, 0, found))
}

fn search_with<T>(
    text: &str,
    read: impl FnOnce(&mut Scan, &mut Vec<Range<usize>>) -> T,
) -> (Vec<Range<usize>>, Vec<String>) {
    if !line::is_suspect(text) {
        return (Vec::new(), Vec::new());
    }
    let mut scan = Scan::default();
    let mut found = Vec::new();
    read(&mut scan, &mut found);
    if found.is_empty() && scan.values.is_empty() {
        return (found, Vec::new());
    }
    for value in scan.values.iter().filter(|value| is_telling(value)) {
        line::everywhere(text, value, &mut found);
    }
    (merge(text, found), scan.values)
}

/// In order, apart, on whole characters, and without what is masked already.
fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| (range.start, range.end));
    let mut out: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        let range = text::widen(text, range);
        match out.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out.retain(|range| text.get(range.clone()).is_some_and(|t| t.chars().any(|c| c != '•')));
    out
}

fn replace(text: &str, found: Vec<Range<usize>>, values: Vec<String>) -> Masked {
    if found.is_empty() {
        return Masked { text: text.to_owned(), masked: false, values, ..Masked::default() };
    }
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    let mut replaced = Vec::with_capacity(found.len());
    for range in found {
        out.push_str(text.get(end..range.start).unwrap_or(""));
        let start = out.len();
        out.push_str(MASK);
        end = range.end;
        replaced.push((range, start..out.len()));
    }
    out.push_str(text.get(end..).unwrap_or(""));
    Masked { text: out, masked: true, replaced, values, sure: Vec::new() }
}

#[cfg(test)]
mod tests;
