//! All keys, and what stands between a key and an allow. It must never say less than is asked for.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget as _};

use super::widgets::put;
use crate::keymap::Action;
use crate::model::{ConfirmKind, Model};
use crate::text::fit;

/// All keys, from the key map.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, all: Rect, scroll: usize) {
    let theme = model.settings.theme;
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(theme.border_focused())
        .title(" Keys ")
        .title_bottom(" any other key closes ");
    let inside = block.inner(all);
    block.render(all, frame.buffer_mut());
    let rows = model.settings.keymap.help();
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
        put(frame, inside, y, &Line::styled(format!(" {}", theme.shown(rule)), theme.dim()));
    }
}

/// What stands between a key and an allow.
fn rules_of_deciding(model: &Model) -> Vec<String> {
    let step = |level: Level| {
        let what = match model.settings.confirm.of(level) {
            ConfirmKind::None => "nothing more",
            ConfirmKind::Y => "y",
            ConfirmKind::TargetName => "the target's name",
        };
        format!("{level} {what}")
    };
    let [low, medium, high, critical] =
        [Level::Low, Level::Medium, Level::High, Level::Critical].map(step);
    vec![
        format!(
            "After {}: {low}; {medium}; {high}; {critical}.",
            model.settings.keymap.key(Action::Allow)
        ),
        "A request takes an allow once it was on the screen for half a second.".to_owned(),
        "A long command must have been on the screen to its last byte.".to_owned(),
        format!(
            "HIGH and above is sent after 2 s; until then {} takes it back.",
            model.settings.keymap.key(Action::Undo)
        ),
        "Enter, the mouse and pasted text never decide. Nobody decides: denied.".to_owned(),
    ]
}
