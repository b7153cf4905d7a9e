//! Items of interactive shells, previews, secrets and grants.

use crossterm::event::KeyCode;
use expacti_protocol::command::{
    CommandState, CommandView, Grant, Interactive, ItemKind, PromptLabel,
};
use expacti_protocol::gate::Stream;
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};

use super::{TestScreen, request, support};
use crate::model::{Answer, Effect, Fetch, Mode, Msg};

pub(crate) fn interactive(label: PromptLabel, foreground: Option<&str>) -> Interactive {
    Interactive {
        label,
        foreground: foreground.map(str::to_owned),
        secret: false,
        grantable: false,
    }
}

/// Keys for an editor, which a grant may follow.
pub(crate) fn keys(id: &str, score: u8) -> CommandView {
    let mut view = request(id, score);
    view.kind = ItemKind::Keys;
    view.preview = Some("Down Down d d : w q Enter".into());
    view.interactive = Some(Interactive {
        grantable: true,
        ..interactive(PromptLabel::Raw, Some("vim /etc/nginx/nginx.conf"))
    });
    view
}

fn password(id: &str) -> CommandView {
    let web = support::session("7c1a", "fixbot", "web-1");
    let mut view = support::request(id, &web, "hunter2", 10, 60);
    view.kind = ItemKind::Input;
    view.interactive = Some(Interactive {
        secret: true,
        ..interactive(PromptLabel::NoEcho, Some("sudo systemctl restart nginx"))
    });
    view
}

#[test]
fn where_the_bytes_go_is_said() {
    for (label, foreground, kind, expected) in [
        (PromptLabel::Verified, None, ItemKind::Line, "a line for the shell  at the prompt ✓"),
        (
            PromptLabel::Unverified,
            None,
            ItemKind::Line,
            "a line for what reads the terminal: not known  unverified prompt ▲",
        ),
        (
            PromptLabel::Cooked,
            Some("psql -d shop"),
            ItemKind::Input,
            "a line for psql -d shop  input to a program ▲",
        ),
        (PromptLabel::Raw, Some("vim"), ItemKind::Keys, "keys for vim  keys to a program ▲"),
    ] {
        let mut b = TestScreen::new(120, 35);
        let mut view = request("0001", 10);
        view.kind = kind;
        view.interactive = Some(interactive(label, foreground));
        b.pending(&view);
        assert!(b.shows(expected), "{expected}\n{}", b.text());
    }
}

#[test]
fn a_preview_must_be_seen_to_its_end_too() {
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    view.kind = ItemKind::File;
    let lines = (0..80).map(|i| format!("+line {i}\n")).collect::<String>();
    view.preview = Some(format!("--- a/app.conf\n+++ b/app.conf\n@@ -1,3 +1,80 @@\n-old\n{lines}"));
    b.pending(&view);
    b.wait(600);
    assert!(b.shows("DIFFERENCE 84 lines") && b.shows("+80 -1"), "{}", b.text());
    assert!(b.shows("┆ @@ -1,3") && b.shows("end NOT shown"), "{}", b.text());
    b.keys("a");
    assert!(b.decisions().is_empty());
    for _ in 0..12 {
        b.keys(" ");
        b.wait(100);
    }
    assert!(b.shows("+line 79") && b.shows("end shown"), "{}", b.text());
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
    // Another preview is another thing to look at.
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    view.preview = Some("x".into());
    b.pending(&view);
    b.wait(600);
    view.preview = Some("y\n".repeat(100));
    view.revision += 1;
    b.updated(&view);
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty(), "{}", b.text());
}

#[test]
fn a_secret_is_masked_until_asked_for() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&password("0001"));
    b.pending(&request("0002", 10));
    b.wait(600);
    assert!(!b.text().contains("hunter2") && b.shows("********"), "{}", b.text());
    assert!(b.shows("typed without echo: v shows it"), "{}", b.text());
    b.keys("c");
    assert!(b.effects.iter().all(|e| !matches!(e, Effect::Copy(_))));
    // Unseen it needs a second step, whatever its level.
    b.keys("a");
    assert!(b.shows("ALLOW 0001 UNSEEN"), "{}", b.text());
    b.code(KeyCode::Esc);
    b.keys("v");
    assert!(b.shows("hunter2"), "{}", b.text());
    let revealed = |e: &Effect| matches!(e, Effect::Send(ReviewerRequest::Reveal { id, .. }) if id.short() == "0001");
    assert!(b.effects.iter().any(revealed), "the log says who looked");
    b.keys("a");
    assert!(b.decisions().is_empty(), "what is shown now was not there before");
    // Elsewhere it stays masked, and coming back it is masked again.
    assert!(b.text().matches("hunter2").count() == 1, "{}", b.text());
    b.keys("jk");
    assert!(!b.text().contains("hunter2"), "{}", b.text());
    b.keys("v");
    b.wait(600);
    b.keys("a");
    assert_eq!(b.allowed(), ["0001"]);
    assert!(!b.text().contains("hunter2"), "{}", b.text());
    for effect in &b.effects {
        assert!(!matches!(effect, Effect::Notify(n) if format!("{n:?}").contains("hunter2")));
    }
}

#[test]
fn a_masked_secret_can_be_allowed_with_a_second_step() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&password("0001"));
    b.wait(600);
    b.keys("a");
    b.wait(600);
    b.keys("y");
    assert_eq!(b.allowed(), ["0001"]);
}

fn grant(b: &mut TestScreen, name: &str) {
    b.wait(600);
    b.keys("g");
    b.wait(600);
    b.keys(name);
    b.wait(600);
    b.keys("\n");
    b.wait(2_500);
}

#[test]
fn a_grant_needs_the_name_and_says_what_it_means() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&keys("0001", 10));
    b.wait(600);
    b.keys("g");
    assert!(b.shows("an ungated shell for 5 minutes or 1 MiB"), "{}", b.text());
    assert!(b.shows("everything typed passes unreviewed"), "{}", b.text());
    b.wait(600);
    b.keys("y\n");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    b.code(KeyCode::Esc);
    b.wait(600);
    grant(&mut b, "web-1");
    let sent = b.decisions();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].allow);
    assert_eq!(sent[0].grant, Some(Grant { seconds: 300, bytes: 1 << 20 }));
    // The limits can be changed.
    let mut b = TestScreen::new(120, 35);
    b.pending(&keys("0001", 10));
    b.wait(600);
    b.keys("g");
    b.code(KeyCode::Tab);
    for _ in 0..2 {
        b.code(KeyCode::Backspace);
    }
    b.keys("90\n");
    for _ in 0..2 {
        b.code(KeyCode::Backspace);
    }
    b.keys("9G\n");
    assert!(b.shows("the size must be 1 to 16M"), "{}", b.text());
    b.keys("web-1");
    b.wait(600);
    b.keys("\n");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    b.code(KeyCode::BackTab);
    b.code(KeyCode::Backspace);
    b.keys("k\n");
    b.wait(600);
    b.keys("\n");
    b.wait(1_000);
    assert!(b.shows("GRANT held") || b.shows("held 1s"), "{}", b.text());
    b.wait(1_500);
    assert_eq!(b.decisions()[0].grant, Some(Grant { seconds: 90, bytes: 9 << 10 }));
}

#[test]
fn a_grant_can_be_taken_back_and_dies_with_a_change() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&keys("0001", 10));
    b.wait(600);
    b.keys("g");
    b.wait(600);
    b.keys("web-1");
    b.wait(600);
    b.keys("\n");
    b.keys("u");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    let mut b = TestScreen::new(120, 35);
    let mut view = keys("0001", 10);
    b.pending(&view);
    b.wait(600);
    b.keys("g");
    b.wait(600);
    view.revision += 1;
    b.updated(&view);
    assert!(matches!(b.model.mode, Mode::Normal));
    b.keys("web-1\n");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    // Pasting the name is no way.
    let mut b = TestScreen::new(120, 35);
    b.pending(&keys("0001", 10));
    b.wait(600);
    b.keys("g");
    b.wait(600);
    b.msg(Msg::Paste("web-1".into()));
    b.wait(600);
    b.keys("\n");
    b.wait(3_000);
    assert!(b.decisions().is_empty());
    // What is not grantable takes none.
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.wait(600);
    b.keys("g");
    assert!(matches!(b.model.mode, Mode::Normal));
    assert!(b.shows("cannot pass unreviewed"), "{}", b.text());
}

fn in_force(b: &mut TestScreen) -> CommandView {
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web)));
    let db = support::session("51de", "opsbot", "db-2");
    b.event(ReviewerEvent::SessionOpened(Box::new(db.clone())));
    let mut view = keys("0001", 10);
    b.pending(&view);
    b.pending(&support::request("0002", &db, "df -h", 10, 60));
    b.wait(600);
    view.revision = 3;
    view.state = CommandState::Released;
    view.grant = Some(Grant { seconds: 300, bytes: 1 << 20 });
    view.decided_by = Some("mara".into());
    view.decided_at = Some(b.model.clock.broker_now() / 1000);
    b.updated(&view);
    view
}

#[test]
fn a_grant_in_force_is_in_sight_until_it_ends() {
    use base64::Engine as _;
    let mut b = TestScreen::new(120, 35);
    let mut view = in_force(&mut b);
    assert!(
        b.shows("UNREVIEWED 7c1a fixbot on web-1: 4:59 left, at most 1 MiB in all"),
        "{}",
        b.text()
    );
    b.wait(10_000);
    let typed = base64::engine::general_purpose::STANDARD.encode("x".repeat(100 << 10));
    b.event(ReviewerEvent::SessionOutput {
        session_id: view.session_id.clone(),
        stream: Stream::Stdin,
        offset: 1.0,
        data: typed,
    });
    assert!(b.shows("4:49 left, 924 KiB left"), "{}", b.text());
    // Its session stays watched, whatever is looked at: without a watcher it would end.
    b.keys("n");
    b.wait(1_000);
    assert!(
        b.model.watching.terminals.contains_key(&view.session_id),
        "{:?}",
        b.model.watching.terminals.keys()
    );
    assert!(b.model.watching.terminals.contains_key(&support::sess("51de")));
    // The kill key is for that session.
    b.keys("K");
    assert!(b.shows("END SESSION 7c1a"), "{}", b.text());
    b.wait(600);
    b.keys("y");
    assert!(b.effects.iter().any(|e| matches!(
        e,
        Effect::Send(ReviewerRequest::Kill { session_id, .. }) if *session_id == view.session_id
    )));
    view.state = CommandState::Finished;
    view.revision += 1;
    b.updated(&view);
    assert!(!b.shows("UNREVIEWED"), "{}", b.text());
    // Its time ends it on the screen, too.
    let mut b = TestScreen::new(120, 35);
    in_force(&mut b);
    b.wait(306_000);
    assert!(!b.shows("UNREVIEWED"), "{}", b.text());
}

#[test]
fn grants_from_before_are_found() {
    let mut b = TestScreen::new(80, 24);
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web)));
    assert!(b.effects.contains(&Effect::Fetch(Fetch::Grants)));
    let mut view = keys("0001", 10);
    view.state = CommandState::Released;
    view.grant = Some(Grant { seconds: 300, bytes: 1 << 20 });
    view.decided_by = Some("bob".into());
    view.decided_at = Some(support::T0 / 1000);
    b.msg(Msg::Fetched(Fetch::Grants, Ok(Answer::Commands(vec![view]))));
    assert!(b.shows("UNREVIEWED 7c1a"), "{}", b.text());
}

#[test]
fn who_may_decide_is_said_and_others_cannot_allow() {
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    view.may_decide = vec!["bob".into(), "carol".into()];
    b.pending(&view);
    b.wait(600);
    assert!(b.shows("needs 1 more of bob, carol"), "{}", b.text());
    b.keys("a");
    assert!(b.decisions().is_empty());
    assert!(b.shows("you cannot allow this one: it needs bob, carol"), "{}", b.text());
    b.wait(600);
    b.keys("d");
    assert_eq!(b.denied(), ["0001"]);
}

#[test]
fn searching_in_a_command_and_its_preview() {
    let mut b = TestScreen::new(120, 35);
    let mut view = request("0001", 10);
    let text: String = (0..300).map(|i| format!("row {i}\n")).collect();
    view.preview = Some(text.replace("row 250", "row 250 NEEDLE"));
    b.pending(&view);
    b.wait(600);
    b.keys("3/needle\n");
    assert!(b.shows("row 250 NEEDLE") && b.shows("match 1 of 1"), "{}", b.text());
    assert!(b.shows("end NOT shown"), "searching is not reading: {}", b.text());
    b.wait(600);
    b.keys("a");
    assert!(b.decisions().is_empty());
    b.keys("/restart\n");
    assert!(b.shows("systemctl restart app-0001") && b.shows("match 1 of 1"), "{}", b.text());
    b.keys("/nowhere\n");
    assert!(b.shows("not found in this request"), "{}", b.text());
    b.keys("/row\n");
    b.keys("NN");
    assert!(b.shows("match 3 of 300"), "{}", b.text());
}

#[test]
fn searching_in_the_scrollback_of_a_live_terminal() {
    let mut b = super::pictures::scene(120, 35, crate::theme::Theme { colour: true, ascii: false });
    let live = b.model.watching.terminals.values_mut().next().unwrap();
    for i in 0..500 {
        live.emulator.feed(format!("\r\noutput {i}").as_bytes());
    }
    b.draw();
    assert!(b.shows("output 499") && !b.shows("output 123"), "{}", b.text());
    b.keys("4/output 123\n");
    assert!(b.shows("output 123") && b.shows("rows back"), "{}", b.text());
    b.keys(">");
    assert!(b.shows("output 499"), "{}", b.text());
    b.keys("kkk");
    assert!(b.shows("3 rows back") && !b.shows("output 499"), "{}", b.text());
    b.keys("/nowhere\n");
    assert!(b.shows("not found in this terminal"), "{}", b.text());
}

#[test]
fn what_the_agent_types_is_not_drawn_twice() {
    use base64::Engine as _;
    let mut b = TestScreen::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web.clone())));
    b.wait(600);
    for stream in [Stream::Stdin, Stream::Stdout] {
        b.event(ReviewerEvent::SessionOutput {
            session_id: web.id.clone(),
            stream,
            offset: 0.0,
            data: base64::engine::general_purpose::STANDARD.encode("uptime\r\n"),
        });
    }
    assert_eq!(b.text().matches("uptime").count(), 1, "{}", b.text());
}

#[test]
fn what_moves_files_says_so_in_words() {
    let mut b = TestScreen::new(100, 30);
    let mut view = request("0001", 30);
    view.headline = Some("git push to /srv/repo.git on web-1".into());
    b.pending(&view);
    assert!(b.shows("in words git push to /srv/repo.git on web-1"), "{}", b.text());
}

#[test]
fn the_closest_rule_is_compared_word_by_word() {
    let mut b = TestScreen::new(80, 24);
    let mut view = request("0001", 10);
    view.closest = Some(expacti_engine::Closest {
        rule: "wl-14".into(),
        differs: "-delete, without nginx, outside its scope".into(),
    });
    b.pending(&view);
    let line = "CLOSEST RULE wl-14 differs by + -delete  - nginx  ~ outside its scope";
    assert!(b.shows(line), "{}", b.text());
    // As many words as there are: it stays in two rows.
    view.closest = Some(expacti_engine::Closest {
        rule: "wl-14".into(),
        differs: vec!["--very-long-option"; 40].join(", "),
    });
    view.revision += 1;
    b.updated(&view);
    assert_eq!(b.text().lines().filter(|l| l.contains("+ --very-long")).count(), 2);
    assert!(b.shows("…"), "{}", b.text());
}
