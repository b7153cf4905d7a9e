//! A request takes an allow only after it was looked at, to its end.

use expacti_protocol::command::{CommandState, CommandText};
use expacti_protocol::digest::Digest;

use super::{TestScreen, request};
use crate::model::Msg;

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
        let mut b = TestScreen::new(120, 35);
        b.pending(&request("0001", 10));
        b.wait(wait);
        b.keys(keys);
        assert_eq!((b.allowed().len(), b.denied().len()), (allowed, denied), "{wait} ms, {keys}");
    }
}

#[test]
fn what_was_not_drawn_cannot_be_decided() {
    for keys in ["a", "d", "Dno\n"] {
        let mut b = TestScreen::new(120, 35);
        b.blind = true;
        b.pending(&request("0001", 10));
        b.wait(1000);
        b.keys(keys);
        assert!(b.decisions().is_empty(), "{keys}");
    }
}

#[test]
fn a_held_key_never_allows() {
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
fn allow_is_locked_until_the_end_was_shown() {
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
    b.pending(&view);
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

#[test]
fn a_script_that_ends_its_last_line_can_be_allowed() {
    for text in ["echo 1\n", "echo 1\n\n", "\n", "echo 1\r\n"] {
        let mut b = TestScreen::new(120, 35);
        let mut view = request("0001", 10);
        view.text = CommandText::new(text.as_bytes());
        view.sha256 = Digest::of(text.as_bytes());
        b.pending(&view);
        b.wait(600);
        b.keys("a");
        assert_eq!(b.allowed(), ["0001"], "{text:?}\n{}", b.text());
    }
}

#[test]
fn a_new_revision_is_armed_afresh() {
    let mut b = TestScreen::new(120, 35);
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
    let mut b = TestScreen::new(120, 35);
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
fn a_tiny_screen_can_deny() {
    for (cols, rows) in [(40, 12), (39, 12), (40, 11), (20, 6)] {
        let mut b = TestScreen::new(cols, rows);
        b.pending(&request("0001", 10));
        b.wait(600);
        b.keys("a");
        assert_eq!(b.allowed().len(), usize::from(cols >= 40 && rows >= 12), "{cols}x{rows}");
        let mut b = TestScreen::new(cols, rows);
        b.pending(&request("0001", 10));
        b.wait(600);
        b.keys("d");
        assert_eq!(b.denied().len(), 1, "{cols}x{rows}");
    }
}

#[test]
fn coming_back_to_the_window_arms_afresh() {
    let mut b = TestScreen::new(120, 35);
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
fn a_slow_terminal_arms_later() {
    let mut b = TestScreen::new(120, 35);
    b.model.arming.terminal_delay = 800;
    b.pending(&request("0001", 60));
    b.wait(1_299);
    b.keys("a");
    assert!(matches!(b.model.mode, crate::model::Mode::Normal));
    b.wait(1_300);
    b.keys("a");
    b.wait(1_299);
    b.keys("y");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    b.keys("y");
    b.wait(3_000);
    assert_eq!(b.allowed(), ["0001"]);
    assert!(b.shows("terminal 800ms"), "{}", b.text());
}
