//! A command comes in: scored, judged by the rules, and either decided at once or put up for
//! review. It must never allow without a rule that says so.

use std::sync::Arc;
use std::time::Duration;

use expacti_engine::{
    Context, Event, GivenInput, History, ItemSyntax, Outcome as RuleOutcome, Reading, Taint,
    Verdict,
};
use expacti_protocol::command::{
    CommandState, CommandView, ItemKind, SECRET_MASK, StdinTreatment, Submission,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::CommandId;
use expacti_protocol::shell::PosixShell;

use super::holder::Holder;
use super::model::State;
use super::open::{OpenCommand, OpenSession};
use super::ports::{Decider, GateId, Now, Outgoing, Refusal};
use super::shown::Secrets;
use super::{input, secret};

/// The longest item in bytes. Past it the gate refuses by itself.
const MAX_ITEM: usize = 1024 * 1024;

/// Open commands of one session; past it submissions are refused.
const MAX_OPEN_PER_SESSION: usize = 64;

/// Open commands altogether; past it submissions are refused.
const MAX_OPEN: usize = 10_000;

/// What a command does, in a sentence, if that is certain.
fn headline(kind: ItemKind, read: &Reading<'_>) -> Option<String> {
    if matches!(kind, ItemKind::Exec | ItemKind::Line) { read.sentence() } else { None }
}

fn is_secret(submission: &Submission) -> bool {
    submission.interactive.as_ref().is_some_and(|i| i.secret)
}

/// A submission with what the engine, the rules and the policies say of it.
struct Judged {
    context: Context,
    verdict: Verdict,
    view: CommandView,
    /// No rule allows it by itself: the session is paused, or a policy asks for more.
    held: bool,
    /// It was read as a command.
    command: bool,
    secrets: Secrets,
}

impl Judged {
    /// It is standard input that holds a secret.
    fn is_secret_input(&self) -> bool {
        self.view.kind == ItemKind::Stdin && self.view.masked.is_some()
    }
}

impl State {
    /// Takes a submission; the answer to it. The decision, when there is one at once, follows in
    /// `outgoing`.
    pub(crate) fn submit(
        &mut self,
        gate: GateId,
        r#ref: u64,
        submission: Submission,
        now: Now,
    ) -> Result<GateEvent, Refusal> {
        let bytes = self.check_submission(gate, &submission)?;
        let holder = self.holder(gate, &submission, bytes.len(), now)?;
        let judged = self.judge(&submission, &bytes, now)?;
        let is_secret = is_secret(&submission) || judged.is_secret_input();
        let salted_digest = is_secret.then(|| secret::salted_digest(&bytes)).transpose()?;
        let (id, news) = (judged.view.id.clone(), self.outgoing.len());
        self.observe(&submission, &bytes, &judged);
        // The log says what came before it says what became of it.
        self.audit_submission(&judged, &holder, salted_digest, now)?;
        self.open((gate, holder), &judged, bytes, salted_digest, now)?;
        self.decide_at_once(&submission, &judged, now)?;
        let state = self.commands.get(&id).map_or(CommandState::Denied, |c| c.view.state);
        if state != CommandState::Pending {
            self.keep_last_news(news);
        }
        Ok(GateEvent::Submitted {
            r#ref,
            id,
            state,
            risk_score: judged.view.risk_score,
            level: judged.view.level,
            timeout_seconds: judged.view.timeout_seconds,
            stdin: judged.view.stdin,
            drop_stdin: input::is_dropped(&judged.view),
            writes: judged.view.input.as_ref().and_then(|input| input.report.file.clone()),
            unattended: self.reviewers == 0,
        })
    }

    /// Refuses what nobody could review or this gate may not ask; the bytes otherwise.
    fn check_submission(
        &self,
        gate: GateId,
        submission: &Submission,
    ) -> Result<Arc<[u8]>, Refusal> {
        if self.stopping {
            return Err(Refusal::failed("the broker is stopping"));
        }
        let bytes: Arc<[u8]> =
            submission.text.bytes().map_err(|e| Refusal::invalid(e.to_string()))?.into();
        if bytes.len() > MAX_ITEM {
            return Err(Refusal::invalid(format!(
                "the command is longer than {MAX_ITEM} bytes; nobody could review it"
            )));
        }
        // What is decided on is bound to these bytes by this digest from here on.
        if Digest::of(&bytes) != submission.sha256 {
            return Err(Refusal::invalid("the digest is not that of the command"));
        }
        let open = self.commands.values().filter(|c| c.view.session_id == submission.session_id);
        if open.count() >= MAX_OPEN_PER_SESSION || self.commands.len() >= MAX_OPEN {
            return Err(Refusal::failed("too many commands wait already"));
        }
        let session = self.session_of(submission)?;
        if session.gate != gate {
            return Err(Refusal::not_entitled("the session belongs to another gate"));
        }
        let agent = &session.view.info.agent;
        self.check_items(agent)?;
        self.check_bytes(agent, bytes.len())?;
        Ok(bytes)
    }

    pub(super) fn session_of(&self, submission: &Submission) -> Result<&OpenSession, Refusal> {
        self.sessions
            .get(&submission.session_id)
            .ok_or_else(|| Refusal::not_found(format!("session {}", submission.session_id)))
    }

    /// What the engine, the rules and the policies say of it.
    fn judge(&self, submission: &Submission, bytes: &[u8], now: Now) -> Result<Judged, Refusal> {
        let session = self.session_of(submission)?;
        let info = session.view.info.clone();
        let context = submission.context(self.context_of(session, now));
        let reading = submission.syntax();
        let work = self.work.get(&session.work);
        let nothing = History::default();
        let history = work.map_or(&nothing, |work| &work.history);
        let of_parent = submission.parent.as_ref();
        let item = self.judge_item(submission.kind, of_parent, bytes, &context, history);
        let (verdict, input, note, secrets, headline) = match item {
            Some((verdict, input, note)) => {
                let secrets = self.secrets_of(submission.kind, of_parent, bytes);
                (verdict, Some(input), note, secrets, None)
            }
            None => {
                let read = Reading::of(&self.snapshot, reading, bytes, &context);
                let exec = submission.kind == ItemKind::Exec;
                let input = exec.then(|| input::of_command(read.input_use()));
                let (secrets, headline) = (Secrets::read(&read), headline(submission.kind, &read));
                (read.into_verdict(history), input, None, secrets, headline)
            }
        };
        let digest = submission.sha256.to_string();
        let retry_of_denied = work.is_some_and(|work| work.was_denied(&digest));
        let mut view = self.view_of(submission, info, &verdict, &secrets, headline, now);
        view.retry_of_denied = retry_of_denied;
        view.stdin = match submission.kind {
            ItemKind::Exec => input::treatment(input.as_ref()),
            _ => StdinTreatment::Code,
        };
        view.input = input.map(Box::new);
        view.notes.extend(note);
        view.tainted.clone_from(&context.tainted);
        // A rule is no way round the approvals a policy asks for.
        let gap = match verdict.rule.verdict {
            RuleOutcome::Allow => verdict.rules.iter().find_map(|rule| self.rule_gap(rule, &view)),
            RuleOutcome::Deny | RuleOutcome::Review => None,
        };
        // What a transfer writes is in its standard input, and nobody sees that.
        let gap = gap.or_else(|| match verdict.rule.verdict {
            RuleOutcome::Allow => input::uncovered(&view, &verdict),
            RuleOutcome::Deny | RuleOutcome::Review => None,
        });
        let held = session.view.paused || gap.is_some();
        if let Some(gap) = gap {
            view.rule_why = gap;
        }
        let command = matches!(reading, ItemSyntax::Command);
        Ok(Judged { context, verdict, view, held, command, secrets })
    }

    /// What an agent does in general is learnt from commands; a secret teaches nothing.
    fn observe(&mut self, submission: &Submission, bytes: &[u8], judged: &Judged) {
        let Some(session) = self.sessions.get_mut(&submission.session_id) else { return };
        if judged.command && !is_secret(submission) && !judged.is_secret_input() {
            let work = session.work.clone();
            if let Some(work) = self.work.get_mut(&work) {
                work.history.observe(&Event::Submitted {
                    command: bytes,
                    context: &judged.context,
                    assessment: &judged.verdict.assessment,
                });
            }
        }
        let view = &judged.view;
        session.view.commands = session.view.commands.saturating_add(1);
        session.view.last_command =
            Some(view.masked.clone().unwrap_or_else(|| view.text.command.clone()));
    }

    fn audit_submission(
        &mut self,
        judged: &Judged,
        holder: &Holder,
        salted_digest: Option<Digest>,
        now: Now,
    ) -> Result<(), Refusal> {
        let view = &judged.view;
        let mut entry = self.entry_for("command_submitted", view, now);
        if let Some(salted_digest) = salted_digest {
            // The command is not among the open ones yet, where `entry_for` would find this.
            entry = entry.with("command_sha256", salted_digest.to_string());
        }
        let entry = entry
            .with("agent", view.session.agent.as_str())
            .with("target", view.session.target.as_str())
            .with("host", view.session.host.as_str())
            .with("user", view.session.user.as_str())
            .with("item", view.kind.as_str())
            .with_some("shell", view.shell.map(PosixShell::as_str))
            .with("risk_score", view.risk_score)
            .with("risk_level", view.level.as_str())
            .with("anomaly_reasons", view.anomaly_reasons.clone())
            .with_some("parent", view.parent.as_ref().map(|p| p.as_str().to_owned()))
            .with_some("masked", view.masked.as_ref().map(|_| true));
        self.audit_about(&holder.clone().into_entry(entry), &judged.secrets)
    }

    /// It waits from now on.
    fn open(
        &mut self,
        (gate, holder): (GateId, Holder),
        judged: &Judged,
        bytes: Arc<[u8]>,
        salted_digest: Option<Digest>,
        now: Now,
    ) -> Result<(), Refusal> {
        let view = judged.view.clone();
        let id = view.id.clone();
        // A password is no line of anything.
        let is_secret = view.interactive.as_ref().is_some_and(|i| i.secret);
        let after = |seconds| now.mono + Duration::from_secs(seconds);
        let command = OpenCommand {
            bytes,
            reads: Default::default(),
            key: None,
            secrets: judged.secrets.clone(),
            holder,
            report: None,
            gate: Some(gate),
            deadline: after(view.timeout_seconds),
            escalate_at: view.requirement.escalate_after_seconds.map(after),
            joined: Default::default(),
            covered: Default::default(),
            given: GivenInput::default(),
            ballots: Vec::new(),
            kind: None,
            salted_digest,
            beneath: judged.verdict.beneath.clone(),
            rules: judged.verdict.rules.clone(),
            taint: if is_secret { Taint::default() } else { judged.verdict.taint.clone() },
            trust: false,
            view,
        };
        self.commands.insert(id.clone(), command);
        self.open_input(&id)?;
        self.store(&id, None)
    }

    /// A recording that cannot be written denies; otherwise the rules may decide.
    fn decide_at_once(
        &mut self,
        submission: &Submission,
        judged: &Judged,
        now: Now,
    ) -> Result<(), Refusal> {
        let (id, rules) = (&judged.view.id, &judged.verdict.rules);
        // Before any rule: nothing may run that could not be recorded.
        if let Err(why) = self.recorder.start(&submission.session_id, submission.pty.as_ref(), now)
        {
            return self.deny(id, &Decider::FailClosed, &format!("recording failed: {why}"), now);
        }
        let rule = &judged.verdict.rule;
        match (rule.verdict, &rule.rule) {
            (RuleOutcome::Deny, denies) => {
                self.count_hit(denies.as_deref());
                let by = Decider::Rule(denies.clone().unwrap_or_else(|| "?".to_owned()));
                self.deny(id, &by, &rule.why, now)
            }
            (RuleOutcome::Allow, Some(allows)) if !judged.held => {
                rules.iter().for_each(|rule| self.count_hit(Some(rule)));
                self.cover_input(id, &rule.stdin);
                self.allow_by_rule(id, allows, submission.ready, now)
            }
            (RuleOutcome::Allow | RuleOutcome::Review, _) if !judged.held => {
                match self.rule_for_input(submission, now) {
                    Some(rule) if self.rule_gap(&rule, &judged.view).is_none() => {
                        self.count_hit(Some(&rule));
                        self.allow_by_rule(id, &rule, submission.ready, now)
                    }
                    _ => Ok(()),
                }
            }
            (RuleOutcome::Allow | RuleOutcome::Review, _) => Ok(()),
        }
    }

    /// A command that was decided at once never waited: reviewers hear its end only.
    fn keep_last_news(&mut self, from: usize) {
        let is_news = |out: &Outgoing| matches!(out, Outgoing::Review(_));
        let last = self.outgoing.iter().rposition(is_news);
        let mut at = 0;
        self.outgoing.retain(|out| {
            let keep = at < from || Some(at) == last || !is_news(out);
            at += 1;
            keep
        });
    }

    fn view_of(
        &self,
        submission: &Submission,
        session: expacti_protocol::session::SessionInfo,
        verdict: &Verdict,
        secrets: &Secrets,
        headline: Option<String>,
        now: Now,
    ) -> CommandView {
        let secret = is_secret(submission);
        let masked = if secret { Some(SECRET_MASK) } else { secrets.masked() }.map(str::to_owned);
        let headline = headline.filter(|_| masked.is_none());
        let mut requirement = verdict.requirement.clone();
        if requirement.policy.is_none() {
            requirement.timeout_seconds = self.default_timeout.as_secs();
        }
        let missing = requirement.needed();
        let timeout = requirement.timeout_seconds;
        CommandView {
            id: CommandId::new(),
            session_id: submission.session_id.clone(),
            text: submission.text.clone(),
            masked,
            sha256: submission.sha256,
            revision: 0,
            state: CommandState::Pending,
            kind: submission.kind,
            headline,
            parent: submission.parent.clone(),
            cwd: submission.cwd.clone(),
            shell: submission.reader(),
            timestamp: now.seconds(),
            risk_score: verdict.assessment.score,
            level: verdict.assessment.level,
            terms: verdict.assessment.terms.clone(),
            uninspectable: verdict.assessment.uninspectable,
            anomaly: !verdict.anomalies.is_empty(),
            anomaly_reasons: verdict.anomalies.iter().map(|a| a.name.clone()).collect(),
            anomalies: verdict.anomalies.clone(),
            session,
            pty: submission.pty.clone(),
            stdin: StdinTreatment::Code,
            input: None,
            dropped_env: submission.dropped_env.clone(),
            env: submission.env.clone(),
            notes: submission.notes.clone(),
            interactive: submission.interactive.clone(),
            preview: submission.preview.clone().filter(|_| !secret),
            item: submission.item.clone(),
            grant: None,
            rule_why: verdict.rule.why.clone(),
            taints: verdict.taint.why().filter(|_| !secret).map(str::to_owned),
            tainted: None,
            closest: verdict.rule.closest.clone(),
            requirement,
            votes: Vec::new(),
            approvals_missing: missing,
            may_decide: Vec::new(),
            deadline_ms: now
                .micros
                .div_euclid(1000)
                .saturating_add(i64::try_from(timeout.saturating_mul(1000)).unwrap_or(i64::MAX)),
            timeout_seconds: timeout,
            retry_of_denied: false,
            allow: None,
            decided_by: None,
            comment: None,
            decided_at: None,
            outcome: None,
            recording_offset: None,
        }
    }

    /// A rule allows: decided, and released in the same transaction when the gate is ready.
    fn allow_by_rule(
        &mut self,
        id: &CommandId,
        rule: &str,
        ready: bool,
        now: Now,
    ) -> Result<(), Refusal> {
        let by = Decider::Rule(rule.to_owned());
        self.decided(id, true, &by, None, now)?;
        // What the gate has to look at first is not released yet.
        let ready = ready && self.commands.get(id).is_some_and(|open| open.beneath.is_empty());
        // A gate that can deliver at once needs no second round: decision and release are one
        // transaction, and the gate hears of both after it.
        if ready {
            let session = self.commands.get(id).map(|c| c.view.session_id.clone());
            let offset = session.map_or_else(
                || Err("the session is gone".to_owned()),
                |s| self.mark_released(id, &s, &format!("allowed by {by}"), now),
            );
            match offset {
                Ok(offset) => self.set_released(id, offset, now)?,
                Err(why) => {
                    let why = format!("recording failed: {why}");
                    return self.deny_allowed(id, &why, now);
                }
            }
        }
        self.send_decision(id, ready);
        Ok(())
    }
}
