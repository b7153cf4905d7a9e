//! The second step of an allow, and the time in which it can be taken back.

use crossterm::event::KeyCode;
use expacti_protocol::command::CommandState;
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};

use super::{TestScreen, request, support};
use crate::model::{Confirm, ConfirmKind, Effect, LinkMsg, Mode, Msg};

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
        let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
    b.model.settings.confirm =
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
    let mut b = TestScreen::new(120, 35);
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
        let mut b = TestScreen::new(120, 35);
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
fn high_allows_can_be_taken_back_for_two_seconds() {
    let held = || {
        let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
fn ending_a_session_asks_first() {
    let mut b = TestScreen::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web)));
    b.wait(600);
    let kills = |b: &TestScreen| {
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
fn quitting_with_a_held_allow_asks_once() {
    let quits = |b: &TestScreen| b.effects.iter().filter(|e| **e == Effect::Quit).count();
    let mut b = TestScreen::new(120, 35);
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
