//! Questions to the reviewer, in rows of their own above the footer. It must never be drawn where
//! an agent's text could be drawn.

use ratatui::text::{Line, Span};

use super::shown;
use crate::model::{ARMING, Control, Mode, Model};
use crate::text::{clean, fit, width};
use crate::update::Lock;

/// The rows of the question that is open now.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let caret = theme.pick("▏", "_");
    let bar = |text: String| {
        let text = fit(&text, columns, theme.ascii);
        let fill = columns.saturating_sub(width(&text));
        Line::styled(format!("{text}{}", " ".repeat(fill)), theme.question())
    };
    let typed = |label: &str, value: &str| {
        let value = shown(model, &clean(value, 2_000));
        // The end of a long text stays in sight.
        let room = columns.saturating_sub(width(label) + 2);
        let mut skip = width(&value).saturating_sub(room);
        let tail: String = value
            .chars()
            .skip_while(|_| {
                let drop = skip > 0;
                skip = skip.saturating_sub(1);
                drop
            })
            .collect();
        Line::from(vec![
            Span::styled(label.to_owned(), theme.label()),
            Span::raw(tail),
            Span::styled(caret, theme.key()),
        ])
    };
    match &model.mode {
        Mode::Confirm(c) => {
            let Some(item) = model.items.get(&c.id) else { return Vec::new() };
            let target = shown(model, &item.card.target);
            let ready = model.now >= c.opened.max(model.pressed_at.unwrap_or(0)) + ARMING;
            match &c.expected {
                None => {
                    let what = if ready { "press y to allow" } else { "look first …" };
                    let what = shown(model, what);
                    vec![bar(format!(
                        " ALLOW {} on {target}?   {what}   any other key cancels",
                        c.id.short()
                    ))]
                }
                Some(name) => vec![
                    bar(format!(
                        " ALLOW {} on {target}?   type {name} and press enter",
                        c.id.short()
                    )),
                    typed(" > ", c.input.value()),
                ],
            }
        }
        Mode::Comment(id, input) => {
            let lock = crate::update::comment_lock(model, id.as_ref());
            let head = match (id, lock) {
                (Some(id), None | Some(Lock::Arming(_) | Lock::NotShown)) => format!(
                    " DENY {}: what to tell the agent; enter denies, esc goes back",
                    id.short()
                ),
                (Some(id), Some(lock)) => {
                    format!(" DENY {}? {}; esc goes back", id.short(), lock.text())
                }
                (None, _) => " NOTHING TO DENY: no request is selected; esc goes back".to_owned(),
            };
            vec![bar(shown(model, &head)), typed(" > ", input.value())]
        }
        Mode::ConfirmSession(id, control, opened) => {
            let Some(session) = model.sessions.get(id) else { return Vec::new() };
            let ready = model.now >= opened + ARMING;
            let what = if ready { "press y" } else { "look first …" };
            let word = match control {
                Control::Kill => "END",
                Control::Pause => "PAUSE",
                Control::Resume => "RESUME",
            };
            let who = format!("{} on {}", session.agent, session.target);
            vec![bar(shown(
                model,
                &format!(
                    " {word} SESSION {} of {who}?   {what}   any other key cancels",
                    id.short()
                ),
            ))]
        }
        Mode::Normal
        | Mode::Filter(_)
        | Mode::Help(_)
        | Mode::Replay(_)
        | Mode::List(_)
        | Mode::Rule(_) => Vec::new(),
    }
}
