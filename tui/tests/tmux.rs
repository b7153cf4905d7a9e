//! The reviewer's screen in a real terminal: tmux, with a broker of our own on a Unix socket.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use expacti_protocol::client::Endpoint;
use support::broker::FakeBroker;

const SOCKET: &str = "EXPACTI_TUI_TEST_SOCKET";

/// Not a test of its own: what the tests below run inside tmux.
#[test]
fn screen() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut options = expacti_tui::ReviewOptions::new(Endpoint::unix(PathBuf::from(socket)));
    options.notify = false;
    let result = runtime.block_on(expacti_tui::review(options));
    match result {
        Ok(()) => println!("REVIEW ENDED WELL"),
        Err(error) => println!("REVIEW ENDED BADLY: {error:#}"),
    }
}

struct Terminal {
    dir: tempfile::TempDir,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

impl Terminal {
    /// A shell in a pane, running the screen.
    fn start(cols: u16, rows: u16) -> (Self, FakeBroker) {
        // Nothing is said to a broker in a directory that others may enter.
        let only_own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(only_own).tempdir().unwrap();
        let terminal = Self { dir };
        let socket = terminal.dir.path().join("broker.sock");
        let broker = FakeBroker::listen(&socket);
        let (cols, rows) = (cols.to_string(), rows.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &cols, "-y", &rows, "sh"]);
        let me = std::env::current_exe().unwrap();
        let line = format!(
            "PS1='shell: '; {SOCKET}={} {} screen --exact --nocapture",
            quoted(&socket),
            quoted(&me)
        );
        terminal.keys(&["-l", &line]);
        terminal.keys(&["Enter"]);
        (terminal, broker)
    }

    fn tmux(&self, args: &[&str]) -> String {
        let out = Command::new("tmux")
            .arg("-S")
            .arg(self.dir.path().join("tmux.sock"))
            .args(["-f", "/dev/null"])
            .args(args)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("tmux is installed");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        let args: Vec<&str> = ["send-keys"].iter().chain(keys).copied().collect();
        self.tmux(&args);
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as it should be.
    fn wait(&self, what: &str, right: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let text = self.text();
            if right(&text) {
                return text;
            }
            assert!(Instant::now() < end, "waited for {what}, but the screen is\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for(&self, part: &str) -> String {
        self.wait(part, |text| text.contains(part))
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn now_ms() -> i64 {
    expacti_protocol::now_micros() / 1000
}

fn request(id: &str, command: &str, score: u8) -> expacti_protocol::command::CommandView {
    let web = support::session("7c1a", "fixbot", "web-1");
    let mut view = support::request(id, &web, command, score, 60);
    view.deadline_ms = now_ms() + 60_000;
    view.timestamp = now_ms() / 1000;
    view
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_deny_comment_and_quit() {
    let (t, broker) = Terminal::start(120, 35);
    t.wait_for("Nothing to review");
    broker.add(request("0001", "uptime", 5));
    t.wait_for("a allow");
    t.keys(&["a"]);
    t.wait_for("✓ ok");
    broker.add(request("0002", "rm -rf /srv/cache", 60));
    t.wait_for("Request 0002");
    t.wait_for("a allow");
    t.keys(&["a"]);
    t.wait_for("press y to allow");
    t.keys(&["y"]);
    t.wait_for("held");
    t.keys(&["u"]);
    t.wait_for("taken back");
    t.keys(&["D"]);
    t.wait_for("what to tell the agent");
    t.keys(&["-l", "use logrotate"]);
    t.keys(&["Enter"]);
    t.wait_for("✗ denied");
    let sent: Vec<(String, bool, Option<String>)> = broker
        .state
        .lock()
        .unwrap()
        .decisions
        .iter()
        .map(|d| (d.id.short().to_owned(), d.allow, d.comment.clone()))
        .collect();
    assert_eq!(
        sent,
        [
            ("0001".to_owned(), true, None),
            ("0002".to_owned(), false, Some("use logrotate".to_owned()))
        ]
    );
    t.keys(&["q"]);
    let text = t.wait_for("REVIEW ENDED WELL");
    assert!(!text.contains("Queue"), "the shell's own screen is back:\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_freezes_and_comes_back() {
    let (t, broker) = Terminal::start(80, 24);
    broker.add(request("0001", "uptime", 5));
    t.wait_for("a allow");
    broker.disconnect_all();
    t.wait_for("DISCONNECTED");
    t.wait("the connection", |text| !text.contains("DISCONNECTED") && text.contains("a allow"));
    t.keys(&["a"]);
    t.wait_for("✓ ok");
    assert_eq!(broker.state.lock().unwrap().decisions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspend_resume_resize_and_signals() {
    let (t, broker) = Terminal::start(100, 30);
    broker.add(request("0001", "uptime", 5));
    t.wait_for("Request 0001");
    t.keys(&["C-z"]);
    t.wait("the shell", |text| {
        text.contains("Stopped") && text.lines().any(|l| l.starts_with("shell:"))
    });
    t.keys(&["-l", "echo cooked $((40+2))"]);
    t.keys(&["Enter"]);
    t.wait_for("cooked 42");
    t.keys(&["-l", "fg"]);
    t.keys(&["Enter"]);
    t.wait_for("Request 0001");
    t.keys(&["C-l"]);
    t.wait_for("a allow");
    t.tmux(&["resize-window", "-x", "40", "-y", "12"]);
    t.wait("one card", |text| text.contains("d deny") && !text.contains("Sessions"));
    t.tmux(&["resize-window", "-x", "120", "-y", "35"]);
    t.wait_for("Sessions");
    // TERM restores the terminal, too.
    let pane = t.tmux(&["list-panes", "-F", "#{pane_pid}"]);
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", pane.trim()]).output().unwrap();
    let pid = String::from_utf8_lossy(&children.stdout).trim().to_owned();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    t.wait_for("REVIEW ENDED WELL");
    // What is typed before the shell is back is echoed among what the program still prints.
    t.wait("the prompt", |text| text.trim_end().ends_with("shell:"));
    t.keys(&["-l", "stty -a | grep -o ' icanon'"]);
    t.keys(&["Enter"]);
    t.wait("a cooked terminal", |text| text.lines().any(|l| l.trim() == "icanon"));
}
