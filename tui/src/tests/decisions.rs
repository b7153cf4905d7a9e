//! What is sent, when it is refused, and who may decide.

use crossterm::event::KeyCode;
use expacti_protocol::command::CommandState;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent, ReviewerRequest};

use super::{TestScreen, request, support};
use crate::keymap::KeyMap;
use crate::model::{Effect, LinkMsg, Msg, Stage};

#[test]
fn a_decision_names_what_was_shown() {
    let mut b = TestScreen::new(120, 35);
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
fn an_allow_that_the_gate_does_not_deliver_is_no_allow() {
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    let r#ref = b.decisions()[0].r#ref;
    b.event(ReviewerEvent::Ack { r#ref });
    (view.state, view.allow, view.revision) = (CommandState::Allowed, Some(true), 2);
    b.updated(&view);
    assert!(b.shows("allowed"), "{}", b.text());
    (view.state, view.revision) = (CommandState::Withdrawn, 3);
    view.comment = Some("needs 1 signature; has none".into());
    b.updated(&view);
    assert!(b.shows("was allowed and did not run: needs 1 signature; has none"), "{}", b.text());
    assert!(!b.shows("last:"), "{}", b.text());
}

#[test]
fn sent_is_not_done_and_late_is_said() {
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("k<j");
    for _ in 0..5 {
        b.wait(600);
        b.keys("ad");
    }
    assert_eq!(b.decisions().len(), 1);
}

#[test]
fn disconnected_means_frozen() {
    let mut b = TestScreen::new(120, 35);
    let (first, second) = (request("0001", 10), request("0002", 10));
    b.pending(&first);
    b.pending(&second);
    b.wait(600);
    b.msg(Msg::Link(LinkMsg::Down { why: "connection reset".into(), retry_in: 2_000 }));
    b.wait(600);
    assert!(b.shows("DISCONNECTED") && b.shows("connection reset"), "{}", b.text());
    assert!(b.shows("Retry in 0:02"), "{}", b.text());
    b.keys("adDno\n");
    assert!(b.decisions().is_empty());
    b.code(KeyCode::Esc);
    b.connect();
    b.keys("ad");
    assert!(b.decisions().is_empty(), "not everything is known yet");
    b.pending(&second);
    b.event(ReviewerEvent::Synced);
    b.wait(600);
    let pending: Vec<&str> = b.model.requests.pending().map(|i| i.id().short()).collect();
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
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    view.votes.push(expacti_protocol::command::VoteView {
        by: "mara".into(),
        allow: true,
        at: 0,
        comment: None,
    });
    b.pending(&view);
    assert_eq!(b.selected(), "", "there is nothing to do for us");
    b.keys("<");
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
    let mut b = TestScreen::new(120, 35);
    b.model.reviewer.role = Role::Viewer;
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
    let mut b = TestScreen::new(120, 35);
    for id in ["0001", "0002", "0003"] {
        let mut view = request("0000", 10);
        view.id = support::cmd(id);
        b.pending(&view);
    }
    assert!(b.shows("×3"), "{}", b.text());
    assert_eq!(b.model.requests.rows().len(), 1);
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
    assert!(b.shows("×2"), "{}", b.text());
    assert_eq!(b.selected(), "0002");
}

#[test]
fn other_keys_can_be_configured() {
    let mut b = TestScreen::new(120, 35);
    b.model.settings.keymap = KeyMap::with([("allow".to_owned(), vec!["x".to_owned()])]).unwrap();
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
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    b.pending(&view);
    view.revision = 3;
    view.state = CommandState::Denied;
    b.updated(&view);
    view.revision = 2;
    view.state = CommandState::Pending;
    b.updated(&view);
    let item = b.model.requests.items.get(&view.id).unwrap();
    assert_eq!((item.state(), &item.stage), (CommandState::Denied, &Stage::Open));
}
