//! Follows the remote side through its markers. It must never send anything. Whoever knows the
//! nonce can make it say anything, so what it says is for the reviewer only.

use super::delivery::Delivery;
use super::event::{Event, Hello, LastStatus, Phase};
use super::marker::Marker;
use super::nonce::Nonce;
use super::probe::Probe;
use super::scan::{Scanner, Token};
use super::undeliverable::Undeliverable;

/// How much of a prompt is kept, in bytes.
const LONGEST_PROMPT: usize = 8 * 1024;
/// How much of the current row of output is kept, in bytes, to compare an echo with it.
const LONGEST_ROW: usize = 4 * 1024;

/// The remote side of one interactive session.
#[derive(Debug)]
pub struct Remote {
    scanner: Scanner,
    tokens: Vec<Token>,
    phase: Phase,
    epoch: u64,
    hello: Option<Hello>,
    cwd: Option<String>,
    /// The terminal, where it is known otherwise.
    tty: Option<String>,
    foreground: Option<String>,
    prompt: Vec<u8>,
    in_prompt: bool,
    /// The shell's line editor is active: a prompt that comes now is the old one, drawn again.
    editing: bool,
    last_status: LastStatus,
    /// The shell's hook ran before this prompt, and bound the check key again.
    hook_ran: bool,
    /// The output since the last newline.
    current_row: Vec<u8>,
    /// A line was interrupted, and nothing shows yet that its reader has dropped it.
    line_left_over: bool,
    /// The shell promised to answer the check key, and did not.
    ignores_check_key: bool,
    cols: u16,
}

impl Remote {
    /// A session whose shell is started with [`start_command`](super::start_command), on a
    /// terminal of this width.
    pub fn new(nonce: Nonce, cols: u16) -> Self {
        Self {
            scanner: Scanner::new(&nonce),
            tokens: Vec::new(),
            phase: Phase::Boot,
            epoch: 0,
            hello: None,
            cwd: None,
            tty: None,
            foreground: None,
            prompt: Vec::new(),
            in_prompt: false,
            editing: false,
            last_status: LastStatus::NotReported,
            hook_ran: false,
            current_row: Vec::new(),
            line_left_over: false,
            ignores_check_key: false,
            cols: cols.max(1),
        }
    }

    /// A session in which a command runs, and no shell says what it does.
    pub fn of_command(nonce: Nonce, cols: u16) -> Self {
        Self { phase: Phase::Running, ..Self::new(nonce, cols) }
    }

    /// The terminal is this one.
    pub fn found_tty(&mut self, tty: String) {
        self.tty = Some(tty);
    }

    /// Takes what the target sent, split anywhere, and appends the events.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let mut tokens = std::mem::take(&mut self.tokens);
        self.scanner.feed(bytes, &mut tokens);
        for token in tokens.drain(..) {
            self.token(token, out);
        }
        self.tokens = tokens;
    }

    /// The target's output has ended: returns what was held back as the possible beginning of a
    /// marker.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let mut tokens = Vec::new();
        self.scanner.finish(&mut tokens);
        for token in tokens {
            self.token(token, out);
        }
    }

    /// What the remote side is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Counts the changes of phase and foreground program: an approval given in one epoch does not
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

    /// The terminal that a probe may ask about, once the shell has said which it is.
    pub fn tty(&self) -> Option<&str> {
        match self.hello() {
            Some(hello) => hello.tty.as_deref(),
            None => self.tty.as_deref(),
        }
    }

    /// How the last command ended, as far as the shell has said so without a prompt after it.
    pub fn last_status(&self) -> LastStatus {
        self.last_status
    }

    /// The shell's directory as of its last prompt.
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// The foreground program as of the last probe.
    pub fn foreground(&self) -> Option<&str> {
        self.foreground.as_deref()
    }

    /// The terminal has another width.
    pub fn resize(&mut self, cols: u16) {
        self.cols = cols.max(1);
    }

    /// No hello came in time, or no prompt after it. Should they come later, the next prompt is
    /// verified again.
    pub fn give_up(&mut self) {
        if self.phase == Phase::Boot {
            self.set(Phase::Unverified);
        }
    }

    /// The shell did not answer the check key. Until it does, a line is delivered to it by its
    /// echo, as to a shell that cannot be asked.
    pub fn check_key_unanswered(&mut self) {
        self.ignores_check_key = true;
    }

    /// Whether the shell should have answered the check key and did not.
    pub fn ignores_check_key(&self) -> bool {
        self.ignores_check_key
    }

    /// Whether the shell reports its edit buffer, so far as it has been asked.
    fn reports_buffer(&self) -> bool {
        !self.ignores_check_key && self.hello.as_ref().is_some_and(|hello| hello.reports_buffer)
    }

    /// Whether the provisioned shell has no line editor that reports its buffer: it reads lines as
    /// the terminal passes them on, and only its prompt tells that it reads.
    pub fn reads_plain_lines(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| !hello.reports_buffer)
    }

    /// Return was sent: the shell no longer reads at its prompt.
    pub fn accepted(&mut self) {
        self.hook_ran = false;
        if self.phase != Phase::Unverified {
            self.set(Phase::Running);
        }
    }

    /// `^C` was sent: until the shell shows a prompt, whatever it says belongs to what came before.
    pub fn interrupted(&mut self) {
        self.accepted();
        self.line_left_over = true;
        // fish stays in its editor after `^C` and shows a new prompt there. Without this it would
        // pass for the old prompt drawn again.
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

    /// How to deliver an approved line to a shell that reads commands: checked by the shell's own
    /// report at a verified prompt, otherwise by its echo. `own_shell`: it is the provisioned
    /// shell that reads, though no marker says so.
    pub fn delivery(&self, line: &[u8], own_shell: bool) -> Result<Delivery, Undeliverable> {
        let at_prompt = self.phase.is_prompt();
        if self.reports_buffer() && at_prompt {
            Delivery::verified(line, self.phase == Phase::Continuation, !self.hook_ran)
        } else if self.line_left_over {
            // An echo shows only what was added: it cannot tell that something stood there before.
            Err(Undeliverable::Leftover)
        } else {
            let expands = match &self.hello {
                Some(hello) if own_shell || at_prompt => {
                    !matches!(hello.shell.as_str(), "ash" | "dash" | "mksh")
                }
                _ => true,
            };
            let delivery = Delivery::unverified(line, self.cols, &self.current_row, expands)?;
            // The terminal, or the shell's own editor, may still hold what was typed under a grant.
            let plain = self.reads_plain_lines() && (own_shell || at_prompt);
            Ok(if plain { delivery.clearing_first() } else { delivery })
        }
    }

    fn token(&mut self, token: Token, out: &mut Vec<Event>) {
        match token {
            Token::Marker(payload) => {
                if let Some(marker) = Marker::parse(&payload) {
                    self.marker(marker, out);
                }
            }
            Token::Mode { number: 2004, on } => {
                self.editing &= on;
                out.push(Event::PasteMode(on));
            }
            Token::Mode { number: 47 | 1047 | 1049, on } => {
                out.push(Event::AltScreen(on));
            }
            Token::Mode { .. } => {}
            Token::Output(bytes) => {
                self.keep(&bytes);
                out.push(Event::Output(bytes));
            }
        }
    }

    /// Remembers the prompt and the current row of the output.
    fn keep(&mut self, bytes: &[u8]) {
        if self.in_prompt {
            let room = LONGEST_PROMPT.saturating_sub(self.prompt.len()).min(bytes.len());
            self.prompt.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        let line = match bytes.iter().rposition(|b| *b == b'\n') {
            Some(newline) => {
                self.current_row.clear();
                self.line_left_over = false;
                bytes.get(newline + 1..).unwrap_or_default()
            }
            None => bytes,
        };
        self.current_row.extend_from_slice(line);
        if self.current_row.len() > LONGEST_ROW {
            // A row drawn over and over, such as a progress bar.
            let from = self.current_row.iter().rposition(|b| *b == b'\r').map_or(0, |at| at + 1);
            self.current_row.drain(..from);
            self.current_row.truncate(LONGEST_ROW);
        }
    }

    fn marker(&mut self, marker: Marker, out: &mut Vec<Event>) {
        match marker {
            Marker::PromptStart => self.prompt_started(out),
            Marker::PromptEnd => self.end_prompt(Phase::Prompt, Event::PromptEnd, out),
            Marker::ContinuationStart => self.start_prompt(),
            Marker::ContinuationEnd => {
                self.end_prompt(Phase::Continuation, Event::ContinuationPrompt, out);
            }
            Marker::CommandStart => {
                self.editing = false;
                self.last_status = LastStatus::NotReported;
                self.set(Phase::Running);
                out.push(Event::CommandStart);
            }
            Marker::CommandEnd { status, hook_ran } => {
                self.editing = false;
                self.hook_ran = hook_ran;
                self.last_status = LastStatus::Reported { status };
            }
            Marker::NoPromptMarkers => {
                if self.phase == Phase::Boot {
                    self.set(Phase::Unverified);
                }
            }
            Marker::Hello(hello) => self.greeted(hello, out),
            Marker::Check(check) => {
                self.ignores_check_key = false;
                out.push(Event::Check(check));
            }
            Marker::Directory(cwd) => {
                self.cwd = Some(cwd.clone());
                out.push(Event::Cwd(cwd));
            }
        }
    }

    fn prompt_started(&mut self, out: &mut Vec<Event>) {
        self.start_prompt();
        if self.drawn_again() {
            return;
        }
        let ended = std::mem::take(&mut self.last_status);
        if self.phase == Phase::Running {
            out.push(Event::CommandDone { status: ended.status() });
        }
        out.push(Event::PromptStart);
    }

    fn greeted(&mut self, hello: Hello, out: &mut Vec<Event>) {
        // Only the first one counts: a program that has learnt the nonce must not move the probe
        // to another terminal.
        if self.hello.is_some() {
            return;
        }
        self.hello = Some(hello.clone());
        if self.phase == Phase::Unverified {
            self.set(Phase::Boot);
        }
        out.push(Event::Hello(hello));
    }

    fn start_prompt(&mut self) {
        self.prompt.clear();
        self.in_prompt = true;
    }

    fn end_prompt(&mut self, phase: Phase, event: Event, out: &mut Vec<Event>) {
        self.in_prompt = false;
        if self.drawn_again() {
            return;
        }
        self.editing = self.reports_buffer();
        self.set(phase);
        out.push(event);
    }

    /// Whether a prompt that comes now is the old one, drawn again: bash does so after the check
    /// key, even when Return has been sent meanwhile. fish shows a new one after `^C` without
    /// leaving its editor.
    fn drawn_again(&self) -> bool {
        self.editing && (self.phase == Phase::Running || !self.is_fish())
    }

    fn is_fish(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.shell == "fish")
    }

    fn set(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.epoch += 1;
            if phase != Phase::Running {
                self.foreground = None;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::remote::event::Check;

    fn remote() -> Remote {
        Remote::new(Nonce::new([7; 16]), 80)
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
    fn a_command_runs_from_prompt_to_prompt() {
        let mut remote = remote();
        feed(&mut remote, "<H;bash;5.2;/dev/pts/3;77;check>motd\r\n");
        assert_eq!((remote.phase(), remote.epoch()), (Phase::Boot, 0));
        let events = feed(&mut remote, "<D;0><W;/a%20b>\x1b[?2004h<A>$ <B>");
        let expected = [
            Event::Cwd("/a b".to_owned()),
            Event::PasteMode(true),
            Event::PromptStart,
            Event::PromptEnd,
        ];
        assert_eq!(events, expected);
        assert_eq!((remote.phase(), remote.prompt()), (Phase::Prompt, b"$ ".as_slice()));
        assert_eq!((remote.cwd(), remote.epoch()), (Some("/a b"), 1));

        let check = Check { buffer: b"a\n\tb".to_vec(), utf8: true, ..Check::default() };
        let events = feed(&mut remote, "<K;-U;a\x1e\x1fb>");
        assert_eq!(events, [Event::Check(check)]);
        remote.accepted();
        // bash draws its prompt again after the check key.
        assert_eq!(feed(&mut remote, "<A>$ <B>a"), []);
        assert_eq!((remote.phase(), remote.epoch()), (Phase::Running, 2));
        let events = feed(&mut remote, "\r\n\x1b[?2004l\r<C>out\r\n");
        assert_eq!(events, [Event::PasteMode(false), Event::CommandStart]);
        let events = feed(&mut remote, "<D;3><A>$ <B>");
        let done = Event::CommandDone { status: Some(3) };
        assert_eq!(events, [done, Event::PromptStart, Event::PromptEnd]);
        assert_eq!((remote.phase(), remote.epoch()), (Phase::Prompt, 3));
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
        assert_eq!(remote.phase(), Phase::Unverified);
        feed(&mut remote, "<H;dash;;/dev/pts/3;7;echo><A>$ <B>");
        assert_eq!(remote.phase(), Phase::Prompt);
        remote.give_up();
        assert_eq!(remote.phase(), Phase::Prompt);
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
        assert!(remote.prompt().len() <= LONGEST_PROMPT && remote.current_row.len() <= LONGEST_ROW);
        feed(&mut remote, "\r50%\rname: ");
        assert_eq!(remote.current_row, b"name: ");
    }
}
