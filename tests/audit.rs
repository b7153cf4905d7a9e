//! The audit log: complete, chained, verified by a stranger, and every change to it is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Context, Result};
use expacti_harness::{Entry, Trial, trial, until};

/// Three commands: allowed, denied, allowed by a rule.
fn lived_in(t: &Trial) -> Result<[String; 2]> {
    let run = t.wrap(&["ssh", "target", "echo allowed é \"quoted\" \\ \u{1F600}"]).spawn()?;
    let allowed = t.wait_pending()?.id;
    t.expacti(&["allow", &allowed, "looks fine"])?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    let run = t.wrap(&["ssh", "target", "rm -rf /nowhere"]).spawn()?;
    let denied = t.wait_pending()?.id;
    t.deny(&denied, "no")?;
    run.wait()?.expect_code(77)?;
    t.rule("--exact", "exit 3")?;
    t.wrap(&["ssh", "target", "exit 3"]).run()?.expect_code(3)?;
    until("three finished or denied commands and closed sessions", || {
        let log = t.audit()?;
        let count = |kind: &str| log.iter().filter(|entry| entry.kind == kind).count();
        Ok((count("finished") == 2 && count("session_closed") == 3).then_some(()))
    })
    .with_context(|| {
        let log = t.audit().unwrap_or_default();
        let line =
            |entry: &Entry| format!("{} {:?} {:?}", entry.kind, entry.command_id, entry.more);
        log.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok([allowed, denied])
}

fn python(t: &Trial, file: &str) -> Result<expacti_harness::Outcome> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_audit.py");
    t.direct(&["python3", script]).stdin(fs::read(file)?).run()
}

#[test]
fn the_log_tells_the_whole_life_and_strangers_can_verify_it() -> Result<()> {
    let t = trial!()?;
    let [allowed, denied] = lived_in(&t)?;
    let log = t.audit()?;
    for (index, entry) in log.iter().enumerate() {
        assert_eq!(entry.seq, log[0].seq + index as u64);
    }
    let of = |id: &str, kind: &str| {
        log.iter()
            .find(|entry| entry.command_id.as_deref() == Some(id) && entry.kind == kind)
            .cloned()
    };
    let decision = of(&allowed, "decision").unwrap();
    assert_eq!(decision.more["comment"], "looks fine");
    assert!(!decision.decided_by.unwrap().starts_with("system:"));
    assert_eq!(of(&allowed, "finished").unwrap().exit_status, Some(0));
    assert!(of(&allowed, "released").unwrap().seq < of(&allowed, "finished").unwrap().seq);
    assert!(of(&denied, "released").is_none());
    let submitted = of(&denied, "command_submitted").unwrap();
    assert_eq!(submitted.more["command"], "rm -rf /nowhere");
    assert!(log.iter().any(|entry| {
        entry.kind == "decision"
            && entry.decided_by.as_deref().is_some_and(|by| by.starts_with("whitelist:"))
    }));

    let file = t.dir().join("log.jsonl").display().to_string();
    fs::write(&file, t.export()?)?;
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    t.expacti(&["audit", "verify", "--file", &file])?.expect_code(0)?;
    python(&t, &file)?.expect_code(0)?;
    assert!(t.expacti(&["audit", "log"])?.out().contains("rm -rf /nowhere"));
    Ok(())
}

#[test]
fn an_exported_file_verifies_without_a_broker() -> Result<()> {
    let t = trial!()?;
    lived_in(&t)?;
    let file = t.dir().join("log.jsonl").display().to_string();
    fs::write(&file, t.export()?)?;
    t.expacti(&["down"])?.expect_code(0)?;
    t.expacti(&["audit", "verify", "--file", &file])?.expect_code(0)?;
    assert!(t.daemons().is_empty(), "verifying a file started a broker");
    Ok(())
}

#[test]
fn any_change_is_found_and_named() -> Result<()> {
    let t = trial!()?;
    lived_in(&t)?;
    let whole = t.export()?;
    let lines: Vec<Vec<u8>> =
        whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let last = lines.len() - 1;
    assert!(last >= 8, "only {last} entries");
    let seq = |index: usize| -> u64 {
        serde_json::from_slice::<serde_json::Value>(&lines[index]).unwrap()["seq"].as_u64().unwrap()
    };
    let tampered = |change: &dyn Fn(&mut Vec<Vec<u8>>)| -> Result<expacti_harness::Outcome> {
        let mut changed = lines.clone();
        change(&mut changed);
        let file = t.dir().join("tampered.jsonl").display().to_string();
        fs::write(&file, changed.concat())?;
        assert_ne!(python(&t, &file)?.code(), 0, "the independent verifier missed it");
        t.expacti(&["audit", "verify", "--file", &file])
    };
    let named = |outcome: &expacti_harness::Outcome, candidates: &[u64]| {
        assert_eq!(outcome.code(), 1, "{}", outcome.describe());
        let said = format!("{}{}", outcome.out(), outcome.err());
        let words: Vec<&str> = said.split(|c: char| !c.is_ascii_digit()).collect();
        assert!(
            candidates.iter().any(|seq| words.contains(&seq.to_string().as_str())),
            "none of {candidates:?} named: {said}"
        );
    };
    for index in 1..last {
        // The first byte is inside the first name, the last but two inside the last value.
        let at = [1, lines[index].len() / 2, lines[index].len() - 3][index % 3];
        let outcome = tampered(&|changed| changed[index][at] ^= 1 << (index % 7))?;
        named(&outcome, &[seq(index), seq(index + 1)]);
        let outcome = match index % 3 {
            0 => tampered(&|changed| drop(changed.remove(index)))?,
            1 => tampered(&|changed| changed.swap(index, index + 1))?,
            _ => tampered(&|changed| changed.insert(index, changed[index].clone()))?,
        };
        named(&outcome, &[seq(index), seq(index + 1)]);
    }
    Ok(())
}

#[test]
fn a_change_in_the_database_is_found() -> Result<()> {
    let t = trial!()?;
    lived_in(&t)?;
    t.expacti(&["down"])?.expect_code(0)?;
    // What somebody with the file can do: take the trigger away and rewrite history.
    let rewrite = "import sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1])\n\
                   db.execute('DROP TRIGGER audit_is_never_updated')\n\
                   change = \"UPDATE audit SET line = replace(line, '/nowhere', '/harmless')\"\n\
                   print(db.execute(change + \" WHERE line LIKE '%/nowhere%'\").rowcount)\n\
                   db.commit()\n";
    let database = t.home().join("expacti.db").display().to_string();
    let rewritten = t.direct(&["python3", "-c", rewrite, &database]).run()?;
    assert_ne!(rewritten.expect_code(0)?.out().trim(), "0", "nothing was rewritten");
    let outcome = t.expacti(&["audit", "verify"])?;
    assert_eq!(outcome.code(), 1, "{}", outcome.describe());
    Ok(())
}
