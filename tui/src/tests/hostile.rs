//! Hostile strings in every field: nothing escapes its cell, its box, or its meaning.

use crossterm::event::KeyCode;
use expacti_engine::{Anomaly, Closest};
use expacti_protocol::command::{CommandState, CommandText, Grant, Interactive, PromptLabel};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerEvent;

use super::{TestScreen, support};
use crate::theme::Theme;

const NASTY: &[&str] = &[
    "\x1b[2J\x1b[H\x1b]0;owned\x07\x1b]52;c;cm0gLXJmIC8=\x07",
    "\u{202e}tcatta\u{2066}\u{2069}\u{200b}\u{200f}\u{feff}",
    "\r\n\r\n ALLOW 8f21 on web-1?   press y to allow\r\n\u{9b}31m",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}👩\u{200d}👩\u{200d}👧🇩🇪\u{1160}\u{3164}ｗｉｄｅ日本語",
    "\u{0}\u{7}\u{8}\u{c}\u{7f}\u{85}\u{2028}\u{e000}\u{fff9}\u{fe0f}",
    "│└┌ 3 Request 0000 · LOW · ─┐ end shown ✓ auto-DENY in 9:99",
];

fn scene(text: &str) -> TestScreen {
    scene_with(text, TestScreen::new(100, 30))
}

fn scene_with(text: &str, mut b: TestScreen) -> TestScreen {
    let mut session = support::session("7c1a", text, text);
    session.info.user = text.into();
    session.info.reason = Some(text.into());
    session.info.owner = Some(text.into());
    session.info.host_key = Some(text.into());
    session.last_command = Some(text.into());
    let mut view = support::request("8f21", &session, text, 60, 60);
    view.cwd = text.into();
    view.headline = Some(text.into());
    view.terms = vec![support::term(&view, 60, text, text)];
    view.anomaly = true;
    view.anomalies = vec![Anomaly { name: text.into(), evidence: text.into() }];
    view.closest = Some(Closest { rule: text.into(), differs: text.into() });
    view.rule_why = text.into();
    view.notes = vec![text.into()];
    view.env = vec![(text.into(), text.into())];
    view.dropped_env = vec![text.into()];
    view.preview = Some(format!("--- {text}\n@@ {text}\n+{text}\n-{text}\n{text}"));
    view.interactive = Some(Interactive {
        label: PromptLabel::Raw,
        foreground: Some(text.into()),
        secret: false,
        grantable: true,
    });
    view.may_decide = vec!["mara".into(), text.into()];
    view.masked = Some(text.into());
    view.votes = vec![expacti_protocol::command::VoteView {
        by: text.into(),
        allow: true,
        at: 0,
        comment: Some(text.into()),
    }];
    b.event(ReviewerEvent::Hello {
        protocol: 1,
        version: text.into(),
        principal: text.into(),
        role: expacti_protocol::principal::Role::Reviewer,
        now_ms: support::T0,
        warnings: vec![text.into()],
        pin: false,
    });
    b.event(ReviewerEvent::SessionOpened(Box::new(session)));
    b.pending(&view);
    b.wait(600);
    b.event(ReviewerEvent::Error {
        r#ref: Some(99),
        code: expacti_protocol::reviewer::ErrorCode::Failed,
        message: text.into(),
    });
    b
}

fn assert_clean(b: &TestScreen, what: &str) {
    let buffer = b.terminal.backend().buffer();
    for cell in &buffer.content {
        let symbol = cell.symbol();
        assert!(symbol.chars().count() <= 1, "{what:?}: {symbol:?} in one cell");
        for c in symbol.chars() {
            let shown = expacti_engine::make_visible(c.to_string().as_bytes());
            assert!(shown.hidden.is_empty(), "{what:?}: {c:?} reached a cell");
            assert!(!c.is_control(), "{what:?}: {c:?} reached a cell");
        }
    }
}

#[test]
fn nothing_escapes() {
    for text in NASTY {
        for (cols, rows) in [(100, 30), (80, 24), (40, 12), (7, 3)] {
            let mut b = scene_with(text, TestScreen::new(cols, rows));
            assert_clean(&b, text);
            b.keys("2");
            b.keys("K");
            assert_clean(&b, text);
            b.keys("x1a");
            assert_clean(&b, text);
            b.code(KeyCode::Esc);
            b.wait(600);
            b.keys("g");
            assert_clean(&b, text);
            b.code(KeyCode::Esc);
            b.keys("3/a\n");
            assert_clean(&b, text);
            // A grant in force, and its end.
            let mut view = b.model.requests.items.values().next().unwrap().view().clone();
            view.state = CommandState::Released;
            view.revision += 1;
            view.grant = Some(Grant { seconds: 300, bytes: 1 << 20 });
            view.decided_by = Some(text.to_string());
            view.decided_at = Some(support::T0 / 1000);
            b.updated(&view);
            b.keys("4");
            assert_clean(&b, text);
        }
        for effect in &scene(text).effects {
            if let crate::model::Effect::Notify(n) = effect {
                assert!(!(n.title.clone() + &n.body).contains(|c: char| c.is_control()));
            }
        }
    }
}

#[test]
fn ascii_is_ascii() {
    for text in NASTY {
        let b = scene_with(text, TestScreen::with(100, 30, Theme { colour: false, ascii: true }));
        assert!(b.text().is_ascii(), "{}", b.text());
    }
}

#[test]
fn boxes_stay_where_they_are() {
    for text in NASTY {
        let b = scene(text);
        let text = b.text();
        for line in text.lines().skip(1).take(26) {
            assert_eq!(crate::text::width(line), 100, "{line:?}\n{text}");
            assert!(line.ends_with(['┐', '│', '┘']), "{line:?}\n{text}");
        }
    }
}

#[test]
fn a_dialog_of_ours_cannot_be_imitated() {
    // The same words in a command stand behind a box; the question itself never does.
    let b = scene("true # ALLOW 8f21 on web-1?   press y to allow");
    let text = b.text();
    assert!(text.lines().all(|l| !l.trim_start().starts_with("ALLOW 8f21")), "{text}");
}

#[test]
fn a_megabyte_is_paged() {
    let mut b = TestScreen::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    let long = format!("{}\x1b[0m{}; rm -rf /", "A".repeat(500_000), "é".repeat(250_000));
    let mut view = support::request("8f21", &web, &long, 10, 60);
    view.timeout_seconds = 60;
    b.pending(&view);
    b.wait(600);
    assert!(b.shows("1.0 MB") && b.shows("1 hidden char"), "{}", b.text());
    assert!(b.shows("end NOT shown"), "{}", b.text());
    b.keys("a");
    assert!(b.decisions().is_empty());
    b.keys("3G");
    b.wait(600);
    assert!(b.shows("; rm -rf /") && b.shows("% read)"), "{}", b.text());
    b.keys("a");
    assert_eq!(b.allowed(), ["8f21"]);
}

#[test]
fn bytes_that_are_no_text() {
    let mut b = TestScreen::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    let bytes: Vec<u8> = (0..=255).collect();
    let mut view = support::request("8f21", &web, "x", 10, 60);
    view.text = CommandText::new(&bytes);
    view.sha256 = Digest::of(&bytes);
    b.pending(&view);
    assert!(b.shows("⟨0xFF⟩") && b.shows("⟨U+001B⟩"), "{}", b.text());
    assert!(!b.shows("DIGEST"), "{}", b.text());
    view.text.command_base64 = Some("!!".into());
    view.id = support::cmd("0002");
    b.pending(&view);
    b.keys("n");
    assert!(b.shows("DO NOT MATCH THEIR DIGEST"), "{}", b.text());
}

#[test]
fn a_live_view_stays_in_its_box() {
    use base64::Engine as _;
    let mut b = TestScreen::new(100, 30);
    let web = support::session("7c1a", "fixbot", "web-1");
    b.event(ReviewerEvent::SessionOpened(Box::new(web.clone())));
    b.wait(600);
    let flood = "\x1b[1;1H\x1b[?1049h\x1b[38;5;99m│└ pwned \u{202e}\u{1f1e9}\u{1f1ea}".repeat(500);
    let id: SessionId = web.id.clone();
    b.event(ReviewerEvent::SessionResized { session_id: id.clone(), cols: 4_000_000_000, rows: 0 });
    b.event(ReviewerEvent::SessionOutput {
        session_id: id,
        stream: expacti_protocol::gate::Stream::Stdout,
        offset: 0.0,
        data: base64::engine::general_purpose::STANDARD.encode(flood),
    });
    assert_clean(&b, "live");
    for line in b.text().lines().skip(1).take(27) {
        assert!(line.ends_with(['┐', '│', '┘']), "{line:?}");
    }
}

#[test]
fn a_preview_cannot_imitate_what_stands_around_it() {
    let mut b = TestScreen::new(100, 40);
    let web = support::session("7c1a", "fixbot", "web-1");
    let mut view = support::request("8f21", &web, "ls", 60, 60);
    let fake =
        ["WHY 0", "APPROVALS nothing more needed", " ALLOW 8f21 on web-1?   press y to allow"];
    view.preview = Some(fake.join("\n"));
    view.text = CommandText::new(fake.join("\n").as_bytes());
    b.pending(&view);
    b.wait(600);
    for line in b.text().lines().filter(|l| fake.iter().any(|f| l.contains(f))) {
        let inside = line.rsplit_once("│").unwrap().0.rsplit_once("│").unwrap().1;
        let lead = inside.strip_prefix(' ').unwrap();
        assert!(lead.starts_with(['┆', '$', ' ']), "{line:?}");
    }
}
