//! The last row: the keys that work now. It must never offer an allow that a lock forbids.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::widgets::{key_label, put};
use crate::keymap::Action;
use crate::model::{ConfirmKind, Mode, Model, Pane};
use crate::text::{clean, width};
use crate::update::{Lock, allow_lock, deny_lock};

/// The keys that work now, as many as fit.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.settings.theme;
    let line = match &model.mode {
        Mode::Filter(input) => Line::from(vec![
            Span::styled(" /", theme.key()),
            Span::raw(theme.shown(&clean(input.value(), 200))),
            Span::styled(theme.pick("▏", "_"), theme.key()),
            Span::styled("   enter keeps  esc clears", theme.dim()),
        ]),
        Mode::Search(input) => Line::from(vec![
            Span::styled(" search ", theme.key()),
            Span::raw(theme.shown(&clean(input.value(), 200))),
            Span::styled(theme.pick("▏", "_"), theme.key()),
            Span::styled("   enter finds  esc leaves", theme.dim()),
        ]),
        Mode::Comment(..) | Mode::Confirm(_) | Mode::Grant(_) | Mode::ConfirmSession(..) => {
            Line::styled(" esc cancels", theme.dim())
        }
        Mode::Help(_) | Mode::Normal | Mode::Replay(_) | Mode::List(_) | Mode::Rule(_) => {
            keys(model, usize::from(area.width))
        }
    };
    put(frame, area, 0, &line);
    if !model.requests.filter.is_empty() && !matches!(model.mode, Mode::Filter(_)) {
        let text = format!(" filter: {} ", theme.shown(&clean(&model.requests.filter, 30)));
        let w = u16::try_from(width(&text)).unwrap_or(0).min(area.width);
        let x = area.right().saturating_sub(w);
        frame.buffer_mut().set_stringn(x, area.y, text, usize::from(w), theme.alarm());
    }
}

fn keys(model: &Model, columns: usize) -> Line<'static> {
    let theme = model.settings.theme;
    let allow = allow_lock(model);
    let deny = deny_lock(model).is_none();
    let held = model.requests.any_held();
    // Only what is on the screen can be decided.
    let shown = model.drawn.request.is_some();
    let open = shown && model.requests.current().is_some_and(|i| i.closed_since.is_none());
    let sessions = matches!(model.pane, Pane::Sessions | Pane::Live);
    // (action, word, works now)
    let word = Action::word;
    let mut hints: Vec<(Action, &'static str, bool)> = Vec::new();
    if held {
        hints.push((Action::Undo, word(Action::Undo), true));
    }
    if open {
        // The same width in every state: nothing moves while the request is being armed.
        let asks = model
            .requests
            .current()
            .is_some_and(|i| model.settings.confirm.of(i.level()) != ConfirmKind::None);
        let state = match (&allow, asks) {
            (None, false) => "allow",
            (None, true) => theme.pick("allow…", "allow~"),
            (Some(Lock::Arming(_) | Lock::NotShown | Lock::JustDecided), false) => "wait ",
            (Some(Lock::Arming(_) | Lock::NotShown | Lock::JustDecided), true) => "wait  ",
            (Some(_), false) => "lock ",
            (Some(_), true) => "lock  ",
        };
        hints.push((Action::Allow, state, allow.is_none()));
        hints.push((Action::Deny, word(Action::Deny), deny));
        if model.requests.current().is_some_and(|i| model.requests.masked(i)) {
            hints.push((Action::Reveal, word(Action::Reveal), true));
        }
        if allow == Some(Lock::EndNotSeen) || model.pane == Pane::Request {
            hints.push((Action::PageDown, word(Action::PageDown), true));
        }
    } else if shown && model.requests.current().is_some() {
        hints.push((Action::NextRequest, word(Action::NextRequest), true));
    }
    // Help has its place whatever else there is.
    let help = (Action::Help, word(Action::Help), true);
    let first = hints.len();
    if open && !sessions {
        hints.push((Action::DenyComment, word(Action::DenyComment), deny));
        let rule = model.reviewer.role.may_administer()
            && model.requests.current().is_some_and(|i| i.level() < Level::High);
        let grantable = model
            .requests
            .current()
            .and_then(|i| i.view().interactive.as_ref())
            .is_some_and(|i| i.grantable);
        if grantable {
            hints.push((Action::Grant, word(Action::Grant), allow.is_none()));
        }
        if rule {
            hints.push((Action::Rule, word(Action::Rule), true));
        }
    }
    let more: &[Action] =
        if sessions { &[Action::Replay, Action::Kill, Action::Pause, Action::Tiles] } else { &[] };
    let rest = [Action::NextPane, Action::Replay, Action::Filter, Action::Quit];
    for action in more.iter().chain(rest.iter().filter(|a| !more.contains(a))) {
        hints.push((*action, word(*action), true));
    }
    let need =
        |h: &(Action, &'static str, bool)| width(&model.settings.keymap.key(h.0)) + width(h.1) + 3;
    let mut used = 1 + need(&help);
    let mut spans = vec![Span::raw(" ")];
    for (i, hint) in hints.iter().enumerate() {
        if used + need(hint) > columns + 2 && i >= first {
            break;
        }
        used += need(hint);
        spans.extend(key_label(theme, &model.settings.keymap.key(hint.0), hint.1, hint.2));
    }
    spans.extend(key_label(theme, &model.settings.keymap.key(help.0), help.1, help.2));
    Line::from(spans)
}
