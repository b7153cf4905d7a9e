//! Standard input: what a command does with it, what of it is decided together with the command, and
//! what may flow. Nothing of it may reach a target that was not named by every approval.

use std::sync::Arc;
use std::time::Duration;

use expacti_engine::{
    Context, Covered, History, InputReport, InputUse, Outcome as RuleOutcome, Requirement, Verdict,
    judge_more_input, judge_with_input,
};
use expacti_protocol::command::{CommandState, CommandView, ItemKind, StdinTreatment, Submission};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{CommandInput, InputGrant, InputRef};
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};

use super::content;
use super::eligibility;
use super::model::State;
use super::open::{Ballot, OpenCommand};
use super::ports::{Decider, GateId, Now, Refusal};

/// The most standard input that is decided together with a command, in bytes.
const MAX_JOINED: usize = 1024 * 1024;

/// The longest comparison with what is there, in bytes.
const MAX_COMPARED: usize = 128 * 1024;

/// How many times more input gives people the whole time again.
const MAX_RESTARTS: u8 = 3;

/// How the gate is to treat the standard input of a command.
pub(super) fn treatment(input: Option<&CommandInput>) -> StdinTreatment {
    match input.map(|input| input.report.r#use) {
        Some(InputUse::Looks | InputUse::Protocol) => StdinTreatment::Data,
        _ => StdinTreatment::Code,
    }
}

/// Whether what comes is kept from the command and dropped, because nothing reads it.
pub(super) fn is_dropped(view: &CommandView) -> bool {
    view.input.as_ref().is_some_and(|input| input.report.r#use == InputUse::Unused)
}

/// What a command does with its standard input, as it is shown.
pub(super) fn of_command(report: InputReport) -> CommandInput {
    let grantable = matches!(report.r#use, InputUse::Archive | InputUse::File) && report.may_flow();
    CommandInput { report, grantable, ..CommandInput::default() }
}

/// What an allow says of standard input must be about exactly what came.
pub(super) fn check(message: &DecisionMessage, view: &CommandView) -> Result<(), Refusal> {
    if !message.allow {
        return Ok(());
    }
    let input = view.input.as_deref();
    if let Some(named) = message.input {
        let came = input.and_then(|input| input.came.as_ref()).map(|came| came.given);
        if came != Some(named) {
            let what = match came {
                Some(came) => format!("{} bytes of it by now", came.bytes),
                None => "none".to_owned(),
            };
            return Err(Refusal::new(
                ErrorCode::Mismatch,
                format!(
                    "that is not the standard input that came with command {} ({what}): look at it \
                     again",
                    view.id
                ),
            ));
        }
    }
    let Some(grant) = message.input_grant else { return Ok(()) };
    if !input.is_some_and(|input| input.grantable) {
        return Err(Refusal::invalid(format!(
            "the standard input of command {} may be run: it is not let through unseen",
            view.id
        )));
    }
    if !grant.is_valid() {
        return Err(Refusal::invalid(format!(
            "a grant of standard input is 1 to {} bytes and 1 to {} seconds",
            InputGrant::MAX_BYTES,
            InputGrant::MAX_SECONDS
        )));
    }
    Ok(())
}

/// What all who approved have approved: nothing where one of them approved nothing.
pub(super) fn approved(ballots: &[Ballot]) -> (Option<InputRef>, Option<InputGrant>) {
    let allows = || ballots.iter().filter(|ballot| ballot.allow);
    let input =
        allows().map(|ballot| ballot.input).reduce(|a, b| if a == b { a } else { None }).flatten();
    let grant =
        allows().map(|ballot| ballot.input_grant).reduce(|a, b| Some(a?.smallest(b?))).flatten();
    (input, grant)
}

/// Why rules that allow a transfer do not let it through: what it writes is in its standard input.
pub(super) fn uncovered(view: &CommandView, verdict: &Verdict) -> Option<String> {
    let input = view.input.as_deref()?;
    let writes = input.report.r#use == InputUse::Protocol && !input.report.into.is_empty();
    if !writes || verdict.rule.stdin == Covered::Any {
        return None;
    }
    let add: Vec<String> =
        verdict.rules.iter().map(|id| format!("`expacti rules cover {id} --stdin`")).collect();
    Some(format!(
        "rule {} does not cover what the transfer sends: {} lets it through unseen",
        verdict.rules.join(", "),
        add.join(", ")
    ))
}

impl State {
    /// What rules say of the standard input of a command that they allow.
    pub(super) fn cover_input(&mut self, id: &CommandId, stdin: &Covered) {
        let Some(open) = self.commands.get_mut(id) else { return };
        match stdin {
            Covered::No => {}
            Covered::Any => {
                let may = |input: &CommandInput| input.report.may_flow();
                if let Some(input) = open.view.input.as_mut().filter(|input| may(input)) {
                    input.grant = Some(InputGrant::usual());
                }
            }
            Covered::Digest(named) => open.covered.clone_from(named),
        }
    }

    /// The rule that names exactly this standard input of a command that runs. Only the first of it can
    /// be meant: what came before would be a part of what it does.
    pub(super) fn rule_for_input(&mut self, submission: &Submission, now: Now) -> Option<String> {
        if submission.kind != ItemKind::Stdin {
            return None;
        }
        let open = self.commands.get_mut(submission.parent.as_ref()?)?;
        if open.view.session_id != submission.session_id {
            return None;
        }
        let named = std::mem::take(&mut open.covered);
        let session = self.sessions.get(&submission.session_id)?;
        if session.view.paused || open.view.state != CommandState::Released {
            return None;
        }
        let context = session.context(now);
        let digest = submission.sha256.to_string();
        named
            .into_iter()
            .filter(|named| named.sha256 == digest)
            .find(|named| self.snapshot.rules.still_holds(&named.rule, &context))
            .map(|named| named.rule)
    }

    /// The command that an item is the standard input of, with what it does with it. Only of one that
    /// runs there is any.
    fn reader_of(&self, parent: Option<&CommandId>) -> Option<&OpenCommand> {
        self.commands.get(parent?).filter(|open| open.view.kind == ItemKind::Exec)
    }

    /// Judges an item of standard input by what its command does with it; `None` if it has none.
    pub(super) fn judge_item(
        &self,
        kind: ItemKind,
        parent: Option<&CommandId>,
        bytes: &[u8],
        context: &Context,
        history: &History,
    ) -> Option<(Verdict, CommandInput, Option<String>)> {
        if kind != ItemKind::Stdin {
            return None;
        }
        let reader = self.reader_of(parent)?;
        let view = &reader.view;
        let context = Context {
            cwd: Some(view.cwd.clone()),
            shell: view.shell.map(|shell| shell.as_str().to_owned()),
            ..context.clone()
        };
        let given = &reader.given;
        let (verdict, open) =
            judge_more_input(&self.snapshot, &reader.bytes, given, bytes, &context, history);
        let note = open.then(|| {
            let shown = expacti_engine::make_visible(&given.text).text;
            let line = shown.trim_end().rsplit('\n').next().unwrap_or_default();
            let line: Vec<&str> = line.split_whitespace().collect();
            let line: String = line.join(" ").chars().take(200).collect();
            format!("goes on after what the command has already, which ends in: {line}")
        });
        let report = view.input.as_deref().map(|input| input.report.clone()).unwrap_or_default();
        let mut input = of_command(report);
        // An archive does not look like one in the middle.
        let shown = content::view(bytes, false);
        if shown.kind != "text" {
            input.came = Some(shown);
        }
        Some((verdict, input, note))
    }

    /// An item was released: its command has this input from now on.
    pub(super) fn input_released(&mut self, id: &CommandId) {
        let Some(open) = self.commands.get(id) else { return };
        let (to, bytes) = match (open.view.kind, open.view.parent.clone()) {
            (ItemKind::Stdin, Some(parent)) => (parent, open.bytes.to_vec()),
            (ItemKind::Exec, _) => {
                let approved = open.view.input.as_deref().and_then(|input| input.approved);
                let n = approved.and_then(|given| usize::try_from(given.bytes).ok()).unwrap_or(0);
                (id.clone(), open.joined.bytes.get(..n).unwrap_or_default().to_vec())
            }
            _ => return,
        };
        if let Some(open) = self.commands.get_mut(&to) {
            open.given.push(&bytes);
        }
    }

    /// More of a pending command's standard input has come: it is decided with it.
    pub(crate) fn join(
        &mut self,
        gate: GateId,
        id: &CommandId,
        session: &SessionId,
        (offset, data): (u64, &[u8]),
        (input, compared): (InputRef, Option<String>),
        now: Now,
    ) -> Result<(), Refusal> {
        let Some(open) = self.commands.get(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        if open.gate != Some(gate) || open.view.session_id != *session {
            return Err(Refusal::not_entitled("the command belongs to another session"));
        }
        if open.view.state != CommandState::Pending || now.mono >= open.deadline {
            return Err(Refusal::new(ErrorCode::TooLate, "the command does not wait any more"));
        }
        if open.view.kind != ItemKind::Exec || open.view.pty.is_some() {
            return Err(Refusal::invalid("nothing joins an item of this kind"));
        }
        let mut joined = open.joined.clone();
        if offset != joined.bytes.len() as u64 {
            return Err(Refusal::invalid("that input does not follow on what came before"));
        }
        if joined.bytes.len().saturating_add(data.len()) > MAX_JOINED {
            return Err(Refusal::invalid(format!(
                "no more than {MAX_JOINED} bytes are decided together with a command"
            )));
        }
        self.check_bytes(&open.view.session.agent, data.len())?;
        Arc::make_mut(&mut joined.bytes).extend_from_slice(data);
        let report = open.view.input.as_deref().map(|input| input.report.r#use);
        let mut came =
            content::view_for(&joined.bytes, input.ended, report.unwrap_or(InputUse::Unknown));
        if came.given != input {
            return Err(Refusal::new(ErrorCode::Mismatch, "the digest is not that of the input"));
        }
        let compared = compared.filter(|text| text.len() <= MAX_COMPARED && came.text.is_some());
        came.compared = compared.map(|text| expacti_engine::mask_secrets(text.as_bytes()).text);
        let verdict = self.judge_joined(id, &joined.bytes, now)?;
        let restart = joined.restarts < MAX_RESTARTS;
        joined.restarts = joined.restarts.saturating_add(1);
        let default_timeout = self.default_timeout.as_secs();
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        open.joined = joined;
        open.taint = verdict.taint;
        let view = &mut open.view;
        view.risk_score = verdict.assessment.score;
        view.level = verdict.assessment.level;
        view.terms = verdict.assessment.terms;
        view.uninspectable = verdict.assessment.uninspectable;
        view.anomaly = !verdict.anomalies.is_empty();
        view.anomaly_reasons = verdict.anomalies.iter().map(|a| a.name.clone()).collect();
        view.anomalies = verdict.anomalies;
        view.rule_why.clone_from(&verdict.rule.why);
        view.closest = None;
        view.taints = open.taint.why().map(str::to_owned);
        view.requirement = kept(&view.requirement, verdict.requirement, default_timeout);
        view.input.get_or_insert_default().came = Some(came);
        self.mask_joined(id)?;
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        let view = &mut open.view;
        // Whoever allowed it has seen less.
        let void: Vec<String> =
            open.ballots.iter().filter(|b| b.allow).map(|b| b.voter.person.clone()).collect();
        open.ballots.retain(|ballot| !ballot.allow);
        view.votes.retain(|vote| !vote.allow);
        view.approvals_missing = eligibility::missing(&view.requirement, &open.ballots);
        if restart {
            let seconds = view.requirement.timeout_seconds;
            open.deadline = now.mono + Duration::from_secs(seconds);
            let whole = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            view.deadline_ms = now.micros.div_euclid(1000).saturating_add(whole);
            view.timeout_seconds = seconds;
        }
        let view = view.clone();
        for by in void {
            let entry = self
                .entry_for("vote_void", &view, now)
                .with("by", by)
                .with("comment", "more standard input came with the command");
            self.audit(&entry)?;
        }
        let entry = self
            .entry_for("input_joined", &view, now)
            .with("input_bytes", input.bytes)
            .with("input_sha256", input.sha256.to_string())
            .with("input_ended", input.ended)
            .with("risk_score", view.risk_score)
            .with("risk_level", view.level.as_str());
        self.audit(&entry)?;
        self.store(id, Some(CommandState::Pending))?;
        if verdict.rule.verdict == RuleOutcome::Deny {
            self.count_hit(verdict.rule.rule.as_deref());
            let by = Decider::Rule(verdict.rule.rule.unwrap_or_else(|| "?".to_owned()));
            return self.deny(id, &by, &verdict.rule.why, now);
        }
        Ok(())
    }

    /// The command with what came of its standard input.
    fn judge_joined(&self, id: &CommandId, input: &[u8], now: Now) -> Result<Verdict, Refusal> {
        let open =
            self.commands.get(id).ok_or_else(|| Refusal::not_found(format!("command {id}")))?;
        let session = self
            .sessions
            .get(&open.view.session_id)
            .ok_or_else(|| Refusal::not_found(format!("session {}", open.view.session_id)))?;
        let context = Context {
            cwd: Some(open.view.cwd.clone()),
            shell: open.view.shell.map(|shell| shell.as_str().to_owned()),
            ..session.context(now)
        };
        let nothing = History::default();
        let history = self.work.get(&session.work).map_or(&nothing, |work| &work.history);
        Ok(judge_with_input(&self.snapshot, &open.bytes, input, &context, history))
    }
}

/// What is needed from now on: never less than what was needed before.
fn kept(before: &Requirement, mut after: Requirement, default_timeout: u64) -> Requirement {
    if after.policy.is_none() {
        after.timeout_seconds = default_timeout;
    }
    let parts = before.parts().chain(after.parts());
    let parts = parts.map(|part| Requirement { also: Vec::new(), ..part.clone() }).collect();
    let mut out = Requirement::together(parts);
    if before.escalated {
        out.escalate();
    }
    out
}

/// What the log says of the standard input that was allowed with a command.
pub(super) fn logged(
    mut entry: expacti_audit::Entry,
    view: &CommandView,
    with_text: bool,
) -> expacti_audit::Entry {
    let Some(input) = view.input.as_deref() else { return entry };
    if let Some(given) = input.approved {
        entry = entry
            .with("input_bytes", given.bytes)
            .with("input_sha256", given.sha256.to_string())
            .with("input_ended", given.ended);
        if with_text && let Some(came) = &input.came {
            entry = entry
                .with("input_kind", came.kind.as_str())
                .with_some("input", came.text.as_deref())
                .with_some(
                    "input_preview",
                    (!came.preview.is_empty()).then(|| came.preview.clone()),
                );
        }
    }
    if let Some(grant) = input.grant {
        entry =
            entry.with("input_grant_bytes", grant.bytes).with("input_grant_seconds", grant.seconds);
    }
    entry
}

/// Whether the release is for exactly the input that was approved.
pub(super) fn fits(view: &CommandView, input: Option<InputRef>) -> bool {
    view.input.as_deref().and_then(|known| known.approved) == input
}
