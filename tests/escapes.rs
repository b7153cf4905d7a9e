//! Ways out of a wrap, tried as the wrapped ordinary user: each must fail. A table says what was tried;
//! wherever that is possible the same attempt is made without a wrap first, where it must succeed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::FileTypeExt, process::Command};

use anyhow::{Context, Result, bail, ensure};
use expacti_harness::{Ordinary, Outcome, Run, ordinary, prerequisites, until};
use expacti_protocol::{
    PROTOCOL_VERSION,
    uplink::{TargetRoute, Uplink},
};

/// What an attempt prints when it got what it was after.
const LOOT: &str = "PRIVATE KEY";

/// Runs a line of shell as the user, without a wrap.
fn outside(t: &Ordinary, script: &str) -> Result<Outcome> {
    t.run(&["bash", "-c", script])
}

/// The same inside a wrap.
fn inside(t: &Ordinary, script: &str) -> Result<Outcome> {
    t.wrap(&["bash", "-c", script]).run()
}

/// Requires that a wrapped program runs at all: otherwise every attempt fails, and shows nothing.
fn works(t: &Ordinary) -> Result<()> {
    inside(t, "echo works")?.expect_stdout("works\n").map(drop)
}

/// Makes every attempt inside; none may print `loot`. All failures are named, not only the first.
fn none_gets(t: &Ordinary, loot: &str, attempts: &[(&str, String)]) -> Result<()> {
    works(t)?;
    let mut through = Vec::new();
    for (what, script) in attempts {
        let outcome = inside(t, script)?;
        if outcome.out().contains(loot) {
            through.push(format!("{what}: {}", outcome.describe()));
        }
    }
    ensure!(through.is_empty(), "these got through:\n{}", through.join("\n"));
    Ok(())
}

/// A process of the user outside, which holds the key open and works in its directory.
fn bystander(t: &Ordinary) -> Result<(Run, i32)> {
    let run = t
        .launch(&[
            "bash",
            "-c",
            "cd ~/.ssh; exec 7<id_ed25519; : >~/ready; exec -a bystander sleep 900",
        ])
        .spawn()?;
    until("the process outside", || Ok(t.home().join("ready").exists().then_some(())))?;
    let pid = run.pid();
    Ok((run, pid))
}

#[test]
fn keys() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    let key = format!("{home}/.ssh/id_ed25519");
    // A second name of the key, and a copy where `ssh -G` finds it.
    outside(&t, "ln .ssh/id_ed25519 notes.txt; mkdir keys view; cp .ssh/id_ed25519 keys/deploy")?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write(".ssh/config", &format!("{config}Host other\n  IdentityFile ~/keys/deploy\n"))?;
    let (_bystander, pid) = bystander(&t)?;
    outside(&t, &format!("cat {key} notes.txt keys/deploy"))?.expect_code(0)?;
    // All mounts off, the last one first, in whatever namespace may do so.
    let strip = "for m in $(cut -d' ' -f5 /proc/self/mountinfo | tac); do umount -l $m; done";
    let nested =
        [("a nested user namespace", "unshare -Urm"), ("setuid-less root", "unshare -Urmpf")];
    let mut attempts: Vec<(&str, String)> = vec![
        ("reading it", format!("cat {key}")),
        ("searching the home for it", format!("grep -rsa '{LOOT}' {home}")),
        ("its other name (hard link)", format!("cat {home}/notes.txt")),
        ("a key that the configuration names", format!("cat {home}/keys/deploy")),
        ("a new hard link", format!("ln {key} {home}/new; cat {home}/new")),
        ("a symbolic link", format!("ln -s {key} {home}/soft; cat {home}/soft")),
        ("PID 1's root", format!("cat /proc/1/root{key}")),
        ("the parent's root", format!("cat /proc/$PPID/root{key}")),
        ("every process's root", format!("for p in /proc/[0-9]*; do cat $p/root{key}; done")),
        ("every working directory", "for p in /proc/[0-9]*; do cat $p/cwd/id_ed25519; done".into()),
        ("every open file", "for p in /proc/[0-9]*; do cat $p/fd/7; done".into()),
        (
            "the open file of a process outside",
            format!("cat /proc/{pid}/fd/7 /proc/{pid}/cwd/id_*"),
        ),
        ("umount", format!("umount {home}/.ssh; umount -l {home}/.ssh; umount {key}; cat {key}")),
        ("umount of everything", format!("{strip}; cat {key}")),
        ("renaming the directory", format!("mv {home}/.ssh {home}/moved; cat {home}/moved/id_*")),
        ("renaming the key", format!("mv {key} {home}/moved-key; cat {home}/moved-key")),
        (
            "mounting a new /proc",
            format!("unshare -Urmpf --mount-proc sh -c 'cat /proc/*/root{key}'"),
        ),
    ];
    for (what, start) in nested {
        let tries = [
            format!("umount -l {home}/.ssh; cat {key}"),
            format!("{strip}; cat {key}"),
            format!("mount --bind {home} {home}/view; cat {home}/view/.ssh/id_ed25519"),
            format!("mount --bind / {home}/view; cat {home}/view{key}"),
            format!("mount --move {home}/.ssh {home}/view; cat {key}"),
            format!(
                "mount -t overlay o -olowerdir={home}:/usr {home}/view; cat {home}/view/.ssh/id_*"
            ),
            format!("mount -t overlay o -olowerdir=/:/usr {home}/view; cat {home}/view{key}"),
            format!("mkdir {home}/view/old; pivot_root {home}/view {home}/view/old; cat {key}"),
            format!("chroot / cat {key}"),
        ];
        attempts.extend(tries.map(|script| (what, format!("{start} bash -c '{script}'"))));
    }
    if prerequisites::command("bwrap").is_some() {
        let start = "bwrap --unshare-user --cap-add ALL --dev-bind / /";
        for script in [format!("umount -l {home}/.ssh; cat {key}"), format!("{strip}; cat {key}")] {
            attempts.push(("bubblewrap inside", format!("{start} bash -c '{script}'")));
        }
        let bind = format!("bwrap --dev-bind {home} {home}/view cat {home}/view/.ssh/id_ed25519");
        attempts.push(("bubblewrap's own binds", bind));
    }
    none_gets(&t, LOOT, &attempts)?;
    // Nothing of that changed what is there outside.
    outside(&t, &format!("cat {key}"))?.expect_code(0)?;
    Ok(())
}

#[test]
fn the_real_client() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    outside(&t, "mkdir view")?;
    // A client that runs outside the gate says its version; expacti's stand-in for it is another file.
    let real = fs::read("/usr/bin/ssh")?;
    let digest = outside(&t, "sha256sum </usr/bin/ssh")?.out();
    ensure!(!real.is_empty() && !digest.is_empty(), "no client");
    let sum = "sha256sum <";
    let attempts = vec![
        ("reading it", format!("{sum}/usr/bin/ssh")),
        ("umount", format!("umount -l /usr/bin/ssh; umount -l /usr/bin; {sum}/usr/bin/ssh")),
        ("PID 1's root", format!("{sum}/proc/1/root/usr/bin/ssh")),
        ("another name of the directory", format!("{sum}/bin/ssh")),
        (
            "a nested namespace",
            format!("unshare -Urm bash -c 'umount -l /usr/bin/ssh /usr/bin; {sum}/usr/bin/ssh'"),
        ),
        (
            "a bind without what is mounted below",
            format!(
                "unshare -Urm bash -c 'mount --bind /usr {home}/view; {sum}{home}/view/bin/ssh'"
            ),
        ),
        (
            "an overlay",
            format!(
                "unshare -Urm bash -c 'mount -t overlay o -olowerdir=/usr:/etc {home}/view; \
                 {sum}{home}/view/bin/ssh'"
            ),
        ),
    ];
    none_gets(&t, digest.trim(), &attempts)
}

#[test]
fn processes_outside() -> Result<()> {
    let t = ordinary!();
    let (mut run, pid) = bystander(&t)?;
    outside(&t, &format!("kill -0 {pid} && tr '\\0' ' ' </proc/{pid}/cmdline"))?
        .expect_stdout("bystander 900 ")?;
    let python = |code: &str| {
        format!(
            "/usr/bin/python3 - <<'END'\nimport ctypes, os, signal\n\
             libc = ctypes.CDLL(None, use_errno=True)\n{code}\nEND"
        )
    };
    let attempts = vec![
        ("its command line", format!("tr '\\0' ' ' </proc/{pid}/cmdline")),
        ("ps", "ps -e -o args= | grep -v grep | grep bystander".to_owned()),
        ("a signal", format!("kill -KILL {pid} && echo bystander")),
        ("a signal to all", "trap '' TERM; kill -TERM -1; true".to_owned()),
        ("pidfd_open", python(&format!("os.pidfd_open({pid}); print('bystander')"))),
        ("ptrace", python(&format!("libc.ptrace(16, {pid}, 0, 0) == 0 and print('bystander')"))),
        ("its memory", python(&format!("open('/proc/{pid}/mem', 'rb'); print('bystander')"))),
        ("its environment", format!("cat /proc/{pid}/environ && echo bystander")),
        ("renice", format!("renice 5 -p {pid} && echo bystander")),
    ];
    none_gets(&t, "bystander", &attempts)?;
    ensure!(run.running()?, "the process outside was ended from inside");
    Ok(())
}

/// Listens on a path, or on an abstract name after an `@`, and says `reached` to whoever connects.
const LISTENER: &str = "
import os, socket, sys
sockets = []
for name in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX)
    s.bind(name.replace('@', '\\0'))
    s.listen()
    sockets.append(s)
open(sys.argv[1], 'w').close()
import select
while True:
    for s in select.select(sockets, [], [])[0]:
        c, _ = s.accept()
        try:
            c.sendall(b'reached')
        except OSError:
            pass
        c.close()
";

fn connect(name: &str) -> String {
    format!(
        "/usr/bin/python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(9); \
         s.connect('{name}'.replace('@', chr(0))); print(s.recv(9))\""
    )
}

#[test]
fn sockets_of_the_user() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    let run = t.run_dir().display().to_string();
    let name = t.name().to_owned();
    outside(&t, &format!("mkdir -p {run}/systemd {run}/gnupg {home}/.gnupg {home}/.config/agent"))?;
    let sockets = [
        ("in the home directory", format!("{home}/some.sock")),
        ("deep in the home directory", format!("{home}/.config/agent/control")),
        ("in /tmp", format!("/tmp/{name}.sock")),
        ("the session bus", format!("{run}/bus")),
        ("the user's systemd", format!("{run}/systemd/private")),
        ("Wayland", format!("{run}/wayland-0")),
        ("gpg-agent", format!("{run}/gnupg/S.gpg-agent")),
        ("gpg-agent for ssh", format!("{run}/gnupg/S.gpg-agent.ssh")),
        ("gpg-agent in the home", format!("{home}/.gnupg/S.gpg-agent")),
        ("an abstract one", format!("@{name}")),
        ("X11, abstract", format!("@/tmp/.X11-unix/X{}", t.uid())),
    ];
    let ready = t.dir().join("target/ready").display().to_string();
    let mut argv = vec!["/usr/bin/python3", "-c", LISTENER, &ready];
    argv.extend(sockets.iter().map(|(_, path)| path.as_str()));
    let _listener = t.launch(&argv).spawn()?;
    until("the sockets", || Ok(fs::exists(&ready)?.then_some(())))?;
    for (what, path) in &sockets {
        let reached = outside(&t, &connect(path))?;
        ensure!(reached.out().contains("reached"), "{what}: {}", reached.describe());
    }
    let attempts: Vec<(&str, String)> =
        sockets.iter().map(|(what, path)| (*what, connect(path))).collect();
    none_gets(&t, "reached", &attempts)
}

#[test]
fn the_agent() -> Result<()> {
    let t = ordinary!();
    let socket = t.home().join("agent.sock").display().to_string();
    outside(&t, &format!("ssh-agent -a {socket} && SSH_AUTH_SOCK={socket} ssh-add -q"))?
        .expect_code(0)?;
    // To sign what an attacker chose is to log in.
    let sign = format!(
        "cd $HOME; echo text >text; export SSH_AUTH_SOCK={socket}; \
         ssh-keygen -q -Y sign -n file -f .ssh/id_ed25519.pub text; cat text.sig && rm text.sig"
    );
    ensure!(outside(&t, &sign)?.out().contains("SSH SIGNATURE"), "the agent does not sign outside");
    none_gets(&t, "SSH SIGNATURE", &[("the agent by its path", sign)])
}

#[test]
fn a_terminal_outside() -> Result<()> {
    let t = ordinary!();
    let typed = t.home().join("typed");
    let socket = format!("/tmp/tmux-{}/default", t.uid());
    outside(&t, "tmux -f /dev/null new-session -d")?.expect_code(0)?;
    let keys = format!("tmux -S {socket} send-keys 'touch ~/typed' Enter");
    outside(&t, &keys)?.expect_code(0)?;
    until("the keys to arrive", || Ok(typed.exists().then_some(())))?;
    fs::remove_file(&typed)?;
    works(&t)?;
    let outcome = inside(&t, &format!("{keys}; tmux send-keys 'touch ~/typed' Enter"))?;
    ensure!(outcome.code() != 0, "the server outside was reached: {}", outcome.describe());
    // The server outside answers after it did what came before.
    outside(&t, "tmux run-shell true")?;
    ensure!(!typed.exists(), "keys were typed outside");
    Ok(())
}

#[test]
fn inherited_descriptors() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let wrap = format!("{} wrap --", t.binary().display());
    let read = "bash -c 'cat /proc/self/fd/5/id_ed25519 <&-; ls /proc/self/fd'";
    let direct = outside(&t, &format!("exec 5<.ssh; exec {read}"))?;
    ensure!(direct.out().contains(LOOT), "{}", direct.describe());
    let outcome = outside(&t, &format!("exec 5<.ssh 6<.ssh/id_ed25519 19</; exec {wrap} {read}"))?;
    ensure!(!outcome.out().contains(LOOT), "the key was read: {}", outcome.describe());
    let open: Vec<String> = outcome.out().lines().map(str::to_owned).collect();
    for number in ["5", "6", "19"] {
        ensure!(!open.iter().any(|line| line == number), "{number} is open: {open:?}");
    }
    for (what, redirect) in [("input", "0<.ssh"), ("output", "1<.ssh"), ("error", "2<.ssh")] {
        let status = t.home().join("status");
        let outcome =
            outside(&t, &format!("{wrap} true {redirect}; echo $? >{}", status.display()))?;
        ensure!(
            fs::read_to_string(&status)?.trim() != "0",
            "a directory as standard {what} was accepted: {}",
            outcome.describe()
        );
    }
    Ok(())
}

/// Types into the terminal as if its user had, by three spellings of one request.
const TYPE: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char byte = '#';
    unsigned long requests[] = {0x5412, 0x100005412, 0xffffffff00005412};
    for (int i = 0; i < 3; i++) {
        long result = syscall(SYS_ioctl, 0, requests[i], &byte);
        printf("%lx: %s %d\n", requests[i], result == 0 ? "typed" : "refused", result == 0 ? 0 : errno);
    }
#ifdef __x86_64__
    /* The 32-bit system call of the same name; its pointers must be short. */
    static char low = '#';
    long result = -1;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(54), "b"(0), "c"(0x5412), "d"(&low) : "memory");
    printf("32 bit: %s %ld\n", result == 0 ? "typed" : "refused", -result);
#endif
    puts("over");
    return 0;
}
"#;

#[test]
fn typing_into_the_terminal() -> Result<()> {
    let t = ordinary!();
    let source = t.write("type.c", TYPE)?;
    let program = t.home().join("type").display().to_string();
    let built = Command::new("cc")
        .args(["-static", "-no-pie", "-o", &program])
        .arg(&source)
        .output()
        .context("failed to run cc")?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let binary = t.binary().display().to_string();
    let terminal = t.terminal(&[&binary, "wrap", "--", &program], (80, 24))?;
    let screen = terminal.wait_for("over")?;
    ensure!(!screen.contains("typed"), "{screen}");
    // By the filter (EPERM, 1), not only by a kernel that was built without it (EIO, 5).
    let refused = screen.lines().filter(|line| line.contains("refused")).collect::<Vec<_>>();
    ensure!(refused.iter().all(|line| line.ends_with(" 1")), "refused by something else: {screen}");
    Ok(())
}

#[test]
fn keyrings_and_shared_memory() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let binary = t.binary().display().to_string();
    if prerequisites::command("keyctl").is_some() {
        let script = |wrap: &str| {
            format!("keyctl add user xp loot @s >/dev/null; {wrap} bash -c 'keyctl pipe %user:xp'")
        };
        let direct = t.run(&["keyctl", "session", "-", "bash", "-c", &script("")])?;
        ensure!(direct.out().contains("loot"), "{}", direct.describe());
        let wrapped = script(&format!("{binary} wrap --"));
        let wrapped = t.run(&["keyctl", "session", "-", "bash", "-c", &wrapped])?;
        ensure!(!wrapped.out().contains("loot"), "the keyring: {}", wrapped.describe());
    }
    let id = outside(&t, "ipcmk -M 64")?.out();
    let id = id.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    let seen = |found: &Outcome| found.out().contains(&format!(" {id} "));
    ensure!(seen(&outside(&t, "ipcs -m")?), "the segment is not there outside");
    ensure!(!seen(&inside(&t, "ipcs -m")?), "System V shared memory is seen inside");
    outside(&t, &format!("ipcrm -m {id}"))?;

    let shared = format!("/dev/shm/{}", t.name());
    outside(&t, &format!("echo loot >{shared}"))?.expect_code(0)?;
    none_gets(&t, "loot", &[("/dev/shm", format!("cat {shared}"))])
}

#[test]
fn services_of_the_machine() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let state = inside(&t, "grep -E 'NoNewPrivs|CapEff|CapPrm|CapBnd' /proc/self/status")?.out();
    if prerequisites::command("crontab").is_some() {
        let line = "echo '0 0 1 1 * true' | crontab - && crontab -l";
        ensure!(outside(&t, line)?.out().contains("0 0 1 1"), "crontab does not work outside");
        outside(&t, "crontab -r")?.expect_code(0)?;
        let tried = none_gets(&t, "0 0 1 1", &[("crontab", line.to_owned())]);
        let left = outside(&t, "crontab -l")?;
        outside(&t, "crontab -r")?;
        tried?;
        ensure!(left.code() != 0, "a crontab was left behind: {}", left.describe());
    }
    if prerequisites::command("at").is_some() {
        let line = "echo true | at now + 1 year 2>&1 | grep job";
        ensure!(outside(&t, line)?.out().contains("job "), "at does not work outside");
        outside(&t, "atrm $(atq | cut -f1)")?.expect_code(0)?;
        let tried = none_gets(&t, "job ", &[("at", line.to_owned())]);
        let left = outside(&t, "atq")?;
        outside(&t, "atrm $(atq | cut -f1)")?;
        tried?;
        ensure!(left.out().is_empty(), "a job was left behind: {}", left.describe());
    }
    ensure!(state.contains("NoNewPrivs:\t1"), "{state}");
    ensure!(state.contains("CapEff:\t0000000000000000"), "{state}");
    // Set-user-id programs do not change the user.
    let passwd = inside(&t, "passwd -S 2>&1; su -c id root </dev/null 2>&1")?;
    ensure!(!passwd.out().contains("uid=0"), "{}", passwd.describe());
    Ok(())
}

/// Files that start something later, outside: read-only inside, whatever is renamed around them.
#[test]
fn what_starts_later() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let files = [
        ".config/systemd/user/loot.service",
        ".local/share/systemd/user/loot.service",
        ".config/autostart/loot.desktop",
        ".local/share/dbus-1/services/loot.service",
        ".config/expacti/config.toml",
        ".ssh/config",
        ".ssh/authorized_keys",
        ".ssh/rc",
    ];
    let mut left = Vec::new();
    let mut check = |what: &str, script: &str| -> Result<()> {
        let outcome = inside(&t, script)?;
        for file in files {
            let text = fs::read_to_string(t.home().join(file)).unwrap_or_default();
            if text.contains("loot") && !outcome.err().contains(file) {
                left.push(format!("{what} {file}"));
                outside(&t, &format!("sed -i /loot/d {file}"))?;
            }
        }
        Ok(())
    };
    for file in files {
        let make = format!("mkdir -p $(dirname {file}); echo loot >>{file}");
        check("writing", &make)?;
        for above in [".config", ".config/systemd", ".local", ".local/share", ".ssh"] {
            if file.starts_with(above) {
                check(
                    &format!("renaming {above} around"),
                    &format!("mv {above} {above}-old; {make}; rm -rf {above}-old"),
                )?;
            }
        }
    }
    ensure!(left.is_empty(), "nobody said a word about {left:#?}");
    // Others are allowed, and named at the end.
    let outcome = inside(&t, "echo '# loot' >>.bashrc")?;
    outcome.expect_code(0)?.expect_stderr(".bashrc")?;
    Ok(())
}

#[test]
fn expacti_itself() -> Result<()> {
    let t = ordinary!();
    let binary = t.binary().display().to_string();
    let marker = t.marker("m");
    let touch = format!("touch {}", marker.path().display());
    let mut run = t.wrap(&["ssh", "target", &touch]).spawn()?;
    let held = t.wait_pending(&mut run)?;
    let id = &held.id;
    let rules = t.expacti(&["rules", "list", "--json"])?.out();
    let mut through = Vec::new();
    for line in [
        format!("allow {id}"),
        format!("deny {id}"),
        "rules add --glob '**'".to_owned(),
        "policy add --type any --match '**'".to_owned(),
        "reviewer add mallory".to_owned(),
        "agent add mallory".to_owned(),
        "down".to_owned(),
        "up".to_owned(),
        "up --foreground".to_owned(),
        "broker --listen 127.0.0.1:0".to_owned(),
        "review".to_owned(),
        "wrap -- true".to_owned(),
        "wrap --path-only -- true".to_owned(),
    ] {
        // Also with what would have the client forget where it is.
        for before in ["", "env -i HOME=$HOME ", "unshare -Ur "] {
            let outcome = inside(&t, &format!("timeout 30 {before}{binary} {line} </dev/null"))?;
            if outcome.code() == 0 || outcome.code() == 124 {
                through.push(outcome.describe());
            }
        }
    }
    ensure!(through.is_empty(), "these were accepted from inside:\n{}", through.join("\n"));
    ensure!(!marker.exists(), "it was allowed from inside");
    assert_eq!(t.pending()?.len(), 1, "it is not held any more");
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.out(), rules);
    t.expacti(&["deny", id])?.expect_code(0)?;
    run.wait()?.expect_code(77)?;
    Ok(())
}

/// Every socket of expacti that is there, found outside, with a line written by hand.
#[test]
fn a_line_to_the_gate() -> Result<()> {
    let t = ordinary!();
    t.expacti(&["up"])?.expect_code(0)?;
    works(&t)?;
    let mut sockets = Vec::new();
    let mut queue = vec![t.run_dir(), t.home().to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(&dir)?.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => queue.push(entry.path()),
                Ok(kind) if kind.is_socket() => sockets.push(entry.path()),
                _ => {}
            }
        }
    }
    ensure!(!sockets.is_empty(), "the gate has no socket");
    let loot = t.dir().join("target/loot");
    for socket in sockets {
        // As every version of the shim wrote it: without a token, and with one that was made up.
        for token in ["", "00000000000000000000000000000000"] {
            let program = vec!["touch".to_owned(), loot.display().to_string()];
            let line = serde_json::to_string(&Uplink {
                protocol: PROTOCOL_VERSION,
                token: token.to_owned(),
                route: TargetRoute {
                    host: "127.0.0.1".to_owned(),
                    port: t.sshd().port(),
                    user: t.name().to_owned(),
                    host_key_alias: Some("loot".to_owned()),
                    known_hosts_add: Some(t.home().join("added").display().to_string()),
                    transport: Some(program),
                    ..TargetRoute::default()
                },
                ..Uplink::default()
            })?;
            let script = format!(
                "/usr/bin/python3 - <<'END'\nimport socket\ns = socket.socket(socket.AF_UNIX)\n\
                 s.settimeout(3)\ns.connect('{}')\ns.sendall(b'''{line}\\nSSH-2.0-x\\r\\n''')\n\
                 print(s.recv(999))\nEND",
                socket.display()
            );
            let outcome = inside(&t, &script)?;
            ensure!(!loot.exists(), "{} ran a program: {}", socket.display(), outcome.describe());
            ensure!(!t.home().join("added").exists(), "{} wrote a file", socket.display());
            ensure!(
                !outcome.out().contains("SSH-2.0"),
                "{} took a line from inside: {}",
                socket.display(),
                outcome.describe()
            );
        }
    }
    Ok(())
}

#[test]
fn what_is_left_running() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let sleeps =
        |t: &Ordinary| t.processes().iter().filter(|process| process.has_arg("987")).count();
    // The program ends when what it leaves has become what it is to be named as.
    let then = "until ps -e -o args= | grep -qx 'sleep 987'; do sleep 0.02; done; exit 3";
    for (what, script) in [
        ("in the background", "sleep 987 &"),
        ("in a session of its own", "setsid sleep 987 </dev/null >/dev/null 2>&1 &"),
        ("twice forked", "(setsid sh -c 'sleep 987 & sleep 987' >/dev/null 2>&1 &);"),
        ("deaf to signals", "(trap '' TERM HUP INT; exec sleep 987) >/dev/null 2>&1 &"),
    ] {
        let outcome = inside(&t, &format!("{script} {then}"))?;
        if outcome.code() != 3 || !outcome.err().contains("sleep") {
            bail!("{what}: expected status 3 and a word about it: {}", outcome.describe());
        }
        ensure!(sleeps(&t) == 0, "{what}: it still runs");
    }
    let mut run = t
        .wrap_with(&["--keep"], &["bash", "-c", "(sleep 987 >/dev/null 2>&1 &); : >~/done; exit 3"])
        .spawn()?;
    until("the program to end", || Ok(t.home().join("done").exists().then_some(())))?;
    let left = until("what it left", || {
        Ok(t.processes().into_iter().find(|process| process.has_arg("987")))
    })?;
    ensure!(run.running()?, "--keep does not wait");
    expacti_harness::kill(left.pid, rustix::process::Signal::KILL)?;
    run.wait()?.expect_code(3)?;
    Ok(())
}

/// Says `reached` when somebody listens there.
fn reach(socket: &str) -> String {
    format!(
        "/usr/bin/python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('{socket}'); \
         print('reached')\""
    )
}

#[test]
fn the_agent_wherever_it_listens() -> Result<()> {
    let t = ordinary!();
    let (run, work) = (t.run_dir().display().to_string(), t.home().join("work"));
    outside(&t, &format!("mkdir work {run}/keyring"))?.expect_code(0)?;
    // What it listens on, as SSH_AUTH_SOCK says it.
    let start = |cwd: &str, options: &str| -> Result<String> {
        let start = format!(
            "cd {cwd}; eval $(ssh-agent {options}) >/dev/null; ssh-add -q ~/.ssh/id_ed25519; \
             echo $SSH_AUTH_SOCK"
        );
        Ok(outside(&t, &start)?.expect_code(0)?.out().trim().to_owned())
    };
    let work_path = work.display().to_string();
    let sockets = [
        ("in /tmp", start("~", "")?),
        ("the session's", start("~", &format!("-a {run}/keyring/ssh"))?),
        ("by a relative path", start(&work_path, "-a ./rel.sock")?),
        ("by a relative path from above", start("~", "-a work/below.sock")?),
    ];
    let mut through = Vec::new();
    for (what, socket) in &sockets {
        let list = format!("SSH_AUTH_SOCK={socket} ssh-add -l");
        let cwd = if what.ends_with("above") { t.home() } else { &work };
        let direct = t.launch(&["bash", "-c", &list]).current_dir(cwd).run()?;
        ensure!(direct.out().contains("ED25519"), "{what}: {}", direct.describe());
        // Whether the environment names it or not.
        let script = format!("echo starts; {list}; ssh-add -l");
        for launch in [
            t.wrap(&["bash", "-c", &script]).env("SSH_AUTH_SOCK", socket),
            t.wrap(&["bash", "-c", &script]),
        ] {
            let outcome = launch.current_dir(cwd).run()?;
            ensure!(outcome.out().starts_with("starts\n"), "{what}: {}", outcome.describe());
            // The stand-in of the wrap lists the keys, and says that it holds them.
            let is_real =
                |line: &str| line.contains("ED25519") && !line.contains("held by expacti");
            if outcome.out().lines().any(is_real) {
                through.push(format!("{what}: {}", outcome.describe()));
            }
        }
    }
    ensure!(through.is_empty(), "these agents were reached:\n{}", through.join("\n"));
    Ok(())
}

#[test]
fn a_shared_connection_that_was_open_before() -> Result<()> {
    let t = ordinary!();
    // The client binds it under another name first.
    let socket = t.home().join("mux/master").display().to_string();
    outside(&t, &format!("mkdir mux; ssh -M -N -f -S {socket} target </dev/null >/dev/null 2>&1"))?
        .expect_code(0)?;
    outside(&t, &reach(&socket))?.expect_stdout("reached\n")?;
    none_gets(&t, "reached", &[("a shared connection", reach(&socket))])
}

#[test]
fn keys_that_are_found_by_a_pattern() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    outside(&t, "mkdir -p keys more/work; for to in keys/work-key more/work/id mine; do cp .ssh/id_ed25519 $to; done")?
        .expect_code(0)?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let named = "Host work\n IdentityFile ~/keys/%n-key\n IdentityFile %d/more/%h/id\n \
                 IdentityFile ${KEYS}/mine\n";
    t.write(".ssh/config", &format!("{named}{config}"))?;
    for key in ["keys/work-key", "more/work/id", "mine"] {
        let read = format!("cat {home}/{key}");
        ensure!(outside(&t, &read)?.out().contains(LOOT), "{key} is not there outside");
        let outcome =
            t.wrap(&["bash", "-c", &format!("{read}; echo over")]).env("KEYS", &home).run()?;
        ensure!(outcome.out() == "over\n", "{key}: {}", outcome.describe());
    }
    Ok(())
}

#[test]
fn secrets_of_other_kinds() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    // Neither its name nor a line of text says that this is a key.
    t.write(".ssh/sub/key.der", "\u{30}\u{2e}\u{2}\u{1}loot-der")?;
    t.write(".ssh/sub/passphrase", "loot-phrase\n")?;
    t.write(".ssh/passphrase", "loot-phrase\n")?;
    t.write(".ssh/sub/conf.d/more.conf", "Host more\n HostName 127.0.0.1\n")?;
    t.write("elsewhere/private-keys-v1.d/0123.key", "loot-gpg")?;
    t.write("elsewhere/openpgp-revocs.d/0123.rev", "loot-rev")?;
    t.write("elsewhere/pubring.kbx", "public")?;
    let gnupg = format!("{home}/elsewhere");
    let look = format!("grep -rsa loot {home}");
    outside(&t, &look)?.expect_code(0)?;
    let seen = format!("{look}; cat .ssh/sub/conf.d/more.conf elsewhere/pubring.kbx");
    let outcome = t.wrap(&["bash", "-c", &seen]).env("GNUPGHOME", &gnupg).run()?;
    ensure!(!outcome.out().contains("loot"), "{}", outcome.describe());
    // What is no secret is there.
    for public in ["Host more", "public"] {
        ensure!(outcome.out().contains(public), "{public}: {}", outcome.describe());
    }
    // Nor does a client outside read it aloud.
    let key = fs::read_to_string(t.home().join(".ssh/id_ed25519"))?;
    let line = key.lines().nth(1).context("the key has no second line")?;
    // The client writes keywords in small letters.
    let word = line.chars().take(12).collect::<String>().to_lowercase();
    let tells = |outcome: &Outcome| outcome.out().to_lowercase().contains(&word);
    let direct = outside(&t, "ssh -F ~/.ssh/id_ed25519 target true 2>&1")?;
    ensure!(tells(&direct), "the client says nothing: {}", direct.describe());
    for told in ["-F ~/.ssh/id_ed25519", "-F .ssh/id_ed25519", "-F /proc/self/cwd/.ssh/id_ed25519"]
    {
        let outcome = inside(&t, &format!("ssh {told} target true 2>&1"))?;
        ensure!(outcome.code() != 0 && !tells(&outcome), "{}", outcome.describe());
    }
    Ok(())
}

#[test]
fn working_directories_that_are_replaced() -> Result<()> {
    let t = ordinary!();
    let (name, run) = (t.name().to_owned(), t.run_dir());
    let session = run.join("x").display().to_string();
    for dir in [format!("/dev/shm/{name}"), session, format!("/tmp/{name}/a")] {
        outside(&t, &format!("mkdir -p {dir} && echo before >{dir}/here"))?.expect_code(0)?;
        let found = t
            .wrap(&["bash", "-c", "pwd; cat here; echo after >there"])
            .current_dir(dir.as_ref())
            .run()?;
        found.expect_stdout(&format!("{dir}\nbefore\n"))?;
        assert_eq!(fs::read_to_string(format!("{dir}/there"))?, "after\n");
    }
    // Nothing else of what is around it.
    outside(&t, &format!("echo loot >/dev/shm/{name}-other"))?;
    let outcome = t
        .wrap(&["cat", &format!("/dev/shm/{name}-other")])
        .current_dir(format!("/dev/shm/{name}").as_ref())
        .run()?;
    ensure!(!outcome.out().contains("loot"), "{}", outcome.describe());
    let wrap = t.binary().display().to_string();
    let gone =
        format!("mkdir gone; cd gone; rmdir ../gone; exec {wrap} wrap -- bash -c 'cd .; pwd'");
    let outcome = outside(&t, &gone)?;
    outcome.expect_stdout("/\n")?.expect_stderr("working directory")?;
    Ok(())
}

#[test]
fn a_directory_of_keys_that_is_a_link() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    outside(&t, "mv .ssh dotfiles; ln -s dotfiles .ssh")?.expect_code(0)?;
    let outcome = inside(&t, "echo starts")?;
    outcome.expect_no_stdout()?.expect_stderr(".ssh is a symbolic link")?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    Ok(())
}

/// The process of a wrap that has this argument.
fn part(t: &Ordinary, arg: &str) -> Result<i32> {
    until(&format!("the process {arg}"), || {
        Ok(t.processes().into_iter().find(|process| process.has_arg(arg)).map(|found| found.pid))
    })
}

/// Waits until nothing runs any more that has this argument.
fn ends(t: &Ordinary, arg: &str) -> Result<()> {
    until(&format!("the end of {arg}"), || {
        Ok((!t.processes().iter().any(|process| process.has_arg(arg))).then_some(()))
    })
}

#[test]
fn without_its_helper_nothing_goes_on() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    let run = t.wrap(&["bash", "-c", "setsid sleep 987 & : >~/ready; exec sleep 987"]).spawn()?;
    until("the program", || Ok(t.home().join("ready").exists().then_some(())))?;
    expacti_harness::kill(part(&t, "__helper")?, rustix::process::Signal::KILL)?;
    let outcome = run.wait()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    outcome.expect_stderr("helper")?;
    ends(&t, "987")
}

#[test]
fn without_the_wrap_nothing_goes_on() -> Result<()> {
    let t = ordinary!();
    works(&t)?;
    // Whoever traces the first process inside could keep it from ending.
    let trace = format!(
        "/usr/bin/python3 - 987 <<'END'\nimport ctypes, os, time\n\
         libc = ctypes.CDLL(None, use_errno=True)\nsaid = []\n\
         # PTRACE_ATTACH and PTRACE_SEIZE.\n\
         for request in (16, 0x4206):\n\
         \x20   said.append(libc.ptrace(request, 1, 0, 0))\n\
         open('{0}.new', 'w').write(repr(said))\nos.rename('{0}.new', '{0}')\n\
         time.sleep(900)\nEND",
        t.home().join("said").display()
    );
    let run = t.wrap(&["bash", "-c", &format!("setsid sleep 987 & {trace}")]).spawn()?;
    let said = until("the attempt", || Ok(fs::read_to_string(t.home().join("said")).ok()))?;
    assert_eq!(said, "[-1, -1]", "the first process was traced");
    run.signal(rustix::process::Signal::KILL)?;
    assert_eq!(run.wait()?.code(), 137);
    ends(&t, "987")
}

#[test]
fn a_key_that_is_replaced_outside() -> Result<()> {
    let t = ordinary!();
    // Among other files: a directory of nothing but keys is covered as a whole.
    outside(
        &t,
        "mkdir keys; cp .ssh/id_ed25519 keys/deploy; echo x >keys/notes; cp .ssh/id_ed25519 new",
    )?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write(".ssh/config", &format!("{config}Host other\n  IdentityFile ~/keys/deploy\n"))?;
    let script = "cat keys/deploy; : >ready; until grep -q KEY keys/deploy; do :; done; sleep 987";
    let run = t.wrap(&["bash", "-c", script]).spawn()?;
    until("the program", || Ok(t.home().join("ready").exists().then_some(())))?;
    outside(&t, "mv new keys/deploy")?.expect_code(0)?;
    let outcome = run.wait()?;
    outcome.expect_no_stdout()?.expect_stderr("keys/deploy")?.expect_stderr("was ended")?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    ends(&t, "987")
}

#[test]
fn calls_for_keyrings() -> Result<()> {
    let t = ordinary!();
    // add_key, request_key and keyctl: EPERM is the filter's; a kernel without keyrings says ENOSYS.
    let script = "/usr/bin/python3 - <<'END'\nimport ctypes, platform\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        for number in {'x86_64': (248, 249, 250), 'aarch64': (217, 218, 219)}[platform.machine()]:\n\
        \x20   print(libc.syscall(number, 0, 0, 0, 0, 0), ctypes.get_errno())\nEND";
    if !["x86_64", "aarch64"].contains(&std::env::consts::ARCH) {
        prerequisites::not_applicable("the numbers of these calls are not known here");
        return Ok(());
    }
    let direct = outside(&t, script)?;
    if direct.out().contains(" 1\n") {
        prerequisites::not_applicable("these calls are refused outside of the wrap as well");
    }
    inside(&t, script)?.expect_stdout("-1 1\n-1 1\n-1 1\n")?;
    Ok(())
}

/// A file system in the place of a directory, until the end of a test.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("failed to unmount {}", self.0.display());
        }
    }
}

#[test]
fn a_session_directory_that_runs_no_programs() -> Result<()> {
    let t = ordinary!();
    let options = format!("noexec,nosuid,nodev,mode=700,uid={0},gid={0}", t.uid());
    let done = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
        .arg(t.run_dir())
        .output()
        .context("failed to run mount")?;
    if !done.status.success() {
        prerequisites::not_applicable("nothing can be mounted here");
        return Ok(());
    }
    let mounted = Mounted(t.run_dir());
    let run = t.run_dir().display().to_string();
    let script = format!("cp /bin/true {run}/x; {run}/x");
    ensure!(outside(&t, &script)?.code() == 126, "programs run in {run}");
    let mut run =
        t.wrap(&["bash", "-c", "ssh target 'echo fine'; scp -q target:/etc/hostname ."]).spawn()?;
    t.decide_all(&mut run, "allow")?;
    run.wait()?.expect_stdout("fine\n")?;
    t.expacti(&["down"])?;
    drop(mounted);
    Ok(())
}
