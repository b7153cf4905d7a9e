//! The safety rules of a decision, one by one.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use expacti_protocol::command::{CommandState, CommandText};
use expacti_protocol::digest::Digest;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent, ReviewerRequest};

use super::{Bench, request, support};
use crate::keymap::KeyMap;
use crate::model::{Confirm, ConfirmKind, Effect, LinkMsg, Mode, Msg, Stage};

#[test]
fn a_new_request_takes_only_deny_for_half_a_second() {
    for (wait, keys, allowed, denied) in [
        (0, "a", 0, 0),
        (499, "a", 0, 0),
        (500, "a", 1, 0),
        (0, "d", 0, 1),
        (499, "d", 0, 1),
        (500, "d", 0, 1),
    ] {
        let mut b = Bench::new(120, 35);
        b.pending(&request("0001", 10));
        b.wait(wait);
        b.keys(keys);
        assert_eq!((b.allowed().len(), b.denied().len()), (allowed, denied), "{wait} ms, {keys}");
    }
}

#[test]
fn what_was_not_drawn_cannot_be_decided() {
    for keys in ["a", "d", "Dno\n"] {
        let mut b = Bench::new(120, 35);
        b.blind = true;
        b.pending(&request("0001", 10));
        b.wait(1000);
        b.keys(keys);
        assert!(b.decisions().is_empty(), "{keys}");
    }
}

#[test]
fn a_held_key_never_allows() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    for _ in 0..200 {
        b.wait(33);
        b.keys("a");
    }
    assert!(b.decisions().is_empty());
    // Letting go and looking is enough.
    b.wait(500);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
}

#[test]
fn the_selection_never_moves_by_itself() {
    let mut b = Bench::new(120, 35);
    let shown = request("0005", 10);
    b.pending(&shown);
    b.wait(600);
    assert_eq!(b.selected(), "0005");
    let mut urgent = request("0001", 90);
    urgent.deadline_ms -= 50_000;
    b.pending(&urgent);
    assert_eq!(b.selected(), "0005");
    b.wait(5_000);
    b.ended(&urgent, CommandState::Expired);
    b.wait(10_000);
    assert_eq!(b.selected(), "0005");
    b.pending(&request("0002", 10));
    b.ended(&shown, CommandState::Expired);
    b.wait(60_000);
    assert_eq!(b.selected(), "0005", "an ended request stays until the reviewer moves on");
    assert!(b.shows("EXPIRED"), "{}", b.text());
    b.keys("a");
    assert!(b.decisions().is_empty());
    b.keys("n");
    assert_eq!(b.selected(), "0002");
}

#[test]
fn the_next_request_is_armed_afresh() {
    let mut b = Bench::new(120, 35);
    for id in ["0001", "0002", "0003"] {
        b.pending(&request(id, 10));
    }
    b.wait(600);
    b.keys("aaaaa");
    assert_eq!(b.allowed(), ["0001"]);
    assert_eq!(b.selected(), "0002");
    b.wait(500);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001", "0002"]);
    // A second tap of deny does not reach the request that came under the finger.
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("dd");
    b.wait(499);
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
    b.wait(1);
    b.keys("d");
    assert_eq!(b.denied(), ["0001", "0002"]);
}

#[test]
fn coming_back_to_a_request_arms_it_afresh() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("jka");
    assert!(b.decisions().is_empty());
    b.keys("?");
    b.wait(600);
    b.keys("qa");
    assert!(b.decisions().is_empty(), "the help hid the request");
}

#[test]
fn text_never_decides() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("/aadDy\n");
    assert_eq!(b.model.filter, "aadDy");
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
    let mut b = Bench::new(120, 35);
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
fn the_second_step_follows_the_level() {
    for (score, steps, allowed) in [
        (10, vec![], true),
        (30, vec![], true),
        (60, vec![], false),
        (60, vec!["y"], true),
        (60, vec!["\n"], false),
        (60, vec!["Y"], false),
        (60, vec!["xy"], false),
        (80, vec!["y"], false),
        (80, vec!["web-1\n"], true),
        (80, vec!["web-2\n"], false),
        (80, vec!["web-1"], false),
        (80, vec!["\n"], false),
    ] {
        let mut b = Bench::new(120, 35);
        b.pending(&request("0001", score));
        b.wait(600);
        b.keys("a");
        b.wait(600);
        for step in &steps {
            b.keys(step);
        }
        b.wait(2_000);
        assert_eq!(!b.allowed().is_empty(), allowed, "{score} {steps:?}");
    }
}

#[test]
fn the_second_step_needs_a_look_too() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 60));
    b.wait(600);
    // "always" typed into the wrong window.
    b.keys("always ");
    b.wait(5_000);
    assert!(b.allowed().is_empty());
    b.code(KeyCode::Esc);
    b.wait(600);
    b.keys("ayyyy");
    b.wait(5_000);
    assert!(b.allowed().is_empty());
}

#[test]
fn the_second_step_can_be_configured() {
    let mut b = Bench::new(120, 35);
    b.model.confirm =
        Confirm { low: ConfirmKind::TargetName, high: ConfirmKind::None, ..Confirm::default() };
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("web-1\n");
    assert_eq!(b.allowed(), ["0001"]);
    b.pending(&request("0002", 60));
    b.wait(600);
    b.keys("a");
    b.wait(1_999);
    assert_eq!(b.allowed().len(), 1, "held all the same");
    b.wait(1);
    assert_eq!(b.allowed(), ["0001", "0002"]);
}

#[test]
fn a_name_nobody_can_type_is_replaced_by_the_id() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0c2d", 90);
    view.session.target = "web-1\u{202e}".into();
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    assert!(b.shows("type 0c2d and press enter"), "{}", b.text());
    b.wait(600);
    b.keys("0c2d\n");
    b.wait(2_000);
    assert_eq!(b.allowed(), ["0c2d"]);
}

#[test]
fn a_question_ends_when_its_request_changes() {
    for score in [60, 80] {
        let mut b = Bench::new(120, 35);
        let mut view = request("0001", score);
        b.pending(&view);
        b.wait(600);
        b.keys("a");
        b.wait(600);
        view.revision += 1;
        b.updated(&view);
        b.keys(if score == 60 { "y" } else { "web-1\n" });
        b.wait(5_000);
        assert!(b.allowed().is_empty(), "{score}");
    }
}

#[test]
fn enter_the_mouse_and_pastes_decide_nothing() {
    let mut b = Bench::new(120, 35);
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
    let mut b = Bench::new(120, 35);
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
fn allow_is_locked_until_the_end_was_shown() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    let long: String = (0..60).map(|i| format!("echo {i}\n")).chain(["rm -rf /".into()]).collect();
    view.text = CommandText::new(long.as_bytes());
    view.sha256 = Digest::of(long.as_bytes());
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty());
    assert!(b.shows("end NOT shown"), "{}", b.text());
    assert!(b.shows("61 lines"), "{}", b.text());
    for _ in 0..10 {
        b.keys(" ");
        b.wait(100);
    }
    assert!(b.shows("rm -rf /") && b.shows("end shown"), "{}", b.text());
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
    // Denying does not need it.
    let mut b = Bench::new(120, 35);
    b.pending(&view);
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

#[test]
fn a_decision_names_what_was_shown() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    view.revision = 7;
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    let sent = b.decisions()[0];
    assert_eq!((&sent.id, sent.allow), (&view.id, true));
    assert_eq!((sent.sha256, sent.revision), (Some(view.sha256), Some(7)));
    assert!(sent.r#ref.is_some());
}

#[test]
fn a_new_revision_is_armed_afresh() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    view.revision += 1;
    b.updated(&view);
    b.keys("a");
    assert!(b.decisions().is_empty());
    b.wait(500);
    b.keys("a");
    assert_eq!(b.decisions()[0].revision, Some(2));
}

#[test]
fn bytes_that_are_not_the_digests_can_only_be_denied() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    view.sha256 = Digest::of(b"rm -rf /");
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty());
    assert!(b.shows("DO NOT MATCH THEIR DIGEST"), "{}", b.text());
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

#[test]
fn high_allows_can_be_taken_back_for_two_seconds() {
    let held = || {
        let mut b = Bench::new(120, 35);
        let view = request("0001", 60);
        b.pending(&view);
        b.wait(600);
        b.keys("a");
        b.wait(600);
        b.keys("y");
        assert!(b.shows("held 2s u"), "{}", b.text());
        (b, view)
    };
    let (mut b, _) = held();
    b.wait(1_999);
    assert!(b.decisions().is_empty());
    b.wait(1);
    assert_eq!(b.allowed(), ["0001"]);

    let (mut b, _) = held();
    b.wait(1_900);
    b.keys("u");
    b.wait(5_000);
    assert!(b.decisions().is_empty());
    assert_eq!(b.selected(), "0001");

    let (mut b, _) = held();
    b.msg(Msg::Link(LinkMsg::Down { why: "gone".into(), retry_in: 500 }));
    b.wait(5_000);
    assert!(b.decisions().is_empty());

    let (mut b, mut view) = held();
    view.revision += 1;
    b.updated(&view);
    b.wait(5_000);
    assert!(b.decisions().is_empty());
    assert!(b.shows("not sent: it changed"), "{}", b.text());

    let (mut b, view) = held();
    b.ended(&view, CommandState::Withdrawn);
    b.wait(5_000);
    assert!(b.decisions().is_empty());
}

#[test]
fn a_hold_does_not_outlive_the_deadline() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 60);
    view.deadline_ms = support::T0 + 2_500;
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("y");
    b.wait(5_000);
    assert!(b.decisions().is_empty());
    b.keys("a");
    assert!(b.decisions().is_empty());
}

#[test]
fn sent_is_not_done_and_late_is_said() {
    let mut b = Bench::new(120, 35);
    let first = request("0001", 10);
    b.pending(&first);
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("a");
    assert!(b.shows("sending"), "{}", b.text());
    b.wait(3_000);
    assert!(b.shows("no answer"), "{}", b.text());
    let r#ref = b.decisions()[0].r#ref;
    b.event(ReviewerEvent::Error {
        r#ref,
        code: ErrorCode::TooLate,
        message: "too late: denied by system:timeout".into(),
    });
    assert!(b.shows("REFUSED"), "{}", b.text());
    assert!(b.shows("allow of 0001 refused: too late"), "{}", b.text());
    // It stays until it is looked at.
    b.wait(60_000);
    assert!(b.shows("allow of 0001 refused"), "{}", b.text());
    b.code(KeyCode::Esc);
    assert!(!b.shows("allow of 0001 refused"), "{}", b.text());
}

#[test]
fn nothing_is_decided_twice() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("kgj");
    for _ in 0..5 {
        b.wait(600);
        b.keys("ad");
    }
    assert_eq!(b.decisions().len(), 1);
}

#[test]
fn disconnected_means_frozen() {
    let mut b = Bench::new(120, 35);
    let (first, second) = (request("0001", 10), request("0002", 10));
    b.pending(&first);
    b.pending(&second);
    b.wait(600);
    b.msg(Msg::Link(LinkMsg::Down { why: "connection reset".into(), retry_in: 2_000 }));
    b.wait(600);
    assert!(b.shows("DISCONNECTED") && b.shows("connection reset"), "{}", b.text());
    assert!(b.shows("Retry in 0:02"), "{}", b.text());
    b.keys("adD");
    assert!(b.decisions().is_empty());
    b.connect();
    b.keys("ad");
    assert!(b.decisions().is_empty(), "not everything is known yet");
    b.pending(&second);
    b.event(ReviewerEvent::Synced);
    b.wait(600);
    let pending: Vec<&str> = b.model.pending().map(|i| i.id().short()).collect();
    assert_eq!(pending, ["0002"], "what was not sent again is closed; nothing is doubled");
    b.keys("a");
    assert!(b.decisions().is_empty(), "the selection stayed on the closed one");
    b.keys("n");
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0002"]);
}

#[test]
fn an_unconfirmed_decision_is_said_to_be_one() {
    let mut b = Bench::new(120, 35);
    let view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    b.msg(Msg::Link(LinkMsg::Down { why: "gone".into(), retry_in: 500 }));
    b.connect();
    b.pending(&view);
    b.event(ReviewerEvent::Synced);
    assert!(b.shows("allow of 0001 not confirmed"), "{}", b.text());
    b.wait(600);
    assert_eq!(b.decisions().len(), 1);
    b.keys("a");
    assert_eq!(b.decisions().len(), 2, "by hand it can be decided again");
}

#[test]
fn our_vote_from_before_is_known() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    view.votes.push(expacti_protocol::command::VoteView {
        by: "mara".into(),
        allow: true,
        at: 0,
        comment: None,
    });
    b.pending(&view);
    assert_eq!(b.selected(), "", "there is nothing to do for us");
    b.keys("g");
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty());
    assert!(b.shows("you approved; 1 more needed"), "{}", b.text());
    // One deny still denies.
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

#[test]
fn a_viewer_only_looks() {
    let mut b = Bench::new(120, 35);
    b.model.role = Role::Viewer;
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("adDno\nK");
    assert!(b.effects.iter().all(|e| !matches!(
        e,
        Effect::Send(ReviewerRequest::Decision(_) | ReviewerRequest::Kill { .. })
    )));
}

#[test]
fn identical_requests_are_one_row_and_one_decision_each() {
    let mut b = Bench::new(120, 35);
    for id in ["0001", "0002", "0003"] {
        let mut view = request("0000", 10);
        view.id = support::cmd(id);
        b.pending(&view);
    }
    assert!(b.shows("×3"), "{}", b.text());
    assert_eq!(b.model.queue().len(), 1);
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
    assert!(b.shows("×2"), "{}", b.text());
    assert_eq!(b.selected(), "0002");
}

#[test]
fn a_tiny_screen_can_deny() {
    for (cols, rows) in [(40, 12), (39, 12), (40, 11), (20, 6)] {
        let mut b = Bench::new(cols, rows);
        b.pending(&request("0001", 10));
        b.wait(600);
        b.keys("a");
        assert_eq!(b.allowed().len(), usize::from(cols >= 40 && rows >= 12), "{cols}x{rows}");
        let mut b = Bench::new(cols, rows);
        b.pending(&request("0001", 10));
        b.wait(600);
        b.keys("d");
        assert_eq!(b.denied().len(), 1, "{cols}x{rows}");
    }
}

#[test]
fn ending_a_session_asks_first() {
    let mut b = Bench::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web)));
    b.wait(600);
    let kills = |b: &Bench| {
        b.effects.iter().filter(|e| matches!(e, Effect::Send(ReviewerRequest::Kill { .. }))).count()
    };
    b.keys("2Ky");
    assert_eq!(kills(&b), 0, "too early");
    b.wait(600);
    b.keys("n");
    assert!(matches!(b.model.mode, Mode::Normal));
    b.keys("K");
    b.wait(600);
    assert!(b.shows("END SESSION 7c1a of fixbot on web-1?"), "{}", b.text());
    b.keys("y");
    assert_eq!(kills(&b), 1);
}

#[test]
fn other_keys_can_be_configured() {
    let mut b = Bench::new(120, 35);
    b.model.keymap = KeyMap::with([("allow".to_owned(), vec!["x".to_owned()])]).unwrap();
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty());
    assert!(b.shows("x allow"), "{}", b.text());
    b.wait(500);
    b.keys("x");
    assert_eq!(b.allowed(), ["0001"]);
}

#[test]
fn an_older_state_does_not_undo_a_newer_one() {
    let mut b = Bench::new(120, 35);
    let mut view = request("0001", 10);
    b.pending(&view);
    view.revision = 3;
    view.state = CommandState::Denied;
    b.updated(&view);
    view.revision = 2;
    view.state = CommandState::Pending;
    b.updated(&view);
    let item = b.model.items.get(&view.id).unwrap();
    assert_eq!((item.state(), &item.stage), (CommandState::Denied, &Stage::Open));
}

#[test]
fn coming_back_to_the_window_arms_afresh() {
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.msg(Msg::Focus(false));
    b.wait(5_000);
    b.msg(Msg::Focus(true));
    b.keys("a");
    assert!(b.decisions().is_empty());
    b.wait(500);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
}

#[test]
fn quitting_with_a_held_allow_asks_once() {
    let quits = |b: &Bench| b.effects.iter().filter(|e| **e == Effect::Quit).count();
    let mut b = Bench::new(120, 35);
    b.pending(&request("0001", 60));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("yq");
    assert_eq!(quits(&b), 0);
    assert!(b.shows("an allow is still held"), "{}", b.text());
    b.keys("q");
    assert_eq!((quits(&b), b.decisions().len()), (1, 0));
}
