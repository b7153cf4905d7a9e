//! Any keys, any output, any verdicts, in any order: what lets bytes out is an approval, used once;
//! one item is under review at a time; and without an approval nothing but `^C` is typed.
//!
//! The input is read as steps: a byte that says what happens, then its data. `0xff` stands for the
//! beginning of a marker with the session's nonce, which a fuzzer would not find.
#![no_main]

use std::time::Duration;

use expacti_line::Const;
use expacti_line::editor::History;
use expacti_line::session::{Effect, LineGate, Verdict};
use expacti_line::remote::{Nonce, Probe};
use libfuzzer_sys::fuzz_target;

struct World {
    gate: LineGate,
    now: Duration,
    held: bool,
    /// An approval that was not used yet.
    approved: bool,
    /// A delivery has begun: constants may be typed.
    delivering: bool,
    granted: bool,
}

impl World {
    fn effects(&mut self, effects: Vec<Effect>, from_agent: bool) {
        for effect in effects {
            match effect {
                Effect::Submit(submission) => {
                    assert!(!std::mem::replace(&mut self.held, true), "two items under review");
                    assert!(submission.bytes.len() <= 1 << 20);
                }
                Effect::TypeItem => {
                    assert!(std::mem::take(&mut self.approved), "typed without an approval");
                }
                Effect::Unsent(_) => {
                    assert!(std::mem::take(&mut self.approved), "nothing was approved");
                }
                Effect::Keys(_) => assert!(self.granted, "keys without a grant"),
                Effect::GrantOver => self.granted = false,
                Effect::Type(what) => {
                    assert!(what == Const::Interrupt || self.delivering, "{what:?} out of nothing");
                    assert!(what == Const::Interrupt || !from_agent, "{what:?} by a key");
                }
                _ => {}
            }
        }
    }

    fn verdict(&mut self, verdict: Verdict, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.held) {
            if let Verdict::Approved { grant } = verdict {
                (self.approved, self.delivering) = (true, true);
                self.granted |= grant;
            }
            self.gate.verdict(verdict, self.now, out);
        }
    }

    fn step(&mut self, what: u8, data: &[u8]) {
        let mut out = Vec::new();
        let first = data.first().copied().unwrap_or(0);
        let from_agent = what % 16 < 4;
        match what % 16 {
            0..4 => self.gate.agent(data, self.now, &mut out),
            4..8 => {
                let mut bytes = Vec::new();
                for byte in data {
                    match byte {
                        0xff => {
                            let nonce = "07".repeat(16);
                            bytes.extend_from_slice(format!("\x1b]133;{nonce};").as_bytes());
                        }
                        byte => bytes.push(*byte),
                    }
                }
                self.gate.target(&bytes, self.now, &mut out);
            }
            8 => {
                self.now += Duration::from_millis(u64::from(first) * 16);
                self.gate.tick(self.now, &mut out);
            }
            9 => {
                let rows = data.get(1).copied().unwrap_or(0);
                self.gate.resize(u16::from(first), u16::from(rows), self.now, &mut out);
            }
            10 => {
                let probe = (first > 0).then(|| Probe {
                    echo: first & 1 != 0,
                    canonical: first & 2 != 0,
                    foreground: (first & 4 != 0).then(|| format!("prog{} -x", first >> 4)),
                    pid: Some(u32::from(first >> 3)),
                    ..Probe::default()
                });
                self.gate.probed(probe, self.now, &mut out);
            }
            11 => self.gate.check(self.now, &mut out),
            12 => self.verdict(Verdict::Approved { grant: first & 1 != 0 }, &mut out),
            13 => self.verdict(Verdict::Refused("no".to_owned()), &mut out),
            14 if first & 1 != 0 => self.verdict(Verdict::Withdrawn, &mut out),
            14 => self.verdict(Verdict::Changed, &mut out),
            _ if first & 1 != 0 => self.gate.end_grant(&mut out),
            _ => self.gate.status("waiting", &mut out),
        }
        self.effects(out, from_agent);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let gate = LineGate::new(Nonce::new([7; 16]), 40, 10, History::default(), Duration::ZERO);
    let mut world = World {
        gate,
        now: Duration::ZERO,
        held: false,
        approved: false,
        delivering: false,
        granted: false,
    };
    let mut rest = bytes;
    while let [what, length, data @ ..] = rest {
        let (data, after) = data.split_at(usize::from(*length).min(data.len()));
        world.step(*what, data);
        rest = after;
    }
});
