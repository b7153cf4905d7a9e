//! What the target says: shown to the agent but for markers and the echo of what was delivered.

use std::borrow::Cow;
use std::time::Duration;

use super::{Effect, LineGate};
use crate::editor::Syntax;
use crate::remote::Event;

/// The longest row kept to be drawn again, in bytes.
const MAX_TAIL: usize = 4096;

impl LineGate {
    /// The target wrote to its terminal.
    pub fn target(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        self.heard = now;
        let mut events = Vec::new();
        self.remote.feed(bytes, &mut events);
        for event in events {
            self.event(event, out);
        }
        self.work(out);
    }

    fn event(&mut self, event: Event, out: &mut Vec<Effect>) {
        match &event {
            Event::PasteMode(on) => self.paste_mode = *on,
            Event::AltScreen(on) => self.alternate = *on,
            Event::Hello(hello) => self.editor.set_syntax(Syntax::of_shell(&hello.shell)),
            _ => {}
        }
        if self.delivering(&event, out) {
            return;
        }
        match event {
            Event::Output(bytes) => self.output(&bytes, out),
            Event::PromptStart => self.end_grant(out),
            Event::PromptEnd | Event::ContinuationPrompt => {
                // Also a grant that came with a line which the shell did not run or finish.
                self.end_grant(out);
                self.stale = true;
                self.enter_mode(out);
            }
            Event::CommandDone { status } => {
                self.end_grant(out);
                self.estimated = None;
                if std::mem::take(&mut self.running) {
                    out.push(Effect::Ended(status));
                }
            }
            _ => {}
        }
    }

    /// Drops the echo of a line that went to a program: the agent's own editor has shown it.
    fn without_echo<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some((line, seen)) = &mut self.echo else { return Cow::Borrowed(bytes) };
        let expected = line.get(*seen..).unwrap_or_default();
        let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same == expected.len() {
            self.echo = None;
            return Cow::Borrowed(bytes.get(same..).unwrap_or_default());
        }
        if same == bytes.len() {
            *seen += same;
            return Cow::Borrowed(&[]);
        }
        // It was something else.
        let mut all = line.get(..*seen).unwrap_or_default().to_vec();
        all.extend_from_slice(bytes);
        self.echo = None;
        Cow::Owned(all)
    }

    pub(super) fn output(&mut self, bytes: &[u8], out: &mut Vec<Effect>) {
        self.stale = true;
        let rest = self.without_echo(bytes);
        let bytes = &*rest;
        if bytes.is_empty() {
            return;
        }
        self.hide(out);
        match bytes.iter().rposition(|b| *b == b'\n') {
            Some(at) => self.tail = bytes.get(at + 1..).unwrap_or_default().to_vec(),
            None => self.tail.extend_from_slice(bytes),
        }
        if self.tail.len() > MAX_TAIL {
            self.tail.clear();
        }
        self.emit(bytes, out);
    }
}
