//! What reads the terminal lies, is nested, or draws in its own way: what is typed is held all the
//! same, and what is approved runs as it was reviewed or not at all.

use std::time::{Duration, Instant};

use expacti_harness::prerequisites;
use expacti_protocol::command::{ItemKind, PromptLabel};

use crate::broker::{Item, Mode};
use crate::shell_session::{Screen, Session};
use crate::trial::Trial;

const SHELLS: [&str; 2] = ["/bin/bash", "/usr/bin/zsh"];

/// A session with a reviewer who looks at one item after another.
struct Play {
    t: Trial,
    s: Session,
    items: usize,
}

impl Play {
    async fn new(shell: &str) -> Option<Self> {
        let t = Trial::with_shell(Mode::Manual, shell).await?;
        let s = Session::gated(&t);
        s.rests_at("ready> ").await;
        Some(Self { t, s, items: 0 })
    }

    fn path(&self, name: &str) -> String {
        self.t.path(name).display().to_string()
    }

    fn exists(&self, name: &str) -> bool {
        self.t.path(name).exists()
    }

    async fn next(&mut self) -> Item {
        self.items += 1;
        self.t.broker.item(self.items - 1).await
    }

    async fn enter(&mut self, line: &str) -> Item {
        self.s.type_in(format!("{line}\r")).await;
        let item = self.next().await;
        assert_eq!(text(&item).trim_end_matches('\r'), line, "{}", self.s.screen());
        item
    }

    /// Starts a program that shows this prompt.
    async fn open(&mut self, line: &str, prompt: &str) {
        let item = self.enter(line).await;
        self.t.broker.allow(&item);
        self.s.rests_at(prompt).await;
    }

    /// Lets a line run; the screen shows this afterwards.
    async fn run(&mut self, line: &str, shown: &str) -> Item {
        let item = self.enter(line).await;
        self.t.broker.allow(&item);
        self.s.sees(shown).await;
        item
    }

    /// Holds a line that would leave a file, denies it, and holds the next one.
    async fn denied_leaves_nothing(&mut self, context: &str) -> Item {
        let line = format!("touch {}", self.path("denied"));
        let item = self.enter(&line).await;
        assert!(!self.exists("denied"), "{context}");
        self.t.broker.deny(&item, "not here");
        // In the alternate screen the message has no row of its own.
        self.s.sees("not here").await;
        item
    }
}

fn text(item: &Item) -> &str {
    &item.submission.text.command
}

fn label(item: &Item) -> PromptLabel {
    item.submission.interactive.as_ref().unwrap().label
}

#[tokio::test]
async fn nested_shells_are_held_and_never_called_verified() {
    for shell in SHELLS {
        for nested in ["bash --norc", "exec bash --norc", "exec zsh -f", "zsh -f", "sh", "dash"] {
            let Some(mut play) = Play::new(shell).await else { continue };
            let context = format!("{nested} in {shell}");
            play.open(&format!("PS1='in''ner> ' {nested}"), "inner> ").await;
            let item = play.denied_leaves_nothing(&context).await;
            assert_eq!(item.submission.kind, ItemKind::Input, "{context}");
            assert_ne!(label(&item), PromptLabel::Verified, "{context}");
            let made = format!("touch {}; echo it''self", play.path("made"));
            play.run(&made, "\nitself\ninner>").await;
            assert!(play.exists("made"), "{context}");
            if nested.contains("bash") || nested.contains("zsh") {
                // It may be expanded there: never sent.
                let item = play.enter("echo !!").await;
                play.t.broker.allow(&item);
                play.s.sees("command not run").await;
            }
            play.s.leave().await;
        }
    }
}

#[tokio::test]
async fn ssh_inside_ssh_is_held() {
    let Some(mut play) = Play::new("/bin/bash").await else { return };
    let ssh = format!(
        "ssh -F/dev/null -tt -e none -oBatchMode=yes -oStrictHostKeyChecking=yes \
         -oUserKnownHostsFile={} -oIdentityFile={} -p{} 127.0.0.1 \
         'PS1=inne\"r> \" bash --norc'",
        play.path("known_hosts"),
        play.path("id"),
        play.t.sshd.port
    );
    play.open(&ssh, "inner> ").await;
    let item = play.denied_leaves_nothing("ssh").await;
    assert_ne!(label(&item), PromptLabel::Verified);
    play.run(&format!("touch {}; echo it''self", play.path("made")), "\nitself\ninner>").await;
    assert!(play.exists("made"));
    play.s.leave().await;
}

#[tokio::test]
async fn tmux_inside_is_held() {
    if prerequisites::command("tmux").is_none() {
        return;
    }
    let Some(mut play) = Play::new("/bin/bash").await else { return };
    let socket = play.path("tmux");
    let start = format!("tmux -S {socket} -f /dev/null new 'PS1=inne\"r> \" bash --norc'");
    let item = play.enter(&start).await;
    play.t.broker.allow(&item);
    play.s.sees("inner>").await;
    let item = play.denied_leaves_nothing("tmux").await;
    assert_eq!(item.submission.kind, ItemKind::Keys);
    // What tmux would take for a key of its own is held as well.
    play.s.type_in(format!("\x02:run 'touch {}'\r", play.path("denied"))).await;
    let item = play.next().await;
    play.t.broker.deny(&item, "no");
    let line = format!("touch {}; tmux -S {socket} kill-server", play.path("made"));
    let item = play.enter(&line).await;
    assert!(!play.exists("denied"));
    play.t.broker.allow(&item);
    play.s.rests_at("ready> ").await;
    assert!(play.exists("made"));
    play.s.leave().await;
}

/// Each of these would hide what it runs if the missing echo, or a prompt, made it a secret.
#[tokio::test]
async fn a_shell_that_asks_for_a_password_is_shown_as_the_shell_it_is() {
    for shell in SHELLS {
        for (start, prompt) in [
            ("stty -echo; PS1='Pass''word: ' sh", "Password: "),
            ("stty -echo; env PS1='to''ken> ' sh", "token> "),
            ("env PS1='to''ken> ' sh", "token> "),
            ("stty -echo; export PS1='Pass''word: '; exec sh", "Password: "),
            ("stty -echo; export PS1='Pass''word: '; exec -a su''do sh", "Password: "),
            ("cp $(command -v sh) su''do; stty -echo; env PS1='Pass''word: ' ./sudo", "Password: "),
        ] {
            if start.contains("exec -a") && !shell.ends_with("bash") {
                continue;
            }
            let Some(mut play) = Play::new(shell).await else { continue };
            play.run(&format!("cd {}", play.t.dir.path().display()), "ready>").await;
            play.open(start, prompt).await;
            play.s.type_in(format!("touch {}\r", play.path("denied"))).await;
            let item = play.next().await;
            let interactive = item.submission.interactive.as_ref().unwrap();
            assert!(!interactive.secret, "{shell}: {start}");
            assert!(item.submission.text.command.contains("touch"), "{shell}: {start}");
            assert!(!play.exists("denied"));
            play.t.broker.deny(&item, "no");
            play.s.sees("denied — no").await;
            play.s.leave().await;
        }
    }
}

/// Programs that ask for a password, with their own prompts.
#[tokio::test]
async fn a_known_program_that_asks_for_a_password_gets_a_secret() {
    let askers = [
        ("ssh-keygen", "ssh-keygen -q -t ed25519 -f ./k", "passphrase):"),
        ("psql", "psql -W -h 127.0.0.1 -p 1 x", "\nPassword:"),
        ("openssl", "openssl genrsa -aes256 -out ./k 2048", "phrase:"),
    ];
    for (program, start, prompt) in askers {
        if prerequisites::command(program).is_none() {
            continue;
        }
        let Some(mut play) = Play::new("/bin/bash").await else { return };
        play.run(&format!("cd {}", play.t.dir.path().display()), "ready>").await;
        let item = play.enter(start).await;
        play.t.broker.allow(&item);
        play.s.sees(prompt).await;
        play.s.type_in("hunter2\r").await;
        let item = play.next().await;
        assert!(item.submission.interactive.as_ref().unwrap().secret, "{program}");
        assert!(item.submission.notes.is_empty(), "{:?}", item.submission.notes);
        play.t.broker.deny(&item, "no");
        play.s.sees("denied — no").await;
        play.s.leave().await;
    }
}

#[tokio::test]
async fn forged_markers_do_not_make_a_prompt() {
    let guessed = "0123456789abcdef0123456789abcdef";
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        let forged = format!(
            "printf '\\033]133;A\\a\\033]133;B\\a\\033]133;{guessed};D;0\\a\
             \\033]133;{guessed};A\\a$ \\033]133;{guessed};B\\a\\033[?2004h'; cat > /dev/null"
        );
        let item = play.enter(&forged).await;
        play.t.broker.allow(&item);
        play.s.rests_at("$ ").await;
        let item = play.denied_leaves_nothing(shell).await;
        assert_eq!(item.submission.kind, ItemKind::Input, "{shell}");
        assert_eq!(label(&item), PromptLabel::Cooked, "{shell}");
        // A check report of their own does not help either: they do not know the nonce.
        play.s.wipe("$ ");
        play.s.type_in("\x03").await;
        play.s.rests_at("ready> ").await;
        let hook = format!("printf '\\033]133;{guessed};K;U;echo safe\\a\\033]133;A\\a'");
        let line = if shell.ends_with("zsh") {
            format!("precmd() {{ {hook}; }}")
        } else {
            format!("PROMPT_COMMAND+=(\"{}\")", hook.replace('\\', "\\\\"))
        };
        play.run(&line, "ready>").await;
        play.s.rests_at("ready> ").await;
        play.run("echo sa''fe", "\nsafe\nready>").await;
        play.s.leave().await;
    }
}

/// Equal or aborted: never something else.
#[tokio::test]
async fn changed_keys_run_the_line_as_it_is_or_not_at_all() {
    let bash = [
        "set -o vi",
        "bind '\"\\e[200~\": self-insert'",
        "bind '\"\\e[200~\": \"echo other\"'",
        "bind '\"\\e[201~\": \"; echo other\"'",
        "bind '\"c\": \"; echo other; \"'",
        "bind '\"\\C-x\\C-_\": \"; echo other\"'",
        "bind 'set enable-bracketed-paste off'",
        "bind -r '\\C-x\\C-_'",
        "bind 'RETURN: \"; echo other\\n\"'",
        "bind '\"\\C-m\": kill-whole-line'",
        "PROMPT_COMMAND+=('bind \"set enable-bracketed-paste off\"')",
        "set -o histexpand",
    ];
    let zsh = [
        "bindkey -v",
        "bindkey '^[[200~' self-insert",
        "bindkey -s '^[[200~' 'echo other'",
        "bindkey -s c '; echo other; '",
        "bindkey -s '^X^_' '; echo other'",
        "bindkey -r '^X^_'",
        "bindkey '^M' kill-whole-line",
        "unset zle_bracketed_paste",
        "setopt banghist",
        "self-insert() { LBUFFER+='; echo other'; }; zle -N self-insert",
        "accept-line() { BUFFER='echo other'; zle .accept-line; }; zle -N accept-line",
    ];
    for (shell, changes) in [("/bin/bash", &bash[..]), ("/usr/bin/zsh", &zsh[..])] {
        for change in changes {
            let Some(mut play) = Play::new(shell).await else { continue };
            let item = play.enter(change).await;
            play.t.broker.allow(&item);
            play.t.broker.outcome(&item.id).await;
            let item = play.enter("echo c''alm").await;
            play.t.broker.allow(&item);
            let outcome = play.t.broker.outcome(&item.id).await;
            let ran = outcome.unknown.is_none();
            play.s.sees(if ran { "\ncalm" } else { "command not run" }).await;
            let screen = play.s.screen();
            let other = screen.lines().any(|row| row == "other");
            // What replaces the line when Return is pressed was approved as a command itself.
            assert!(
                !other || change.contains("RETURN") || change.contains("accept-line"),
                "{shell}, {change}:\n{screen}"
            );
            play.s.leave().await;
        }
    }
}

#[tokio::test]
async fn history_is_never_expanded_at_the_prompt() {
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        play.run("echo fir''st", "\nfirst\nready>").await;
        play.run("echo '!!' !e", "\n!! !e\nready>").await;
        let item = play.enter("!!").await;
        play.t.broker.allow(&item);
        play.s.sees("not found").await;
        play.s.leave().await;
    }
}

/// Lines at odd prompts look on the screen as they do without the gate.
#[tokio::test]
async fn prompts_of_every_shape_look_as_without_the_gate() {
    let wide = format!("PS1='{}ready> '", "w".repeat(72));
    let exact = format!("PS1='{}> '", "w".repeat(78));
    let over = format!("PS1='{}ready> '", "w".repeat(100));
    let kanji = format!("PS1='{}ready> '", "漢".repeat(36));
    // Each with what stands before the cursor then.
    let bash = [
        ("PS1='two\\nready> '", "ready> "),
        ("PS1='\\[\\e[1;32m\\]\\u\\[\\e[0m\\]:\\W ready> '", " ready> "),
        ("PS1='\\e[31mun-bracketed\\e[0m ready> '", "d ready> "),
        ("PS1='\\[\\e]0;title\\a\\]ready> '", "ready> "),
        ("PS1='$(echo sub) ready> '", "sub ready> "),
        ("PS1='\\n\\n> '", "> "),
        ("PS1='äö 漢 ready> '", "漢 ready> "),
        (wide.as_str(), "wready> "),
        (&exact, ""),
        (&over, "wready> "),
        (&kanji, "漢ready> "),
    ];
    let zsh = [
        ("PS1=$'two\\nready> '", "ready> "),
        ("PS1='%F{green}%n%f:%1~ ready> '", " ready> "),
        ("PS1='%B%(?.ok.bad)%b ready> '", " ready> "),
        ("setopt prompt_subst; PS1='$(echo sub) ready> '", "sub ready> "),
        ("PS1='äö 漢 ready> '", "漢 ready> "),
        (&wide, "wready> "),
        (&over, "wready> "),
        (&kanji, "漢ready> "),
    ];
    for (shell, prompts) in [("/bin/bash", &bash[..]), ("/usr/bin/zsh", &zsh[..])] {
        let Some(t) = Trial::with_shell(Mode::Auto, shell).await else { return };
        let home = t.path("home");
        std::fs::create_dir(&home).unwrap();
        for name in [".profile", ".zshrc"] {
            std::fs::write(home.join(name), "PS1='ready> '\nHISTFILE=\nset +H\n").unwrap();
        }
        let name = shell.rsplit('/').next().unwrap();
        let start = format!(
            "HOME={h} ZDOTDIR={h} LC_ALL=C.UTF-8 exec {shell} -c 'exec -a -{name} {shell}'",
            h = home.display()
        );
        for (change, prompt) in prompts {
            let (mut gated, mut direct) = (Session::gated(&t), Session::direct(&t, &start));
            for session in [&mut gated, &mut direct] {
                session.rests_at("ready> ").await;
                session.wipe("");
                session.type_in("stty rows 24 cols 80; export LC_ALL=C.UTF-8\r").await;
                session.rests_at("ready> ").await;
                session.wipe("ready> ");
                session.type_in(format!("{change}; echo s''et\r")).await;
                session.sees("\nset\n").await;
                let lines = [
                    ("echo one-$((0+1))", "\none-1\n"),
                    ("echo fa''lse; false", "\nfalse\n"),
                    ("echo 漢字 three-$((1+2))", "\n漢字 three-3\n"),
                    ("echo e''nd; exec sleep 1000", "\nend"),
                ];
                for (line, shown) in lines {
                    // A prompt as wide as the screen leaves nothing before the cursor.
                    let there = |s: &Screen| {
                        let full = prompt.is_empty() && s.above_cursor().trim_end().ends_with('>');
                        let before = s.before_cursor();
                        (full || !prompt.is_empty() && before.ends_with(prompt)).then_some(())
                    };
                    session.until(there).await.unwrap();
                    session.type_in(format!("{line}\r")).await;
                    session.sees(shown).await;
                }
            }
            let (a, b) = (gated.screen(), direct.screen());
            assert_eq!(a.trim_end(), b.trim_end(), "{shell}, {change}");
            gated.leave().await;
            direct.leave().await;
        }
    }
}

#[tokio::test]
async fn lines_typed_ahead_wait_and_run_once() {
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        let log = play.path("log");
        let alarm = play.path("alarm");
        let made = std::process::Command::new("mkfifo").arg(&alarm).status().unwrap();
        assert!(made.success());
        let item = play.enter(&format!("cat {alarm}; echo a''wake")).await;
        play.t.broker.allow(&item);
        play.s.type_in(format!("echo once >> {log}\r")).await;
        let item = play.next().await;
        assert_eq!(text(&item), format!("echo once >> {log}"));
        assert!(!play.exists("log"));
        tokio::task::spawn_blocking(|| std::fs::write(alarm, "")).await.unwrap().unwrap();
        play.s.sees("\nawake").await;
        play.t.broker.allow(&item);
        // Held as input to a program that has ended since, it comes back to be reviewed.
        if item.submission.kind == ItemKind::Input {
            let again = play.next().await;
            assert_eq!(again.submission.kind, ItemKind::Line, "{shell}");
            play.t.broker.allow(&again);
        }
        play.run("echo af''ter", "\nafter\nready>").await;
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "once\n", "{shell}");
        play.s.leave().await;
    }
}

#[tokio::test]
async fn a_flood_is_stopped_by_an_interrupt() {
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        let started = Instant::now();
        let item = play.enter("yes flood | head -c 50M").await;
        play.t.broker.allow(&item);
        play.s.sees("flood\nflood").await;
        play.s.type_in("\x03").await;
        play.s.rests_at("ready> ").await;
        play.run("echo d''ry", "\ndry\nready>").await;
        assert!(started.elapsed() < Duration::from_secs(25), "{shell}: {:?}", started.elapsed());
        play.s.leave().await;
    }
}

#[tokio::test]
async fn a_line_of_300_kib_is_refused_whole() {
    let Some(mut play) = Play::new("/bin/bash").await else { return };
    let path = play.path("denied");
    let long = format!("{}; touch {path}", "x".repeat(300 * 1024));
    play.s.type_in(format!("\x1b[200~{long}\x1b[201~\r")).await;
    play.s.sees("expacti: too much typed ahead: all of it was dropped").await;
    play.s.wipe("ready> ");
    play.s.type_in(format!("{long}\r")).await;
    play.s.sees("expacti: not sent: the line is longer").await;
    let item = play.enter("echo fine").await;
    assert_eq!(play.t.broker.items().len(), 1);
    play.t.broker.deny(&item, "no");
    assert!(!play.exists("denied"));
    play.s.leave().await;
}

#[tokio::test]
async fn ten_thousand_keys_typed_ahead_are_kept_and_more_are_dropped_whole() {
    let Some(mut play) = Play::new("/bin/bash").await else { return };
    let item = play.enter("echo first").await;
    let ahead = format!("echo {} | wc -c", "k".repeat(9_988));
    play.s.type_in(format!("{ahead}\r")).await;
    play.t.broker.deny(&item, "no");
    let item = play.next().await;
    assert_eq!(text(&item), ahead);
    play.s.type_in(format!("touch {}\r", play.path("denied")).repeat(3_000)).await;
    play.t.broker.allow(&item);
    play.s.sees("too much typed ahead").await;
    play.s.sees("\n9989\nready>").await;
    // Of what was left when the rest was dropped nothing runs unseen.
    for item in play.t.broker.items().iter().skip(play.items) {
        assert_eq!(text(item), format!("touch {}", play.path("denied")));
    }
    assert!(!play.exists("denied"));
    play.s.leave().await;
}

#[tokio::test]
async fn characters_split_over_packets_are_one() {
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        for byte in "echo ä漢🙂é | cat\r".bytes() {
            play.s.type_in([byte]).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let item = play.next().await;
        assert_eq!(text(&item), "echo ä漢🙂é | cat", "{shell}");
        play.t.broker.deny(&item, "no");
        play.s.leave().await;
    }
}

/// A question behind a password is a question: its answer is echoed, and reaches the program.
#[tokio::test]
async fn a_question_after_a_password_is_no_password() {
    for shell in SHELLS {
        let Some(mut play) = Play::new(shell).await else { continue };
        for round in 0..5 {
            play.open("printf 'Pass''word: '; read -rs x; echo; echo got-${#x}", "Password: ")
                .await;
            play.s.type_in("open sesame\r").await;
            let item = play.next().await;
            assert_eq!(label(&item), PromptLabel::NoEcho, "{shell} {round}");
            play.t.broker.allow(&item);
            play.s.sees("\ngot-11\nready>").await;
            play.s.rests_at("ready> ").await;
            play.s.wipe("ready> ");
            play.open("printf 'Na''me? '; read -r n; echo hel''lo $n", "Name? ").await;
            let item = play.enter("world").await;
            assert_eq!(label(&item), PromptLabel::Cooked, "{shell} {round}");
            play.t.broker.allow(&item);
            play.s.sees("Name? world\nhello world\nready>").await;
            play.s.rests_at("ready> ").await;
            play.s.wipe("ready> ");
        }
        play.s.leave().await;
    }
}
