//! Notifications, filter, reconnects and wake-ups.

use expacti_protocol::reviewer::ReviewerEvent;

use super::{TestScreen, request, support};
use crate::model::{Effect, Msg, Notice, NoticeAction};

fn notices(b: &TestScreen) -> Vec<&Notice> {
    b.effects
        .iter()
        .filter_map(|e| match e {
            Effect::Notify(n) => Some(n),
            _ => None,
        })
        .collect()
}

#[test]
fn people_are_told_but_not_flooded() {
    let mut b = TestScreen::new(120, 35);
    b.model.alerts.desktop = true;
    b.model.alerts.bell = true;
    for i in 0..50 {
        b.pending(&request(&format!("{i:04}"), 10 + i));
        b.wait(20);
    }
    b.wait(3_000);
    let told = notices(&b);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].title, "LOW: fixbot on web-1");
    assert_eq!(told[1].title, "49 requests wait, the worst is HIGH");
    assert_eq!(b.effects.iter().filter(|e| **e == Effect::Bell).count(), 2);
    b.keys("m");
    b.pending(&request("0099", 90));
    b.wait(10_000);
    assert_eq!(notices(&b).len(), 2, "muted");
}

#[test]
fn notifications_hold_no_secrets() {
    let mut b = TestScreen::new(120, 35);
    b.model.alerts.desktop = true;
    let web = support::session("7c1a", "fixbot", "web-1");
    let mut view = support::request("0001", &web, "mysql -psecret", 60, 60);
    view.masked = Some("mysql -p•••".into());
    b.pending(&view);
    b.wait(100);
    let told = notices(&b);
    assert!(told[0].body.contains("•••") && !told[0].body.contains("secret"), "{told:?}");
    assert!(told[0].urgent);
}

#[test]
fn requests_known_from_before_are_not_told_again() {
    let mut b = TestScreen::new(120, 35);
    b.model.alerts.desktop = true;
    let view = request("0001", 10);
    b.pending(&view);
    b.wait(5_000);
    b.connect();
    b.pending(&view);
    b.event(ReviewerEvent::Synced);
    b.wait(5_000);
    assert_eq!(notices(&b).len(), 1);
}

#[test]
fn the_filter_says_what_it_hides() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 60));
    b.pending(&request("0003", 90));
    b.keys("/level:high\n");
    assert_eq!(b.model.requests.rows().len(), 2);
    assert!(b.shows("1 hidden by the filter") && b.shows("filter: level:high"), "{}", b.text());
    assert_eq!(b.selected(), "0001", "the filter does not move the selection");
    b.keys("/");
    b.code(crossterm::event::KeyCode::Esc);
    assert_eq!(b.model.requests.rows().len(), 3);
    for (filter, rows) in [("app-0003", 1), ("target:web", 3), ("agent:nobody", 0), ("anomaly", 0)]
    {
        b.model.requests.filter = filter.into();
        assert_eq!(b.model.requests.rows().len(), rows, "{filter}");
    }
}

#[test]
fn idle_means_asleep() {
    let mut b = TestScreen::new(120, 35);
    b.wait(10_000);
    let wake = b.model.next_wake().unwrap() - b.model.clock.now;
    assert!(wake > 1_000, "nothing counts down, and yet a wake-up in {wake} ms");
    b.pending(&request("0001", 10));
    b.wait(5_000);
    let wake = b.model.next_wake().unwrap() - b.model.clock.now;
    assert!((1..=1_000).contains(&wake), "{wake}");
}

#[test]
fn sessions_are_watched_one_at_a_time() {
    let mut b = TestScreen::new(120, 35);
    for (id, target) in [("000a", "web-1"), ("000b", "db-2")] {
        let s = support::session(id, "bot", target);
        b.event(ReviewerEvent::SessionOpened(Box::new(s)));
    }
    b.wait(600);
    assert_eq!(b.model.watching.terminals.len(), 1);
    b.keys("2jkjkj");
    b.wait(600);
    assert_eq!(b.model.watching.terminals.len(), 1);
    let watches: Vec<_> = b
        .effects
        .iter()
        .filter(|e| {
            matches!(e, Effect::Send(expacti_protocol::reviewer::ReviewerRequest::Watch { .. }))
        })
        .collect();
    assert!(watches.len() <= 3, "resting, not passing by, is watched: {watches:?}");
}

#[test]
fn a_closed_decision_leaves_the_queue() {
    let mut b = TestScreen::new(120, 35);
    let view = request("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("d");
    let mut done = view.clone();
    done.revision += 1;
    done.state = expacti_protocol::command::CommandState::Denied;
    b.updated(&done);
    assert!(b.shows("✗ denied"), "{}", b.text());
    assert!(b.shows("Nothing to review") && b.shows("last: 14:22:07 denied"), "{}", b.text());
    b.wait(5_000);
    assert!(b.model.requests.items.is_empty());
    b.pending(&request("0002", 10));
    assert_eq!(b.selected(), "0002");
}

#[test]
fn quiet_hours() {
    // The tests' clock says 14:22.
    for (hours, told) in [
        ("14:00-15:00", 0),
        ("14:22-14:23", 0),
        ("22:00-15:00", 0),
        ("15:00-14:00", 1),
        ("09:00-14:22", 1),
        ("00:00-00:00", 1),
    ] {
        let mut b = TestScreen::new(120, 35);
        b.model.alerts.desktop = true;
        b.model.alerts.quiet = Some(hours.parse().unwrap());
        b.pending(&request("0001", 90));
        b.wait(100);
        assert_eq!(notices(&b).len(), told, "{hours:?}");
    }
}

#[test]
fn repeated_approvals_offer_a_rule() {
    let mut b = TestScreen::new(120, 35);
    b.model.reviewer.role = expacti_protocol::principal::Role::Owner;
    for id in ["0001", "0002", "0003"] {
        let mut view = request("0000", 10);
        view.id = support::cmd(id);
        b.pending(&view);
        b.wait(600);
        assert_eq!(b.shows("you allowed exactly this 2 times: w proposes"), id == "0003");
        b.keys("a");
        let r#ref = b.decisions().last().unwrap().r#ref;
        b.event(ReviewerEvent::Ack { r#ref });
    }
}

#[test]
fn every_pane_is_reached_at_every_size() {
    for (cols, rows) in [(120, 35), (80, 24), (40, 12)] {
        let mut b =
            super::pictures::scene(cols, rows, crate::theme::Theme { colour: true, ascii: false });
        let mut titles = Vec::new();
        for _ in 0..4 {
            b.code(crossterm::event::KeyCode::Tab);
            titles.push((b.shows("Sessions"), b.shows("Live"), b.shows("Request")));
        }
        let any = |f: fn(&(bool, bool, bool)) -> bool| titles.iter().any(f);
        assert!(any(|t| t.0) && any(|t| t.1) && any(|t| t.2), "{cols}x{rows}");
    }
}

#[test]
fn the_buttons_of_a_notification_open_and_deny() {
    let mut b = TestScreen::new(120, 35);
    b.model.alerts.desktop = true;
    b.pending(&request("0001", 10));
    b.wait(4_000);
    b.pending(&request("0002", 90));
    b.wait(4_000);
    let told = notices(&b);
    assert!(told.iter().all(|n| n.deny && n.id.is_some()), "{told:?}");
    let click = |b: &mut TestScreen, id: &str, click| b.msg(Msg::Clicked(support::cmd(id), click));
    click(&mut b, "0002", NoticeAction::Open);
    assert_eq!(b.selected(), "0002");
    b.keys("a");
    assert!(b.decisions().is_empty(), "it has just come on the screen");
    click(&mut b, "0001", NoticeAction::Deny);
    assert_eq!((b.denied(), b.selected()), (vec!["0001"], "0002"));
    click(&mut b, "0001", NoticeAction::Deny);
    assert_eq!(b.denied(), ["0001"], "once");
    // A text that is being typed is not taken away.
    b.keys("Dno");
    click(&mut b, "0001", NoticeAction::Open);
    b.wait(600);
    b.keys("t\n");
    assert_eq!(b.decisions().last().unwrap().comment.as_deref(), Some("not"));
    click(&mut b, "0099", NoticeAction::Deny);
    assert_eq!(b.denied().len(), 2);
    // Of several only the worst is opened.
    let mut b = TestScreen::new(120, 35);
    b.model.alerts.desktop = true;
    b.pending(&request("0001", 10));
    b.pending(&request("0002", 10));
    b.pending(&request("0003", 60));
    b.wait(10_000);
    let last = notices(&b).pop().unwrap();
    assert!(!last.deny && last.id == Some(support::cmd("0003")), "{last:?}");
}
