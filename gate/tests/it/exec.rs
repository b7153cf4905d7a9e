//! exec requests: allowed, denied, timed out, and everything that fails in between.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use expacti_protocol::command::{ItemKind, StdinTreatment};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{DecisionKind, GateEvent, GateRequest, Stream};
use expacti_protocol::ids::{CommandId, SessionId};

use crate::broker::{Broker, Item, Mode};
use crate::trial::{Trial, feed, finish, text, until};

/// Input that a client sends before it has to wait for the gate: less than the 2 MiB of the window.
const MUCH: usize = 3 << 19;

/// A command that leaves a line in a file of the trial each time it runs.
fn marker(t: &Trial) -> String {
    format!("echo ran >> {}", t.path("marker").display())
}

fn ran(t: &Trial) -> usize {
    std::fs::read_to_string(t.path("marker")).map_or(0, |s| s.lines().count())
}

fn is_withdraw(item: &Item) -> impl Fn(&GateRequest) -> Option<String> {
    let id = item.id.clone();
    move |r| match r {
        GateRequest::Withdraw { id: i, reason, .. } if *i == id => Some(reason.clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_command_runs_and_its_status_comes_back() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let out = t.run(&["target", "echo out; echo err >&2; exit 7"]).await;
    assert_eq!(text(&out.stdout), "out\n");
    assert_eq!(text(&out.stderr), "err\n");
    assert_eq!(out.status.code(), Some(7));
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.text.command, "echo out; echo err >&2; exit 7");
    assert!(item.submission.ready);
    assert_eq!(item.submission.kind, ItemKind::Exec);
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.exit_status, Some(7));
    assert_eq!(outcome.stdout.unwrap().bytes, 4);
    assert_eq!(outcome.stdout.unwrap().sha256, Digest::of(b"out\n"));
    assert_eq!(outcome.stderr.unwrap().bytes, 4);
    // The session was opened before the command and says how the host key was checked.
    let info = t
        .broker
        .heard("open_session", |r| match r {
            GateRequest::OpenSession { session, .. } => Some(session.clone()),
            _ => None,
        })
        .await;
    assert_eq!(info.host_key.as_deref(), Some("known_hosts"));
    assert_eq!((info.agent.as_str(), info.target.as_str()), ("test", "target"));
    t.broker
        .heard("close_session", |r| matches!(r, GateRequest::CloseSession { .. }).then_some(()))
        .await;
    // The recording holds the output, before the report of the end.
    let log = t.broker.log();
    let recorded = |stream: Stream| {
        log.iter().position(|r| matches!(r, GateRequest::Output { stream: s, .. } if *s == stream))
    };
    let finished = log.iter().position(|r| matches!(r, GateRequest::Finished { .. }));
    assert!(recorded(Stream::Stdout).unwrap() < finished.unwrap());
    assert!(recorded(Stream::Stderr).unwrap() < finished.unwrap());
    assert!(recorded(Stream::Stdin).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn held_until_released_then_run_once() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let child = t.spawn(&["target", &marker(&t)]);
    let item = t.broker.item(0).await;
    // A decision about something else does nothing.
    let mut other = Broker::decision(&item, true, None);
    other.id = CommandId::new();
    other.released = true;
    t.broker.say(GateEvent::Decision(other));
    // A release nobody asked for does nothing.
    t.broker.say(GateEvent::Released { r#ref: 4711, id: item.id.clone() });
    t.broker.say(GateEvent::Ping);
    assert_eq!(ran(&t), 0);
    t.broker.allow(&item);
    t.broker.allow(&item);
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(text(&out.stderr), "", "not a byte of the gate's own without a terminal");
    assert_eq!(ran(&t), 1);
    t.broker.allow(&item);
    t.broker.outcome(&item.id).await;
    assert_eq!(ran(&t), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_that_do_not_fit_deny() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    for n in 0..2 {
        let child = t.spawn(&["target", &marker(&t)]);
        let item = t.broker.item(n).await;
        let mut decision = Broker::decision(&item, true, None);
        decision.released = true;
        if n == 0 {
            decision.sha256 = Digest::of(b"rm -rf /");
        } else {
            decision.session_id = SessionId::new();
        }
        t.broker.say(GateEvent::Decision(decision));
        let out = finish(child).await;
        assert_eq!(out.status.code(), Some(79));
        assert!(text(&out.stderr).contains("not about this command"), "{}", text(&out.stderr));
    }
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_with_the_comment() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let child = t.spawn(&["target", &marker(&t)]);
    let item = t.broker.item(0).await;
    t.broker.deny(&item, "not on a\nFriday");
    let out = finish(child).await;
    assert_eq!(text(&out.stderr), "expacti: command denied — not on a Friday\n");
    assert_eq!(text(&out.stdout), "");
    assert_eq!(out.status.code(), Some(77));
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_kinds_of_denial() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    for (n, (kind, status, message)) in [
        (DecisionKind::Rule, 77, "expacti: command denied — why\n"),
        (DecisionKind::Timeout, 78, "expacti: command timed out — no reviewer responded\n"),
        (DecisionKind::FailClosed, 79, "expacti: command denied — why\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let child = t.spawn(&["target", &marker(&t)]);
        let item = t.broker.item(n).await;
        let mut decision = Broker::decision(&item, false, Some("why"));
        decision.kind = kind;
        // `released` on a denial means nothing.
        decision.released = true;
        t.broker.say(GateEvent::Decision(decision));
        let out = finish(child).await;
        assert_eq!((out.status.code(), text(&out.stderr).as_str()), (Some(status), message));
    }
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gates_own_deadline_and_answer_times() {
    let limits = expacti_gate::Limits {
        deadline_grace: Duration::from_millis(200),
        answer: Duration::from_millis(500),
        ..Default::default()
    };
    let Some(t) = Trial::with(Mode::Manual, limits, "").await else { return };
    t.broker.set_timeout(1);
    let out = t.run(&["target", &marker(&t)]).await;
    assert_eq!(text(&out.stderr), "expacti: command timed out — no reviewer responded\n");
    assert_eq!(out.status.code(), Some(78));
    let item = t.broker.item(0).await;
    t.broker.heard("withdraw", is_withdraw(&item)).await;
    // Approved after the deadline: nothing.
    t.broker.allow(&item);
    for mode in [Mode::StuckRelease, Mode::Mute, Mode::Deaf] {
        t.broker.set_mode(mode);
        let out = t.run(&["target", &marker(&t)]).await;
        assert_eq!(out.status.code(), Some(79), "{mode:?}");
        assert!(text(&out.stderr).contains("did not answer"), "{}", text(&out.stderr));
    }
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_link_denies_and_the_gate_recovers() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let unreachable = "expacti: command denied — broker unreachable\n";
    // Lost while pending.
    let child = t.spawn(&["target", &marker(&t)]);
    t.broker.item(0).await;
    t.broker.cut(false);
    let out = finish(child).await;
    assert_eq!((out.status.code(), text(&out.stderr).as_str()), (Some(79), unreachable));
    // Lost between the allow and the release.
    t.gate.linked().await;
    t.broker.set_mode(Mode::StuckRelease);
    let child = t.spawn(&["target", &marker(&t)]);
    let item = t.broker.item(1).await;
    t.broker
        .heard("release", |r| match r {
            GateRequest::Release { id, .. } if *id == item.id => Some(()),
            _ => None,
        })
        .await;
    t.broker.cut(true);
    let out = finish(child).await;
    assert_eq!((out.status.code(), text(&out.stderr).as_str()), (Some(79), unreachable));
    // Away altogether.
    let out = t.run(&["target", &marker(&t)]).await;
    assert_eq!((out.status.code(), text(&out.stderr).as_str()), (Some(79), unreachable));
    assert_eq!(ran(&t), 0);
    // Back: the next command of a new connection runs; the unused release was reported.
    t.broker.set_mode(Mode::Auto);
    t.broker.cut(false);
    t.gate.linked().await;
    let out = t.run(&["target", &marker(&t)]).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(ran(&t), 1);
    let outcome = t.broker.outcome(&item.id).await;
    assert!(outcome.unknown.unwrap().contains("not sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_while_the_broker_is_away_is_reported_later() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let go = t.path("go");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done; echo done; exit 5", go.display());
    let child = t.spawn(&["target", &wait]);
    let item = t.broker.item(0).await;
    t.broker.cut(true);
    std::fs::write(go, "").unwrap();
    let out = finish(child).await;
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(5), "done\n"));
    t.broker.cut(false);
    assert_eq!(t.broker.outcome(&item.id).await.exit_status, Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_withdraws() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let mut child = t.spawn(&["target", &marker(&t)]);
    let item = t.broker.item(0).await;
    child.kill().await.unwrap();
    let reason = t.broker.heard("withdraw", is_withdraw(&item)).await;
    // The second when the broker's answer to the submission had not been read yet.
    assert!(
        ["the client closed the channel", "the agent took it back"].contains(&reason.as_str()),
        "{reason}"
    );
    t.broker.allow(&item);
    t.broker
        .heard("close_session", |r| matches!(r, GateRequest::CloseSession { .. }).then_some(()))
        .await;
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_with_much_input_unread_withdraws() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let mut command = t.ssh(&["target", "cat > /dev/null"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    // More than the gate takes while it holds.
    let (_writer, written) = feed(&mut child, vec![0; 64 << 20]);
    let item = t.broker.item(0).await;
    until("much input", || written.load(Ordering::Relaxed) > MUCH).await;
    child.kill().await.unwrap();
    t.broker.heard("withdraw", is_withdraw(&item)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewers_kill_ends_the_session() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let child = t.spawn(&["target", "echo started; sleep 60"]);
    let item = t.broker.item(0).await;
    t.broker.heard("output", |r| matches!(r, GateRequest::Output { .. }).then_some(())).await;
    let session_id = item.submission.session_id.clone();
    let started = Instant::now();
    t.broker.say(GateEvent::Kill { session_id, by: "alice".to_owned() });
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(t.broker.outcome(&item.id).await.unknown.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_signals() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    for code in [0, 1, 2, 77, 126, 127, 128, 254, 255] {
        let out = t.run(&["target", &format!("exit {code}")]).await;
        assert_eq!(out.status.code(), Some(code));
    }
    // ssh itself reports a death by signal as 255.
    let out = t.run(&["target", "kill -TERM $$"]).await;
    assert_eq!(out.status.code(), Some(255));
    let item = t.broker.item(9).await;
    assert_eq!(t.broker.outcome(&item.id).await.exit_signal.as_deref(), Some("TERM"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_mebibytes_each_way() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let mut data = vec![0u8; 64 << 20];
    let mut x = 12345u32;
    for byte in &mut data {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (x >> 24) as u8;
    }
    // Both ways at once: what comes back waits for what goes in.
    let out = t.run_with(&["target", "cat"], &data).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(out.stdout.len(), data.len());
    assert!(out.stdout == data);
    let item = t.broker.item(0).await;
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.stdin.unwrap().bytes, data.len() as u64);
    assert_eq!(outcome.stdin.unwrap().sha256, Digest::of(&data));
    assert_eq!(outcome.stdout.unwrap().sha256, Digest::of(&data));
    let log = t.broker.log();
    let markers = log.iter().filter(|r| matches!(r, GateRequest::Marker { .. })).count();
    assert_eq!(markers, 1, "the recording says that it was cut");
    let recorded: usize = log
        .iter()
        .map(|r| match r {
            GateRequest::Output { data, .. } => {
                data.len() / 4 * 3 - data.bytes().filter(|b| *b == b'=').count()
            }
            _ => 0,
        })
        .sum();
    // Each line feed of the random bytes is shown with a carriage return.
    assert!((1 << 20..(1 << 20) + 8192).contains(&recorded), "{recorded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_anew_in_the_middle() {
    let Some(t) = Trial::with(Mode::Auto, Default::default(), "RekeyLimit 3M").await else {
        return;
    };
    let data: Vec<u8> = (0..12u32 << 20).map(|i| (i % 253) as u8).collect();
    let out = t.run_with(&["-oRekeyLimit=2M", "target", "cat"], &data).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(out.stdout == data);
    // Rekeying does not disturb what is held either.
    t.broker.set_mode(Mode::Manual);
    let mut command = t.ssh(&["-oRekeyLimit=1M", "target", "cat"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let (_writer, written) = feed(&mut child, data.clone());
    let item = t.broker.item(1).await;
    until("input beyond the limit", || written.load(Ordering::Relaxed) > MUCH).await;
    t.broker.allow(&item);
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(out.stdout == data);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_input_waits_for_the_decision() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let data = vec![7u8; 24 << 20];
    let mut child = t.ssh(&["target", "sha256sum"]);
    let mut child = child.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let (writer, written) = feed(&mut child, data.clone());
    let item = t.broker.item(0).await;
    until("input beyond the limit", || written.load(Ordering::Relaxed) > MUCH).await;
    assert!(!writer.is_finished(), "the gate must not swallow everything while it holds");
    t.broker.allow(&item);
    let out = finish(child).await;
    writer.await.unwrap();
    assert_eq!(text(&out.stdout), format!("{}  -\n", Digest::of(&data)));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_on_standard_input_is_an_item_of_its_own() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let script = format!("{}\necho two\n", marker(&t));
    let mut command = t.ssh(&["target", "bash"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    use tokio::io::AsyncWriteExt as _;
    stdin.write_all(script.as_bytes()).await.unwrap();
    drop(stdin);
    let first = t.broker.item(0).await;
    assert_eq!(first.submission.text.command, "bash");
    t.broker.allow(&first);
    let second = t.broker.item(1).await;
    assert_eq!(second.submission.kind, ItemKind::Stdin);
    assert_eq!(second.submission.parent.as_ref(), Some(&first.id));
    assert_eq!(second.submission.text.command, script);
    assert_eq!(ran(&t), 0);
    t.broker.allow(&second);
    let out = finish(child).await;
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), "two\n"));
    assert_eq!(ran(&t), 1);
    assert_eq!(t.broker.outcome(&second.id).await.exit_status, Some(0));
    let outcome = t.broker.outcome(&first.id).await;
    assert_eq!(outcome.stdin.unwrap().sha256, Digest::of(script.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_code_never_reaches_the_shell() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let script = marker(&t);
    let task = async {
        let first = t.broker.item(0).await;
        t.broker.allow(&first);
        let second = t.broker.item(1).await;
        t.broker.deny(&second, "no");
    };
    let (out, ()) = tokio::join!(t.run_with(&["target", "bash -s"], script.as_bytes()), task);
    assert_eq!(out.status.code(), Some(77));
    let told = text(&out.stderr);
    assert!(told.starts_with("expacti: command denied — no (the command had started"), "{told}");
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_feeds_lines_is_held_line_by_line() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let mut command = t.ssh(&["target", "bash"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..2 {
        stdin.write_all(format!("echo line {n}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line());
        assert_eq!(line.await.unwrap().unwrap().unwrap(), format!("line {n}"));
    }
    drop(stdin);
    assert_eq!(finish(child).await.status.code(), Some(0));
    assert_eq!(t.broker.items().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_shell_without_a_terminal_is_its_script() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let script = format!("{}\nexit 3\n", marker(&t));
    let task = async {
        let item = t.broker.item(0).await;
        assert_eq!(item.submission.kind, ItemKind::Stdin);
        assert_eq!(item.submission.notes, ["login shell without a terminal"]);
        assert_eq!(item.submission.text.command, script);
        assert_eq!(ran(&t), 0);
        t.broker.allow(&item);
    };
    let (out, ()) = tokio::join!(t.run_with(&["-T", "target"], script.as_bytes()), task);
    assert_eq!(out.status.code(), Some(3), "{}", text(&out.stderr));
    assert_eq!(ran(&t), 1);
    assert_eq!(t.broker.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_too_long_comes_in_pieces() {
    let limits = expacti_gate::Limits { script: 1000, ..Default::default() };
    let Some(t) = Trial::with(Mode::Auto, limits, "").await else { return };
    let out = t.run_with(&["target", "bash"], &[b'#'; 4000]).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let pieces: Vec<usize> =
        t.broker.items().iter().skip(1).map(|i| i.submission.text.command.len()).collect();
    assert!(pieces.iter().all(|piece| *piece <= 1000), "{pieces:?}");
    assert_eq!(pieces.iter().sum::<usize>(), 4000);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_are_not_utf8_arrive_exactly() {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let mut command = t.ssh(&["target"]);
    command.arg(std::ffi::OsStr::from_bytes(b"printf '\xff\xfe\x01\\n'"));
    let out = finish(command.spawn().unwrap()).await;
    assert_eq!(out.stdout, b"\xff\xfe\x01\n");
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.text.bytes().unwrap(), b"printf '\xff\xfe\x01\\n'");
    assert_eq!(StdinTreatment::default(), StdinTreatment::Code);
}
