//! Has `ssh-keygen` sign with a security key, which asks for the touch itself.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// Runs `ssh-keygen -Y sign`. Dropping the future kills it, with the helper that talks to the key.
pub(super) async fn sign(
    key: &Path,
    provider: Option<&Path>,
    namespace: &str,
    message: &[u8],
) -> Result<String, String> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", namespace]).arg("-f").arg(key);
    if let Some(provider) = provider {
        command.arg("-w").arg(provider);
    }
    // A PIN is asked for by SSH_ASKPASS, if at all: the terminal belongs to a screen.
    command.env("SSH_ASKPASS_REQUIRE", "force");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run it: {error}; install OpenSSH's client"))?;
    let group = Group::of(&child);
    let input = child.stdin.take();
    let feed = async {
        // What it does not read, it does not sign: its exit code tells.
        if let Some(mut input) = input {
            let _ = input.write_all(message).await;
        }
    };
    let wait = async {
        let output = child.wait_with_output();
        // Is dropped first: the number is that of the group as long as its leader is not waited for.
        let group = group;
        let output = output.await;
        group.ended();
        output
    };
    let ((), output) = tokio::join!(feed, wait);
    let output = output.map_err(|error| format!("it was lost: {error}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|_| "it wrote no text".to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut lines = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.next_back().unwrap_or("it said nothing");
    Err(format!(
        "{}; plug the security key in, and touch it when it blinks; one that asks for a PIN needs an \
         ssh-agent (ssh-add {}) or SSH_ASKPASS",
        last.escape_debug(),
        key.display()
    ))
}

/// A group of processes that is killed unless it ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
