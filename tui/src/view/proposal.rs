//! The rule being proposed, over everything else. It must never cut off the part of a rule that
//! says what it lets through.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::widgets::{boxed, centred, put, wrapped};
use crate::model::{Model, RuleProposal};
use crate::propose::Candidate;
use crate::text::{clean, fit};
use crate::theme::Theme;
use crate::time::ARMING;

/// Columns of the labels.
const LABEL: usize = 10;

/// Draws it.
pub(super) fn draw(model: &Model, proposal: &RuleProposal, frame: &mut Frame<'_>, all: Rect) {
    let theme = model.settings.theme;
    let columns = usize::from(all.width).saturating_sub(8).clamp(20, 92);
    let mut lines: Vec<Line<'static>> = Vec::new();
    match &proposal.candidates {
        None => lines.push(Line::styled("looking at what was decided before …", theme.dim())),
        Some(list) if list.is_empty() => {
            lines.push(Line::raw("No rule can match this safely: it is more than plain words."));
        }
        Some(list) => {
            for (i, candidate) in list.iter().enumerate() {
                pattern(theme, candidate, i == proposal.at, columns, &mut lines);
            }
            if let Some(chosen) = list.get(proposal.at) {
                let fields = Fields { theme, columns };
                lines.push(Line::raw(""));
                terms(fields, proposal, chosen, &mut lines);
                backtest(fields, chosen, &mut lines);
            }
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = centred(all, u16::try_from(columns + 4).unwrap_or(all.width), height);
    frame.render_widget(Clear, area);
    let ready = proposal.candidates.as_ref().is_some_and(|c| !c.is_empty());
    let foot = match (ready, model.clock.now >= proposal.since + ARMING) {
        (true, true) => " press y to add the rule   any other key leaves ",
        (true, false) => " look first … ",
        _ => " any key leaves ",
    };
    let title = " Allow this in future without asking ".to_owned();
    let inside = boxed(theme, frame, area, title, theme.shown(foot));
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    for (y, line) in (0..inside.height).zip(&lines) {
        put(frame, inside, y, line);
    }
}

/// What one of the rules matches.
fn pattern(
    theme: Theme,
    candidate: &Candidate,
    chosen: bool,
    columns: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let kind = format!("{:?}", candidate.rule.kind).to_lowercase();
    let head = format!("{} {kind:<6} ", if chosen { ">" } else { " " });
    let text = theme.shown(&clean(&candidate.rule.pattern, 400));
    let style = if chosen { theme.strong() } else { theme.dim() };
    for (n, row) in wrapped(&text, columns - 9, 4).into_iter().enumerate() {
        let head = if n == 0 { head.clone() } else { " ".repeat(9) };
        lines.push(Line::from(vec![Span::styled(head, theme.key()), Span::styled(row, style)]));
    }
}

/// Draws labels and values.
#[derive(Clone, Copy)]
struct Fields {
    theme: Theme,
    columns: usize,
}

impl Fields {
    fn line(self, label: &str, text: &str, style: Style) -> Line<'static> {
        let text = self.theme.shown(&clean(text, 300));
        let text = fit(&text, self.columns.saturating_sub(LABEL), self.theme.ascii);
        Line::from(vec![
            Span::styled(format!("{label:<LABEL$}"), self.theme.label()),
            Span::styled(text, style),
        ])
    }
}

/// Why the rule is proposed, where it holds, and for how long.
fn terms(
    fields: Fields,
    proposal: &RuleProposal,
    chosen: &Candidate,
    lines: &mut Vec<Line<'static>>,
) {
    let s = &chosen.rule.scope;
    let scope: Vec<String> =
        [("agent", &s.agent), ("target", &s.target), ("user", &s.user), ("in", &s.cwd)]
            .into_iter()
            .filter_map(|(n, v)| Some(format!("{n} {}", v.as_ref()?)))
            .collect();
    lines.push(fields.line("WHY", &chosen.why, Style::new()));
    lines.push(fields.line("WHERE", &scope.join(", "), Style::new()));
    let lifetime = match proposal.hours() {
        1 => "1 hour".to_owned(),
        hours if hours >= 48 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    };
    let text = format!("{lifetime}   (left, right: shorter, longer)");
    lines.push(fields.line("FOR", &text, Style::new()));
}

/// What the rule would have let through.
fn backtest(fields: Fields, chosen: &Candidate, lines: &mut Vec<Line<'static>>) {
    let Fields { theme, columns } = fields;
    let b = &chosen.backtest;
    let text = format!(
        "of {} commands people decided it would have let through {}, {} of them denied by a person",
        b.total, b.matched, b.against_people
    );
    let style = if b.against_people > 0 { theme.error() } else { Style::new() };
    for (n, row) in wrapped(&text, columns - LABEL, 3).into_iter().enumerate() {
        lines.push(fields.line(if n == 0 { "BACKTEST" } else { "" }, &row, style));
    }
    for denied in b.contradicted.iter().take(3) {
        lines.push(fields.line("DENIED", denied, theme.error()));
    }
    let more = b.examples.iter().filter(|e| !b.contradicted.contains(e));
    for (n, example) in more.take(3).enumerate() {
        lines.push(fields.line(if n == 0 { "SUCH AS" } else { "" }, example, theme.dim()));
    }
    if let Some(level) = b.highest {
        lines.push(fields.line("HIGHEST", level.as_str(), theme.level(level)));
    }
}
