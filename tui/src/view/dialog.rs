//! Questions to the reviewer, in rows of their own above the footer. It must never be drawn where
//! an agent's text could be drawn.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::{shown, wrapped};
use crate::model::{Control, GrantField, GrantForm, Mode, Model, words};
use crate::text::{clean, fit, width};
use crate::update::Lock;

/// The rows of the question that is open now.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let caret = theme.pick("▏", "_");
    let bar_in = |text: String, style: Style| {
        let text = fit(&text, columns, theme.ascii);
        let fill = columns.saturating_sub(width(&text));
        Line::styled(format!("{text}{}", " ".repeat(fill)), style)
    };
    let bar = |text: String| bar_in(text, theme.question());
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
            let ready = model.answerable();
            let bar = |text: String| bar_in(text, theme.question_of(item.level()));
            match &c.expected {
                None => {
                    let what = if ready { "press y to allow" } else { "look first …" };
                    let what = shown(model, what);
                    let unseen = if model.masked(item) { " UNSEEN" } else { "" };
                    vec![bar(format!(
                        " ALLOW {}{unseen} on {target}?   {what}   any other key cancels",
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
        Mode::Grant(g) => grant(model, g, columns),
        Mode::ConfirmSession(id, control) => {
            let Some(session) = model.sessions.get(id) else { return Vec::new() };
            let ready = model.answerable();
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
        | Mode::Search(_)
        | Mode::Help(_)
        | Mode::Replay(_)
        | Mode::List(_)
        | Mode::Rule(_) => Vec::new(),
    }
}

/// A permission that is being made out: what it means, its limits, and the name that confirms it.
fn grant(model: &Model, form: &GrantForm, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let Some(item) = model.items.get(&form.id) else { return Vec::new() };
    let target = shown(model, &item.card.target);
    let means = match form.grant() {
        Ok(grant) => format!("an ungated shell for {}", words(grant)),
        Err(why) => why.to_owned(),
    };
    let text = format!(
        "GRANT {} on {target}: {means}: everything typed passes unreviewed",
        form.id.short()
    );
    let mut lines: Vec<Line<'static>> = wrapped(&text, columns.saturating_sub(2), 5)
        .into_iter()
        .map(|row| {
            let fill = columns.saturating_sub(width(&row) + 1);
            Line::styled(format!(" {row}{}", " ".repeat(fill)), theme.alarm())
        })
        .collect();
    let field = |label: &str, field: GrantField, input: &Input| {
        let here = form.field == field;
        let value = shown(model, &clean(input.value(), 40));
        let caret = if here { theme.pick("▏", "_") } else { " " };
        vec![
            Span::styled(label.to_owned(), if here { theme.label() } else { theme.dim() }),
            Span::raw(value),
            Span::styled(caret, theme.key()),
        ]
    };
    let mut limits = field(" for ", GrantField::Seconds, &form.seconds);
    limits.extend(field("  at most ", GrantField::Bytes, &form.bytes));
    limits.push(Span::styled("  tab changes", theme.dim()));
    lines.push(Line::from(limits));
    let label = format!(" type {} and press enter > ", form.expected);
    lines.push(Line::from(field(&label, GrantField::Name, &form.name)));
    lines
}
