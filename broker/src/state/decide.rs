//! Reviewers' decisions. Each is a compare-and-set on the command's state: whatever comes second
//! changes nothing.

use expacti_engine::{Effect, Event, MatchKind, Tally};
use expacti_protocol::command::{CommandState, CommandView, Grant, VoteView};
use expacti_protocol::gate::{Decision, DecisionKind, GateEvent};
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::signed::SignedText;
use serde_json::{Value, json};

use super::commands::too_late_for;
use super::eligibility;
use super::input;
use super::mask_input;
use super::model::State;
use super::open::{Ballot, OpenCommand};
use super::ports::{Decider, Now, Peer, Refusal};
use super::release::RELEASE_WINDOW;
use super::shown::Shown;

/// The longest comment in bytes.
const MAX_COMMENT: usize = 4000;

/// A grant comes only with the allow of an item that can take one, and within bounds.
fn check_grant(message: &DecisionMessage, view: &CommandView) -> Result<(), Refusal> {
    let Some(grant) = message.grant else { return Ok(()) };
    if !message.allow {
        return Err(Refusal::invalid("a grant comes with an allow, not with a denial"));
    }
    if !view.interactive.as_ref().is_some_and(|i| i.grantable) {
        return Err(Refusal::invalid(format!(
            "command {} takes no grant: it is not for a program that reads keys",
            view.id
        )));
    }
    if !grant.is_valid() {
        return Err(Refusal::invalid(format!(
            "a grant is 1 to {} seconds and 1 to {} bytes",
            Grant::MAX_SECONDS,
            Grant::MAX_BYTES
        )));
    }
    Ok(())
}

/// What all who approved have granted: the smallest of it, and nothing if one granted nothing.
fn smallest_grant(ballots: &[Ballot]) -> Option<Grant> {
    ballots
        .iter()
        .filter(|ballot| ballot.allow)
        .map(|ballot| ballot.grant)
        .reduce(|a, b| Some(a?.smallest(b?)))
        .flatten()
}

impl State {
    /// A reviewer allows or denies, without having given a PIN.
    #[cfg(test)]
    pub(crate) fn decide(
        &mut self,
        by: &Peer,
        message: &DecisionMessage,
        now: Now,
    ) -> Result<CommandView, Refusal> {
        self.decide_with(by, message, None, now)
    }

    /// A reviewer allows or denies. `pin` is the digest of the PIN that was given and is right.
    pub(crate) fn decide_with(
        &mut self,
        by: &Peer,
        message: &DecisionMessage,
        pin: Option<&str>,
        now: Now,
    ) -> Result<CommandView, Refusal> {
        let id = &message.id;
        if by.inside_wrap {
            return Err(Refusal::not_entitled(
                "a program run by expacti wrap cannot review: decide from a terminal outside it",
            ));
        }
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!("{} ({}) may not decide", by.name, by.role)));
        }
        let comment = message.comment.as_deref().map(str::trim).filter(|c| !c.is_empty());
        if comment.is_some_and(|c| c.len() > MAX_COMMENT) {
            return Err(Refusal::invalid(format!(
                "the comment is longer than {MAX_COMMENT} bytes"
            )));
        }
        let Some(open) = self.commands.get(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        if open.view.state != CommandState::Pending {
            return Err(too_late_for(&open.view));
        }
        // The timer may be late; the deadline is not.
        if now.mono >= open.deadline {
            return Err(Refusal::new(
                ErrorCode::TooLate,
                format!("too late: command {id} timed out"),
            ));
        }
        if let Some(sha256) = message.sha256
            && sha256 != open.view.sha256
        {
            return Err(Refusal::new(
                ErrorCode::Mismatch,
                format!("the decision is about other bytes than command {id}"),
            ));
        }
        if message.revision.is_some_and(|r| r > open.view.revision) {
            return Err(Refusal::new(
                ErrorCode::Mismatch,
                format!("command {id} has no such revision yet"),
            ));
        }
        if self.is_behind(&by.name, &open.view.session) {
            return Err(Refusal::not_entitled(format!(
                "{} stands behind this agent: somebody else must decide",
                by.name
            )));
        }
        check_grant(message, &open.view)?;
        input::check(message, &open.view)?;
        if message.trust && !message.allow {
            return Err(Refusal::invalid("trust comes with an allow, not with a denial"));
        }
        if message.allow {
            self.check_pin(by, pin)?;
        }
        self.check_signature(by, message, &open.view, now)?;
        self.vote(id, by, message, comment, now)
    }

    fn vote(
        &mut self,
        id: &CommandId,
        by: &Peer,
        message: &DecisionMessage,
        comment: Option<&str>,
        now: Now,
    ) -> Result<CommandView, Refusal> {
        let voter = by.role.voter(&by.name);
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        let requirement = open.view.requirement.clone();
        // Anybody who decides at all may deny; an approval must be one that counts.
        if message.allow && !requirement.counts(&voter) {
            return Err(Refusal::not_entitled(format!(
                "the approval of {} does not count here: {}",
                by.name, requirement.why
            )));
        }
        if message.allow && open.ballots.iter().any(|b| b.voter.person == by.name) {
            return Err(Refusal::already_voted(&by.name));
        }
        // A person who changes their mind has one vote still: the last.
        open.ballots.retain(|b| b.voter.person != by.name);
        open.ballots.push(Ballot {
            voter,
            allow: message.allow,
            grant: message.grant,
            input: message.input,
            input_grant: message.input_grant,
            trust: message.allow && message.trust,
            signed: SignedText::of(message.statement.as_ref(), message.signature.as_ref()),
        });
        open.view.votes.retain(|v| v.by != by.name);
        open.view.votes.push(VoteView {
            by: by.name.clone(),
            allow: message.allow,
            at: now.seconds(),
            comment: comment.map(str::to_owned),
        });
        let ballots = open.ballots.clone();
        let everyone = ballots
            .iter()
            .filter(|ballot| ballot.allow == message.allow)
            .map(|ballot| ballot.voter.person.as_str())
            .collect::<Vec<_>>()
            .join(",");
        match eligibility::count(&requirement, &ballots) {
            Tally::Open { have, need, may_still } => {
                open.view.approvals_missing = need.saturating_sub(have);
                let signed = SignedText::of(message.statement.as_ref(), message.signature.as_ref())
                    .filter(|_| !open.has_hidden_digest());
                let view = open.view.clone();
                let entry = self
                    .entry_for("vote", &view, now)
                    .with("by", by.name.as_str())
                    .with("allow", message.allow)
                    .with("have", have)
                    .with("need", need)
                    .with("may_still", may_still)
                    .with_some("grant_seconds", message.grant.map(|g| g.seconds))
                    .with_some("grant_bytes", message.grant.map(|g| g.bytes))
                    .with_some("comment", comment)
                    .with_some("signed", signed.map(|signed| logged(&[signed])));
                self.audit(&entry)?;
                self.store(id, Some(CommandState::Pending))?;
            }
            Tally::Allowed => {
                open.view.grant = smallest_grant(&ballots);
                if let Some(input) = open.view.input.as_mut() {
                    (input.approved, input.grant) = input::approved(&ballots);
                }
                open.trust = ballots.iter().filter(|ballot| ballot.allow).all(|b| b.trust);
                let trusted = open.trust.then(|| open.view.clone());
                self.decided(id, true, &Decider::Reviewers(everyone.clone()), comment, now)?;
                if let Some(view) = trusted {
                    self.trust(&view, &everyone, now)?;
                }
                self.send_decision(id, false);
            }
            Tally::Denied => {
                let by = Decider::Reviewers(by.name.clone());
                self.decided(id, false, &by, comment, now)?;
                self.send_decision(id, false);
            }
        }
        self.commands
            .get(id)
            .ok_or_else(|| Refusal::not_found(format!("command {id}")))
            .and_then(OpenCommand::for_deciders)
    }

    /// A reviewer was removed: what they said about commands that still wait does not count.
    pub(crate) fn forget_votes(&mut self, name: &str, now: Now) -> Result<(), Refusal> {
        let pending: Vec<_> = self.pending().map(|view| view.id.clone()).collect();
        for id in pending {
            let Some(open) = self.commands.get_mut(&id) else { continue };
            if open.ballots.iter().any(|b| b.voter.person == name) {
                open.ballots.retain(|b| b.voter.person != name);
                open.view.votes.retain(|v| v.by != name);
                open.view.approvals_missing =
                    eligibility::missing(&open.view.requirement, &open.ballots);
                let view = open.view.clone();
                let entry = self
                    .entry_for("vote_void", &view, now)
                    .with("by", name)
                    .with("comment", "the reviewer was removed");
                self.audit(&entry)?;
            }
            self.store(&id, Some(CommandState::Pending))?;
        }
        Ok(())
    }

    /// Who may decide has changed.
    pub(crate) fn tell_pending(&mut self) -> Result<(), Refusal> {
        let pending: Vec<_> = self.pending().map(|view| view.id.clone()).collect();
        pending.iter().try_for_each(|id| self.store(id, Some(CommandState::Pending)))
    }

    /// Denied by a rule or the system.
    pub(crate) fn deny(
        &mut self,
        id: &CommandId,
        by: &Decider,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        self.decided(id, false, by, Some(why), now)?;
        self.send_decision(id, false);
        Ok(())
    }

    /// Pending becomes allowed, denied or expired: the one place where a command is decided.
    pub(crate) fn decided(
        &mut self,
        id: &CommandId,
        allow: bool,
        by: &Decider,
        comment: Option<&str>,
        now: Now,
    ) -> Result<(), Refusal> {
        // Compare-and-set: from here on nobody else can decide it, and a refusal below undoes this.
        let to = match (allow, by) {
            (true, _) => CommandState::Allowed,
            (false, Decider::Timeout) => CommandState::Expired,
            (false, _) => CommandState::Denied,
        };
        let open = self.transition(id, &[CommandState::Pending], to)?;
        open.view.allow = Some(allow);
        open.view.decided_by = Some(by.to_string());
        open.view.comment = comment.map(str::to_owned);
        open.view.decided_at = Some(now.seconds());
        open.view.approvals_missing = 0;
        open.kind = Some(by.kind());
        open.deadline = now.mono + RELEASE_WINDOW;
        let (view, bytes, secrets, signed, secret) = (
            open.view.clone(),
            open.bytes.clone(),
            open.secrets.clone(),
            open.signed_in_the_log(),
            open.salted_digest.is_some(),
        );
        if !allow {
            let text = view.masked.as_ref().unwrap_or(&view.text.command);
            let text = expacti_engine::make_visible(text.as_bytes()).text;
            let label = Shown::text(&format!("denied by {by}: {text}"), &secrets);
            let _ = self.recorder.mark(&view.session_id, &label, now);
        }
        if let Some(session) = self.sessions.get_mut(&view.session_id) {
            if !allow {
                session.view.denied = session.view.denied.saturating_add(1);
            }
            let work = session.work.clone();
            if !secret && let Some(work) = self.work.get_mut(&work) {
                work.history.observe(&Event::Decided { command: &bytes, allow });
                if !allow {
                    work.remember_denied(view.sha256.to_string());
                }
            }
        }
        let fast = matches!(by, Decider::Reviewers(_))
            && allow
            && view.level == expacti_engine::Level::Critical
            && now.seconds().saturating_sub(view.timestamp) < 2;
        let entry = self
            .entry_for("decision", &view, now)
            .with("decision", if allow { "allow" } else { "deny" })
            .with("decided_by", by.to_string())
            .with("risk_score", view.risk_score)
            .with("anomaly_reasons", view.anomaly_reasons.clone())
            .with("policy", view.requirement.why.as_str())
            .with_some("grant_seconds", view.grant.map(|g| g.seconds))
            .with_some("grant_bytes", view.grant.map(|g| g.bytes))
            .with_some("trust", self.commands.get(id).and_then(|open| open.trust.then_some(true)))
            .with_some("comment", comment)
            .with_some("flags", fast.then(|| vec!["critical_approved_in_under_2s".to_owned()]))
            .with_some("signed", (allow && !signed.is_empty()).then(|| logged(&signed)));
        let mut masked = view;
        mask_input::mask(&mut masked, &secrets);
        self.audit(&input::logged(entry, &masked, allow))?;
        self.store(id, Some(CommandState::Pending))
    }

    /// The last screen of a reviewer is gone: nobody sees what passes under the grants that this
    /// person gave.
    pub(crate) fn left(&mut self, name: &str) {
        let granted: Vec<_> = self
            .commands
            .values()
            .filter(|open| open.view.grant.is_some())
            .filter(|open| open.view.votes.iter().any(|vote| vote.allow && vote.by == name))
            .filter_map(|open| Some((open.gate?, open.view.session_id.clone())))
            .collect();
        for (gate, session_id) in granted {
            let reason = format!("{name} left");
            self.tell_gate(gate, GateEvent::EndGrants { session_id, reason });
        }
    }

    /// What an agent might ask instead of a denied command: what the closest rule lets through.
    fn instead(&self, view: &CommandView) -> Option<String> {
        let closest = view.closest.as_ref().filter(|_| view.allow != Some(true))?;
        let rule = &self.rules.get(&closest.rule)?.rule;
        let shown = matches!(rule.kind, MatchKind::Exact | MatchKind::Glob | MatchKind::Regex);
        (shown && rule.effect == Effect::Allow).then(|| Shown::plain(&rule.pattern).into_inner())
    }

    /// Tells the gate what was decided.
    pub(crate) fn send_decision(&mut self, id: &CommandId, released: bool) {
        let Some(open) = self.commands.get(id) else { return };
        let event = GateEvent::Decision(Decision {
            id: id.clone(),
            allow: open.view.allow == Some(true),
            // The gate tells the agent, and what it tells is recorded.
            comment: open
                .view
                .comment
                .as_deref()
                .map(|comment| Shown::text(comment, &open.secrets).into_inner()),
            sha256: open.view.sha256,
            session_id: open.view.session_id.clone(),
            decided_by: open.view.decided_by.clone().unwrap_or_default(),
            kind: open.kind.unwrap_or(DecisionKind::FailClosed),
            released,
            grant: open.view.grant,
            input: open.view.input.as_ref().and_then(|input| input.approved),
            input_grant: open.view.input.as_ref().and_then(|input| input.grant),
            beneath: match open.kind {
                Some(DecisionKind::Rule) => open.beneath.clone(),
                // A person has allowed the line as it is.
                _ => Vec::new(),
            },
            instead: self.instead(&open.view),
            signed: open.signed(),
        });
        if let Some(gate) = open.gate {
            self.tell_gate(gate, event);
        }
    }
}

/// What was signed, as the log has it.
fn logged(signed: &[SignedText]) -> Value {
    let one =
        |text: &SignedText| json!({ "statement": text.statement, "signature": text.signature });
    signed.iter().map(one).collect()
}
