//! While a line is held, and between its approval and its end: whatever happens then, it runs once
//! as it was approved, or not at all.

use std::time::Duration;

use expacti_protocol::gate::{DecisionKind, GateEvent, GateRequest};

use crate::broker::{Broker, Item, Mode};
use crate::shell_session::Session;
use crate::trial::Trial;

const SHELLS: [&str; 2] = ["/bin/bash", "/usr/bin/zsh"];

async fn trial(shell: &str) -> Option<(Trial, Session)> {
    let t = Trial::with_shell(Mode::Manual, shell).await?;
    let s = Session::gated(&t);
    s.rests_at("ready> ").await;
    Some((t, s))
}

/// A line that leaves a row in the log each time it runs.
fn line(t: &Trial) -> String {
    format!("echo ran >> {}", t.path("log").display())
}

fn runs(t: &Trial) -> usize {
    std::fs::read_to_string(t.path("log")).map_or(0, |log| log.lines().count())
}

async fn held(t: &Trial, s: &mut Session, n: usize) -> Item {
    s.type_in(format!("{}\r", line(t))).await;
    t.broker.item(n).await
}

/// Something that was said after everything else has run.
async fn alive(t: &Trial, s: &mut Session, n: usize) {
    s.type_in("echo a''live\r").await;
    let item = t.broker.item(n).await;
    assert_eq!(item.submission.text.command, "echo a''live");
    t.broker.allow(&item);
    s.sees("\nalive\nready>").await;
}

#[tokio::test]
async fn approved_twice_runs_once() {
    for shell in SHELLS {
        let Some((t, mut s)) = trial(shell).await else { continue };
        let item = held(&t, &mut s, 0).await;
        t.broker.allow(&item);
        t.broker.allow(&item);
        t.broker.outcome(&item.id).await;
        t.broker.allow(&item);
        alive(&t, &mut s, 1).await;
        t.broker.allow(&item);
        alive(&t, &mut s, 2).await;
        assert_eq!(runs(&t), 1, "{shell}");
        s.leave().await;
    }
}

#[tokio::test]
async fn approved_after_the_timeout_or_a_denial_does_nothing() {
    for kind in [DecisionKind::Timeout, DecisionKind::Reviewer] {
        let Some((t, mut s)) = trial("/bin/bash").await else { return };
        let item = held(&t, &mut s, 0).await;
        let mut decision = Broker::decision(&item, false, Some("no"));
        decision.kind = kind;
        t.broker.say(GateEvent::Decision(decision));
        s.sees("expacti: command ").await;
        t.broker.allow(&item);
        // Also not in the place of the next one.
        let next = held(&t, &mut s, 1).await;
        t.broker.allow(&item);
        t.broker.deny(&next, "no more");
        s.sees("no more").await;
        alive(&t, &mut s, 2).await;
        assert_eq!(runs(&t), 0);
        s.leave().await;
    }
}

#[tokio::test]
async fn an_approval_of_other_bytes_or_another_session_does_nothing() {
    let Some((t, mut s)) = trial("/bin/bash").await else { return };
    let item = held(&t, &mut s, 0).await;
    let mut decision = Broker::decision(&item, true, None);
    decision.sha256 = expacti_protocol::digest::Digest::of(b"other");
    t.broker.say(GateEvent::Decision(decision));
    s.sees("expacti: command ").await;
    assert_eq!(runs(&t), 0);
    s.leave().await;
}

#[tokio::test]
async fn an_approval_that_meets_an_interrupt_runs_once_or_not_at_all() {
    let Some((t, mut s)) = trial("/bin/bash").await else { return };
    let mut items = 0;
    for round in 0..30 {
        let before = runs(&t);
        let item = held(&t, &mut s, items).await;
        match round % 3 {
            0 => {
                s.type_in("\x03").await;
                t.broker.allow(&item);
            }
            1 => {
                t.broker.allow(&item);
                s.type_in("\x03").await;
            }
            _ => {
                t.broker.allow(&item);
                tokio::time::sleep(Duration::from_millis(round)).await;
                s.type_in("\x03").await;
            }
        }
        // Both have been seen when a later line was held.
        let end = format!("true {round}");
        let begun = std::time::Instant::now();
        while !t.broker.submitted(&end, Duration::from_millis(300)).await {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", s.screen());
            s.type_in(format!("{end}\r")).await;
        }
        let last = t.broker.items().last().cloned().unwrap();
        t.broker.deny(&last, &format!("round {round}"));
        s.sees(&format!("round {round}\nready>")).await;
        items = t.broker.items().len();
        let withdrawn =
            t.broker.log().iter().any(
                |request| matches!(request, GateRequest::Withdraw { id, .. } if *id == item.id),
            );
        let ran = runs(&t) - before;
        assert!(ran <= 1, "round {round}: {ran}");
        assert!(!withdrawn || ran == 0, "round {round}: it was withdrawn and ran");
    }
    s.leave().await;
}

#[tokio::test]
async fn a_client_that_vanishes_takes_the_held_line_with_it() {
    for step in ["typed", "pasted", "held", "withdrawing", "approved"] {
        let Some((t, mut s)) = trial("/bin/bash").await else { return };
        let mut item = None;
        match step {
            "typed" => s.type_in(line(&t)).await,
            "pasted" => s.type_in(format!("\x1b[200~{}\n", line(&t))).await,
            _ => item = Some(held(&t, &mut s, 0).await),
        }
        match step {
            "withdrawing" => s.type_in("\x03").await,
            // Allowed, but not released: the gate waits for its broker.
            "approved" => {
                t.broker.set_mode(Mode::StuckRelease);
                t.broker.allow(item.as_ref().unwrap());
                let release =
                    |r: &GateRequest| matches!(r, GateRequest::Release { .. }).then_some(());
                t.broker.heard("the release", release).await;
            }
            _ => {}
        }
        s.leave().await;
        if let Some(item) = item {
            t.broker.allow(&item);
        }
        t.broker.sessions_closed().await;
        assert_eq!(runs(&t), 0, "{step}");
    }
}

#[tokio::test]
async fn a_client_that_vanishes_while_it_runs_gets_an_end_in_the_log() {
    let Some((t, mut s)) = trial("/bin/bash").await else { return };
    s.type_in(format!("{}; echo o''n; sleep 1000\r", line(&t))).await;
    let item = t.broker.item(0).await;
    t.broker.allow(&item);
    s.sees("\non").await;
    s.leave().await;
    let outcome = t.broker.outcome(&item.id).await;
    assert!(outcome.unknown.is_some());
    assert_eq!(runs(&t), 1);
}

#[tokio::test]
async fn a_killed_session_takes_the_held_line_with_it() {
    let Some((t, mut s)) = trial("/bin/bash").await else { return };
    let item = held(&t, &mut s, 0).await;
    let session_id = item.submission.session_id.clone();
    t.broker.say(GateEvent::Kill { session_id, by: "alice".to_owned() });
    t.broker.allow(&item);
    assert_ne!(s.exit_status().await, 0);
    t.broker.sessions_closed().await;
    assert_eq!(runs(&t), 0);
}

#[tokio::test]
async fn a_target_that_vanishes_takes_the_held_line_with_it() {
    let Some((mut t, mut s)) = trial("/bin/bash").await else { return };
    let item = held(&t, &mut s, 0).await;
    t.sshd.kill_all();
    assert_ne!(s.exit_status().await, 0);
    t.broker.allow(&item);
    assert_eq!(runs(&t), 0);
}

#[tokio::test]
async fn what_is_typed_meanwhile_does_not_change_what_was_approved() {
    for shell in SHELLS {
        let Some((t, mut s)) = trial(shell).await else { continue };
        let item = held(&t, &mut s, 0).await;
        let more = format!("\x01{}; \x1b[A\x1b[200~;{}\x1b[201~", line(&t), line(&t));
        s.type_in(&more).await;
        t.broker.allow(&item);
        t.broker.outcome(&item.id).await;
        s.type_in("\x03").await;
        s.rests_at("ready> ").await;
        assert_eq!(runs(&t), 1, "{shell}");
        assert_eq!(t.broker.items().len(), 1, "{shell}");
        s.leave().await;
    }
}

/// A terminal whose size a signal changes: the odd ones make it narrow, the even ones wide.
const RESIZED: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
sizes = [(24, 80), (24, 30)]
def resize(*_):
    sizes.reverse()
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *sizes[0], 0, 0))
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
signal.signal(signal.SIGUSR1, resize)
print("pid=%d" % os.getpid(), flush=True)
while True:
    ready = select.select([0, fd], [], [])[0]
    for f in ready:
        try:
            data = os.read(f, 65536)
        except OSError:
            data = b""
        if not data:
            os.kill(pid, signal.SIGKILL)
            sys.exit(0)
        if f == fd:
            os.write(1, data)
        else:
            os.write(fd, data)
"#;

#[tokio::test]
async fn a_terminal_resized_while_held_and_while_delivering_runs_the_line_once() {
    for shell in SHELLS {
        let Some(t) = Trial::with_shell(Mode::Manual, shell).await else { return };
        let script = t.path("resized.py");
        std::fs::write(&script, RESIZED).unwrap();
        let ssh = t.ssh(&["-tt", "-e", "none", "target"]);
        let mut command = tokio::process::Command::new("python3");
        command.arg(&script).arg(ssh.as_std().get_program()).args(ssh.as_std().get_args());
        command.kill_on_drop(true);
        let mut s = Session::start(command);
        s.rests_at("ready> ").await;
        let screen = s.screen();
        let pid =
            screen.lines().find_map(|row| row.strip_prefix("pid=")).unwrap().trim().to_owned();
        let resize = || {
            let sent = std::process::Command::new("kill").args(["-USR1", &pid]).status().unwrap();
            assert!(sent.success());
        };
        for round in 0..8 {
            let item = held(&t, &mut s, 2 * round).await;
            // Narrow, wide, narrow: at other moments each time.
            resize();
            if round % 2 == 0 {
                s.sees("expacti: waiting").await;
                resize();
            }
            t.broker.allow(&item);
            if round % 3 == 0 {
                tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
            }
            resize();
            t.broker.outcome(&item.id).await;
            resize();
            // The emulated screen keeps its width: what runs is looked at on the other side.
            s.type_in("true\r").await;
            let next = t.broker.item(2 * round + 1).await;
            assert_eq!(next.submission.text.command, "true", "{shell}");
            t.broker.allow(&next);
            let outcome = t.broker.outcome(&next.id).await;
            assert_eq!((outcome.exit_status, outcome.unknown), (Some(0), None), "{shell}");
            assert_eq!(runs(&t), round + 1, "{shell}");
        }
        s.leave().await;
    }
}
