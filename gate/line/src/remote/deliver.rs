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
    #[error(
        "the line is too long for a prompt that cannot be checked (at most 1000 bytes); split it, \
         or leave this shell for the one that the login started"
    )]
    TooLong,
    /// It could be expanded after Return.
    #[error(
        "a line with `!`, or one that begins with `^`, may be changed by a prompt that cannot be \
         checked; say it without (printf '\\041' prints a `!`), or leave this shell for the one \
         that the login started"
    )]
    HistoryExpansion,
    /// It would be completed by this one.
    #[error(
        "the line before was interrupted, but may still stand there; press ^C until a new prompt \
         comes, then enter it again"
    )]
    Leftover,
    /// Control characters would be read as keys.
    #[error(
        "a line with control characters cannot be delivered; write them as escapes, for instance \
         with printf"
    )]
    Control,
    /// An echo does not show it.
    #[error(
        "a line with zero-width characters cannot be delivered to a prompt that cannot be checked; \
         write them as escapes, for instance with printf"
    )]
    Hidden,
    /// A tab or newline would be read as a key.
    #[error(
        "a line with a tab or newline cannot be delivered to a prompt that cannot be checked; \
         enter one line at a time, with spaces for tabs"
    )]
    NotOneLine,
    /// The editors of shells read nothing else.
    #[error("a line that is not UTF-8 cannot be delivered; write the bytes as escapes")]
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
    /// The line editor has ended; whether the newline of Return is still to come depends on the
    /// shell.
    Newline,
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
    continued: bool,
    ask: bool,
    /// `^U` goes before the line.
    cleared: bool,
    state: State,
    aborted: bool,
    /// `^C` was sent again.
    repeated: bool,
    /// The shell was asked for its edit buffer, and said nothing.
    unanswered: bool,
    /// The last output ended in a newline: bash prints Return's before it switches bracketed
    /// paste off, zsh after.
    newline: bool,
}

impl Delivery {
    /// How long the shell may take to answer, and to leave its line editor, in milliseconds.
    pub const TIMEOUT_MS: u64 = 2_000;

    /// The longest line for a prompt that cannot be checked, in bytes: a terminal in cooked mode
    /// keeps 4,095 bytes of a line and drops the rest.
    pub const MAX_UNVERIFIED: usize = 1_000;

    /// To a shell that answers the check key, at the prompt of an unfinished command if
    /// `continued`. With `ask` it has to do so before the line is sent,
    /// too; for a line that holds what would run or complete if read as keys, it always has to.
    pub fn verified(line: &[u8], continued: bool, ask: bool) -> Result<Self, Undeliverable> {
        text(line)?;
        let ask = ask || line.iter().any(|b| matches!(b, b'\t' | b'\n'));
        Ok(Self { continued, ask, ..Self::new(line, None) })
    }

    /// To whatever reads lines and echoes them, on a terminal of so many columns; `before` is what
    /// was sent to it since the last newline. `expands`: it may know history expansion.
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
        Ok(Self::new(line, Some(Echo::new(text, cols, before))))
    }

    /// What stands in the line already is taken away before: for what is known to take `^U` so.
    pub fn cleared(self) -> Self {
        Self { cleared: true, ..self }
    }

    fn new(line: &[u8], echo: Option<Echo>) -> Self {
        Self {
            line: line.to_vec(),
            continued: false,
            ask: false,
            cleared: false,
            echo,
            state: State::New,
            aborted: false,
            repeated: false,
            unanswered: false,
            newline: false,
        }
    }

    /// The first steps. Called again, it sends nothing.
    pub fn start(&mut self) -> Vec<Step> {
        if self.state != State::New {
            return Vec::new();
        }
        if self.echo.is_some() {
            self.state = State::Echoing;
            let clear = self.cleared.then_some(Step::Const(Const::KillLine));
            return clear.into_iter().chain([Step::Item, Step::Wait]).collect();
        }
        if self.ask {
            self.state = State::Asking;
            return vec![Step::Const(Const::CheckKey), Step::Wait];
        }
        self.paste()
    }

    /// The next event from the remote side.
    pub fn on(&mut self, event: &Event) -> Vec<Step> {
        if let Event::Output(bytes) = event {
            return self.output(bytes);
        }
        match (self.state, event) {
            (State::Asking, Event::Check(check)) => self.asked(check),
            (State::Checking, Event::Check(check)) => self.checked(check),
            (
                State::Asking | State::Checking | State::Echoing,
                Event::CommandStart | Event::CommandDone { .. },
            ) => self.abort("the shell ran something else meanwhile"),
            (State::Leaving, Event::PasteMode(false)) => {
                if self.aborted {
                    self.state = State::Prompting;
                } else if self.newline {
                    return self.finish();
                } else {
                    self.state = State::Newline;
                }
                Vec::new()
            }
            (State::Leaving | State::Newline, Event::CommandStart | Event::CommandDone { .. }) => {
                if self.aborted {
                    self.state = State::Prompting;
                    return Vec::new();
                }
                self.finish()
            }
            (
                State::Leaving | State::Newline | State::Prompting,
                Event::PromptEnd | Event::ContinuationPrompt,
            ) => self.finish(),
            _ => Vec::new(),
        }
    }

    fn output(&mut self, bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        let shown = match self.state {
            State::Done => bytes.to_vec(),
            State::Leaving | State::Newline if self.newline_ends() => {
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
        self.newline = bytes.ends_with(b"\n");
        if !shown.is_empty() {
            steps.push(Step::Show(shown));
        }
        if self.state == State::Echoing {
            steps.extend(self.echoed(bytes));
        }
        steps
    }

    /// Whether the next newline is that of Return, the last of the echo.
    fn newline_ends(&self) -> bool {
        match self.state {
            State::Newline => true,
            _ => self.echo.is_some(),
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
                self.unanswered = true;
                self.abort(
                    "the shell did not report its edit buffer in time; enter the line again, it \
                     is checked by its echo then",
                )
            }
            State::Echoing => self.abort("the line was not echoed as it was sent"),
            // Interrupted while it runs the check, a shell may miss it and keep its buffer.
            State::Leaving | State::Prompting if self.aborted && !self.repeated => {
                self.repeated = true;
                vec![Step::Const(Const::Interrupt), Step::Wait]
            }
            State::Leaving | State::Newline | State::Prompting => self.finish(),
            State::Done => Vec::new(),
        }
    }

    /// Whether the delivery is over, and with it the echo: output passes.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether it was given up because the shell did not answer the check key.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
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
        if check.unready {
            return self
                .abort("the shell would not run the line: it has an error or is incomplete");
        }
        self.accept()
    }

    fn refused(&self, check: &Check) -> Option<&'static str> {
        if check.history_expansion {
            return Some(
                "history expansion is on in the shell and could change any line; open a new session",
            );
        }
        if check.continued && !self.continued {
            return Some("the shell is in the middle of another command");
        }
        (!check.utf8 && !self.line.is_ascii())
            .then_some(
                "the line is not ASCII, and the shell does not read UTF-8; log in with LC_ALL set \
                 to a UTF-8 locale (ssh -o SetEnv=LC_ALL=C.UTF-8), or write the characters as escapes",
            )
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

    fn finish(&mut self) -> Vec<Step> {
        self.state = State::Done;
        self.line.clear();
        self.echo = None;
        Vec::new()
    }
}

/// Of dropped output, what draws nothing but sets the terminal's modes: zsh switches its own off
/// when its line editor ends.
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

fn text(line: &[u8]) -> Result<&str, Undeliverable> {
    let text = std::str::from_utf8(line).map_err(|_| Undeliverable::NotUtf8)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        return Err(Undeliverable::Control);
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn check(buffer: &str) -> Event {
        Event::Check(Check { buffer: buffer.into(), utf8: true, ..Check::default() })
    }

    fn output(text: &str) -> Event {
        Event::Output(text.into())
    }

    fn show(text: &str) -> Step {
        Step::Show(text.into())
    }

    fn verified(line: &str) -> Delivery {
        let mut delivery = Delivery::verified(line.as_bytes(), false, false).unwrap();
        assert_eq!(
            delivery.start(),
            [
                Step::Const(Const::PasteStart),
                Step::Item,
                Step::Const(Const::PasteEnd),
                Step::Const(Const::CheckKey),
                Step::Wait
            ]
        );
        delivery
    }

    fn is_abort(steps: &[Step]) -> bool {
        matches!(steps, [Step::Const(Const::Interrupt), Step::Aborted(_), Step::Wait])
    }

    const RETURN: [Step; 3] = [Step::Const(Const::Return), Step::Accepted, Step::Wait];

    #[test]
    fn the_same_buffer_is_accepted_once() {
        let mut delivery = verified("ls");
        assert!(delivery.on(&output("ls")).is_empty());
        assert_eq!(delivery.on(&check("ls")), RETURN);
        assert!(delivery.on(&check("ls")).is_empty());
        assert!(delivery.start().is_empty());
        assert!(delivery.timeout().is_empty() && delivery.is_done());
        assert!(delivery.on(&check("ls")).is_empty());
    }

    #[test]
    fn anything_else_is_interrupted() {
        let good = Check { buffer: b"ls".to_vec(), utf8: true, ..Check::default() };
        for bad in [
            Check { buffer: b"ls ".to_vec(), ..good.clone() },
            Check { buffer: b"".to_vec(), ..good.clone() },
            Check { foreign: true, ..good.clone() },
            Check { history_expansion: true, ..good.clone() },
            Check { continued: true, ..good.clone() },
            Check { unready: true, ..good.clone() },
        ] {
            let mut delivery = verified("ls");
            assert!(is_abort(&delivery.on(&Event::Check(bad.clone()))), "{bad:?}");
            assert!(delivery.on(&Event::Check(good.clone())).is_empty(), "{bad:?}");
        }
        assert!(is_abort(&verified("ls").on(&Event::CommandStart)));
        let mut delivery = verified("ä");
        let check = Check { buffer: "ä".into(), utf8: false, ..good };
        assert!(is_abort(&delivery.on(&Event::Check(check))));
    }

    #[test]
    fn without_an_answer_it_is_interrupted_twice_and_given_up() {
        let mut delivery = verified("ls");
        assert!(is_abort(&delivery.timeout()));
        assert_eq!(delivery.timeout(), [Step::Const(Const::Interrupt), Step::Wait]);
        assert!(!delivery.is_done());
        assert!(delivery.timeout().is_empty());
        assert!(delivery.is_done());
    }

    #[test]
    fn one_that_was_not_begun_is_never_begun_late() {
        let mut delivery = Delivery::verified(b"ls", false, false).unwrap();
        assert!(matches!(&delivery.timeout()[..], [Step::Aborted(_)]));
        assert!(delivery.start().is_empty());
    }

    #[test]
    fn lines_with_tab_or_newline_ask_first() {
        for line in ["a\nb", "a\tb"] {
            let mut delivery = Delivery::verified(line.as_bytes(), false, false).unwrap();
            assert_eq!(delivery.start(), [Step::Const(Const::CheckKey), Step::Wait]);
            assert_eq!(delivery.on(&check("")).get(1), Some(&Step::Item));
            assert_eq!(delivery.on(&check(line)), RETURN);
        }
        let mut delivery = Delivery::verified(b"a\nb", false, false).unwrap();
        delivery.start();
        assert!(is_abort(&delivery.on(&check("a\nb"))));
    }

    #[test]
    fn bashs_echo_ends_with_paste_mode() {
        let mut delivery = verified("ls");
        delivery.on(&check("ls"));
        assert!(delivery.on(&output("\r$ ls\r\n\rmore\r\n")).is_empty());
        assert!(delivery.on(&Event::PasteMode(false)).is_empty());
        assert!(delivery.is_done());
        assert_eq!(delivery.on(&output("\x1b[?2004l\rerror")), [show("\x1b[?2004l\rerror")]);
    }

    #[test]
    fn zshs_echo_ends_with_the_newline_after_paste_mode() {
        let mut delivery = verified("ls");
        delivery.on(&check("ls"));
        assert_eq!(delivery.on(&output("\x1b[2Dls\x1b[?1l\x1b>")), [show("\x1b[?1l\x1b>")]);
        delivery.on(&Event::PasteMode(false));
        let steps = delivery.on(&output("\x1b[?2004l\r\r\nzsh: error\r\n"));
        assert_eq!(steps, [show("\x1b[?2004lzsh: error\r\n")]);
        assert!(delivery.is_done());
    }

    #[test]
    fn after_an_abort_output_is_dropped_until_the_prompt() {
        let mut delivery = verified("ls");
        delivery.on(&check("sl"));
        assert!(delivery.on(&output("^C\r\n")).is_empty());
        delivery.on(&Event::PasteMode(false));
        assert!(delivery.on(&output("$ ")).is_empty());
        delivery.on(&Event::PromptEnd);
        assert!(delivery.is_done());
    }

    #[test]
    fn an_echo_is_compared_and_dropped() {
        let mut delivery = Delivery::unverified(b"ls", 80, b"$ ", true).unwrap();
        assert_eq!(delivery.start(), [Step::Item, Step::Wait]);
        assert!(delivery.on(&output("l")).is_empty());
        assert_eq!(delivery.on(&output("s")), RETURN);
        assert_eq!(delivery.on(&output("\r\nfile\r\n")), [show("file\r\n")]);
        assert!(delivery.is_done());

        let mut delivery = Delivery::unverified(b"ls", 80, b"$ ", true).unwrap();
        delivery.start();
        assert!(delivery.on(&output("rm")).is_empty());
        assert!(is_abort(&delivery.timeout()));
    }

    #[test]
    fn what_a_prompt_could_change_is_not_sent_unchecked() {
        let unverified = |line: &str| Delivery::unverified(line.as_bytes(), 80, b"", true).err();
        assert_eq!(unverified("echo !!"), Some(Undeliverable::HistoryExpansion));
        assert!(Delivery::unverified(b"! echo !!", 80, b"", false).is_ok());
        assert_eq!(unverified("^a^b"), Some(Undeliverable::HistoryExpansion));
        assert_eq!(unverified("a\tb"), Some(Undeliverable::NotOneLine));
        assert_eq!(unverified("a\nb"), Some(Undeliverable::NotOneLine));
        assert_eq!(unverified("a\u{200b}b"), Some(Undeliverable::Hidden));
        assert_eq!(unverified(&"x".repeat(1_001)), Some(Undeliverable::TooLong));
        assert_eq!(unverified(&"x".repeat(1_000)), None);
        for line in [&b"a\x1bb"[..], b"a\x7f", b"a\0", b"a\rb", b"\xc2\x85"] {
            let verified = Delivery::verified(line, false, false).err();
            assert_eq!(verified, Some(Undeliverable::Control), "{line:?}");
        }
        let verified = Delivery::verified(b"\xff", false, false).err();
        assert_eq!(verified, Some(Undeliverable::NotUtf8));
    }
}
