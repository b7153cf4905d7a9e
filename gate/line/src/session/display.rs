//! What the gate itself puts on the agent's screen: the editor's line, the status of a held item,
//! messages. Output of the target never meets half of it: everything is taken away first.

use super::{Effect, LineGate, Mode, State};
use crate::editor;

/// Erases a row from its beginning.
const ERASE_ROW: &[u8] = b"\r\x1b[K";

impl LineGate {
    /// Puts bytes on the screen.
    pub(super) fn emit(&mut self, bytes: &[u8], out: &mut Vec<Effect>) {
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
        self.emit(b"\x07", out);
    }

    /// Takes everything of the gate off the screen; the cursor is where the target left it.
    pub(super) fn hide(&mut self, out: &mut Vec<Effect>) {
        if let Some(column) = self.status_drawn.take() {
            let mut erase = ERASE_ROW.to_vec();
            if column > 0 {
                erase.extend_from_slice(format!("\x1b[A\x1b[{}G", column + 1).as_bytes());
            }
            self.emit(&erase, out);
        }
        if self.editor_drawn {
            self.editor_drawn = false;
            let erase = self.editor.erase();
            self.emit(&erase, out);
        }
    }

    /// Draws the editor's line, when there is one.
    pub(super) fn show(&mut self, out: &mut Vec<Effect>) {
        if !matches!(self.state, State::Edit) || matches!(self.mode, Mode::Secret | Mode::Keys) {
            return;
        }
        if !self.editor_drawn {
            self.origin = self.screen.column();
            self.screen.mark_origin();
            self.editor_drawn = true;
        }
        let drawing = self.editor.draw(self.screen.cols(), self.origin);
        self.emit(&drawing, out);
    }

    /// Leaves the line that was submitted on the screen, as a shell would.
    pub(super) fn leave_line(&mut self, out: &mut Vec<Effect>) {
        // The program itself answers Return to a secret, or does not.
        if matches!(self.mode, Mode::Keys | Mode::Secret) {
            self.hide(out);
            return;
        }
        if !std::mem::take(&mut self.editor_drawn) {
            self.origin = self.screen.column();
        }
        let last = self.editor.finish(self.screen.cols(), self.origin);
        self.emit(&last, out);
    }

    /// Draws the status of the held item, over the last one.
    pub fn status(&mut self, text: &str, out: &mut Vec<Effect>) {
        if !matches!(self.state, State::Held { .. }) || self.alternate || self.mode == Mode::Keys {
            return;
        }
        let width = usize::from(self.screen.cols().saturating_sub(1));
        let text: String = text.chars().filter(|c| !c.is_control()).take(width).collect();
        match self.status_drawn {
            Some(_) => self.emit(ERASE_ROW, out),
            None => {
                let column = self.screen.column().min(self.screen.cols().saturating_sub(1));
                if column > 0 {
                    self.emit(b"\r\n", out);
                }
                self.status_drawn = Some(usize::from(column));
            }
        }
        self.emit(text.as_bytes(), out);
    }

    /// Says something to the agent on a row of its own, and draws the prompt again.
    pub(super) fn say(&mut self, message: &str, out: &mut Vec<Effect>) {
        self.notice(message, out);
        if !self.alternate {
            self.prompt_again(out);
        }
    }

    /// Says something to the agent on a row of its own. While an item is held or on its way, no
    /// prompt waits behind it.
    pub(super) fn notice(&mut self, message: &str, out: &mut Vec<Effect>) {
        self.hide(out);
        let text: String = message.chars().filter(|c| !c.is_control()).collect();
        if self.alternate {
            // The row is the program's; its next drawing takes it back.
            let row = self.screen.rows();
            let said = format!("\x1b7\x1b[{row};1H\x1b[7m{text}\x1b[0m\x1b[K\x1b8\x07");
            self.emit(said.as_bytes(), out);
            return;
        }
        if self.screen.column() > 0 {
            self.emit(b"\r\n", out);
        }
        self.emit(text.as_bytes(), out);
        self.emit(b"\r\n", out);
    }

    /// Draws the present prompt on a fresh row.
    pub(super) fn prompt_again(&mut self, out: &mut Vec<Effect>) {
        // A prompt that could not be wrapped comes behind its markers.
        let prompt = match self.remote.prompt() {
            marked if self.mode.is_prompt() && !marked.is_empty() => marked.to_vec(),
            _ => self.tail.clone(),
        };
        self.emit(&prompt, out);
    }

    /// What the editor does with keys in this mode.
    pub(super) fn editor_mode(&self) -> editor::Mode {
        match self.mode {
            Mode::Prompt => editor::Mode::Shell,
            Mode::Secret => editor::Mode::Secret,
            _ => editor::Mode::Program,
        }
    }
}
