//! A machine under another name, before a gate that goes by what people have signed: what they have signed
//! for one of its names restricts all of them.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_engine::{Effect, MatchKind, Policy, PolicyKind, Rule};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::PrincipalView;
use expacti_protocol::principal::Role;
use expacti_protocol::signed::SignedRulebook;
use expacti_signing::{
    Place, RULES_NAMESPACE, Rulebook, RulebookPurpose, RulesRequirement, Settings,
    fingerprint_of_any,
};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};

use crate::approval::{People, asking, by, say};
use crate::broker::Mode;
use crate::team;
use crate::trial::{Trial, finish, text, user};

/// What people have signed of the machine's second name.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    /// It has the same host key at another address.
    SameKey,
    /// It has the same address, and another key.
    SameAddress,
    /// It is another machine.
    Other,
}

/// The gate of a team that goes by signed rules: `web-1` is the machine of the trial, `prod` the second name.
struct Signed {
    t: Trial,
    people: People,
    port: u16,
    _kept: (tempfile::TempDir, tokio_util::sync::DropGuard),
}

impl Signed {
    async fn new(second: Second, rules: Vec<Rule>, policies: Vec<Policy>) -> Option<Self> {
        let t = Trial::new(Mode::Manual).await?;
        let rules_alone =
            Settings { rules: Some(RulesRequirement::default()), ..Settings::default() };
        let (approval, people, dir) = asking(rules_alone);
        let (port, _gate, guard) =
            team::serve_with(&t, |config| config.approval = Some(approval)).await;
        // Neither alice nor bob stands behind the agent.
        let key = std::fs::read_to_string(t.path("agent.pub")).unwrap();
        let words: Vec<_> = key.split_whitespace().take(2).collect();
        let agent = PrincipalView {
            id: "prn_1".to_owned(),
            name: "claude".to_owned(),
            role: Role::Agent,
            public_key: None,
            owner: Some("carol".to_owned()),
            former_owners: Vec::new(),
            unix_user: None,
            created_at: 0,
        };
        t.broker.add_agent(&words.join(" "), agent);
        let own = std::fs::read_to_string(t.path("host_ed25519.pub")).unwrap();
        let other = std::fs::read_to_string(t.path("id.pub")).unwrap();
        let (own, other) = (fingerprint_of_any(&own).unwrap(), fingerprint_of_any(&other).unwrap());
        let place = |host: &str, key: &str| Place {
            host: host.to_owned(),
            host_keys: vec![key.to_owned()],
            port: t.sshd.port,
            tags: Vec::new(),
        };
        let prod = match second {
            Second::SameKey => place("10.0.0.1", &own),
            Second::SameAddress => place("127.0.0.1", &other),
            Second::Other => place("10.0.0.1", &other),
        };
        let targets = [("web-1".to_owned(), place("127.0.0.1", &own)), ("prod".to_owned(), prod)];
        let reviewer = |name: &str| (name.to_owned(), "reviewer".to_owned());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let book = Rulebook {
            agents: BTreeMap::new(),
            epoch: 1,
            made_at: i64::try_from(now).unwrap(),
            people: ["alice", "bob"].into_iter().map(reviewer).collect(),
            policies,
            purpose: RulebookPurpose::Rules,
            rules,
            targets: targets.into_iter().collect(),
            version: 1,
        };
        let statement = book.text().unwrap();
        let signature =
            SshSig::sign(&people.alice, RULES_NAMESPACE, HashAlg::Sha512, statement.as_bytes());
        let signatures = vec![signature.unwrap().to_pem(LineEnding::LF).unwrap()];
        t.broker.say(GateEvent::Rulebook(SignedRulebook { statement, signatures }));
        Some(Self { t, people, port, _kept: (dir, guard) })
    }

    fn command(&self) -> String {
        format!("touch {}", self.t.path("marker").display())
    }

    fn spawn(&self) -> tokio::process::Child {
        let to = format!("{}%web-1@127.0.0.1", user());
        team::ssh(&self.t, self.port, "agent", &[&to, &self.command()]).spawn().unwrap()
    }

    fn ran(&self) -> bool {
        self.t.path("marker").exists()
    }
}

fn touch(effect: Effect, target: &str) -> Rule {
    let mut rule = Rule::new(format!("on-{target}"), MatchKind::Glob, "touch *", effect);
    rule.scope.target = Some(target.to_owned());
    rule
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signed_rule_denies_by_one_name_is_denied_by_all() {
    for second in [Second::SameKey, Second::SameAddress, Second::Other] {
        let rules = vec![touch(Effect::Allow, "web-1"), touch(Effect::Deny, "prod")];
        let Some(signed) = Signed::new(second, rules, Vec::new()).await else { return };
        // The broker says that the rule for web-1 allows it.
        signed.t.broker.set_mode(Mode::Auto);
        let out = finish(signed.spawn()).await;
        if second == Second::Other {
            assert!(out.status.success() && signed.ran(), "{}", text(&out.stderr));
        } else {
            assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
            assert!(text(&out.stderr).contains("denies it (on-prod)"), "{}", text(&out.stderr));
            assert!(!signed.ran());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_policy_for_one_name_holds_for_all_beside_weaker_ones() {
    let two = Policy {
        kind: PolicyKind::Quorum,
        min: 2,
        group: ["alice", "bob"].map(str::to_owned).to_vec(),
        target: Some("prod".to_owned()),
        ..Policy::any("two", "*")
    };
    let weak = Policy { target: Some("web-1".to_owned()), ..Policy::any("weak", "touch *") };
    for (second, both, runs) in [
        (Second::SameKey, false, false),
        (Second::SameAddress, false, false),
        (Second::Other, false, true),
        (Second::SameKey, true, true),
    ] {
        let policies = vec![two.clone(), weak.clone()];
        let Some(signed) = Signed::new(second, Vec::new(), policies).await else { return };
        let run = signed.spawn();
        let item = signed.t.broker.item(0).await;
        say(&signed.t, &item, |decision| {
            decision.signed = vec![by(&signed.people.alice, &item)];
            if both {
                decision.signed.push(by(&signed.people.bob, &item));
            }
        });
        let out = finish(run).await;
        assert_eq!(signed.ran(), runs, "{}", text(&out.stderr));
        if !runs {
            let why = "asks for more signed approvals";
            assert!(text(&out.stderr).contains(why), "{}", text(&out.stderr));
        }
    }
}
