//! Computes what a few harmless commands print when that is constant, to undo
//! `echo ... | base64 -d`. It must never guess: anything it does not know exactly is `None`.

use super::ansi;
use super::types::{RedirectOp, Script, Simple, Word};
use crate::program::base_name;

/// The longest output that is followed, in bytes.
const MAX: usize = 16 * 1024;

/// The output of a pipeline that consists only of known filters.
pub(crate) fn of(commands: &[&Simple], bodies: &[Word]) -> Option<String> {
    let (first, rest) = commands.split_first()?;
    if first.stage != 0 {
        return None;
    }
    let mut text = source(first, bodies)?;
    for (stage, command) in rest.iter().enumerate() {
        if command.pipeline != first.pipeline || command.stage != stage + 1 {
            return None;
        }
        text = filter(command, &text)?;
    }
    (text.len() <= MAX).then_some(text)
}

/// What the pipeline feeds into `this`, which stands at `index`.
pub(crate) fn before(script: &Script, index: usize, this: &Simple) -> Option<String> {
    fed(script, index, this.pipeline, this.stage)
}

/// What a pipeline feeds into a stage whose first command stands at `index`.
pub(crate) fn fed(script: &Script, index: usize, pipeline: usize, stage: usize) -> Option<String> {
    /// How far back to look: substitutions put their own commands between the stages.
    const WINDOW: usize = 48;
    if stage == 0 || stage > 8 {
        return None;
    }
    let earlier: Vec<&Simple> = script
        .commands
        .get(index.saturating_sub(WINDOW)..index)?
        .iter()
        .filter(|command| {
            command.pipeline == pipeline && !command.compound && !command.words.is_empty()
        })
        .collect();
    (earlier.len() == stage).then(|| of(&earlier, &script.bodies))?
}

fn plain_arguments(command: &Simple) -> Option<Vec<&str>> {
    let known = command.redirects.is_empty()
        && command.assignments.is_empty()
        && command.words.iter().all(|word| word.known() && !word.flags.glob);
    known.then(|| command.words.iter().map(|word| word.text.as_str()).collect())
}

fn source(command: &Simple, bodies: &[Word]) -> Option<String> {
    let copies = command.words.first().is_some_and(|word| base_name(&word.text) == "tee");
    if let [redirect] = command.redirects.as_slice()
        && (command.words.len() == 1 || copies)
        && command.assignments.is_empty()
        && matches!(redirect.op, RedirectOp::HereDoc | RedirectOp::HereString)
    {
        let body = match redirect.body {
            Some(at) => bodies.get(at)?,
            None => &redirect.target,
        };
        return body.known().then(|| filter_text(command, &body.text)).flatten();
    }
    let arguments = plain_arguments(command)?;
    let (program, mut rest) = arguments.split_first()?;
    match base_name(program) {
        "echo" => {
            let mut escapes = false;
            while let Some((flag, tail)) = rest.split_first() {
                let letters = flag.strip_prefix('-').unwrap_or_default();
                if letters.is_empty() || !letters.bytes().all(|b| matches!(b, b'n' | b'e' | b'E')) {
                    break;
                }
                escapes |= letters.contains('e');
                rest = tail;
            }
            let text = rest.join(" ");
            Some(if escapes { ansi::decode(&text).0 } else { text })
        }
        "printf" => {
            if rest.first() == Some(&"--") {
                rest = rest.get(1..)?;
            }
            let (format, values) = rest.split_first()?;
            let format = ansi::decode(format).0;
            match values {
                [] => (!format.contains('%')).then_some(format),
                values if format.trim_end_matches('\n') == "%s" => Some(values.join("")),
                values if format.trim_end_matches('\n') == "%b" => {
                    Some(ansi::decode(&values.join("")).0)
                }
                values if format.matches('%').count() == values.len() => {
                    let mut text = format;
                    for value in values {
                        text = text.replacen("%s", value, 1);
                    }
                    (!text.contains('%')).then_some(text)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn filter(command: &Simple, input: &str) -> Option<String> {
    plain_arguments(command)?;
    filter_text(command, input)
}

fn filter_text(command: &Simple, input: &str) -> Option<String> {
    let arguments: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let (program, rest) = arguments.split_first()?;
    match (base_name(program), rest) {
        ("tee", _) | ("cat", []) | ("cat", ["-"]) => Some(input.to_owned()),
        ("rev", []) => Some(
            input
                .lines()
                .map(|line| line.chars().rev().collect::<String>())
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        ("base64", ["-d" | "-D" | "--decode" | "-di" | "-id"])
        | ("openssl", ["base64", "-d"] | ["enc", "-base64", "-d"]) => base64(input),
        ("xxd", ["-r", "-p"] | ["-p", "-r"] | ["-rp"] | ["-pr"]) => hex(input),
        ("tr", ["-d", set]) => Some(input.chars().filter(|c| !set.contains(*c)).collect()),
        ("tr", [from, to]) => {
            let (from, to) = (ranges(from)?, ranges(to)?);
            let last = to.last().copied();
            Some(
                input
                    .chars()
                    .map(|c| {
                        from.iter()
                            .position(|f| *f == c)
                            .map_or(c, |at| to.get(at).copied().or(last).unwrap_or(c))
                    })
                    .collect(),
            )
        }
        _ => None,
    }
}

fn ranges(set: &str) -> Option<Vec<char>> {
    let chars: Vec<char> = set.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        if chars.get(at + 1) == Some(&'-')
            && let Some(end) = chars.get(at + 2)
        {
            if !c.is_ascii() || !end.is_ascii() {
                return None;
            }
            out.extend(*c..=*end);
            at += 3;
        } else {
            out.push(*c);
            at += 1;
        }
    }
    Some(out)
}

/// Decodes base64; `None` unless every character belongs to it and the result is text.
pub(crate) fn base64(input: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bits = 0_u32;
    let mut count = 0;
    for byte in input.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    String::from_utf8(out).ok()
}

fn hex(input: &str) -> Option<String> {
    let digits: Vec<u32> = input
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}
