//! Colours, shapes and drawing characters. It must never carry meaning by colour alone.

use expacti_engine::Level;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use crate::text::to_ascii;

/// How things look: 16 ANSI colours on the terminal's own background, or none (`NO_COLOR`), with
/// Unicode shapes or plain ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Use colours.
    pub colour: bool,
    /// Draw with ASCII only.
    pub ascii: bool,
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

const ASCII_HEAVY: border::Set<'static> = border::Set {
    vertical_left: "#",
    vertical_right: "#",
    horizontal_top: "=",
    horizontal_bottom: "=",
    ..ASCII_BORDER
};

/// The word, four columns, and the shape, three columns, of a level.
pub(crate) fn badge(level: Level, ascii: bool) -> (&'static str, &'static str) {
    match (level, ascii) {
        (Level::Critical, false) => ("CRIT", "▲▲▲"),
        (Level::High, false) => ("HIGH", "▲▲ "),
        (Level::Medium, false) => ("MED ", "▲  "),
        (Level::Low, false) => ("LOW ", "·  "),
        (Level::Critical, true) => ("CRIT", "!!!"),
        (Level::High, true) => ("HIGH", "!! "),
        (Level::Medium, true) => ("MED ", "!  "),
        (Level::Low, true) => ("LOW ", ".  "),
    }
}

impl Theme {
    fn fg(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// `unicode`, or `ascii` where only ASCII may be drawn.
    pub(crate) fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }

    /// Clean text as this theme can draw it: nothing but ASCII where only that can be drawn.
    pub(crate) fn shown(self, text: &str) -> String {
        if self.ascii { to_ascii(text).into_owned() } else { text.to_owned() }
    }

    /// The characters of a box.
    pub(crate) fn border_set(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::PLAIN }
    }

    /// A box that is not in use.
    pub(crate) fn border(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The box that takes the keys.
    pub(crate) fn border_focused(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What matters more.
    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A label before a value.
    pub(crate) fn label(self) -> Style {
        self.fg(Color::Cyan)
    }

    /// A key in the footer and the help.
    pub(crate) fn key(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The name of the program.
    pub(crate) fn brand(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Something went well.
    pub(crate) fn ok(self) -> Style {
        self.fg(Color::Green)
    }

    /// Something wants attention.
    pub(crate) fn warn(self) -> Style {
        self.fg(Color::Yellow)
    }

    /// Something failed.
    pub(crate) fn error(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A band nobody can overlook: disconnected, refused.
    pub(crate) fn alarm(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// What has become of a request.
    pub(crate) fn alarm_calm(self) -> Style {
        self.fg(Color::Yellow).add_modifier(Modifier::REVERSED)
    }

    /// A question of ours.
    pub(crate) fn question(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// The row that is selected, in the pane that takes the keys or in another one.
    pub(crate) fn selected(self, focused: bool) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if focused { bold.add_modifier(Modifier::REVERSED) } else { bold }
    }

    /// A selected row over the whole width, whatever the colours of its pieces.
    pub(crate) fn selected_row(self) -> Style {
        let plain = Style::new().fg(Color::Reset).bg(Color::Reset).remove_modifier(Modifier::DIM);
        plain.patch(self.selected(true))
    }

    /// The level of what is looked at, in the title of its box.
    pub(crate) fn title_of(self, level: Level) -> Style {
        match level {
            Level::Low => self.strong(),
            level => self.question_of(level),
        }
    }

    /// The box of a request of that level; nothing of its own where little can go wrong.
    pub(crate) fn border_of(self, level: Level) -> Option<Style> {
        let bold = self.fg(Color::Red).add_modifier(Modifier::BOLD);
        (level >= Level::High).then_some(bold)
    }

    /// The characters of the box of a request: heavy ones for the most dangerous, so that it is
    /// seen without colours.
    pub(crate) fn border_set_of(self, level: Level) -> border::Set<'static> {
        match (level, self.ascii) {
            (Level::Critical, false) => border::THICK,
            (Level::Critical, true) => ASCII_HEAVY,
            _ => self.border_set(),
        }
    }

    /// A question about a request of that level.
    pub(crate) fn question_of(self, level: Level) -> Style {
        let colour = match level {
            Level::Critical | Level::High => Color::Red,
            Level::Medium => Color::Yellow,
            Level::Low => Color::Cyan,
        };
        self.fg(colour).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// A level's badge.
    pub(crate) fn level(self, level: Level) -> Style {
        match level {
            Level::Critical => {
                self.fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
            }
            Level::High => self.fg(Color::Red).add_modifier(Modifier::BOLD),
            Level::Medium => self.fg(Color::Yellow),
            Level::Low => Style::new(),
        }
    }

    /// Bytes of the command that raised the score.
    pub(crate) fn cause(self, level: Level) -> Style {
        let style = match level {
            Level::Critical | Level::High => self.fg(Color::Red),
            Level::Medium | Level::Low => self.fg(Color::Yellow),
        };
        style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A character that would not have been seen.
    pub(crate) fn hidden(self) -> Style {
        self.fg(Color::Magenta).add_modifier(Modifier::REVERSED)
    }

    /// A character outside ASCII, which may look like another one.
    pub(crate) fn non_ascii(self) -> Style {
        self.fg(Color::Magenta).add_modifier(Modifier::UNDERLINED)
    }

    /// What was searched for.
    pub(crate) fn found(self) -> Style {
        self.fg(Color::Yellow).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// A line of a unified difference; its sign says the same as its colour.
    pub(crate) fn diff(self, line: &str) -> Style {
        match line.as_bytes() {
            [b'@', b'@', ..] => self.fg(Color::Cyan),
            [b'+', b'+', b'+', b' '] | [b'-', b'-', b'-', b' '] => self.strong(),
            [b'+', ..] => self.fg(Color::Green),
            [b'-', ..] => self.fg(Color::Red).add_modifier(Modifier::BOLD),
            _ => Style::new(),
        }
    }

    /// How much of the time is left.
    pub(crate) fn countdown(self, left_ms: i64, whole_ms: i64) -> Style {
        if left_ms * 4 <= whole_ms || left_ms <= 10_000 {
            self.fg(Color::Red).add_modifier(Modifier::BOLD)
        } else if left_ms * 2 <= whole_ms {
            self.fg(Color::Yellow)
        } else {
            Style::new()
        }
    }
}
