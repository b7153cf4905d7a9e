//! Scores what holds for the whole line: deception, padding, substitution, obfuscation, and whether
//! it could be read at all. It must never make a line look better than its worst part.

use crate::modifier::Modifier;
use crate::parse::{self, Shared};
use crate::program::{base_name, reads_as_posix};
use crate::secrets::Found;
use crate::{Context, RiskTables};

use super::deception;
use super::segment_score::{Modifiers, SegmentScore};

/// Programs that turn data into other text.
const DECODERS: [&str; 8] =
    ["base64", "base32", "basenc", "xxd", "uudecode", "rev", "openssl", "gzip"];
/// Programs that fetch a file.
const FETCHERS: [&str; 9] =
    ["curl", "wget", "wget2", "aria2c", "fetch", "axel", "scp", "lwp-download", "ftpget"];
/// Programs that run what they are given.
const RUNNERS: [&str; 14] = [
    "sh", "bash", "zsh", "dash", "ash", "ksh", "eval", "source", ".", "python", "python3", "perl",
    "ruby", "node",
];

/// Collects what holds for the whole line.
pub(super) fn collect(
    tables: &RiskTables,
    text: &str,
    context: &Context,
    shared: &mut Shared,
    scores: &[SegmentScore],
    secrets: &Found,
    line: &mut Modifiers,
) {
    // A modifier keeps its first reason, so the order decides which one is printed.
    let whole = (0, text.len());
    if let Some((span, why)) = deception::find(text) {
        line.add(Modifier::Deception, span, why);
        if !line.has(Modifier::Uninspectable) {
            line.add(Modifier::Uninspectable, span, "characters that do not show what they are");
        }
    }
    if let Some((span, why)) = deception::padding(text) {
        line.add(Modifier::Padding, span, why);
    }
    // The cross-check comes after all nested texts were read: it needs every one of them.
    parse::check(shared);
    let script = &shared.script;
    if let Some(problem) = script.problems.first() {
        line.add(Modifier::Uninspectable, problem.span, problem.why);
    }
    // A part that was not read may contain anything.
    if let Some(problem) = script.problems.iter().find(|problem| problem.unread) {
        line.raise(75, problem.span, format!("part of it was not read: {}", problem.why));
    }
    if let Some(shell) = &context.shell
        && !reads_as_posix(Some(shell))
    {
        line.add(
            Modifier::Uninspectable,
            whole,
            format!("the target's shell is {shell}, whose language is not read here"),
        );
    }
    // Only an interactive shell has it, and dash has none; a command that gets a terminal is no line of one.
    let expands = context
        .shell
        .as_deref()
        .is_none_or(|shell| !matches!(base_name(shell), "sh" | "dash" | "ash" | "ksh" | "mksh"));
    if context.pty
        && context.in_shell
        && expands
        && let Some(at) = text.find('!')
        && text.get(at + 1..).is_some_and(|rest| {
            rest.starts_with(|c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '!' | '?' | '$' | '-' | '*')
            })
        })
    {
        line.add(
            Modifier::Uninspectable,
            (at, at + 1),
            "in a terminal `!` brings back an earlier command",
        );
    }
    if let Some(span) = script.substitutions.first() {
        line.add(Modifier::Indirect, *span, "part of the line is made by running another command");
    }
    let computed = scores.iter().find(|score| score.modifiers.has(Modifier::Uninspectable));
    if let Some(score) = computed {
        let span = score
            .modifiers
            .list
            .iter()
            .find(|applied| applied.modifier == Modifier::Uninspectable)
            .map_or(whole, |applied| applied.span);
        line.add(Modifier::Uninspectable, span, "part of what runs cannot be seen");
    }
    fork_bomb(shared, line);
    fetched(shared, scores, line);
    decoded(shared, scores, line);
    production(tables, context, whole, line);
    if let Some(found) = secrets.ranges.first() {
        line.add(
            Modifier::Secret,
            (found.start, found.end),
            "a password, key or token in plain sight",
        );
    }
    if context.has_stdin_script && scores.iter().all(|score| score.program.is_none()) {
        line.add(Modifier::Uninspectable, whole, "a script follows on standard input");
    }
}

/// A function that calls itself twice or in the background.
fn fork_bomb(shared: &Shared, line: &mut Modifiers) {
    let script = &shared.script;
    for (index, function) in script.functions.iter().enumerate() {
        let calls: Vec<_> = script
            .commands
            .iter()
            .filter(|command| command.function == Some(index))
            .filter(|command| command.words.first().is_some_and(|word| word.text == *function))
            .collect();
        if calls.len() >= 2 || calls.iter().any(|call| call.background) {
            let span = calls.first().map_or((0, 0), |call| call.span);
            line.raise(95, span, format!("{function} starts itself again and again"));
        }
    }
}

/// A file that is fetched and then run: `wget https://x/i.sh && sh i.sh`.
fn fetched(shared: &Shared, scores: &[SegmentScore], line: &mut Modifiers) {
    let mut files: Vec<&str> = Vec::new();
    for score in scores {
        let Some(program) = score.program.as_deref() else { continue };
        if FETCHERS.contains(&program) {
            // The name given, or the last part of the address.
            let named = score.argv.iter().skip(1).map(|word| base_name(word.trim_end_matches('/')));
            files.extend(named.filter(|name| !name.is_empty() && !name.starts_with('-')));
            let redirects = shared.script.commands.iter().filter(|command| {
                command.words.first().is_some_and(|word| base_name(&word.text) == program)
            });
            files.extend(
                redirects
                    .flat_map(|command| &command.redirects)
                    .map(|redirect| base_name(&redirect.target.text)),
            );
            continue;
        }
        if files.is_empty() {
            continue;
        }
        // Run by an interpreter, by its path, or made runnable.
        let by = if RUNNERS.contains(&program) || matches!(program, "chmod" | "install") {
            score.argv.get(1..).unwrap_or(&[])
        } else if score.argv.first().is_some_and(|word| word.contains('/')) {
            score.argv.get(..1).unwrap_or(&[])
        } else {
            &[]
        };
        if by.iter().any(|word| files.contains(&base_name(word))) {
            line.add(Modifier::PipeToInterpreter, score.span, "what was fetched is run");
            return;
        }
    }
}

/// Text is decoded and then run: what runs is not what the reviewer reads.
fn decoded(shared: &Shared, scores: &[SegmentScore], line: &mut Modifiers) {
    let named = |score: &&SegmentScore, list: &[&str]| {
        score.program.as_deref().is_some_and(|program| list.contains(&program))
    };
    let decodes = |score: &&SegmentScore| {
        let asked = score.argv.iter().any(|word| {
            matches!(
                word.as_str(),
                "-d" | "-D"
                    | "--decode"
                    | "-r"
                    | "-rp"
                    | "-pr"
                    | "-di"
                    | "-id"
                    | "-dc"
                    | "-cd"
                    | "-A"
            ) || word.starts_with("-d")
        });
        named(score, &DECODERS)
            && (asked
                || score.program.as_deref() == Some("rev")
                || score.program.as_deref() == Some("uudecode"))
    };
    let Some(decoder) = scores.iter().find(decodes) else { return };
    let runs = scores.iter().any(|score| {
        named(&score, &RUNNERS)
            && (score.modifiers.has(Modifier::PipeToInterpreter)
                || score.modifiers.has(Modifier::Indirect))
            || score.modifiers.has(Modifier::Uninspectable)
            || score.via.iter().any(|via| RUNNERS.contains(&via.as_str()))
    });
    let in_substitution = shared.script.commands.iter().any(|command| {
        command.in_substitution
            && command.words.first().is_some_and(|word| DECODERS.contains(&base_name(&word.text)))
    }) && scores.iter().any(|score| score.modifiers.has(Modifier::Indirect));
    if runs || in_substitution {
        line.add(Modifier::Obfuscation, decoder.span, "text is decoded and run");
    }
}

fn production(tables: &RiskTables, context: &Context, whole: (usize, usize), line: &mut Modifiers) {
    let path_lists = &tables.path_lists;
    let marked = std::iter::once(("target", context.target.as_str()))
        .chain(context.tags.iter().map(|tag| ("tag", tag.as_str())))
        .chain(context.other_names.iter().flat_map(|name| {
            let tags = name.tags.iter().map(|tag| ("tag", tag.as_str()));
            std::iter::once(("target", name.target.as_str())).chain(tags)
        }))
        .chain(context.cwd.as_deref().map(|cwd| ("directory", cwd)))
        .find(|(_, text)| path_lists.is_production(text));
    if let Some((what, text)) = marked {
        line.add(
            Modifier::Production,
            (whole.0, whole.1),
            format!("the {what} {text} is production"),
        );
    }
}
