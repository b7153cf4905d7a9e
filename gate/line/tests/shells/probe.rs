//! The side probe, run as a shell's exec request beside a live terminal.

use std::process::Command;

use expacti_line::remote::{Probe, parse_probe, probe_command};

use crate::harness::{Outcome, Shell, Start, shell_or_skip};

pub(crate) fn probe(shell: &Shell, by: &str) -> Probe {
    let tty = shell.remote.hello().unwrap().tty.clone().unwrap();
    let path = shell_or_skip(by).unwrap();
    let output = Command::new(path).args(["-c", &probe_command(&tty).unwrap()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_probe(&output.stdout).unwrap_or_else(|| panic!("{text} {output:?}"))
}

#[test]
fn sees_the_shell_and_what_it_runs() {
    for name in ["bash", "zsh", "dash", "fish", "ash", "mksh"] {
        let Some(path) = shell_or_skip(name) else { continue };
        let mut shell = Start::new(&path).at_prompt();
        let hello = shell.remote.hello().unwrap().clone();
        let seen = probe(&shell, name);
        assert_eq!(seen.foreground, None, "{name}");
        assert_eq!(seen.pid, hello.pid, "{name}");
        assert_eq!(seen.canonical, ["dash", "mksh"].contains(&name), "{name}");
        assert_eq!(seen.cwd.as_deref(), shell.home.path().to_str(), "{name}");

        assert_eq!(shell.deliver("cat >got - 'x y'"), Outcome::Accepted);
        shell.wait_for_file("got");
        let seen = probe(&shell, name);
        assert_eq!(seen.foreground.as_deref(), Some("cat - x y"), "{name}");
        assert!(seen.echo && seen.canonical && seen.pid != hello.pid, "{name}");
        assert!(seen.uid.is_some());
        shell.type_raw(b"\x03");
        shell.until("prompt", Shell::at_verified_prompt);

        assert_eq!(shell.deliver("stty -echo; cat >got2"), Outcome::Accepted);
        shell.wait_for_file("got2");
        assert!(!probe(&shell, name).echo, "{name}");
    }
}

#[test]
fn sees_a_shell_that_took_the_place_of_the_first() {
    let mut shell = Start::new(&shell_or_skip("bash").unwrap()).at_prompt();
    let pid = shell.remote.hello().unwrap().pid;
    assert_eq!(shell.deliver("touch went; exec cat -u"), Outcome::Accepted);
    shell.until("exec", |shell| probe(shell, "dash").foreground.as_deref() == Some("cat -u"));
    assert_eq!(probe(&shell, "dash").pid, pid);
}

#[test]
fn a_program_cannot_write_lines_of_the_answer() {
    let mut shell = Start::new(&shell_or_skip("bash").unwrap()).at_prompt();
    let line = r"touch went; exec -a 'x\ncwd=/etc\nuid=0\c' cat -u";
    assert_eq!(shell.deliver(line), Outcome::Accepted);
    shell.wait_for_file("went");
    shell.until("exec", |shell| probe(shell, "dash").foreground.is_some());
    let seen = probe(&shell, "dash");
    assert_eq!(seen.foreground.as_deref(), Some(r"x\ncwd=/etc\nuid=0\c -u"));
    assert_eq!(seen.cwd.as_deref(), shell.home.path().to_str());
}
