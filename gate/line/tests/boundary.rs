//! What the line gate lets out, whatever comes in: nothing from the agent without an approval,
//! every approval at most once, one item under review at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_line::Const;
use expacti_line::editor::History;
use expacti_line::remote::{Nonce, Probe};
use expacti_line::session::{Effect, LineGate, Submission, Verdict};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Input {
    Agent(Vec<u8>),
    Target(Vec<u8>),
    Tick(u16),
    Resize(u16, u16),
    Probed(Option<(bool, bool, u8)>),
    Check,
    Refuse,
    Withdrawn,
    Changed,
    Late,
    Approve(bool),
    EndGrant,
    Status,
}

/// A marker as the provisioned shell sends it.
fn marker(payload: &str) -> Vec<u8> {
    format!("\x1b]133;{};{payload}\x07", "07".repeat(16)).into_bytes()
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z \"'$;|&()!\\\\<>]{1,8}".prop_map(String::into_bytes),
        2 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()),
        2 => any::<u8>().prop_map(|b| vec![b]),
        2 => (0u8..0x20).prop_map(|b| vec![b]),
        1 => (0x80u8..0xa0).prop_map(|b| vec![b]),
        1 => Just(b"\x1b[200~".to_vec()),
        1 => Just(b"\x1b[201~".to_vec()),
        2 => "\x1b[\\[O][0-9;?]{0,5}[@-~]".prop_map(String::into_bytes),
        1 => "\x1b\\][0-9]{1,3};[a-z]{0,5}\x07".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(marker("H;bash;5.2;/dev/pts/3;99;check")),
        Just(marker("H;dash;;;;echo")),
        Just(marker("A")),
        Just(b"$ ".to_vec()),
        Just(marker("B")),
        Just(marker("C")),
        Just(marker("D;0")),
        Just(marker("P")),
        Just(marker("Q")),
        "[a-z \x1e]{0,6}".prop_map(|text| marker(&format!("K;U;{text}"))),
        Just(b"\x1b[?2004h".to_vec()),
        Just(b"\x1b[?2004l".to_vec()),
        Just(b"\x1b[?1049h".to_vec()),
        Just(b"\x1b[?1049l".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"Password: ".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

fn input(approvals: bool) -> impl Strategy<Value = Input> {
    let probe = prop::option::of((any::<bool>(), any::<bool>(), 0u8..3));
    let decided = prop_oneof![
        Just(Input::Refuse),
        any::<bool>().prop_map(move |grant| {
            if approvals { Input::Approve(grant) } else { Input::Refuse }
        }),
    ];
    prop_oneof![
        6 => keys().prop_map(Input::Agent),
        4 => output().prop_map(Input::Target),
        3 => (0u16..4000).prop_map(Input::Tick),
        1 => (0u16..200, 0u16..60).prop_map(|(c, r)| Input::Resize(c, r)),
        3 => probe.prop_map(Input::Probed),
        2 => Just(Input::Check),
        5 => decided,
        1 => Just(Input::Withdrawn),
        1 => Just(Input::Changed),
        1 => Just(Input::Late),
        1 => Just(Input::EndGrant),
        1 => Just(Input::Status),
    ]
}

/// Plays inputs against a gate and checks every effect.
struct World {
    gate: LineGate,
    now: Duration,
    held: Option<Box<Submission>>,
    /// An approval that was not used yet, and whether it carried a grant.
    approved: Option<bool>,
    granted: bool,
    typed: usize,
}

impl World {
    fn new() -> Self {
        let gate = LineGate::new(Nonce::new([7; 16]), 40, 10, History::default(), Duration::ZERO);
        let (held, approved) = (None, None);
        Self { gate, now: Duration::ZERO, held, approved, granted: false, typed: 0 }
    }

    fn play(&mut self, input: Input) {
        let mut out = Vec::new();
        let now = self.now;
        match input {
            Input::Agent(bytes) => self.gate.agent(&bytes, now, &mut out),
            Input::Target(bytes) => self.gate.target(&bytes, now, &mut out),
            Input::Tick(ms) => {
                self.now += Duration::from_millis(u64::from(ms));
                self.gate.tick(self.now, &mut out);
            }
            Input::Resize(cols, rows) => self.gate.resize(cols, rows, now, &mut out),
            Input::Probed(answer) => {
                let probe = answer.map(|(echo, canonical, pid)| Probe {
                    echo,
                    canonical,
                    foreground: (pid > 0).then(|| format!("prog{pid} -x")),
                    pid: Some(u32::from(pid)),
                    ..Probe::default()
                });
                self.gate.probed(probe, now, &mut out);
            }
            Input::Check => self.gate.check(now, &mut out),
            Input::Refuse => self.verdict(Verdict::Refused("no".to_owned()), &mut out),
            Input::Withdrawn => self.verdict(Verdict::Withdrawn, &mut out),
            Input::Changed => self.verdict(Verdict::Changed, &mut out),
            Input::Late => {
                if self.held.is_some() {
                    self.approved = Some(false);
                }
                self.verdict(Verdict::Late, &mut out);
            }
            Input::Approve(grant) => {
                if self.held.is_some() {
                    self.approved = Some(grant);
                }
                self.verdict(Verdict::Approved { grant }, &mut out);
            }
            Input::EndGrant => self.gate.end_grant(&mut out),
            Input::Status => self.gate.status("waiting", &mut out),
        }
        for effect in out {
            self.effect(effect);
        }
    }

    fn verdict(&mut self, verdict: Verdict, out: &mut Vec<Effect>) {
        // The caller has a verdict only for what is under review.
        if self.held.take().is_some() {
            self.gate.verdict(verdict, self.now, out);
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Submit(submission) => {
                assert!(self.held.is_none(), "two items under review");
                assert!(self.approved.is_none(), "an approval lies around");
                self.held = Some(submission);
            }
            Effect::TypeItem => {
                let grant = self.approved.take().expect("typed without an approval");
                self.granted = grant;
                self.typed += 1;
            }
            Effect::Unsent(_) => {
                self.approved.take().expect("nothing was approved");
            }
            Effect::Keys(_) => assert!(self.granted, "keys without a grant"),
            Effect::GrantOver => self.granted = false,
            // Given up before or after it was typed; the caller drops both.
            Effect::Aborted(_) => (self.approved, self.granted) = (None, false),
            Effect::Screen(_)
            | Effect::Withdraw
            | Effect::Probe
            | Effect::Type(_)
            | Effect::Started
            | Effect::Passed
            | Effect::Ended(_)
            | Effect::ContextHolds(_)
            | Effect::Log(_) => {}
        }
    }
}

proptest! {
    // Some cases are assumed away: their number grows with that of the cases.
    #![proptest_config(ProptestConfig {
        cases: cases(),
        max_global_rejects: cases().max(1024),
        ..ProptestConfig::default()
    })]

    /// Nobody approves anything: of all that is typed only `^C` goes further.
    #[test]
    fn without_an_approval_nothing_but_an_interrupt_passes(
        inputs in prop::collection::vec(input(false), 1..80)
    ) {
        let mut world = World::new();
        for input in inputs {
            let mut out = Vec::new();
            // Looked at before the world does, to see the constants as well.
            if let Input::Agent(bytes) = &input {
                world.gate.agent(bytes, world.now, &mut out);
                for effect in &out {
                    if let Effect::Type(what) = effect {
                        prop_assert_eq!(*what, Const::Interrupt);
                    }
                }
                for effect in out {
                    world.effect(effect);
                }
            } else {
                world.play(input);
            }
        }
        prop_assert_eq!(world.typed, 0);
    }

    /// Every approval is used at most once, and never for another item.
    #[test]
    fn an_approval_is_used_once(inputs in prop::collection::vec(input(true), 1..120)) {
        let mut world = World::new();
        for input in inputs {
            world.play(input);
        }
    }

    /// How the bytes were split does not matter for what is held.
    #[test]
    fn packets_do_not_matter(text in keys(), end in Just(b"\r")) {
        // `^C` does not wait for its turn: it takes back what came before it, held or not yet.
        prop_assume!(!text.contains(&3));
        let submissions = |pieces: &[&[u8]]| {
            let mut world = World::new();
            let mut out = Vec::new();
            let up = [
                marker("H;bash;5.2;;;check"), marker("A"), b"$ ".to_vec(), marker("B"),
            ].concat();
            world.gate.target(&up, world.now, &mut out);
            out.clear();
            let mut submissions = Vec::new();
            for piece in pieces {
                world.gate.agent(piece, world.now, &mut out);
            }
            for effect in out {
                if let Effect::Submit(submission) = effect {
                    submissions.push(submission);
                }
            }
            submissions
        };
        let all = [text.as_slice(), end].concat();
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        prop_assert_eq!(submissions(&[&all]), submissions(&bytes));
    }
}

/// `LINE_GATE_CASES=1000000 cargo test -p expacti-line --test boundary` for a long run.
fn cases() -> u32 {
    std::env::var("LINE_GATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}
