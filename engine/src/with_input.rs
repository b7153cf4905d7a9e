//! Judges standard input: by what the command that it is for does with it. It must never judge input
//! milder than the program that may run it would.

use crate::effects::is_secret_place;
use crate::program::SHELLS;
use crate::{
    Assessment, Context, Covered, History, InputReport, InputSecrets, InputUse, ItemSyntax,
    Outcome, Reading, Requirement, RiskTables, RuleVerdict, Segment, Snapshot, Taint, Verdict,
    is_mostly_text, judge_as,
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

/// What a command has of its standard input already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenInput {
    /// The end of it, from the beginning of a line.
    pub text: Vec<u8>,
    /// It is not all of it.
    pub cut: bool,
}

/// How much of it is kept, in bytes: what came long before is not looked at again.
const GIVEN: usize = 32 * 1024;

impl GivenInput {
    /// More of it was given.
    pub fn push(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        let Some(over) = self.text.len().checked_sub(GIVEN).filter(|over| *over > 0) else {
            return;
        };
        self.cut = true;
        let rest = self.text.get(over..).unwrap_or_default();
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // A line that is longer than all of that is kept from its middle.
        let from = if line == rest.len() { 0 } else { line };
        self.text.drain(..over + from);
    }

    /// Whether what comes next goes on in the middle of something. In doubt it does.
    fn is_open(&self, snapshot: &Snapshot, is_shell: bool, context: &Context) -> bool {
        let unread = || snapshot.tables.assess(&self.text, context).uninspectable;
        if !is_shell || !self.text.ends_with(b"\n") || unread() {
            return true;
        }
        // A word that follows is a command of its own, and not the text of a here-document.
        let next = [self.text.as_slice(), NEXT.as_bytes(), b"\n"].concat();
        let read = snapshot.tables.assess(&next, context);
        let begins = |segment: &Segment| {
            segment.program.as_deref() == Some(NEXT) && segment.span[0] == self.text.len()
        };
        read.uninspectable || !read.segments.iter().any(begins)
    }
}

/// A word that no text has.
const NEXT: &str = "expacti-next-command";

/// Judges more input of a command that has some already. The second part says whether it goes on in the
/// middle of something.
#[must_use]
pub fn judge_more_input(
    snapshot: &Snapshot,
    command: &[u8],
    given: &GivenInput,
    input: &[u8],
    context: &Context,
    history: &History,
) -> (Verdict, bool) {
    let alone = || judge_input(snapshot, command, input, context, history);
    if given.text.is_empty() {
        return (alone(), false);
    }
    let outer = Context { has_stdin_script: false, pty: false, ..context.clone() };
    let report =
        snapshot.tables.input_use(command, &outer, &snapshot.tables.assess(command, &outer));
    if matches!(report.r#use, InputUse::Archive | InputUse::Protocol) {
        return (alone(), false);
    }
    let is_shell = report.r#use == InputUse::Code
        && report.reader.as_deref().is_some_and(|reader| SHELLS.contains(&reader));
    let whole = [given.text.as_slice(), input].concat();
    let mut all = judge_input(snapshot, command, &whole, context, history);
    move_back(&mut all, given.text.len(), input);
    if given.is_open(snapshot, is_shell, &outer) {
        // Nobody knows what it goes on in.
        all.assessment.uninspectable |= given.cut;
        return (all, true);
    }
    let before = judge_input(snapshot, command, &given.text, context, history);
    let alone = alone();
    let denied = all.rule.verdict == Outcome::Deny;
    let (rule, rules) = if denied { (all.rule, all.rules) } else { (alone.rule, alone.rules) };
    // What was needed for what came before was needed then.
    let bare = |part: &Requirement| Requirement { also: Vec::new(), ..part.clone() };
    let known: Vec<Requirement> = before.requirement.parts().map(bare).collect();
    let more = all.requirement.parts().map(bare).filter(|part| !known.contains(part));
    let parts = alone.requirement.parts().map(bare).chain(more).collect();
    // What came before makes it worse: a directory, a variable, a function.
    let worse = all.assessment.score > before.assessment.score.max(alone.assessment.score);
    let assessment = if worse { all.assessment } else { alone.assessment };
    let requirement = Requirement::together(parts);
    (Verdict { assessment, rule, rules, requirement, ..alone }, false)
}

/// The same judgement of the bytes without what was in front of them.
fn move_back(verdict: &mut Verdict, by: usize, bytes: &[u8]) {
    let assessment = &mut verdict.assessment;
    assessment.command = String::from_utf8_lossy(bytes).into_owned();
    let most = assessment.command.len();
    let spans = assessment.terms.iter_mut().map(|term| &mut term.span);
    for span in spans.chain(assessment.segments.iter_mut().map(|segment| &mut segment.span)) {
        *span = span.map(|at| at.saturating_sub(by).min(most));
    }
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
            if verdict.rule.verdict != Outcome::Deny {
                verdict.rule.why = "standard input is decided by a person".to_owned();
            }
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
    let read = Reading::of(snapshot, ItemSyntax::Command, line.as_bytes(), context).of_content();
    let mut verdict = read.into_verdict(history);
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
