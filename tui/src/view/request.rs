//! The request under review: where and who, the exact command, what a decision rests on. It must
//! never report a row as drawn that was not.

use expacti_protocol::command::CommandState;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::body::Body;
use super::rationale;
use super::widgets::{Panel, countdown, key_label, put, wrapped};
use crate::keymap::Action;
use crate::model::{
    Area, Destination, Drawn, DrawnRequest, Item, Model, Pane, Stage, Verdict, result,
};
use crate::text::{fit, width};
use crate::theme::badge;
use crate::time::SLOW_ANSWER;

/// Rows of the command that are kept even when everything else needs room.
const COMMAND_ROWS: usize = 3;

/// Columns the command has inside a box of that width: borders, a space, the prompt.
fn command_columns(outer: u16) -> usize {
    usize::from(outer.saturating_sub(2)).saturating_sub(4).max(2)
}

/// The rows a box of that width wants.
pub(super) fn height(model: &Model, outer: u16) -> u16 {
    let Some(item) = model.requests.current() else { return 0 };
    let columns = usize::from(outer.saturating_sub(4));
    let rows = Body::new(model, item, command_columns(outer)).len();
    // With a blank row above the command and one below it.
    let all = header(model, item, columns).len()
        + rows
        + 3
        + rationale::lines(model, item, columns).len();
    u16::try_from(all + 2).unwrap_or(u16::MAX)
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.settings.theme;
    let Some(item) = model.requests.current() else { return empty(model, frame, area, drawn) };
    let (word, shape) = badge(item.level(), theme.ascii);
    let title = vec![
        Span::raw(format!("Request {} {} ", item.id().short(), theme.pick("·", "-"))),
        Span::styled(
            format!(" {} {} {} ", word.trim_end(), shape.trim_end(), item.view().risk_score),
            theme.title_of(item.level()),
        ),
    ];
    let level = Some(item.level()).filter(|_| item.state() == CommandState::Pending);
    let inside = Panel {
        theme,
        pane: Pane::Request,
        focused: model.pane == Pane::Request,
        level,
        title,
        foot: deadline(model, item),
    }
    .draw(frame, area);
    drawn.areas.push(Area { pane: Pane::Request, rect: inside, first: 0 });
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let columns = usize::from(inside.width);
    let room = usize::from(inside.height);
    let mut above = header(model, item, columns);
    let body = Body::new(model, item, command_columns(area.width));
    let below = rationale::lines(model, item, columns);
    above.truncate(room.saturating_sub(COMMAND_ROWS + 1).max(usize::from(room > 2)));
    // The command, its one line of facts, and as much of the rest as fits.
    let free = room.saturating_sub(above.len() + 1);
    let view = body.len().min(free.saturating_sub(below.len()).max(COMMAND_ROWS.min(free)));
    let max_scroll = body.len().saturating_sub(view);
    let found = model.reading.find.at.filter(|_| model.reading.jump_to_match);
    // Two rows before a match are visible.
    let jump = found.map(|found| body.row_of(found).saturating_sub(2));
    let scroll = jump.unwrap_or(model.reading.scroll).min(max_scroll);
    drawn.scroll = jump.map(|_| scroll);
    let mut y = 0;
    let mut line = |frame: &mut Frame<'_>, line: &Line<'_>| {
        put(frame, inside, y, line);
        y += 1;
    };
    let air = room.saturating_sub(above.len() + view + 1 + below.len()).min(2);
    for l in &above {
        line(frame, l);
    }
    if air > 1 {
        line(frame, &Line::default());
    }
    let rows = body.draw(model, scroll, view);
    for l in &rows.lines {
        line(frame, l);
    }
    line(frame, &body.facts(model, scroll, view, columns));
    if air > 0 {
        line(frame, &Line::default());
    }
    for l in &below {
        line(frame, l);
    }
    drawn.page = view;
    drawn.max_scroll = max_scroll;
    let complete = area.width >= 20 && room >= 3;
    drawn.small |= !complete;
    if complete {
        drawn.request = Some(DrawnRequest {
            id: item.id().clone(),
            revision: item.view().revision,
            rows: if body.masked() { Vec::new() } else { rows.text },
            preview: rows.preview,
            masked: body.masked(),
        });
    }
}

/// What happens at the deadline.
fn deadline(model: &Model, item: &Item) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    if item.state() != CommandState::Pending {
        return Vec::new();
    }
    let (left, text) = countdown(&model.clock, item.view().deadline_ms);
    let whole = i64::try_from(item.view().timeout_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    vec![Span::styled(format!(" auto-DENY in {text} "), theme.countdown(left, whole))]
}

/// Above the command: where, who, why, and what has become of it.
fn header(model: &Model, item: &Item, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let card = &item.card;
    let mut lines = Vec::new();
    if let Some((text, style)) = status(model, item) {
        lines.push(Line::styled(fit(&format!(" {text} "), columns, theme.ascii), style));
    }
    let mut pairs = vec![
        ("", theme.shown(&card.target), theme.strong()),
        ("cwd ", theme.shown(&card.cwd), Style::new()),
        ("agent ", theme.shown(&card.agent), Style::new()),
        ("session ", item.view().session_id.short().to_owned(), Style::new()),
    ];
    // Next to the target: of a small box only the first row is certain.
    let cautions = card.cautions.iter().map(|caution| ("", theme.shown(caution), theme.warn()));
    pairs.splice(1..1, cautions);
    if let Some(place) = &card.place {
        pairs.insert(1, ("at ", theme.shown(place), Style::new()));
    }
    if let Some(owner) = &card.owner {
        pairs.push(("for ", theme.shown(owner), Style::new()));
    }
    if let Some(key) = &card.host_key {
        pairs.push(("host key ", theme.shown(key), Style::new()));
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (label, value, style) in pairs {
        let value = fit(&value, columns.saturating_sub(width(label)).max(4), theme.ascii);
        let need = width(label) + width(&value);
        if used > 0 && used + 2 + need > columns {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
        }
        if used > 0 {
            spans.push(Span::raw("  "));
            used += 2;
        }
        spans.push(Span::styled(label, theme.dim()));
        spans.push(Span::styled(value, style));
        used += need;
    }
    lines.push(Line::from(spans));
    if let Some(destination) = &card.destination {
        lines.extend(destination_lines(model, destination, columns));
    }
    if let Some(sentence) = &card.sentence {
        let label = "in words ";
        let rows = wrapped(&theme.shown(sentence), columns.saturating_sub(width(label)), 2);
        for (n, row) in rows.into_iter().enumerate() {
            let label = if n == 0 { label.to_owned() } else { " ".repeat(width(label)) };
            let spans = [Span::styled(label, theme.dim()), Span::styled(row, theme.strong())];
            lines.push(Line::from(spans.to_vec()));
        }
    }
    if let Some(reason) = &card.reason {
        let text = fit(&theme.shown(reason), columns.saturating_sub(15), theme.ascii);
        lines.push(Line::from(vec![Span::styled("the agent says ", theme.dim()), Span::raw(text)]));
    }
    lines
}

/// What kind of item it is and where it goes.
fn destination_lines(model: &Model, to: &Destination, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let lead = match to.program.is_empty() {
        true => to.what.to_owned(),
        false => format!("{} for ", to.what),
    };
    let mark = match (to.prompt.is_some(), to.certain) {
        (true, true) => theme.pick(" ✓", " ok"),
        (true, false) => theme.pick(" ▲", " !"),
        (false, _) => "",
    };
    let label = to.prompt.map(|l| format!("  {l}{mark}")).unwrap_or_default();
    let style = if to.certain { theme.ok() } else { theme.warn() };
    let name = theme.shown(&to.program);
    let mut spans = vec![Span::styled(lead.clone(), theme.dim())];
    if width(&lead) + width(&name) + width(&label) <= columns {
        spans.push(Span::styled(name, theme.strong()));
        spans.push(Span::styled(label, style));
        return vec![Line::from(spans)];
    }
    let name = fit(&name, columns.saturating_sub(width(&lead)), theme.ascii);
    spans.push(Span::styled(name, theme.strong()));
    let label = fit(&label, columns, theme.ascii);
    vec![Line::from(spans), Line::styled(label, style)]
}

/// What has become of the request, when it does not simply wait.
fn status(model: &Model, item: &Item) -> Option<(String, Style)> {
    let theme = model.settings.theme;
    let next = model.settings.keymap.key(Action::NextRequest);
    if item.state() != CommandState::Pending {
        let (text, _) = result(item.state(), item.view().outcome.as_ref());
        let by =
            item.card.decided.as_ref().map(|d| format!(" {}", theme.shown(d))).unwrap_or_default();
        return Some((format!("{}{by}   {next} next", text.to_uppercase()), theme.alarm_calm()));
    }
    match &item.stage {
        Stage::Held { until, grant, .. } => {
            let left = until.saturating_sub(model.clock.now).div_ceil(1000);
            let undo = model.settings.keymap.key(Action::Undo);
            let word = if grant.is_some() { "GRANT" } else { "ALLOW" };
            Some((format!("{word} held for {left} s: {undo} takes it back"), theme.alarm_calm()))
        }
        Stage::Sent { verdict, at, .. } => {
            let word = verdict.as_str().to_uppercase();
            let slow = if model.clock.now >= at + SLOW_ANSWER { ", no answer yet" } else { "" };
            Some((format!("{word} sent, not confirmed{slow}"), theme.alarm_calm()))
        }
        Stage::Signing { touch: true, .. } => {
            let deny = model.settings.keymap.key(Action::Deny);
            Some((format!("TOUCH YOUR KEY to allow this; {deny} denies it"), theme.alarm()))
        }
        Stage::Signing { touch: false, .. } => {
            Some(("your key signs this".to_owned(), theme.alarm_calm()))
        }
        Stage::Done { verdict: Verdict::Allow } => {
            let n = item.view().approvals_missing;
            Some((format!("you approved; {n} more needed   {next} next"), theme.alarm_calm()))
        }
        Stage::Done { verdict: Verdict::Deny } => {
            Some(("you denied".to_owned(), theme.alarm_calm()))
        }
        Stage::Refused { why } => Some((format!("REFUSED {}", theme.shown(why)), theme.alarm())),
        Stage::Open if item.redacted && !item.exact => Some((
            "secrets in it are masked for you: this can only be denied".to_owned(),
            theme.alarm_calm(),
        )),
        Stage::Open if !item.exact => Some((
            "THE BYTES DO NOT MATCH THEIR DIGEST: this can only be denied".to_owned(),
            theme.alarm(),
        )),
        Stage::Open if item.view().retry_of_denied => {
            Some(("denied before in this session: the agent tries again".to_owned(), theme.warn()))
        }
        Stage::Open => None,
    }
}

/// Nothing is selected.
fn empty(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.settings.theme;
    let inside = Panel {
        theme,
        pane: Pane::Request,
        focused: model.pane == Pane::Request,
        level: None,
        title: vec![Span::raw("Request")],
        foot: Vec::new(),
    }
    .draw(frame, area);
    drawn.areas.push(Area { pane: Pane::Request, rect: inside, first: 0 });
    let columns = usize::from(inside.width).saturating_sub(4);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let waits = model.requests.pending().count();
    if waits > 0 {
        let text = format!(
            "{waits} waiting; {} takes the next",
            model.settings.keymap.key(Action::NextRequest)
        );
        lines.push(Line::styled(text, theme.strong()));
    } else {
        lines.push(Line::styled("Nothing to review", theme.strong()));
    }
    if let Some(last) = &model.decisions.last {
        let word = match last.verdict {
            Verdict::Allow => "allowed",
            Verdict::Deny => "denied",
        };
        let state = model.requests.items.get(&last.id).map(|i| match (&i.stage, i.state()) {
            (Stage::Held { .. }, _) => " (held)",
            (Stage::Sent { .. }, CommandState::Pending) => " (sending)",
            (Stage::Signing { .. }, CommandState::Pending) => " (not signed yet)",
            (Stage::Refused { .. }, _) => " (REFUSED)",
            _ => "",
        });
        let at = model.clock.time_of_day(last.at_ms / 1000);
        let text = format!("last: {at} {word}{} ", state.unwrap_or_default());
        let room = columns.saturating_sub(width(&text));
        lines.push(Line::from(vec![
            Span::styled(text, theme.dim()),
            Span::raw(fit(&theme.shown(&last.headline), room, theme.ascii)),
        ]));
    }
    let live = model.sessions.all.values().filter(|s| s.view.closed_at.is_none()).count();
    let text = match live {
        0 => "no agent is connected: expacti wrap -- ssh host".to_owned(),
        1 => "1 session is open".to_owned(),
        n => format!("{n} sessions are open"),
    };
    lines.push(Line::styled(text, theme.dim()));
    if waits == 0 && inside.height >= 8 && columns >= 60 {
        lines.push(Line::default());
        let text = "a command waits here until you decide; undecided, it is denied";
        lines.push(Line::styled(text, theme.dim()));
        let mut keys = Vec::new();
        for action in [Action::History, Action::Rules, Action::Audit, Action::Help] {
            keys.extend(key_label(theme, &model.settings.keymap.key(action), action.label(), true));
        }
        lines.push(Line::from(keys));
    }
    let top = inside.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 2;
    for (y, line) in (top..inside.height).zip(&lines) {
        let w = u16::try_from(line.width()).unwrap_or(0).min(inside.width);
        let x = inside.x + (inside.width - w) / 2;
        let area = Rect { x, width: w, ..inside };
        put(frame, area, y, line);
    }
}
