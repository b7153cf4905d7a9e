//! Text, pastes and the mouse never decide.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::reviewer::ReviewerEvent;
use proptest::prelude::*;

use super::{TestScreen, request};
use crate::model::{LinkMsg, Mode, Msg};

#[test]
fn text_never_decides() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("/aadDy\n");
    assert_eq!(b.model.requests.filter, "aadDy");
    assert!(b.decisions().is_empty());
    b.code(KeyCode::Esc);
    b.code(KeyCode::Esc);
    b.wait(600);
    b.keys("Da y d\n");
    assert_eq!(b.allowed().len(), 0);
    let sent = b.decisions();
    assert_eq!(sent[0].comment.as_deref(), Some("a y d"));
    assert_eq!(sent.len(), 1);
}

#[test]
fn a_comment_belongs_to_its_request() {
    let mut b = TestScreen::new(120, 35);
    let first = request("0001", 10);
    b.pending(&first);
    b.wait(600);
    b.keys("Dno");
    b.ended(&first, CommandState::Withdrawn);
    b.pending(&request("0002", 10));
    b.keys("\n");
    assert!(b.decisions().is_empty());
    assert!(b.shows("not sent: too late: withdrawn"), "{}", b.text());
}

#[test]
fn enter_the_mouse_and_pastes_decide_nothing() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("\n\n\n");
    for kind in [
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::ScrollDown,
    ] {
        for row in 0..35 {
            for column in (0..120).step_by(3) {
                let modifiers = KeyModifiers::NONE;
                b.msg(Msg::Mouse(MouseEvent { kind, column, row, modifiers }));
            }
        }
    }
    for text in ["a", "d", "y\n", "web-1\n", "aaaa\nyyyy\n"] {
        b.msg(Msg::Paste(text.into()));
    }
    assert!(b.decisions().is_empty());
    // A click selects.
    let (column, row, modifiers) = (5, 2, KeyModifiers::NONE);
    let kind = MouseEventKind::Down(MouseButton::Left);
    b.msg(Msg::Mouse(MouseEvent { kind, column, row, modifiers }));
    assert_eq!(b.selected(), "0001");
    b.msg(Msg::Mouse(MouseEvent { kind, column, row: row + 1, modifiers }));
    assert_eq!(b.selected(), "0002");
    // Nor does a paste into the question.
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 90));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.msg(Msg::Paste("web-1".into()));
    b.keys("\n");
    b.wait(5_000);
    assert!(b.decisions().is_empty());
}

#[test]
fn deny_with_a_comment_opens_its_field_in_any_case() {
    // Right after a decision the next request is under the finger.
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("a");
    b.keys("Dalways use a dry run");
    b.wait(5_000);
    b.keys("and ask");
    assert_eq!((b.allowed(), b.denied()), (vec!["0001"], vec![]));
    b.keys("\n");
    assert_eq!(b.denied(), ["0002"]);
    assert_eq!(b.decisions()[1].comment.as_deref(), Some("always use a dry runand ask"));
    // Enter waits until it was looked at; the text stays.
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("dDno\n");
    assert_eq!(b.denied(), ["0001"]);
    b.wait(500);
    b.keys("\n");
    assert_eq!(b.denied(), ["0001", "0002"]);
    assert_eq!(b.decisions()[1].comment.as_deref(), Some("no"));
    // Nothing there, and then something.
    let mut b = TestScreen::new(120, 35);
    b.keys("D");
    assert!(b.shows("NOTHING TO DENY"), "{}", b.text());
    b.pending(&request("0001", 10));
    b.wait(1_000);
    b.keys("a bad idea\n");
    b.keys("a");
    assert!(b.decisions().is_empty(), "{}", b.text());
    b.wait(500);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
}

#[test]
fn a_field_that_closes_by_itself_swallows_the_rest() {
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 90);
    b.pending(&view);
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("we");
    view.revision += 1;
    b.updated(&view);
    for c in "b-1 add d D".chars() {
        b.wait(400);
        b.keys(&c.to_string());
    }
    b.msg(Msg::Paste("d".into()));
    assert!(b.decisions().is_empty() && matches!(b.model.mode, Mode::Normal));
    b.wait(500);
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

/// What happens around a comment that is being typed.
#[derive(Debug, Clone)]
enum Step {
    Key(char),
    Backspace,
    Paste(String),
    Wait(u64),
    New(u8),
    End(usize),
    Revise(usize),
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => prop::sample::select("aaaayyyydDuwgnjkqKpvwebtRhA?/ -1".chars().collect::<Vec<_>>()).prop_map(Step::Key),
        1 => Just(Step::Backspace),
        1 => prop::sample::select(vec!["a", "y", "web-1"]).prop_map(|t| Step::Paste(t.into())),
        6 => prop::sample::select(vec![10, 100, 499, 500, 700, 3_000]).prop_map(Step::Wait),
        2 => (0u8..100).prop_map(Step::New),
        1 => (0usize..8).prop_map(Step::End),
        1 => (0usize..8).prop_map(Step::Revise),
        1 => Just(Step::Drop),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..40)
}

fn perform(b: &mut TestScreen, views: &mut Vec<CommandView>, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Key(c) => b.keys(&c.to_string()),
            Step::Backspace => b.code(KeyCode::Backspace),
            Step::Paste(text) => b.msg(Msg::Paste(text)),
            Step::Wait(ms) => b.wait(ms),
            Step::New(score) => {
                let mut view = request(&format!("{:04}", views.len()), score);
                view.deadline_ms += i64::try_from(b.model.clock.now).unwrap();
                b.pending(&view);
                views.push(view);
            }
            Step::End(n) => {
                if let Some(view) = views.get(n) {
                    b.ended(view, CommandState::Expired);
                }
            }
            Step::Revise(n) => {
                if let Some(view) = views.get_mut(n) {
                    view.revision += 1;
                    b.updated(view);
                }
            }
            Step::Drop => {
                b.msg(Msg::Link(LinkMsg::Down { why: "gone".into(), retry_in: 100 }));
                b.connect();
                for view in views.iter() {
                    b.pending(view);
                }
                b.event(ReviewerEvent::Synced);
            }
        }
    }
}

/// `PROPTEST_CASES=2000` for a longer run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was going on, and whatever follows: what is typed after `D` decides nothing.
    #[test]
    fn no_key_after_deny_with_comment_decides(before in steps(), after in steps()) {
        let mut b = TestScreen::new(80, 24);
        let mut views = Vec::new();
        perform(&mut b, &mut views, before);
        // Held allows have gone out, questions are closed, and texts are over.
        b.code(KeyCode::Esc);
        b.code(KeyCode::Esc);
        b.wait(2_500);
        if !matches!(b.model.mode, Mode::Normal) {
            return Ok(());
        }
        let decided = b.decisions().len();
        b.keys("D");
        perform(&mut b, &mut views, after);
        b.wait(2_500);
        prop_assert_eq!(b.decisions().len(), decided);
        // Enter sends the denial, or nothing.
        b.code(KeyCode::Enter);
        b.wait(2_500);
        prop_assert!(b.decisions().get(decided..).unwrap().iter().all(|d| !d.allow));
    }
}
