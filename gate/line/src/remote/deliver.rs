//! One delivery of one approved line, as a pure state machine. It must never hold a way to write
//! bytes of its own: it only names constants of the gate and says when the item itself is due,
//! once; and unless the shell has shown the approved line and nothing else, Return is never due.

use unicode_width::UnicodeWidthChar as _;

use super::echo::Echo;
use super::{Check, Event};
use crate::Const;

/// What the gate does next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `^C` was due before: nothing runs. Says why, for the agent and the log.
    Aborted(String),
    /// Return was due before: the line runs.
    Accepted,
    /// Write these bytes of the gate's own.
    Const(Const),
    /// Write the approved bytes now. Comes at most once.
    Item,
    /// Pass these bytes to the agent's screen: they are not the shell's echo.
    Show(Vec<u8>),
    /// Nothing more until the next event, or [`Delivery::timeout`] after
    /// [`Delivery::TIMEOUT_MS`].
    Wait,
}

/// Why a line cannot be delivered to this prompt at all; nothing has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// See [`Delivery::MAX_UNVERIFIED`].
    #[error("the line is too long for a prompt that cannot be checked (at most 1000 bytes)")]
    TooLong,
    /// It could be expanded after Return.
    #[error(
        "a line with `!`, or one that begins with `^`, may be changed by a prompt that cannot be checked"
    )]
    HistoryExpansion,
    /// Control characters would be read as keys.
    #[error("a line with control characters cannot be delivered")]
    Control,
    /// An echo does not show it.
    #[error(
        "a line with zero-width characters cannot be delivered to a prompt that cannot be checked"
    )]
    Hidden,
    /// A tab or newline would be read as a key.
    #[error("a line with a tab or newline cannot be delivered to a prompt that cannot be checked")]
    NotOneLine,
    /// The editors of shells read nothing else.
    #[error("a line that is not UTF-8 cannot be delivered")]
    NotUtf8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// The check key was sent before the line: the edit buffer has to be empty.
    Asking,
    /// Line and check key were sent.
    Checking,
    /// The line was sent; its echo is compared.
    Echoing,
    /// Return or `^C` was sent; the shell's line editor is about to end.
    Leaving,
    /// `^C` has ended the line editor; the shell shows its prompt.
    Prompting,
    Done,
}

/// One delivery. While it is not [`done`](Self::is_done), every event goes through
/// [`on`](Self::on), and of the output the agent sees only what [`Step::Show`] hands out.
#[derive(Debug)]
pub struct Delivery {
    line: Vec<u8>,
    /// `None`: checked by the shell's own report.
    echo: Option<Echo>,
    state: State,
    aborted: bool,
}

impl Delivery {
    /// How long the shell may take to answer, and to leave its line editor, in milliseconds.
    pub const TIMEOUT_MS: u64 = 2_000;

    /// The longest line for a prompt that cannot be checked, in bytes: a terminal in cooked mode
    /// keeps 4,095 bytes of a line and drops the rest.
    pub const MAX_UNVERIFIED: usize = 1_000;

    /// To a shell that answers the check key.
    pub fn verified(line: &[u8]) -> Result<Self, Undeliverable> {
        text(line)?;
        Ok(Self::new(line, None))
    }

    /// To whatever reads lines and echoes them, on a terminal of so many columns with the cursor
    /// at this column, from 0.
    pub fn unverified(line: &[u8], cols: u16, column: u16) -> Result<Self, Undeliverable> {
        let text = text(line)?;
        if text.contains(['\t', '\n']) {
            return Err(Undeliverable::NotOneLine);
        }
        if text.contains('!') || text.starts_with('^') {
            return Err(Undeliverable::HistoryExpansion);
        }
        if text.chars().any(|c| c.width() == Some(0)) {
            return Err(Undeliverable::Hidden);
        }
        if line.len() > Self::MAX_UNVERIFIED {
            return Err(Undeliverable::TooLong);
        }
        Ok(Self::new(line, Some(Echo::new(text, cols, column))))
    }

    fn new(line: &[u8], echo: Option<Echo>) -> Self {
        Self { line: line.to_vec(), echo, state: State::New, aborted: false }
    }

    /// The first steps. Called again, it sends nothing.
    pub fn start(&mut self) -> Vec<Step> {
        if self.state != State::New {
            return Vec::new();
        }
        if self.echo.is_some() {
            self.state = State::Echoing;
            return vec![Step::Item, Step::Wait];
        }
        // Read as keys, these would run or complete: first hear that the editor is the shell's.
        if self.line.iter().any(|b| matches!(b, b'\t' | b'\n')) {
            self.state = State::Asking;
            return vec![Step::Const(Const::CheckKey), Step::Wait];
        }
        self.paste()
    }

    /// The next event from the remote side.
    pub fn on(&mut self, event: &Event) -> Vec<Step> {
        match (self.state, event) {
            (State::Done, Event::Output(bytes)) => vec![Step::Show(bytes.clone())],
            (State::New | State::Done, _) => Vec::new(),
            (State::Asking, Event::Check(check)) => self.asked(check),
            (State::Checking, Event::Check(check)) => self.checked(check),
            (State::Echoing, Event::Output(bytes)) => self.echoed(bytes),
            (
                State::Asking | State::Checking | State::Echoing,
                Event::CommandStart | Event::CommandDone { .. },
            ) => self.abort("the shell ran something else meanwhile"),
            (State::Leaving, _) => self.leaving(event),
            (State::Prompting, Event::PromptEnd | Event::ContinuationPrompt) => self.finish(),
            _ => Vec::new(),
        }
    }

    /// [`TIMEOUT_MS`](Self::TIMEOUT_MS) have passed since the last call of `start`, or of `on`
    /// that sent something.
    pub fn timeout(&mut self) -> Vec<Step> {
        match self.state {
            State::New => {
                self.aborted = true;
                self.finish();
                vec![Step::Aborted("the delivery was not begun in time".to_owned())]
            }
            State::Asking | State::Checking => {
                self.abort("the shell did not report its edit buffer in time")
            }
            State::Echoing => self.abort("the line was not echoed as it was sent"),
            State::Leaving | State::Prompting => self.finish(),
            State::Done => Vec::new(),
        }
    }

    /// Whether the delivery is over, and with it the echo: output passes.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn paste(&mut self) -> Vec<Step> {
        self.state = State::Checking;
        vec![
            Step::Const(Const::PasteStart),
            Step::Item,
            Step::Const(Const::PasteEnd),
            Step::Const(Const::CheckKey),
            Step::Wait,
        ]
    }

    fn asked(&mut self, check: &Check) -> Vec<Step> {
        if let Some(why) = self.refused(check) {
            return self.abort(why);
        }
        if check.foreign || !check.buffer.is_empty() {
            return self.abort("something stands in the shell's edit buffer already");
        }
        self.paste()
    }

    fn checked(&mut self, check: &Check) -> Vec<Step> {
        if let Some(why) = self.refused(check) {
            return self.abort(why);
        }
        if check.foreign || check.buffer != self.line {
            return self.abort("the shell's edit buffer is not the approved line");
        }
        self.accept()
    }

    fn refused(&self, check: &Check) -> Option<&'static str> {
        if check.history_expansion {
            return Some("history expansion is on in the shell");
        }
        (!check.utf8 && !self.line.is_ascii())
            .then_some("the line is not ASCII, and the shell does not read UTF-8")
    }

    fn echoed(&mut self, bytes: &[u8]) -> Vec<Step> {
        let matches = self.echo.as_mut().is_some_and(|echo| {
            echo.feed(bytes);
            echo.matches()
        });
        if matches { self.accept() } else { Vec::new() }
    }

    fn accept(&mut self) -> Vec<Step> {
        self.state = State::Leaving;
        vec![Step::Const(Const::Return), Step::Accepted, Step::Wait]
    }

    fn abort(&mut self, why: &str) -> Vec<Step> {
        self.state = State::Leaving;
        self.aborted = true;
        vec![Step::Const(Const::Interrupt), Step::Aborted(why.to_owned()), Step::Wait]
    }

    /// The echo ends with the newline of Return; a shell with bracketed paste first or then
    /// switches it off.
    fn leaving(&mut self, event: &Event) -> Vec<Step> {
        match event {
            Event::PasteMode(false) | Event::CommandStart | Event::CommandDone { .. } => {
                self.left()
            }
            Event::Output(bytes) if self.echo.is_some() => {
                let Some(newline) = bytes.iter().position(|b| *b == b'\n') else {
                    return Vec::new();
                };
                let rest = bytes.get(newline + 1..).unwrap_or_default().to_vec();
                self.finish();
                if rest.is_empty() { Vec::new() } else { vec![Step::Show(rest)] }
            }
            _ => Vec::new(),
        }
    }

    fn left(&mut self) -> Vec<Step> {
        if self.aborted {
            self.state = State::Prompting;
            return Vec::new();
        }
        self.finish()
    }

    fn finish(&mut self) -> Vec<Step> {
        self.state = State::Done;
        self.line.clear();
        self.echo = None;
        Vec::new()
    }
}

fn text(line: &[u8]) -> Result<&str, Undeliverable> {
    let text = std::str::from_utf8(line).map_err(|_| Undeliverable::NotUtf8)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        return Err(Undeliverable::Control);
    }
    Ok(text)
}
