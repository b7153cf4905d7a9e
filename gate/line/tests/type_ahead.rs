//! What is typed ahead, while the prompt is still on its way, and what a probe may say about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_line::editor::History;
use expacti_line::remote::{Nonce, Probe};
use expacti_line::session::{Effect, Kind, Label, LineGate, Submission, Verdict};

fn marker(payload: &str) -> String {
    format!("\x1b]133;{};{payload}\x07", "07".repeat(16))
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A gate whose shell runs a command since `ms(0)`.
fn running() -> LineGate {
    let mut gate = LineGate::new(Nonce::new([7; 16]), 80, 24, History::default(), ms(0));
    let mut out = Vec::new();
    let up = [marker("H;bash;5.2;/dev/pts/3;99;check"), marker("A"), "$ ".to_owned(), marker("B")];
    gate.target(format!("{}\x1b[?2004h", up.concat()).as_bytes(), ms(0), &mut out);
    gate.agent(b"yes\r", ms(0), &mut out);
    gate.verdict(Verdict::Approved { grant: false }, ms(0), &mut out);
    for said in
        [marker("D;0"), marker("K;U;"), marker("K;U;yes"), "yes\r\n\x1b[?2004l\r".to_owned()]
    {
        gate.target(said.as_bytes(), ms(0), &mut out);
    }
    gate.target(format!("{}y\r\ny\r\n", marker("C")).as_bytes(), ms(0), &mut out);
    assert!(out.contains(&Effect::Started), "{out:?}");
    gate
}

fn submissions(out: &[Effect]) -> Vec<&Submission> {
    out.iter().filter_map(submission).collect()
}

fn submission(effect: &Effect) -> Option<&Submission> {
    match effect {
        Effect::Submit(submission) => Some(submission),
        _ => None,
    }
}

/// The shell itself, with its line editor on.
fn editing() -> Option<Probe> {
    Some(Probe { echo: false, canonical: false, pid: Some(99), ..Probe::default() })
}

fn reading(echo: bool) -> Option<Probe> {
    Some(Probe { echo, canonical: true, pid: Some(99), ..Probe::default() })
}

#[test]
fn a_line_typed_while_the_prompt_is_on_its_way_is_a_line_for_the_prompt() {
    let mut gate = running();
    let mut out = Vec::new();
    gate.target(b"y\r\n", ms(1000), &mut out);
    gate.agent(b"echo next\r", ms(1010), &mut out);
    assert!(out.contains(&Effect::Probe), "{out:?}");
    gate.probed(editing(), ms(1050), &mut out);
    gate.tick(ms(1290), &mut out);
    assert!(submissions(&out).is_empty(), "{out:?}");
    let prompt = [marker("D;130"), marker("A"), "$ ".to_owned(), marker("B")].concat();
    gate.target(prompt.as_bytes(), ms(1295), &mut out);
    let [submission] = submissions(&out)[..] else { panic!("{out:?}") };
    assert_eq!((submission.kind, submission.label), (Kind::Line, Label::Verified));
    assert_eq!(submission.bytes, b"echo next");
}

#[test]
fn without_a_prompt_they_are_keys_for_the_shell() {
    let mut gate = running();
    let mut out = Vec::new();
    gate.target(b"Press any key", ms(1000), &mut out);
    gate.agent(b"k", ms(1010), &mut out);
    gate.probed(editing(), ms(1050), &mut out);
    assert!(submissions(&out).is_empty(), "{out:?}");
    assert!(gate.deadline().is_some_and(|at| at <= ms(1300)), "{:?}", gate.deadline());
    gate.tick(ms(1300), &mut out);
    gate.tick(ms(1600), &mut out);
    let [submission] = submissions(&out)[..] else { panic!("{out:?}") };
    assert_eq!((submission.kind, submission.bytes.as_slice()), (Kind::Keys, b"k".as_slice()));
}

#[test]
fn the_last_answer_of_a_probe_says_nothing_of_what_is_asked_again() {
    let mut gate = running();
    let mut out = Vec::new();
    gate.target(b"Password: ", ms(1000), &mut out);
    gate.agent(b"x\r", ms(1010), &mut out);
    gate.probed(reading(false), ms(1050), &mut out);
    assert_eq!(submissions(&out)[0].label, Label::NoEcho, "{out:?}");
    gate.verdict(Verdict::Approved { grant: false }, ms(1100), &mut out);
    out.clear();
    gate.target(b"\r\nName? ", ms(1450), &mut out);
    // The keys come one by one; the first one asks.
    for key in b"me\r" {
        gate.agent(&[*key], ms(1500), &mut out);
    }
    assert!(submissions(&out).is_empty(), "{out:?}");
    gate.probed(reading(true), ms(1550), &mut out);
    let [submission] = submissions(&out)[..] else { panic!("{out:?}") };
    assert_eq!((submission.label, submission.secret), (Label::Cooked, false));
}
