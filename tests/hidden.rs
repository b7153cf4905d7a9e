//! Other programs of the same ordinary user, who try to attach to broker, gate and review, and to take
//! the broker's place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use expacti_harness::prerequisites::not_applicable;
use expacti_harness::{Ordinary, Outcome, Process, ordinary, until};

/// Attaches to a process (PTRACE_SEIZE), and reads its memory and its environment.
const ATTACH: &str = r#"
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print('attached' if libc.ptrace(0x4206, pid, None, None) == 0 else 'not attached')
for name in ('mem', 'environ', 'maps'):
    try:
        open(f'/proc/{pid}/{name}', 'rb').read(0 if name == 'mem' else 1)
        print('opened', name)
    except PermissionError:
        pass
"#;

fn attach(t: &Ordinary, pid: i32) -> Result<Outcome> {
    t.run(&["python3", "-c", ATTACH, &pid.to_string()])
}

fn process(t: &Ordinary, word: &str) -> Result<Process> {
    until(&format!("expacti {word}"), || {
        let of = |p: &Process| {
            p.program() == "expacti" && p.argv.get(1).is_some_and(|first| first == word)
        };
        Ok(t.processes().into_iter().rfind(of))
    })
}

fn is_hidden(t: &Ordinary, process: &Process) -> Result<()> {
    // It may just have been started.
    until(&format!("{:?} to be hidden", process.argv), || {
        Ok((attach(t, process.pid)?.out() == "not attached\n").then_some(()))
    })?;
    let map = fs::read_to_string("/proc/self/uid_map")?;
    if !map.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
        not_applicable(
            "in a container of an ordinary user, programs are seen while they ask the broker",
        );
        return Ok(());
    }
    for _ in 0..20 {
        attach(t, process.pid)?.expect_stdout("not attached\n")?;
    }
    ensure!(process.alive());
    Ok(())
}

#[test]
fn nobody_attaches_to_broker_gate_or_review() -> Result<()> {
    let t = ordinary!();
    // The attempt works on any other program.
    let other = t.launch(&["sleep", "900"]).spawn()?;
    let outcome = attach(&t, other.pid())?;
    outcome.expect_stdout("attached\nopened mem\nopened environ\nopened maps\n")?;
    t.expacti(&["up"])?.expect_code(0)?;
    let marker = t.marker("m");
    let mut run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending(&mut run)?;
    is_hidden(&t, &process(&t, "up")?)?;
    // So is the process that has the keys for targets.
    is_hidden(&t, &process(&t, "__keys")?)?;
    let expacti = t.binary().display().to_string();
    let screen = t.terminal(&[&expacti, "review"], (120, 30))?;
    screen.wait_for(&held.command)?;
    is_hidden(&t, &process(&t, "review")?)?;
    // The broker saw who it is all the same, and a wrapped program is still refused.
    for options in [&[][..], &["--path-only"]] {
        let outcome = t.wrap_with(options, &[&expacti, "allow", &held.id]).run()?;
        ensure!(outcome.code() == 5, "{}", outcome.describe());
    }
    ensure!(!marker.exists());
    screen.keys(&["d"])?;
    ensure!(run.wait()?.code() == 77);
    is_hidden(&t, &process(&t, "review")?)?;
    let limit = fs::read_to_string(format!("/proc/{}/limits", process(&t, "up")?.pid))?;
    let core = limit.lines().find(|l| l.starts_with("Max core file size")).context("no limit")?;
    ensure!(core.split_whitespace().filter(|w| *w == "0").count() == 2, "{core}");
    Ok(())
}

#[test]
fn nobody_attaches_to_the_servers_of_a_team() -> Result<()> {
    let t = ordinary!();
    let expacti = t.binary().display().to_string();
    let broker = t.launch(&[&expacti, "broker", "--listen", "127.0.0.1:0"]).spawn()?;
    until("the broker", || Ok((t.expacti(&["status"])?.code() == 0).then_some(())))?;
    is_hidden(&t, &process(&t, "broker")?)?;
    let home = t.home().join("gate");
    let args = ["gate", "--listen", "127.0.0.1:0", "--broker", "http://127.0.0.1:9"];
    let gate = t.launch(&[&[&*expacti], &args[..]].concat()).env("EXPACTI_HOME", &home).spawn()?;
    until("the gate's keys", || Ok(home.join("keys/gate_host_ca_ed25519").exists().then_some(())))?;
    is_hidden(&t, &process(&t, "gate")?)?;
    drop((broker, gate));
    Ok(())
}

/// Hides itself, and asks the broker for what waits.
const ASKER: &str = r#"
import ctypes, http.client, socket, sys
PR_SET_DUMPABLE = 4
assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
connection = http.client.HTTPConnection('localhost')
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request('GET', '/v1/commands')
print(connection.getresponse().status)
"#;

#[test]
fn who_hides_is_placed_all_the_same() -> Result<()> {
    let t = ordinary!();
    t.expacti(&["up"])?.expect_code(0)?;
    let socket = t.run_dir().join("expacti/broker.sock").display().to_string();
    let map = fs::read_to_string("/proc/self/uid_map")?;
    if map.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
        t.run(&["python3", "-c", ASKER, &socket])?.expect_stdout("200\n")?;
    }
    // In another namespace, and below a wrap.
    for option in ["--map-current-user", "--map-root-user"] {
        let foreign = ["unshare", "--user", option, "python3", "-c", ASKER, &socket];
        t.run(&foreign)?.expect_stdout("403\n")?;
    }
    for options in [&[][..], &["--path-only"]] {
        let outcome = t.wrap_with(options, &["python3", "-c", ASKER, &socket]).run()?;
        ensure!(!outcome.out().contains("200"), "{}", outcome.describe());
        ensure!(options.is_empty() || outcome.out() == "403\n", "{}", outcome.describe());
    }
    Ok(())
}

/// A listener of user `nobody` on a socket that everybody may connect to; it prints what it is sent.
const IMPOSTOR: &str = r#"
import os, socket, sys
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o777)
os.setresuid(65534, 65534, 65534)
listener.listen()
print('ready', flush=True)
while True:
    stream, _ = listener.accept()
    stream.settimeout(2)
    try:
        said = stream.recv(4096)
    except TimeoutError:
        said = b''
    if said == b'stop':
        break
    print('got', len(said), flush=True)
"#;

/// Starts it, asks it as if it were the broker, and says what it was told.
fn impostor(t: &Ordinary, socket: &Path) -> Result<(Outcome, String)> {
    let _ = fs::remove_file(socket);
    let name = socket.display().to_string();
    let child = std::process::Command::new("python3")
        .args(["-c", IMPOSTOR, &name])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    until("the impostor", || {
        let ready = std::os::unix::net::UnixStream::connect(socket);
        Ok(ready.and_then(|mut ready| ready.write_all(b"")).is_ok().then_some(()))
    })?;
    let outcome = t
        .launch(&[&t.binary().display().to_string(), "pending", "--json"])
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("EXPACTI_HOME")
        .env("EXPACTI_TOKEN", "expacti_secret")
        .run()?;
    // It is asked last: by then it has said what came before.
    std::os::unix::net::UnixStream::connect(socket)?.write_all(b"stop")?;
    let output = child.wait_with_output()?;
    Ok((outcome, String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn whoever_takes_the_brokers_place_in_tmp_is_told_nothing() -> Result<()> {
    let t = ordinary!();
    let dir = Path::new("/tmp").join(format!("expacti-{}", t.uid()));
    let socket = dir.join("broker.sock");
    let elsewhere = t.dir().join("elsewhere");
    let own = Some(t.uid());
    let mode = |mode| fs::set_permissions(&dir, fs::Permissions::from_mode(mode));
    // Who owns the directory, its mode, what is said.
    let table = [
        (Some(65534), 0o777, "belongs to user 65534"),
        (Some(0), 0o755, "belongs to user 0"),
        (own, 0o755, "chmod 700"),
        (own, 0o700, "user 65534 answers there"),
    ];
    for (owner, bits, why) in table {
        fs::create_dir(&dir)?;
        chown(&dir, owner, None)?;
        mode(bits)?;
        let (outcome, told) = impostor(&t, &socket)?;
        fs::remove_dir_all(&dir)?;
        ensure!(outcome.code() == 5, "{}", outcome.describe());
        ensure!(outcome.err().contains(why), "expected {why:?} in {}", outcome.describe());
        ensure!(told.lines().skip(1).all(|line| line == "got 0"), "{why}: it was sent {told}");
    }
    fs::create_dir(&elsewhere)?;
    chown(&elsewhere, own, None)?;
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700))?;
    symlink(&elsewhere, &dir)?;
    let (outcome, told) = impostor(&t, &socket)?;
    fs::remove_file(&dir)?;
    ensure!(outcome.code() == 5, "{}", outcome.describe());
    ensure!(outcome.err().contains("no directory of its own"), "{}", outcome.describe());
    ensure!(told.lines().skip(1).all(|line| line == "got 0"), "it was sent {told}");
    // The real one, in a directory that it made itself.
    let expacti = t.binary().display().to_string();
    let real = |word: &str| t.launch(&[&expacti, word]).env_remove("XDG_RUNTIME_DIR").run();
    real("up")?.expect_code(0)?;
    real("pending")?.expect_code(0)?;
    real("down")?.expect_code(0)?;
    let _ = fs::remove_dir_all(&dir);
    Ok(())
}
