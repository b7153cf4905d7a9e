//! The terminal of a session, emulated. It must never pass a byte of it to our own terminal
//! except as one clean cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar as _;

/// The largest terminal that is emulated; larger ones are cut, so that a message cannot ask for
/// gigabytes.
const MAX_COLS: usize = 1000;
const MAX_ROWS: usize = 500;

/// Rows kept of what scrolled out of a terminal.
const SCROLLBACK: usize = 2_000;

/// An emulated terminal that takes bytes.
pub(crate) struct Emulator {
    terminal: avt::Terminal,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

/// How a terminal is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DrawOptions<'a> {
    /// With its colours.
    pub colour: bool,
    /// With its cursor.
    pub cursor: bool,
    /// Rows that it is scrolled back.
    pub back: usize,
    /// What stands out; nothing when empty.
    pub find: &'a str,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cols, rows) = self.size();
        write!(f, "Emulator({cols}x{rows})")
    }
}

fn terminal(cols: usize, rows: usize) -> avt::Terminal {
    let (cols, rows) = (cols.clamp(1, MAX_COLS), rows.clamp(1, MAX_ROWS));
    match avt::Terminal::new(cols, rows) {
        Ok(terminal) => terminal,
        // Only a size of zero is refused, and it was clamped.
        Err(_) => unreachable!("the size is at least 1x1"),
    }
}

impl Emulator {
    /// An empty terminal of that size.
    pub(crate) fn new(cols: usize, rows: usize) -> Self {
        Self { terminal: terminal(cols, rows), partial: Vec::new() }
    }

    /// An empty terminal that keeps what scrolls out of it.
    pub(crate) fn with_scrollback(cols: usize, rows: usize) -> Self {
        let (c, r) = (cols.clamp(1, MAX_COLS), rows.clamp(1, MAX_ROWS));
        match avt::Terminal::with_scrollback(c, r, Some(SCROLLBACK)) {
            Ok(terminal) => Self { terminal, partial: Vec::new() },
            Err(_) => Self::new(cols, rows),
        }
    }

    /// Every row as text, the oldest first.
    pub(crate) fn all_rows(&self) -> Vec<String> {
        self.terminal.screen().all_lines().map(avt::Line::text).collect()
    }

    /// How many rows there are, those that scrolled out included.
    pub(crate) fn all_rows_len(&self) -> usize {
        self.terminal.screen().all_lines().count()
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.terminal.size()
    }

    /// Another size.
    pub(crate) fn resize(&mut self, cols: usize, rows: usize) {
        self.terminal.resize(cols.clamp(1, MAX_COLS), rows.clamp(1, MAX_ROWS));
    }

    /// Takes text.
    pub(crate) fn feed_str(&mut self, text: &str) {
        self.terminal.feed(text);
    }

    /// Takes bytes; a character may be split between two calls.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            &joined
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return self.terminal.feed(text),
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.terminal.feed(String::from_utf8_lossy(valid).as_ref());
                    match error.error_len() {
                        Some(n) => {
                            self.terminal.feed("\u{fffd}");
                            rest = after.get(n..).unwrap_or_default();
                        }
                        None => {
                            self.partial = after.to_vec();
                            return;
                        }
                    }
                }
            }
        }
    }

    /// What is needed to bring an empty terminal of the same size to this state.
    pub(crate) fn dump(&self) -> String {
        self.terminal.dump()
    }

    /// The visible rows as text.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> Vec<String> {
        self.terminal.screen().visible_lines().map(|l| l.text().trim_end().to_owned()).collect()
    }

    /// Draws the terminal into `area`, from its top left; what does not fit is cut, but the rows
    /// around the cursor are kept on the screen.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer, look: &DrawOptions<'_>) {
        let colour = look.colour;
        let at = self.terminal.cursor();
        let height = usize::from(area.height);
        let screen = self.terminal.screen();
        let old = if look.back > 0 { self.all_rows_len().saturating_sub(self.size().1) } else { 0 };
        let back = look.back.min(old);
        let cursor = look.cursor && back == 0;
        // With nothing scrolled back the rows around the cursor are shown, else the last ones.
        let skip = match back {
            0 => (at.row + 1).saturating_sub(height),
            back => (old + self.size().1).saturating_sub(back + height),
        };
        let lines: Box<dyn Iterator<Item = &avt::Line>> = match back {
            0 => Box::new(screen.visible_lines()),
            _ => Box::new(screen.all_lines()),
        };
        for (y, line) in lines.skip(skip).take(height).enumerate() {
            let mut x = 0;
            let mut text = String::new();
            let mut columns = Vec::new();
            for cell in line.cells() {
                let w = usize::from(cell.width());
                if w == 0 {
                    continue;
                }
                if x + w > usize::from(area.width) {
                    break;
                }
                let (px, py) = (area.x + cast(x), area.y + cast(y));
                if !look.find.is_empty() {
                    text.push(cell.char());
                    columns.resize(text.len(), x);
                }
                if let Some(target) = buffer.cell_mut((px, py)) {
                    target.set_char(safe(cell.char(), w)).set_style(style(cell.pen(), colour));
                }
                if w == 2
                    && let Some(target) = buffer.cell_mut((px + 1, py))
                {
                    target.set_symbol(" ").set_style(style(cell.pen(), colour));
                }
                x += w;
            }
            for found in crate::search::matches(&text, look.find) {
                for x in columns.get(found..found + look.find.len()).unwrap_or_default() {
                    if let Some(target) = buffer.cell_mut((area.x + cast(*x), area.y + cast(y))) {
                        target.modifier.toggle(Modifier::REVERSED);
                    }
                }
            }
            if cursor && at.visible && y + skip == at.row && at.col < usize::from(area.width) {
                let place = (area.x + cast(at.col), area.y + cast(y));
                if let Some(target) = buffer.cell_mut(place) {
                    target.modifier.toggle(Modifier::REVERSED);
                }
            }
        }
    }
}

fn cast(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// The character itself when every terminal draws it in `width` columns, else a replacement.
fn safe(c: char, width: usize) -> char {
    if (' '..='~').contains(&c) {
        return c;
    }
    let mut bytes = [0; 4];
    let hidden =
        !expacti_engine::make_visible(c.encode_utf8(&mut bytes).as_bytes()).hidden.is_empty();
    if hidden || c.is_control() || c.width() != Some(width) { '\u{fffd}' } else { c }
}

fn colour_of(colour: avt::Color) -> Color {
    match colour {
        avt::Color::Indexed(n) => match n {
            0 => Color::Black,
            1 => Color::Red,
            2 => Color::Green,
            3 => Color::Yellow,
            4 => Color::Blue,
            5 => Color::Magenta,
            6 => Color::Cyan,
            7 => Color::Gray,
            n => Color::Indexed(n),
        },
        avt::Color::RGB(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
    }
}

fn style(pen: &avt::Pen, colour: bool) -> Style {
    let mut style = Style::reset();
    if colour {
        if let Some(c) = pen.foreground() {
            style = style.fg(colour_of(c));
        }
        if let Some(c) = pen.background() {
            style = style.bg(colour_of(c));
        }
    }
    for (on, modifier) in [
        (pen.is_bold(), Modifier::BOLD),
        (pen.is_faint(), Modifier::DIM),
        (pen.is_italic(), Modifier::ITALIC),
        (pen.is_underline(), Modifier::UNDERLINED),
        (pen.is_strikethrough(), Modifier::CROSSED_OUT),
        (pen.is_inverse(), Modifier::REVERSED),
    ] {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn characters_split_between_messages() {
        let mut screen = Emulator::new(10, 2);
        for byte in "é日\r\n".bytes() {
            screen.feed(&[byte]);
        }
        screen.feed(b"\xff!");
        assert_eq!(screen.rows(), ["é日", "\u{fffd}!"]);
    }

    #[test]
    fn nothing_but_clean_cells() {
        let mut screen = Emulator::new(20, 3);
        screen.feed("\x1b]0;title\x07a\u{202e}b\u{e000}\x1b[31mred\x1b[5n".as_bytes());
        let area = Rect::new(0, 0, 20, 3);
        let mut buffer = Buffer::empty(area);
        let look = DrawOptions { colour: false, cursor: false, back: 0, find: "" };
        screen.draw(area, &mut buffer, &look);
        let text: String = buffer.content.iter().map(|c| c.symbol()).collect();
        assert!(text.chars().all(|c| c == '\u{fffd}' || (' '..='~').contains(&c)), "{text:?}");
        assert!(text.contains("red"));
    }

    #[test]
    fn absurd_sizes() {
        assert_eq!(Emulator::new(0, 0).size(), (1, 1));
        assert_eq!(Emulator::new(usize::MAX, usize::MAX).size(), (MAX_COLS, MAX_ROWS));
    }
}
