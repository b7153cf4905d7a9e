//! zsh, and what its user may have done to it.

use crate::harness::{Outcome, Shell, Start, shell_or_skip};

fn start() -> Start {
    Start::new(&shell_or_skip("zsh").unwrap())
}

fn equal_or_abort(rc: &str, before: &[&str]) -> Vec<Outcome> {
    let mut shell = start().file(".zshrc", &format!("PS1='me> '\n{rc}\n")).at_prompt();
    for line in before {
        shell.run(line);
    }
    let lines = [
        ("touch one", vec!["one"]),
        ("touch 'two!!' \"two''\"", vec!["two!!", "two''"]),
        ("touch three\\\n-more\ntouch four", vec!["three-more", "four"]),
        ("touch 'fi\tve'", vec!["fi\tve"]),
        ("touch http://a?b=c || touch six", vec!["six"]),
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
    assert_eq!(found, wanted, "after {rc:?} {before:?}: {outcomes:?}");
    outcomes
}

fn all_run(rc: &str, before: &[&str]) {
    let outcomes = equal_or_abort(rc, before);
    assert!(outcomes.iter().all(|o| *o == Outcome::Accepted), "{rc:?} {before:?}: {outcomes:?}");
}

#[test]
fn is_a_login_shell_with_the_users_files_in_order() {
    let mut shell = start()
        .file(".zshenv", "ORDER=env\n")
        .file(".zprofile", "ORDER=$ORDER,profile\n")
        .file(".zshrc", "ORDER=$ORDER,rc\nPS1='me> '\n")
        .file(".zlogin", "ORDER=$ORDER,login\n")
        .file(".zlogout", "echo bye >logout\n")
        .at_prompt();
    let screen = shell.run("echo $ORDER $0 ${ZDOTDIR-none} $options[login] $HISTFILE");
    assert!(screen.contains("env,profile,rc,login -zsh none on\r\n"), "{screen:?}");
    assert_eq!(shell.deliver("logout"), Outcome::Accepted);
    shell.ended();
    assert_eq!(shell.content("logout"), "bye\n");
}

#[test]
fn a_zdotdir_of_the_user_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".zshrc"), "WHERE=own; PS1='own> '\n").unwrap();
    let path: &'static str = dir.path().to_str().unwrap().to_owned().leak();
    let mut shell = start().env("ZDOTDIR", path).at_prompt();
    let screen = shell.run("echo $WHERE $ZDOTDIR");
    assert!(screen.contains(&format!("own {path}\r\n")), "{screen:?}");
}

#[test]
fn the_first_prompt_of_a_theme_is_marked() {
    let theme = "theme() { PS1='theme> ' }\nprecmd_functions+=(theme)\n";
    let shell = start().file(".zshrc", theme).at_prompt();
    assert!(String::from_utf8_lossy(shell.remote.prompt()).contains("theme> "));
    all_run(theme, &[]);
}

#[test]
fn keymaps_and_rebound_keys() {
    all_run("bindkey -v", &[]);
    all_run("", &["bindkey -v"]);
    all_run("", &["bindkey -s '^[[200~' 'touch BAD^M'"]);
    all_run("", &["bindkey -s '^X^_' 'touch BAD^M'"]);
    all_run("", &["bindkey -s '^M' '; touch BAD^J'"]);
    all_run("accept-line() { BUFFER+='; touch BAD'; zle .accept-line }; zle -N accept-line", &[]);
    all_run("", &["precmd_functions=(); bindkey -s '^[[200~' 'touch BAD^M'"]);
    all_run(
        "autoload -Uz bracketed-paste-magic; zle -N bracketed-paste bracketed-paste-magic",
        &[],
    );
    all_run("autoload -Uz url-quote-magic; zle -N self-insert url-quote-magic", &[]);
}

#[test]
fn options_that_break_scripts() {
    all_run("setopt bang_hist", &[]);
    all_run("", &["setopt bang_hist"]);
    all_run("setopt ksh_arrays sh_word_split no_unset", &[]);
    all_run("setopt xtrace", &[]);
    all_run("setopt prompt_subst glob_subst extended_glob null_glob", &[]);
    all_run("setopt err_return", &[]);
    all_run("setopt warn_create_global all_export", &[]);
    all_run("print() { touch BAD }", &[]);
    all_run("zle-line-init() { : }; zle -N zle-line-init", &[]);
    all_run("precmd() { PS1='pre> ' }; preexec() { : }", &[]);
}

#[test]
fn history_expansion_that_stays_on_is_refused() {
    let rc = "zle-line-init() { setopt bang_hist }; zle -N zle-line-init";
    let outcomes = equal_or_abort(rc, &[]);
    assert!(
        matches!(&outcomes[0], Outcome::Aborted(why) if why.to_string().contains("history")),
        "{outcomes:?}"
    );
}

#[test]
fn a_prompt_that_changes_does_not_grow() {
    let mut shell = start().file(".zshrc", "PS1='me> '\n").at_prompt();
    assert!(shell.run("echo $#PS1 $#PS2").contains("94 94"));
    for _ in 0..3 {
        shell.run("PS1=\"$PS1\" PS2=\"$PS2\"");
    }
    assert!(shell.run("echo $#PS1 $#PS2").contains("94 94"));
    shell.run("PS1='new> '");
    assert_eq!(shell.remote.prompt(), b"new> ");
}

#[test]
fn a_continuation_prompt_takes_lines_too() {
    let mut shell = start().file(".zshrc", "PS1='me> '\n").at_prompt();
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
    for inner in ["bash --norc", "exec bash --norc", "exec zsh -f", "zsh -f"] {
        let mut shell = start().file(".zshrc", "PS1='me> '\n").at_prompt();
        assert_eq!(shell.deliver(inner), Outcome::Accepted, "{inner}");
        shell.until("inner prompt", Shell::at_some_prompt);
        assert!(!shell.at_verified_prompt(), "{inner}");
        assert_eq!(shell.deliver("touch inside"), Outcome::Accepted, "{inner}");
        shell.wait_for_file("inside");
        assert!(!shell.at_verified_prompt(), "{inner}");
    }
}
