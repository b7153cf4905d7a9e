//! `wrap` without a terminal: bytes, exit statuses and signals are the program's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Output, Stdio};

use support::{World, until};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn feed(mut command: std::process::Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}

#[test]
fn every_byte_and_every_status_passes() {
    let world = World::new();
    let bytes: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = feed(world.wrap(&["sh", "-c", "tee /dev/stderr; exit 3"]), &bytes);
    assert!(output.stdout == bytes && output.stderr == bytes);
    assert_eq!(output.status.code(), Some(3));
    for status in [0, 1, 2, 77, 126, 255] {
        let output = world.wrap(&["sh", "-c", &format!("exit {status}")]).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
    }
    let output = world.wrap(&["sh", "-c", "kill -9 $$"]).output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 9));
    // A closed pipe kills the program as it would without the wrap.
    let output = world
        .wrap(&["bash", "-c", "set -o pipefail; yes | head -1; echo ${PIPESTATUS[0]}"])
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "y\n141\n");
}

#[test]
fn the_broker_knows_before_the_program_starts() {
    let world = World::new();
    let output = world.wrap(&["sh", "-c", "echo $EXPACTI_WRAP; echo $PPID"]).output().unwrap();
    let registered = world.registered.lock().unwrap().clone();
    assert_eq!(registered.len(), 1);
    let pid = registered[0].pid;
    assert_eq!(registered[0].agent, "sh");
    assert_eq!(text(&output.stdout), format!("{pid}\n{pid}\n"));

    std::fs::remove_file(world.home.broker_socket()).unwrap();
    let proof = world.path().join("ran");
    let output = world.wrap(&["touch", proof.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert!(!proof.exists());
}

#[test]
fn ssh_goes_through_the_gate() {
    let world = World::new();
    let run = |words: &[&str]| {
        let mut argv = vec!["ssh", "-F", "none", "-p", "2200", "deploy@10.255.0.9"];
        argv.extend(words);
        world.wrap(&argv).stdin(Stdio::null()).output().unwrap()
    };
    let output = run(&["printf 'a b'; echo err >&2; exit 7"]);
    assert_eq!(text(&output.stdout), "a b", "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "err\n");
    assert_eq!(output.status.code(), Some(7));
    let header = world.headers.lock().unwrap()[0].clone();
    assert_eq!((header.route.host.as_str(), header.route.port), ("10.255.0.9", 2200));
    assert_eq!((header.route.user.as_str(), header.agent.as_str()), ("deploy", "ssh"));
    assert_eq!(header.wrap_pid, world.registered.lock().unwrap()[0].pid);
    assert_eq!(header.program[0], "ssh");
    assert!(!header.status_line);
    // Words are joined as the client joins them, options behind the host are options.
    run(&["-q", "--", "echo", "-l", "x  y"]);
    assert_eq!(*world.commands.lock().unwrap().last().unwrap(), "echo -l x  y");
    // The user's own keys, agent and algorithms play no part between the client and the gate.
    let output = run(&[
        "-oHostKeyAlgorithms=ssh-rsa",
        "-oKexAlgorithms=diffie-hellman-group14-sha1",
        "true",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        world.headers.lock().unwrap().last().unwrap().route.host_key_algorithms,
        ["ssh-rsa"]
    );
}

#[test]
fn a_refusal_of_the_gate_is_said_and_nothing_runs() {
    let world = World::new();
    *world.refuse.lock().unwrap() = Some("no route\nto the target".to_owned());
    let output = world.wrap(&["ssh", "-F", "none", "h", "true"]).output().unwrap();
    assert!(text(&output.stderr).starts_with("expacti: no route to the target\n"));
    assert_eq!(output.status.code(), Some(255));

    std::fs::remove_file(world.home.gate_socket()).unwrap();
    let output = world.wrap(&["ssh", "-F", "none", "h", "true"]).output().unwrap();
    assert!(text(&output.stderr).contains("expacti: failed to reach the gate at "));
    assert_eq!(output.status.code(), Some(255));
    assert!(world.commands.lock().unwrap().is_empty());
}

#[test]
fn another_gate_is_not_talked_to() {
    let world = World::new();
    let other = world.path().join("other");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&other)
        .status()
        .unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    std::fs::write(world.home.gate_known_hosts(), format!("expacti-gate {public}")).unwrap();
    let output = world.wrap(&["ssh", "-F", "none", "h", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("verification failed"), "{}", text(&output.stderr));
    assert!(world.commands.lock().unwrap().is_empty());
}

#[test]
fn an_ssh_shim_for_every_program() {
    let world = World::new();
    let config = world.path().join("config");
    std::fs::write(&config, "Host web\n HostName 10.255.0.1\n User deploy\n").unwrap();
    let config = config.to_str().unwrap();
    let ssh = format!("ssh -F {config} ");
    let output = world
        .wrap_with(
            &["--ssh-config", config],
            &["bash", "-c", "ssh web 'echo one'; env -i \"$GIT_SSH\" -F none h2 'exit 4'; echo $?"],
        )
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "one\n4\n", "{}", text(&output.stderr));
    let headers = world.headers.lock().unwrap().clone();
    assert_eq!(headers[0].route.host, "10.255.0.1");
    assert_eq!(
        (headers[0].route.alias.as_str(), headers[0].route.user.as_str()),
        ("web", "deploy")
    );
    assert_eq!(headers[1].route.host, "h2");
    assert!(headers.iter().all(|header| header.program[0] == "bash" && header.agent == "bash"));

    // What tools add and what is harmless to leave out does not stop them; a way round does.
    let line = format!(
        "{ssh} -C -oControlMaster=auto -oControlPersist=60s -oControlPath=/tmp/%C web true && echo fine; \
         {ssh} -W h:1 web; echo $?; {ssh} -v -M web true 2>&1 | grep -c 'expacti: -M left out'; \
         scp -S /usr/bin/ssh a h:b; echo $?"
    );
    let output =
        world.wrap_with(&["--ssh-config", config], &["bash", "-c", &line]).output().unwrap();
    assert_eq!(text(&output.stdout), "fine\n2\n1\n2\n", "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("expacti: -W is refused: "));
    // Nothing is left of the shim directories.
    let left: Vec<_> = std::fs::read_dir(world.path().join("wraps")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn git_and_scp_go_through_the_gate() {
    let world = World::new();
    let repository = world.path().join("repository");
    let line = format!(
        "git init -q {0} && cd {0} && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one",
        repository.display()
    );
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let url = format!("ssh://deploy@10.255.0.2:2201{}", repository.display());
    let _ = world.wrap(&["git", "ls-remote", &url]).output().unwrap();
    for program in ["scp", "/usr/bin/scp"] {
        let target = "deploy@10.255.0.3:/tmp/x";
        let _ =
            world.wrap(&[program, "-O", "-F", "none", "/etc/hostname", target]).output().unwrap();
    }
    let commands = world.commands.lock().unwrap().clone();
    assert_eq!(commands[0], format!("git-upload-pack '{}'", repository.display()));
    assert_eq!(commands[1..], ["scp -t /tmp/x", "scp -t /tmp/x"]);
}

#[test]
fn signals_reach_the_program() {
    let world = World::new();
    let script = "trap 'echo term; exit 5' TERM; echo $$; while :; do sleep 0.01; done";
    let mut child =
        world.wrap(&["sh", "-c", script]).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    line.clear();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "term\n");
    assert_eq!(child.wait().unwrap().code(), Some(5));

    // Stopped with the program, and on with it.
    let mut child = world.wrap(&["sh", "-c", "kill -STOP $$; exit 6"]).spawn().unwrap();
    let pid = child.id();
    until("stopped", || (expacti_protocol::ancestry::stat(pid).ok()?.state == 'T').then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));

    // What was ignored stays ignored.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(support::shim())
        .args(["--", "sh", "-c", "kill -HUP $$; echo alive"])
        .env("EXPACTI_HOME", world.path())
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "alive\n");
}
