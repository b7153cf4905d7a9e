//! fish, and what its user may have done to it.

use crate::harness::{Outcome, Shell, Start, shell_or_skip};

fn start(config: &str) -> Option<Start> {
    let path = shell_or_skip("fish")?;
    let config =
        format!("set fish_greeting\nfunction fish_prompt; echo -n 'me> '; end\n{config}\n");
    Some(Start::new(&path).file(".config/fish/config.fish", &config))
}

/// After these lines, a line either runs as it is or not at all.
fn equal_or_abort(config: &str, before: &[&str]) -> Vec<Outcome> {
    let Some(start) = start(config) else { return Vec::new() };
    let mut shell = start.at_prompt();
    for line in before {
        shell.run(line);
    }
    let lines = [
        ("touch one", vec!["one"]),
        (" touch 'two!!' \"two''\"", vec!["two!!", "two''"]),
        ("if true\n\ttouch three\nend", vec!["three"]),
        ("touch 'fi\tve' 'it\\'s'", vec!["fi\tve", "it's"]),
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
    assert_eq!(found, wanted, "after {config:?} {before:?}: {outcomes:?}");
    outcomes
}

fn all_run(config: &str, before: &[&str]) {
    let outcomes = equal_or_abort(config, before);
    assert!(
        outcomes.iter().all(|o| *o == Outcome::Accepted),
        "{config:?} {before:?}: {outcomes:?}"
    );
}

#[test]
fn key_bindings() {
    all_run("", &[]);
    all_run("fish_vi_key_bindings", &[]);
    all_run("", &["fish_vi_key_bindings"]);
    all_run("", &["bind \\e\\[200~ 'touch BAD'"]);
    all_run("", &["bind \\cx\\c_ 'touch BAD'"]);
    all_run("", &["bind \\r 'commandline -a \"; touch BAD\"; commandline -f execute'"]);
    all_run("abbr -a touch 'touch BAD;'", &[" set -e fish_user_abbreviations; abbr -e touch"]);
}

#[test]
fn a_prompt_that_changes() {
    let Some(start) = start("") else { return };
    let mut shell = start.at_prompt();
    shell.run("function fish_prompt; echo -n 'new> '; end");
    shell.run("true");
    assert!(String::from_utf8_lossy(shell.remote.prompt()).contains("new> "));
    shell.run("false");
    assert_eq!(shell.status(), Some(1));
}

#[test]
fn a_line_it_would_not_run_is_refused_and_cleared() {
    let Some(start) = start("") else { return };
    let mut shell = start.at_prompt();
    for line in ["if true", "echo )", "echo 'a"] {
        assert!(matches!(shell.outcome_of(line), Outcome::Aborted(_)), "{line}");
    }
    assert_eq!(shell.outcome_of("touch after"), Outcome::Accepted);
    shell.wait_for_file("after");
}
