//! Secrets that only a program's grammar tells: the words of a line, the programs among them, and
//! where the table says that these take secrets. What cannot be read as a line is read word by word,
//! as if every program in it were started.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::names::{is_no_value, is_secret_name};
use super::text;
use super::within::stages;
use super::word::{Unquoted, unquote, unquote_all};
use crate::parse::{self, RedirectOp, Script, Word};
use crate::tables::{SecretInput, SecretTable};

mod input;
mod program;

use input::{copied, passes_on};

/// The deepest nesting of lines in words that is read; beneath it everything is masked.
const MAX_DEPTH: usize = 6;
/// The most bytes that are read, nested lines included; what is left is masked as a whole.
const MAX_WORK: usize = 8 * 1024 * 1024;
/// The most words of one line.
const MAX_WORDS: usize = 20_000;

/// What a text can only hold a secret with. Most lines have none of it, and cost one search.
static HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        // Names of secrets, headers, tokens and files of them.
        r"(?i)pass|assw|pwd|pw|secret|token|cred|key|auth|cookie|psk|jwt|otp|contrasena|bearer|identified|login|BEGIN|master|PuTTY|change.?me|placeholder|crypt|hashpw|securestring|mysqli|pdo\(|ldap_bind|imap_open|ftp_login|attach|\.env\b"
            .to_owned(),
        r"://|@tcp|@udp|@unix|:\d+:|:\*:|AKIA|ASIA|ABIA|ACCA|gh[pousr]_|gl[a-z]+-|xox|xapp|sk-|k_live|k_test|AIza|ya29|GOCSPX|npm_|pypi-|hf_|_v1_|SG\.|hv[sbr]\.|s\.[A-Za-z0-9]{24}|_pat_|cio|shp|sq0|EAAC|NRAK|lin_api|pul-|atlasv1|r8_|gsk_|xai-|sntr|dapi|ATATT|glsa|figd|fo1_|FlyV1|eyJ|whsec|webhooks|hooks\.|telegram"
            .to_owned(),
        named(SecretTable::builtin().names()),
    ];
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(text::cache())
        .build_many(&patterns)
        .ok()
});

/// What a text in a word must have to be read as a line: a program of the table, or an option that is
/// named like a secret. Code in other languages is long, and rarely has either.
static LINE_HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        named(SecretTable::builtin().telling_names()),
        r"(?i)(?:^|\s)-{1,2}[a-z0-9\-]*(?:pass|pwd|pw|secret|token|key|cred|auth|otp|jwt|cookie)"
            .to_owned(),
    ];
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(text::cache())
        .build_many(&patterns)
        .ok()
});

/// Words that are one of these.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> =
        names.map(|name| name.replace('.', r"\.").replace('-', r"\-")).collect();
    format!(r"(?:^|[^A-Za-z0-9_])(?:{})(?:[^A-Za-z0-9_]|$)", names.join("|"))
}

/// The longest word that is read as a line whatever it holds.
const SHORT: usize = 256;

/// Whether a text in a word may be a line with a secret that only a program's grammar tells.
fn may_be_a_line(text: &str) -> bool {
    text.len() <= SHORT
        || LINE_HINTS.as_ref().is_none_or(|hints| {
            hints.is_match(text) || hints.is_match(&text.replace(['"', '\'', '\\'], ""))
        })
}

/// Whether a text is worth a closer look.
pub(super) fn is_suspect(text: &str) -> bool {
    let Some(hints) = HINTS.as_ref() else { return true };
    if text.len() < 3 {
        return false;
    }
    if hints.is_match(text) {
        return true;
    }
    // Words that are not what they look like: `my'sql'`, `\mysql`, `$'\x6dysql'`.
    let quoted = |b: &u8| matches!(b, b'"' | b'\'' | b'\\');
    let disguised = text.as_bytes().windows(2).any(|pair| {
        matches!(pair, [a, b] if (quoted(a) && b.is_ascii_alphanumeric())
            || (a.is_ascii_alphanumeric() && quoted(b)))
    });
    disguised
        && (text.contains("$'\\")
            || text.contains("$'") && text.contains("\\x")
            || hints.is_match(&text.replace(['"', '\'', '\\'], "")))
}

/// Collects what is found in one text, at all depths.
#[derive(Default)]
pub(super) struct Scan {
    work: usize,
    /// Values that are secrets wherever else they stand.
    pub(super) values: Vec<String>,
}

impl Scan {
    /// Where secrets are in a line, and what it reads from standard input if that is a secret.
    pub(super) fn line(
        &mut self,
        line: &str,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        if !self.begin(line, depth, found) {
            return None;
        }
        let shared = parse::read(line);
        self.read_line(line, &shared.script, depth, found)
    }

    /// Counts the work of a line; where that is too much, all of it is taken for a secret.
    pub(super) fn begin(
        &mut self,
        line: &str,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> bool {
        self.work = self.work.saturating_add(line.len());
        let may = depth <= MAX_DEPTH && self.work <= MAX_WORK;
        if !may {
            found.push(0..line.len());
        }
        may
    }

    /// As [`Self::line`], with the line as it was read, of which [`Self::begin`] has said that it is not
    /// too much.
    pub(super) fn read_line(
        &mut self,
        line: &str,
        script: &Script,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let input = self.script(line, script, depth, found);
        if script.problems.is_empty() {
            self.between(line, script, found);
            // `--token-file <(echo x)`: what belongs together stands in two commands.
            if line.contains("<(") {
                self.shown(&Unquoted::verbatim(line, 0), found);
            }
            return input;
        }
        self.shown(&Unquoted::verbatim(line, 0), found);
        both(input, self.words_of(line, depth, found))
    }

    /// What shows in a text, whatever it is part of.
    fn shown(&mut self, text: &Unquoted, found: &mut Vec<Range<usize>>) {
        if is_suspect(&text.text) {
            let mut within = Vec::new();
            text::find(&text.text, &mut within);
            for range in within {
                self.push(text, range, found);
            }
        }
    }

    /// What stands between commands: comments, the words of a loop.
    fn between(&mut self, line: &str, script: &Script, found: &mut Vec<Range<usize>>) {
        let mut spans: Vec<_> = script.commands.iter().map(|command| command.span).collect();
        spans.sort_unstable();
        let mut at = 0;
        for (from, to) in spans.into_iter().chain([(line.len(), line.len())]) {
            if from > at {
                let range = text::widen(line, at..from);
                let gap = line.get(range.clone()).filter(|gap| is_suspect(gap)).unwrap_or("");
                self.shown(&Unquoted::verbatim(gap, range.start), found);
            }
            at = at.max(to);
        }
    }

    /// The words of a text that is no line of a shell, or none that can be read.
    fn words_of(
        &mut self,
        line: &str,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < line.len() {
            if words.len() > MAX_WORDS {
                found.push(at..line.len());
                break;
            }
            let word = unquote(line, at);
            if word.whole.is_empty() {
                at += line.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
                continue;
            }
            at = word.whole.end;
            // A quote that is never closed would hide what follows: it is read once more without.
            let source = line.get(word.whole.clone()).unwrap_or("");
            if source.len() > 512 || source.contains('\n') {
                let skip = source.find(['"', '\'', '`']).map_or(source.len(), |quote| quote + 1);
                if skip < source.len() {
                    let start = word.whole.start;
                    words.push(Unquoted::verbatim(
                        source.get(..skip.saturating_sub(1)).unwrap_or(""),
                        start,
                    ));
                    at = start + skip;
                    continue;
                }
            }
            words.push(word);
        }
        self.each(&words, depth, found);
        let words: Vec<&Unquoted> = words.iter().collect();
        let mut input = None;
        for start in 0..words.len() {
            let Some(rest) = words.get(start..) else { break };
            let known =
                rest.first().is_some_and(|w| SecretTable::builtin().knows(program_of(&w.text)));
            if start == 0 || known {
                let rest = rest.get(..rest.len().min(256)).unwrap_or(rest);
                input = both(input, self.program(rest, start == 0, line, found));
            }
        }
        input
    }

    fn script(
        &mut self,
        line: &str,
        script: &Script,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let mut inputs: Vec<(usize, SecretInput)> = Vec::new();
        let mut all = Vec::with_capacity(script.commands.len());
        for (at, command) in script.commands.iter().enumerate() {
            let words: Vec<Unquoted> =
                command.words.iter().map(|word| placed(line, word)).collect();
            for assignment in &command.assignments {
                let (from, to) = assignment.span;
                if line.get(from..to).is_some_and(|text| text.starts_with(&assignment.name)) {
                    self.word(&unquote_all(line, from..to), false, depth, found);
                } else if is_secret_name(&assignment.name) {
                    found.push(text::widen(line, from..to));
                }
                if is_secret_name(&assignment.name)
                    && assignment.value.known()
                    && !is_no_value(&assignment.value.text)
                {
                    self.value(&assignment.value.text);
                }
            }
            let (from, to) = command.span;
            self.shown(&unquote_all(line, text::widen(line, from..to)), found);
            let mut input = self.each(&words, depth, found);
            // What is known to stand in the place of a variable is as much a secret.
            let expanded: Vec<Unquoted> = command.words.iter().map(known).collect();
            let differs = command.words.iter().any(|word| word.flags.expanded && word.known());
            let views: Vec<&Unquoted> = words.iter().collect();
            input = both(input, self.command(&views, line, found));
            if differs {
                let views: Vec<&Unquoted> = expanded.iter().collect();
                let mut nowhere = Vec::new();
                let before = self.values.len();
                input = both(input, self.command(&views, line, &mut nowhere));
                let new: Vec<String> = self.values.get(before..).unwrap_or(&[]).to_vec();
                for value in new {
                    everywhere(line, &value, found);
                }
            }
            self.written(line, command, script, &words, found);
            if let Some(input) = input.or_else(|| copied(&words)) {
                inputs.push((at, input));
                self.redirected(line, &command.redirects, script, input, found);
                let block = command.group.and_then(|at| script.groups.get(at));
                if let Some(block) = block.filter(|_| command.redirects.is_empty()) {
                    self.redirected(line, &block.redirects, script, input, found);
                }
            }
            for redirect in &command.redirects {
                if redirect.op == RedirectOp::HereString {
                    let word = placed(line, &redirect.target);
                    self.word(&word, false, depth, found);
                }
                if let Some(body) = redirect.body.and_then(|at| script.bodies.get(at)) {
                    self.nested(line, body, depth, found);
                }
            }
            all.push(words);
        }
        let mut first = None;
        for (at, input) in inputs {
            let reader = stages(script, at);
            let earlier = |at: usize| {
                stages(script, at).iter().any(|(pipeline, stage)| {
                    reader.iter().any(|(reads, place)| reads == pipeline && stage < place)
                })
            };
            // What comes through `cat` comes from the same place.
            let mut before = script.commands.iter().zip(&all).enumerate();
            let from_outside = script.commands.get(at).is_some_and(|command| command.stage == 0)
                || before.any(|(at, (command, words))| {
                    command.stage == 0 && earlier(at) && passes_on(words)
                });
            if from_outside {
                first = both(first, Some(input));
            }
            for (at, (command, words)) in script.commands.iter().zip(&all).enumerate() {
                if earlier(at) {
                    self.printed(words, input, found);
                    self.printed_by_variable(line, command, input, found);
                    self.redirected(line, &command.redirects, script, input, found);
                }
            }
        }
        first
    }

    /// A here-document as a line of its own.
    fn nested(&mut self, line: &str, body: &Word, depth: usize, found: &mut Vec<Range<usize>>) {
        let (from, to) = body.span;
        let range = text::widen(line, from..to);
        let Some(inner) = line.get(range.clone()) else { return };
        if is_suspect(inner) {
            self.shown(&Unquoted::verbatim(inner, range.start), found);
            let mut within = Vec::new();
            self.line(inner, depth + 1, &mut within);
            found.extend(within.into_iter().map(|r| r.start + range.start..r.end + range.start));
        }
    }

    /// Each word of a command by itself.
    fn each(
        &mut self,
        words: &[Unquoted],
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let (mut is_line, mut input) = (false, None);
        for word in words {
            input = both(input, self.word(word, is_line, depth, found));
            is_line |= SecretTable::builtin().takes_lines(program_of(&word.text));
        }
        input
    }

    /// Secrets in one word by itself, and in the line that it may be.
    fn word(
        &mut self,
        word: &Unquoted,
        is_line: bool,
        depth: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        if !is_suspect(&word.text) {
            return None;
        }
        let mut within = Vec::new();
        let line = word.may_be_a_line();
        if line && is_line {
            text::find(&word.text, &mut within);
        } else {
            text::find_in_word(&word.text, &mut within);
        }
        let mut input = None;
        if line && may_be_a_line(&word.text) {
            input = self.line(&word.text, depth + 1, &mut within);
        }
        for range in within {
            self.push(word, range, found);
        }
        input
    }

    fn push(&mut self, word: &Unquoted, range: Range<usize>, found: &mut Vec<Range<usize>>) {
        let range = text::widen(&word.text, range);
        if range.is_empty() || !word.is_literal(range.clone()) {
            return;
        }
        if let Some(value) = word.text.get(range.clone()) {
            self.value(value);
        }
        if word.is_placed() {
            found.push(word.place(range));
        }
    }

    fn value(&mut self, value: &str) {
        if self.values.len() < 256 && !value.is_empty() && !self.values.iter().any(|v| v == value) {
            self.values.push(value.to_owned());
        }
    }

    /// One command: its own options, and the programs that it may start.
    fn command(
        &mut self,
        words: &[&Unquoted],
        line: &str,
        found: &mut Vec<Range<usize>>,
    ) -> Option<SecretInput> {
        let table = SecretTable::builtin();
        let mut rest = words;
        let mut first = true;
        let mut input = None;
        // One program behind another: `sudo docker exec db mysql -pX`.
        while let Some(word) = rest.first() {
            input = both(input, self.program(rest, first, line, found));
            let name = program_of(&word.text);
            let arguments = rest.get(1..).unwrap_or(&[]);
            if table.is_closed(name, arguments.iter().map(|word| word.text.as_str())) {
                break;
            }
            let next = (1..rest.len()).find(|at| {
                let named = rest.get(*at).is_some_and(|word| {
                    let text = word.text.as_str();
                    (!text.contains('/') || text.starts_with(['/', '.', '~']))
                        && table.knows(program_of(text))
                });
                let before = rest.get(at.saturating_sub(1)).map_or("", |w| w.text.as_str());
                named && !table.names_something(before)
            });
            rest = next.and_then(|at| rest.get(at..)).unwrap_or(&[]);
            first = false;
        }
        input
    }
}

/// What stands on a standard input that two programs read: neither may hide what the other tells.
fn both(one: Option<SecretInput>, other: Option<SecretInput>) -> Option<SecretInput> {
    match (one, other) {
        (None | Some(SecretInput::Word), Some(other)) => Some(other),
        (one, None | Some(SecretInput::Word)) => one,
        (Some(one), Some(other)) if one == other => Some(one),
        // A password first, then pairs: `sudo -S chpasswd`.
        _ => Some(SecretInput::All),
    }
}

fn is_option(text: &str) -> bool {
    // `/p:X`, as some programs have it.
    let slashed = || {
        let rest = text.strip_prefix('/')?;
        let name = rest.split_once(':')?.0;
        Some(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    text.len() > 1 && (text.starts_with('-') || slashed() == Some(true))
}

/// Whether nothing is left to mask.
pub(super) fn is_masked(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '•')
}

/// A program's name without its directory.
fn program_of(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// A word without its quotes, where it stands in the line.
fn placed(line: &str, word: &Word) -> Unquoted {
    let (from, to) = word.span;
    let unquoted = unquote_all(line, from..to);
    if unquoted.text == word.text || word.flags.expanded || word.flags.brace {
        return unquoted;
    }
    // Decoded before it was read: a backtick in quotes, an option of an alias.
    let mut elsewhere = Unquoted::elsewhere(&word.text, from..to);
    if unquoted.text.is_empty() {
        elsewhere.whole = from..to;
    }
    if line.get(from..to).is_some_and(|raw| raw.len() >= word.text.len()) {
        elsewhere
    } else {
        unquoted
    }
}

/// A word as the shell would pass it, as far as that is known.
fn known(word: &Word) -> Unquoted {
    Unquoted::elsewhere(&word.text, word.span.0..word.span.1)
}

/// Every place where a value stands.
pub(super) fn everywhere(text: &str, value: &str, found: &mut Vec<Range<usize>>) {
    if value.is_empty() {
        return;
    }
    for (at, _) in text.match_indices(value) {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + value.len()..).and_then(|t| t.chars().next());
        if value.len() >= 4 || (edge(before) && edge(after)) {
            found.push(at..at + value.len());
        }
    }
}
