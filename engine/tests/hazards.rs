//! A rule that lets more through than it seems to says so when it is made.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expacti_engine::{Effect, MatchKind, Rule, caution};

fn glob(pattern: &str) -> Rule {
    Rule::new("", MatchKind::Glob, pattern, Effect::Allow)
}

#[test]
fn open_patterns_name_what_else_they_let_through() {
    for (pattern, words) in [
        ("git log **", &["--output"][..]),
        ("find **", &["-delete", "-exec"]),
        ("find /srv **", &["-delete", "-exec"]),
        ("tar **", &["--to-command"]),
        ("tar -tf **", &["--to-command"]),
        ("sort **", &["--output"]),
        ("xargs **", &["an operand"]),
        ("kubectl **", &["exec"]),
        ("kubectl *", &["exec"]),
        ("git **", &["push"]),
    ] {
        let rule = glob(pattern);
        let found = caution(&rule).unwrap_or_else(|| panic!("{pattern}: nothing"));
        let text = format!("{:?}", found);
        let all: Vec<&str> = found.hazards.iter().map(|hazard| hazard.word.as_str()).collect();
        for word in words {
            let named = all.iter().any(|known| known.starts_with(word));
            assert!(named || found.more > 0, "{pattern}: {word} is not in {text}");
        }
        assert!(found.describe().contains("also allows"), "{text}");
    }
    assert_eq!(caution(&glob("git log **")).unwrap().narrower.as_deref(), Some("git log *"));
    assert!(caution(&glob("git log **")).unwrap().looks);
    let unknown = caution(&glob("no-such-program **")).unwrap();
    assert!(unknown.hazards.is_empty() && unknown.describe().contains("not known"));
}

#[test]
fn closed_patterns_need_no_word() {
    for pattern in
        ["git log *", "git log --oneline", "find /srv -name *", "wc **", "systemctl restart nginx"]
    {
        let found = caution(&glob(pattern));
        assert!(found.is_none(), "{pattern}: {found:?}");
    }
    let deny = Rule { effect: Effect::Deny, ..glob("find **") };
    assert!(caution(&deny).is_none());
}
