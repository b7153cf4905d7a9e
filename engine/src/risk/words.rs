//! Scores what any word of any command can be: a secret, production, disguised. It must never treat a
//! file as read when its name is only printed.

use crate::modifier::Modifier;
use crate::parse::Span;
use crate::program::base_name;
use crate::tables::MAX_WORDS;

use super::paths::resolve;
use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;

/// Scores what any word of any command can be: a secret, production, disguised.
pub(super) fn any_word(scorer: &Scorer<'_>, unit: &Unit<'_>, score: &mut SegmentScore) {
    let program = unit.words.first().map_or("", |word| base_name(&word.text));
    // These look at the name of a file, not into it; these print what they are given.
    let names_only = matches!(
        program,
        "ls" | "stat"
            | "test"
            | "["
            | "dirname"
            | "basename"
            | "realpath"
            | "mkdir"
            | "cd"
            | "echo"
            | "printf"
            | "locate"
            | "tree"
            | "du"
            | "ssh"
            | "which"
    );
    let names_only = names_only
        || (program == "find"
            && !unit.host.in_substitution
            && !unit.words.iter().any(|word| word.text.starts_with("-exec")));
    // A certificate is public; the keys that share its file's ending are not read by this verb.
    let names_only = names_only
        || (program == "openssl"
            && unit.words.get(1).is_some_and(|word| {
                matches!(word.text.as_str(), "x509" | "crl" | "verify" | "s_client")
            }));
    let searches = matches!(program, "grep" | "egrep" | "rg" | "ag" | "sed" | "awk");
    for (nth, word) in unit.words.iter().enumerate().take(MAX_WORDS) {
        let text = word.text.as_str();
        if nth > 0
            && !names_only
            && !(searches && nth == 1)
            && text.len() < 1024
            && !text.contains(' ')
        {
            let value = text
                .split_once('=')
                .filter(|(option, _)| {
                    // `--file=x`, and `if=x`.
                    option.starts_with('-') || option.bytes().all(|b| b.is_ascii_alphanumeric())
                })
                .map_or(text, |(_, value)| value);
            // `@file` and `name=@file` are read by what they are given to.
            let value =
                value.rsplit_once("=@").map_or(value, |(_, file)| file).trim_start_matches('@');
            let path = resolve(value, unit.cwd.filter(|_| value.contains('/')));
            secret(scorer, &path, word.span, score);
        }
        if nth > 0 && !text.contains([' ', '\n']) && scorer.tables.path_lists.is_production(text) {
            score.modifiers.add(Modifier::Production, word.span, format!("{text} is production"));
        }
        let path_like = nth == 0 || text.starts_with(['/', '~']);
        if word.flags.encoded || (word.flags.disguised && path_like) {
            score.modifiers.add(
                Modifier::Obfuscation,
                word.span,
                format!("written so that {text} is hard to see"),
            );
        }
    }
    if let Some(simple) = unit.simple {
        for redirect in simple.redirects.iter().filter(|redirect| redirect.body.is_none()) {
            let text = &redirect.target.text;
            if !text.contains([' ', '\n']) && scorer.tables.path_lists.is_production(text) {
                score.modifiers.add(
                    Modifier::Production,
                    redirect.span,
                    format!("{text} is production"),
                );
            }
        }
    }
}

/// Marks a path that holds secrets.
pub(super) fn secret(scorer: &Scorer<'_>, path: &str, span: Span, score: &mut SegmentScore) {
    if scorer.tables.path_lists.is_secret(path) {
        score.modifiers.add(Modifier::Secret, span, format!("{path} holds secrets"));
    }
}
