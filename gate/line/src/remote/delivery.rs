//! The delivery of one approved line, as a pure state machine. It must never write bytes itself: it
//! only names constants of the gate and says, once, when the item is due. Unless the shell has
//! shown the approved line and nothing else, Return must never be due.

use unicode_width::UnicodeWidthChar as _;

use super::abort::AbortReason;
use super::echo::Echo;
use super::event::{Check, Event};
use super::undeliverable::{Undeliverable, text};
use crate::constant::Const;

/// What the gate does next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `^C` was due just before: nothing runs. Says why, for the agent and the log.
    Aborted(AbortReason),
    /// Return was due just before: the line runs.
    Accepted,
    /// Write this constant.
    Const(Const),
    /// Write the approved bytes now. Comes at most once.
    Item,
    /// Pass these bytes to the agent's screen: they are not the shell's echo.
    Show(Vec<u8>),
    /// Nothing more until the next event, or [`Delivery::timeout`] after
    /// [`Delivery::TIMEOUT_MS`].
    Wait,
}

/// How far a delivery has come. The checked way is `New`, (`AskingFirst`), `Checking`, `Leaving`,
/// `Done`; the way by echo is `New`, `Echoing`, `Leaving`, `Done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    New,
    /// The check key was sent before the line: the edit buffer has to be empty.
    AskingFirst,
    /// The line and the check key were sent.
    Checking,
    /// The line was sent; its echo is compared.
    Echoing,
    /// Return or `^C` was sent; the shell is about to leave its line editor.
    Leaving,
    /// The shell has left its line editor; the newline that Return draws is still to come.
    AwaitingNewline,
    /// `^C` has ended the line editor; the shell is about to show its prompt.
    AwaitingPrompt,
    Done,
}

/// How the line in front of the shell is compared with the approved one.
#[derive(Debug)]
enum Proof {
    /// The shell reports its edit buffer. `ask_first`: once before the line is sent, too.
    Report { continued: bool, ask_first: bool },
    /// The echo has to show the line. `clear_first`: `^U` goes before it.
    Echo { echo: Box<Echo>, clear_first: bool },
}

/// One delivery. Until it [is done](Self::is_done), every event goes through [`on`](Self::on), and
/// the agent sees only the output that [`Step::Show`] returns.
#[derive(Debug)]
pub struct Delivery {
    line: Vec<u8>,
    proof: Proof,
    state: State,
    aborted: Option<AbortReason>,
    /// A second `^C` was sent after an abort.
    interrupted_again: bool,
    /// The last output ended in a newline.
    ends_in_newline: bool,
}

impl Delivery {
    /// How long the shell may take to answer, and to leave its line editor, in milliseconds.
    pub const TIMEOUT_MS: u64 = 2_000;

    /// The longest line for a prompt that cannot be checked, in bytes. A terminal in cooked mode
    /// keeps 4,095 bytes of a line and drops the rest (n_tty); this stays well below.
    pub const MAX_UNVERIFIED: usize = 1_000;

    /// To a shell that answers the check key, at the prompt of an unfinished command if
    /// `continued`. With `ask_first` the shell has to answer before the line is sent, too. A line
    /// with tabs or newlines always asks first: read as keys, they would complete or run it.
    ///
    /// # Errors
    /// When no paste could carry the line.
    pub fn verified(line: &[u8], continued: bool, ask_first: bool) -> Result<Self, Undeliverable> {
        text(line)?;
        let ask_first = ask_first || line.iter().any(|b| matches!(b, b'\t' | b'\n'));
        Ok(Self::new(line, Proof::Report { continued, ask_first }))
    }

    /// To whatever reads lines and echoes them, on a terminal of `cols` columns. `before` is the
    /// output since the last newline. `expands`: the reader may know history expansion.
    ///
    /// # Errors
    /// When an echo could not show the line, or the reader could change it.
    pub fn unverified(
        line: &[u8],
        cols: u16,
        before: &[u8],
        expands: bool,
    ) -> Result<Self, Undeliverable> {
        let text = text(line)?;
        if text.contains(['\t', '\n']) {
            return Err(Undeliverable::NotOneLine);
        }
        if expands && (text.contains('!') || text.starts_with('^')) {
            return Err(Undeliverable::HistoryExpansion);
        }
        if text.chars().any(|c| c.width() == Some(0)) {
            return Err(Undeliverable::Hidden);
        }
        if line.len() > Self::MAX_UNVERIFIED {
            return Err(Undeliverable::TooLong);
        }
        let echo = Box::new(Echo::new(text, cols, before));
        Ok(Self::new(line, Proof::Echo { echo, clear_first: false }))
    }

    /// The same, but `^U` goes first, so that nothing left in the reader's line joins this one.
    /// Only for readers that are known to take `^U` that way.
    pub fn clearing_first(mut self) -> Self {
        if let Proof::Echo { clear_first, .. } = &mut self.proof {
            *clear_first = true;
        }
        self
    }

    fn new(line: &[u8], proof: Proof) -> Self {
        Self {
            line: line.to_vec(),
            proof,
            state: State::New,
            aborted: None,
            interrupted_again: false,
            ends_in_newline: false,
        }
    }

    /// The first steps. Called again, it sends nothing.
    pub fn start(&mut self) -> Vec<Step> {
        if self.state != State::New {
            return Vec::new();
        }
        match self.proof {
            Proof::Echo { clear_first, .. } => {
                self.state = State::Echoing;
                let clear = clear_first.then_some(Step::Const(Const::KillLine));
                clear.into_iter().chain([Step::Item, Step::Wait]).collect()
            }
            Proof::Report { ask_first: true, .. } => {
                self.state = State::AskingFirst;
                vec![Step::Const(Const::CheckKey), Step::Wait]
            }
            Proof::Report { ask_first: false, .. } => self.paste(),
        }
    }

    /// The next event from the remote side.
    pub fn on(&mut self, event: &Event) -> Vec<Step> {
        match (self.state, event) {
            (_, Event::Output(bytes)) => self.output(bytes),
            (State::AskingFirst, Event::Check(check)) => self.checked_before(check),
            (State::Checking, Event::Check(check)) => self.checked_after(check),
            // Whatever runs now, it is not the line: Return has not been sent.
            (
                State::AskingFirst | State::Checking | State::Echoing,
                Event::CommandStart | Event::CommandDone { .. },
            ) => self.abort(AbortReason::OtherCommand),
            (State::Leaving, Event::PasteMode(false)) => self.left_editor(),
            (
                State::Leaving | State::AwaitingNewline,
                Event::CommandStart | Event::CommandDone { .. },
            ) => {
                if self.aborted.is_some() {
                    self.state = State::AwaitingPrompt;
                    Vec::new()
                } else {
                    self.finish()
                }
            }
            (
                State::Leaving | State::AwaitingNewline | State::AwaitingPrompt,
                Event::PromptEnd | Event::ContinuationPrompt,
            ) => self.finish(),
            _ => Vec::new(),
        }
    }

    /// [`TIMEOUT_MS`](Self::TIMEOUT_MS) have passed since the last call of `start`, or of `on`
    /// that sent something.
    pub fn timeout(&mut self) -> Vec<Step> {
        match self.state {
            State::New => {
                self.aborted = Some(AbortReason::NotBegun);
                self.finish();
                vec![Step::Aborted(AbortReason::NotBegun)]
            }
            State::AskingFirst | State::Checking => self.abort(AbortReason::CheckTimeout),
            State::Echoing => self.abort(AbortReason::EchoDiffers),
            // A shell that is interrupted while it runs the check may miss the interrupt and keep
            // its buffer: without a second one the next line would join what is there.
            State::Leaving | State::AwaitingPrompt
                if self.aborted.is_some() && !self.interrupted_again =>
            {
                self.interrupted_again = true;
                vec![Step::Const(Const::Interrupt), Step::Wait]
            }
            State::Leaving | State::AwaitingNewline | State::AwaitingPrompt => self.finish(),
            State::Done => Vec::new(),
        }
    }

    /// Whether the delivery is over, and with it the echo: output passes.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether it was given up because the shell did not answer the check key.
    pub fn is_unanswered(&self) -> bool {
        self.aborted == Some(AbortReason::CheckTimeout)
    }

    /// Sends the line as a bracketed paste, so that the shell reads no byte of it as a key, and the
    /// check key after it. Return waits for the answer.
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

    /// The report before the line is sent.
    fn checked_before(&mut self, check: &Check) -> Vec<Step> {
        if let Some(why) = self.unfit_shell(check) {
            return self.abort(why);
        }
        if check.foreign || !check.buffer.is_empty() {
            return self.abort(AbortReason::BufferNotEmpty);
        }
        self.paste()
    }

    /// The report after the line: Return only if the buffer is the line, byte for byte.
    fn checked_after(&mut self, check: &Check) -> Vec<Step> {
        if let Some(why) = self.unfit_shell(check) {
            return self.abort(why);
        }
        if check.foreign || check.buffer != self.line {
            return self.abort(AbortReason::BufferDiffers);
        }
        if check.unready {
            return self.abort(AbortReason::WouldNotRun);
        }
        self.accept()
    }

    /// What in the shell's state rules the line out, whatever the buffer holds.
    fn unfit_shell(&self, check: &Check) -> Option<AbortReason> {
        let may_continue = matches!(self.proof, Proof::Report { continued: true, .. });
        if check.history_expansion {
            Some(AbortReason::HistoryExpansion)
        } else if check.continued && !may_continue {
            Some(AbortReason::Continued)
        } else if !check.utf8 && !self.line.is_ascii() {
            Some(AbortReason::NotUtf8)
        } else {
            None
        }
    }

    /// Output while the delivery lasts. The echo of the line is dropped: the agent has seen the
    /// line in its own editor.
    fn output(&mut self, bytes: &[u8]) -> Vec<Step> {
        let shown = match self.state {
            State::Done => bytes.to_vec(),
            State::Leaving | State::AwaitingNewline if self.next_newline_ends_echo() => {
                match bytes.iter().position(|b| *b == b'\n') {
                    Some(newline) => {
                        let (echo, rest) = bytes.split_at(newline + 1);
                        self.finish();
                        [modes(echo).as_slice(), rest].concat()
                    }
                    None => modes(bytes),
                }
            }
            _ => modes(bytes),
        };
        self.ends_in_newline = bytes.ends_with(b"\n");
        let mut steps = Vec::new();
        if !shown.is_empty() {
            steps.push(Step::Show(shown));
        }
        if self.state == State::Echoing && self.echo_shows_line(bytes) {
            steps.extend(self.accept());
        }
        steps
    }

    /// Whether the next newline is the one that Return draws, the last of the echo. A shell that
    /// reports its buffer may draw others before it leaves its editor.
    fn next_newline_ends_echo(&self) -> bool {
        self.state == State::AwaitingNewline || matches!(self.proof, Proof::Echo { .. })
    }

    fn echo_shows_line(&mut self, bytes: &[u8]) -> bool {
        let Proof::Echo { echo, .. } = &mut self.proof else { return false };
        echo.feed(bytes);
        echo.matches()
    }

    /// The shell has switched bracketed paste off. bash draws Return's newline before that, zsh
    /// after it.
    fn left_editor(&mut self) -> Vec<Step> {
        if self.aborted.is_some() {
            self.state = State::AwaitingPrompt;
        } else if self.ends_in_newline {
            return self.finish();
        } else {
            self.state = State::AwaitingNewline;
        }
        Vec::new()
    }

    fn accept(&mut self) -> Vec<Step> {
        self.state = State::Leaving;
        vec![Step::Const(Const::Return), Step::Accepted, Step::Wait]
    }

    fn abort(&mut self, why: AbortReason) -> Vec<Step> {
        self.state = State::Leaving;
        self.aborted = Some(why);
        vec![Step::Const(Const::Interrupt), Step::Aborted(why), Step::Wait]
    }

    fn finish(&mut self) -> Vec<Step> {
        self.state = State::Done;
        self.line.clear();
        Vec::new()
    }
}

/// What must still reach the agent of output that is dropped: the sequences that draw nothing but
/// set the terminal's modes. zsh switches its own off when its line editor ends.
fn modes(bytes: &[u8]) -> Vec<u8> {
    let mut modes = Vec::new();
    let mut rest = bytes;
    while let Some(escape) = rest.iter().position(|b| *b == 0x1b) {
        rest = rest.get(escape..).unwrap_or_default();
        let length = match rest {
            [_, b'=' | b'>', ..] => 2,
            [_, b'[', b'?', parameters @ ..] => {
                let end = parameters.iter().position(|b| !matches!(b, b'0'..=b'9' | b';'));
                match end.and_then(|end| Some((end, parameters.get(end)?))) {
                    Some((end, b'h' | b'l')) => end + 4,
                    _ => 0,
                }
            }
            _ => 0,
        };
        modes.extend_from_slice(rest.get(..length).unwrap_or_default());
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    modes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
