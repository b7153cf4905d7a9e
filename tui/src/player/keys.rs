//! The keys of a replay. They must never do anything but move in the recording.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::playback::Player;

/// The longest text that is searched for, in bytes.
const NEEDLE: usize = 200;

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The player goes on.
    Stays,
    /// The reviewer is done.
    Leaves,
}

impl Player {
    /// A key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Stays;
        }
        self.note = None;
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        if self.search.is_some() {
            self.search_key(key, ctrl);
            return Outcome::Stays;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Outcome::Leaves,
            KeyCode::Char('c') if ctrl => return Outcome::Leaves,
            KeyCode::Char(' ') => self.toggle(),
            KeyCode::Char('.') => self.step(true),
            KeyCode::Char(',') => self.step(false),
            KeyCode::Char(']') | KeyCode::Down | KeyCode::Tab => self.turn(true),
            KeyCode::Char('[') | KeyCode::Up | KeyCode::BackTab => self.turn(false),
            KeyCode::Right => self.seek(self.time + if ctrl { 60.0 } else { 5.0 }),
            KeyCode::Left => self.seek(self.time - if ctrl { 60.0 } else { 5.0 }),
            KeyCode::Home => self.seek(0.0),
            KeyCode::End => self.seek(self.duration()),
            KeyCode::Char('>' | '+') => self.faster(true),
            KeyCode::Char('<' | '-') => self.faster(false),
            KeyCode::Char('/') => self.search = Some(Input::default()),
            KeyCode::Char('n') => self.find(),
            KeyCode::Char(c) => {
                if let Some(tenth) = c.to_digit(10) {
                    self.seek(self.duration() * f64::from(tenth) / 10.0);
                }
            }
            _ => {}
        }
        Outcome::Stays
    }

    /// A key in the field of a search.
    fn search_key(&mut self, key: KeyEvent, ctrl: bool) {
        let Some(input) = &mut self.search else { return };
        match key.code {
            KeyCode::Enter => {
                self.needle = input.value().to_owned();
                self.search = None;
                self.find();
            }
            KeyCode::Esc => self.search = None,
            KeyCode::Char('c') if ctrl => self.search = None,
            KeyCode::Char(_) if input.value().len() >= NEEDLE => {}
            _ => {
                input.handle_event(&Event::Key(key));
            }
        }
    }
}
