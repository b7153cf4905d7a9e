//! A terminal session as a person sees it: keys go in, a screen comes out. Through the gate or,
//! to compare, straight to the same server.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::trial::Trial;

/// A test that waits longer than this fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
const COLS: usize = 80;
/// More rows than any one line of a test draws, so that nothing scrolls away.
const ROWS: usize = 300;

/// The emulated screen, fed as output comes.
pub struct Screen {
    terminal: avt::Terminal,
    partial: Vec<u8>,
}

impl Screen {
    fn new(before: &str) -> Self {
        let mut terminal = avt::Terminal::new(COLS, ROWS).unwrap();
        terminal.feed(before);
        Self { terminal, partial: Vec::new() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.partial);
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.terminal.feed(String::from_utf8_lossy(&all[..whole]).as_ref());
        self.partial = all[whole..].to_vec();
    }

    /// What is on it, row by row, down to the cursor at least.
    pub fn rows(&self) -> Vec<String> {
        let cursor = self.terminal.cursor().row;
        let rows = self.terminal.screen();
        let mut rows: Vec<String> =
            rows.visible_lines().map(|line| line.text().trim_end().to_owned()).collect();
        let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
        rows.truncate(used.max(cursor + 1));
        rows
    }

    /// The row above the cursor: where a prompt stands that fills its row.
    pub fn above_cursor(&self) -> String {
        let at = self.terminal.cursor().row.checked_sub(1);
        let row = at.and_then(|at| self.terminal.screen().visible_lines().nth(at));
        row.map(|row| row.text()).unwrap_or_default()
    }

    /// The row of the cursor up to the cursor.
    pub fn before_cursor(&self) -> String {
        let cursor = self.terminal.cursor();
        let screen = self.terminal.screen();
        let row = screen.visible_lines().nth(cursor.row);
        let cells = row.map(|row| row.cells().iter().take(cursor.col).copied().collect());
        let cells: Vec<avt::Cell> = cells.unwrap_or_default();
        cells.iter().filter(|cell| cell.width() > 0).map(avt::Cell::char).collect()
    }
}

pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    screen: Arc<Mutex<Screen>>,
    /// Bytes seen so far, and whether there will be more.
    news: watch::Receiver<(usize, bool)>,
}

impl Session {
    /// Through the gate.
    pub fn gated(trial: &Trial) -> Self {
        Self::start(trial.ssh(&["-tt", "-e", "none", "target"]))
    }

    /// Straight to the server.
    pub fn direct(trial: &Trial, command_line: &str) -> Self {
        let mut command = Command::new("ssh");
        command
            .args(["-F/dev/null", "-tt", "-e", "none", "-oBatchMode=yes", "-oLogLevel=ERROR"])
            .arg(format!("-oUserKnownHostsFile={}", trial.path("known_hosts").display()))
            .args(["-oGlobalKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=yes"])
            .args(["-oIdentitiesOnly=yes", "-oIdentityAgent=none"])
            .arg(format!("-oIdentityFile={}", trial.path("id").display()))
            .arg(format!("-p{}", trial.sshd.port))
            .arg(format!("{}@127.0.0.1", crate::trial::user()))
            .arg(command_line)
            .env_remove("SSH_AUTH_SOCK")
            .kill_on_drop(true);
        Self::start(command)
    }

    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut stdout = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(Screen::new("")));
        let (out, news) = watch::channel((0, true));
        let drawing = Arc::clone(&screen);
        tokio::spawn(async move {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = stdout.read(&mut piece).await {
                drawing.lock().unwrap().feed(&piece[..n]);
                out.send_modify(|(all, _)| *all += n);
            }
            out.send_modify(|(_, open)| *open = false);
        });
        Self { child, stdin, screen, news }
    }

    pub async fn type_in(&mut self, keys: impl AsRef<[u8]>) {
        // A session that has ended takes no keys; the test sees that in what it waits for.
        self.stdin.as_mut().unwrap().write_all(keys.as_ref()).await.ok();
    }

    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().rows().join("\n")
    }

    /// An empty screen but for this.
    pub fn wipe(&self, before: &str) {
        *self.screen.lock().unwrap() = Screen::new(before);
    }

    /// Waits for a screen that `f` finds something on; `Err` with the screen when none comes.
    pub async fn until<T>(&self, f: impl Fn(&Screen) -> Option<T>) -> Result<T, String> {
        let mut news = self.news.clone();
        let waiting = async {
            loop {
                let open = news.borrow_and_update().1;
                if let Some(found) = f(&self.screen.lock().unwrap()) {
                    return Some(found);
                }
                if !open || news.changed().await.is_err() {
                    return None;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await.ok().flatten();
        found.ok_or_else(|| {
            let screen = self.screen();
            let rows: Vec<&str> = screen.lines().collect();
            rows[rows.len().saturating_sub(30)..].join("\n")
        })
    }

    pub async fn sees(&self, what: &str) {
        let found = self.until(|s| s.rows().join("\n").contains(what).then_some(())).await;
        if let Err(screen) = found {
            panic!("no {what:?} in:\n{screen}");
        }
    }

    /// Waits until the cursor stands behind this, at the end of everything.
    pub async fn rests_at(&self, prompt: &str) {
        let rests = |s: &Screen| {
            let before = s.before_cursor();
            let at_end = || s.rows().last().is_some_and(|row| row == before.trim_end());
            (before.ends_with(prompt) && at_end()).then_some(())
        };
        if let Err(screen) = self.until(rests).await {
            panic!("no prompt {prompt:?} at the end of:\n{screen}");
        }
    }

    /// Hangs up.
    pub async fn leave(mut self) {
        self.child.kill().await.ok();
    }

    /// Waits until it ends by itself.
    pub async fn exit_status(mut self) -> i32 {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("ssh ends").unwrap().code().unwrap_or(-1)
    }
}
