//! What a program may expect of its world is the same inside a wrap as outside: status, signals,
//! terminal, streams, files, network, its own sandboxes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
};

use anyhow::{Result, ensure};
use expacti_harness::{Ordinary, ordinary, prerequisites, until};
use rustix::process::Signal;

/// Runs a line of shell without and with a wrap; status and both streams must be the same.
fn same(t: &Ordinary, script: &str) -> Result<()> {
    let direct = t.run(&["bash", "-c", script])?;
    let wrapped = t.wrap(&["bash", "-c", script]).run()?;
    ensure!(
        direct.code() == wrapped.code()
            && direct.stdout == wrapped.stdout
            && direct.stderr == wrapped.stderr,
        "not the same: {}\nwithout a wrap: {}",
        wrapped.describe(),
        direct.describe()
    );
    Ok(())
}

#[test]
fn status_and_surroundings() -> Result<()> {
    let t = ordinary!();
    let mut differ = Vec::new();
    for script in [
        "true",
        "exit 7",
        "exit 255",
        "kill -TERM $$",
        "kill -KILL $$",
        "timeout 0.1 sleep 30",
        "nonexistent-program",
        "echo out; echo error >&2",
        "id -un; id -u; id -g; whoami; echo $HOME $USER $LANG $SHELL",
        "pwd; tty; stty size",
        "umask; ulimit -n; nice",
        "cd /; pwd; ls -d /etc /usr /var /home",
        "stat -c '%U %a %n' . .bashrc",
        "echo word >/dev/null; head -c 3 /dev/zero | od -c; test -c /dev/tty && echo there",
        "grep -c ^root: /etc/passwd; getent passwd $USER",
        "date +%Y; uname -n; hostname",
        "sleep 30 & kill %1; wait %1; echo $?",
        "mkfifo pipe; (echo through >pipe &); cat pipe; rm pipe",
        "ps -o pid= -p $$ | wc -l",
        "/usr/bin/python3 -c 'import os; print(os.path.realpath(os.getcwd()), os.getlogin is not None)'",
    ] {
        if let Err(error) = same(&t, script) {
            differ.push(format!("{error}"));
        }
    }
    ensure!(differ.is_empty(), "{}", differ.join("\n"));
    let outcome = t.wrap(&["/nonexistent/program"]).run()?;
    outcome.expect_code(127)?.expect_stderr("/nonexistent/program")?;
    let script = t.write("not-executable", "true\n")?;
    t.wrap(&[&script.to_string_lossy()]).run()?.expect_code(126)?;
    Ok(())
}

#[test]
fn signals_reach_the_program() -> Result<()> {
    let t = ordinary!();
    for (name, signal) in [("TERM", Signal::TERM), ("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let script = format!(
            "trap 'echo got {name}; exit 5' {name}; : >{name}; while :; do sleep 0.05; done"
        );
        let run = t.wrap(&["bash", "-c", &script]).spawn()?;
        until("the program to begin", || Ok(t.home().join(name).exists().then_some(())))?;
        run.signal(signal)?;
        let outcome = run.wait()?;
        ensure!(
            outcome.code() == 5 && outcome.out() == format!("got {name}\n"),
            "{name}: {}",
            outcome.describe()
        );
    }
    Ok(())
}

#[test]
fn streams_are_exact() -> Result<()> {
    let t = ordinary!();
    let bytes: Vec<u8> = (0u32..3_000_000)
        .map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0))
        .collect();
    let outcome = t.wrap(&["cat"]).stdin(bytes.clone()).run()?;
    outcome.expect_code(0)?;
    ensure!(outcome.stdout == bytes, "{} bytes came back", outcome.stdout.len());
    ensure!(outcome.stderr.is_empty(), "{}", outcome.describe());
    // A reader that goes away ends the writer.
    let line = format!("{} wrap -- yes | head -n 1; echo ${{PIPESTATUS[0]}}", t.binary().display());
    t.run(&["bash", "-c", &line])?.expect_stdout("y\n141\n")?;
    Ok(())
}

/// Waits until a program of this name runs: what is typed before belongs to the shell.
fn runs(t: &Ordinary, name: &str) -> Result<()> {
    until(&format!("{name} to run"), || {
        Ok(t.processes().iter().any(|process| process.program() == name).then_some(()))
    })
}

#[test]
fn the_terminal() -> Result<()> {
    let t = ordinary!();
    let wrap = format!("{} wrap --", t.binary().display());
    let shell = t.terminal(&["bash", "--norc", "--noprofile", "-i"], (100, 30))?;
    let line = |text: &str| -> Result<()> {
        shell.type_text(text)?;
        shell.keys(&["Enter"])
    };
    // The prompt shows the status of the last program; what is typed before it may be dropped.
    let prompt = |status: i32| {
        shell.wait_until(&format!("the shell's prompt after status {status}"), |screen| {
            screen.trim_end().ends_with(&format!("{status} ready>"))
        })
    };
    line("PS1='$? ready> '; clear")?;
    prompt(0)?;
    // Interrupted by a key.
    line(&format!("{wrap} sleep 600"))?;
    runs(&t, "sleep")?;
    shell.keys(&["C-c"])?;
    prompt(130)?;
    // Stopped by a key, and brought back.
    line("clear")?;
    prompt(0)?;
    line(&format!("{wrap} cat"))?;
    runs(&t, "cat")?;
    line("one")?;
    shell.wait_until("the line and its copy", |screen| screen.matches("one\n").count() == 2)?;
    shell.keys(&["C-z"])?;
    shell.wait_for("Stopped")?;
    shell.wait_until("the prompt", |screen| screen.trim_end().ends_with("ready>"))?;
    line("fg")?;
    line("two")?;
    shell.wait_until("the line and its copy", |screen| screen.matches("two\n").count() == 2)?;
    shell.keys(&["C-d"])?;
    prompt(0)?;
    // The size, and its changes; the terminal by its other name.
    line("clear")?;
    prompt(0)?;
    line(&format!(
        "{wrap} bash -c 'trap \"stty size\" WINCH; stty size; echo by name >/dev/tty; \
         tty >/dev/null && echo a terminal; while :; do sleep 0.05; done'"
    ))?;
    shell.wait_for("\n30 100\n")?;
    shell.wait_for("\nby name\n")?;
    shell.wait_for("\na terminal\n")?;
    shell.resize(120, 40)?;
    shell.wait_for("\n40 120")?;
    shell.keys(&["C-c"])?;
    prompt(130)?;
    // A shell inside has job control of its own.
    line("clear")?;
    prompt(0)?;
    line(&format!("{wrap} env PS1='inside> ' bash --norc --noprofile -i"))?;
    shell.wait_until("the shell inside", |screen| screen.trim_end().ends_with("inside>"))?;
    line("sleep 500 & jobs; kill %1; wait %1; echo ended=$?")?;
    shell.wait_for("Running")?;
    shell.wait_for("ended=143")?;
    shell.wait_until("the shell inside", |screen| screen.trim_end().ends_with("inside>"))?;
    shell.keys(&["C-d"])?;
    prompt(0)?;
    Ok(())
}

#[test]
fn files() -> Result<()> {
    let t = ordinary!();
    let work = t.write("work/here", "before\n")?;
    let work = work.parent().unwrap().to_owned();
    t.wrap(&["bash", "-c", "pwd; cat here; echo after >there"])
        .current_dir(&work)
        .run()?
        .expect_stdout(&format!("{}\nbefore\n", work.display()))?;
    assert_eq!(fs::read_to_string(work.join("there"))?, "after\n");
    // Also where the directory is below /tmp.
    let work = format!("/tmp/{}", t.name());
    t.run(&["bash", "-c", &format!("mkdir {work} && echo before >{work}/here")])?.expect_code(0)?;
    let found = t
        .wrap(&["bash", "-c", "pwd; cat here; echo after >there"])
        .current_dir(work.as_ref())
        .run()?;
    let there = fs::read_to_string(format!("{work}/there"));
    fs::remove_dir_all(&work)?;
    found.expect_stdout(&format!("{work}\nbefore\n"))?;
    assert_eq!(there?, "after\n");
    // Temporary files work, for each other program inside as well.
    same(&t, "f=$(mktemp) && echo text >$f && cat $f && rm $f; df /tmp >/dev/null && echo ok")?;
    Ok(())
}

#[test]
fn tools() -> Result<()> {
    let t = ordinary!();
    let mut failed = Vec::new();
    let mut works = |what: &str, script: &str| -> Result<()> {
        let outcome = t.wrap(&["bash", "-ec", script]).run()?;
        if outcome.code() != 0 {
            failed.push(format!("{what}: {}", outcome.describe()));
        }
        Ok(())
    };
    works(
        "git",
        "git init -q repository; cd repository; echo text >file; git add file; \
         git -c user.name=n -c user.email=e commit -qm message; git log --oneline | grep message",
    )?;
    works("cc", "echo 'int main(void) { return 0; }' >a.c; cc -o a a.c; ./a")?;
    works("venv", "/usr/bin/python3 -m venv --without-pip venv; venv/bin/python -c 'import sys'")?;
    works(
        "multiprocessing",
        "cat >m.py <<'END'\n\
         import multiprocessing, multiprocessing.shared_memory\n\
         def work(n):\n    return n * n\n\
         if __name__ == '__main__':\n\
         \x20   with multiprocessing.Pool(2) as pool:\n\
         \x20       assert pool.map(work, range(9))[8] == 64\n\
         \x20   block = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)\n\
         \x20   block.buf[0] = 7\n    block.close()\n    block.unlink()\nEND\n\
         /usr/bin/python3 m.py",
    )?;
    if prerequisites::command("npm").is_some() {
        works(
            "npm",
            "mkdir -p library program; echo '{\"name\": \"library\", \"version\": \"1.0.0\"}' \
             >library/package.json; echo 'module.exports = 7' >library/index.js; cd program; \
             echo '{\"name\": \"program\"}' >package.json; \
             npm install --offline --no-audit --no-fund ../library >/dev/null; \
             node -e 'process.exit(require(\"library\") - 7)'",
        )?;
    }
    // Sandboxes of a program's own, as agents and browsers make them.
    works("unshare", "unshare -Urmpf --mount-proc bash -c 'test $$ = 1; ps -e | grep bash'")?;
    works("unshare with a network", "unshare -Urn true; unshare -Ui true; unshare -Uu true")?;
    if prerequisites::command("bwrap").is_some() {
        works(
            "bubblewrap",
            "test $(bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp id -un) = $USER",
        )?;
        works(
            "bubblewrap with the network",
            "bwrap --dev-bind / / --unshare-pid --die-with-parent true",
        )?;
    }
    ensure!(failed.is_empty(), "these do not work inside:\n{}", failed.join("\n"));
    Ok(())
}

#[test]
fn the_loopback_network() -> Result<()> {
    let t = ordinary!();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut run =
        t.wrap(&["bash", "-c", &format!("echo hello >/dev/tcp/127.0.0.1/{port}")]).spawn()?;
    listener.set_nonblocking(true)?;
    let mut peer = until("a connection from inside", || match listener.accept() {
        Ok((peer, _)) => Ok(Some(peer)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            ensure!(run.running()?, "the program ended without one");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    })?;
    peer.set_nonblocking(false)?;
    let mut text = String::new();
    peer.read_to_string(&mut text)?;
    assert_eq!(text, "hello\n");
    run.wait()?.expect_code(0)?;

    let code = "import socket\n\
                s = socket.create_server(('127.0.0.1', 0))\n\
                open('port.new', 'w').write(str(s.getsockname()[1]))\n\
                import os; os.rename('port.new', 'port')\n\
                c, _ = s.accept(); print(c.recv(99).decode(), end='')";
    let run = t.wrap(&["/usr/bin/python3", "-c", code]).spawn()?;
    let port = until("the server inside", || Ok(fs::read_to_string(t.home().join("port")).ok()))?;
    TcpStream::connect(("127.0.0.1", port.parse()?))?.write_all(b"hello\n")?;
    run.wait()?.expect_stdout("hello\n")?;
    Ok(())
}

/// Owner, mode and times of what is made inside are what they would be outside.
#[test]
fn ownership() -> Result<()> {
    let t = ordinary!();
    t.wrap(&[
        "bash",
        "-c",
        "umask 027; mkdir d; echo x >d/f; chmod 4711 d/f; ln -s f d/l; cp -a d e",
    ])
    .run()?
    .expect_code(0)?;
    let found = t.run(&["bash", "-c", "stat -c '%U %G %a %n' d d/f e/f"])?;
    let name = t.name();
    let mode = fs::metadata(t.home().join("d/f"))?.permissions().mode() & 0o7777;
    assert_eq!(mode, 0o4711);
    found.expect_stdout(&format!(
        "{name} {name} 750 d\n{name} {name} 4711 d/f\n{name} {name} 4711 e/f\n"
    ))?;
    Ok(())
}
