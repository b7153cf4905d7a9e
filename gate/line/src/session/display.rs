//! What is on the agent's screen: output of the target, the editor's line, the status of a held
//! item, messages. Output of the target must never mix with anything of the gate: that is erased
//! first.

use super::echo::EchoFilter;
use super::effect::Effect;
use super::screen::Screen;
use crate::editor::Editor;

/// Erases a row from its beginning.
const ERASE_ROW: &[u8] = b"\r\x1b[K";
/// The longest row kept to be drawn again, in bytes.
const MAX_ROW: usize = 4096;

#[derive(Debug)]
pub(super) struct Display {
    screen: Screen,
    /// The column in which the editor's line begins, while it is drawn.
    editor_origin: Option<u16>,
    /// The column the cursor was in before the status line was drawn, while that is drawn.
    status_origin: Option<u16>,
    /// The target's own row before the cursor, to draw it again.
    current_row: Vec<u8>,
    echo: EchoFilter,
}

impl Display {
    pub(super) fn new(cols: u16, rows: u16) -> Self {
        Self {
            screen: Screen::new(cols, rows),
            editor_origin: None,
            status_origin: None,
            current_row: Vec::new(),
            echo: EchoFilter::default(),
        }
    }

    /// Puts bytes on the screen.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Vec<Effect>) {
        if bytes.is_empty() {
            return;
        }
        self.screen.feed(bytes);
        if let Some(Effect::Screen(last)) = out.last_mut() {
            last.extend_from_slice(bytes);
        } else {
            out.push(Effect::Screen(bytes.to_vec()));
        }
    }

    /// Rings the bell.
    pub(super) fn bell(&mut self, out: &mut Vec<Effect>) {
        self.write(b"\x07", out);
    }

    /// Erases everything of the gate; the cursor is then where the target left it.
    pub(super) fn hide(&mut self, editor: &mut Editor, out: &mut Vec<Effect>) {
        if let Some(column) = self.status_origin.take() {
            let mut erase = ERASE_ROW.to_vec();
            if column > 0 {
                erase.extend_from_slice(format!("\x1b[A\x1b[{}G", column + 1).as_bytes());
            }
            self.write(&erase, out);
        }
        if self.editor_origin.take().is_some() {
            let erase = editor.erase();
            self.write(&erase, out);
        }
    }

    /// Draws the editor's line.
    pub(super) fn draw_editor(&mut self, editor: &mut Editor, out: &mut Vec<Effect>) {
        let origin = match self.editor_origin {
            Some(origin) => origin,
            None => {
                let origin = self.screen.column();
                self.screen.mark_origin();
                self.editor_origin = Some(origin);
                origin
            }
        };
        let drawing = editor.draw(self.screen.cols(), origin);
        self.write(&drawing, out);
    }

    /// Leaves the editor's line on the screen, as a shell would.
    pub(super) fn leave_editor(&mut self, editor: &mut Editor, out: &mut Vec<Effect>) {
        let origin = self.editor_origin.take().unwrap_or_else(|| self.screen.column());
        let last = editor.finish(self.screen.cols(), origin);
        self.write(&last, out);
    }

    /// Draws the status of the held item, over the last one.
    pub(super) fn draw_status(&mut self, text: &str, out: &mut Vec<Effect>) {
        let width = usize::from(self.screen.cols().saturating_sub(1));
        let text: String = text.chars().filter(|c| !c.is_control()).take(width).collect();
        if self.status_origin.is_some() {
            self.write(ERASE_ROW, out);
        } else {
            let column = self.screen.column().min(self.screen.cols().saturating_sub(1));
            if column > 0 {
                self.write(b"\r\n", out);
            }
            self.status_origin = Some(column);
        }
        self.write(text.as_bytes(), out);
    }

    /// Shows a message on a row of its own; everything of the gate has been erased before.
    pub(super) fn draw_message(&mut self, message: &str, out: &mut Vec<Effect>) {
        let text: String = message.chars().filter(|c| !c.is_control()).collect();
        if self.screen.column() > 0 {
            self.write(b"\r\n", out);
        }
        self.write(text.as_bytes(), out);
        self.write(b"\r\n", out);
    }

    /// Shows a message over a program that has the whole screen. The last row belongs
    /// to the program, which will draw over the message.
    pub(super) fn draw_message_over_program(&mut self, message: &str, out: &mut Vec<Effect>) {
        let text: String = message.chars().filter(|c| !c.is_control()).collect();
        let row = self.screen.rows();
        let drawn = format!("\x1b7\x1b[{row};1H\x1b[7m{text}\x1b[0m\x1b[K\x1b8\x07");
        self.write(drawn.as_bytes(), out);
    }

    /// Draws a prompt again that had no markers: the row as the target wrote it.
    pub(super) fn draw_current_row(&mut self, out: &mut Vec<Effect>) {
        let row = self.current_row.clone();
        self.write(&row, out);
    }

    /// Clears the screen; the caller draws the prompt again.
    pub(super) fn clear_screen(&mut self, out: &mut Vec<Effect>) {
        self.write(b"\x1b[H\x1b[2J", out);
    }

    /// Shows output of the target, except for an expected echo.
    pub(super) fn output(&mut self, bytes: &[u8], editor: &mut Editor, out: &mut Vec<Effect>) {
        let rest = self.echo.filter(bytes);
        if rest.is_empty() {
            return;
        }
        self.hide(editor, out);
        match rest.iter().rposition(|b| *b == b'\n') {
            Some(at) => self.current_row = rest.get(at + 1..).unwrap_or_default().to_vec(),
            None => self.current_row.extend_from_slice(&rest),
        }
        if self.current_row.len() > MAX_ROW {
            self.current_row.clear();
        }
        self.write(&rest, out);
    }

    /// The target's own row before the cursor.
    pub(super) fn current_row(&self) -> &[u8] {
        &self.current_row
    }

    /// The cursor leaves the row: Return was sent.
    pub(super) fn leave_row(&mut self) {
        self.current_row.clear();
    }

    /// A terminal that echoes will show this line.
    pub(super) fn expect_echo(&mut self, line: &[u8]) {
        self.echo.expect(line);
    }

    /// The agent's terminal has another size; the caller draws the editor's line again.
    pub(super) fn resize(
        &mut self,
        cols: u16,
        rows: u16,
        editor: &mut Editor,
        out: &mut Vec<Effect>,
    ) {
        // Taken first, so that `hide` leaves the line alone: what would erase it was computed for
        // the old width.
        let was_drawn = self.editor_origin.take().is_some();
        self.hide(editor, out);
        self.screen.resize(cols, rows);
        editor.set_rows(rows);
        if was_drawn {
            // The agent's terminal has wrapped the line anew, as the emulated one has.
            editor.forget_drawing();
            if let Some((up, column)) = self.screen.origin() {
                let up = if up > 0 { format!("\x1b[{up}A") } else { String::new() };
                self.write(format!("{up}\x1b[{}G\x1b[J", column + 1).as_bytes(), out);
            }
        }
    }
}
