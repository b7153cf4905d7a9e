//! Requests and a broker for tests and examples: says what the real one would, decides nothing.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(super) mod broker;

use expacti_engine::{Anomaly, Closest, Level, Requirement, Term};
use expacti_protocol::command::{
    CommandState, CommandText, CommandView, Interactive, ItemKind, PromptLabel, StdinTreatment,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::{SessionInfo, SessionView};

/// The broker's clock when tests begin: 2026-03-21 14:22:07 UTC, in milliseconds.
pub(super) const T0: i64 = 1_774_102_927_000;

/// A command id ending in those four letters.
pub(super) fn cmd(short: &str) -> CommandId {
    format!("cmd_01h455vb4pex5vsknk084s{short:0>4}").parse().unwrap()
}

/// A session id ending in those four letters.
pub(super) fn sess(short: &str) -> SessionId {
    format!("sess_01h455vb4pex5vsknk084s{short:0>4}").parse().unwrap()
}

/// An open session.
pub(super) fn session(short: &str, agent: &str, target: &str) -> SessionView {
    SessionView {
        id: sess(short),
        info: SessionInfo {
            agent: agent.into(),
            target: target.into(),
            host: target.into(),
            port: 22,
            user: "deploy".into(),
            ..SessionInfo::default()
        },
        opened_at: T0 / 1000 - 190,
        closed_at: None,
        commands: 3,
        pending: 1,
        denied: 0,
        last_command: None,
        recorded: true,
        recording_error: None,
        paused: false,
    }
}

/// A request that waits, with a score and `left` seconds to decide.
pub(super) fn request(
    id: &str,
    of: &SessionView,
    command: &str,
    score: u8,
    left: i64,
) -> CommandView {
    CommandView {
        taints: None,
        tainted: None,
        id: cmd(id),
        session_id: of.id.clone(),
        text: CommandText::new(command.as_bytes()),
        masked: None,
        sha256: Digest::of(command.as_bytes()),
        revision: 1,
        state: CommandState::Pending,
        kind: ItemKind::Exec,
        headline: None,
        parent: None,
        cwd: "/srv/app".into(),
        shell: None,
        timestamp: T0 / 1000 - 41,
        risk_score: score,
        level: Level::of(score),
        terms: Vec::new(),
        uninspectable: false,
        anomaly: false,
        anomaly_reasons: Vec::new(),
        anomalies: Vec::new(),
        session: of.info.clone(),
        pty: None,
        stdin: StdinTreatment::Data,
        input: None,
        dropped_env: Vec::new(),
        env: Vec::new(),
        notes: Vec::new(),
        rule_why: "no rule matches".into(),
        closest: None,
        requirement: Requirement::default(),
        votes: Vec::new(),
        approvals_missing: 1,
        may_decide: Vec::new(),
        interactive: None,
        item: None,
        preview: None,
        grant: None,
        deadline_ms: T0 + left * 1000,
        timeout_seconds: 60,
        retry_of_denied: false,
        allow: None,
        decided_by: None,
        comment: None,
        decided_at: None,
        outcome: None,
        recording_offset: None,
    }
}

/// A contribution to the score, caused by `part` of the command.
pub(super) fn term(view: &CommandView, points: i32, name: &str, part: &str) -> Term {
    let at = view.text.command.find(part).unwrap_or(0);
    Term { name: name.into(), points, span: [at, at + part.len()], why: name.into() }
}

/// The picture of the specification: three requests, three sessions.
pub(super) fn scene() -> (Vec<SessionView>, Vec<CommandView>) {
    let web = session("7c1a", "fixbot", "web-1");
    let db = session("51de", "opsbot", "db-2");
    let mut old = session("19ab", "fixbot", "web-1");
    old.closed_at = Some(T0 / 1000 - 30);
    let find = "find /var/log -name '*.gz' -mtime +30 -delete";
    let mut a = request("8f21", &web, find, 57, 19);
    a.terms = vec![
        term(&a, 30, "deletes files", find),
        term(&a, 17, "-delete without a prompt", "-delete"),
        term(&a, 10, "pattern *.gz", "'*.gz'"),
    ];
    a.closest = Some(Closest { rule: "wl-14".into(), differs: "-delete".into() });
    let mut b = request("0c2d", &db, "psql -c 'VACUUM ANALYZE orders'", 35, 112);
    b.timeout_seconds = 180;
    b.terms = vec![term(&b, 35, "database", "psql")];
    b.anomaly = true;
    b.anomaly_reasons = vec!["new_program_for_agent".into()];
    b.anomalies = vec![Anomaly {
        name: "new_program_for_agent".into(),
        evidence: "opsbot never ran psql on db-2 in 214 commands".into(),
    }];
    let mut c = request("44aa", &web, "systemctl status nginx", 12, 280);
    c.timeout_seconds = 300;
    c.terms = vec![term(&c, 12, "service", "systemctl")];
    let mut done = request("0001", &web, "du -sh /var/log", 0, -100);
    done.state = CommandState::Finished;
    done.timestamp = T0 / 1000 - 60;
    done.outcome =
        Some(expacti_protocol::command::Outcome { exit_status: Some(0), ..Default::default() });
    let mut df = done.clone();
    df.id = cmd("0002");
    df.text = CommandText::new(b"df -h /");
    df.sha256 = Digest::of(b"df -h /");
    df.timestamp = T0 / 1000 - 55;
    df.outcome.as_mut().unwrap().exit_status = Some(2);
    (vec![web, db, old], vec![a, b, c, done, df])
}

/// Items of interactive shells, and a change of a file, with a minute and more to decide.
pub(super) fn items(web: &SessionView, now_ms: i64) -> Vec<CommandView> {
    let interactive = |label, foreground: Option<&str>| Interactive {
        label,
        foreground: foreground.map(str::to_owned),
        secret: false,
        grantable: false,
    };
    let item = |id, text: &str, score, kind, interactive| {
        let mut view = request(id, web, text, score, 90);
        view.deadline_ms = now_ms + 90_000;
        view.timestamp = now_ms / 1000 - 4;
        view.kind = kind;
        view.interactive = interactive;
        view
    };
    let mut keys = item(
        "a001",
        "jjdd:wq\r",
        62,
        ItemKind::Keys,
        Some(Interactive {
            grantable: true,
            ..interactive(PromptLabel::Raw, Some("vim /etc/nginx/nginx.conf"))
        }),
    );
    keys.preview = Some("j j d d : w q Enter".into());
    let secret = item(
        "a002",
        "hunter2",
        20,
        ItemKind::Input,
        Some(Interactive {
            secret: true,
            ..interactive(PromptLabel::NoEcho, Some("sudo systemctl restart nginx"))
        }),
    );
    let mut file =
        item("a003", "write /etc/nginx/nginx.conf (1,204 bytes)", 55, ItemKind::File, None);
    file.preview = Some(
        "--- a/etc/nginx/nginx.conf\n+++ b/etc/nginx/nginx.conf\n@@ -12,7 +12,7 @@ http {\n     sendfile on;\n-    keepalive_timeout 65;\n+    keepalive_timeout 5;\n     gzip on;\n"
            .into(),
    );
    file.may_decide = vec!["bob".into(), "mara".into()];
    file.approvals_missing = 2;
    let line = item(
        "a004",
        "sudo systemctl restart nginx",
        45,
        ItemKind::Line,
        Some(interactive(PromptLabel::Verified, None)),
    );
    vec![keys, secret, file, line]
}
