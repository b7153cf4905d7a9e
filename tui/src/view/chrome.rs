//! Header, banner, notes, footer, help, and the frozen state. It must never be drawn over by what
//! came from the broker.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Widget as _};

use super::{key_word, put, shown, wrapped};
use crate::keymap::Action;
use crate::model::{ConfirmKind, LinkState, Mode, Model, Pane, Stage};
use crate::text::{duration, fit, width};
use crate::update::Lock;

/// The first row.
pub(super) fn header(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let dot = theme.pick("●", "*");
    let (state, style) = match &model.link {
        LinkState::Up { synced: true } => (String::new(), theme.ok()),
        LinkState::Up { synced: false } => (" loading".to_owned(), theme.warn()),
        LinkState::Connecting => (" connecting".to_owned(), theme.warn()),
        LinkState::Down { .. } => (" disconnected".to_owned(), theme.error()),
    };
    let pending = model.pending().count();
    let oldest = model.pending().map(|i| i.view().timestamp).min();
    let mut spans =
        vec![Span::styled(" expacti", theme.brand()), Span::raw("  "), Span::styled(dot, style)];
    let wide = area.width >= 60;
    if wide {
        spans.push(Span::raw(format!(" {}", fit(&shown(model, &model.broker), 34, theme.ascii))));
        if let Some(ms) = model.latency {
            spans.push(Span::styled(format!(" {ms}ms"), theme.dim()));
        }
    }
    if wide && model.terminal_delay >= 200 {
        let text = format!(" terminal {}ms", model.terminal_delay);
        spans.push(Span::styled(text, theme.warn()));
    }
    spans.push(Span::styled(state, style));
    if wide && !model.principal.is_empty() {
        spans.push(Span::raw(format!(
            "  {}",
            fit(&shown(model, &model.principal), 20, theme.ascii)
        )));
        if !model.role.may_decide() {
            spans.push(Span::styled(format!(" ({})", model.role), theme.warn()));
        }
    }
    let style = if pending > 0 { theme.strong() } else { theme.dim() };
    spans.push(Span::styled(format!("  pending {pending}"), style));
    if wide {
        // What matters most may be further down.
        for level in [Level::Critical, Level::High] {
            let count = model.pending().filter(|i| i.level() == level).count();
            if count > 0 {
                let (word, _) = crate::theme::badge(level, theme.ascii);
                spans.push(Span::raw("  "));
                spans.push(Span::styled(format!("{word} {count}"), theme.level(level)));
            }
        }
    }
    if model.changes > 0 && wide {
        let key = model.keymap.key(Action::Rules);
        let s = if model.changes == 1 { "" } else { "s" };
        let text = format!("  {} change{s} of rules ({key})", model.changes);
        spans.push(Span::styled(text, theme.warn()));
    }
    if let Some(oldest) = oldest.filter(|_| area.width >= 70) {
        let age = duration(model.broker_now() / 1000 - oldest);
        spans.push(Span::styled(format!("  oldest {age}"), theme.dim()));
    }
    let mut right = Vec::new();
    if model.alerts.muted {
        right.push(Span::styled("muted  ", theme.warn()));
    }
    if model.broker_offset != 0 {
        let now = super::clock(model, model.broker_now() / 1000);
        let counting = model.items.values().any(|i| i.closed_since.is_none());
        // Without a countdown nothing wakes every second, and a clock with seconds would lie.
        let now = if counting { now } else { now.get(..5).unwrap_or_default().to_owned() };
        right.push(Span::styled(format!("{now} "), theme.dim()));
    }
    put(frame, area, 0, &Line::from(spans.clone()));
    let used: usize = spans.iter().map(|s| width(&s.content)).sum();
    let need: usize = right.iter().map(|s| width(&s.content)).sum();
    if used + need < usize::from(area.width) {
        let x = area.right().saturating_sub(u16::try_from(need).unwrap_or(0));
        frame.buffer_mut().set_line(x, area.y, &Line::from(right), area.width);
    }
}

/// One line of guidance.
pub(super) fn banner(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if let Some(text) = &model.banner {
        let text =
            fit(&shown(model, text), usize::from(area.width).saturating_sub(2), model.theme.ascii);
        put(frame, area, 0, &Line::styled(format!(" {text}"), model.theme.label()));
    }
}

/// What must be seen before going on: refused or unconfirmed decisions, warnings, the hint.
pub(super) fn note_lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = Vec::new();
    let mark = theme.pick("✗", "x");
    let key = model.keymap.key(Action::Back);
    for running in model.grants.values().take(3) {
        let (seconds, _) = running.left(model.broker_now());
        let kill = model.keymap.key(Action::Kill);
        let text = format!(
            " {} UNREVIEWED {} {}: {} left, {}   {kill} ends the session ",
            theme.pick("▲", "!"),
            running.session.short(),
            shown(model, &running.who),
            duration(seconds),
            running.bytes_words()
        );
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.alarm()));
    }
    for (_, failed) in model.failed_decisions.iter().rev().take(2) {
        let text = format!(" {mark} {}   {key} clears ", shown(model, failed));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.alarm()));
    }
    if let Some(hint) = &model.hint {
        let style = if hint.bad { theme.error() } else { theme.warn() };
        let text = format!(" {}", shown(model, &hint.text));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), style));
    } else if let Some(warning) = model.warnings.first() {
        let text = format!(" ! {}", shown(model, warning));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.warn()));
    }
    lines
}

/// Draws the notes.
pub(super) fn notes(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    for (y, line) in (0..area.height).zip(&lines) {
        put(frame, area, y, line);
    }
}

/// The keys that work now, as many as fit.
pub(super) fn footer(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let line = match &model.mode {
        Mode::Filter(input) => Line::from(vec![
            Span::styled(" /", theme.key()),
            Span::raw(shown(model, &crate::text::clean(input.value(), 200))),
            Span::styled(theme.pick("▏", "_"), theme.key()),
            Span::styled("   enter keeps  esc clears", theme.dim()),
        ]),
        Mode::Search(input) => Line::from(vec![
            Span::styled(" search ", theme.key()),
            Span::raw(shown(model, &crate::text::clean(input.value(), 200))),
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
    if !model.filter.is_empty() && !matches!(model.mode, Mode::Filter(_)) {
        let text = format!(" filter: {} ", shown(model, &crate::text::clean(&model.filter, 30)));
        let w = u16::try_from(width(&text)).unwrap_or(0).min(area.width);
        let x = area.right().saturating_sub(w);
        frame.buffer_mut().set_stringn(x, area.y, text, usize::from(w), theme.alarm());
    }
}

fn keys(model: &Model, columns: usize) -> Line<'static> {
    let theme = model.theme;
    let allow = crate::update::allow_lock(model);
    let deny = crate::update::deny_lock(model).is_none();
    let held = model.items.values().any(|i| matches!(i.stage, Stage::Held { .. }));
    // Only what is on the screen can be decided.
    let shown = model.drawn.request.is_some();
    let open = shown && model.item().is_some_and(|i| i.closed_since.is_none());
    let sessions = matches!(model.pane, Pane::Sessions | Pane::Live);
    // (action, word, works now)
    let word = Action::word;
    let mut hints: Vec<(Action, &'static str, bool)> = Vec::new();
    if held {
        hints.push((Action::Undo, word(Action::Undo), true));
    }
    if open {
        // The same width in every state: nothing moves while the request is being armed.
        let asks = model.item().is_some_and(|i| model.confirm.of(i.level()) != ConfirmKind::None);
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
        if model.item().is_some_and(|i| model.masked(i)) {
            hints.push((Action::Reveal, word(Action::Reveal), true));
        }
        if allow == Some(Lock::EndNotSeen) || model.pane == Pane::Request {
            hints.push((Action::PageDown, word(Action::PageDown), true));
        }
    } else if shown && model.item().is_some() {
        hints.push((Action::NextRequest, word(Action::NextRequest), true));
    }
    // Help has its place whatever else there is.
    let help = (Action::Help, word(Action::Help), true);
    let first = hints.len();
    if open && !sessions {
        hints.push((Action::DenyComment, word(Action::DenyComment), deny));
        let rule = model.role.may_administer()
            && model.item().is_some_and(|i| i.level() < expacti_engine::Level::High);
        let grantable =
            model.item().and_then(|i| i.view().interactive.as_ref()).is_some_and(|i| i.grantable);
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
    let need = |h: &(Action, &'static str, bool)| width(&model.keymap.key(h.0)) + width(h.1) + 3;
    let mut used = 1 + need(&help);
    let mut spans = vec![Span::raw(" ")];
    for (i, hint) in hints.iter().enumerate() {
        if used + need(hint) > columns + 2 && i >= first {
            break;
        }
        used += need(hint);
        spans.extend(key_word(model, &model.keymap.key(hint.0), hint.1, hint.2));
    }
    spans.extend(key_word(model, &model.keymap.key(help.0), help.1, help.2));
    Line::from(spans)
}

/// Everything under the frozen state is grey.
pub(super) fn freeze(frame: &mut Frame<'_>, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = frame.buffer_mut().cell_mut((x, y)) {
                cell.set_style(Style::reset().add_modifier(Modifier::DIM));
            }
        }
    }
}

/// Why nothing can be decided, and when it is tried again.
pub(super) fn disconnected(model: &Model, frame: &mut Frame<'_>, all: Rect) {
    let theme = model.theme;
    let columns = usize::from(all.width).saturating_sub(4).clamp(1, 66);
    let mut lines: Vec<Line<'_>> = Vec::new();
    match &model.link {
        LinkState::Down { since, retry_at, why } => {
            let left = duration(
                i64::try_from(retry_at.saturating_sub(model.now).div_ceil(1000)).unwrap_or(0),
            );
            let gone = duration(i64::try_from((model.now - since) / 1000).unwrap_or(0));
            lines.push(Line::styled(" DISCONNECTED ", theme.alarm()));
            for row in wrapped(&shown(model, why), columns, 3) {
                lines.push(Line::raw(row));
            }
            lines.push(Line::raw("Nothing can be decided. What waits is denied at its deadline."));
            lines.push(Line::raw(format!(
                "Retry in {left}, down for {gone}.  {} quit",
                model.keymap.key(Action::Quit)
            )));
        }
        _ => lines.push(Line::raw(format!("Connecting to {} …", shown(model, &model.broker)))),
    }
    let height = u16::try_from(lines.len()).unwrap_or(0) + 2;
    let area = centred(all, u16::try_from(columns).unwrap_or(0) + 4, height);
    frame.render_widget(Clear, area);
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(theme.error());
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    for (y, line) in (0..inside.height).zip(&lines) {
        let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
        put(frame, inside, y, line);
    }
}

/// A rectangle in the middle.
pub(super) fn centred(all: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(all.width), height.min(all.height));
    Rect { x: all.x + (all.width - width) / 2, y: all.y + (all.height - height) / 2, width, height }
}

/// All keys, from the key map.
pub(super) fn help(model: &Model, frame: &mut Frame<'_>, all: Rect, scroll: usize) {
    let theme = model.theme;
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(theme.border_focused())
        .title(" Keys ")
        .title_bottom(" any other key closes ");
    let inside = block.inner(all);
    block.render(all, frame.buffer_mut());
    let rows = model.keymap.help();
    let two = inside.width >= 100;
    let per = if two { rows.len().div_ceil(2) } else { rows.len() };
    let rules = rules_of_deciding(model);
    let all_rows = per + 1 + rules.len();
    let scroll = scroll.min(all_rows.saturating_sub(usize::from(inside.height)));
    let half = if two { inside.width / 2 } else { inside.width };
    let keys_width = if inside.width >= 60 { 16 } else { 9 };
    let place = |row: usize| row.checked_sub(scroll).and_then(|y| u16::try_from(y).ok());
    for (i, (keys, what)) in rows.iter().enumerate() {
        let (column, row) = (i / per.max(1), i % per.max(1));
        let Some(y) = place(row) else { continue };
        let x = inside.x + half * u16::try_from(column).unwrap_or(0);
        let area = Rect { x, width: half, ..inside };
        let keys = fit(keys, keys_width, theme.ascii);
        let line = Line::from(vec![
            Span::styled(format!(" {keys:>keys_width$}  "), theme.key()),
            Span::raw(*what),
        ]);
        put(frame, area, y, &line);
    }
    for (i, rule) in rules.iter().enumerate() {
        let Some(y) = place(per + 1 + i) else { continue };
        put(frame, inside, y, &Line::styled(format!(" {}", shown(model, rule)), theme.dim()));
    }
}

/// What stands between a key and an allow.
fn rules_of_deciding(model: &Model) -> Vec<String> {
    use expacti_engine::Level;
    let step = |level: Level| {
        let what = match model.confirm.of(level) {
            crate::model::ConfirmKind::None => "nothing more",
            crate::model::ConfirmKind::Y => "y",
            crate::model::ConfirmKind::TargetName => "the target's name",
        };
        format!("{level} {what}")
    };
    let [low, medium, high, critical] =
        [Level::Low, Level::Medium, Level::High, Level::Critical].map(step);
    vec![
        format!("After {}: {low}; {medium}; {high}; {critical}.", model.keymap.key(Action::Allow)),
        "A request takes an allow once it was on the screen for half a second.".to_owned(),
        "A long command must have been on the screen to its last byte.".to_owned(),
        format!(
            "HIGH and above is sent after 2 s; until then {} takes it back.",
            model.keymap.key(Action::Undo)
        ),
        "Enter, the mouse and pasted text never decide. Nobody decides: denied.".to_owned(),
    ]
}
