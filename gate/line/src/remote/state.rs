//! Follows the remote side through its markers. It must never send anything, and whoever knows the
//! nonce can make it say anything: its word is for the reviewer.

use super::deliver::{Delivery, Undeliverable};
use super::probe::{Probe, valid_tty};
use super::scan::{Scanner, Token};
use super::{Check, Event, Hello, Label, Nonce};

/// A longer prompt is kept only in part.
const LONGEST_PROMPT: usize = 8 * 1024;
/// Of the last line of output so much is kept, to compare an echo with it.
const LONGEST_TAIL: usize = 4 * 1024;

/// The remote side of one interactive session.
#[derive(Debug)]
pub struct Remote {
    scanner: Scanner,
    tokens: Vec<Token>,
    label: Label,
    epoch: u64,
    hello: Option<Hello>,
    cwd: Option<String>,
    foreground: Option<String>,
    prompt: Vec<u8>,
    in_prompt: bool,
    /// The shell's line editor is at work: a prompt now is one drawn again.
    editing: bool,
    status: Option<Option<u32>>,
    /// The shell's hook ran before this prompt, and with it bound the keys again.
    prepared: bool,
    paste_mode: bool,
    alt_screen: bool,
    /// The output since the last newline.
    tail: Vec<u8>,
    /// A line was interrupted, and nothing shows yet that what reads lines has dropped it.
    leftover: bool,
    /// The shell said that it answers the check key, and did not.
    mute: bool,
    cols: u16,
    rows: u16,
}

impl Remote {
    /// A session whose shell is started with [`start_command`](super::start_command), on a
    /// terminal of this size.
    pub fn new(nonce: Nonce, cols: u16, rows: u16) -> Self {
        Self {
            scanner: Scanner::new(&nonce),
            tokens: Vec::new(),
            label: Label::Boot,
            epoch: 0,
            hello: None,
            cwd: None,
            foreground: None,
            prompt: Vec::new(),
            in_prompt: false,
            editing: false,
            status: None,
            prepared: false,
            paste_mode: false,
            alt_screen: false,
            tail: Vec::new(),
            leftover: false,
            mute: false,
            cols: cols.max(1),
            rows: rows.max(1),
        }
    }

    /// Takes what the target sent, cut anywhere, and appends what it means.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let mut tokens = std::mem::take(&mut self.tokens);
        self.scanner.feed(bytes, &mut tokens);
        for token in tokens.drain(..) {
            self.token(token, out);
        }
        self.tokens = tokens;
    }

    /// The target's output has ended: hands out what was held back as the possible beginning of a
    /// marker.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let mut tokens = Vec::new();
        self.scanner.finish(&mut tokens);
        for token in tokens {
            self.token(token, out);
        }
    }

    /// What the remote side is doing.
    pub fn label(&self) -> Label {
        self.label
    }

    /// Counts the changes of label and foreground program: an approval given in one epoch does not
    /// hold in another.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The bytes of the last prompt, without markers, to draw it again after a denial.
    pub fn prompt(&self) -> &[u8] {
        &self.prompt
    }

    /// What the shell said of itself, once it did.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The shell's directory as of its last prompt.
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// The foreground program as of the last probe.
    pub fn foreground(&self) -> Option<&str> {
        self.foreground.as_deref()
    }

    /// Whether whatever reads the terminal has bracketed paste on.
    pub fn paste_mode(&self) -> bool {
        self.paste_mode
    }

    /// Whether a program has the alternate screen.
    pub fn alt_screen(&self) -> bool {
        self.alt_screen
    }

    /// The terminal has another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.cols = cols.max(1);
        self.rows = rows.max(1);
    }

    /// No hello came in time, or no prompt after it. Should they come later, the next prompt is
    /// verified again.
    pub fn give_up(&mut self) {
        if self.label == Label::Boot {
            self.set(Label::Unverified);
        }
    }

    /// The shell did not answer the check key. Until it does, a line is delivered to it by its
    /// echo, as to a shell that cannot be asked.
    pub fn unanswered(&mut self) {
        self.mute = true;
    }

    /// The status of the last command, which the shell has said without a prompt after it, if so.
    pub fn said_status(&self) -> Option<Option<u32>> {
        self.status
    }

    /// Whether it should have answered the check key and did not.
    pub fn is_mute(&self) -> bool {
        self.mute
    }

    /// Whether the shell reports its edit buffer, so far as it has been asked.
    fn checks(&self) -> bool {
        !self.mute && self.hello.as_ref().is_some_and(|hello| hello.checks)
    }

    /// Whether the shell that was set up reads lines as the terminal hands them on, and nobody but
    /// its prompt tells that it does.
    pub fn reads_plain_lines(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| !hello.checks)
    }

    /// Return was sent: the shell no longer reads at its prompt.
    pub fn accepted(&mut self) {
        self.prepared = false;
        if self.label != Label::Unverified {
            self.set(Label::Running);
        }
    }

    /// `^C` was sent: whatever the shell still answers belongs to what was before, until it shows
    /// a prompt.
    pub fn interrupted(&mut self) {
        self.accepted();
        self.leftover = true;
        if self.is_fish() {
            self.editing = false;
        }
    }

    /// A probe has seen what is in the foreground.
    pub fn probed(&mut self, probe: &Probe) {
        if self.foreground != probe.foreground {
            self.foreground.clone_from(&probe.foreground);
            self.epoch += 1;
        }
    }

    /// How to deliver an approved line to a shell that reads commands: checked by its own report
    /// at a verified prompt, else by its echo. `own`: the shell that was set up reads it.
    pub fn delivery(&self, line: &[u8], own: bool) -> Result<Delivery, Undeliverable> {
        let at_prompt = matches!(self.label, Label::Prompt | Label::Continuation);
        if self.checks() && at_prompt {
            Delivery::verified(line, self.label == Label::Continuation, !self.prepared)
        } else if self.leftover {
            Err(Undeliverable::Leftover)
        } else {
            let expands = match &self.hello {
                Some(hello) if own || at_prompt => {
                    !matches!(hello.shell.as_str(), "ash" | "dash" | "mksh")
                }
                _ => true,
            };
            let delivery = Delivery::unverified(line, self.cols, &self.tail, expands)?;
            // Its terminal, or its own editor, may hold what was typed under a grant.
            let plain = self.reads_plain_lines() && (own || at_prompt);
            Ok(if plain { delivery.cleared() } else { delivery })
        }
    }

    fn token(&mut self, token: Token, out: &mut Vec<Event>) {
        match token {
            Token::Marker(payload) => self.marker(&payload, out),
            Token::Mode { number: 2004, on } => {
                self.paste_mode = on;
                self.editing &= on;
                out.push(Event::PasteMode(on));
            }
            Token::Mode { number: 47 | 1047 | 1049, on } => {
                self.alt_screen = on;
                out.push(Event::AltScreen(on));
            }
            Token::Mode { .. } => {}
            Token::Output(bytes) => {
                self.keep(&bytes);
                out.push(Event::Output(bytes));
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.in_prompt {
            let room = LONGEST_PROMPT.saturating_sub(self.prompt.len()).min(bytes.len());
            self.prompt.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        let line = match bytes.iter().rposition(|b| *b == b'\n') {
            Some(newline) => {
                self.tail.clear();
                self.leftover = false;
                bytes.get(newline + 1..).unwrap_or_default()
            }
            None => bytes,
        };
        self.tail.extend_from_slice(line);
        if self.tail.len() > LONGEST_TAIL {
            // A row drawn over and over, such as a progress bar.
            let from = self.tail.iter().rposition(|b| *b == b'\r').map_or(0, |at| at + 1);
            self.tail.drain(..from);
            self.tail.truncate(LONGEST_TAIL);
        }
    }

    fn marker(&mut self, payload: &[u8], out: &mut Vec<Event>) {
        let (kind, fields) = match payload {
            [kind, b';', fields @ ..] => (*kind, fields),
            [kind] => (*kind, [].as_slice()),
            _ => return,
        };
        match kind {
            b'A' => {
                self.start_prompt();
                if self.drawn_again() {
                    return;
                }
                if self.label == Label::Running {
                    out.push(Event::CommandDone { status: self.status.take().flatten() });
                }
                self.status = None;
                out.push(Event::PromptStart);
            }
            b'B' => self.end_prompt(Label::Prompt, Event::PromptEnd, out),
            b'P' => self.start_prompt(),
            b'Q' => self.end_prompt(Label::Continuation, Event::ContinuationPrompt, out),
            b'C' => {
                self.editing = false;
                self.status = None;
                self.set(Label::Running);
                out.push(Event::CommandStart);
            }
            b'D' | b'd' => {
                self.editing = false;
                self.prepared = kind == b'D';
                self.status = Some(text(fields).parse().ok());
            }
            // There will be no markers.
            b'U' if self.label == Label::Boot => self.set(Label::Unverified),
            b'H' if self.hello.is_none() => {
                let hello = hello(fields);
                self.hello = Some(hello.clone());
                if self.label == Label::Unverified {
                    self.set(Label::Boot);
                }
                out.push(Event::Hello(hello));
            }
            b'K' => {
                if let Some(check) = check(fields) {
                    self.mute = false;
                    out.push(Event::Check(check));
                }
            }
            b'W' => self.directory(text(&percent_decoded(fields)), out),
            b'w' => self.directory(text(fields), out),
            _ => {}
        }
    }

    fn directory(&mut self, cwd: String, out: &mut Vec<Event>) {
        self.cwd = Some(cwd.clone());
        out.push(Event::Cwd(cwd));
    }

    fn start_prompt(&mut self) {
        self.prompt.clear();
        self.in_prompt = true;
    }

    fn end_prompt(&mut self, label: Label, event: Event, out: &mut Vec<Event>) {
        self.in_prompt = false;
        if self.drawn_again() {
            return;
        }
        self.editing = self.checks();
        self.set(label);
        out.push(event);
    }

    /// A prompt now is not a new one: bash draws it again after the check key, even when Return
    /// has been sent meanwhile. fish gives a new one after `^C` without leaving its editor.
    fn drawn_again(&self) -> bool {
        self.editing && (self.label == Label::Running || !self.is_fish())
    }

    fn is_fish(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.shell == "fish")
    }

    fn set(&mut self, label: Label) {
        if self.label != label {
            self.label = label;
            self.epoch += 1;
            if label != Label::Running {
                self.foreground = None;
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `shell;version;tty;pid;check`
fn hello(fields: &[u8]) -> Hello {
    let text = text(fields);
    let mut fields = text.split(';');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    Hello {
        shell: next(),
        version: next(),
        tty: Some(next()).filter(|tty| valid_tty(tty)),
        pid: next().parse().ok(),
        checks: next() == "check",
    }
}

/// `flags;buffer`, with newlines as 0x1e and tabs as 0x1f; a buffer that holds any control
/// character of its own is not reported but flagged.
fn check(fields: &[u8]) -> Option<Check> {
    let separator = fields.iter().position(|b| *b == b';')?;
    let (flags, buffer) = fields.split_at(separator);
    let foreign = flags.contains(&b'X');
    let buffer = buffer.get(1..).filter(|_| !foreign).unwrap_or_default();
    Some(Check {
        buffer: buffer
            .iter()
            .map(|b| match b {
                0x1e => b'\n',
                0x1f => b'\t',
                other => *other,
            })
            .collect(),
        continued: flags.contains(&b'P'),
        foreign,
        history_expansion: flags.contains(&b'H'),
        unready: flags.contains(&b'E'),
        vi: flags.contains(&b'V'),
        utf8: flags.contains(&b'U'),
    })
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let mut pair = [0];
        match after.get(..2).map(|digits| hex::decode_to_slice(digits, &mut pair)) {
            Some(Ok(())) if first == b'%' => {
                out.extend(pair);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn remote() -> Remote {
        Remote::new(Nonce::new([7; 16]), 80, 24)
    }

    /// Feeds text in which `<A>` stands for a marker, and gives what it means, without output.
    fn feed(remote: &mut Remote, text: &str) -> Vec<Event> {
        let marker = format!("\x1b]133;{};", "07".repeat(16));
        let text = text.replace('<', &marker).replace('>', "\x07");
        let mut events = Vec::new();
        remote.feed(text.as_bytes(), &mut events);
        events.retain(|event| !matches!(event, Event::Output(_)));
        events
    }

    #[test]
    fn a_command_from_prompt_to_prompt() {
        let mut remote = remote();
        feed(&mut remote, "<H;bash;5.2;/dev/pts/3;77;check>motd\r\n");
        assert_eq!((remote.label(), remote.epoch()), (Label::Boot, 0));
        let events = feed(&mut remote, "<D;0><W;/a%20b>\x1b[?2004h<A>$ <B>");
        let expected = [
            Event::Cwd("/a b".to_owned()),
            Event::PasteMode(true),
            Event::PromptStart,
            Event::PromptEnd,
        ];
        assert_eq!(events, expected);
        assert_eq!((remote.label(), remote.prompt()), (Label::Prompt, b"$ ".as_slice()));
        assert_eq!((remote.cwd(), remote.epoch()), (Some("/a b"), 1));

        let check = Check { buffer: b"a\n\tb".to_vec(), utf8: true, ..Check::default() };
        let events = feed(&mut remote, "<K;-U;a\x1e\x1fb>");
        assert_eq!(events, [Event::Check(check)]);
        remote.accepted();
        // bash draws its prompt again after the check key.
        assert_eq!(feed(&mut remote, "<A>$ <B>a"), []);
        assert_eq!((remote.label(), remote.epoch()), (Label::Running, 2));
        let events = feed(&mut remote, "\r\n\x1b[?2004l\r<C>out\r\n");
        assert_eq!(events, [Event::PasteMode(false), Event::CommandStart]);
        let events = feed(&mut remote, "<D;3><A>$ <B>");
        let done = Event::CommandDone { status: Some(3) };
        assert_eq!(events, [done, Event::PromptStart, Event::PromptEnd]);
        assert_eq!((remote.label(), remote.epoch()), (Label::Prompt, 3));
    }

    #[test]
    fn a_prompt_drawn_again_changes_nothing() {
        let mut remote = remote();
        feed(&mut remote, "<H;zsh;5.9;/dev/pts/3;77;check><D;0><A>12:00 $ <B>");
        let epoch = remote.epoch();
        assert_eq!(feed(&mut remote, "\r<A>12:01 $ <B>"), []);
        assert_eq!((remote.epoch(), remote.prompt()), (epoch, b"12:01 $ ".as_slice()));
    }

    #[test]
    fn only_the_first_hello_counts_and_its_terminal_must_be_one() {
        let mut remote = remote();
        feed(&mut remote, "<H;sh;;/dev/pts/3;id;7;echo>");
        assert_eq!(remote.hello().unwrap().pid, None);
        assert_eq!(feed(&mut remote, "<H;bash;5;/dev/pts/3;7;check>"), []);
        assert_eq!(remote.hello().unwrap().shell, "sh");
        let mut remote = self::remote();
        feed(&mut remote, "<H;sh;;/dev/pts/$(id);7;echo>");
        assert_eq!(remote.hello().unwrap().tty, None);
    }

    #[test]
    fn without_hello_nothing_is_verified_until_it_comes() {
        let mut remote = remote();
        remote.give_up();
        remote.accepted();
        assert_eq!(remote.label(), Label::Unverified);
        feed(&mut remote, "<H;dash;;/dev/pts/3;7;echo><A>$ <B>");
        assert_eq!(remote.label(), Label::Prompt);
        remote.give_up();
        assert_eq!(remote.label(), Label::Prompt);
    }

    #[test]
    fn another_foreground_program_is_another_epoch() {
        let mut remote = remote();
        let probe = Probe { foreground: Some("psql".to_owned()), ..Probe::default() };
        remote.probed(&probe);
        assert_eq!((remote.epoch(), remote.foreground()), (1, Some("psql")));
        remote.probed(&probe);
        assert_eq!(remote.epoch(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut remote = remote();
        feed(&mut remote, "<A>");
        for _ in 0..100 {
            feed(&mut remote, &"x".repeat(1_000));
        }
        assert!(remote.prompt().len() <= LONGEST_PROMPT && remote.tail.len() <= LONGEST_TAIL);
        feed(&mut remote, "\r50%\rname: ");
        assert_eq!(remote.tail, b"name: ");
    }
}
