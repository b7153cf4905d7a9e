//! A pattern and a command: what a pattern allows is plain words and nothing a shell would act on.
#![no_main]

use expacti_engine::{Context, Effect, MatchKind, Outcome, Rule, RuleSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (kind, pattern, command) = input;
    let kind = [MatchKind::Exact, MatchKind::Glob, MatchKind::Regex][usize::from(kind) % 3];
    let rule = Rule::new("r", kind, pattern, Effect::Allow);
    let exact = rule.kind == MatchKind::Exact;
    let Ok(set) = RuleSet::build(vec![rule]) else { return };
    let verdict = set.judge(command, &Context::default());
    if verdict.verdict == Outcome::Allow && !exact {
        assert!(command.iter().all(|b| (b' '..=b'~').contains(b)));
        assert!(!command.iter().any(|b| b"$`\\".contains(b)) || command.contains(&b'\''));
    }
    if verdict.verdict == Outcome::Allow && exact {
        assert_eq!(command, pattern.as_bytes());
    }
});
