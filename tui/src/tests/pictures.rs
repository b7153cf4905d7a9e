//! The screen as pictures: three sizes, in colour, without, and in ASCII.

use std::fmt::Write as _;

use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::uplink::Isolation;
use ratatui::style::{Color, Modifier};

use super::{TestScreen, support};
use crate::model::{LinkMsg, Msg};
use crate::theme::Theme;

pub(crate) fn scene(cols: u16, rows: u16, theme: Theme) -> TestScreen {
    let mut b = TestScreen::with(cols, rows, theme);
    let (sessions, commands) = support::scene();
    for s in sessions {
        b.event(match s.closed_at {
            None => ReviewerEvent::SessionOpened(Box::new(s)),
            Some(_) => ReviewerEvent::SessionClosed(Box::new(s)),
        });
    }
    b.msg(Msg::Link(LinkMsg::Latency(34)));
    for c in commands {
        if c.state == expacti_protocol::command::CommandState::Pending {
            b.pending(&c);
        } else {
            b.updated(&c);
        }
    }
    b.wait(600);
    if let Some(live) = b.model.watching.terminals.values_mut().next() {
        live.emulator
            .feed(b"\x1b[32m$\x1b[0m df -h /\r\n/dev/sda1  40G  31G  \x1b[1;31m82%\x1b[0m /\r\n$ ");
        live.has_output = true;
    }
    b.draw();
    b
}

/// The text, then the styled runs of each row: what a terminal would be told.
pub(crate) fn picture(b: &TestScreen) -> String {
    let mut out = b.text();
    let buffer = b.terminal.backend().buffer();
    out.push_str("----\n");
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            let (fg, bg, m) = (cell.fg, cell.bg, cell.modifier);
            let start = x;
            let mut run = String::new();
            while x < buffer.area.width {
                let c = &buffer[(x, y)];
                if (c.fg, c.bg, c.modifier) != (fg, bg, m) {
                    break;
                }
                run.push_str(c.symbol());
                x += 1;
            }
            let plain = fg == Color::Reset && bg == Color::Reset && m == Modifier::empty();
            if !plain && !run.trim().is_empty() {
                let _ = writeln!(out, "{y}:{start} {fg:?}/{bg:?} {m:?} {:?}", run.trim());
            }
        }
    }
    out
}

#[test]
fn three_sizes_three_themes() {
    for (name, theme) in [
        ("colour", Theme { colour: true, ascii: false }),
        ("plain", Theme { colour: false, ascii: false }),
        ("ascii", Theme { colour: false, ascii: true }),
    ] {
        for (cols, rows) in [(120, 35), (80, 24), (40, 12)] {
            let b = scene(cols, rows, theme);
            insta::assert_snapshot!(format!("{name}-{cols}x{rows}"), picture(&b));
            if !theme.colour {
                let buffer = b.terminal.backend().buffer();
                assert!(
                    buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset)
                );
            }
        }
    }
}

#[test]
fn moments() {
    let colour = Theme { colour: true, ascii: false };
    let mut b = scene(120, 35, colour);
    b.keys("a");
    b.wait(600);
    insta::assert_snapshot!("confirm-high", b.text());
    b.keys("y");
    insta::assert_snapshot!("held", b.text());
    let mut b = scene(120, 35, colour);
    b.msg(Msg::Link(LinkMsg::Down { why: "connection reset by peer".into(), retry_in: 2_000 }));
    insta::assert_snapshot!("disconnected", picture(&b));
    let mut b = scene(120, 35, colour);
    b.keys("?");
    insta::assert_snapshot!("help", b.text());
    let b = TestScreen::new(120, 35);
    insta::assert_snapshot!("empty", b.text());
    let mut b = scene(120, 35, colour);
    b.keys("Dnot on a Friday");
    insta::assert_snapshot!("comment", b.text());
    let mut b = scene(80, 24, colour);
    b.keys("2");
    b.draw();
    insta::assert_snapshot!("sessions-80x24", b.text());
}

#[test]
fn a_program_that_can_go_round_the_gate_is_told_apart() {
    for (cols, rows) in [(120, 35), (80, 24), (40, 12)] {
        let mut b = TestScreen::new(cols, rows);
        let mut web = support::session("7c1a", "fixbot", "web-1");
        web.info.isolation = Some(Isolation::PathOnly);
        web.info.with = vec!["docker".into(), "a\u{202e}b".into()];
        b.event(ReviewerEvent::SessionOpened(Box::new(web.clone())));
        b.pending(&support::request("0001", &web, "uptime", 5, 60));
        b.wait(600);
        assert!(b.shows("deploy@web-1  not isolated"), "{}", b.text());
        assert!(b.shows("with docker, a"), "{}", b.text());
        insta::assert_snapshot!(format!("not-isolated-{cols}x{rows}"), picture(&b));
        b.keys("2");
        b.draw();
        let row =
            |l: &str| l.contains("waiting") && l.contains("7c1a") && l.contains("not isolated");
        assert!(b.text().lines().any(row), "{}", b.text());
        // Nothing is said of one that cannot.
        let mut b = TestScreen::new(cols, rows);
        web.info.isolation = Some(Isolation::Namespace);
        web.info.with.clear();
        b.event(ReviewerEvent::SessionOpened(Box::new(web.clone())));
        b.pending(&support::request("0001", &web, "uptime", 5, 60));
        b.wait(600);
        assert!(!b.shows("isolated"), "{}", b.text());
    }
}

#[test]
fn every_size_draws() {
    let mut b = scene(120, 35, Theme { colour: true, ascii: false });
    for cols in (1..130).step_by(7).chain([40, 80, 100]) {
        for rows in (1..40).step_by(3).chain([11, 12, 20, 24, 28]) {
            b.terminal.backend_mut().resize(cols, rows);
            b.draw();
            if cols >= 40 && rows >= 12 {
                assert!(b.shows("HIGH") && b.shows("find /var"), "{cols}x{rows}\n{}", b.text());
                assert!(b.shows("d deny") && b.shows("0:1"), "{cols}x{rows}\n{}", b.text());
            }
        }
    }
}

#[test]
fn items_of_interactive_shells() {
    let colour = Theme { colour: true, ascii: false };
    let mut b = TestScreen::new(100, 30);
    let web = support::session("7c1a", "fixbot", "web-1");
    for view in support::items(&web, support::T0) {
        b.pending(&view);
    }
    b.wait(600);
    b.keys("g");
    b.wait(600);
    insta::assert_snapshot!("grant", b.text());
    b.code(crossterm::event::KeyCode::Esc);
    b.keys("jj");
    b.wait(5_000);
    insta::assert_snapshot!("difference", picture(&b));
    let mut b = TestScreen::with(80, 24, Theme { ascii: true, ..colour });
    b.pending(&support::items(&web, support::T0).remove(1));
    b.wait(600);
    insta::assert_snapshot!("secret-ascii-80x24", b.text());
}
