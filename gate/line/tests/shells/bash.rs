//! bash, and what its user may have done to it.

use crate::harness::{Outcome, Shell, Start, shell_or_skip};
use crate::probe::probe;

fn start() -> Start {
    Start::new(&shell_or_skip("bash").unwrap())
}

fn at_prompt() -> Shell {
    start().file(".bash_profile", "PS1='me> '\n").at_prompt()
}

/// After these lines, a line either runs as it is or not at all.
fn equal_or_abort(before: &[&str]) -> Vec<Outcome> {
    let mut shell = at_prompt();
    for line in before {
        shell.run(line);
    }
    let lines = [
        ("touch one", vec!["one"]),
        ("touch 'two!!' \"two''\"", vec!["two!!", "two''"]),
        ("touch three\\\n-more\ntouch four", vec!["three-more", "four"]),
        ("touch 'fi\tve'", vec!["fi\tve"]),
    ];
    let mut outcomes = Vec::new();
    let mut wanted = vec![];
    for (line, files) in lines {
        let outcome = shell.outcome_of(line);
        if outcome == Outcome::Accepted {
            wanted.extend(files);
        }
        outcomes.push(outcome);
    }
    shell.until("prompt", Shell::at_verified_prompt);
    for name in &wanted {
        shell.wait_for_file(name);
    }
    let found = std::fs::read_dir(shell.home.path()).unwrap();
    let mut found: Vec<String> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "after {before:?}: {outcomes:?}");
    outcomes
}

fn all_run(before: &[&str]) {
    let outcomes = equal_or_abort(before);
    assert!(outcomes.iter().all(|o| *o == Outcome::Accepted), "{before:?}: {outcomes:?}");
}

fn none_runs(before: &[&str]) {
    let outcomes = equal_or_abort(before);
    assert!(outcomes.iter().all(|o| *o != Outcome::Accepted), "{before:?}: {outcomes:?}");
}

#[test]
fn is_a_login_shell_with_the_users_files() {
    let mut shell = start()
        .file(".bash_profile", "export ORDER=profile\n. ~/.bashrc\nPS1='me> '\n")
        .file(".bashrc", "ORDER=$ORDER,rc\n")
        .file(".profile", "ORDER=never\n")
        .file(".bash_logout", "echo bye >logout\n")
        .at_prompt();
    let screen = shell.run("echo $ORDER $0 ${-//[is]}; shopt login_shell; set -o | grep posix");
    assert!(screen.contains("profile,rc -bash hmB\r\n"), "{screen:?}");
    assert!(screen.contains("login_shell    \ton") && screen.contains("posix          \toff"));
    let screen =
        shell.run("echo $HISTFILE ${ENV-none} ${POSIXLY_CORRECT-none}; shopt inherit_errexit");
    assert!(screen.contains("/.bash_history none none\r\n"), "{screen:?}");
    assert!(screen.contains("inherit_errexit\toff"), "{screen:?}");
    shell.run("sleep 1000 & jobs; kill %1");
    assert_eq!(shell.deliver("logout"), Outcome::Accepted);
    shell.ended();
    assert_eq!(shell.content("logout"), "bye\n");
    assert!(shell.content(".bash_history").contains("sleep 1000 & jobs; kill %1\n"));
    assert!(!shell.content(".bash_history").contains("__expacti"));
}

#[test]
fn the_users_own_env_file_is_left_to_them() {
    let mut shell = start().env("ENV", "/some/file").at_prompt();
    assert!(shell.run("echo $ENV").contains("/some/file\r\n"));
}

#[test]
fn vi_mode() {
    all_run(&["set -o vi"]);
}

#[test]
fn history_expansion() {
    all_run(&["set -H"]);
    let outcomes = equal_or_abort(&["unset PROMPT_COMMAND; PS0=; set -H"]);
    assert!(matches!(&outcomes[0], Outcome::Aborted(why) if why.to_string().contains("history")));
}

#[test]
fn bracketed_paste_off() {
    all_run(&["bind 'set enable-bracketed-paste off'"]);
    all_run(&["unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'"]);
}

#[test]
fn rebound_paste_start() {
    all_run(&[r#"bind '"\e[200~": "touch BAD; "'"#]);
    all_run(&[r#"bind '"\e[200~": "touch BAD\n"'"#]);
    all_run(&[r#"unset PROMPT_COMMAND; bind '"\e[200~": "touch BAD\n"'"#]);
    all_run(&[r#"bind '"t": "touch BAD; "'"#]);
}

#[test]
fn rebound_return() {
    all_run(&[r#"bind '"\C-m": "; touch BAD\C-j"'"#]);
    all_run(&[r#"bind -x '"\C-m": touch BAD'"#]);
    all_run(&[r#"unset PROMPT_COMMAND; bind '"\C-m": "; touch BAD\C-j"'"#]);
}

#[test]
fn rebound_check_key() {
    all_run(&[r#"bind '"\C-x\C-_": "x"'"#]);
    none_runs(&[r#"unset PROMPT_COMMAND; bind '"\C-x\C-_": "; touch BAD "'"#]);
}

#[test]
fn options_that_break_scripts() {
    all_run(&["set -u"]);
    all_run(&["set -x"]);
    all_run(&["set -a"]);
    all_run(&["set -f"]);
    all_run(&["shopt -s nocasematch extglob nullglob"]);
    all_run(&["IFS=e5a"]);
    all_run(&["set -e"]);
    all_run(&["printf() { touch BAD; }", "local() { touch BAD; }"]);
}

#[test]
fn tracing_does_not_show_the_nonce() {
    let mut shell = at_prompt();
    shell.run("set -xv");
    let screen = shell.run("true");
    assert!(screen.contains("+ true") && !screen.contains("5a5a5a5a"), "{screen:?}");
}

#[test]
fn a_prompt_that_changes() {
    let mut shell = at_prompt();
    shell.run("PS1='new> '");
    assert_eq!(shell.remote.prompt(), b"new> ");
    let before = shell.run("echo ${#PS1} ${#PS2} ${#PS0}");
    for _ in 0..3 {
        shell.run("PS1=\"$PS1\" PS2=\"$PS2\" PS0=\"$PS0\"");
    }
    assert_eq!(shell.run("echo ${#PS1} ${#PS2} ${#PS0}"), before);
    shell.run("PS1=\"x$PS1\"");
    shell.run("PS1=\"x$PS1\"");
    assert_eq!(shell.remote.prompt(), b"xxnew> ");
    shell.run("PS1='\\[\\e[1m\\]two\\nlines\\$ \\[\\e[m\\]'");
    shell.run("true");
    let prompt = String::from_utf8_lossy(shell.remote.prompt()).replace("\r\r", "\r");
    assert!(
        ["\x1b[1mtwo\r\nlines# \x1b[m", "\x1b[1mtwo\r\nlines$ \x1b[m"].contains(&prompt.as_str())
    );
    all_run(&["PS1='a\\nb> '"]);
    all_run(&["PS1="]);
    all_run(&["shopt -u promptvars; PS1='x> '; shopt -s promptvars"]);
}

#[test]
fn prompt_commands_of_the_user() {
    for own in ["PROMPT_COMMAND='touch .ran;'", "PROMPT_COMMAND=(true 'touch .ran')"] {
        let mut shell = start().file(".bash_profile", own).at_prompt();
        assert!(shell.exists(".ran"));
        // The prompt right after that is changed behind the hook's back, the next one is not.
        assert_eq!(shell.deliver("PROMPT_COMMAND+=('PS1=late\\>')"), Outcome::Accepted);
        shell.until("changed prompt", |shell| shell.raw.ends_with(b"late>"));
        assert_eq!(shell.deliver("true"), Outcome::Accepted);
        shell.until("marked prompt", Shell::at_verified_prompt);
        shell.run("false");
        assert_eq!((shell.status(), shell.remote.prompt()), (Some(1), b"late>".as_slice()));
        shell.run("PROMPT_COMMAND='touch .other'");
        shell.run("true");
        assert!(shell.exists(".other"));
    }
    all_run(&["PROMPT_COMMAND=true"]);
    all_run(&["PROMPT_COMMAND=(true)"]);
}

#[test]
fn a_continuation_prompt_takes_lines_too() {
    let mut shell = at_prompt();
    assert_eq!(shell.deliver("cat >got <<X"), Outcome::Accepted);
    shell.until("continuation", Shell::at_continuation);
    assert_eq!(shell.deliver("it's !! and 'ä"), Outcome::Accepted);
    shell.until("continuation", Shell::at_continuation);
    assert_eq!(shell.deliver("X"), Outcome::Accepted);
    shell.until("prompt", Shell::at_verified_prompt);
    assert_eq!(shell.content("got"), "it's !! and 'ä\n");
}

#[test]
fn other_shells_inside_are_not_verified() {
    for inner in ["bash --norc", "exec bash --norc", "exec zsh -f", "sh", "(bash --norc)"] {
        let mut shell = at_prompt();
        assert_eq!(shell.deliver(inner), Outcome::Accepted, "{inner}");
        shell.until("inner prompt", Shell::at_some_prompt);
        assert!(!shell.at_verified_prompt(), "{inner}");
        assert!(shell.remote.delivery(b"echo !!", false).is_err());
        assert!(shell.remote.delivery(b"^a^b", false).is_err());
        assert!(shell.remote.delivery(b"a\tb", false).is_err());
        assert!(shell.remote.delivery(b"a\nb", false).is_err());
        assert_eq!(shell.deliver("touch 'in ä'"), Outcome::Accepted, "{inner}");
        shell.wait_for_file("in ä");
        assert!(!shell.at_verified_prompt(), "{inner}");
    }
}

#[test]
fn a_secret_that_is_not_echoed_is_not_sent_as_a_line() {
    let mut shell = at_prompt();
    assert_eq!(shell.deliver("read -s x; touch got"), Outcome::Accepted);
    shell.until("no echo", |shell| !probe(shell, "dash").echo);
    let outcome = shell.deliver("secret");
    assert!(matches!(outcome, Outcome::Aborted(_)), "{outcome:?}");
}

#[test]
fn a_nonce_less_marker_changes_nothing() {
    let mut shell = at_prompt();
    let screen = shell.run(r"printf '\033]133;A\a\033]133;D;3\a'; false");
    assert!(screen.contains("\x1b]133;A\x07\x1b]133;D;3\x07"), "{screen:?}");
    assert_eq!(shell.status(), Some(1));
}

#[test]
fn a_profile_that_ends_or_replaces_the_shell() {
    let mut shell = start().file(".bash_profile", "exit 3\n").start();
    assert_eq!(shell.ended(), 3);
    let mut shell = start().file(".bash_profile", "exec sh\n").start();
    shell.until("inner prompt", |s| s.raw.ends_with(b"# "));
    assert_eq!(shell.remote.phase(), expacti_line::remote::Phase::Boot);
}

/// Before 5.1, `PROMPT_COMMAND` is one string.
#[test]
fn prompt_commands_of_the_user_before_5_1() {
    let old = |own: &str| start().file(".bash_profile", own).rewrite(">= 501", ">= 999");
    for own in
        ["", "PROMPT_COMMAND='touch .ran; PS1=own\\>;'", "PROMPT_COMMAND='PS1=own\\>;touch .ran'"]
    {
        let mut shell = old(own).at_prompt();
        assert_eq!(shell.exists(".ran"), !own.is_empty());
        shell.run("false");
        assert_eq!(shell.status(), Some(1));
        shell.run("true");
        assert_eq!(shell.status(), Some(0));
        assert!(own.is_empty() || shell.remote.prompt() == b"own>");
        let before = shell.run("echo ${#PROMPT_COMMAND}");
        assert_eq!(shell.run("echo ${#PROMPT_COMMAND}"), before);
        shell.run("PROMPT_COMMAND='touch .other'");
        shell.run("true");
        assert!(shell.exists(".other"));
        shell.run("false");
        assert_eq!(shell.status(), Some(1));
    }
}
