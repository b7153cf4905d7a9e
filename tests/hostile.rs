//! Findings of a hostile review, each as a test that fails on the reviewed state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Ordinary, ordinary, until};

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
