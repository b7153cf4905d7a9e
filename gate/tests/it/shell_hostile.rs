//! What was approved and could not be typed is over: it is reported, and nothing of it is left.

use expacti_protocol::command::{Grant, ItemKind};
use expacti_protocol::gate::GateEvent;

use crate::broker::{Broker, Mode};
use crate::shell_session::Session;
use crate::trial::Trial;

#[tokio::test]
async fn a_line_given_up_before_it_was_typed_is_over_and_so_is_its_grant() {
    let Some(t) = Trial::with_shell(Mode::Manual, "/usr/bin/zsh").await else { return };
    let mut s = Session::gated(&t);
    s.rests_at("ready> ").await;
    // zsh puts this into its editor at the next prompt.
    s.type_in("print -z leftover\r").await;
    t.broker.allow(&t.broker.item(0).await);
    s.rests_at("ready> leftover").await;

    // A line with a tab is typed only into an empty editor.
    let file = t.path("never").display().to_string();
    s.type_in(format!("\x1b[200~touch\t{file}\x1b[201~\r")).await;
    let item = t.broker.item(1).await;
    let mut allowed = Broker::decision(&item, true, None);
    allowed.grant = Some(Grant { seconds: 60, bytes: 100 });
    t.broker.say(GateEvent::Decision(allowed));
    let outcome = t.broker.outcome(&item.id).await;
    assert!(outcome.unknown.is_some_and(|why| why.contains("not run")));
    s.sees("command not run").await;

    // Neither it nor a key under its grant comes later.
    s.rests_at("ready> ").await;
    s.type_in("echo he''re\r").await;
    let item = t.broker.item(2).await;
    assert_eq!(item.submission.kind, ItemKind::Line);
    assert_eq!(item.submission.text.command, "echo he''re");
    t.broker.allow(&item);
    s.sees("\nhere").await;
    assert!(!t.path("never").exists());
    s.leave().await;
}
