//! Accounts, lines and programs that try to break what the gate set up in the shell: nothing runs
//! without an allow, nothing runs twice, and the next line finds a usable prompt.

use std::time::Duration;

use expacti_gate::Limits;
use expacti_harness::prerequisites;
use expacti_protocol::command::{Grant, PromptLabel};
use expacti_protocol::gate::{GateEvent, GateRequest};

use crate::broker::{Broker, Item, Mode};
use crate::shell_session::Session;
use crate::trial::Trial;

/// An account with this shell and start-up file, and a session of it.
struct Play {
    t: Trial,
    s: Session,
    items: usize,
    rounds: usize,
    home: tempfile::TempDir,
}

fn start_up_file(shell: &str) -> &'static str {
    match shell.rsplit('/').next().unwrap() {
        "zsh" => ".zshrc",
        "fish" => ".config/fish/config.fish",
        _ => ".profile",
    }
}

impl Play {
    /// `None` when the shell is not installed.
    async fn start(shell: &str, start_up: &str) -> Option<Self> {
        if !prerequisites::program(shell) {
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(start_up_file(shell));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, format!("{start_up}\n")).unwrap();
        let environment = format!("SetEnv HOME={} SHELL={shell}", home.path().display());
        let t = Trial::with(Mode::Manual, Limits::default(), &environment).await?;
        let s = Session::gated(&t);
        Some(Self { t, s, items: 0, rounds: 0, home })
    }

    /// At a plain prompt.
    async fn ready(shell: &str) -> Option<Self> {
        let fish = "set fish_greeting\nfunction fish_prompt; echo -n 'ready> '; end";
        let start_up = if shell.ends_with("fish") { fish } else { "PS1='ready> '\nHISTFILE=" };
        let play = Self::start(shell, start_up).await?;
        play.s.rests_at("ready> ").await;
        Some(play)
    }

    fn path(&self, name: &str) -> String {
        self.t.path(name).display().to_string()
    }

    fn content(&self, name: &str) -> String {
        std::fs::read_to_string(self.t.path(name)).unwrap_or_default()
    }

    async fn next(&mut self) -> Item {
        self.items += 1;
        self.t.broker.item(self.items - 1).await
    }

    async fn enter(&mut self, line: &str) -> Item {
        self.s.type_in(format!("{line}\r")).await;
        let item = self.next().await;
        assert_eq!(item.submission.text.command.trim_end_matches('\r'), line);
        item
    }

    /// A line that is denied and leaves nothing.
    async fn deny(&mut self, what: &str) -> PromptLabel {
        self.rounds += 1;
        let comment = format!("no {}", self.rounds);
        let item = self.enter(&format!("touch {}", self.path("denied"))).await;
        self.t.broker.deny(&item, &comment);
        self.s.sees(&comment).await;
        assert!(!self.t.path("denied").exists(), "{what}: it ran");
        item.submission.interactive.as_ref().unwrap().label
    }

    /// A line that is allowed runs once. One that was given up and is said to be so is entered
    /// again; one whose context changed comes back.
    async fn run_once(&mut self, what: &str) {
        eprintln!("{what}");
        self.rounds += 1;
        let (log, word) = (format!("log{}", self.rounds), format!("alive{}", self.rounds));
        let line = format!("echo once >> {}; echo a''live{}", self.path(&log), self.rounds);
        let given_up = "command not run";
        for _ in 0..4 {
            self.s.wipe("");
            let mut item = self.enter(&line).await;
            loop {
                self.t.broker.allow(&item);
                let seen = self.s.until(|screen| {
                    let rows = screen.rows();
                    let ran = rows.iter().any(|row| row.ends_with(&word));
                    (ran || rows.iter().any(|row| row.contains(given_up))).then_some(ran)
                });
                tokio::select! {
                    seen = seen => match seen {
                        Ok(true) => {
                            assert_eq!(self.content(&log), "once\n", "{what}");
                            return;
                        }
                        Ok(false) => break,
                        Err(screen) => panic!("{what}: neither run nor given up:\n{screen}"),
                    },
                    again = self.t.broker.item(self.items) => {
                        self.items += 1;
                        item = again;
                    }
                }
            }
            assert_eq!(self.content(&log), "", "{what}: given up, and it ran");
        }
        panic!("{what}: no line runs any more:\n{}", self.s.screen());
    }

    fn hacked(&self) -> bool {
        self.home.path().join("HACK").exists() || self.t.path("HACK").exists()
    }
}

/// Each start-up file, with a line that is denied and lines that are allowed.
async fn usable_after(shell: &str, start_up_files: &[&str]) {
    for start_up in start_up_files {
        let Some(mut play) = Play::start(shell, start_up).await else { continue };
        let what = format!("{shell}, {start_up}");
        play.s.sees("ready>").await;
        play.deny(&what).await;
        play.run_once(&what).await;
        play.run_once(&what).await;
        assert!(!play.hacked(), "{what}");
        play.s.leave().await;
    }
}

#[tokio::test]
async fn odd_start_up_files_of_bash() {
    let files = [
        "PS1='ready> '; readonly PS1",
        "PS1='ready> '; PROMPT_COMMAND=true; readonly PROMPT_COMMAND",
        "IFS=abc; PS1='ready> '; HISTFILE=",
        "alias builtin='touch HACK;' local='touch HACK;' printf='touch HACK;'; PS1='ready> '",
        "printf() { touch HACK; }; tty() { touch HACK; }; PS1='ready> '",
        "builtin() { touch HACK; }; PS1='ready> '",
        "PS1=$'top\\nשלום ready> '; shopt -s histverify histreedit; set -H",
        "trap : DEBUG; shopt -s extdebug; set -u; PS1='$(echo ready)> '",
    ];
    usable_after("/bin/bash", &files).await;
}

#[tokio::test]
async fn odd_start_up_files_of_zsh() {
    let files = [
        "PS1='ready> '; typeset -r PS1",
        "PS1='ready> '; typeset -ra precmd_functions",
        "setopt ksharrays shwordsplit nullglob nounset histverify banghist; PS1='ready> '",
        "alias -g K='; touch HACK'; alias builtin='touch HACK;'; PS1='ready> '",
        "self-insert() { LBUFFER+='touch HACK;' }; zle -N self-insert; PS1='ready> '",
        "bracketed-paste() { LBUFFER+='touch HACK;' }; zle -N bracketed-paste; PS1='ready> '",
        "bindkey -s '^X^_' '^U touch HACK^M'; RPROMPT=right; emulate sh; PS1='ready> '",
    ];
    usable_after("/usr/bin/zsh", &files).await;
}

#[tokio::test]
async fn odd_start_up_files_of_fish() {
    let prompt = "function fish_prompt; echo -n 'ready> '; end";
    let files = [
        "fish_vi_key_bindings; abbr -a echo 'touch HACK; echo'",
        "bind \\r 'commandline \"touch HACK\"; commandline -f execute'",
        "bind e 'commandline -i \"touch HACK;\"'; function fish_right_prompt; echo r; end",
    ];
    let files = files.map(|file| format!("set fish_greeting\n{prompt}\n{file}"));
    usable_after("/usr/bin/fish", &files.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn odd_start_up_files_of_other_shells() {
    for shell in ["/bin/dash", "/usr/bin/mksh"] {
        let files = [
            "PS1='ready> '; readonly PS1",
            "alias printf='touch HACK;' exec='touch HACK;' set='touch HACK;'; PS1='ready> '",
            "PS1='$(echo ready)> '; set -u; trap : EXIT",
        ];
        usable_after(shell, &files).await;
    }
}

/// What an approved line leaves behind does not break the next ones.
async fn usable_behind(shell: &str, lines: &[&str]) {
    let Some(mut play) = Play::ready(shell).await else { return };
    for line in lines {
        let what = format!("{shell}, {line}");
        let fresh = Session::gated(&play.t);
        std::mem::replace(&mut play.s, fresh).leave().await;
        play.s.rests_at("ready> ").await;
        let line = line.replace('@', &play.t.dir.path().display().to_string());
        let item = play.enter(&line).await;
        play.t.broker.allow(&item);
        play.t.broker.outcome(&item.id).await;
        play.deny(&what).await;
        play.run_once(&what).await;
        assert!(!play.hacked(), "{what}");
    }
    play.s.leave().await;
}

#[tokio::test]
async fn lines_that_break_bash() {
    let lines = [
        "unset -f __expacti_check __expacti_hook __expacti_keys __expacti_install",
        "unset __expacti_m __expacti_a __expacti_b PS0 PS1 PROMPT_COMMAND",
        "builtin() { echo hi; }",
        "bind -x '\"\\C-x\\C-_\": touch @/HACK'",
        "readonly PS1 PS2 PROMPT_COMMAND; IFS=aeiost",
        "printf '\\033[?1049h\\033[?2004h\\033[?1000h\\033[?25l\\033]0;x'",
        "export LC_ALL=POSIX TERM=dumb; stty -echo -isig",
        "(for i in 1 2 3 4 5 6 7 8; do echo noise; sleep 0.1; done) &",
        "cat & sleep 0.1; mkdir @/gone; cd @/gone; rmdir @/gone",
        "exec 2>@/err",
    ];
    usable_behind("/bin/bash", &lines).await;
}

#[tokio::test]
async fn lines_that_break_zsh() {
    let lines = [
        "unfunction __expacti_check __expacti_precmd __expacti_check_key",
        "unset __expacti_m precmd_functions",
        "zle -D __expacti_check_key",
        "readonly PS1; IFS=aeiost; set -x",
        "printf '\\033[?1049h\\033[?2004h\\033[?1000h\\033[?10'",
    ];
    usable_behind("/usr/bin/zsh", &lines).await;
}

#[tokio::test]
async fn lines_that_break_other_shells() {
    for shell in ["/bin/dash", "/usr/bin/mksh"] {
        let lines = [
            "PS1='new> '",
            "unset __expacti_m __expacti_e; PS2=",
            "readonly PS1; set -u -f",
            "printf '\\342\\202'; trap '' INT",
        ];
        usable_behind(shell, &lines).await;
    }
}

/// A prompt without markers has lines as before, `!` among them, and each of them an end.
#[tokio::test]
async fn a_posix_shell_whose_prompt_was_set_stays_a_shell() {
    let Some(mut play) = Play::ready("/bin/dash").await else { return };
    let item = play.enter("PS1='rea''dy! '").await;
    play.t.broker.allow(&item);
    play.t.broker.outcome(&item.id).await;
    play.s.rests_at("ready! ").await;
    for word in ["one", "two"] {
        let item = play.enter(&format!("echo he''y {word}! ; ! false")).await;
        let interactive = item.submission.interactive.as_ref().unwrap();
        assert_eq!(interactive.label, PromptLabel::Unverified);
        assert_eq!(item.submission.kind, expacti_protocol::command::ItemKind::Line);
        play.t.broker.allow(&item);
        let outcome = play.t.broker.outcome(&item.id).await;
        assert_eq!((outcome.unknown, outcome.exit_status), (None, None));
        play.s.sees(&format!("\nhey {word}!\nready!")).await;
    }
    play.s.leave().await;
}

#[tokio::test]
async fn what_a_program_shows_with_the_true_nonce_approves_nothing() {
    for shell in ["/bin/bash", "/usr/bin/zsh", "/bin/dash"] {
        let Some(mut play) = Play::ready(shell).await else { continue };
        let got = play.path("got");
        let forged = format!(
            "export N=\"$__expacti_m\"; sh -c 'printf \"%sA\\007\\$ %sB\\007\" \"$N\" \"$N\"; \
             cat > {got}'"
        );
        let item = play.enter(&forged).await;
        play.t.broker.allow(&item);
        play.s.rests_at("$ ").await;
        play.deny(shell).await;
        assert_eq!(play.content("got"), "", "{shell}");
        play.s.leave().await;
    }
}

/// What was typed under a grant and not ended by Return is no part of the next approved line.
#[tokio::test]
async fn what_a_grant_left_in_the_terminal_is_not_run_with_the_next_line() {
    for shell in ["/bin/dash", "/bin/bash", "/usr/bin/zsh"] {
        let Some(mut play) = Play::ready(shell).await else { continue };
        let item = play.enter("echo beg''un; sleep 1").await;
        let mut decision = Broker::decision(&item, true, None);
        decision.grant = Some(Grant { seconds: 60, bytes: 1000 });
        play.t.broker.say(GateEvent::Decision(decision));
        play.s.sees("\nbegun").await;
        let begun = |request: &GateRequest| match request {
            GateRequest::Marker { label, .. } if label.contains("grant has begun") => Some(()),
            _ => None,
        };
        play.t.broker.heard("the grant", begun).await;
        play.s.type_in(format!("touch {}; ", play.path("HACK"))).await;
        play.t.broker.outcome(&item.id).await;
        play.run_once(shell).await;
        assert!(!play.hacked(), "{shell}");
        play.s.leave().await;
    }
}

#[tokio::test]
async fn keys_before_the_shell_is_up_wait_for_it() {
    for shell in ["/bin/bash", "/usr/bin/zsh", "/bin/dash"] {
        let Some(mut play) = Play::start(shell, "sleep 0.5; PS1='ready> '").await else { continue };
        play.s.type_in("\x1b[20").await;
        play.s.type_in("0~ab\x03\x04\x1a\r\n\x1b[201~\x03").await;
        let line = format!("touch {}", play.path("denied"));
        play.s.type_in(format!("{line}\r\n")).await;
        let item = play.next().await;
        assert_eq!(item.submission.text.command, line, "{shell}");
        assert!(!play.t.path("denied").exists(), "{shell}");
        play.t.broker.deny(&item, "too early");
        play.s.sees("too early").await;
        play.run_once(shell).await;
        assert_eq!(play.t.broker.items().len(), play.items, "{shell}");
        assert!(!play.t.path("denied").exists(), "{shell}");
        play.s.leave().await;
    }
}

/// The end of a paste in two packets, with Return right behind it; and one inside the text.
#[tokio::test]
async fn the_end_of_a_paste_may_come_in_parts() {
    let Some(mut play) = Play::ready("/bin/bash").await else { return };
    let line = format!("touch {}", play.path("denied"));
    for split in 1..6 {
        let (first, rest) = "\x1b[201~\r".split_at(split);
        play.s.type_in(format!("\x1b[200~{line}\n{split}{first}")).await;
        let text = format!("{line}\n{split}");
        assert!(!play.t.broker.submitted(&text, Duration::from_millis(100)).await, "{split}");
        play.s.type_in(rest).await;
        let item = play.next().await;
        assert_eq!(item.submission.text.command, text);
        play.t.broker.deny(&item, &format!("no {split}"));
        play.s.sees(&format!("no {split}\nready>")).await;
    }
    assert_eq!(play.t.broker.items().len(), play.items);
    play.run_once("split").await;
    assert!(!play.t.path("denied").exists());
    play.s.leave().await;
}
