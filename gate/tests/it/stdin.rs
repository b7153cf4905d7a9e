//! Standard input that is decided together with its command: exactly what was named, and not a byte more.

use std::time::Duration;

use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::Digest;
use expacti_protocol::input::{InputGrant, InputRef};
use tokio::io::AsyncWriteExt as _;

use expacti_harness::prerequisites;

use super::broker::Mode;
use super::trial::{Trial, finish, text};

fn marker(t: &Trial, name: &str) -> String {
    format!("echo x >> {}", t.path(name).display())
}

fn ran(t: &Trial, name: &str) -> usize {
    std::fs::read_to_string(t.path(name)).map_or(0, |text| text.lines().count())
}

fn whole(bytes: &str, ended: bool) -> InputRef {
    InputRef { bytes: bytes.len() as u64, sha256: Digest::of(bytes.as_bytes()), ended }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_and_its_command_are_one_decision() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let script = format!("{}\nexit 3\n", marker(&t, "ran"));
    let decide = async {
        let item = t.broker.item(0).await;
        let input = t.broker.joined(&item, script.len()).await;
        assert_eq!(input, whole(&script, true));
        assert_eq!(ran(&t, "ran"), 0);
        t.broker.allow_with(&item, Some(input), None);
        item
    };
    let (out, item) = tokio::join!(t.run_with(&["target", "bash"], script.as_bytes()), decide);
    assert_eq!(out.status.code(), Some(3), "{}", text(&out.stderr));
    assert_eq!(ran(&t, "ran"), 1);
    assert_eq!(t.broker.items().len(), 1);
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.stdin.unwrap().sha256, Digest::of(script.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_decision_is_an_item_of_its_own() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (first, second) = (format!("{}\n", marker(&t, "a")), format!("{}\n", marker(&t, "b")));
    let mut command = t.ssh(&["target", "bash"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(first.as_bytes()).await.unwrap();
    let item = t.broker.item(0).await;
    let seen = t.broker.joined(&item, first.len()).await;
    assert!(!seen.ended);
    // More joins, but what is allowed is what was seen before that.
    stdin.write_all(second.as_bytes()).await.unwrap();
    t.broker.joined(&item, first.len() + second.len()).await;
    t.broker.allow_with(&item, Some(seen), None);
    drop(stdin);
    let rest = t.broker.item(1).await;
    assert_eq!(rest.submission.kind, ItemKind::Stdin);
    assert_eq!(rest.submission.text.command, second);
    assert_eq!(rest.submission.parent.as_ref(), Some(&item.id));
    assert_eq!(ran(&t, "b"), 0);
    t.broker.allow(&rest);
    assert_eq!(finish(child).await.status.code(), Some(0));
    assert_eq!((ran(&t, "a"), ran(&t, "b")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_of_other_input_than_came_runs_nothing() {
    for wrong in [
        whole("echo y >> elsewhere\n", true),
        InputRef { bytes: 1 << 40, ..whole("", false) },
        // The end was not seen.
        whole("", true),
    ] {
        let Some(t) = Trial::new(Mode::Manual).await else { return };
        let script = format!("{}\n", marker(&t, "ran"));
        let decide = async {
            let item = t.broker.item(0).await;
            t.broker.joined(&item, script.len()).await;
            t.broker.allow_with(&item, Some(wrong), None);
        };
        let (out, ()) = tokio::join!(t.run_with(&["target", "bash"], script.as_bytes()), decide);
        assert_eq!(out.status.code(), Some(79), "{wrong:?}: {}", text(&out.stderr));
        assert_eq!(ran(&t, "ran"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_reads_is_dropped_unasked() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let decide = async {
        let item = t.broker.item(0).await;
        t.broker.allow(&item);
    };
    let run = t.run_with(&["target", "cat # drop"], b"web-1\nweb-2\n");
    let (out, ()) = tokio::join!(run, decide);
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), ""));
    assert_eq!(t.broker.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_grant_it_flows_to_the_limit_and_then_is_asked_about() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let out = t.path("out").display().to_string();
    let data: String = (0..40_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let command = format!("cat > {out}");
    let args = ["target", command.as_str()];
    let decide = async {
        let item = t.broker.item(0).await;
        t.broker.joined(&item, data.len()).await;
        let grant = InputGrant { bytes: 10_000, seconds: 60 };
        t.broker.allow_with(&item, None, Some(grant));
        let rest = t.broker.item(1).await;
        assert_eq!(rest.submission.text.command, data.get(10_000..).unwrap());
        t.broker.allow(&rest);
    };
    let run = t.run_with(&args, data.as_bytes());
    let (ended, ()) = tokio::join!(run, decide);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), data);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_empty_input_is_nothing_to_decide_on() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let decide = async {
        let item = t.broker.item(0).await;
        t.broker.allow(&item);
    };
    let (out, ()) = tokio::join!(t.run_with(&["target", "bash"], b""), decide);
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(t.broker.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_input_is_denied_is_ended_before_it_sees_an_end() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    // Without the signal, the end of input would run the unfinished line.
    let unfinished = marker(&t, "ran");
    let mut command = t.ssh(&["target", "bash"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(unfinished.as_bytes()).await.unwrap();
    let item = t.broker.item(0).await;
    let seen = t.broker.joined(&item, unfinished.len()).await;
    t.broker.allow_with(&item, Some(seen), None);
    let rest = format!("; {}\n", marker(&t, "never"));
    stdin.write_all(rest.as_bytes()).await.unwrap();
    let rest = t.broker.item(1).await;
    t.broker.deny(&rest, "no");
    assert_eq!(finish(child).await.status.code(), Some(77));
    t.broker.outcome(&item.id).await;
    tokio::time::timeout(Duration::from_secs(10), t.broker.sessions_closed()).await.unwrap();
    assert_eq!(ran(&t, "never"), 0);
    if crate::trial::user() == "root" {
        prerequisites::not_applicable("sshd delivers no signals to sessions of root");
        return;
    }
    assert_eq!(ran(&t, "ran"), 0);
}

/// Writes to a client's terminal.
async fn type_at(child: &mut tokio::process::Child, keys: &[u8]) {
    child.stdin.as_mut().unwrap().write_all(keys).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_a_command_in_a_terminal_is_held_for_that_command() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let out = t.path("out").display().to_string();
    let command = format!("read x; echo \"$x\" > {out}");
    let mut child =
        t.ssh(&["-tt", "target", &command]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.kind, ItemKind::Exec);
    t.broker.allow(&item);
    type_at(&mut child, b"typed\r").await;
    let line = t.broker.item(1).await;
    assert_eq!(line.submission.kind, ItemKind::Input);
    assert_eq!(line.submission.text.command, "typed");
    let foreground = line.submission.interactive.unwrap().foreground.unwrap();
    assert!(foreground.contains("read x"), "{foreground}");
    assert!(!t.path("out").exists());
    t.broker.allow(&t.broker.item(1).await);
    assert_eq!(finish(child).await.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "typed\n");
    assert_eq!(t.broker.outcome(&item.id).await.exit_status, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_for_a_pager_are_shown_as_such() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (text, marker) = (t.path("text"), t.path("marker").display().to_string());
    std::fs::write(&text, "a line\n".repeat(500)).unwrap();
    let command = format!("less {}", text.display());
    let mut child =
        t.ssh(&["-tt", "target", &command]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let item = t.broker.item(0).await;
    t.broker.allow(&item);
    // Its output shows that it reads keys by now.
    t.broker
        .heard("output", |r| {
            matches!(r, expacti_protocol::gate::GateRequest::Output { .. }).then_some(())
        })
        .await;
    type_at(&mut child, format!("!touch {marker}\r").as_bytes()).await;
    let keys = t.broker.item(1).await;
    assert_eq!(keys.submission.kind, ItemKind::Keys, "{:?}", keys.submission);
    let foreground = keys.submission.interactive.as_ref().unwrap().foreground.clone().unwrap();
    assert!(foreground.starts_with("less "), "{foreground}");
    t.broker.deny(&keys, "no");
    type_at(&mut child, b"q").await;
    let quit = t.broker.item(2).await;
    assert_eq!(quit.submission.text.command, "q");
    assert!(!t.path("marker").exists());
    t.broker.allow(&quit);
    assert_eq!(finish(child).await.status.code(), Some(0));
    assert!(!t.path("marker").exists());
}
