//! What a decision rests on, below the command: score, anomalies, approvals, the closest rule, what
//! came before. It must never start a line with anything but a label of ours.

use expacti_engine::Level;
use expacti_protocol::command::CommandState;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::widgets::wrapped;
use crate::keymap::Action;
use crate::model::{ClosestRule, Item, Model, ScoreTerm, Verdict, words};
use crate::text::{fit, width};
use crate::theme::Theme;

/// Allows of the same after which a rule is offered.
const REPEATED: u32 = 2;

/// Below the command, most important first.
pub(super) fn lines(model: &Model, item: &Item, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let card = &item.card;
    let mut lines = Vec::new();
    why(model, item, columns, &mut lines);
    for unusual in &card.anomalies {
        let name = unusual.name.replace('_', " ");
        let text = format!("{} {}", theme.shown(&name), theme.shown(&unusual.evidence));
        labelled(theme, "UNUSUAL ", &text, theme.warn(), columns, 2, &mut lines);
    }
    if card.anomalies.is_empty() && item.view().anomaly {
        let names = crate::text::clean(&item.view().anomaly_reasons.join(", "), 200);
        labelled(theme, "UNUSUAL ", &theme.shown(&names), theme.warn(), columns, 2, &mut lines);
    }
    approvals(model, item, columns, &mut lines);
    let times = model.decisions.allowed.get(&item.group).copied().unwrap_or(0);
    if times >= REPEATED && item.level() < Level::High && model.reviewer.role.may_administer() {
        let key = model.settings.keymap.key(Action::Rule);
        let text = format!("you allowed exactly this {times} times: {key} proposes a rule");
        labelled(theme, "AGAIN ", &text, theme.ok(), columns, 1, &mut lines);
    }
    if item.view().interactive.as_ref().is_some_and(|i| i.grantable)
        && item.state() == CommandState::Pending
    {
        let key = model.settings.keymap.key(Action::Grant);
        let text = format!("{key} allows it and lets what follows pass unreviewed for a while");
        labelled(theme, "GRANT ", &text, theme.warn(), columns, 2, &mut lines);
    }
    trust(model, item, columns, &mut lines);
    if let Some(grant) = item.view().grant {
        let text = format!("what followed could pass unreviewed: {}", words(grant));
        labelled(theme, "GRANT ", &text, theme.warn(), columns, 2, &mut lines);
    }
    for note in &card.notes {
        labelled(theme, "NOTE ", &theme.shown(note), theme.warn(), columns, 2, &mut lines);
    }
    match &card.closest {
        Some(rule) => closest(theme, rule, columns, &mut lines),
        None if !card.rule_why.is_empty() => {
            labelled(
                theme,
                "RULES ",
                &theme.shown(&card.rule_why),
                theme.dim(),
                columns,
                1,
                &mut lines,
            );
        }
        None => {}
    }
    before(model, item, columns, &mut lines);
    lines
}

/// What an allow means for what only looks in the same account.
fn trust(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    if item.state() != CommandState::Pending {
        return;
    }
    let theme = model.settings.theme;
    let key = model.settings.keymap.key(Action::AllowTrusting);
    if let Some(why) = &item.card.tainted {
        let text = format!("{}; {key} allows it and clears that", theme.shown(why));
        labelled(theme, "TAINTED ", &text, theme.warn(), columns, 3, lines);
    } else if let Some(why) = &item.card.taints {
        let text = format!(
            "what only looks here is asked about again, for {}; {key} allows it and goes on trusting",
            theme.shown(why)
        );
        labelled(theme, "AFTER ", &text, theme.dim(), columns, 3, lines);
    }
}

fn labelled(
    theme: Theme,
    label: &str,
    text: &str,
    style: Style,
    columns: usize,
    most: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let indent = width(label).min(columns / 2);
    for (i, row) in wrapped(text, columns.saturating_sub(indent), most).into_iter().enumerate() {
        let head = if i == 0 {
            Span::styled(fit(label, indent.max(4), theme.ascii), theme.label())
        } else {
            Span::raw(" ".repeat(indent))
        };
        lines.push(Line::from(vec![head, Span::styled(row, style)]));
    }
}

/// The closest rule, and word by word how the command differs from it: `+` is in the command and
/// not in the rule, `-` in the rule and not in the command, `~` is something else.
fn closest(theme: Theme, closest: &ClosestRule, columns: usize, lines: &mut Vec<Line<'static>>) {
    let label = format!("CLOSEST RULE {} differs by ", theme.shown(&closest.rule));
    let indent = width(&label).min(columns / 2);
    let mut spans = vec![Span::styled(fit(&label, indent, theme.ascii), theme.label())];
    let mut used = indent;
    let mut rows = 1;
    for part in closest.differs.split(", ") {
        let (sign, word, style) = match part.strip_prefix("without ") {
            Some(word) => ("- ", word, theme.label()),
            None if matches!(part, "outside its scope" | "the order of the words") => {
                ("~ ", part, theme.warn())
            }
            None => ("+ ", part, theme.warn().patch(theme.strong())),
        };
        let word = fit(&theme.shown(word), columns.saturating_sub(indent + 4), theme.ascii);
        if used + width(&word) + 2 > columns && used > indent {
            if rows == 2 {
                spans.push(Span::styled(theme.pick("…", "~"), theme.dim()));
                break;
            }
            lines.push(Line::from(std::mem::take(&mut spans)));
            spans.push(Span::raw(" ".repeat(indent)));
            (used, rows) = (indent, rows + 1);
        }
        used += width(&word) + 4;
        spans.push(Span::styled(format!("{sign}{word}  "), style));
    }
    lines.push(Line::from(spans));
}

/// Each contribution to the score.
fn why(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = model.settings.theme;
    let label = format!("WHY {} ", item.view().risk_score);
    let mut spans = vec![Span::styled(label.clone(), theme.label())];
    let mut used = width(&label);
    let indent = used;
    let mut terms: Vec<&ScoreTerm> = item.card.terms.iter().collect();
    terms.sort_by_key(|t| -t.points);
    let mut rows = 0;
    for ScoreTerm { points, name, why } in terms {
        let text =
            if why.is_empty() || width(why) > 34 { name.replace('_', " ") } else { why.clone() };
        let points = format!("{points:+}");
        let room = columns.saturating_sub(indent + width(&points) + 1);
        let text = format!(" {}", fit(&theme.shown(&text), room, theme.ascii));
        let need = width(&points) + width(&text) + 2;
        if used + need > columns + 2 && used > indent {
            lines.push(Line::from(std::mem::take(&mut spans)));
            rows += 1;
            if rows == 3 {
                return;
            }
            spans.push(Span::raw(" ".repeat(indent)));
            used = indent;
        }
        let style = if points.starts_with('+') { theme.level(item.level()) } else { theme.ok() };
        let style = style.remove_modifier(ratatui::style::Modifier::REVERSED);
        spans.push(Span::styled(points, style));
        spans.push(Span::raw(format!("{text}  ")));
        used += need;
    }
    lines.push(Line::from(spans));
}

/// Who must approve and who has.
fn approvals(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = model.settings.theme;
    let card = &item.card;
    let plain = card.requirement.is_empty() && card.votes.is_empty() && card.may_decide.len() <= 1;
    let ours = card.may_decide.iter().all(|name| *name == model.reviewer.name);
    if plain && ours && item.view().approvals_missing <= 1 {
        return;
    }
    let mut parts = Vec::new();
    if item.state() == CommandState::Pending {
        let n = item.view().approvals_missing.max(1);
        parts.push(match card.may_decide.join(", ") {
            names if names.is_empty() => format!("{n} more needed"),
            names => theme.shown(&format!("needs {n} more of {names}")),
        });
    }
    if !card.requirement.is_empty() {
        parts.push(theme.shown(&card.requirement));
    }
    for vote in &card.votes {
        let word = match vote.verdict {
            Verdict::Allow => "yes",
            Verdict::Deny => "no",
        };
        let space = if vote.comment.is_empty() { "" } else { " " };
        parts.push(theme.shown(&format!("{}: {word}{space}{}", vote.by, vote.comment)));
    }
    let text = parts.join(theme.pick(" · ", " - "));
    labelled(theme, "APPROVALS ", &text, Style::new(), columns, 2, lines);
}

/// The last commands of the agent on this target with their results, whichever connection they came in.
fn before(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = model.settings.theme;
    let list = model.sessions.before(item.view());
    let skip = list.len().saturating_sub(3);
    for (i, p) in list.into_iter().skip(skip).enumerate() {
        let label = if i == 0 { "BEFORE " } else { "       " };
        let style = if p.good { theme.ok() } else { theme.warn() };
        let head = format!("{} ", model.clock.time_of_day(p.at));
        let room = columns.saturating_sub(7 + width(&head) + width(&p.result) + 2);
        lines.push(Line::from(vec![
            Span::styled(label, theme.label()),
            Span::styled(head, theme.dim()),
            Span::styled(format!("{}  ", p.result), style),
            Span::styled(fit(&theme.shown(&p.headline), room, theme.ascii), theme.dim()),
        ]));
    }
}
