//! What holds for every shell.

use std::process::{Command, Stdio};

use expacti_line::Const;
use expacti_line::remote::{Event, Phase};

use crate::harness::{Outcome, Shell, Start, shell_or_skip};

const NONCE: &str = "5a5a5a5a";
const CHECKED: [&str; 3] = ["bash", "zsh", "fish"];
const ECHOED: [&str; 4] = ["dash", "ash", "ksh", "mksh"];

fn each(names: &[&str], trial: impl Fn(&str, Start)) {
    for name in names {
        if let Some(path) = shell_or_skip(name) {
            eprintln!("{name}:");
            let start = Start::new(&path)
                .file(".profile", "PS1='me> '\n")
                .file(".zshrc", "PS1='me> '\n")
                .file(
                    ".config/fish/config.fish",
                    "set fish_greeting\nfunction fish_prompt; echo -n 'me> '; end\n",
                );
            trial(name, start);
        }
    }
}

fn every(trial: impl Fn(&str, Start)) {
    each(&CHECKED, &trial);
    each(&ECHOED, &trial);
}

/// The agent's screen without what only sets modes, colours and titles, on one row per line.
fn text(shell: &Shell, cols: usize) -> Vec<String> {
    let mut screen = avt::Terminal::new(cols, 100).unwrap();
    screen.feed(String::from_utf8_lossy(&shell.screen).as_ref());
    let lines = screen.screen().visible_lines();
    let mut lines: Vec<String> = lines.map(|line| line.text().trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[test]
fn says_hello_marks_prompts_and_tells_its_directory() {
    every(|name, start| {
        let mut shell = start.at_prompt();
        let hello = shell.remote.hello().unwrap().clone();
        assert_eq!(hello.shell, name);
        assert!(hello.tty.is_some() && hello.pid.is_some(), "{hello:?}");
        assert_eq!(hello.reports_buffer, CHECKED.contains(&name));
        assert!(String::from_utf8_lossy(shell.remote.prompt()).contains("me> "));
        assert_eq!(shell.remote.cwd(), Some(shell.home.path().to_str().unwrap()));
        std::fs::create_dir(shell.home.path().join("a b;ü%41")).unwrap();
        shell.run("cd 'a b;ü%41'");
        assert!(shell.remote.cwd().unwrap().ends_with("/a b;ü%41"), "{:?}", shell.remote.cwd());
        shell.run("false");
        assert_eq!(shell.status(), Some(1));
        shell.run("true");
        assert_eq!(shell.status(), Some(0));
    });
}

#[test]
fn prints_nothing_of_its_own_and_leaves_no_file() {
    every(|name, start| {
        let shell = start.env("TMPDIR", "/nonexistent").at_prompt_keeping_the_screen();
        // busybox greets, and fish needs the directory.
        if !["ash", "fish"].contains(&name) {
            assert_eq!(text(&shell, 80).concat().trim_end(), "me>", "{name}: {}", shell.shown());
        }
    });
    each(&["zsh"], |_, start| {
        let tmp = tempfile::tempdir().unwrap();
        let tmp_name: &'static str = tmp.path().to_str().unwrap().to_owned().leak();
        let shell = start.env("TMPDIR", tmp_name).at_prompt();
        assert!(shell.remote.hello().is_some());
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
    });
}

#[test]
fn the_agent_sees_the_output_and_not_the_echo() {
    let wide = "x".repeat(70);
    let long = "x".repeat(900);
    // ksh repeats what the terminal echoed before its line editor took over.
    each(&["bash", "zsh", "fish", "dash", "ash", "mksh"], |name, start| {
        let mut shell = start.cols(40).at_prompt();
        for line in [
            "echo abc".to_owned(),
            format!("true {wide}; echo abc"),
            format!("true {long}; echo abc"),
        ] {
            shell.run(&line);
            let lines = text(&shell, 40);
            assert_eq!(lines, ["abc", "me>"], "{name} {line}: {}", shell.shown());
        }
    });
    each(&CHECKED, |name, start| {
        let mut shell = start.cols(40).at_prompt();
        for line in ["echo a\necho b", "echo 'a\nb'"] {
            shell.run(line);
            assert_eq!(text(&shell, 40), ["a", "b", "me>"], "{name} {line}: {}", shell.shown());
        }
    });
}

#[test]
fn a_syntax_error_is_seen() {
    each(&["bash", "zsh", "dash", "ash", "ksh", "mksh"], |name, start| {
        let mut shell = start.at_prompt();
        let screen = shell.run("echo )");
        let screen = screen.to_lowercase();
        assert!(screen.contains("syntax") || screen.contains("parse error"), "{name}: {screen}");
    });
}

/// Delivers lines and runs the same lines in a plain shell; both leave the same files.
fn same_files(name: &str, start: Start, lines: &[String]) {
    let path = start.path.clone();
    let mut shell = start.at_prompt();
    let plain = tempfile::tempdir().unwrap();
    for (n, line) in lines.iter().enumerate() {
        let status = Command::new(&path)
            .args(if path.ends_with("busybox") { vec!["ash"] } else { vec![] })
            .args(["-c", line])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", plain.path())
            .current_dir(plain.path())
            .stdin(Stdio::null())
            .status()
            .unwrap();
        shell.run(line);
        assert_eq!(shell.status(), status.code().map(|c| c as u32), "{name} {line:?}");
        let expected = std::fs::read(plain.path().join(format!("f{n}"))).unwrap();
        let found = std::fs::read(shell.home.path().join(format!("f{n}"))).unwrap_or_default();
        assert_eq!(found, expected, "{name} {line:?}: {}", shell.shown());
        assert!(!expected.is_empty(), "{name} {line:?} wrote nothing");
    }
}

fn numbered(lines: &[&str]) -> Vec<String> {
    lines.iter().enumerate().map(|(n, line)| line.replace("OUT", &format!("f{n}"))).collect()
}

#[test]
fn lines_do_what_they_do_in_a_plain_shell() {
    let long = format!("echo {} >OUT", "abcdefghi ".repeat(90));
    let lines = [
        "printf '%s\\n' \"a'b\" 'c\"d' e\\ f '$x' >OUT",
        "printf '%s\\n' 'äöü 漢字 😀 é' >OUT",
        "  echo  leading  and trailing >OUT   ",
        "echo a;echo b >OUT",
        "echo a | cat >OUT",
        "echo '#' '~' '*' '[a]' '{a,b}' '%' >OUT",
        &long,
    ];
    every(|name, start| {
        // busybox may know few characters; it shows others as `?`, and those lines do not run.
        let lines: Vec<_> =
            lines.iter().copied().filter(|l| name != "ash" || l.is_ascii()).collect();
        same_files(name, start, &numbered(&lines));
    });
}

#[test]
fn checked_shells_take_tabs_newlines_bangs_and_long_lines() {
    let huge = format!("echo {} >OUT", "abcdefghi ä".repeat(1_250));
    let lines = [
        "printf '%s\\n' 'a\tb' >OUT\techo",
        "printf '%s\\n' 'a\nb\n\nc' >OUT",
        "echo '!!' '!x' '^a^b' >OUT",
        "echo a >OUT\necho b >>OUT\n",
        &huge,
    ];
    let posix = [
        "cat >OUT <<'X'\na\tb 'c\n  $d `e`\nX",
        "for i in 1 2 3\ndo\n\techo $i\ndone >OUT",
        "echo a \\\n  b >OUT",
        "^a^b 2>/dev/null; echo done >OUT",
    ];
    each(&CHECKED, |name, start| same_files(name, start, &numbered(&lines)));
    each(&["bash", "zsh"], |name, start| same_files(name, start, &numbered(&posix)));
}

#[test]
fn the_nonce_is_in_no_programs_environment() {
    every(|name, start| {
        let mut shell = start.at_prompt();
        // In zsh it is part of PS1, which each prompt takes out of the environment.
        shell.run("export PS1");
        shell.run("env >e1; cat /proc/self/environ >e2");
        for file in ["e1", "e2"] {
            assert!(shell.content(file).contains("HOME="), "{name} {file}");
            assert!(!shell.content(file).contains(NONCE), "{name} {}", shell.content(file));
            assert!(!shell.content(file).contains("EXPACTI_"), "{name} {}", shell.content(file));
        }
    });
}

#[test]
fn terminal_status_and_descriptors_are_as_usual() {
    every(|name, start| {
        let mut shell = start.at_prompt();
        shell.run("stty -a >s; ls /proc/self/fd >f; echo $SHLVL >l");
        let modes = shell.content("s").replace('\n', " ");
        for mode in [" icanon ", " echo ", " isig ", " icrnl ", " opost "] {
            assert!(modes.contains(mode), "{name} {mode}: {modes}");
        }
        if name != "fish" {
            assert!(!shell.content("f").contains('9'), "{name} {:?}", shell.content("f"));
        }
        assert!(
            ["1\n", "\n"].contains(&shell.content("l").as_str()),
            "{name} {}",
            shell.content("l")
        );
        assert_eq!(shell.deliver("exit 7"), Outcome::Accepted);
        assert_eq!(shell.ended(), 7, "{name}");
    });
}

#[test]
fn what_stands_in_the_editor_already_is_never_run() {
    every(|name, start| {
        let mut shell = start.at_prompt();
        shell.type_raw(b"touch typed ");
        let outcome = shell.deliver("echo x >ran");
        // Where no edit buffer is reported, the line is emptied before.
        let runs = outcome == Outcome::Accepted;
        assert!(!runs || ECHOED.contains(&name), "{name} {outcome:?}");
        assert_eq!(shell.outcome_of("touch after"), Outcome::Accepted, "{name}");
        shell.wait_for_file("after");
        assert!(!shell.exists("typed"), "{name}");
        assert_eq!(shell.content("ran"), if runs { "x\n" } else { "" }, "{name}");
    });
}

#[test]
fn a_shell_that_does_not_read_utf8_gets_ascii_only() {
    each(&["bash", "zsh"], |name, start| {
        let mut shell = start.env("LANG", "C").env("LC_ALL", "C").at_prompt();
        let outcome = shell.deliver("touch 'ä'");
        assert!(matches!(outcome, Outcome::Aborted(_)), "{name} {outcome:?}");
        assert_eq!(shell.outcome_of("touch ascii"), Outcome::Accepted, "{name}");
        shell.wait_for_file("ascii");
        assert!(!shell.exists("ä"), "{name}");
    });
}

#[test]
fn input_to_a_program_is_not_taken_for_a_prompt() {
    every(|name, start| {
        let mut shell = start.at_prompt();
        let events = shell.events.len();
        assert_eq!(shell.deliver("cat >got"), Outcome::Accepted, "{name}");
        shell.wait_for_file("got");
        if matches!(name, "bash" | "fish" | "zsh") {
            // It has said so, but that may not have been read yet.
            let started = |e: &Event| matches!(e, Event::CommandStart);
            shell.until("the command to start", |s| s.events[events..].iter().any(started));
        }
        assert!(!shell.at_verified_prompt(), "{name}");
        assert_eq!(shell.deliver("hello"), Outcome::Accepted, "{name}");
        shell.type_raw(Const::Eof.bytes());
        shell.until("prompt", Shell::at_verified_prompt);
        assert_eq!(shell.content("got"), "hello\n", "{name}");
        let ends = shell.events[events..].iter();
        assert_eq!(ends.filter(|e| matches!(e, Event::CommandDone { .. })).count(), 1, "{name}");
    });
}

/// `/bin/sh` is another shell on other systems.
#[test]
fn whatever_bin_sh_is() {
    for sh in ["bash --posix", "busybox sh", "mksh", "zsh --emulate sh"] {
        if shell_or_skip(sh.split(' ').next().unwrap()).is_none() {
            continue;
        }
        every(|name, start| {
            let sh = format!("exec /usr/bin/{sh} -c");
            let mut shell = start.rewrite("exec /bin/sh -c", &sh).at_prompt();
            assert_eq!(shell.remote.hello().unwrap().shell, name, "{sh}");
            shell.run("touch ran");
            assert!(shell.exists("ran"), "{sh}");
        });
    }
}

/// csh and others are not set up, but they are started.
#[test]
fn an_unknown_shell_is_started_plain() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("othersh");
    std::os::unix::fs::symlink(shell_or_skip("dash").unwrap(), &other).unwrap();
    let mut shell = Start::new(&other).start();
    shell.until("prompt", Shell::at_some_prompt);
    shell.remote.give_up();
    assert_eq!(shell.remote.phase(), Phase::Unverified);
    assert_eq!(shell.deliver("touch ran"), Outcome::Accepted);
    shell.wait_for_file("ran");
    assert_eq!(shell.remote.phase(), Phase::Unverified);
}
