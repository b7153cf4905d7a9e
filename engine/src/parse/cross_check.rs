//! Checks what was read against `rable`, an independent bash parser. It must never pass it a text
//! that could make it recurse too deeply or run too long: such a text is a problem in itself.

use rable::{Node, NodeKind};

use super::types::{Problem, Script, Simple, Span};

/// The longest text that is checked, in bytes: about 2 ms.
const MAX_BYTES: usize = 8 * 1024;
/// The most opening brackets and keywords in it. `rable` recurses, and overflows a 2 MiB stack in a
/// debug build somewhere above 64 levels; its time doubles with every few levels of `$(`.
const MAX_OPENERS: usize = 48;
/// The deepest nesting of substitutions; the time grows at least with the square of it.
const MAX_SUBSTITUTIONS: usize = 12;

pub(super) fn check(script: &mut Script) {
    if !script.problems.is_empty() {
        return;
    }
    let mut budget = 2 * MAX_BYTES;
    for scope in 0..script.scopes.len() {
        let Some(&(root, span)) = script.scopes.get(scope) else { continue };
        let Some(text) = script.texts.get(root) else { continue };
        let source = text.get(span.0..span.1).unwrap_or("");
        if trivial(source) {
            continue;
        }
        let part = |piece: &Piece| source.get(piece.from..piece.to).unwrap_or("");
        let whole = !too_much(source);
        let all =
            if whole { vec![Piece::of(script, source)] } else { pieces(script, scope, source) };
        // Decided before anything is parsed: no work is spent on what cannot be finished.
        let unfinished = || !whole && all.iter().any(|piece| too_much(part(piece)));
        let why = if source.len() > budget || unfinished() {
            Some("too long or too nested to be read twice")
        } else {
            budget -= source.len();
            all.iter().find_map(|piece| {
                let source = part(piece);
                if trivial(source) {
                    None
                } else {
                    disagreement(script, scope, text, source, piece)
                }
            })
        };
        if let Some(why) = why {
            let place = script
                .commands
                .iter()
                .find(|command| command.scope == scope)
                .map_or((0, script.texts.first().map_or(0, String::len)), |command| command.span);
            script.problems.push(Problem { why, span: place, unread: false });
            return;
        }
    }
}

/// Part of a text with the commands that were read in it.
struct Piece {
    from: usize,
    to: usize,
    commands: std::ops::Range<usize>,
}

impl Piece {
    fn of(script: &Script, source: &str) -> Self {
        Self { from: 0, to: source.len(), commands: 0..script.commands.len() }
    }
}

/// Whether a text could make the other parser recurse too deeply or run too long.
fn too_much(source: &str) -> bool {
    source.len() > MAX_BYTES || openers(source) > MAX_OPENERS
}

/// A text that is too much at once, in pieces cut between top-level commands. If the
/// two parsers differ anywhere, their first difference is within one piece, at whose start they
/// still agree.
fn pieces(script: &Script, scope: usize, source: &str) -> Vec<Piece> {
    let all = Piece::of(script, source);
    let mut out: Vec<Piece> = Vec::new();
    let mut last = Piece { from: 0, to: 0, commands: 0..0 };
    for cut in script.cuts.iter().filter(|cut| cut.scope == scope && cut.at > 0) {
        let grown = source.get(last.from..cut.at).unwrap_or("");
        if last.to > last.from && too_much(grown) {
            let (from, commands) = (last.to, last.commands.end);
            out.push(last);
            last = Piece { from, to: cut.at, commands: commands..cut.commands };
        } else {
            last.to = cut.at;
            last.commands.end = cut.commands;
        }
    }
    let rest = source.get(last.from..).unwrap_or("");
    if last.to > last.from && too_much(rest) {
        let (from, commands) = (last.to, last.commands.end);
        out.push(last);
        last = Piece { from, ..all };
        last.commands.start = commands;
    } else {
        last.to = source.len();
        last.commands.end = script.commands.len();
    }
    out.push(last);
    out
}

/// Whether a text is only plain words and blanks, so that there is nothing to disagree about.
fn trivial(source: &str) -> bool {
    source.bytes().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b' ' | b'-' | b'_' | b'.' | b'/' | b':' | b',' | b'@' | b'%' | b'+' | b'='
            )
    })
}

/// An upper bound for how deep the parser could recurse: it counts everything that opens something.
fn openers(source: &str) -> usize {
    let bytes = source.as_bytes();
    let mut count = 0;
    let mut substitutions = 0;
    let mut word = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'{' | b'[' | b'`' => {
                count += 1;
                if *byte == b'(' && at > 0 && matches!(bytes.get(at - 1), Some(b'$' | b'<' | b'>'))
                {
                    substitutions += 1;
                }
            }
            b'?' | b'!' => count += usize::from(at > 0 && bytes.get(at - 1) == Some(byte)),
            _ => {}
        }
        if byte.is_ascii_lowercase() {
            continue;
        }
        count += usize::from(keyword(bytes.get(word..at).unwrap_or(&[])));
        word = at + 1;
    }
    count += usize::from(keyword(bytes.get(word..).unwrap_or(&[])));
    // Operators of arithmetic and conditions recurse too, but only inside brackets.
    if source.contains("((") || source.contains("$[") || source.contains("[[") {
        count += bytes.iter().filter(|b| matches!(b, b'?' | b'!' | b'=' | b'~')).count();
    }
    if substitutions > MAX_SUBSTITUTIONS { usize::MAX } else { count }
}

fn keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"if"
            | b"elif"
            | b"while"
            | b"until"
            | b"for"
            | b"case"
            | b"select"
            | b"function"
            | b"coproc"
            | b"time"
    )
}

fn disagreement(
    script: &Script,
    scope: usize,
    text: &str,
    source: &str,
    piece: &Piece,
) -> Option<&'static str> {
    // The parser is not ours: a panic in it must not end the process while a command is open.
    let parsed = std::panic::catch_unwind(|| rable::parse(source, false));
    let nodes = match parsed {
        Ok(Ok(nodes)) => nodes,
        Ok(Err(_)) => return Some("not a valid shell line"),
        Err(_) => return Some("the second parser failed"),
    };
    let mut theirs = Vec::new();
    for node in &nodes {
        collect(node, &mut theirs);
    }
    let mine: Vec<&Simple> = script
        .commands
        .get(piece.commands.clone())
        .unwrap_or(&[])
        .iter()
        .filter(|command| command.scope == scope && !command.compound)
        .collect();
    let same = mine.len() == theirs.len()
        && mine.iter().zip(&theirs).all(|(mine, theirs)| {
            mine.raw_words.len() == theirs.len()
                && mine
                    .raw_words
                    .iter()
                    .zip(theirs)
                    .all(|(raw, word)| same_text(slice(text, *raw), word))
        });
    (!same).then_some("two parsers read this line differently")
}

fn slice(text: &str, span: Span) -> &str {
    text.get(span.0..span.1).unwrap_or("")
}

/// Equal apart from blanks and line continuations, which the other parser sometimes drops or
/// rewrites.
fn same_text(mine: &str, theirs: &str) -> bool {
    if mine == theirs {
        return true;
    }
    let solid = |text: &str| {
        text.replace("\\\n", "").chars().filter(|c| !c.is_whitespace()).collect::<String>()
    };
    solid(mine) == solid(theirs)
}

/// Lists the words of every simple command, in the order of the source.
fn collect<'a>(node: &'a Node, out: &mut Vec<Vec<&'a str>>) {
    match &node.kind {
        NodeKind::Command { assignments, words, .. } => {
            out.push(assignments.iter().chain(words).map(word).collect());
        }
        NodeKind::Pipeline { commands, .. } => commands.iter().for_each(|node| collect(node, out)),
        NodeKind::List { items } => items.iter().for_each(|item| collect(&item.command, out)),
        NodeKind::If { condition, then_body, else_body, .. } => {
            collect(condition, out);
            collect(then_body, out);
            if let Some(body) = else_body {
                collect(body, out);
            }
        }
        NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
            collect(condition, out);
            collect(body, out);
        }
        NodeKind::For { body, .. }
        | NodeKind::ForArith { body, .. }
        | NodeKind::Select { body, .. }
        | NodeKind::Function { body, .. }
        | NodeKind::Subshell { body, .. }
        | NodeKind::BraceGroup { body, .. }
        | NodeKind::Coproc { command: body, .. }
        | NodeKind::Negation { pipeline: body }
        | NodeKind::Time { pipeline: body, .. } => collect(body, out),
        NodeKind::Case { patterns, .. } => {
            for body in patterns.iter().filter_map(|pattern| pattern.body.as_ref()) {
                collect(body, out);
            }
        }
        _ => {}
    }
}

fn word(node: &Node) -> &str {
    match &node.kind {
        NodeKind::Word { value, .. } => value,
        _ => "",
    }
}
