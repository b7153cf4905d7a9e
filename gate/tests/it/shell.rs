//! Interactive shells through the gate: real ssh, real sshd, real shells.

use std::process::Stdio;
use std::time::Duration;

use expacti_harness::prerequisites;
use expacti_protocol::command::{Grant, ItemKind, PromptLabel};
use expacti_protocol::gate::{DecisionKind, GateEvent, GateRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;

use crate::broker::{Broker, Item, Mode};
use crate::trial::{Trial, text};

/// An agent at a terminal.
pub struct Agent {
    child: Child,
    stdin: ChildStdin,
    seen: watch::Receiver<Vec<u8>>,
}

impl Agent {
    pub fn start(trial: &Trial) -> Self {
        let mut child = trial.ssh(&["-tt", "target"]).stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (out, seen) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut piece).await {
                out.send_modify(|all| all.extend_from_slice(&piece[..n]));
            }
        });
        Self { child, stdin, seen }
    }

    pub async fn type_in(&mut self, keys: impl AsRef<[u8]>) {
        self.stdin.write_all(keys.as_ref()).await.unwrap();
    }

    /// What the screen would show: every row that was ever written, as an emulator sees it.
    pub fn screen(&self) -> String {
        let mut terminal = avt::Terminal::new(80, 500).unwrap();
        terminal.feed(&*text(&self.seen.borrow()));
        let rows: Vec<String> =
            terminal.screen().visible_lines().map(|l| l.text().trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    pub async fn sees(&mut self, what: &str) {
        let mut seen = self.seen.clone();
        let waiting = async {
            while !self.screen().contains(what) {
                if seen.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.ok();
        assert!(self.screen().contains(what), "no {what:?} in:\n{}", self.screen());
    }

    /// Ends the shell by hanging up.
    pub async fn leave(mut self) {
        self.child.kill().await.ok();
    }

    pub async fn exit_status(mut self) -> i32 {
        drop(self.stdin);
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        ended.expect("ssh ends").unwrap().code().unwrap_or(-1)
    }
}

async fn trial(shell: &str) -> Option<Trial> {
    Trial::with_shell(Mode::Manual, shell).await
}

fn allow(trial: &Trial, item: &Item) {
    trial.broker.allow(item);
}

fn command(item: &Item) -> &str {
    &item.submission.text.command
}

#[tokio::test]
async fn an_approved_line_runs_and_looks_as_if_typed() {
    for shell in ["/bin/bash", "/usr/bin/zsh", "/bin/dash"] {
        let Some(t) = trial(shell).await else { continue };
        let mut agent = Agent::start(&t);
        agent.sees("ready>").await;
        agent.type_in("echo on\x1b[De \x02\x02\x02\x02\x02\x02\x02\x02X\x08\x05tw'o'\r").await;
        let item = t.broker.item(0).await;
        assert_eq!(command(&item), "echo oe ntw'o'", "{shell}");
        assert_eq!(item.submission.kind, ItemKind::Line);
        let label = item.submission.interactive.as_ref().unwrap().label;
        assert_eq!(label, PromptLabel::Verified, "{shell}");
        agent.sees("expacti: waiting for review").await;
        allow(&t, &item);
        agent.sees("oe ntwo\nready>").await;
        let outcome = t.broker.outcome(&item.id).await;
        assert_eq!(outcome.unknown, None, "{shell}");
        assert!(
            agent.screen().ends_with("ready> echo oe ntw'o'\noe ntwo\nready>"),
            "{shell}:\n{}",
            agent.screen()
        );
        // It is that shell.
        agent.type_in("ps -p $$ -o comm=\r").await;
        allow(&t, &t.broker.item(1).await);
        let name = shell.rsplit('/').next().unwrap();
        agent.sees(&format!("comm=\n{name}\nready>")).await;
        agent.type_in("exit 7\r").await;
        let item = t.broker.item(2).await;
        allow(&t, &item);
        assert_eq!(agent.exit_status().await, 7, "{shell}");
        assert_eq!(t.broker.outcome(&item.id).await.exit_status, Some(7), "{shell}");
    }
}

#[tokio::test]
async fn a_denied_line_leaves_an_empty_prompt() {
    for shell in ["/bin/bash", "/usr/bin/zsh"] {
        let Some(t) = trial(shell).await else { continue };
        let mut agent = Agent::start(&t);
        agent.sees("ready>").await;
        agent.type_in(format!("touch {}\r", t.path("p").display())).await;
        let item = t.broker.item(0).await;
        t.broker.deny(&item, "not now");
        agent.sees("expacti: command denied — not now\nready>").await;
        agent.type_in("echo next\r").await;
        let item = t.broker.item(1).await;
        assert_eq!(command(&item), "echo next");
        allow(&t, &item);
        agent.sees("\nnext\nready>").await;
        assert!(!t.path("p").exists());
        agent.leave().await;
    }
}

/// Whatever is typed, nothing runs without an allow: and what is held is what was meant.
#[tokio::test]
async fn key_sequences_at_a_prompt() {
    for shell in ["/bin/bash", "/usr/bin/zsh"] {
        let Some(t) = trial(shell).await else { continue };
        let mut agent = Agent::start(&t);
        agent.sees("ready>").await;
        let p = t.path("p").display().to_string();
        let cases: Vec<(String, Option<String>)> = vec![
            (format!("touch {p}\n"), Some(format!("touch {p}"))),
            (format!("echo $(touch {p})\t\r"), Some(format!("echo $(touch {p})"))),
            ("!!\r".to_owned(), Some("!!".to_owned())),
            (format!("rm x\x7f\x7f\x7f\x7fls {p}\r"), Some(format!("ls {p}"))),
            ("abc\x01\x0bls\r".to_owned(), Some("ls".to_owned())),
            (format!("\x1b[200~a\ntouch {p}\x1b[201~\r"), Some(format!("a\ntouch {p}"))),
            (format!("\x1b[200~x\x1b[201~;touch {p}\r"), Some(format!("x;touch {p}"))),
            ("\x1b[24;80Rls\r".to_owned(), Some("ls".to_owned())),
            (format!("cat <<E\ntouch {p}\nE\n"), Some(format!("cat <<E\ntouch {p}\nE"))),
            ("echo a\u{202e}b\r".to_owned(), Some("echo a\u{202e}b".to_owned())),
        ];
        let mut n = 0;
        for (keys, held) in cases {
            // One byte a packet is the hardest way; ssh itself sends what it reads.
            for byte in keys.as_bytes() {
                agent.type_in([*byte]).await;
            }
            if let Some(held) = held {
                let item = t.broker.item(n).await;
                n += 1;
                assert_eq!(command(&item), held, "{shell} {keys:?}");
                t.broker.deny(&item, &format!("no {n}"));
                agent.sees(&format!("no {n}\nready>")).await;
            }
        }
        // Refused by the gate itself, and nothing of it stays in the line.
        for keys in ["\x1b[200~a\0b\x1b[201~", "\x1b[200~a\x1bb\x1b[201~", "a\u{9b}b"] {
            agent.type_in(keys).await;
            agent.type_in("\r").await;
        }
        agent.type_in("true end\r").await;
        let item = t.broker.item(n).await;
        assert_eq!(command(&item), "true end", "{shell}: {:?}", agent.screen());
        assert_eq!(t.broker.items().len(), n + 1);
        assert!(!t.path("p").exists(), "{shell}");
        agent.leave().await;
    }
}

#[tokio::test]
async fn four_lines_in_one_packet_are_four_items_in_order() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    agent.type_in("echo 1\recho 2\recho 3\recho 4\r").await;
    for n in 0..4 {
        let item = t.broker.item(n).await;
        assert_eq!(command(&item), format!("echo {}", n + 1));
        assert_eq!(t.broker.items().len(), n + 1);
        allow(&t, &item);
    }
    agent.sees("4\nready>").await;
    agent.leave().await;
}

#[tokio::test]
async fn an_interrupt_takes_the_held_line_back() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    agent.type_in(format!("touch {}\r", t.path("p").display())).await;
    let item = t.broker.item(0).await;
    agent.type_in("touch typed-ahead\r\x03").await;
    t.broker.heard("withdraw", |r| matches!(r, GateRequest::Withdraw { .. }).then_some(())).await;
    agent.sees("expacti: command withdrawn\nready>").await;
    // Too late: it does nothing.
    allow(&t, &item);
    agent.type_in("echo fresh\r").await;
    let next = t.broker.item(1).await;
    assert_eq!(command(&next), "echo fresh");
    allow(&t, &next);
    agent.sees("fresh\nready>").await;
    assert!(!t.path("p").exists());
    agent.leave().await;
}

#[tokio::test]
async fn a_context_that_changed_voids_the_approval() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    let p = t.path("p");
    let fifo = t.path("fifo").display().to_string();
    std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    // A program that reads the terminal until the test lets it end.
    let line = format!("sh -c 'cat >/dev/null & c=$!; read x <{fifo}; kill $c' ; :");
    agent.type_in(format!("{line}\r")).await;
    let item = t.broker.item(0).await;
    allow(&t, &item);
    t.broker.heard("released", |r| matches!(r, GateRequest::Release { .. }).then_some(())).await;
    // It runs: the line is input to it.
    agent.type_in(format!("touch {}\r", p.display())).await;
    let input = t.broker.item(1).await;
    assert_eq!(input.submission.kind, ItemKind::Input);
    std::fs::write(&fifo, "go\n").unwrap();
    agent.sees("\nready>").await;
    allow(&t, &input);
    let again = t.broker.item(2).await;
    assert_eq!(again.submission.kind, ItemKind::Line);
    assert_eq!(command(&again), command(&input));
    assert!(again.submission.notes.iter().any(|n| n.contains("context changed")));
    assert!(!p.exists());
    t.broker.deny(&again, "no");
    agent.sees("denied — no\nready>").await;
    assert!(!p.exists());
    agent.leave().await;
}

#[tokio::test]
async fn a_password_is_marked_and_never_shown() {
    if prerequisites::command("ssh-keygen").is_none() {
        return;
    }
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    let key = t.path("locked");
    agent.type_in(format!("ssh-keygen -q -t ed25519 -f {}; echo made-$?\r", key.display())).await;
    allow(&t, &t.broker.item(0).await);
    for (n, prompt) in [(1, "no passphrase):"), (2, "again:")] {
        agent.sees(prompt).await;
        agent.type_in("hunter2\r").await;
        let item = t.broker.item(n).await;
        let interactive = item.submission.interactive.clone().unwrap();
        assert!(interactive.secret);
        assert_eq!(interactive.label, PromptLabel::NoEcho);
        assert_eq!(command(&item), "hunter2");
        allow(&t, &item);
    }
    agent.sees("\nmade-0\nready>").await;
    assert!(key.exists() && !agent.screen().contains("hunter2"));
    let recorded = t.broker.log().iter().any(|r| {
        matches!(r, GateRequest::Output { data, .. } if {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
            text(&bytes).contains("hunter2")
        })
    });
    assert!(!recorded);
    agent.leave().await;
}

#[tokio::test]
async fn what_is_typed_without_echo_for_a_shell_is_no_secret() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    agent.type_in("read -rs -p 'Your word: ' x; echo; echo \"got ${#x}\"\r").await;
    allow(&t, &t.broker.item(0).await);
    agent.sees("Your word:").await;
    agent.type_in("hunter2\r").await;
    let item = t.broker.item(1).await;
    let interactive = item.submission.interactive.clone().unwrap();
    assert!(!interactive.secret);
    assert_eq!(interactive.label, PromptLabel::NoEcho);
    assert!(item.submission.notes.iter().any(|note| note.contains("typed without echo")));
    assert_eq!(command(&item), "hunter2");
    allow(&t, &item);
    agent.sees("got 7\nready>").await;
    assert!(!agent.screen().contains("hunter2"));
    agent.leave().await;
}

#[tokio::test]
async fn a_grant_passes_keys_until_the_prompt_returns() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    let p = t.path("p");
    agent.type_in("echo up; cat\r").await;
    let item = t.broker.item(0).await;
    assert!(item.submission.interactive.as_ref().unwrap().grantable);
    let mut decision = Broker::decision(&item, true, None);
    decision.grant = Some(Grant { seconds: 60, bytes: 1000 });
    t.broker.say(GateEvent::Decision(decision));
    // From then on the terminal is no longer the shell's.
    agent.sees("cat\nup").await;
    t.broker
        .heard("the grant", |r| match r {
            GateRequest::Marker { label, .. } if label.contains("grant has begun") => Some(()),
            _ => None,
        })
        .await;
    agent.type_in("to cat\r").await;
    agent.sees("to cat\nto cat").await;
    agent.type_in("\x04").await;
    agent.sees("to cat\nready>").await;
    // Over: held again.
    agent.type_in(format!("touch {}\r", p.display())).await;
    let item = t.broker.item(1).await;
    assert_eq!(item.submission.kind, ItemKind::Line);
    assert!(!p.exists());
    agent.leave().await;
}

#[tokio::test]
async fn without_a_broker_nothing_runs() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    agent.type_in(format!("touch {}\r", t.path("p").display())).await;
    t.broker.item(0).await;
    t.broker.cut(true);
    agent.sees("expacti: command denied — broker unreachable\nready>").await;
    agent.type_in(format!("touch {}\r", t.path("p").display())).await;
    let denied = "expacti: command denied — broker unreachable";
    agent
        .sees(&format!("{denied}\nready> touch {}\n{denied}\nready>", t.path("p").display()))
        .await;
    agent.leave().await;
    assert!(!t.path("p").exists());
}

#[tokio::test]
async fn a_timeout_is_said() {
    let Some(t) = trial("/bin/bash").await else { return };
    let mut agent = Agent::start(&t);
    agent.sees("ready>").await;
    agent.type_in("true\r").await;
    let item = t.broker.item(0).await;
    let mut decision = Broker::decision(&item, false, None);
    decision.kind = DecisionKind::Timeout;
    t.broker.say(GateEvent::Decision(decision));
    agent.sees("expacti: command timed out — no reviewer responded\nready>").await;
    agent.leave().await;
}
