//! exec requests: allowed, denied, timed out, and everything that fails in between.

use crate::broker::Mode;
use crate::trial::{Trial, text};

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
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.exit_status, Some(7));
    assert_eq!(outcome.stdout.unwrap().bytes, 4);
}
