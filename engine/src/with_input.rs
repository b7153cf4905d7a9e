//! Judges standard input: by what the command that it is for does with it. It must never judge input
//! milder than the program that may run it would.

use crate::effects::is_secret_place;
use crate::program::SHELLS;
use crate::{
    Assessment, Context, Covered, History, InputReport, InputSecrets, InputUse, ItemSyntax,
    Outcome, Requirement, RiskTables, RuleVerdict, Snapshot, Taint, Verdict, is_mostly_text, judge,
    judge_as,
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
    let whole = judge(snapshot, command, context, history);
    let report = snapshot.tables.input_use(command, context, &whole.assessment);
    let part = input_of(snapshot, command, &report, input, context, history);
    together(whole, part)
}

/// The secrets that the standard input of a command may hold, of which `report` says what becomes of it.
#[must_use]
pub fn input_secrets(tables: &RiskTables, command: &[u8], report: &InputReport) -> InputSecrets {
    let secret = |path: &String| is_secret_place(tables, path);
    let to_secret_place = report.r#use == InputUse::File && report.into.iter().any(secret);
    InputSecrets::of(command, to_secret_place, report.r#use == InputUse::Code)
}

/// The input alone, the worst that may be read in it: shells drop NUL, and some programs the mark of
/// UTF-8 that comes before everything else.
fn input_of(
    snapshot: &Snapshot,
    command: &[u8],
    report: &InputReport,
    input: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    let judged = |input: &[u8]| input_as_it_is(snapshot, command, report, input, context, history);
    let mut out = judged(input);
    let text = String::from_utf8_lossy(input);
    let mut done = vec![text.clone().into_owned()];
    for drops_mark in [false, true] {
        let (read, places) = without_hidden(&text, drops_mark);
        if !done.contains(&read) {
            out = worst(out, moved(judged(read.as_bytes()), &text, &places));
            done.push(read);
        }
    }
    out
}

/// What is left of a text without NUL, and where each byte of that, and the end, stands in the text.
fn without_hidden(text: &str, drops_mark: bool) -> (String, Vec<usize>) {
    let mut read = String::with_capacity(text.len());
    let mut places = Vec::new();
    for (at, c) in text.char_indices() {
        let hidden = c == '\0' || (drops_mark && c == '\u{feff}' && read.is_empty());
        if !hidden {
            read.push(c);
            places.extend(at..at.saturating_add(c.len_utf8()));
        }
    }
    places.push(text.len());
    (read, places)
}

/// The same judgement of the whole text.
fn moved(mut verdict: Verdict, text: &str, places: &[usize]) -> Verdict {
    let assessment = &mut verdict.assessment;
    text.clone_into(&mut assessment.command);
    let place = |at: usize| places.get(at).copied().unwrap_or(text.len());
    let spans = assessment.terms.iter_mut().map(|term| &mut term.span);
    for span in spans.chain(assessment.segments.iter_mut().map(|segment| &mut segment.span)) {
        *span = span.map(place);
    }
    verdict
}

/// The stricter of two judgements of the same input, in everything.
fn worst(one: Verdict, other: Verdict) -> Verdict {
    let strict = |verdict: &Verdict| match verdict.rule.verdict {
        Outcome::Allow => 0,
        Outcome::Review => 1,
        Outcome::Deny => 2,
    };
    let (mut out, other) = if strict(&other) > strict(&one) { (other, one) } else { (one, other) };
    for anomaly in other.anomalies {
        if !out.anomalies.iter().any(|known| known.name == anomaly.name) {
            out.anomalies.push(anomaly);
        }
    }
    let parts = out.requirement.parts().chain(other.requirement.parts());
    let parts = parts.map(|part| Requirement { also: Vec::new(), ..part.clone() }).collect();
    out.requirement = Requirement::together(parts);
    out.taint = Taint {
        account: out.taint.account.or(other.taint.account),
        shell: out.taint.shell.or(other.taint.shell),
    };
    let uninspectable = out.assessment.uninspectable || other.assessment.uninspectable;
    if other.assessment.score > out.assessment.score {
        out.assessment = other.assessment;
    }
    out.assessment.uninspectable = uninspectable;
    out
}

fn input_as_it_is(
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
        InputUse::File if is_mostly_text(input) => String::from_utf8_lossy(input),
        InputUse::File => "(binary)".into(),
        _ => "".into(),
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
