//! Items of interactive shells, grants and who may decide.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_engine::{Policy, PolicyKind};
use expacti_protocol::command::{
    CommandState, CommandView, Grant, Interactive, ItemKind, Outcome, PromptLabel, SECRET_MASK,
    Submission,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::NewPrincipal;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode, ReviewerEvent};
use expacti_protocol::session::SessionInfo;

use super::world::*;
use crate::state::{Peer, Refusal, State, Write, for_viewer};

fn interactive(secret: bool, grantable: bool) -> Option<Interactive> {
    Some(Interactive {
        label: if secret { PromptLabel::NoEcho } else { PromptLabel::Raw },
        foreground: Some("vim x".into()),
        secret,
        grantable,
    })
}

pub(super) fn add(w: &mut World, name: &str, role: Role) -> Peer {
    let new =
        NewPrincipal { name: name.into(), role, public_key: None, owner: None, unix_user: None };
    let hash = Some(name.to_owned());
    w.run(|l, now| l.add_principal(&peer("root", Role::Owner), new, hash, now)).unwrap();
    peer(name, role)
}

pub(super) fn quorum(min: u32, group: &[&str]) -> Policy {
    Policy {
        kind: PolicyKind::Quorum,
        min,
        group: group.iter().map(|n| (*n).to_owned()).collect(),
        ..Policy::any("", "*")
    }
}

fn send(w: &mut World, s: Submission) -> Result<CommandId, Refusal> {
    match w.run(|state, now| state.submit(GATE, 1, s, now))? {
        GateEvent::Submitted { id, .. } => Ok(id),
        other => panic!("{other:?}"),
    }
}

fn keys(w: &mut World, session: &SessionId) -> CommandId {
    let mut s = submission(session, "jj");
    (s.kind, s.interactive) = (ItemKind::Keys, interactive(false, true));
    send(w, s).unwrap()
}

pub(super) fn view(w: &World, id: &CommandId) -> CommandView {
    w.state.commands.get(id).unwrap().for_deciders().unwrap()
}

#[test]
fn what_is_typed_without_echo_is_kept_nowhere() {
    let mut w = World::new();
    let session = w.session();
    let password = "correct horse battery";
    let mut s = submission(&session, password);
    (s.kind, s.interactive) = (ItemKind::Input, interactive(true, false));
    s.preview = Some(password.into());
    let id = send(&mut w, s).unwrap();
    let pending = view(&w, &id);
    assert_eq!(pending.text.command, password, "whoever decides sees the bytes");
    assert_eq!(pending.masked.as_deref(), Some(SECRET_MASK));
    assert_eq!(pending.sha256, Digest::of(password.as_bytes()), "a decision is bound to them");
    let alice = peer("alice", Role::Reviewer);
    let exact = DecisionMessage { sha256: Some(pending.sha256), ..message(&id, true) };
    let answer = w.run(|l, now| l.decide(&alice, &exact, now)).unwrap();
    assert_eq!(answer.text.command, SECRET_MASK);
    assert_eq!(w.decisions().last().unwrap().sha256, pending.sha256, "the gate needs the real one");
    w.release(&id, &session, password).unwrap();
    let outcome = Outcome { exit_status: Some(0), ..Outcome::default() };
    w.run(|state, now| state.finished(GATE, &id, (outcome, None), now)).unwrap();
    w.run(State::end).unwrap();
    let disk = format!("{:?} {:?} {:?}", w.disk, w.reviewed.get(1..), w.recorder.shown());
    let digest = Digest::of(password.as_bytes()).to_string();
    assert!(!disk.contains(password) && !disk.contains("battery"), "{disk}");
    assert!(!disk.contains(&digest), "a digest lets a password be guessed: {disk}");
    let of = w.entries();
    let all: Vec<_> = of[id.as_str()].iter().map(|(_, e)| e["command_sha256"].clone()).collect();
    assert!(all.len() == 4 && all.iter().all(|d| *d == all[0]), "{all:?}");
}

#[test]
fn a_grant_is_the_smallest_that_all_gave() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let (ann, bob) = (add(&mut w, "ann", Role::Reviewer), add(&mut w, "bob", Role::Reviewer));
    w.run(|l, now| l.add_policy(&root, quorum(2, &["ann", "bob"]), now)).unwrap();
    let session = w.session();
    let grant = |seconds, bytes| Some(Grant { seconds, bytes });
    let vote = |w: &mut World, by: &Peer, id: &CommandId, grant| {
        let message = DecisionMessage { grant, ..message(id, true) };
        w.run(|l, now| l.decide(by, &message, now))
    };
    let id = keys(&mut w, &session);
    vote(&mut w, &ann, &id, grant(300, 10)).unwrap();
    vote(&mut w, &bob, &id, grant(60, 1000)).unwrap();
    assert_eq!(w.decisions().last().unwrap().grant, grant(60, 10));
    let (kind, entry) = w.entries()[id.as_str()].last().unwrap().clone();
    assert_eq!((kind.as_str(), entry["grant_seconds"].as_u64()), ("decision", Some(60)));
    assert_eq!(entry["grant_bytes"].as_u64(), Some(10));
    let id = keys(&mut w, &session);
    vote(&mut w, &ann, &id, grant(300, 10)).unwrap();
    vote(&mut w, &bob, &id, None).unwrap();
    assert_eq!(w.decisions().last().unwrap().grant, None);
    let id = keys(&mut w, &session);
    for bad in [grant(0, 1), grant(1, 0), grant(3601, 1), grant(1, Grant::MAX_BYTES + 1)] {
        assert_eq!(code(vote(&mut w, &ann, &id, bad)), ErrorCode::Invalid);
    }
    let deny = DecisionMessage { grant: grant(1, 1), ..message(&id, false) };
    assert_eq!(code(w.run(|l, now| l.decide(&ann, &deny, now))), ErrorCode::Invalid);
    let id = w.submit(&session, "id");
    assert_eq!(code(vote(&mut w, &ann, &id, grant(1, 1))), ErrorCode::Invalid);
}

#[test]
fn a_grant_ends_when_who_gave_it_leaves() {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Reviewer);
    let session = w.session();
    let id = keys(&mut w, &session);
    let grant = Some(Grant { seconds: 300, bytes: 10 });
    let allow = DecisionMessage { grant, ..message(&id, true) };
    w.run(|l, now| l.decide(&ann, &allow, now)).unwrap();
    let told = |w: &mut World, name: &str| {
        let before = w.told.len();
        w.run(|l, _| {
            l.left(name);
            Ok(())
        })
        .unwrap();
        w.told[before..]
            .iter()
            .filter(|(_, event)| {
                matches!(event, GateEvent::EndGrants { session_id, .. } if *session_id == session)
            })
            .count()
    };
    assert_eq!(told(&mut w, "bob"), 0);
    assert_eq!(told(&mut w, "ann"), 1);
    // Without a grant there is nothing to end.
    let id = keys(&mut w, &session);
    w.decide(&ann, &id, true).unwrap();
    assert_eq!(told(&mut w, "ann"), 1);
}

#[test]
fn no_rule_allows_input_or_keys() {
    let mut w = World::new();
    let rule = rule("jj");
    w.run(|l, now| l.add_rule(&peer("root", Role::Owner), rule, now)).unwrap();
    let session = w.session();
    let id = keys(&mut w, &session);
    assert_eq!(view(&w, &id).state, CommandState::Pending);
    let mut s = submission(&session, "jj");
    (s.kind, s.interactive) = (ItemKind::Input, interactive(false, false));
    let id = send(&mut w, s).unwrap();
    assert_eq!(view(&w, &id).state, CommandState::Pending);
    for (label, allowed) in [
        (PromptLabel::Verified, true),
        (PromptLabel::Continuation, false),
        (PromptLabel::Unverified, false),
    ] {
        let mut s = submission(&session, "jj");
        s.kind = ItemKind::Line;
        s.interactive = interactive(false, false).map(|i| Interactive { label, ..i });
        let id = send(&mut w, s).unwrap();
        let by_rule = w.decisions().iter().any(|d| d.id == id && d.allow);
        assert_eq!(by_rule, allowed, "{label:?}");
    }
}

#[test]
fn who_may_still_decide_is_known_and_follows() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let ann = add(&mut w, "ann", Role::Reviewer);
    let bob = add(&mut w, "bob", Role::Reviewer);
    add(&mut w, "boss", Role::Admin);
    add(&mut w, "see", Role::Viewer);
    let session = w.session();
    let id = w.submit(&session, "id");
    assert_eq!(view(&w, &id).may_decide, ["ann", "bob", "root"], "boss answers for the agent");
    w.decide(&ann, &id, false).unwrap();

    w.run(|l, now| l.add_policy(&root, quorum(2, &["ann", "bob", "cat", "boss"]), now)).unwrap();
    let id = w.submit(&session, "id");
    assert_eq!(view(&w, &id).may_decide, ["ann", "bob"]);
    // The policy counts whoever has that name: two of it must be for them.
    let cat = add(&mut w, "cat", Role::Reviewer);
    assert_eq!(view(&w, &id).may_decide, ["ann", "bob"]);
    let change = w.state.change_list(w.now).remove(0);
    for by in [&ann, &bob] {
        w.run(|l, now| l.approve_change(by, change.id.as_str(), now)).unwrap();
    }
    assert_eq!(view(&w, &id).may_decide, ["ann", "bob", "cat"]);
    w.decide(&ann, &id, true).unwrap();
    assert_eq!(
        (view(&w, &id).may_decide, view(&w, &id).approvals_missing),
        (vec!["bob".into(), "cat".into()], 1)
    );
    // Ann leaves: her approval does not help anybody any more.
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    assert_eq!((view(&w, &id).approvals_missing, view(&w, &id).votes.len()), (2, 0));
    assert_eq!(w.decide(&bob, &id, true).unwrap(), CommandState::Pending);
    assert_eq!(view(&w, &id).may_decide, ["cat"]);
    assert_eq!(w.decide(&cat, &id, true).unwrap(), CommandState::Allowed);
    let kinds: Vec<_> = w.entries()[id.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "vote", "vote_void", "vote", "decision"]);
}

#[test]
fn others_are_asked_when_the_first_part_of_the_time_has_passed() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let ann = add(&mut w, "ann", Role::Reviewer);
    let dan = add(&mut w, "dan", Role::Reviewer);
    let mut policy = quorum(1, &["ann"]);
    (policy.escalate_after_seconds, policy.escalate_to) = (Some(20), vec!["dan".into()]);
    w.run(|l, now| l.add_policy(&root, policy, now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, "id");
    assert_eq!(code(w.decide(&dan, &id, true)), ErrorCode::NotEntitled);
    assert_eq!(w.state.next_deadline(), Some(w.now.mono + Duration::from_secs(20)));
    w.pass(Duration::from_secs(20));
    assert_eq!(w.tick(), []);
    assert_eq!(view(&w, &id).may_decide, ["ann", "dan"]);
    assert!(view(&w, &id).requirement.escalated);
    assert_eq!(w.tick(), []);
    assert_eq!(w.decide(&dan, &id, true).unwrap(), CommandState::Allowed);
    let kinds: Vec<_> = w.entries()[id.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "escalated", "decision"]);
    // Nobody answers at all: it is denied at the deadline as always.
    let id = w.submit(&session, "id -u");
    w.pass(Duration::from_secs(60));
    assert_eq!(w.tick(), []);
    assert_eq!(code(w.decide(&ann, &id, true)), ErrorCode::NotFound);
    assert_eq!(w.decisions().last().unwrap().decided_by, "system:timeout");
}

#[test]
fn secrets_are_shown_to_whoever_decides_and_after_that_on_request() {
    let mut w = World::new();
    let session = w.session();
    let command = "mysql -u root -phunter22 -e 'select 1'";
    let id = w.submit(&session, command);
    let (alice, viewer) = (peer("alice", Role::Reviewer), peer("see", Role::Viewer));
    let reveal = |w: &mut World, by: &Peer| w.run(|l, now| l.reveal(by, &id, now));
    let pending = view(&w, &id);
    assert_eq!(pending.text.command, command);
    assert!(!for_viewer(pending).unwrap().text.command.contains("hunter22"));
    assert_eq!(code(reveal(&mut w, &viewer)), ErrorCode::NotEntitled);
    w.decide(&alice, &id, true).unwrap();
    assert!(!view(&w, &id).text.command.contains("hunter22"), "decided: masked");
    assert_eq!(reveal(&mut w, &alice).unwrap().command, command);
    w.release(&id, &session, command).unwrap();
    w.run(|l, now| l.finished(GATE, &id, (Outcome::default(), None), now)).unwrap();
    assert_eq!(code(reveal(&mut w, &alice)), ErrorCode::NotFound, "not kept");
    let entries = w.entries();
    let revealed: Vec<_> =
        entries[id.as_str()].iter().filter(|(k, _)| k == "secret_revealed").collect();
    assert_eq!(revealed.len(), 1);
    assert_eq!(revealed[0].1["by"], "alice");
    assert!(!format!("{:?}", w.disk).contains("hunter22"));
}

#[test]
fn what_a_preview_tells_of_secrets_is_neither_kept_nor_shown_to_whoever_looks_on() {
    for (text, note, preview) in [
        ("sftp write /srv/app/settings.py: 30 B", None, "+db_password=hunter22\n+debug=1\n"),
        ("sftp write /home/a/.pgpass: 30 B", Some("a path of secrets"), "+db:5432:a:hunter22\n"),
    ] {
        let mut w = World::new();
        let session = w.session();
        let mut s = submission(&session, text);
        (s.kind, s.preview) = (ItemKind::File, Some(preview.to_owned()));
        s.notes.extend(note.map(str::to_owned));
        let id = send(&mut w, s).unwrap();
        assert_eq!(view(&w, &id).preview.as_deref(), Some(preview), "for whoever decides");
        let seen = for_viewer(view(&w, &id)).unwrap().into_inner().preview.unwrap();
        assert!(!seen.contains("hunter22"), "{seen}");
        assert_eq!(note.is_none(), seen.contains("+debug=1"), "{seen}");
        w.decide(&peer("alice", Role::Reviewer), &id, true).unwrap();
        assert!(!format!("{:?}", w.disk).contains("hunter22"));
    }
}

#[test]
fn several_changes_of_files_are_allowed_by_several_rules() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let mut glob = |pattern: &str| {
        let kind = expacti_engine::MatchKind::Glob;
        let rule = expacti_engine::Rule { kind, ..rule(pattern) };
        w.run(|l, now| l.add_rule(&root, rule, now)).unwrap();
    };
    glob("sftp write /srv/app/*: **");
    glob("sftp mkdir /srv/app/*: **");
    let session = w.session();
    let lines = "sftp write /srv/app/a: 1 B, sha256 aa\nsftp mkdir /srv/app/b: mode 0755";
    let mut changes = |lines: &str| {
        let text = format!("scp upload 1 file and 1 directory, 1 B, to /srv/app\n{lines}");
        let mut s = submission(&session, &text);
        s.kind = ItemKind::File;
        send(&mut w, s).unwrap()
    };
    let (both, more) =
        (changes(lines), changes(&format!("{lines}\nsftp write /etc/x: 1 B, sha256 aa")));
    assert_eq!(view(&w, &more).state, CommandState::Pending);
    let allowed = w.decisions().into_iter().find(|d| d.id == both).unwrap();
    assert!(allowed.allow && allowed.released && allowed.decided_by.starts_with("whitelist:"));
    let hits: Vec<_> = w.state.rule_list().iter().map(|view| view.rule.hits).collect();
    assert_eq!(hits, [1, 1], "both rules had their part in it");
}

#[test]
fn what_is_understood_has_a_sentence() {
    let mut w = World::new();
    let session = w.session();
    let push = w.submit(&session, "git-receive-pack '/srv/repo.git'");
    assert_eq!(view(&w, &push).headline.as_deref(), Some("git push to /srv/repo.git"));
    let other = w.submit(&session, "git-receive-pack '/srv/repo.git'; id");
    let said = view(&w, &other).headline.clone().unwrap();
    assert!(said.contains("writes") && said.contains("runs code"), "more than a push: {said}");
    let unknown = w.submit(&session, "git-receive-pack '/srv/repo.git'; ./x");
    assert_eq!(view(&w, &unknown).headline, None);
    let removes = w.submit(&session, "rm -rf /srv/old");
    assert_eq!(view(&w, &removes).headline.as_deref(), Some("deletes /srv/old/**"));
    let secret = w.submit(&session, "touch 'mysql://u:hunter2hunter2@db/x'");
    assert!(view(&w, &secret).masked.is_some());
    assert_eq!(view(&w, &secret).headline, None, "no sentence where a secret could be in it");
}

/// Whatever tells of a command: its secret is in none of it once somebody has decided.
#[test]
fn a_secret_leaves_by_no_field() {
    const SECRET: &str = "S3cr-et9x";
    let mut w = World::new();
    let info = SessionInfo {
        agent: "bot".into(),
        target: "web-1".into(),
        user: "deploy".into(),
        reason: Some(format!("to try password={SECRET}")),
        program: ["env", &format!("PGPASSWORD={SECRET}"), "bot"].map(str::to_owned).to_vec(),
        with: vec![format!("https://bot:{SECRET}@registry.example")],
        client: Some(format!("SSH-2.0-x Authorization: Bearer {SECRET}")),
        ..SessionInfo::default()
    };
    let session = w.run(|l, now| l.open_session(GATE, info, now)).unwrap();
    let alice = peer("alice", Role::Reviewer);
    let sent = |allow: Option<bool>, w: &mut World| {
        let mut s = submission(&session, &format!("mysql -u root -p{SECRET} shop"));
        s.cwd = format!("/srv/{SECRET}");
        s.env = vec![("LC_TOKEN".into(), SECRET.into())];
        s.notes = vec![format!("the agent said {SECRET}")];
        s.preview = Some(format!("+line with {SECRET}\n"));
        s.dropped_env = vec![format!("X={SECRET}")];
        let command = s.text.command.clone();
        let id = send(w, s).unwrap();
        assert!(view(w, &id).text.command.contains(SECRET), "whoever decides sees it");
        let viewer = for_viewer(view(w, &id)).unwrap();
        assert!(!format!("{:?}", *viewer).contains(SECRET), "{:?}", *viewer);
        let Some(allow) = allow else {
            w.run(|l, now| l.withdraw(GATE, &id, &format!("^C of {SECRET}"), now)).unwrap();
            return;
        };
        let message =
            DecisionMessage { comment: Some(format!("not with {SECRET}")), ..message(&id, allow) };
        w.run(|l, now| l.decide(&alice, &message, now)).unwrap();
        if allow {
            w.release(&id, &session, &command).unwrap();
            let outcome = Outcome::unknown(format!("lost at {SECRET}"));
            w.run(|l, now| l.finished(GATE, &id, (outcome, None), now)).unwrap();
        }
    };
    for allow in [Some(true), Some(false), None] {
        sent(allow, &mut w);
    }
    w.run(|l, now| l.close_session(GATE, &session, now)).unwrap();
    let disk = format!("{:?}", w.disk);
    assert!(disk.contains("mysql -u root -p•••") && !disk.contains(SECRET), "{disk}");
    let recorded = format!("{:?}", w.recorder.shown());
    assert!(recorded.contains("-p•••") && !recorded.contains(SECRET), "{recorded}");
    for event in &w.reviewed {
        if !matches!(event, ReviewerEvent::PendingCommand(_)) {
            assert!(!format!("{event:?}").contains(SECRET), "{event:?}");
        }
    }
    // Nor does it tell how long the secret is.
    for write in &w.disk {
        if let Write::Command { view, .. } = write {
            let view: CommandView = serde_json::from_str(view.as_str()).unwrap();
            for term in &view.terms {
                assert!(view.text.command.get(term.span[0]..term.span[1]).is_some(), "{term:?}");
            }
        }
    }
}
