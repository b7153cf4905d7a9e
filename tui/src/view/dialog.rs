//! Questions to the reviewer, in rows of their own above the footer. It must never be drawn where
//! an agent's text could be drawn.

use expacti_protocol::ids::{CommandId, SessionId};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::widgets::wrapped;
use crate::model::{
    Confirming, GrantField, GrantForm, Mode, Model, SecondStep, SessionControl, words,
};
use crate::text::{clean, fit, width};
use crate::theme::Theme;
use crate::update::{Lock, comment_lock};

/// The rows of the question that is open now.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    if let Some(input) = &model.pin {
        let theme = model.settings.theme;
        let text = " the broker asks for your PIN; enter gives it, esc does not";
        return vec![bar(theme, text, theme.question(), columns), hidden(theme, " PIN > ", input)];
    }
    match &model.mode {
        Mode::Confirm(confirming) => confirm(model, confirming, columns),
        Mode::Comment(id, input) => comment(model, id.as_ref(), input, columns),
        Mode::Grant(form) => grant(model, form, columns),
        Mode::ConfirmSession(id, control) => session(model, id, *control, columns),
        Mode::Normal
        | Mode::Filter(_)
        | Mode::Search(_)
        | Mode::Help(_)
        | Mode::Replay(_)
        | Mode::List(_)
        | Mode::Rule(_) => Vec::new(),
    }
}

/// A row over the whole width.
fn bar(theme: Theme, text: &str, style: Style, columns: usize) -> Line<'static> {
    let text = fit(text, columns, theme.ascii);
    let fill = columns.saturating_sub(width(&text));
    Line::styled(format!("{text}{}", " ".repeat(fill)), style)
}

/// What is being typed. The end of a long text stays visible.
fn typed(theme: Theme, label: &'static str, input: &Input, columns: usize) -> Line<'static> {
    let value = theme.shown(&clean(input.value(), 2_000));
    let room = columns.saturating_sub(width(label) + 2);
    let skip = width(&value).saturating_sub(room);
    let end: String = value.chars().skip(skip).collect();
    Line::from(vec![
        Span::styled(label, theme.label()),
        Span::raw(end),
        Span::styled(theme.pick("▏", "_"), theme.key()),
    ])
}

/// What is being typed, by its length only.
fn hidden(theme: Theme, label: &'static str, input: &Input) -> Line<'static> {
    let length = input.value().chars().count().min(64);
    Line::from(vec![
        Span::styled(label, theme.label()),
        Span::raw(theme.pick("•", "*").repeat(length)),
        Span::styled(theme.pick("▏", "_"), theme.key()),
    ])
}

/// The second step of an allow.
fn confirm(model: &Model, confirming: &Confirming, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let Some(item) = model.requests.items.get(&confirming.id) else { return Vec::new() };
    let (id, target) = (confirming.id.short(), theme.shown(&item.card.target));
    let style = theme.question_of(item.level());
    match &confirming.step {
        SecondStep::Key => {
            let ready = model.answerable();
            let what = theme.shown(if ready { "press y to allow" } else { "look first …" });
            let unseen = if model.requests.masked(item) { " UNSEEN" } else { "" };
            let text = format!(" ALLOW {id}{unseen} on {target}?   {what}   any other key cancels");
            vec![bar(theme, &text, style, columns)]
        }
        SecondStep::Pin { input, .. } => {
            let text = format!(" ALLOW {id} on {target}?   your PIN and enter; esc goes back");
            vec![bar(theme, &text, style, columns), hidden(theme, " PIN > ", input)]
        }
        SecondStep::Name { expected, input } => {
            let text = format!(" ALLOW {id} on {target}?   type {expected} and press enter");
            vec![bar(theme, &text, style, columns), typed(theme, " > ", input, columns)]
        }
    }
}

/// The comment of a denial.
fn comment(
    model: &Model,
    id: Option<&CommandId>,
    input: &Input,
    columns: usize,
) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let text = match (id, comment_lock(model, id)) {
        (Some(id), None | Some(Lock::Arming(_) | Lock::NotShown)) => {
            format!(" DENY {}: what to tell the agent; enter denies, esc goes back", id.short())
        }
        (Some(id), Some(lock)) => {
            format!(" DENY {}? {}; esc goes back", id.short(), lock.text())
        }
        (None, _) => " NOTHING TO DENY: no request is selected; esc goes back".to_owned(),
    };
    let text = theme.shown(&text);
    vec![bar(theme, &text, theme.question(), columns), typed(theme, " > ", input, columns)]
}

/// Ending, pausing or resuming a session.
fn session(
    model: &Model,
    id: &SessionId,
    control: SessionControl,
    columns: usize,
) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let Some(session) = model.sessions.all.get(id) else { return Vec::new() };
    let what = if model.answerable() { "press y" } else { "look first …" };
    let word = match control {
        SessionControl::Kill => "END",
        SessionControl::Pause => "PAUSE",
        SessionControl::Resume => "RESUME",
    };
    let who = format!("{} on {}", session.agent, session.target);
    let text = format!(" {word} SESSION {} of {who}?   {what}   any other key cancels", id.short());
    vec![bar(theme, &theme.shown(&text), theme.question(), columns)]
}

/// A grant being filled in: what it means, its limits, and the name that confirms it.
fn grant(model: &Model, form: &GrantForm, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let Some(item) = model.requests.items.get(&form.id) else { return Vec::new() };
    let target = theme.shown(&item.card.target);
    let means = match form.grant() {
        Ok(grant) if form.input => {
            format!("its standard input for {} after what is shown", words(grant))
        }
        Ok(grant) => format!("an ungated shell for {}", words(grant)),
        Err(why) => why.to_owned(),
    };
    let text = format!(
        "GRANT {} on {target}: {means}: {} passes unreviewed",
        form.id.short(),
        if form.input { "what comes" } else { "everything typed" }
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
        let value = theme.shown(&clean(input.value(), 40));
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
