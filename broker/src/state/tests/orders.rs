//! Whatever happens in whatever order, with failing commits and recordings: a command is released at
//! most once, only after an allow by somebody eligibility, and never after its end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::atomic::Ordering;
use std::time::Duration;

use expacti_protocol::command::Outcome;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use proptest::prelude::*;

use super::world::*;
use crate::state::Write;

/// One thing that can happen.
#[derive(Debug, Clone)]
enum Step {
    Decide { who: usize, which: usize, allow: bool },
    Finish { which: usize },
    GateGone,
    Pass { seconds: u64 },
    Record { broken: bool },
    Release { which: usize, as_submitted: bool },
    Submit { command: usize },
    Tick,
    Withdraw { which: usize },
}

fn step() -> impl Strategy<Value = (Step, bool)> {
    let step = prop_oneof![
        4 => (0..5_usize, 0..8_usize, any::<bool>())
            .prop_map(|(who, which, allow)| Step::Decide { who, which, allow }),
        2 => (0..8_usize).prop_map(|which| Step::Finish { which }),
        1 => Just(Step::GateGone),
        2 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => any::<bool>().prop_map(|broken| Step::Record { broken }),
        4 => (0..8_usize, prop::bool::weighted(0.8))
            .prop_map(|(which, as_submitted)| Step::Release { which, as_submitted }),
        4 => (0..3_usize).prop_map(|command| Step::Submit { command }),
        2 => Just(Step::Tick),
        1 => (0..8_usize).prop_map(|which| Step::Withdraw { which }),
    ];
    (step, prop::bool::weighted(0.85))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn released_at_most_once_and_only_after_an_allow(steps in prop::collection::vec(step(), 1..60)) {
        let mut w = World::new();
        let mut session = w.session();
        let people = [
            peer("alice", Role::Reviewer),
            peer("bob", Role::Admin),
            peer("bot", Role::Reviewer),
            peer("viewer", Role::Viewer),
            peer("gate", Role::Gate),
        ];
        let commands = ["id", "uname -a", "rm -rf /srv"];
        let mut known: Vec<(CommandId, SessionId, usize)> = Vec::new();
        for (step, written) in steps {
            let now = w.now;
            let at = |i: usize| known.get(i).cloned();
            match step {
                Step::Submit { command } => {
                    let job = submission(&session, commands[command]);
                    if let Ok(GateEvent::Submitted { id, .. }) = w.state.job(|l| l.submit(GATE, 1, job, now))
                        && written
                    {
                        known.push((id, session.clone(), command));
                    }
                }
                Step::Decide { who, which, allow } => if let Some((id, ..)) = at(which) {
                    let _ = w.state.job(|l| l.decide(&people[who], &message(&id, allow), now));
                },
                Step::Release { which, as_submitted } => if let Some((id, session, command)) = at(which) {
                    let bytes = if as_submitted { commands[command] } else { "rm -rf /" };
                    let digest = Digest::of(bytes.as_bytes());
                    let done = w.state.job(|l| l.release(GATE, &id, &session, (digest, None), now));
                    prop_assert!(as_submitted || done.is_err());
                },
                Step::Finish { which } => if let Some((id, ..)) = at(which) {
                    let _ = w.state.job(|l| l.finished(GATE, &id, (Outcome::default(), None), now));
                },
                Step::Withdraw { which } => if let Some((id, ..)) = at(which) {
                    let _ = w.state.job(|l| l.withdraw(GATE, &id, "^C", now));
                },
                Step::GateGone => {
                    let _ = w.state.job(|l| l.gate_gone(GATE, now));
                }
                Step::Pass { seconds } => w.pass(Duration::from_secs(seconds)),
                Step::Record { broken } => w.recorder.broken.store(broken, Ordering::Relaxed),
                Step::Tick => w.state.due(now).iter().for_each(|id| { let _ = w.state.end_due(id, now); }),
            }
            w.settle(written);
            if w.state.sessions.get(&session).is_none() {
                session = w.session();
            }
        }
        for (id, entries) in w.entries() {
            let mut allowed = false;
            let mut over = false;
            let mut released = 0;
            for (kind, entry) in &entries {
                prop_assert!(!over, "{id}: {kind} after the end");
                match kind.as_str() {
                    "command_submitted" | "vote" => {}
                    "decision" => {
                        prop_assert!(!allowed || entry["decided_by"] == "system:fail-closed");
                        allowed = entry["decision"] == "allow";
                        over = !allowed;
                        if allowed {
                            let by = entry["decided_by"].as_str().unwrap();
                            prop_assert!(by == "alice" || by == "bob", "{by}");
                        }
                    }
                    "released" => {
                        prop_assert!(allowed);
                        released += 1;
                    }
                    "withdrawn" => over = true,
                    "finished" | "unknown" => {
                        prop_assert_eq!(released, 1);
                        over = true;
                    }
                    other => prop_assert!(false, "{other}"),
                }
            }
            prop_assert!(released <= 1);
        }
        // The chain on disk is whole, whatever was rolled back.
        let lines: Vec<&String> = w.disk.iter().filter_map(|d| match d {
            Write::Audit { line, .. } => Some(line),
            _ => None,
        }).collect();
        let tail = expacti_audit::Tail::Head { seq: lines.len() as u64, hash: w.state.chain.head() };
        expacti_audit::verify(&lines, tail, &|_| Ok(())).unwrap();
    }
}
