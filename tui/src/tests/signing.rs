//! Allows that a key signs: when it is asked, what is sent, and what becomes of it meanwhile.

use expacti_protocol::command::CommandState;
use expacti_protocol::reviewer::DecisionMessage;
use expacti_protocol::signed::SignedText;

use super::{TestScreen, request};
use crate::model::{Effect, LinkMsg, Msg};

/// A screen of somebody with a key that wants to be touched.
fn screen() -> TestScreen {
    let mut b = TestScreen::new(120, 35);
    b.model.settings.signs = Some(true);
    b
}

/// What the key was asked to sign, in order.
fn asked(b: &TestScreen) -> Vec<DecisionMessage> {
    let asked = |effect: &Effect| match effect {
        Effect::Sign(message, _) => Some((**message).clone()),
        _ => None,
    };
    b.effects.iter().filter_map(asked).collect()
}

fn stopped(b: &TestScreen) -> usize {
    b.effects.iter().filter(|effect| matches!(effect, Effect::StopSigning(_))).count()
}

fn signed() -> SignedText {
    SignedText { statement: "{}".into(), signature: "SSHSIG".into() }
}

fn answer(b: &mut TestScreen, message: &DecisionMessage, answer: Result<SignedText, String>) {
    b.msg(Msg::Signed(Box::new(message.clone()), answer));
}

#[test]
fn an_allow_is_sent_once_it_is_signed() {
    let mut b = screen();
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty(), "nothing goes unsigned");
    assert!(b.shows("TOUCH KEY"), "{}", b.text());
    let message = asked(&b).remove(0);
    assert!(message.allow && message.signature.is_none());
    answer(&mut b, &message, Ok(signed()));
    let sent = b.decisions()[0];
    assert_eq!(sent.statement.as_deref(), Some("{}"));
    assert_eq!(sent.signature.as_deref(), Some("SSHSIG"));
    assert_eq!((&sent.id, sent.r#ref), (&message.id, message.r#ref));
    assert!(b.shows("sending"), "{}", b.text());
    // The same answer once more sends nothing.
    answer(&mut b, &message, Ok(signed()));
    assert_eq!(b.decisions().len(), 1);
}

#[test]
fn a_denial_is_not_signed_and_takes_a_signature_back() {
    let mut b = screen();
    let view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    let message = asked(&b).remove(0);
    b.wait(600);
    b.keys("k");
    b.wait(600);
    b.keys("d");
    assert_eq!(stopped(&b), 1, "the key need not blink any more");
    let sent = b.decisions();
    assert_eq!((sent.len(), sent[0].allow, &sent[0].id), (1, false, &view.id));
    // A touch that comes too late allows nothing.
    answer(&mut b, &message, Ok(signed()));
    assert_eq!(b.decisions().len(), 1);
}

#[test]
fn what_changes_or_ends_meanwhile_is_not_allowed() {
    // It changes.
    let mut b = screen();
    let mut view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    let message = asked(&b).remove(0);
    view.revision += 1;
    b.updated(&view);
    answer(&mut b, &message, Ok(signed()));
    assert!(b.decisions().is_empty());
    assert!(b.shows("changed while it was signed"), "{}", b.text());
    // It ends.
    let mut b = screen();
    let view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    let message = asked(&b).remove(0);
    b.ended(&view, CommandState::Expired);
    answer(&mut b, &message, Ok(signed()));
    assert!(b.decisions().is_empty());
    // The connection breaks.
    let mut b = screen();
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    let message = asked(&b).remove(0);
    b.msg(Msg::Link(LinkMsg::Down { why: "reset".into(), retry_in: 2_000 }));
    assert_eq!(stopped(&b), 1);
    answer(&mut b, &message, Ok(signed()));
    assert!(b.decisions().is_empty());
}

#[test]
fn a_key_that_does_not_sign_says_why_and_may_be_asked_again() {
    let mut b = screen();
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("a");
    let message = asked(&b).remove(0);
    answer(&mut b, &message, Err("the touch timed out\u{1b}[2J".into()));
    assert!(b.decisions().is_empty());
    assert!(b.shows("not signed: the touch timed out"), "{}", b.text());
    b.wait(600);
    b.keys("k");
    b.wait(600);
    b.keys("a");
    let again = asked(&b);
    assert_eq!(again.len(), 2);
    answer(&mut b, &again[1], Ok(signed()));
    assert_eq!(b.decisions().len(), 1);
}

#[test]
fn whoever_signs_does_not_go_by_the_brokers_level() {
    let mut view = request("0001", 0);
    view.text.command = "rm -rf /srv/data".into();
    view.sha256 = expacti_protocol::digest::Digest::of(view.text.command.as_bytes());
    assert_eq!(view.level, expacti_engine::Level::Low);
    let mut b = screen();
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    assert!(asked(&b).is_empty(), "one key is not enough");
    assert!(b.shows("the broker calls it LOW"), "{}", b.text());
    // Without a key there is only the broker's word.
    let mut b = TestScreen::new(120, 35);
    b.pending(&view);
    b.wait(600);
    b.keys("a");
    assert_eq!(b.decisions().len(), 1);
}
