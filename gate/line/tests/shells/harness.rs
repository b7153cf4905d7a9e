//! A real shell on a pseudo-terminal, driven as the gate drives it. Every wait ends at a deadline,
//! and the shell is killed however a test ends.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use expacti_line::remote::{
    AbortReason, Delivery, Event, Nonce, Phase, Remote, Step, start_command,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Aborted(AbortReason),
}

pub(crate) struct Shell {
    pub(crate) remote: Remote,
    pub(crate) home: tempfile::TempDir,
    pub(crate) events: Vec<Event>,
    /// What an agent would see.
    pub(crate) screen: Vec<u8>,
    /// Everything the shell sent.
    pub(crate) raw: Vec<u8>,
    delivery: Option<Delivery>,
    item: Option<Vec<u8>>,
    outcome: Option<Outcome>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

fn find(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
}

/// busybox under the name by which accounts have it as their shell.
fn ash() -> Option<PathBuf> {
    let link = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ash");
    let _ = std::os::unix::fs::symlink(find("busybox")?, &link);
    link.exists().then_some(link)
}

/// The shell's path; without it the test goes on to the next shell, or is skipped.
pub(crate) fn shell_or_skip(name: &str) -> Option<PathBuf> {
    let path = if name == "ash" { ash() } else { find(name) };
    if path.is_none() {
        let program = match name {
            "ash" => "busybox",
            "ksh" => "ksh93",
            _ => name,
        };
        assert!(!["bash", "zsh", "dash"].contains(&name), "{name} is required for these tests");
        let remedy = expacti_harness::prerequisites::install(program);
        expacti_harness::prerequisites::missing(name, &remedy);
    }
    path
}

pub(crate) struct Start {
    pub(crate) path: PathBuf,
    pub(crate) cols: u16,
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) rewrites: Vec<(&'static str, String)>,
}

impl Start {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            cols: 80,
            files: Vec::new(),
            env: Vec::new(),
            rewrites: Vec::new(),
        }
    }

    pub(crate) fn file(mut self, name: &'static str, content: &str) -> Self {
        self.files.push((name, content.to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Another start command, to play a host that is not this one.
    pub(crate) fn rewrite(mut self, from: &'static str, to: &str) -> Self {
        self.rewrites.push((from, to.to_owned()));
        self
    }

    pub(crate) fn cols(mut self, cols: u16) -> Self {
        self.cols = cols;
        self
    }

    /// As sshd runs an exec request: `$SHELL -c command`.
    pub(crate) fn start(self) -> Shell {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".hushlogin"), "").unwrap();
        for (name, content) in &self.files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let nonce = Nonce::new([0x5a; 16]);
        let size = PtySize { rows: 24, cols: self.cols, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(&self.path);
        let mut start = start_command(&nonce);
        for (from, to) in &self.rewrites {
            assert!(start.contains(from));
            start = start.replace(from, to);
        }
        command.args(["-c", &start]);
        command.env_clear();
        command.env("SHELL", &self.path);
        command.env("HOME", home.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.cwd(home.path());
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let writer = pty.master.take_writer().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Shell {
            remote: Remote::new(nonce, self.cols),
            home,
            events: Vec::new(),
            screen: Vec::new(),
            raw: Vec::new(),
            delivery: None,
            item: None,
            outcome: None,
            writer,
            output,
            child,
            _master: pty.master,
        }
    }

    /// Started and at its first prompt.
    pub(crate) fn at_prompt(self) -> Shell {
        let mut shell = self.at_prompt_keeping_the_screen();
        shell.screen.clear();
        shell
    }

    pub(crate) fn at_prompt_keeping_the_screen(self) -> Shell {
        let mut shell = self.start();
        shell.until("the first prompt", Shell::at_verified_prompt);
        shell
    }
}

impl Shell {
    /// At root's or a user's default prompt of a shell that was not set up.
    pub(crate) fn at_some_prompt(&self) -> bool {
        let end = String::from_utf8_lossy(&self.raw[self.raw.len().saturating_sub(40)..]);
        ["# ", "$ ", "% "].iter().any(|prompt| end.contains(prompt)) && !end.contains('\n')
    }

    pub(crate) fn at_continuation(&self) -> bool {
        self.remote.phase() == Phase::Continuation
    }

    pub(crate) fn at_verified_prompt(&self) -> bool {
        self.remote.phase() == Phase::Prompt
    }

    /// Takes output until the condition holds.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            // The condition may be about a file, of which no output tells.
            self.read(Instant::now() + Duration::from_millis(20));
            assert!(Instant::now() < deadline, "no {what}: {}", self.shown());
        }
    }

    /// Whether something came before the deadline.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(left) {
            Ok(bytes) => {
                self.take(&bytes);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let mut events = Vec::new();
        self.remote.feed(bytes, &mut events);
        for event in events {
            match self.delivery.as_mut() {
                Some(delivery) => {
                    let steps = delivery.on(&event);
                    self.steps(steps);
                }
                None => {
                    if let Event::Output(bytes) = &event {
                        self.screen.extend_from_slice(bytes);
                    }
                }
            }
            self.events.push(event);
        }
    }

    fn steps(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Const(what) => self.write(what.bytes()),
                Step::Item => {
                    let line = self.item.take().expect("the item is due once");
                    self.write(&line);
                }
                Step::Show(bytes) => self.screen.extend_from_slice(&bytes),
                Step::Accepted => {
                    self.remote.accepted();
                    self.outcome = Some(Outcome::Accepted);
                }
                Step::Aborted(why) => {
                    self.remote.interrupted();
                    self.outcome = Some(Outcome::Aborted(why));
                }
                Step::Wait => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types what no gate would.
    pub(crate) fn type_raw(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// Delivers a line at the next prompt.
    pub(crate) fn outcome_of(&mut self, line: &str) -> Outcome {
        self.until("a prompt to deliver to", Self::at_verified_prompt);
        self.deliver(line)
    }

    /// Delivers a line as the gate would and says what became of it, once the shell's echo is
    /// over.
    pub(crate) fn deliver(&mut self, line: &str) -> Outcome {
        let mut delivery = self.remote.delivery(line.as_bytes(), false).unwrap();
        self.item = Some(line.as_bytes().to_vec());
        self.outcome = None;
        let steps = delivery.start();
        self.delivery = Some(delivery);
        self.steps(steps);
        let mut deadline = Instant::now() + Duration::from_millis(Delivery::TIMEOUT_MS);
        while !self.delivery.as_ref().unwrap().is_done() {
            let before = self.outcome.clone();
            if !self.read(deadline) {
                let steps = self.delivery.as_mut().unwrap().timeout();
                self.steps(steps);
                deadline = Instant::now() + Duration::from_millis(Delivery::TIMEOUT_MS);
            }
            if before != self.outcome {
                deadline = Instant::now() + Duration::from_millis(Delivery::TIMEOUT_MS);
            }
        }
        self.delivery = None;
        self.outcome.clone().unwrap()
    }

    /// Delivers a line, which must be accepted, and waits for the next prompt. Gives what the
    /// agent saw in between, the prompt included.
    pub(crate) fn run(&mut self, line: &str) -> String {
        self.screen.clear();
        let prompts = self.prompts();
        let outcome = self.deliver(line);
        assert_eq!(outcome, Outcome::Accepted, "{line:?}: {}", self.shown());
        self.until("prompt after the command", |shell| shell.prompts() > prompts);
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    /// How often a command has come to an end.
    fn prompts(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::CommandDone { .. })).count()
            * usize::from(self.remote.phase() == Phase::Prompt)
    }

    pub(crate) fn status(&self) -> Option<u32> {
        self.events.iter().rev().find_map(|event| match event {
            Event::CommandDone { status } => Some(*status),
            _ => None,
        })?
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.home.path().join(name).exists()
    }

    pub(crate) fn content(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    pub(crate) fn wait_for_file(&mut self, name: &str) {
        let path = self.home.path().join(name);
        self.until(name, |_| path.exists());
    }

    /// Waits until the shell has ended, and gives its status.
    pub(crate) fn ended(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline) {}
        self.child.wait().unwrap().exit_code()
    }

    pub(crate) fn shown(&self) -> String {
        format!(
            "phase {:?}, sent {:?}",
            self.remote.phase(),
            String::from_utf8_lossy(&self.raw[self.raw.len().saturating_sub(3000)..])
        )
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
