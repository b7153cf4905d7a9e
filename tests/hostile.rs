//! Findings of a hostile review, each as a test that fails on the reviewed state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Ordinary, Run, ordinary, until};

fn add_to_config(t: &Ordinary, text: &str) -> Result<()> {
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write(".ssh/config", &format!("{text}{config}"))?;
    Ok(())
}

fn inside(t: &Ordinary, script: &str) -> Result<String> {
    let outcome = t.wrap(&["bash", "-c", script]).run()?;
    Ok(format!("{}{}", outcome.out(), outcome.err()))
}

/// What `ssh -G` says of a file named with -F quotes the file.
#[test]
fn the_key_in_a_message() -> Result<()> {
    let t = ordinary!();
    let key = fs::read_to_string(t.home().join(".ssh/id_ed25519"))?.to_lowercase();
    let said = inside(&t, "ssh -F ~/.ssh/id_ed25519 target true; true")?;
    for line in key.lines().filter(|line| line.len() == 70) {
        ensure!(!said.contains(line), "a line of the key is in the message: {said}");
    }
    Ok(())
}

/// ssh binds a control socket under another name and links it: /proc/net/unix never names it.
#[test]
fn a_control_socket_elsewhere() -> Result<()> {
    let t = ordinary!();
    t.run(&[
        "bash",
        "-c",
        "mkdir cm; ssh -o ControlPath=~/cm/s -MNf target </dev/null >&/dev/null",
    ])?
    .expect_code(0)?;
    let said = inside(
        &t,
        "/usr/bin/python3 -c \"import socket, os; s = socket.socket(socket.AF_UNIX); \
         s.connect(os.environ['HOME'] + '/cm/s'); print('reached')\"",
    );
    t.run(&["bash", "-c", "ssh -o ControlPath=~/cm/s -O exit target"])?;
    ensure!(!said?.contains("reached"), "the master outside can be asked");
    Ok(())
}

/// A socket bound by a relative name is not an absolute one in /proc/net/unix.
#[test]
fn an_agent_with_a_relative_name() -> Result<()> {
    let t = ordinary!();
    t.run(&["bash", "-c", "ssh-agent -a ./rel.sock && SSH_AUTH_SOCK=$HOME/rel.sock ssh-add -q"])?
        .expect_code(0)?;
    let said = inside(&t, "SSH_AUTH_SOCK=$HOME/rel.sock ssh-add -l")?;
    ensure!(!said.contains("ED25519"), "the agent is reached: {said}");
    Ok(())
}

/// Keys that the configuration names with tokens, and those of the usual one when `--ssh-config` names
/// another.
#[test]
fn keys_named_with_tokens() -> Result<()> {
    let t = ordinary!();
    add_to_config(&t, "IdentityFile ~/keys/%n\nIdentityFile ~/keys/plain\n")?;
    t.run(&[
        "bash",
        "-c",
        "mkdir keys; cp .ssh/id_ed25519 keys/target; cp .ssh/id_ed25519 keys/plain",
    ])?
    .expect_code(0)?;
    let said = inside(&t, "cat ~/keys/target")?;
    ensure!(!said.contains("PRIVATE KEY"), "~/keys/%n is readable");
    t.write("other", "Host target\n")?;
    let outcome = t.wrap_with(&["--ssh-config", "other"], &["cat", "keys/plain"]).run()?;
    ensure!(
        !outcome.out().contains("PRIVATE KEY"),
        "--ssh-config uncovers the keys of ~/.ssh/config"
    );
    Ok(())
}

/// The agent's usual places: the wrap must start.
#[test]
fn agents_in_their_usual_places() -> Result<()> {
    let t = ordinary!();
    let wrap = format!("{} wrap -- echo started", t.binary().display());
    t.run(&["ssh-agent", "bash", "-c", &wrap])?.expect_stdout("started\n")?;
    let socket = t.run_dir().join("keyring/ssh").display().to_string();
    t.run(&[
        "bash",
        "-c",
        &format!("mkdir -p $(dirname {socket}); exec ssh-agent -a {socket} {wrap}"),
    ])?
    .expect_stdout("started\n")?;
    Ok(())
}

/// A second wrap of the same user writes the configuration that the first one relies on.
#[test]
fn the_configuration_of_another_wrap() -> Result<()> {
    let t = ordinary!();
    let usual = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write("project/config", &usual)?;
    let loot = t.home().join("loot");
    let one = "until test -e ~/written; do sleep 0.05; done; timeout 20 ssh target true";
    let first = t.wrap_with(&["--ssh-config", "project/config"], &["bash", "-c", one]).spawn()?;
    let two = format!(
        "printf 'Match exec \"touch {}\"\\nHost *\\n' >project/config; : >written",
        loot.display()
    );
    t.wrap(&["bash", "-c", &two]).run()?;
    until("the second", || Ok(t.home().join("written").exists().then_some(())))?;
    let _ = first.wait()?;
    ensure!(!loot.exists(), "a command of the second ran outside");
    Ok(())
}

/// `~/.ssh` and unit directories behind a link, as dotfile managers make them.
#[test]
fn links_to_what_is_held_fast() -> Result<()> {
    let t = ordinary!();
    t.run(&["bash", "-c", "mkdir -p dot; mv .ssh dot/ssh; ln -s dot/ssh .ssh"])?.expect_code(0)?;
    inside(&t, "mv ~/.ssh ~/gone; mkdir ~/.ssh; echo '# loot' >~/.ssh/config")?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    ensure!(!config.contains("loot"), "~/.ssh was replaced");
    Ok(())
}

/// The user's keyring of the first namespace can be linked and read.
#[test]
fn the_user_keyring() -> Result<()> {
    let t = ordinary!();
    t.run(&["bash", "-c", "keyctl session - bash -c 'keyctl add user xpu loot @u'"])?
        .expect_code(0)?;
    let said = inside(
        &t,
        "k=$(grep '_uid\\.' /proc/keys | cut -d' ' -f1); keyctl link $((16#$k)) @s; \
         keyctl pipe %user:xpu",
    )?;
    ensure!(!said.contains("loot"), "the keyring was read: {said}");
    Ok(())
}

/// A program inside must not be able to change the first process of its namespace.
#[test]
fn the_first_process() -> Result<()> {
    let t = ordinary!();
    let said = inside(
        &t,
        "/usr/bin/python3 -c \"import ctypes; l = ctypes.CDLL(None); \
         print('traced' if l.ptrace(0x4206, 1, 0, 0) == 0 else 'refused')\"",
    )?;
    ensure!(!said.contains("traced"), "PID 1 can be traced, and untied from the wrap: {said}");
    Ok(())
}

/// The gate's own client towards a jump host must not leave a control socket behind.
#[test]
fn a_control_socket_of_the_gate() -> Result<()> {
    let t = ordinary!();
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let jump = config.replace("Host target", "Host jump");
    t.write(
        ".ssh/config",
        &format!(
            "{jump}\nHost target\nProxyJump jump\n{config}\nHost *\nControlMaster auto\n\
             ControlPath ~/cm/%C\nControlPersist 20\n"
        ),
    )?;
    t.run(&["mkdir", "cm"])?;
    let said = inside(&t, "timeout 5 ssh target true; ls cm")?;
    ensure!(
        fs::read_dir(t.home().join("cm"))?.next().is_none(),
        "the gate made a control socket where a wrapped program reaches it: {said}"
    );
    Ok(())
}

/// A runtime directory that is not below /run.
#[test]
fn a_runtime_directory_elsewhere() -> Result<()> {
    let t = ordinary!();
    let dir = t.home().join("runtime").display().to_string();
    let binary = t.binary().display().to_string();
    let said = t.run(&[
        "bash",
        "-c",
        &format!(
            "mkdir -m 700 {dir}; export XDG_RUNTIME_DIR={dir}; ssh-agent -a {dir}/keyring.sock; \
             {binary} wrap -- ssh-add -l; {binary} wrap -- env SSH_AUTH_SOCK={dir}/keyring.sock \
             ssh-add -l; {binary} down"
        ),
    ])?;
    ensure!(!said.out().contains("no identities"), "the agent answers: {}", said.describe());
    Ok(())
}

/// A proxy command that reads a start-up file of the home.
#[test]
fn a_proxy_command_with_a_start_up_file() -> Result<()> {
    let t = ordinary!();
    if !std::path::Path::new("/usr/bin/zsh").exists() {
        return Ok(());
    }
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let with = "Host target\n  ProxyCommand zsh -c \"nc %h %p\"";
    t.write(".ssh/config", &config.replace("Host target", with))?;
    let loot = t.home().join("loot");
    let outer = fs::read_link("/proc/self/ns/user")?.display().to_string();
    let script = format!(
        "echo 'readlink /proc/self/ns/user >{}' >.zshenv; timeout 10 ssh target true",
        loot.display()
    );
    let said = inside(&t, &script)?;
    let ran = fs::read_to_string(&loot).unwrap_or_default();
    ensure!(!ran.contains(&outer), "a command ran outside: {said}");
    Ok(())
}

/// The kernel writes names of sockets, which are chosen inside, into files that nobody can change.
#[test]
fn a_configuration_in_the_kernels_files() -> Result<()> {
    let t = ordinary!();
    let loot = t.home().join("loot");
    let name = format!("\\0x\\nMatch exec \"touch {}\"\\n", loot.display());
    let script = format!(
        "import socket, subprocess\n\
         s = socket.socket(socket.AF_UNIX); s.bind({name:?}.encode().decode('unicode_escape'))\n\
         s.listen()\n\
         print('there' if 'Match exec' in open('/proc/net/unix').read() else 'missing')\n\
         for of in '/proc/1/net/unix', '/proc/self/net/unix':\n \
         subprocess.run(['ssh', '-oIgnoreUnknown=*', '-F', of, 'target', 'true'], timeout=30)\n"
    );
    let outcome = t.wrap(&["python3", "-c", &script]).run()?;
    outcome.expect_stdout("there\n")?;
    ensure!(!loot.exists(), "a command ran outside: {}", outcome.describe());
    Ok(())
}

/// The hosts before a jump host are reached by a client that the gate's own client starts.
#[test]
fn a_control_socket_of_a_chain_of_jumps() -> Result<()> {
    let t = ordinary!();
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let host =
        |name: &str, more: &str| config.replace("Host target", &format!("Host {name}\n  {more}"));
    let hosts = [
        host("first", ""),
        host("second", "ProxyJump first"),
        host("target", "ProxyJump second"),
        "Host *\nControlMaster auto\nControlPath ~/cm/%C\nControlPersist 20\n".to_owned(),
    ];
    t.write(".ssh/config", &hosts.join("\n"))?;
    // The directory is no longer one of sockets alone, which would be covered.
    t.write("cm/README", "")?;
    for line in ["ssh target", "ssh -J first,second first"] {
        let said = inside(&t, &format!("timeout 5 {line} true; echo $?; ls cm"))?;
        ensure!(said.contains("124\nREADME\n"), "{line}: it was not held: {said}");
        ensure!(fs::read_dir(t.home().join("cm"))?.count() == 1, "{line} left a socket: {said}");
    }
    let old = host("old", "ProxyCommand ssh -W %h:%p first");
    t.write(".ssh/config", &format!("{old}\n{}", hosts.join("\n")))?;
    let said = inside(&t, "timeout 5 ssh old true; echo $?; ls cm")?;
    ensure!(said.contains("shares (ControlMaster)") && said.contains("5\nREADME"), "{said}");
    // A directory for such sockets is not there inside, so that its sockets may be.
    fs::remove_file(t.home().join("cm/README"))?;
    let said = inside(&t, "timeout 5 ssh old true; echo $?; ls cm; echo end")?;
    ensure!(said.contains("124\nend\n"), "{said}");
    ensure!(fs::read_dir(t.home().join("cm"))?.count() == 1, "this line shows nothing");
    t.run(&["bash", "-c", "ssh -O exit first"])?;
    Ok(())
}

/// Copies of keys that nothing names are there inside; `doctor` says where.
#[test]
fn doctor_names_copies_of_keys() -> Result<()> {
    let t = ordinary!();
    t.run(&["bash", "-c", "mkdir -p old/keys; cp .ssh/id_ed25519 old/keys/deploy"])?
        .expect_code(0)?;
    ensure!(inside(&t, "cat old/keys/deploy")?.contains("PRIVATE KEY"), "it is hidden");
    let copy = t.home().join("old/keys/deploy").display().to_string();
    for command in [&["doctor"][..], &["wrap", "--explain"]] {
        let said = t.expacti(command)?.out();
        ensure!(said.contains(&copy) && !said.contains("/.ssh/id_"), "{said}");
    }
    Ok(())
}

/// What cannot work inside says why, and what to do.
#[test]
fn programs_without_their_rights_say_why() -> Result<()> {
    let t = ordinary!();
    let mut tried = 0;
    for name in ["su", "sudo", "pkexec", "crontab", "at"] {
        if !std::path::Path::new("/usr/bin").join(name).exists() {
            continue;
        }
        tried += 1;
        for called in [name.to_owned(), format!("env -i $(command -v {name})")] {
            let said = inside(&t, &format!("{called} -l </dev/null; echo $?"))?;
            let why = format!("expacti: {name} gets no rights inside a wrap");
            ensure!(said.contains(&why) && said.starts_with("1\n"), "{called}: {said}");
            ensure!(said.contains("--no-isolate"), "{called}: {said}");
        }
    }
    ensure!(tried > 0, "there is nothing to try");
    Ok(())
}

/// Connects to a socket, and says so.
fn reach(socket: &str) -> String {
    format!(
        "/usr/bin/python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('{socket}'); \
         print('reached')\"; true"
    )
}

/// Starts an agent of the user's that listens there, and waits until it does.
fn agent(t: &Ordinary, before: &[&str], socket: &str) -> Result<Run> {
    let argv = [before, &["ssh-agent", "-D", "-a", socket]].concat();
    let run = t.launch(&argv).spawn()?;
    until("the agent", || {
        Ok(std::os::unix::net::UnixStream::connect(socket).is_ok().then_some(()))
    })?;
    Ok(run)
}

/// A name that is not UTF-8, of any socket of any user, must not hide the others from the survey.
#[test]
fn a_socket_whose_name_is_no_text() -> Result<()> {
    let t = ordinary!();
    let socket = t.home().join("plain.sock").display().to_string();
    let _agent = agent(&t, &[], &socket)?;
    let ready = t.home().join("ready");
    let bind = format!(
        "import socket, time\nfor name in b'\\0' + b'{0}\\xff', b'{0}\\xfe', b'{0}a\\nb':\n    \
         s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(); globals()[name] = s\n\
         open('{1}', 'w')\ntime.sleep(900)",
        t.home().join("odd").display(),
        ready.display()
    );
    let _odd = t.launch(&["/usr/bin/python3", "-c", &bind]).spawn()?;
    until("the odd sockets", || Ok(ready.exists().then_some(())))?;
    let said = inside(&t, &format!("echo starts; {}", reach(&socket)))?;
    ensure!(said.contains("starts"), "no start: {said}");
    ensure!(!said.contains("reached"), "the agent is reached");
    Ok(())
}

/// Sockets that /proc/net/unix of this network does not list, or that lie where `/run` is shared.
#[test]
fn sockets_of_other_networks_and_shared_directories() -> Result<()> {
    let t = ordinary!();
    let network = t.home().join("network.sock").display().to_string();
    let _first = agent(&t, &["unshare", "-Urn"], &network)?;
    let lock = format!("/run/lock/{}.sock", t.name());
    let second = agent(&t, &[], &lock)?;
    for socket in [&network, &lock] {
        ensure!(
            t.run(&["sh", "-c", &reach(socket)])?.out().contains("reached"),
            "{socket}: nobody"
        );
        let said = inside(&t, &format!("echo starts; {}", reach(socket)))?;
        ensure!(said.contains("starts"), "no start: {said}");
        ensure!(!said.contains("reached"), "{socket} is reached");
    }
    drop(second);
    fs::remove_file(lock)?;
    Ok(())
}

/// What lies beside a directory of `/tmp` that the program sees must not come back with it.
#[test]
fn what_lies_beside_the_working_directory() -> Result<()> {
    let t = ordinary!();
    let base = format!("/tmp/{}", t.name());
    let work = format!("{base}/work");
    t.run(&["mkdir", "-p", &work])?.expect_code(0)?;
    let beside = agent(&t, &[], &format!("{base}/beside.sock"))?;
    let below = agent(&t, &[], &format!("{work}/below.sock"))?;
    let script = format!(
        "echo starts; ls {base}; {}; {}; : >{work}/new; mv {base} {base}.old",
        reach(&format!("{base}/beside.sock")),
        reach(&format!("{work}/below.sock"))
    );
    let said = t.wrap(&["bash", "-c", &script]).current_dir(work.as_ref()).run()?;
    drop((beside, below));
    ensure!(said.out().starts_with("starts\nwork\n"), "{}", said.describe());
    ensure!(!said.out().contains("reached"), "reached: {}", said.describe());
    ensure!(std::path::Path::new(&work).join("new").exists(), "nothing was written");
    Ok(())
}

/// The words that OpenSSH takes for the path of a key, each in its own way.
#[test]
fn keys_that_the_configuration_names_in_odd_ways() -> Result<()> {
    let t = ordinary!();
    let name = t.name().to_owned();
    let keys = [
        "keys/tilde",
        "my keys/space",
        "my keys/quoted",
        "keys/relative",
        "keys/nb\u{a0}x",
        "keys/in",
    ];
    let script = "mkdir -p keys 'my keys' more; for k; do cp .ssh/id_ed25519 \"$k\"; done";
    t.run(&[&["bash", "-c", script, "-"], &keys[..]].concat())?.expect_code(0)?;
    t.write("more/x", "IdentityFile ~/keys/in\n")?;
    add_to_config(
        &t,
        &format!(
            "IdentityFile ~{name}/keys/tilde\nIdentityFile ~/my\\ keys/space\nIdentityFile \"~/my \
             keys/quoted\"\nIdentityFile keys/relative\nIdentityFile ~/keys/nb\u{a0}x\nInclude \
             ~{name}/more/*\n"
        ),
    )?;
    let outside = t.run(&["grep", "-rl", "PRIVATE", "keys", "my keys"])?.out();
    ensure!(outside.lines().count() == keys.len(), "{outside}");
    let said = inside(&t, "echo starts; grep -rsl PRIVATE ~/keys ~/'my keys'; true")?;
    ensure!(said.starts_with("starts\n"), "{said}");
    ensure!(!said.contains("keys/"), "readable: {said}");
    Ok(())
}

/// A second name of a key outside of the home, in the directories that every wrap has.
#[test]
fn hard_links_outside_of_the_home() -> Result<()> {
    let t = ordinary!();
    let work = format!("/var/tmp/{}", t.name());
    let script = format!("mkdir {work}; ln .ssh/id_ed25519 {work}/notes");
    t.run(&["bash", "-c", &script])?.expect_code(0)?;
    for cwd in [work.as_str(), "/"] {
        let said = t
            .wrap(&["bash", "-c", &format!("echo starts; cat {work}/notes")])
            .current_dir(cwd.as_ref())
            .run()?;
        ensure!(said.out().starts_with("starts\n"), "{}", said.describe());
        ensure!(!said.out().contains("PRIVATE KEY"), "readable from {cwd}");
    }
    Ok(())
}

/// Other things that log in, or that open a door to a program of the user's outside.
#[test]
fn tickets_and_tokens_of_other_programs() -> Result<()> {
    let t = ordinary!();
    let home = t.home().display().to_string();
    let files = [
        "krb/ticket",
        "keytab",
        ".vnc/passwd",
        ".config/code-server/config.yaml",
        ".lima/_config/user",
        ".local/share/jupyter/runtime/server.json",
        ".emacs.d/server/server",
    ];
    for file in files {
        t.write(file, "loot\n")?;
    }
    let script = format!(
        "echo starts; cd {home}; cat {} ; cat krb/*; \
         : >.local/share/jupyter/runtime/new && echo can be used",
        files.join(" ")
    );
    let said = t
        .wrap(&["bash", "-c", &script])
        .env("KRB5CCNAME", format!("DIR:{home}/krb"))
        .env("KRB5_CLIENT_KTNAME", format!("FILE:{home}/keytab"))
        .run()?;
    ensure!(said.out().starts_with("starts\n"), "{}", said.describe());
    ensure!(!said.out().contains("loot"), "readable: {}", said.describe());
    ensure!(said.out().contains("can be used"), "a notebook cannot start: {}", said.describe());
    Ok(())
}

/// `~/.ssh/x.conf` leads to a file that one wrap replaces by a link to a token: the next one must not
/// find a copy of it.
#[test]
fn a_link_that_was_led_to_a_token() -> Result<()> {
    let t = ordinary!();
    t.write("dot/x.conf", "Host x\n")?;
    let token = t.write(".config/expacti/token", "loot\n")?.display().to_string();
    t.run(&["ln", "-s", "../dot/x.conf", ".ssh/x.conf"])?.expect_code(0)?;
    inside(&t, "cat ~/.ssh/x.conf")?.contains("Host x").then_some(()).context("no copy")?;
    inside(&t, &format!("ln -sf {token} ~/dot/x.conf"))?;
    let said = inside(&t, "echo starts; cat ~/.ssh/x.conf")?;
    ensure!(said.starts_with("starts") && !said.contains("loot"), "{said}");
    Ok(())
}

/// A proxy command with `ssh` in it makes shared connections where the configuration says so.
#[test]
fn a_control_socket_of_a_proxy_command() -> Result<()> {
    let t = ordinary!();
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let jump = config.replace("Host target", "Host jump");
    let via = config.replace("Host target", "Host target\n  ProxyCommand ssh -W %h:%p jump");
    let nested = config.replace("Host target", "Host nested\n  ProxyJump hop");
    let hop = config.replace("Host target", "Host hop\n  ProxyJump jump");
    t.run(&["mkdir", "-p", "mux"])?;
    for path in ["~/mux/%C", "~/mux-%C"] {
        t.write(
            ".ssh/config",
            &format!(
                "{jump}{via}{nested}{hop}Host *\n  ControlMaster auto\n  ControlPath {path}\n  \
                 ControlPersist 20\n"
            ),
        )?;
        for host in ["target", "nested", "-J jump,hop other"] {
            let said =
                inside(&t, &format!("timeout 5 ssh {host} true; find ~ -name 'mux-*'; ls mux"))?;
            let left = t.run(&[
                "bash",
                "-c",
                "shopt -s nullglob; for m in ~/mux-* ~/mux/*; do \
                                 ssh -o ControlPath=$m -O exit x; done",
            ])?;
            let seen = said
                .lines()
                .any(|l| !l.starts_with("expacti:") && (l.contains("/mux-") || l.len() == 40));
            ensure!(
                !seen,
                "{host}, {path}: a wrapped program reaches the jump host: {said}{}",
                left.err()
            );
        }
    }
    Ok(())
}

/// The same, of a shared connection that the user opens later.
#[test]
fn a_control_socket_that_is_made_later() -> Result<()> {
    let t = ordinary!();
    t.run(&["mkdir", "mux"])?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write(".ssh/config", &format!("{config}Host *\n  ControlPath ~/mux/%n\n"))?;
    let script = format!(
        ": >~/go; until test -e ~/there; do sleep 0.05; done; {}",
        reach(&t.home().join("mux/target").display().to_string())
    );
    let run = t.wrap(&["bash", "-c", &script]).spawn()?;
    until("the program", || Ok(t.home().join("go").exists().then_some(())))?;
    t.run(&["bash", "-c", "ssh -MNf target </dev/null >&/dev/null; ls mux; : >there"])?
        .expect_stdout("target\n")?;
    let said = run.wait()?;
    t.run(&["bash", "-c", "ssh -O exit target"])?;
    ensure!(!said.out().contains("reached"), "reached: {}", said.describe());
    Ok(())
}

/// Known programs, led to a start-up file of the home or to another program by their arguments.
#[test]
fn proxy_commands_that_lead_on() -> Result<()> {
    let t = ordinary!();
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    let loot = t.home().join("loot");
    // It stands for `aws`, which runs what its configuration says.
    let other = t.dir().join("other");
    fs::write(&other, "#!/bin/sh\n. ~/.other\nexec nc \"$@\"\n")?;
    fs::set_permissions(&other, PermissionsExt::from_mode(0o755))?;
    let other = other.display();
    let outer = fs::read_link("/proc/self/ns/user")?.display().to_string();
    for command in [
        "bash -lc \"nc %h %p\"".to_owned(),
        "bash --login -c 'nc %h %p'".to_owned(),
        "bash -c -l 'nc %h %p'".to_owned(),
        "sh -lc 'nc %h %p'".to_owned(),
        "bash -ic 'nc %h %p'".to_owned(),
        "sh -c 'exec bash -lc \"nc %h %p\"'".to_owned(),
        format!("timeout 20 {other} %h %p"),
        format!("timeout -s KILL 20s {other} %h %p"),
        format!("sh -c 'timeout 20 {other} %h %p'"),
        format!("ssh -oProxyCommand='{other} %h %p' -W %h:%p jump"),
    ] {
        let with = format!("Host target\n  ProxyCommand {command}");
        let jump = config.replace("Host target", "Host jump");
        t.write(".ssh/config", &format!("{}{jump}", config.replace("Host target", &with)))?;
        let script = format!(
            "for f in .profile .bash_profile .bashrc .other; do echo 'readlink /proc/self/ns/user \
             >{}' >$f; done; timeout 5 ssh target true; rm .bash_profile .other; : >.profile; : >.bashrc",
            loot.display()
        );
        let said = inside(&t, &script)?;
        let ran = fs::read_to_string(&loot).unwrap_or_default();
        ensure!(!ran.contains(&outer), "{command}: a command ran outside: {said}");
    }
    // A script that the program takes away, and puts its own in the place of before it connects.
    let with = "Host target\n  ProxyCommand bash ~/proxy %h %p";
    t.write(".ssh/config", &config.replace("Host target", with))?;
    t.write("proxy", "exec nc \"$@\"\n")?;
    let script = format!(
        "rm proxy; timeout 5 ssh target true & until test -e {0}; do rm -f proxy; sleep 0.02; echo \
         'readlink /proc/self/ns/user >{0}' >proxy; sleep 0.02; jobs %1 >&/dev/null || break; done; wait",
        loot.display()
    );
    let said = inside(&t, &script)?;
    ensure!(!loot.exists(), "the script of the program ran outside: {said}");
    // What is plain goes on working.
    for command in ["sh -c 'exec nc %h %p'", "timeout 20 nc %h %p", "ssh -W %h:%p jump"] {
        let with = format!("Host target\n  ProxyCommand {command}");
        let jump = config.replace("Host target", "Host jump");
        t.write(".ssh/config", &format!("{}{jump}", config.replace("Host target", &with)))?;
        let mut run = t.wrap(&["ssh", "target", "echo worked"]).spawn()?;
        t.decide_all(&mut run, "allow")?;
        run.wait()?.expect_stdout("worked\n")?;
        let mut run = t.wrap(&["bash", "-c", "ssh target echo worked"]).spawn()?;
        t.decide_all(&mut run, "allow")?;
        run.wait()?.expect_stdout("worked\n")?;
    }
    Ok(())
}

/// A cover moves with the directory that is renamed outside: the wrap must end at once, not at the next
/// look.
#[test]
fn a_directory_of_keys_that_is_renamed_outside() -> Result<()> {
    for (names, move_it) in [
        (
            "IdentityFile ~/work/key\n",
            "mv work work.old; : >moved; until ! test -e go; do sleep 0.02; done; \
                                       mkdir work; cp work.old/key work",
        ),
        (
            "IdentityFile ~/work/key\n",
            "mv work/key work/old; : >moved; until ! test -e go; do sleep 0.02; \
                                       done; cp work/old work/key",
        ),
    ] {
        let t = ordinary!();
        t.run(&["bash", "-c", "mkdir work; cp .ssh/id_ed25519 work/key; echo x >work/other"])?
            .expect_code(0)?;
        add_to_config(&t, names)?;
        // It looks as soon as something is moved, but gives the watch a moment.
        let script = ": >go; until test -e moved; do sleep 0.02; done; sleep 0.5; rm go; \
                      until cat work/key 2>/dev/null | grep PRIVATE; do sleep 0.02; done";
        let run = t.wrap(&["bash", "-c", script]).spawn()?;
        until("the program", || Ok(t.home().join("go").exists().then_some(())))?;
        let mover = t.launch(&["bash", "-c", move_it]).spawn()?;
        let said = run.wait()?;
        drop(mover);
        ensure!(!said.out().contains("PRIVATE"), "{move_it}: {}", said.describe());
        ensure!(said.err().contains("was ended"), "{}", said.describe());
    }
    Ok(())
}

/// Where a directory holds nothing but keys, it is covered as a whole: a key that is replaced outside
/// shows at no moment.
#[test]
fn a_key_that_is_replaced_among_keys() -> Result<()> {
    let t = ordinary!();
    t.run(&[
        "bash",
        "-c",
        "mkdir keys; cp .ssh/id_ed25519 keys/a; cp .ssh/id_ed25519.pub keys/a.pub",
    ])?
    .expect_code(0)?;
    add_to_config(&t, "IdentityFile ~/keys/a\n")?;
    let script = ": >go; until test -e done; do cat keys/* 2>/dev/null; done; echo over";
    let run = t.wrap(&["bash", "-c", script]).spawn()?;
    until("the program", || Ok(t.home().join("go").exists().then_some(())))?;
    t.run(&[
        "bash",
        "-c",
        "cp keys/a keys/b; mv keys/b keys/a; rm keys/a; cp .ssh/id_ed25519 keys/a; : >done",
    ])?
    .expect_code(0)?;
    let said = run.wait()?;
    ensure!(!said.out().contains("PRIVATE"), "it was readable for a moment");
    ensure!(
        said.out().contains("ssh-ed25519") && said.out().ends_with("over\n"),
        "{}",
        said.describe()
    );
    Ok(())
}

/// Mounts that show the home a second time.
#[test]
fn other_mounts_of_the_home() -> Result<()> {
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let t = ordinary!();
    let (home, dir) = (t.home().display().to_string(), t.dir().display().to_string());
    let made = Command::new("bash")
        .args([
            "-c",
            "cd $1; mkdir up work merged alias; mount -t overlay o -o \
                      lowerdir=$0,upperdir=up,workdir=work merged && mount --bind $0 alias",
        ])
        .args([&home, &dir])
        .status()?;
    ensure!(made.success(), "the mounts cannot be made");
    let _mounts = ["merged", "alias"].map(|name| Mounted(t.dir().join(name)));
    let said = inside(
        &t,
        &format!(
            "echo starts; cat {dir}/merged/.ssh/id_ed25519 {dir}/alias/.ssh/id_ed25519; \
             : >{dir}/alias/.config/systemd/loot.service; : >{dir}/alias/.config/autostart/loot"
        ),
    )?;
    ensure!(said.contains("starts"), "{said}");
    ensure!(!said.contains("PRIVATE KEY"), "the key is seen");
    for file in [".config/systemd/loot.service", ".config/autostart/loot"] {
        ensure!(!t.home().join(file).exists(), "{file} was written");
    }
    Ok(())
}

/// Configurations that are included from elsewhere are read by the user's next `ssh`, whatever it is.
#[test]
fn included_configurations() -> Result<()> {
    let t = ordinary!();
    t.write(".config/ssh.d/a.conf", "Host a\n")?;
    add_to_config(&t, "Include ~/.config/ssh.d/*.conf\n")?;
    inside(
        &t,
        "echo '# loot' >>~/.config/ssh.d/a.conf; : >~/.config/ssh.d/b.conf; mv ~/.config/ssh.d ~/gone; \
         mkdir -p ~/.config/ssh.d",
    )?;
    let dir = t.home().join(".config/ssh.d");
    ensure!(fs::read_dir(&dir)?.count() == 1, "something was added to {}", dir.display());
    ensure!(!fs::read_to_string(dir.join("a.conf"))?.contains("loot"), "it was changed");
    // And they can be used, since they cannot be changed.
    let mut run = t.wrap(&["bash", "-c", "ssh target echo worked"]).spawn()?;
    t.decide_all(&mut run, "allow")?;
    run.wait()?.expect_stdout("worked\n")?;
    Ok(())
}

/// When the wrap ends it removes what it made in `/tmp`, and nothing that a link leads to.
#[test]
fn the_end_follows_no_link() -> Result<()> {
    let t = ordinary!();
    let work = format!("/tmp/{}/a/tool", t.name());
    t.run(&[
        "bash",
        "-c",
        &format!("mkdir -p $(dirname {work}) mine; cp /bin/bash {work}; : >mine/tool"),
    ])?
    .expect_code(0)?;
    let script = format!("cd /tmp/{0}; mv a b; ln -s ~/mine a", t.name());
    t.wrap(&[&work, "-c", &script]).run()?;
    ensure!(t.home().join("mine/tool").exists(), "a file of the home was removed");
    Ok(())
}
