//! The line gate: joins the agent's line editor, what is known of the remote side, and the one
//! item under review. Pure: bytes, answers and the time go in, [`Effect`]s come out.
//!
//! What reaches the target is decided here by exactly three effects: [`Effect::Type`] (a constant
//! of the closed set), [`Effect::TypeItem`] (the approved bytes, which only the caller has), and
//! [`Effect::Keys`] (keys while a grant lasts, which the caller bounds). None of the bytes of the
//! agent are in the first two.

mod display;
mod input;
mod mode;
mod output;
mod review;
mod screen;

use std::collections::VecDeque;
use std::time::Duration;

use self::mode::Mode;
use self::screen::Screen;
use crate::Const;
use crate::editor::{Decoder, Editor, History, Stroke};
use crate::remote::{self, Delivery, Nonce, Probe, Remote};

/// How long a shell may take to say that it is set up; from then on its prompt is unverified.
const HELLO: Duration = Duration::from_secs(3);
/// How long the login files of a shell may be silent before its prompt counts as one that nobody
/// marks.
const LOGIN: Duration = Duration::from_secs(5);
/// Silence after which a lone escape character is a key of its own.
const ESCAPE: Duration = Duration::from_millis(50);
/// Silence after which keys to a program become an item.
const KEYS_IDLE: Duration = Duration::from_millis(250);
/// Keys to a program that one item may hold, in bytes.
const MAX_KEYS: usize = 4096;
/// How long a side probe may take.
const PROBE: Duration = Duration::from_secs(2);
/// How old an answer of the side probe may be.
const PROBE_FRESH: Duration = Duration::from_secs(1);
/// What was typed ahead waits this long for the prompt before it counts as input to the program
/// that runs.
const AHEAD: Duration = Duration::from_millis(300);
/// An older look at the program that reads the terminal does not count when an item is typed: a
/// few round trips, during which the broker has written the release down.
const RECHECK: Duration = Duration::from_millis(200);
/// Input typed ahead while an item is held, in bytes; past it all of it is dropped.
const MAX_AHEAD: usize = 64 * 1024;
/// How long a delivery may take until it is given up.
const DELIVERY: Duration = Duration::from_millis(Delivery::TIMEOUT_MS);
/// How often the program in the foreground is looked at while a grant lasts.
const GRANT_LOOK: Duration = Duration::from_secs(1);

/// What kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line or construct at a shell's prompt.
    Line,
    /// A line for the program in the foreground.
    Input,
    /// Keys for the program in the foreground.
    Keys,
    /// A control key.
    Control,
}

/// What is known of the prompt, for the reviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// At the prompt of the shell that was set up.
    Verified,
    /// At its continuation prompt.
    Continuation,
    /// Nobody knows.
    Unverified,
    /// A program reads lines.
    Cooked,
    /// A program reads lines without echo.
    NoEcho,
    /// A program reads keys.
    Raw,
}

/// An item to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What kind.
    pub kind: Kind,
    /// The bytes; what goes to the target is exactly these.
    pub bytes: Vec<u8>,
    /// Where it would go.
    pub label: Label,
    /// The program in the foreground, when it is not the shell that was set up.
    pub foreground: Option<String>,
    /// The working directory there.
    pub cwd: Option<String>,
    /// Typed without echo.
    pub secret: bool,
    /// Keys may be granted with it.
    pub grantable: bool,
    /// What the reviewer must know.
    pub notes: Vec<String>,
    /// The item for reading, where its bytes are not text.
    pub preview: Option<String>,
}

/// What the caller has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Show this on the agent's screen, and record it.
    Screen(Vec<u8>),
    /// Submit an item for review. There is none under review at this moment.
    Submit(Box<Draft>),
    /// Take the item under review back.
    Withdraw,
    /// Ask the target about its terminal; the answer goes to [`LineGate::probed`].
    Probe,
    /// Type a constant.
    Type(Const),
    /// Type the approved item, now and once.
    TypeItem,
    /// Type these keys under the grant.
    Keys(Vec<u8>),
    /// The grant has ended.
    GrantOver,
    /// The answer to [`LineGate::check`].
    Still(bool),
    /// The approved item must not be typed: why. It stays unsent.
    Unsent(&'static str),
    /// The item that was typed last is a command line that runs now.
    Started,
    /// The item that was typed last is done with: it went to a program.
    Passed,
    /// The item that was typed last was not run: why.
    Aborted(String),
    /// The command line that runs has ended, with this status where the shell says it.
    Ended(Option<u32>),
    /// A word for the recording.
    Log(String),
}

/// What became of the item under review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be typed now, once.
    Approved {
        /// Keys may pass after it.
        grant: bool,
    },
    /// It will not be typed; what to tell the agent.
    Refused(String),
    /// It was taken back at the agent's wish.
    Withdrawn,
    /// It was allowed, but its context has changed: review it again.
    Changed,
    /// It was allowed, but too long ago to know that its context has not changed since: the
    /// approval is void, and it is reviewed again.
    Late,
}

#[derive(Debug)]
enum State {
    /// Keys go to the editor, or to the collection of keys.
    Edit,
    /// An item is under review.
    Held { context: Context },
    /// An item was released; what reads the terminal is looked at once more.
    Released { context: Context, grant: bool },
    /// An approved item is on its way.
    Delivering(Box<Delivering>),
}

#[derive(Debug)]
struct Delivering {
    delivery: Delivery,
    until: Duration,
    /// Given up: why. What the remote says until its next prompt is its own tidying up.
    aborted: Option<String>,
    /// Return was sent.
    accepted: bool,
    /// It goes to a program: nobody says when that is done with it.
    passes: bool,
    /// No marker may tell when it ends.
    untold: bool,
    grant: bool,
}

/// What must still hold when a held item is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Context {
    epoch: u64,
    probe: Option<mode::Foreground>,
    draft: Draft,
}

/// See the module.
#[derive(Debug)]
pub struct LineGate {
    decoder: Decoder,
    editor: Editor,
    remote: Remote,
    screen: Screen,
    state: State,
    /// Keys that wait for their turn.
    ahead: VecDeque<Stroke>,
    ahead_bytes: usize,
    /// Keys to a program that wait to become an item.
    keys: Vec<u8>,
    mode: Mode,
    now: Duration,
    started: Duration,
    last_key: Duration,
    /// When the last line was delivered.
    delivered: Duration,
    /// When the target wrote last.
    heard: Duration,
    /// A command of the agent runs.
    running: bool,
    /// No marker will tell when it ends: since when it was looked for that.
    estimated: Option<Duration>,
    /// What was typed under a grant since the last end of a line, in bytes.
    unfinished: usize,
    probe: Option<(Probe, Duration)>,
    /// Something was heard of the target since the last probe was asked for.
    stale: bool,
    probing: Option<Duration>,
    /// The last probe was not answered.
    unprobed: bool,
    checking: bool,
    /// An item whose context changed, to be reviewed again.
    again: Option<(Draft, u64)>,
    grant: Option<Grant>,
    /// The echo that is still to be dropped, and how much of it was.
    echo: Option<(Vec<u8>, usize)>,
    /// The target's own row before the cursor, to draw it again.
    tail: Vec<u8>,
    editor_drawn: bool,
    /// The column in which the editor's line begins.
    origin: u16,
    status_drawn: Option<usize>,
    alternate: bool,
    paste_mode: bool,
}

#[derive(Debug)]
struct Grant {
    foreground: Option<mode::Foreground>,
    looked: Duration,
}

impl LineGate {
    /// A gate for a fresh shell. `now` is any clock that only grows, as in every call.
    pub fn new(nonce: Nonce, cols: u16, rows: u16, history: History, now: Duration) -> Self {
        Self {
            decoder: Decoder::default(),
            editor: Editor::new(history),
            remote: Remote::new(nonce, cols, rows),
            screen: Screen::new(cols, rows),
            state: State::Edit,
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            keys: Vec::new(),
            mode: Mode::Boot,
            now,
            started: now,
            last_key: now,
            delivered: now,
            heard: now,
            running: false,
            estimated: None,
            unfinished: 0,
            probe: None,
            stale: true,
            probing: None,
            unprobed: false,
            checking: false,
            again: None,
            grant: None,
            echo: None,
            tail: Vec::new(),
            editor_drawn: false,
            origin: 0,
            status_drawn: None,
            alternate: false,
            paste_mode: false,
        }
    }

    /// The terminal to ask about, once the shell has said which it is.
    pub fn tty(&self) -> Option<&str> {
        self.remote.hello()?.tty.as_deref()
    }

    /// Whether the target can be asked about its terminal.
    fn can_probe(&self) -> bool {
        self.tty().is_some()
    }

    /// The lines typed in this session, to keep for the next.
    pub fn history(&self) -> &History {
        self.editor.history()
    }

    /// When the shell counts as up, though it has shown no prompt of its own. One that has said
    /// hello may be at its login files, which write something now and then.
    fn boot_ends(&self) -> Duration {
        match self.remote.hello() {
            None => self.started + HELLO,
            Some(_) => self.heard + LOGIN,
        }
    }

    /// When to call [`LineGate::tick`] at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let mut at: Option<Duration> = None;
        let mut by = |t: Duration| at = Some(at.map_or(t, |a: Duration| a.min(t)));
        if self.remote.label() == remote::Label::Boot {
            by(self.boot_ends());
        }
        if self.decoder.is_pending() {
            by(self.last_key + ESCAPE);
        }
        if !self.keys.is_empty() && matches!(self.state, State::Edit) {
            by(self.last_key + KEYS_IDLE);
        }
        if let Some(asked) = self.probing {
            by(asked + PROBE);
        }
        if self.running && !self.ahead.is_empty() && matches!(self.state, State::Edit) {
            by(self.delivered + AHEAD);
        }
        if matches!(self.state, State::Edit)
            && let Some(settled) = self.settled_at()
        {
            by(settled);
        }
        if let State::Delivering(delivering) = &self.state {
            by(delivering.until);
        }
        if let Some(look) = self.end_looked_at() {
            by(look);
        }
        if let Some(grant) = &self.grant {
            by(grant.looked + GRANT_LOOK);
        }
        at
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        if self.remote.label() == remote::Label::Boot && now >= self.boot_ends() {
            self.remote.give_up();
        }
        if self.decoder.is_pending() && now >= self.last_key + ESCAPE {
            let mut keys = Vec::new();
            self.decoder.flush(&mut keys);
            self.queue(keys, out);
        }
        if self.probing.is_some_and(|asked| now >= asked + PROBE) {
            self.probed(None, now, out);
        }
        self.tick_delivery(out);
        self.look_at_grant(out);
        if self.end_looked_at().is_some_and(|at| now >= at) {
            self.estimated = Some(now);
            self.ask(out);
        }
        self.work(out);
    }

    /// The terminal of the agent has another size.
    pub fn resize(&mut self, cols: u16, rows: u16, now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        let drawn = std::mem::take(&mut self.editor_drawn);
        self.hide(out);
        self.screen.resize(cols, rows);
        self.editor.set_rows(rows);
        if drawn {
            // The agent's terminal has wrapped the line anew, as the emulated one has.
            self.editor.forget_drawing();
            if let Some((up, column)) = self.screen.origin() {
                let up = if up > 0 { format!("\x1b[{up}A") } else { String::new() };
                self.emit(format!("{up}\x1b[{}G\x1b[J", column + 1).as_bytes(), out);
            }
        }
        self.remote.resize(cols, rows);
        self.show(out);
    }
}
