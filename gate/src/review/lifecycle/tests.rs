//! Every event in every state of an item, and random sequences of events.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use expacti_protocol::command::StdinTreatment;
use expacti_protocol::gate::{Decision, DecisionKind};
use proptest::prelude::*;

use super::*;
use crate::boundary::Environment;
use crate::broker::event::Submitted;

const BYTES: &[u8] = b"rm -rf /srv/old";

struct World {
    id: CommandId,
    session: SessionId,
}

/// What can be said to an item; `Wrong…` are about something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Submitted,
    Refused,
    Allow,
    AllowReleased,
    Deny,
    Expire,
    WrongId,
    WrongSession,
    WrongBytes,
    Released,
    ReleasedWrongId,
    ReleasedWrongBytes,
    LinkLost,
    Withdrawn,
    TargetLost,
    NoAnswer,
    Deadline,
}

const ALL: [Say; 17] = [
    Say::Submitted,
    Say::Refused,
    Say::Allow,
    Say::AllowReleased,
    Say::Deny,
    Say::Expire,
    Say::WrongId,
    Say::WrongSession,
    Say::WrongBytes,
    Say::Released,
    Say::ReleasedWrongId,
    Say::ReleasedWrongBytes,
    Say::LinkLost,
    Say::Withdrawn,
    Say::TargetLost,
    Say::NoAnswer,
    Say::Deadline,
];

impl World {
    fn new() -> Self {
        Self { id: CommandId::new(), session: SessionId::new() }
    }

    fn lifecycle(&self) -> ItemLifecycle {
        let mut lifecycle = self.unproven();
        lifecycle.prove(Proven::for_test());
        lifecycle
    }

    fn unproven(&self) -> ItemLifecycle {
        let context = Context {
            terminal: None,
            environment: Environment::default(),
            stdin: StdinTreatment::Code,
            drop_stdin: false,
            login_shell: false,
        };
        ItemLifecycle::new(self.session.clone(), Bytes::from_static(BYTES), context)
    }

    fn decided(&self, change: impl FnOnce(&mut Decision)) -> Event {
        let mut decision = Decision {
            beneath: Vec::new(),
            id: self.id.clone(),
            allow: true,
            comment: Some("why".to_owned()),
            sha256: Digest::of(BYTES),
            session_id: self.session.clone(),
            decided_by: "alice".to_owned(),
            kind: DecisionKind::Reviewer,
            released: false,
            grant: None,
            input: None,
            input_grant: None,
            instead: None,
            signed: Vec::new(),
        };
        change(&mut decision);
        Event::Broker(BrokerEvent::Decided(Decided::for_test(decision)))
    }

    fn event(&self, say: Say) -> Event {
        match say {
            Say::Submitted => Event::Broker(BrokerEvent::Submitted(Submitted {
                id: self.id.clone(),
                risk_score: 1,
                level: expacti_engine::Level::Low,
                timeout: Duration::from_secs(60),
                stdin: StdinTreatment::Data,
                drop_stdin: false,
                writes: None,
                pending: true,
                unattended: false,
            })),
            Say::Refused => Event::Broker(BrokerEvent::Refused("disk full".to_owned())),
            Say::Allow => self.decided(|_| {}),
            Say::AllowReleased => self.decided(|d| d.released = true),
            Say::Deny => self.decided(|d| {
                d.allow = false;
                d.released = true;
            }),
            Say::Expire => self.decided(|d| {
                d.allow = false;
                d.kind = DecisionKind::Timeout;
            }),
            Say::WrongId => self.decided(|d| {
                d.id = CommandId::new();
                d.released = true;
            }),
            Say::WrongSession => self.decided(|d| {
                d.session_id = SessionId::new();
                d.released = true;
            }),
            Say::WrongBytes => self.decided(|d| {
                d.sha256 = Digest::of(b"true");
                d.released = true;
            }),
            Say::Released => self.released(&self.id, BYTES),
            Say::ReleasedWrongId => self.released(&CommandId::new(), BYTES),
            Say::ReleasedWrongBytes => self.released(&self.id, b"true"),
            Say::LinkLost => Event::Broker(BrokerEvent::LinkLost),
            Say::Withdrawn => Event::Withdrawn("^C"),
            Say::TargetLost => Event::TargetLost,
            Say::NoAnswer => Event::NoAnswer,
            Say::Deadline => Event::Deadline,
        }
    }

    fn released(&self, id: &CommandId, bytes: &[u8]) -> Event {
        Event::Broker(BrokerEvent::Released(Released::for_test(
            id,
            &self.session,
            Digest::of(bytes),
        )))
    }
}

/// Plays a sequence; at which event the item was delivered, if it was.
fn play(sequence: &[Say]) -> (Option<usize>, usize) {
    let world = World::new();
    let mut lifecycle = world.lifecycle();
    let (mut delivered, mut count) = (None, 0);
    for (i, say) in sequence.iter().enumerate() {
        if let Step::Deliver(id, ..) = lifecycle.on(world.event(*say)) {
            assert_eq!(id, world.id);
            delivered = Some(i);
            count += 1;
        }
    }
    (delivered, count)
}

/// The rule in one place, written without the state machine: the item is delivered when the
/// submission was taken, then (nothing ending it in between) an allow of exactly this item came
/// with its release, or was followed by the release.
fn expected(sequence: &[Say]) -> Option<usize> {
    let mut stage = 0;
    for (i, say) in sequence.iter().enumerate() {
        stage = match (stage, say) {
            (0, Say::Submitted) => 1,
            (0, Say::Allow | Say::AllowReleased | Say::Deny | Say::Expire) => 0,
            (0, Say::WrongId | Say::WrongSession | Say::WrongBytes) => 0,
            (0, Say::Released | Say::ReleasedWrongId | Say::ReleasedWrongBytes) => 0,
            (1, Say::Submitted) => 1,
            (1, Say::Released | Say::ReleasedWrongId | Say::ReleasedWrongBytes) => 1,
            (1, Say::AllowReleased) => return Some(i),
            (1, Say::Allow) => 2,
            (2, Say::Released) => return Some(i),
            (2, Say::Submitted | Say::Allow | Say::AllowReleased | Say::Deny | Say::Expire) => 2,
            (2, Say::WrongId | Say::WrongSession | Say::WrongBytes) => 2,
            _ => return None,
        };
    }
    None
}

#[test]
fn every_event_at_every_moment() {
    let beginnings: [&[Say]; 6] = [
        &[],
        &[Say::Submitted],
        &[Say::Submitted, Say::Allow],
        &[Say::Submitted, Say::AllowReleased],
        &[Say::Submitted, Say::Deny],
        &[Say::Submitted, Say::Withdrawn],
    ];
    for beginning in beginnings {
        for first in ALL {
            for second in ALL {
                for third in [Say::Released, Say::AllowReleased, Say::Withdrawn] {
                    let mut sequence = beginning.to_vec();
                    sequence.extend([first, second, third]);
                    let (delivered, count) = play(&sequence);
                    assert_eq!(delivered, expected(&sequence), "{sequence:?}");
                    assert!(count <= 1, "{sequence:?}");
                }
            }
        }
    }
}

#[test]
fn what_the_agent_and_the_broker_are_told() {
    let end = |sequence: &[Say]| {
        let world = World::new();
        let mut lifecycle = world.lifecycle();
        let (last, before) = sequence.split_last().unwrap();
        for say in before {
            assert!(!matches!(lifecycle.on(world.event(*say)), Step::End(_)));
        }
        match lifecycle.on(world.event(*last)) {
            Step::End(end) => end,
            other => panic!("{sequence:?}: {other:?}"),
        }
    };
    let status = |sequence: &[Say]| end(sequence).refusal.map(|r| (r.status, r.message));
    let denied = |why: &str| format!("expacti: command denied — {why}");
    use Say::*;
    assert_eq!(status(&[Submitted, Deny]), Some((77, denied("why"))));
    assert_eq!(status(&[Submitted, Expire]).unwrap().0, 78);
    assert_eq!(status(&[Submitted, Deadline]).unwrap().0, 78);
    assert_eq!(status(&[Refused]), Some((79, denied("disk full"))));
    assert_eq!(status(&[Submitted, Allow, Refused]), Some((79, denied("disk full"))));
    assert_eq!(status(&[LinkLost]), Some((79, denied("broker unreachable"))));
    assert_eq!(status(&[Submitted, Allow, LinkLost]), Some((79, denied("broker unreachable"))));
    assert_eq!(status(&[Submitted, Allow, NoAnswer]).unwrap().0, 79);
    assert_eq!(status(&[Submitted, TargetLost]).unwrap().0, 255);
    assert_eq!(status(&[Submitted, Withdrawn]), None);
    for wrong in [WrongId, WrongSession, WrongBytes] {
        assert_eq!(status(&[Submitted, wrong]).unwrap().0, 79);
    }

    assert_eq!(end(&[Submitted, Withdrawn]).withdraw.unwrap().1, "^C");
    assert!(end(&[Submitted, Deadline]).withdraw.is_some());
    assert!(end(&[Submitted, Deny]).withdraw.is_none());
    assert!(end(&[Withdrawn]).withdraw.is_none(), "the broker has given no id yet");
    // These words are in the log from now on.
    let unsent = |last| end(&[Submitted, Allow, last]).unsent.unwrap().1;
    assert_eq!(unsent(Refused), "the broker refused the release");
    assert_eq!(unsent(LinkLost), "the link to the broker was lost");
    assert!(end(&[Refused]).withdraw.is_none() && end(&[Refused]).unsent.is_none());
    // Once the release was asked for it may be on record: the broker hears that it was not used.
    for last in [Withdrawn, LinkLost, NoAnswer, TargetLost, ReleasedWrongBytes] {
        let end = end(&[Submitted, Allow, last]);
        assert!(end.withdraw.is_none() && end.unsent.is_some(), "{last:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]
    #[test]
    fn delivered_only_after_the_exact_release_and_once(
        picks in proptest::collection::vec(0usize..ALL.len(), 0..10),
        start in 0usize..3,
    ) {
        let lead = [Say::Submitted, Say::Allow];
        let mut sequence = lead.get(..start).unwrap().to_vec();
        sequence.extend(picks.iter().filter_map(|i| ALL.get(*i)));
        let (delivered, count) = play(&sequence);
        prop_assert!(count <= 1);
        prop_assert_eq!(delivered, expected(&sequence), "{:?}", sequence);
    }
}

#[test]
fn what_must_lie_beneath_a_directory_is_looked_at_before_the_release() {
    let w = World::new();
    let beneath = || {
        let paths = vec!["/srv/app/x".to_owned()];
        vec![Beneath { directory: "/srv/app".to_owned(), paths }]
    };
    let held = || {
        let mut lifecycle = w.lifecycle();
        lifecycle.on(w.event(Say::Submitted));
        lifecycle
    };
    let mut lifecycle = held();
    let step = lifecycle.on(w.decided(|d| d.beneath = beneath()));
    assert!(matches!(step, Step::Look(all) if all == beneath()));
    // Nothing but the look goes on from there.
    assert!(matches!(lifecycle.on(w.event(Say::Allow)), Step::Wait));
    assert!(matches!(lifecycle.on(w.event(Say::AllowReleased)), Step::Wait));
    assert!(matches!(lifecycle.on(w.event(Say::Released)), Step::Wait));
    assert!(matches!(lifecycle.on(Event::Checked(true)), Step::Wait));
    assert!(matches!(lifecycle.on(Event::Looked(Ok(()))), Step::Release { .. }));
    assert!(matches!(lifecycle.on(w.event(Say::Released)), Step::Deliver(..)));

    for end in [
        Event::Looked(Err(NotBeneath::NoServer)),
        Event::Looked(Err(NotBeneath::Elsewhere("/srv/app/x leads out".to_owned()))),
        w.event(Say::Deadline),
        w.event(Say::LinkLost),
        w.event(Say::Withdrawn),
        w.event(Say::TargetLost),
    ] {
        let mut lifecycle = held();
        lifecycle.on(w.decided(|d| d.beneath = beneath()));
        let lost = matches!(end, Event::Broker(BrokerEvent::LinkLost));
        match lifecycle.on(end) {
            Step::End(end) => assert!(end.withdraw.is_some() || lost, "{end:?}"),
            step => panic!("{step:?}"),
        }
        assert!(matches!(lifecycle.on(Event::Looked(Ok(()))), Step::Wait));
    }

    // A release that came before the look is not used.
    let step = held().on(w.decided(|d| {
        d.beneath = beneath();
        d.released = true;
    }));
    assert!(matches!(step, Step::End(End { unsent: Some(_), .. })), "{step:?}");
}

#[test]
fn nothing_is_delivered_without_what_the_gate_asks_for() {
    let w = World::new();
    let not = |released| Event::NotApproved { why: "needs 1 signature".to_owned(), released };
    // Nobody has checked it.
    for says in
        [&[Say::Submitted, Say::AllowReleased][..], &[Say::Submitted, Say::Allow, Say::Released]]
    {
        let mut lifecycle = w.unproven();
        let steps: Vec<Step> = says.iter().map(|say| lifecycle.on(w.event(*say))).collect();
        let last = steps.last().unwrap();
        assert!(matches!(last, Step::End(End { unsent: Some(_), .. })), "{last:?}");
        assert!(matches!(lifecycle.on(w.event(Say::Released)), Step::Wait));
    }
    // It was checked, and that is not enough.
    for (says, released) in [
        (&[Say::Submitted][..], false),
        (&[Say::Submitted], true),
        (&[Say::Submitted, Say::Allow], true),
    ] {
        let mut lifecycle = w.lifecycle();
        for say in says {
            lifecycle.on(w.event(*say));
        }
        let Step::End(end) = lifecycle.on(not(released)) else { panic!("{says:?}") };
        assert_eq!(end.withdraw.is_none(), released, "{says:?}");
        assert_eq!(end.unsent.is_some(), released, "{says:?}");
        let refusal = end.refusal.unwrap();
        assert_eq!(refusal.status, 79);
        assert!(refusal.message.contains("needs 1 signature"), "{}", refusal.message);
        for say in ALL {
            assert!(matches!(lifecycle.on(w.event(say)), Step::Wait), "{say:?}");
        }
    }
}
