//! Turns effects into modifiers: those of the tables, of statements and of code. It must never lower
//! a score for an effect that it does not know to be harmless.

use crate::Category;
use crate::modifier::Modifier;
use crate::parse::Span;
use crate::tables::Effect;

use super::code::Seen;
use super::paths::{is_core, resolve};
use super::scorer::Scorer;
use super::segment_score::SegmentScore;
use super::statements::Statements;

/// Turns an effect of the tables into a modifier.
pub(crate) fn apply(
    effect: Effect,
    span: Span,
    word: &str,
    program: &str,
    reads_only: bool,
    score: &mut SegmentScore,
) {
    let modifiers = &mut score.modifiers;
    let by = if word == program || word.is_empty() {
        program.to_owned()
    } else {
        format!("{program} {word}")
    };
    match effect {
        Effect::Destructive => modifiers.add(Modifier::Destructive, span, format!("{by} destroys")),
        Effect::Wide => {
            modifiers.add(Modifier::Wide, span, format!("{by} takes everything with it"))
        }
        Effect::Recursive => {
            modifiers.add(Modifier::Recursive, span, format!("{by} goes through whole trees"))
        }
        Effect::Force => modifiers.add(Modifier::Force, span, format!("{by} asks nobody")),
        Effect::Privilege => {
            modifiers.add(Modifier::Privilege, span, format!("{by} raises privilege"))
        }
        Effect::Exec => {
            modifiers.add(Modifier::Indirect, span, format!("{by} runs something given as data"))
        }
        Effect::Hijack => modifiers.add(
            Modifier::Hijack,
            span,
            format!("{by} makes a program run something else"),
        ),
        Effect::Persist => modifiers.add(
            Modifier::Persistence,
            span,
            format!("{by} stays in place and acts later"),
        ),
        Effect::Tamper => modifiers.add(
            Modifier::Tampering,
            span,
            format!("{by} touches logs, audit or protection"),
        ),
        Effect::Safety => {
            modifiers.add(Modifier::SafetyOff, span, format!("{by} removes a safety switch"))
        }
        Effect::Secret => modifiers.add(Modifier::Secret, span, format!("{by} handles secrets")),
        Effect::Obfuscation => {
            modifiers.add(Modifier::Obfuscation, span, format!("{by} hides what runs"))
        }
        Effect::Unseen => {
            modifiers.add(Modifier::Uninspectable, span, format!("{by}: what runs cannot be seen"))
        }
        Effect::System => {
            modifiers.add(Modifier::SystemPath, span, format!("{by} writes where the system lives"))
        }
        Effect::Catastrophic => modifiers.raise(95, span, format!("{by} takes the system with it")),
        Effect::Critical => modifiers.raise(75, span, format!("{by} cannot be undone")),
        Effect::High => modifiers.raise(50, span, by),
        Effect::Host => {}
        Effect::Dry => score.reducers.add(Modifier::DryRun, span, "only says what it would do"),
        Effect::Help => {
            score.reducers.add(Modifier::HelpOrVersion, span, "only prints help or a version")
        }
        Effect::Read if reads_only => {
            score.reducers.add(Modifier::ReadOnly, span, format!("{by} only reads"))
        }
        Effect::Read => {}
    }
}

/// Adds what statements do to the score of the program that runs them.
pub(crate) fn statements(scorer: &mut Scorer<'_>, found: &Statements, span: Span) {
    let Some(score) = scorer.scores.last_mut() else { return };
    let program = score.program.clone().unwrap_or_default();
    add_statements(score, found, span, &program);
}

/// Adds what statements do to the score of one command.
pub(crate) fn add_statements(
    score: &mut SegmentScore,
    found: &Statements,
    span: Span,
    program: &str,
) {
    if let Some(category) = found.category {
        score.category = category;
    }
    for effect in &found.effects {
        apply(*effect, span, "statement", program, false, score);
    }
    if found.reads
        && !score.modifiers.has(Modifier::Destructive)
        && !score.modifiers.has(Modifier::Indirect)
    {
        score.reducers.add(Modifier::ReadOnly, span, "every statement only reads");
    }
}

/// Adds what code was seen to do to the score of the interpreter that runs it.
pub(crate) fn seen(scorer: &mut Scorer<'_>, seen: &Seen, span: Span) {
    let tables = scorer.tables;
    let Some(score) = scorer.scores.last_mut() else { return };
    if (seen.runs || seen.network) && score.category.base() < Category::CodeExecution.base() {
        score.category = Category::CodeExecution;
    }
    if seen.writes && score.category.base() < Category::FileWrite.base() {
        score.category = Category::FileWrite;
    }
    for (effect, why) in &seen.effects {
        apply(*effect, span, "", why, false, score);
        if let Some(applied) = score.modifiers.list.last_mut()
            && applied.span == span
        {
            applied.why = (*why).to_owned();
        }
    }
    if seen.network {
        score.modifiers.add(Modifier::UnlistedHost, span, "the code opens connections");
    }
    let destroys = score.modifiers.has(Modifier::Destructive);
    for path in &seen.targets {
        let path = resolve(path, None);
        if tables.path_lists.is_system(&path) {
            score.modifiers.add(Modifier::SystemPath, span, format!("the code writes {path}"));
        }
        if destroys && is_core(&path) {
            score.modifiers.raise(95, span, format!("the code deletes {path}"));
        }
        if tables.path_lists.is_persistence(&path) {
            score.modifiers.add(Modifier::Persistence, span, format!("{path} acts later"));
        }
    }
}
