//! Ways round signed approvals that a hostile broker may try, each with a stock client and a real target.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_engine::{Effect, Level, MatchKind, Rule, WrittenFile};
use expacti_protocol::command::{CommandState, Grant, StdinTreatment};
use expacti_protocol::gate::{GateEvent, GateRequest};
use expacti_protocol::http::PrincipalView;
use expacti_protocol::ids::CommandId;
use expacti_protocol::input::InputGrant;
use expacti_protocol::principal::Role;
use expacti_protocol::signed::SignedRulebook;
use expacti_signing::{
    Allowed, DECISION_NAMESPACE, RULES_NAMESPACE, Requirement, Rulebook, RulebookPurpose,
    RulesRequirement, Settings,
};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use tokio::io::AsyncWriteExt as _;

use crate::approval::{People, asking, by, marker, ran, requiring, say, sign, stated, trial};
use crate::broker::Mode;
use crate::shell_session::Session;
use crate::team;
use crate::trial::{Trial, finish, private_dir, text, until, user};

fn for_effects(effects: &[&str]) -> Requirement {
    let effects = effects.iter().map(|&effect| effect.to_owned()).collect();
    Requirement { effects, ..Requirement::default() }
}

/// Asks for a signature for everything, and goes by signed rules.
fn by_signed_rules() -> Settings {
    let rules = Some(RulesRequirement::default());
    Settings { require: vec![Requirement::default()], rules, ..Settings::default() }
}

/// Goes by signed rules alone.
fn only_signed_rules() -> Settings {
    Settings { require: Vec::new(), ..by_signed_rules() }
}

async fn trial_with(mode: Mode, settings: Settings) -> Option<(Trial, People, tempfile::TempDir)> {
    let (approval, people, dir) = asking(settings);
    let t = Trial::configured(mode, |config| config.approval = Some(approval), "").await?;
    Some((t, people, dir))
}

/// The broker passes these rules on, as alice has signed them.
fn pass_on(t: &Trial, people: &People, rules: Vec<Rule>, agents: &[(&str, &str)]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let agents = agents.iter().map(|&(agent, owner)| (agent.to_owned(), Some(owner.to_owned())));
    let book = Rulebook {
        agents: agents.collect(),
        epoch: 1,
        made_at: i64::try_from(now).unwrap(),
        people: BTreeMap::new(),
        policies: Vec::new(),
        purpose: RulebookPurpose::Rules,
        rules,
        targets: BTreeMap::new(),
        version: 1,
    };
    let statement = book.text().unwrap();
    let signature =
        SshSig::sign(&people.alice, RULES_NAMESPACE, HashAlg::Sha512, statement.as_bytes());
    let signatures = vec![signature.unwrap().to_pem(LineEnding::LF).unwrap()];
    t.broker.say(GateEvent::Rulebook(SignedRulebook { statement, signatures }));
}

async fn released(t: &Trial) {
    let asked =
        |request: &GateRequest| matches!(request, GateRequest::Release { .. }).then_some(());
    t.broker.heard("release", asked).await;
}

/// Puts another list of signers in the place of the first, in one step.
fn list_only_bob(people: &People, dir: &std::path::Path) {
    let fresh = dir.join("fresh");
    std::fs::write(&fresh, people.list(&["bob"])).unwrap();
    std::fs::rename(&fresh, dir.join("allowed_signers")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_read_like_a_harmless_command_are_names() {
    let Some((t, people, _dir)) = requiring(Mode::Manual, for_effects(&["deletes"])).await else {
        return;
    };
    let kept = t.path("kept");
    std::fs::create_dir(&kept).unwrap();
    let mut child = t.ssh(&["target", "xargs rm -rf"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let item = t.broker.item(0).await;
    say(&t, &item, |decision| decision.signed = vec![by(&people.alice, &item)]);
    released(&t).await;
    input.write_all(format!("ls {}", kept.display()).as_bytes()).await.unwrap();
    drop(input);
    let names = t.broker.item(1).await;
    t.broker.allow(&names);
    finish(child).await;
    assert!(kept.exists(), "deleted without a signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_of_another_language_is_not_read_as_shell() {
    let requirement = Requirement { level: Some(Level::Medium), ..Requirement::default() };
    let Some((t, people, _dir)) = requiring(Mode::Manual, requirement).await else { return };
    let mut child = t.ssh(&["target", "python3"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let item = t.broker.item(0).await;
    say(&t, &item, |decision| decision.signed = vec![by(&people.alice, &item)]);
    released(&t).await;
    // For a shell it would print a text.
    let code = format!("echo = f\"{{__import__('os').system('{}')}}\"\n", marker(&t));
    input.write_all(code.as_bytes()).await.unwrap();
    drop(input);
    let item = t.broker.item(1).await;
    t.broker.allow(&item);
    finish(child).await;
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_may_not_flow_unseen_because_a_broker_says_so() {
    let Some((t, _people, _dir)) = requiring(Mode::Manual, for_effects(&["deletes"])).await else {
        return;
    };
    let kept = t.path("kept");
    std::fs::write(&kept, "x").unwrap();
    let mut child = t.ssh(&["target", "python3"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // By itself it deletes nothing, and no signature is asked for.
    let item = t.broker.item(0).await;
    say(&t, &item, |decision| decision.input_grant = Some(InputGrant::usual()));
    let code = format!("import os\nos.remove('{}')\n", kept.display());
    // The gate may have ended it already.
    input.write_all(code.as_bytes()).await.ok();
    drop(input);
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("needs 1 signature"), "{}", text(&out.stderr));
    assert!(kept.exists(), "deleted without a signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_not_be_granted_because_a_broker_says_so() {
    let home = private_dir();
    std::fs::write(home.path().join(".profile"), "PS1='ready> '\nHISTFILE=\n").unwrap();
    std::fs::write(home.path().join("notes"), "some text\n").unwrap();
    let environment = format!("SetEnv HOME={} SHELL=/bin/bash", home.path().display());
    let medium = Requirement { level: Some(Level::Medium), ..Requirement::default() };
    let require = vec![for_effects(&["deletes", "writes", "runs-unseen", "network"]), medium];
    let (approval, _people, _dir) = asking(Settings { require, ..Settings::default() });
    let change = |config: &mut expacti_gate::GateConfig| config.approval = Some(approval);
    let Some(t) = Trial::configured(Mode::Manual, change, &environment).await else { return };
    let mut agent = Session::gated(&t);
    agent.sees("ready>").await;
    agent.type_in(format!("less {}\r", home.path().join("notes").display())).await;
    let item = t.broker.item(0).await;
    say(&t, &item, |decision| decision.grant = Some(Grant { seconds: 60, bytes: 1000 }));
    agent.sees("needs 1 signature").await;
    // What was typed for `less` is the next line of the shell, and asked about.
    agent.type_in(format!("!touch {}\r", t.path("marker").display())).await;
    t.broker.item(1).await;
    assert!(!t.path("marker").exists(), "keys that nobody signed ran a command");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_denial_holds_for_input_that_came_with_the_command() {
    let Some((t, people, _dir)) = trial_with(Mode::Manual, only_signed_rules()).await else {
        return;
    };
    pass_on(&t, &people, vec![Rule::new("r1", MatchKind::Glob, "touch *", Effect::Deny)], &[]);
    let line = format!("touch {}\n", t.path("marker").display());
    // As a command it is denied, whoever allows it.
    let run = t.spawn(&["target", line.trim_end()]);
    let item = t.broker.item(0).await;
    t.broker.allow(&item);
    let out = finish(run).await;
    assert!(text(&out.stderr).contains("denies"), "{}", text(&out.stderr));
    // So it is on standard input.
    let mut child = t.ssh(&["target", "sh"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let item = t.broker.item(1).await;
    input.write_all(line.as_bytes()).await.unwrap();
    drop(input);
    let came = t.broker.joined(&item, line.len()).await;
    t.broker.allow_with(&item, Some(came), None);
    assert_eq!(finish(child).await.status.code(), Some(79));
    assert!(!t.path("marker").exists(), "what a signed rule denies was run");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_a_signed_rule_does_not_cover_is_not_data_because_a_broker_says_so() {
    let Some((t, people, _dir)) = trial_with(Mode::Auto, only_signed_rules()).await else { return };
    let there = t.path("there");
    std::fs::create_dir(&there).unwrap();
    // What an agent's rsync would say.
    let command = format!("rsync --server -e.LsfxC . {}/", there.display());
    let rule = Rule::new("r1", MatchKind::Exact, command.as_str(), Effect::Allow);
    pass_on(&t, &people, vec![rule], &[]);
    let mut child = t.ssh(&["target", &command]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The version of its protocol: whatever the server answers, bytes would have reached it.
    input.write_all(&[31, 0, 0, 0]).await.ok();
    drop(input);
    let item = t.broker.item(0).await;
    finish(child).await;
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.stdin.map_or(0, |stdin| stdin.bytes), 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_decision_does_not_free_a_grant_of_its_signer() {
    let Some((t, people, dir)) = trial(Mode::Manual, 1).await else { return };
    let command = format!("cat >> {}", t.path("marker").display());
    let mut child = t.ssh(&["target", &command]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let item = t.broker.item(0).await;
    t.broker.set_mode(Mode::StuckRelease);
    let grant = Some(InputGrant::usual());
    let allowed = Allowed { input_grant: grant, ..Allowed::new(stated(&item)) };
    let signed = vec![sign(&people.alice, DECISION_NAMESPACE, vec![allowed])];
    say(&t, &item, |decision| {
        decision.signed.clone_from(&signed);
        decision.input_grant = grant;
    });
    let asked = t
        .broker
        .heard("release", |request| match request {
            GateRequest::Release { r#ref, id, .. } if *id == item.id => Some(*r#ref),
            _ => None,
        })
        .await;
    // Once more, without the grant.
    say(&t, &item, |decision| decision.signed = signed);
    t.broker.say(GateEvent::Released { r#ref: asked, id: item.id.clone() });
    input.write_all(b"one\n").await.unwrap();
    until("the first piece", || ran(&t) == 1).await;
    list_only_bob(&people, dir.path());
    t.broker.set_mode(Mode::Manual);
    input.write_all(b"two\n").await.unwrap();
    let asked = t.broker.item(1).await;
    assert_eq!(asked.submission.text.command, "two\n");
    t.broker.deny(&asked, "no");
    finish(child).await;
    assert_eq!(ran(&t), 1, "it flowed without its signer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_cannot_have_a_file_read_that_the_command_does_not_write() {
    let (approval, _people, _dir) =
        asking(Settings { require: vec![Requirement::default()], ..Settings::default() });
    let change = |config: &mut expacti_gate::GateConfig| config.approval = Some(approval);
    let sftp = "Subsystem sftp internal-sftp";
    let Some(t) = Trial::configured(Mode::Mute, change, sftp).await else { return };
    let secret = t.path("payroll.csv");
    std::fs::write(&secret, "alice,100\nbob,200\n").unwrap();
    let mut child = t.ssh(&["target", "sh"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (asked, id) = t
        .broker
        .heard("submit", |request| match request {
            GateRequest::Submit { r#ref, .. } => Some((*r#ref, CommandId::new())),
            _ => None,
        })
        .await;
    t.broker.say(GateEvent::Submitted {
        r#ref: asked,
        id,
        state: CommandState::Pending,
        risk_score: 0,
        level: Level::Low,
        timeout_seconds: 60,
        stdin: StdinTreatment::Code,
        drop_stdin: false,
        writes: Some(WrittenFile { path: secret.display().to_string(), append: false }),
        unattended: false,
    });
    input.write_all(b"true\n").await.unwrap();
    drop(input);
    let told = t
        .broker
        .heard("join", |request| match request {
            GateRequest::Join { compared, .. } => Some(compared.clone()),
            _ => None,
        })
        .await;
    child.kill().await.unwrap();
    assert_eq!(told, None, "the broker was told what the file holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_runs_later_has_its_effects_now() {
    let requirement = for_effects(&["deletes", "writes", "runs-unseen", "network"]);
    let Some((t, _people, _dir)) = requiring(Mode::Manual, requirement).await else { return };
    let kept = t.path("kept");
    std::fs::write(&kept, "x").unwrap();
    let kept = kept.display();
    let lines = [
        format!("trap 'rm -f {kept}' EXIT"),
        format!("printf -v 'a[$(rm -f {kept})]' x"),
        format!("PS4='$(rm -f {kept})'; set -x; ls /"),
        format!("shopt -s expand_aliases\nalias ls='rm -f {kept}'\nls"),
        format!("alias ls='rm -f {kept}'\nls"),
    ];
    for (n, line) in lines.iter().enumerate() {
        let run = t.spawn(&["target", line]);
        let item = t.broker.item(n).await;
        t.broker.allow(&item);
        let out = finish(run).await;
        assert_eq!(out.status.code(), Some(79), "{line}: {}", text(&out.stderr));
        assert!(t.path("kept").exists(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_rule_for_a_target_is_for_the_machine_that_people_know() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (approval, people, _dir) = asking(only_signed_rules());
    let (port, _gate, _guard) =
        team::serve_with(&t, |config| config.approval = Some(approval)).await;
    let mut rule = Rule::new("r1", MatchKind::Glob, "touch *", Effect::Allow);
    rule.scope.target = Some("test-1".to_owned());
    // Another machine under the name of the test machine, which nobody has signed.
    let mut moved = t.broker.targets()[0].clone();
    moved.name = "test-1".to_owned();
    t.broker.set_targets(vec![moved]);
    pass_on(&t, &people, vec![rule], &[]);
    t.broker.set_mode(Mode::Auto);
    let command = format!("touch {}", t.path("marker").display());
    let to = format!("{}%test-1@127.0.0.1", user());
    let out = finish(team::ssh(&t, port, "agent", &[&to, &command]).spawn().unwrap()).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    let why = "people have not signed which machine test-1 is";
    assert!(text(&out.stderr).contains(why), "{}", text(&out.stderr));
    assert!(!t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_behind_an_agent_does_not_count_whatever_the_broker_calls_it() {
    for name in ["claude", "claude-2"] {
        let Some(t) = Trial::new(Mode::Manual).await else { return };
        let (approval, people, _dir) = asking(by_signed_rules());
        let (port, _gate, _guard) =
            team::serve_with(&t, |config| config.approval = Some(approval)).await;
        let key = std::fs::read_to_string(t.path("agent.pub")).unwrap();
        let words: Vec<_> = key.split_whitespace().take(2).collect();
        let agent = PrincipalView {
            id: "prn_1".to_owned(),
            name: name.to_owned(),
            role: Role::Agent,
            public_key: None,
            owner: None,
            unix_user: None,
            former_owners: Vec::new(),
            created_at: 0,
        };
        t.broker.add_agent(&words.join(" "), agent);
        pass_on(&t, &people, Vec::new(), &[("claude", "bob")]);
        let to = format!("{}%web-1@127.0.0.1", user());
        let run = team::ssh(&t, port, "agent", &[&to, &marker(&t)]).spawn().unwrap();
        let item = t.broker.item(0).await;
        say(&t, &item, |decision| decision.signed = vec![by(&people.bob, &item)]);
        let out = finish(run).await;
        assert_eq!(out.status.code(), Some(79), "{name}: {}", text(&out.stderr));
        assert_eq!(ran(&t), 0, "{name}");
    }
}
