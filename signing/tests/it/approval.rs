//! The gate's settings: what they ask of which command, and what they cannot ask.

use std::collections::BTreeSet;

use expacti_engine::Level;
use expacti_signing::{Need, Person, Presence, Settings, Subject, enough};
use serde_json::{Value, json};

fn settings(require: Value) -> Settings {
    let tags = json!({"prod": ["prod-*", "db.example.com"], "eu": ["*-eu"]});
    serde_json::from_value(json!({"require": require, "tags": tags})).unwrap()
}

fn signatures(settings: &Settings, subject: &Subject<'_>) -> Vec<u8> {
    settings.needs(subject).iter().map(|need| need.signatures).collect()
}

#[test]
fn what_fits_a_command_is_needed_together() {
    let nothing = BTreeSet::new();
    let deletes = BTreeSet::from(["deletes".to_owned(), "changes:service".to_owned()]);
    let low = Subject {
        level: Level::Low,
        target: "web-1",
        host: "10.0.0.1",
        user: "deploy",
        effects: &nothing,
        understood: true,
    };
    let high = Subject { level: Level::High, ..low };
    let critical = Subject { level: Level::Critical, ..low };
    let prod = Subject { target: "prod-1", ..low };
    let renamed = Subject { target: "w", host: "DB.example.com.", ..low };
    let europe = Subject { target: "prod-1-eu", ..low };
    let root = Subject { user: "root", ..low };
    let deleting = Subject { effects: &deletes, ..low };
    let unread = Subject { understood: false, ..low };
    let all: &[(Value, &[&Subject<'_>], &[&Subject<'_>])] = &[
        (json!({}), &[&low, &critical, &unread], &[]),
        (json!({"level": "HIGH"}), &[&high, &critical], &[&low, &unread]),
        (json!({"targets": ["prod-*"]}), &[&prod, &europe], &[&low, &renamed]),
        (json!({"targets": ["PROD-*", "db.*"]}), &[&prod, &europe, &renamed], &[&low]),
        (json!({"targets": ["10.*"]}), &[&low, &prod], &[&renamed]),
        (json!({"tags": ["prod"]}), &[&prod, &renamed, &europe], &[&low]),
        (json!({"tags": ["prod", "eu"]}), &[&europe], &[&prod, &renamed]),
        (json!({"users": ["root", "adm*"]}), &[&root], &[&low]),
        (json!({"effects": ["deletes"]}), &[&deleting, &unread], &[&low]),
        (json!({"effects": ["network", "changes:service"]}), &[&deleting, &unread], &[&low]),
        (json!({"effects": ["network"]}), &[&unread], &[&deleting]),
        (json!({"effects": ["deletes"], "level": "HIGH"}), &[], &[&deleting, &unread, &high]),
        (json!({"signatures": 0}), &[], &[&low, &critical, &unread]),
    ];
    for (requirement, fits, others) in all {
        let settings = settings(json!([requirement]));
        assert_eq!(settings.check(), Ok(()), "{requirement}");
        for subject in *fits {
            assert_eq!(signatures(&settings, subject), [1], "{requirement} {subject:?}");
        }
        for subject in *others {
            assert!(signatures(&settings, subject).is_empty(), "{requirement} {subject:?}");
        }
    }
    let several = settings(json!([
        {"level": "HIGH", "signatures": 1, "touch": true},
        {"level": "CRITICAL", "signatures": 2, "by": ["sre-*"]},
        {"signatures": 0},
        {"level": "CRITICAL", "signatures": 2, "by": ["sre-*"]},
    ]));
    assert!(signatures(&several, &low).is_empty());
    assert_eq!(signatures(&several, &high), [1]);
    assert_eq!(signatures(&several, &critical), [1, 2]);
    assert!(several.needs(&critical)[0].touch);
}

#[test]
fn a_tag_that_is_not_known_restricts() {
    let settings = settings(json!([{"tags": ["nowhere"]}]));
    let effects = BTreeSet::new();
    let subject = Subject {
        level: Level::Low,
        target: "web-1",
        host: "web-1",
        user: "a",
        effects: &effects,
        understood: true,
    };
    assert!(settings.check().is_err());
    assert_eq!(signatures(&settings, &subject), [1]);
}

#[test]
fn settings_that_can_never_be_met_or_mean_nothing_are_refused() {
    for (requirement, expected) in [
        (json!({"effects": ["delete"]}), "\"delete\" is no effect: use one of deletes, writes"),
        (json!({"effects": ["changes:nothing-known"]}), "is no effect"),
        (json!({"tags": ["production"]}), "the tag \"production\" is not in approval.tags"),
        (json!({"signatures": 17}), "signatures can be 0 to 16"),
        (json!({"signatures": 0, "touch": true}), "asks for 0 signatures"),
        (json!({"signatures": 0, "by": ["alice"]}), "asks for 0 signatures"),
        (json!({"signatures": 2, "by": ["alice"]}), "2 of 1 people can never sign"),
        (json!({"signatures": 2, "by": ["alice", "Alice"]}), "2 of 1 people can never sign"),
        (json!({"by": ["alice,bob"]}), "can be nobody's name"),
        (json!({"targets": [""]}), "a name in it is empty"),
        (json!({"by": [""]}), "a name in it is empty"),
    ] {
        let error = settings(json!([{}, requirement])).check().unwrap_err();
        assert!(error.starts_with("approval.require, number 2: "), "{error}");
        assert!(error.contains(expected), "{requirement}: {error}");
    }
    for good in [
        json!({"signatures": 2, "by": ["alice", "bob"]}),
        json!({"signatures": 16, "by": ["sre-*"]}),
        json!({"effects": ["deletes", "writes", "runs-unseen", "network", "changes:service"]}),
    ] {
        assert_eq!(settings(json!([good])).check(), Ok(()), "{good}");
    }
    for tags in [json!({"": ["a"]}), json!({"a": []}), json!({"a": [""]})] {
        let settings: Settings = serde_json::from_value(json!({"tags": tags})).unwrap();
        assert!(settings.check().is_err(), "{tags}");
    }
    for unknown in [
        json!({"requires": []}),
        json!({"require": [{"signature": 2}]}),
        json!({"require": [{"level": "SEVERE"}]}),
        json!({"require": [{"signatures": -1}]}),
        json!({"require": [{"signatures": 256}]}),
    ] {
        assert!(serde_json::from_value::<Settings>(unknown.clone()).is_err(), "{unknown}");
    }
}

fn person(name: &str, presence: Option<(bool, bool)>) -> Person {
    let presence = presence.map(|(touched, verified)| Presence { touched, verified, counter: 1 });
    Person {
        name: name.to_owned(),
        key_fingerprint: "SHA256:x".to_owned(),
        presence,
        valid_before: None,
    }
}

#[test]
fn people_are_counted_once_for_each_need() {
    let need = |signatures, by: &[&str], touch, verify| Need {
        signatures,
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        touch,
        verify,
    };
    let alice = || person("alice", None);
    let touched = |name| person(name, Some((true, false)));
    let known = |name| person(name, Some((true, true)));
    let any = |signatures| need(signatures, &[], false, false);
    let cases: Vec<(Vec<Need>, Vec<Person>, Option<&str>)> = vec![
        (vec![], vec![], None),
        (vec![any(1)], vec![alice()], None),
        (vec![any(1)], vec![], Some("needs 1 signature; has none")),
        (vec![any(2)], vec![alice(), touched("bob")], None),
        (vec![any(2)], vec![alice(), touched("alice")], Some("needs 2 signatures; has 1 (alice)")),
        (vec![any(2)], vec![alice(), person("Alice", None)], Some("has 1 (alice)")),
        (vec![any(1)], vec![person("carol", None)], Some("has none; carol answers for the agent")),
        (vec![any(1)], vec![person("Carol", None)], Some("has none; Carol answers for the agent")),
        // One person counts for several needs, and each need counts by itself.
        (vec![any(1), need(1, &["al*"], false, false)], vec![alice()], None),
        (
            vec![any(2), need(1, &["bob"], true, false)],
            vec![alice(), person("bob", None)],
            Some("needs 1 signature with touch by bob; has none"),
        ),
        (vec![any(2), need(1, &["bob"], true, false)], vec![alice(), touched("bob")], None),
        (
            vec![need(2, &["sre-*"], true, false)],
            vec![touched("sre-a"), person("sre-b", None), touched("x-sre-c")],
            Some("needs 2 signatures with touch by sre-*; has 1 (sre-a)"),
        ),
        (
            vec![need(1, &[], true, true)],
            vec![touched("bob")],
            Some("needs 1 signature with a PIN or a finger; has none"),
        ),
        (vec![need(1, &[], true, true)], vec![known("bob")], None),
        // Of two keys of one person the one that counts is counted.
        (vec![need(1, &[], true, false)], vec![alice(), touched("alice")], None),
        (vec![need(1, &[], true, false)], vec![person("a", Some((false, true)))], Some("has none")),
        (vec![need(1, &["Alice"], false, false)], vec![alice()], Some("has none")),
        (vec![any(1), any(2)], vec![], Some("has none; needs 2 signatures; has none")),
    ];
    for (needs, people, expected) in cases {
        let found = enough(&needs, &people, Some("carol")).map_err(|missing| missing.to_string());
        match expected {
            None => assert_eq!(found, Ok(()), "{needs:?} {people:?}"),
            Some(text) => {
                let missing = found.unwrap_err();
                assert!(missing.contains(text), "{missing}");
            }
        }
    }
    assert!(enough(&[any(1)], &[person("carol", None)], None).is_ok());
}
