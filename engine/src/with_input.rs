//! Judges standard input: by what the command that it is for does with it. It must never judge input
//! milder than the program that may run it would.

use crate::program::SHELLS;
use crate::{
    Assessment, Context, Covered, History, InputReport, InputUse, ItemSyntax, Outcome, Reading,
    Requirement, RuleVerdict, Snapshot, Taint, Verdict, judge_as,
};

/// Ends the text of a file that is judged as a here-document; a line like it would only end it early.
const END: &str = "EXPACTI-END-OF-INPUT";

/// Judges input that goes to `command` as an item of its own.
#[must_use]
pub fn judge_input(
    snapshot: &Snapshot,
    command: &[u8],
    input: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    let outer = Context { has_stdin_script: false, ..context.clone() };
    let assessment = snapshot.tables.assess(command, &outer);
    let report = snapshot.tables.input_use(command, &outer, &assessment);
    input_of(snapshot, command, &report, input, context, history)
}

/// Judges a command together with standard input that is shown, and decided, with it. No rule allows
/// the two together.
#[must_use]
pub fn judge_with_input(
    snapshot: &Snapshot,
    command: &[u8],
    input: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    let read = Reading::of(snapshot, ItemSyntax::Command, command, context);
    let report = read.input_use();
    let whole = read.into_verdict(history);
    let part = input_of(snapshot, command, &report, input, context, history);
    together(whole, part)
}

/// The input alone.
fn input_of(
    snapshot: &Snapshot,
    command: &[u8],
    report: &InputReport,
    input: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    // It has no terminal and no input of its own.
    let context = &Context { pty: false, has_stdin_script: true, ..context.clone() };
    let text = String::from_utf8_lossy(command);
    let is_shell = report.reader.as_deref().is_some_and(|reader| SHELLS.contains(&reader));
    match report.r#use {
        InputUse::Code if is_shell => {
            judge_as(snapshot, ItemSyntax::Command, input, context, history)
        }
        InputUse::Code | InputUse::Names | InputUse::Unknown => {
            let syntax = ItemSyntax::Input { foreground: Some(&text) };
            let mut verdict = judge_as(snapshot, syntax, input, context, history);
            verdict.rule.why = "standard input is decided by a person".to_owned();
            verdict
        }
        InputUse::File
        | InputUse::Archive
        | InputUse::Looks
        | InputUse::Protocol
        | InputUse::Unused => written(snapshot, report, input, context, history),
    }
}

/// The content of files: as a here-document that writes the same bytes to the same place.
fn written(
    snapshot: &Snapshot,
    report: &InputReport,
    input: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    let quoted = |path: &String| format!("'{}'", path.replace('\'', "'\\''"));
    let paths: Vec<String> = report.into.iter().map(quoted).collect();
    let target = match (report.r#use, paths.as_slice()) {
        (InputUse::File, [_, ..]) => format!("tee {}", paths.join(" ")),
        (InputUse::Archive, [one, ..]) => format!("tar -x -C {one}"),
        (InputUse::Archive, []) => "tar -x".to_owned(),
        _ => "cat".to_owned(),
    };
    let head = format!("{target} <<'{END}'\n");
    let body = match report.r#use {
        InputUse::File => std::str::from_utf8(input).unwrap_or("(binary)"),
        _ => "",
    };
    let line = format!("{head}{body}\n{END}");
    let mut verdict = judge_as(snapshot, ItemSyntax::Command, line.as_bytes(), context, history);
    // Where it is written is the command's doing, and what it leaves behind as well.
    verdict.taint = Taint::default();
    let shown = String::from_utf8_lossy(input);
    let inside = |at: usize| at.saturating_sub(head.len()).min(shown.len());
    for term in &mut verdict.assessment.terms {
        term.span = term.span.map(inside);
        if term.span[0] == term.span[1] {
            term.span = [0, shown.len()];
        }
    }
    for segment in &mut verdict.assessment.segments {
        segment.span = segment.span.map(inside);
    }
    verdict.assessment.command = shown.into_owned();
    // The place is the command's; here it is only the content that counts.
    verdict.anomalies.clear();
    verdict
}

/// The stricter of both in everything.
fn together(whole: Verdict, part: Verdict) -> Verdict {
    let Verdict { assessment: command, rule, mut anomalies, requirement, taint, .. } = whole;
    for anomaly in part.anomalies {
        if !anomalies.iter().any(|known| known.name == anomaly.name) {
            anomalies.push(anomaly);
        }
    }
    let rule = match (rule.verdict, part.rule.verdict) {
        (Outcome::Deny, _) => rule,
        (_, Outcome::Deny) => {
            RuleVerdict { why: format!("its standard input: {}", part.rule.why), ..part.rule }
        }
        (Outcome::Allow | Outcome::Review, _) => RuleVerdict {
            verdict: Outcome::Review,
            rule: None,
            why: "standard input came with it: both are decided together".to_owned(),
            closest: None,
            stdin: Covered::No,
        },
    };
    let rules = rule.rule.iter().cloned().collect();
    let parts = requirement.parts().chain(part.requirement.parts());
    let parts = parts.map(|part| Requirement { also: Vec::new(), ..part.clone() }).collect();
    let assessment = worse(command, part.assessment);
    let taint = Taint {
        account: taint.account.or(part.taint.account),
        shell: taint.shell.or(part.taint.shell),
    };
    let (beneath, requirement) = (Vec::new(), Requirement::together(parts));
    Verdict { assessment, rule, rules, beneath, taint, anomalies, requirement }
}

/// The higher score of the two; its terms point at the command, for the bytes that are meant are shown
/// elsewhere.
fn worse(command: Assessment, input: Assessment) -> Assessment {
    let whole = [0, command.command.len()];
    let uninspectable = command.uninspectable || input.uninspectable;
    let unreduced = command.unreduced.max(input.unreduced);
    let mut out = if input.score > command.score {
        let mut out = Assessment { command: command.command, ..input };
        for term in &mut out.terms {
            term.span = whole;
            term.why = format!("standard input: {}", term.why);
        }
        let inner = out.segments.into_iter().map(|mut segment| {
            segment.span = whole;
            segment
        });
        out.segments = command.segments.into_iter().chain(inner).collect();
        out
    } else {
        let inner = input.segments.into_iter().map(|mut segment| {
            segment.span = whole;
            segment
        });
        let segments = command.segments.into_iter().chain(inner).collect();
        Assessment { segments, ..command }
    };
    out.uninspectable = uninspectable;
    out.unreduced = unreduced;
    out
}
