//! What sets code that a shell runs later may do anything: policies by effect ask about it.
#![allow(clippy::unwrap_used)]

use expacti_engine::{Context, History, Policy, PolicySet, Snapshot, judge};

fn asks(command: &str) -> bool {
    let policy = Policy { effects: vec!["deletes".to_owned()], ..Policy::any("deletes", "*") };
    let policies = PolicySet::build(vec![policy]).unwrap();
    let snapshot = Snapshot { policies, ..Snapshot::default() };
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    let verdict = judge(&snapshot, command.as_bytes(), &context, &History::default());
    verdict.requirement.policy.is_some()
}

#[test]
fn what_sets_code_for_later_may_do_anything() {
    for command in [
        "trap 'rm -rf x' EXIT",
        "printf -v 'a[$(rm -rf x)]' y",
        "printf -v PATH /tmp/x; ls",
        "printf -v PROMPT_COMMAND 'rm -rf x'",
        "PS4='$(rm -rf x)'; set -x; ls",
        "PS1='$(rm -rf x)'",
        "PROMPT_COMMAND='rm -rf x'",
        "shopt -s expand_aliases\nalias ls='rm -rf x'\nls",
        "export BASH_ENV=/tmp/x; ls",
        "export LD_PRELOAD=/tmp/x.so",
        "hash -p /tmp/evil ls",
        "enable -f /tmp/x.so y",
        "declare \"$x\"",
    ] {
        assert!(asks(command), "{command}");
    }
    for command in ["FOO=1; ls", "set -e; ls", "printf -v x y"] {
        assert!(!asks(command), "{command}");
    }
}
