//! `expacti audit`.

use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;

use expacti_audit::{Checkpoint, Tail, verify};
use expacti_broker::check_checkpoint;
use serde_json::Value;

use super::{audit_evidence, audit_heads, audit_witness};
use crate::broker::Link;
use crate::cli::AuditCommand;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Lines of one request.
const PAGE_SIZE: u64 = 5000;

/// How often `--follow` looks for new entries.
const FOLLOW_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);

/// Runs one of the subcommands.
pub(crate) async fn run(config: &Config, command: AuditCommand, json: bool) -> Outcome {
    if let AuditCommand::Verify(args) = &command {
        if let Some(file) = &args.file {
            return verify_file(file, args.key.as_deref(), json);
        }
        if let Some(document) = args.proof.as_ref().or(args.bundle.as_ref()) {
            return audit_evidence::verify(document, args, json);
        }
    }
    if let AuditCommand::Witness(args) = command {
        return audit_witness::serve(config, args).await;
    }
    let link = Link::running_or_offline(config).await?;
    let result = ask(config, &link, command, json).await;
    link.close().await;
    result
}

/// What needs the broker's log. What this machine has seen of it must still be its beginning.
async fn ask(config: &Config, link: &Link, command: AuditCommand, json: bool) -> Outcome {
    if let AuditCommand::Verify(_) = command {
        // A log that is broken in itself is named so first.
        let status = verify_broker(link, json).await?;
        if status == 0 {
            audit_heads::check(config, &link.client).await?;
        }
        return Ok(status);
    }
    if let AuditCommand::Accept = command {
        return audit_heads::accept(config, &link.client, json).await;
    }
    audit_heads::check(config, &link.client).await?;
    match command {
        AuditCommand::Bundle { id, out } => {
            audit_evidence::write(link, &id, Some(&out), true).await
        }
        AuditCommand::Export { out } => export(link, out.as_deref()).await,
        AuditCommand::Log { limit, follow } => log(link, limit, follow, json).await,
        AuditCommand::Prove { id, out } => {
            audit_evidence::write(link, &id, out.as_deref(), false).await
        }
        AuditCommand::Key => audit_witness::key(link, json).await,
        AuditCommand::Accept | AuditCommand::Verify(_) | AuditCommand::Witness(_) => Ok(0),
    }
}

/// Every line of the broker's log after `after`, page by page, as the exact bytes.
async fn pages(
    link: &Link,
    mut after: u64,
    mut each: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    loop {
        let bytes =
            link.client.get_bytes(&format!("/v1/audit?after={after}&limit={PAGE_SIZE}")).await?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Failure::failed("the broker sent a log that is not UTF-8"))?;
        let mut got = 0;
        for line in text.lines() {
            each(line)?;
            got += 1;
        }
        after += got;
        if got < PAGE_SIZE {
            return Ok(after);
        }
    }
}

async fn export(link: &Link, out: Option<&Path>) -> Outcome {
    link.client.post::<_, ()>("/v1/audit/checkpoint", &()).await?;
    let mut writer: Box<dyn Write> = match out {
        Some(path) => {
            Box::new(std::io::BufWriter::new(std::fs::File::create(path).map_err(|e| {
                Failure::failed(format!("failed to write {}: {e}", path.display()))
            })?))
        }
        None => Box::new(std::io::BufWriter::new(std::io::stdout().lock())),
    };
    let mut last = String::new();
    let mut count = 0_u64;
    // Entries may follow while we read; the export ends at the last checkpoint.
    let mut held: Vec<String> = Vec::new();
    pages(link, 0, |line| {
        held.push(line.to_owned());
        if serde_json::from_str::<Value>(line)
            .is_ok_and(|v| v.get("kind").is_some_and(|k| k == "checkpoint"))
        {
            for line in held.drain(..) {
                writeln!(writer, "{line}")?;
                count += 1;
                last = line;
            }
        }
        Ok(())
    })
    .await?;
    writer.flush()?;
    if let Some(path) = out {
        print::note(&format!("wrote {count} entries to {}", path.display()));
    }
    Ok(0)
}

async fn log(link: &Link, limit: u64, follow: bool, json: bool) -> Outcome {
    let status: expacti_protocol::http::Status = link.client.get("/v1/status").await?;
    let mut after = status.audit_entries.saturating_sub(limit);
    let mut all = Vec::new();
    loop {
        let mut page = Vec::new();
        after = pages(link, after, |line| {
            page.push(serde_json::from_str::<Value>(line)?);
            Ok(())
        })
        .await?;
        match (json, follow) {
            (true, true) => {
                for entry in &page {
                    print::json_line(entry)?;
                }
            }
            (true, false) => all.append(&mut page),
            (false, _) => {
                for entry in &page {
                    print::line(&describe(entry))?;
                }
            }
        }
        if !follow {
            break;
        }
        tokio::time::sleep(FOLLOW_INTERVAL).await;
    }
    if json {
        print::json(&all)?;
    }
    Ok(0)
}

pub(super) fn describe(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(print::safe);
    let number = |name: &str| entry.get(name).and_then(Value::as_i64);
    let mut line = format!(
        "{:>6} {} {:<17}",
        number("seq").unwrap_or(0),
        text("time").unwrap_or_default(),
        text("kind").unwrap_or_default()
    );
    for (name, label) in [
        ("decision", ""),
        ("decided_by", "by "),
        ("agent", "agent "),
        ("target", "on "),
        ("change", ""),
        ("rule", ""),
        ("policy", ""),
        ("pattern", ""),
        ("principal", ""),
        ("command", "$ "),
        ("by", "by "),
        ("comment", "— "),
    ] {
        if let Some(value) = text(name) {
            line.push_str(&format!(" {label}{value}"));
        }
    }
    if let Some(status) = number("exit_status") {
        line.push_str(&format!(" exit {status}"));
    }
    if let Some(signal) = text("exit_signal") {
        line.push_str(&format!(" signal {signal}"));
    }
    line
}

async fn verify_broker(link: &Link, json: bool) -> Outcome {
    let result: Value = link.client.get("/v1/audit/verify").await?;
    let good = result.get("ok").and_then(Value::as_bool) == Some(true);
    if json {
        print::json(&result)?;
    } else if good {
        print::line(&format!(
            "the log is whole: {} entries, head {}",
            result.get("entries").and_then(Value::as_u64).unwrap_or(0),
            result.get("head").and_then(Value::as_str).unwrap_or("?")
        ))?;
    } else {
        print::note(&format!(
            "the log is broken: entry {}: {}",
            result.get("seq").and_then(Value::as_u64).unwrap_or(0),
            result.get("what").and_then(Value::as_str).unwrap_or("?")
        ));
    }
    Ok(u8::from(!good))
}

fn verify_file(path: &Path, key: Option<&str>, json: bool) -> Outcome {
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to read {}: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut lines = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        lines.push(line.map_err(fail)?);
    }
    let wanted = key.map(|k| k.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    let check = |checkpoint: &Checkpoint| {
        if let Some(wanted) = &wanted
            && *wanted != checkpoint.key
        {
            return Err("signed by another key than the one given".to_owned());
        }
        check_checkpoint(checkpoint)
    };
    match verify(&lines, Tail::Checkpoint, &check) {
        Ok(summary) => {
            if json {
                print::json(&serde_json::json!({
                    "ok": true, "entries": summary.entries, "head": summary.head,
                    "checkpoints": summary.checkpoints, "key": summary.key,
                }))?;
            } else {
                let key = summary.key.as_deref().unwrap_or("?");
                print::line(&format!(
                    "the log is whole: {} entries, head {}",
                    summary.entries, summary.head
                ))?;
                print::line(&format!("signed by {key}"))?;
                if wanted.is_none() {
                    print::note("compare that key with the broker's own, or give it with --key");
                }
            }
            Ok(0)
        }
        Err(fault) => {
            if json {
                print::json(
                    &serde_json::json!({"ok": false, "seq": fault.seq, "what": fault.what}),
                )?;
            } else {
                print::note(&format!("the log is broken: {fault}"));
            }
            Ok(1)
        }
    }
}
