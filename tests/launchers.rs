//! Every way in which a wrapped program may start a client: each is held, and nothing runs before.
//! One table, as an ordinary user; the target's marker is the evidence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Ordinary, Run, ordinary, prerequisites};

/// The statuses of a launcher whose command was denied.
#[derive(Debug, Clone, Copy)]
enum Denied {
    /// The client's own, passed on.
    Same,
    /// Another one that is not 0.
    Fails,
    /// Any: the launcher does not look at it.
    Any,
}

/// What one launcher runs, given the world, a command for the target and the marker's path.
type Argv = fn(&Ordinary, &str, &str) -> Result<Vec<String>>;

/// One row: allowed it runs once it is allowed, denied it never does.
fn held(t: &Ordinary, denied: Denied, argv: Argv) -> Result<()> {
    let start = |name: &str| -> Result<(expacti_harness::Marker, Run)> {
        let marker = t.marker(name);
        let path = marker.path().display().to_string();
        let argv = argv(t, &format!("touch {path}"), &path)?;
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        Ok((marker, t.wrap(&words).spawn()?))
    };

    let (marker, mut run) = start("allowed")?;
    let waiting = held_or_said(t, run, &marker)?;
    run = waiting;
    t.decide_all(&mut run, "allow")?;
    let outcome = run.wait()?;
    outcome.expect_code(0)?;
    ensure!(marker.exists(), "it was allowed and did not run: {}", outcome.describe());

    let (marker, run) = start("denied")?;
    let mut run = held_or_said(t, run, &marker)?;
    t.decide_all(&mut run, "deny")?;
    let outcome = run.wait()?;
    ensure!(!marker.exists(), "it was denied and ran: {}", outcome.describe());
    match denied {
        Denied::Same => outcome.expect_code(77).map(drop),
        Denied::Fails => {
            ensure!(outcome.code() != 0, "expected a failure: {}", outcome.describe());
            Ok(())
        }
        Denied::Any => Ok(()),
    }
}

/// Waits until something is held, and requires that nothing ran before; says how it ended instead.
fn held_or_said(t: &Ordinary, mut run: Run, marker: &expacti_harness::Marker) -> Result<Run> {
    match t.wait_pending(&mut run) {
        Ok(held) => {
            ensure!(!marker.exists(), "{:?} ran before it was decided", held.command);
            Ok(run)
        }
        Err(error) => {
            let ran = if marker.exists() { "ran undecided" } else { "did not run" };
            let said = if run.running()? { String::new() } else { run.wait()?.describe() };
            Err(error).with_context(|| format!("the command {ran}: {said}"))
        }
    }
}

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

/// Rows of the table: a test's name, what it needs, the status of a denied one, and the program.
macro_rules! launchers {
    ($($name:ident [$($need:literal),*] $denied:ident, $argv:expr;)*) => {$(
        #[test]
        fn $name() -> Result<()> {
            $(if !there($need) { return Ok(()); })*
            held(&ordinary!(), Denied::$denied, $argv)
        }
    )*};
}

/// Whether a prerequisite is here; a name with a slash is a file.
fn there(name: &str) -> bool {
    if name.starts_with('/') {
        prerequisites::program(name)
    } else {
        prerequisites::command(name).is_some()
    }
}

/// A line of shell that runs the command by `ssh`.
fn line(command: &str) -> String {
    format!("ssh target '{command}'")
}

/// The same by its full path.
fn full(command: &str) -> String {
    format!("/usr/bin/ssh target '{command}'")
}

launchers! {
    ssh [] Same, |_, c, _| Ok(words(&["ssh", "target", c]));
    ssh_by_its_path [] Same, |_, c, _| Ok(words(&["/usr/bin/ssh", "target", c]));
    ssh_by_a_symbolic_link [] Same, |t, c, _| {
        let link = t.home().join("connect");
        if !link.is_symlink() {
            std::os::unix::fs::symlink("/usr/bin/ssh", &link)?;
        }
        Ok(words(&[&link.to_string_lossy(), "target", c]))
    };

    sh [] Same, |_, c, _| Ok(words(&["sh", "-c", &line(c)]));
    sh_full_path [] Same, |_, c, _| Ok(words(&["sh", "-c", &full(c)]));
    sh_login [] Same, |_, c, _| Ok(words(&["sh", "-lc", &line(c)]));
    bash [] Same, |_, c, _| Ok(words(&["bash", "-c", &line(c)]));
    bash_login [] Same, |_, c, _| Ok(words(&["bash", "-lc", &line(c)]));
    bash_login_full_path [] Same, |_, c, _| Ok(words(&["bash", "-lc", &full(c)]));
    dash_login ["dash"] Same, |_, c, _| Ok(words(&["dash", "-lc", &line(c)]));
    zsh_login ["zsh"] Same, |_, c, _| Ok(words(&["zsh", "-lc", &line(c)]));
    fish_login ["fish"] Same, |_, c, _| Ok(words(&["fish", "-lc", &line(c)]));
    ksh_login ["ksh93"] Same, |_, c, _| Ok(words(&["ksh93", "-lc", &line(c)]));
    mksh_login ["mksh"] Same, |_, c, _| Ok(words(&["mksh", "-lc", &line(c)]));
    busybox_login ["busybox"] Same, |_, c, _| Ok(words(&["busybox", "sh", "-l", "-c", &line(c)]));

    env_empty [] Same, |_, c, _| Ok(words(&["env", "-i", "/usr/bin/ssh", "target", c]));
    env_split [] Same, |_, c, _| {
        Ok(words(&["env", "-S", &format!("-i PATH=/usr/bin:/bin {}", line(c))]))
    };
    cron_environment [] Same, |t, c, _| {
        let home = format!("HOME={}", t.home().display());
        let name = format!("LOGNAME={}", t.name());
        let start = ["env", "-i", &home, &name, "SHELL=/bin/sh", "PATH=/usr/bin:/bin"];
        Ok(words(&[&start[..], &["/bin/sh", "-c", &line(c)]].concat()))
    };

    python_subprocess [] Same, |_, c, _| {
        let code = "import subprocess, sys\n\
                    sys.exit(subprocess.run(['ssh', 'target', sys.argv[1]], env={}).returncode)";
        Ok(words(&["/usr/bin/python3", "-c", code, c]))
    };
    python_posix_spawn [] Same, |_, c, _| {
        let code = "import os, sys\n\
                    child = os.posix_spawn('/usr/bin/ssh', ['ssh', 'target', sys.argv[1]], {})\n\
                    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))";
        Ok(words(&["/usr/bin/python3", "-c", code, c]))
    };
    perl_empty_environment ["perl"] Same, |_, c, _| {
        let code = "%ENV = (); exit(system('/usr/bin/ssh', 'target', $ARGV[0]) >> 8)";
        Ok(words(&["perl", "-e", code, c]))
    };
    node_child_process ["node"] Same, |_, c, _| {
        let code = "const { spawnSync } = require('child_process');\
                    const how = { env: {}, stdio: 'inherit' };\
                    process.exit(spawnSync('/usr/bin/ssh', ['target', process.argv[1]], how).status)";
        Ok(words(&["node", "-e", code, c]))
    };
    static_binary [] Same, |t, c, _| {
        let program = static_launcher(t)?;
        Ok(words(&[&program, "target", c]))
    };

    xargs [] Fails, |t, c, _| {
        let file = t.write("words", &format!("'{c}'\n"))?;
        Ok(words(&["xargs", "-a", &file.to_string_lossy(), "/usr/bin/ssh", "target"]))
    };
    find_exec [] Any, |t, c, _| {
        let home = t.home().to_string_lossy();
        Ok(words(&["find", &home, "-maxdepth", "0", "-exec", "/usr/bin/ssh", "target", c, ";"]))
    };
    make ["make"] Fails, |t, c, _| {
        let file = t.write("Makefile", &format!("all:\n\t@{}\n", full(c)))?;
        Ok(words(&["make", "-s", "-f", &file.to_string_lossy()]))
    };
    npm_run ["npm"] Fails, |t, c, _| {
        let script = serde_json::json!({"name": "a", "scripts": {"go": full(c)}});
        let dir = t.write("package/package.json", &script.to_string())?;
        let dir = dir.parent().unwrap_or(Path::new("/")).to_string_lossy();
        Ok(words(&["npm", "--prefix", &dir, "run", "go"]))
    };

    nohup [] Same, |_, c, _| Ok(words(&["nohup", "ssh", "target", c]));
    setsid [] Same, |_, c, _| Ok(words(&["setsid", "-w", "/usr/bin/ssh", "target", c]));
    double_fork [] Any, |t, c, _| {
        let done = t.home().join("done").display().to_string();
        let script = format!(
            "rm -f {done}; (setsid sh -c '/usr/bin/ssh target \"{c}\" </dev/null; : >{done}' &)
             while [ ! -e {done} ]; do sleep 0.05; done"
        );
        Ok(words(&["sh", "-c", &script]))
    };
    script ["script"] Same, |_, c, _| Ok(words(&["script", "-qec", &full(c), "/dev/null"]));
    expect ["expect"] Same, |_, c, _| {
        let code = format!(
            "set timeout 60; spawn -noecho /usr/bin/ssh target {{{c}}}; expect eof; \
             lassign [wait] pid id failed status; exit $status"
        );
        Ok(words(&["expect", "-c", &code]))
    };
    tmux_inside ["tmux"] Same, |t, c, _| {
        let status = t.home().join("status").display().to_string();
        let script = format!(
            "rm -f {status}
             tmux -L inside -f /dev/null new-session -d \
                 '/usr/bin/ssh target \"{c}\"; echo $? >{status}.new; mv {status}.new {status}'
             while [ ! -e {status} ]; do sleep 0.05; done
             exit $(cat {status})"
        );
        Ok(words(&["sh", "-c", &script]))
    };

    git ["git"] Fails, |t, c, _| list_remote(t, &[], c);
    git_with_a_command ["git"] Fails, |t, c, _| list_remote(t, &["-c", "core.sshCommand=/usr/bin/ssh"], c);
    rsync ["rsync"] Fails, |t, _, path| {
        let file = t.write("file", "contents\n")?;
        let to = format!("target:{path}");
        Ok(words(&["rsync", "-e", "/usr/bin/ssh", &file.to_string_lossy(), &to]))
    };
    scp [] Fails, |t, _, path| copy(t, "scp", path);
    scp_by_its_path [] Fails, |t, _, path| {
        Ok([words(&["env", "-i"]), copy(t, "/usr/bin/scp", path)?].concat())
    };
    sftp_batch [] Fails, |t, _, path| batch(t, "sftp", path);
    sftp_by_its_path [] Fails, |t, _, path| {
        Ok([words(&["env", "-i"]), batch(t, "/usr/bin/sftp", path)?].concat())
    };
    ansible ["ansible"] Fails, |_, c, _| {
        let how = "ansible_ssh_executable=/usr/bin/ssh";
        Ok(words(&["ansible", "target", "-i", "target,", "-m", "raw", "-a", c, "-e", how]))
    };
    // It calls every early end a failure, so the marker is its status.
    autossh ["autossh"] Fails, |_, c, path| {
        Ok(words(&["sh", "-c", &format!("autossh -M 0 target '{c}'; test -e {path}")]))
    };
}

/// A few of them again with all of expacti's files below `EXPACTI_HOME`.
#[test]
fn with_a_home_of_its_own() -> Result<()> {
    let t = ordinary!(Home);
    held(&t, Denied::Same, |_, c, _| Ok(words(&["bash", "-lc", &line(c)])))?;
    fs::remove_file(t.marker("allowed").path())?;
    held(&t, Denied::Same, |_, c, _| Ok(words(&["env", "-i", "/usr/bin/ssh", "target", c])))
}

fn list_remote(t: &Ordinary, options: &[&str], command: &str) -> Result<Vec<String>> {
    let repository = t.home().join("repository.git").display().to_string();
    t.run(&["git", "init", "-q", "--bare", &repository])?.expect_code(0)?;
    let program = format!("--upload-pack={command}; git-upload-pack");
    let remote = format!("target:{repository}");
    Ok(words(&[&["git"], options, &["ls-remote", &program, &remote]].concat()))
}

fn copy(t: &Ordinary, program: &str, path: &str) -> Result<Vec<String>> {
    let file = t.write("file", "contents\n")?;
    Ok(words(&[program, "-q", &file.to_string_lossy(), &format!("target:{path}")]))
}

fn batch(t: &Ordinary, program: &str, path: &str) -> Result<Vec<String>> {
    let file = t.write("file", "contents\n")?.display().to_string();
    let batch = t.write("batch", &format!("put {file} {path}\n"))?;
    Ok(words(&[program, "-b", &batch.to_string_lossy(), "target"]))
}

/// A program without a dynamic loader, as Go makes them, that starts the client without environment.
fn static_launcher(t: &Ordinary) -> Result<String> {
    let source = t.write(
        "launcher.c",
        "#include <unistd.h>\n\
         int main(int argc, char **argv) {\n\
         \x20   char *none[] = {0};\n\
         \x20   argv[0] = \"ssh\";\n\
         \x20   execve(\"/usr/bin/ssh\", argv, none);\n\
         \x20   return 127;\n\
         }\n",
    )?;
    let program = t.home().join("launcher");
    let built = Command::new("cc").args(["-static", "-o"]).arg(&program).arg(&source).output()?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(program.display().to_string())
}

/// Runs what must find no key: it fails, nothing is held and nothing runs.
fn cannot_log_in(t: &Ordinary, argv: &[&str]) -> Result<()> {
    let before = t.sshd().log().matches("Accepted publickey").count();
    // Without a wrap the same program logs in: otherwise the test shows nothing.
    let marker = t.marker("direct");
    let spell = |path: &Path| -> Vec<String> {
        argv.iter().map(|word| word.replace("MARKER", &path.to_string_lossy())).collect()
    };
    let direct = spell(marker.path());
    let direct: Vec<&str> = direct.iter().map(String::as_str).collect();
    t.run(&direct)?.expect_code(0)?;
    ensure!(marker.exists(), "{direct:?} does not reach the target at all");
    let logins = t.sshd().log().matches("Accepted publickey").count();
    ensure!(logins > before, "the target's log does not show the login");

    let marker = t.marker("wrapped");
    let inside = spell(marker.path());
    let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
    let outcome = t.wrap(&inside).run()?;
    ensure!(!marker.exists(), "it ran: {}", outcome.describe());
    ensure!(outcome.code() != 0, "expected a failure: {}", outcome.describe());
    ensure!(t.pending()?.is_empty(), "something is held: {}", outcome.describe());
    let later = t.sshd().log().matches("Accepted publickey").count();
    ensure!(later == logins, "it logged in: {}", outcome.describe());
    Ok(())
}

/// A copy of the real client that was brought along: it starts, and finds neither key nor agent.
#[test]
fn a_copied_client_finds_no_key() -> Result<()> {
    let t = ordinary!();
    let copy = t.home().join("copied-client").display().to_string();
    t.run(&["cp", "/usr/bin/ssh", &copy])?.expect_code(0)?;
    cannot_log_in(&t, &[&copy, "-o", "BatchMode=yes", "target", "touch MARKER"])
}

/// The same from memory, with the file descriptor as its only name.
#[test]
fn a_client_in_memory_finds_no_key() -> Result<()> {
    let t = ordinary!();
    let copy = t.home().join("data").display().to_string();
    t.run(&["cp", "/usr/bin/ssh", &copy])?.expect_code(0)?;
    let code = "import os, sys\n\
                memory = os.memfd_create('client', 0)\n\
                os.write(memory, open(sys.argv[1], 'rb').read())\n\
                os.execve(memory, ['ssh', '-oBatchMode=yes', 'target', sys.argv[2]], os.environ)";
    cannot_log_in(&t, &["/usr/bin/python3", "-c", code, &copy, "touch MARKER"])
}

const PARAMIKO: &str = "
import os, sys, paramiko
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
keys = None if sys.argv[3] == 'agent' else os.path.expanduser('~/.ssh/id_ed25519')
client.connect('127.0.0.1', int(sys.argv[1]), os.environ['USER'], key_filename=keys,
               allow_agent=keys is None, look_for_keys=False)
sys.exit(client.exec_command(sys.argv[2])[1].channel.recv_exit_status())
";

#[test]
fn a_library_finds_no_key_file() -> Result<()> {
    let Some(python) = prerequisites::python_with("paramiko") else { return Ok(()) };
    let t = ordinary!();
    let port = t.sshd().port().to_string();
    cannot_log_in(&t, &[python, "-W", "ignore", "-c", PARAMIKO, &port, "touch MARKER", "file"])
}

#[test]
fn a_library_gets_no_signature_from_the_agent() -> Result<()> {
    let Some(python) = prerequisites::python_with("paramiko") else { return Ok(()) };
    let t = ordinary!();
    let port = t.sshd().port().to_string();
    let socket = t.home().join("agent.sock").display().to_string();
    t.run(&["ssh-agent", "-a", &socket])?.expect_code(0)?;
    let auth = format!("SSH_AUTH_SOCK={socket}");
    t.run(&["env", &auth, "ssh-add", "-q"])?.expect_code(0)?;
    // Whatever variable it is started with, and whatever wrap sets: the path is the user's own.
    let python = [python, "-W", "ignore", "-c", PARAMIKO, &port, "touch MARKER", "agent"];
    cannot_log_in(&t, &[&["env", &*auth][..], &python[..]].concat())
}
