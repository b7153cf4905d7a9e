//! Accounts in which programs may be no longer what they are called, since a line that somebody approved
//! may have changed them. Until a reviewer says otherwise, what only looks is asked about there.

use expacti_audit::Entry;
use expacti_engine::{Context, make_visible};
use expacti_protocol::command::CommandView;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::ids::CommandId;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::taint::TaintView;

use super::model::State;
use super::open::OpenSession;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::{Secrets, Shown};

/// How much of a command is kept to tell which one it was, in characters.
const EXCERPT: usize = 120;

/// The account for which everything on a machine is within reach.
const ALMIGHTY: &str = "root";

/// The name under which it is kept: one for each account and what allowed it.
fn key(taint: &TaintView) -> String {
    format!("{}\n{}\n{}", taint.target, taint.user, taint.rules.join(","))
}

/// Whether a session is in the account, by whatever name it is reached.
fn concerns(taint: &TaintView, info: &SessionInfo) -> bool {
    let same_key = taint.host_key.is_some() && taint.host_key == info.host_key;
    let same_address =
        !taint.host.is_empty() && (&taint.host, taint.port) == (&info.host, info.port);
    let there = taint.target == info.target || same_key || same_address;
    there && (taint.user == info.user || taint.user == ALMIGHTY)
}

/// What a reviewer and the agent's owner read: why something that only looks is asked about.
fn because(taint: &TaintView) -> String {
    format!(
        "asked because {} `{}` may have changed what programs are there ({})",
        taint.command_id, taint.command, taint.why
    )
}

impl State {
    /// Whether it counts: what rules let pass does once one of them has ended.
    fn is_in_force(&self, taint: &TaintView, now: Now) -> bool {
        let ended = |id: &String| {
            self.rules
                .get(id)
                .is_none_or(|view| view.rule.expires_at.is_some_and(|end| now.micros >= end))
        };
        taint.rules.is_empty() || taint.rules.iter().any(ended)
    }

    /// What the engine may know of a session.
    pub(super) fn context_of(&self, session: &OpenSession, now: Now) -> Context {
        let found = self
            .taints
            .values()
            .filter(|taint| concerns(taint, &session.view.info) && self.is_in_force(taint, now))
            .min_by_key(|taint| (taint.at, taint.command_id.clone()));
        let tainted = found.map(because).or_else(|| session.redefined.clone());
        Context { tainted, ..session.context(now) }
    }

    /// A command is about to run: what it may leave behind counts from now on, whatever becomes of it.
    pub(super) fn taint(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let Some(open) = self.commands.get(id) else { return Ok(()) };
        if open.trust {
            return Ok(());
        }
        let (taint, secrets) = (open.taint.clone(), open.secrets.clone());
        let by_rule = open.kind == Some(DecisionKind::Rule);
        let rules = if by_rule { open.rules.clone() } else { Vec::new() };
        let view = open.view.clone();
        if let Some(why) = taint.account {
            return self.taint_account(&view, &why, rules, &secrets, now);
        }
        if let (Some(why), Some(session)) = (taint.shell, self.sessions.get_mut(&view.session_id))
            && view.interactive.is_some()
        {
            let text = excerpt(&view);
            let text = format!("asked because {} `{text}` was typed in this shell: {why}", view.id);
            session.redefined.get_or_insert(Shown::text(&text, &secrets).into_inner());
        }
        Ok(())
    }

    fn taint_account(
        &mut self,
        view: &CommandView,
        why: &str,
        rules: Vec<String>,
        secrets: &Secrets,
        now: Now,
    ) -> Result<(), Refusal> {
        let info = &view.session;
        let taint = TaintView {
            target: info.target.clone(),
            host: info.host.clone(),
            port: info.port,
            host_key: info.host_key.clone(),
            user: info.user.clone(),
            agent: info.agent.clone(),
            owner: info.owner.clone(),
            command_id: view.id.clone(),
            command: Shown::text(&excerpt(view), secrets).into_inner(),
            why: Shown::text(why, secrets).into_inner(),
            at: now.seconds(),
            rules,
            in_force: false,
        };
        let key = key(&taint);
        // The first says enough; what comes after it changes nothing.
        if self.taints.get(&key).is_some() {
            return Ok(());
        }
        let entry = self
            .entry_for("tainted", view, now)
            .with("target", taint.target.as_str())
            .with("user", taint.user.as_str())
            .with("comment", taint.why.as_str())
            .with_some("rules", (!taint.rules.is_empty()).then(|| taint.rules.clone()));
        self.audit(&entry)?;
        let body = Shown::of(&taint, secrets)?.kept()?;
        self.writes.push(Write::Taint { id: key.clone(), body: Some(body) });
        self.taints.insert(key, taint);
        Ok(())
    }

    /// All who approved a command go on trusting the account: what was there is forgotten.
    pub(super) fn trust(&mut self, view: &CommandView, by: &str, now: Now) -> Result<(), Refusal> {
        let about = |taint: &&TaintView| concerns(taint, &view.session);
        let all: Vec<TaintView> = self.taints.values().filter(about).cloned().collect();
        for taint in all {
            self.clear(&taint, by, Some(&view.id), now)?;
        }
        if let Some(session) = self.sessions.get_mut(&view.session_id) {
            session.redefined = None;
        }
        Ok(())
    }

    fn clear(
        &mut self,
        taint: &TaintView,
        by: &str,
        with: Option<&CommandId>,
        now: Now,
    ) -> Result<(), Refusal> {
        let entry = Entry::new("taint_cleared", &now.rfc3339())
            .with("target", taint.target.as_str())
            .with("user", taint.user.as_str())
            .with("tainted_by", taint.command_id.as_str())
            .with("by", by)
            .with_some("command_id", with.map(|id| id.as_str().to_owned()));
        self.audit(&entry)?;
        let key = key(taint);
        self.taints.remove(&key);
        self.writes.push(Write::Taint { id: key, body: None });
        Ok(())
    }

    /// A reviewer has looked, and trusts an account again.
    pub(crate) fn clear_taints(
        &mut self,
        by: &Peer,
        target: &str,
        user: Option<&str>,
        now: Now,
    ) -> Result<Vec<TaintView>, Refusal> {
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!("{} ({}) may not decide", by.name, by.role)));
        }
        let all = self.taint_list(now);
        let here = |taint: &TaintView| {
            taint.target == target && user.is_none_or(|user| user == taint.user)
        };
        let cleared: Vec<TaintView> = all.into_iter().filter(here).collect();
        let voter = by.role.voter(&by.name);
        if cleared.iter().any(|t| voter.is_agent_or_owner(&t.agent, t.owner.as_deref())) {
            let why = format!("{} stands behind this agent: somebody else must clear it", by.name);
            return Err(Refusal::not_entitled(why));
        }
        if cleared.is_empty() {
            return Err(Refusal::not_found(format!("tainted account of {target}")));
        }
        cleared.iter().try_for_each(|taint| self.clear(taint, &by.name, None, now))?;
        Ok(cleared)
    }

    /// The accounts that may have changed, oldest first.
    pub(crate) fn taint_list(&self, now: Now) -> Vec<TaintView> {
        let seen = |taint: &TaintView| TaintView {
            in_force: self.is_in_force(taint, now),
            ..taint.clone()
        };
        let mut all: Vec<TaintView> = self.taints.values().map(seen).collect();
        all.sort_by(|a, b| (a.at, &a.command_id).cmp(&(b.at, &b.command_id)));
        all
    }

    /// What the disk holds of them.
    pub(super) fn load_taints(&mut self, all: Vec<TaintView>) {
        for taint in all {
            self.taints.insert(key(&taint), taint);
        }
    }
}

/// Enough of a command to know it again.
fn excerpt(view: &CommandView) -> String {
    let text = view.masked.as_ref().unwrap_or(&view.text.command);
    let text = make_visible(text.as_bytes()).text;
    let line = text.lines().next().unwrap_or("");
    let short: String = line.chars().take(EXCERPT).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
