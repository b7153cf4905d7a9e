//! The last row: the keys that work now. It must never offer an allow that a lock forbids.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::widgets::{key_label, put};
use crate::keymap::Action;
use crate::model::{ConfirmKind, Item, Mode, Model, Pane};
use crate::text::{clean, width};
use crate::theme::Theme;
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

/// A key in the footer.
struct FooterKey {
    action: Action,
    label: &'static str,
    /// Whether it does something now.
    works: bool,
}

impl FooterKey {
    fn new(action: Action, works: bool) -> Self {
        Self { action, label: action.label(), works }
    }

    fn spans(&self, model: &Model) -> [Span<'static>; 2] {
        let key = model.settings.keymap.key(self.action);
        key_label(model.settings.theme, &key, self.label, self.works)
    }

    fn columns(&self, model: &Model) -> usize {
        width(&model.settings.keymap.key(self.action)) + width(self.label) + 3
    }
}

fn keys(model: &Model, columns: usize) -> Line<'static> {
    let mut keys = deciding_keys(model);
    // These are shown however little room there is, and help has its place whatever else there is.
    let always = keys.len();
    let help = FooterKey::new(Action::Help, true);
    keys.extend(other_keys(model));
    let mut used = 1 + help.columns(model);
    let mut spans = vec![Span::raw(" ")];
    for (i, key) in keys.iter().enumerate() {
        if used + key.columns(model) > columns + 2 && i >= always {
            break;
        }
        used += key.columns(model);
        spans.extend(key.spans(model));
    }
    spans.extend(help.spans(model));
    Line::from(spans)
}

/// The request that can be decided: only one that is on the screen.
fn open_request(model: &Model) -> Option<&Item> {
    let shown = model.drawn.request.is_some();
    model.requests.current().filter(|item| shown && item.closed_since.is_none())
}

/// The keys that decide, and what they wait for.
fn deciding_keys(model: &Model) -> Vec<FooterKey> {
    let mut keys = Vec::new();
    if model.requests.any_held() {
        keys.push(FooterKey::new(Action::Undo, true));
    }
    let Some(item) = open_request(model) else {
        if model.drawn.request.is_some() && model.requests.current().is_some() {
            keys.push(FooterKey::new(Action::NextRequest, true));
        }
        return keys;
    };
    let lock = allow_lock(model);
    let asks = model.settings.confirm.of(item.level()) != ConfirmKind::None;
    let label = allow_label(model.settings.theme, lock.as_ref(), asks);
    keys.push(FooterKey { action: Action::Allow, label, works: lock.is_none() });
    keys.push(FooterKey::new(Action::Deny, deny_lock(model).is_none()));
    if model.requests.masked(item) {
        keys.push(FooterKey::new(Action::Reveal, true));
    }
    if lock == Some(Lock::EndNotSeen) || model.pane == Pane::Request {
        keys.push(FooterKey::new(Action::PageDown, true));
    }
    keys
}

/// The word for "allow". It has the same width in every state: nothing moves while the request is
/// being armed.
fn allow_label(theme: Theme, lock: Option<&Lock>, asks: bool) -> &'static str {
    match (lock, asks) {
        (None, false) => "allow",
        (None, true) => theme.pick("allow…", "allow~"),
        (Some(Lock::Arming(_) | Lock::NotShown | Lock::JustDecided), false) => "wait ",
        (Some(Lock::Arming(_) | Lock::NotShown | Lock::JustDecided), true) => "wait  ",
        (Some(_), false) => "lock ",
        (Some(_), true) => "lock  ",
    }
}

/// The other keys, the more useful first.
fn other_keys(model: &Model) -> Vec<FooterKey> {
    let mut keys = Vec::new();
    let of_session = matches!(model.pane, Pane::Sessions | Pane::Live);
    if let Some(item) = open_request(model).filter(|_| !of_session) {
        keys.push(FooterKey::new(Action::DenyComment, deny_lock(model).is_none()));
        if item.view().interactive.as_ref().is_some_and(|i| i.grantable) {
            keys.push(FooterKey::new(Action::Grant, allow_lock(model).is_none()));
        }
        if item.concerns_trust() {
            keys.push(FooterKey::new(Action::AllowTrusting, allow_lock(model).is_none()));
        }
        if model.reviewer.role.may_administer() && item.level() < Level::High {
            keys.push(FooterKey::new(Action::Rule, true));
        }
    }
    let actions: &[Action] = if of_session {
        &[
            Action::Replay,
            Action::Kill,
            Action::Pause,
            Action::Tiles,
            Action::NextPane,
            Action::Filter,
            Action::Quit,
        ]
    } else {
        &[Action::NextPane, Action::Replay, Action::Filter, Action::Quit]
    };
    keys.extend(actions.iter().map(|action| FooterKey::new(*action, true)));
    keys
}
