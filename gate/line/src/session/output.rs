//! What the target writes: shown to the agent but for markers and the echo of what was delivered.
//! It may end a grant or a command; it must never begin anything.

use std::time::Duration;

use super::effect::Effect;
use super::line_gate::LineGate;
use crate::editor::Syntax;
use crate::remote::Event;

impl LineGate {
    /// The target wrote to its terminal.
    pub fn target(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        self.clock.last_output = now;
        let mut events = Vec::new();
        self.remote.feed(bytes, &mut events);
        for event in events {
            self.event(event, out);
        }
        self.work(out);
    }

    fn event(&mut self, event: Event, out: &mut Vec<Effect>) {
        match &event {
            Event::PasteMode(on) => self.terminal.bracketed_paste = *on,
            Event::AltScreen(on) => self.terminal.alternate_screen = *on,
            Event::Hello(hello) => self.editor.set_syntax(Syntax::of_shell(&hello.shell)),
            _ => {}
        }
        // The delivery sees every event first: output may be the echo that it compares, and a
        // prompt the end of what it tidies up.
        if self.feed_delivery(&event, out) {
            return;
        }
        match event {
            Event::Output(bytes) => self.show_output(&bytes, out),
            Event::PromptStart => self.end_grant(out),
            Event::PromptEnd | Event::ContinuationPrompt => {
                // Also a grant that came with a line which the shell did not run or finish.
                self.end_grant(out);
                self.probe.invalidate();
                self.update_mode(out);
            }
            Event::CommandDone { status } => {
                self.end_grant(out);
                if self.command.take().is_some() {
                    out.push(Effect::Ended(status));
                }
            }
            _ => {}
        }
    }

    /// Output for the agent's screen. Whatever wrote it may have changed the terminal, too.
    pub(super) fn show_output(&mut self, bytes: &[u8], out: &mut Vec<Effect>) {
        self.probe.invalidate();
        self.display.output(bytes, &mut self.editor, out);
    }
}
