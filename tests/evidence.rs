//! What others can hold the log to: proofs and bundles that are verified without the broker, and a log that
//! goes back or forks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use expacti_harness::{Outcome, Trial, trial, until};
use serde_json::{Value, json};

/// A FIDO2 key in software, which is "touched" at once.
const SK_DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// Allows a command as any other program would: its id, the key, the broker's socket.
const SIGN_BY_HAND: &str = r#"
api() { curl -sS --fail-with-body --unix-socket "$socket" "http://localhost/v1/commands/$@"; }
id=$1 key=$2 socket=$3
api "$id" | jq -j .item.statement >item
printf '{"decisions":[{"decision":"allow","item":%s}],"purpose":"expacti-decision","version":1}' \
    "$(cat item)" >decision
ssh-keygen -Y sign -f "$key" -n expacti-decision <decision >decision.sig
jq -n --rawfile statement decision --rawfile signature decision.sig \
    --arg sha256 "$(jq -r .sha256 item)" '{allow: true} + $ARGS.named' |
    api "$id/decision" -H 'content-type: application/json' -d @-
"#;

/// A key pair; the path of the private key.
fn key(t: &Trial, name: &str, args: &[&str]) -> Result<PathBuf> {
    let path = t.dir().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", name])
        .args(args)
        .arg("-f")
        .arg(&path)
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(path)
}

fn signers(t: &Trial, name: &str, key: &Path) -> Result<String> {
    let path = t.dir().join(format!("{name}.signers"));
    let public = fs::read_to_string(key.with_extension("pub"))?;
    fs::write(&path, format!("{name} namespaces=\"expacti-*\" {public}"))?;
    Ok(path.display().to_string())
}

/// A command that was allowed with a key, ran and is over; its id.
fn signed_command(t: &Trial, key: &Path) -> Result<String> {
    let run = t.wrap(&["ssh", "target", "echo signed"]).spawn()?;
    let id = t.wait_pending()?.id;
    t.expacti(&["allow", &id, "--key", &key.display().to_string()])?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&id, "finished")?;
    Ok(id)
}

fn broker_key(t: &Trial) -> Result<String> {
    public_key(&t.home().join("keys/checkpoint_ed25519"))
}

fn public_key(private: &Path) -> Result<String> {
    let out = Command::new("ssh-keygen").arg("-y").arg("-f").arg(private).output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

fn python(t: &Trial, bundle: &str, key: &str, signers: &str) -> Result<Outcome> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_bundle.py");
    t.direct(&["python3", script, bundle, key, signers]).run()
}

/// Every value of a document, once each in another form.
fn changed(whole: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let inner = |part: &Value, put: &dyn Fn(Value) -> Value, all: &mut Vec<Value>| {
        all.extend(changed(part).into_iter().map(put));
    };
    match whole {
        Value::String(text) => {
            let mut at = text.len() / 2;
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let (before, after) = text.split_at(at);
            let mut rest = after.chars();
            let other = rest.next().map_or('A', |c| if c == 'A' { 'B' } else { 'A' });
            all.push(json!(format!("{before}{other}{}", rest.as_str())));
        }
        Value::Number(number) => all.push(json!(number.as_u64().unwrap() + 1)),
        Value::Array(parts) => {
            for (at, part) in parts.iter().enumerate() {
                let put = |new: Value| {
                    let mut parts = parts.clone();
                    parts[at] = new;
                    Value::Array(parts)
                };
                inner(part, &put, &mut all);
                let mut fewer = parts.clone();
                fewer.remove(at);
                all.push(Value::Array(fewer));
            }
        }
        Value::Object(fields) => {
            for (name, part) in fields {
                let put = |new: Value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), new);
                    Value::Object(fields)
                };
                inner(part, &put, &mut all);
            }
            let mut more = fields.clone();
            more.insert("other".to_owned(), json!(1));
            all.push(Value::Object(more));
        }
        other => panic!("{other}"),
    }
    all
}

#[test]
fn a_bundle_is_verified_elsewhere_and_every_change_of_it_is_found() -> Result<()> {
    let t = trial!()?;
    let alice = key(&t, "alice", &["-t", "ed25519"])?;
    let list = signers(&t, "alice", &alice)?;
    let id = signed_command(&t, &alice)?;
    let file = t.dir().join("bundle.json").display().to_string();
    t.expacti(&["audit", "bundle", &id, "--out", &file])?.expect_code(0)?;
    let broker = broker_key(&t)?;
    t.expacti(&["down"])?.expect_code(0)?;

    let verify = |file: &str| {
        t.expacti(&["audit", "verify", "--bundle", file, "--signers", &list, "--key", &broker])
    };
    let said = verify(&file)?.expect_code(0)?.out();
    for words in ["command_submitted", "released", "finished", "alice signed", "not proven:"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("the recording of sess_"), "{said}");
    let signed = "signed what it delivered and how that ended";
    assert!(said.contains(signed) && said.contains("whose gate reported it"), "{said}");
    let gate = public_key(&t.home().join("keys/gate_ed25519"))?;
    let verify_gate =
        |gate: &str| t.expacti(&["audit", "verify", "--bundle", &file, "--gate", gate]);
    let said = verify_gate(&gate)?.expect_code(0)?.out();
    assert!(said.contains(signed) && !said.contains("whose gate reported it"), "{said}");
    verify_gate(&broker)?.expect_code(1)?.expect_stderr("by another gate than those given")?;
    assert!(t.daemons().is_empty(), "verifying a bundle started a broker");
    let said = python(&t, &file, &broker, &list)?.expect_code(0)?.out();
    assert!(said.contains("signed by alice"), "{said}");
    assert!(said.contains("signed how it ended"), "{said}");

    // The digest is that of the recording.
    let whole: Value = serde_json::from_slice(&fs::read(&file)?)?;
    let contents: Value = serde_json::from_str(whole["contents"]["statement"].as_str().unwrap())?;
    let recording = &contents["recording"];
    let session = recording["session_id"].as_str().unwrap();
    let cast = t.home().join("recordings").join(format!("{session}.cast"));
    let digest = t.direct(&["sha256sum", &cast.display().to_string()]).run()?.expect_code(0)?.out();
    assert!(digest.starts_with(recording["sha256"].as_str().unwrap()), "{digest}");

    let all = changed(&whole);
    assert!(all.len() > 40, "{}", all.len());
    let other = t.dir().join("changed.json").display().to_string();
    for changed in all {
        fs::write(&other, serde_json::to_vec(&changed)?)?;
        let outcome = verify(&other)?;
        assert_eq!(outcome.code(), 1, "{}\n{changed}", outcome.describe());
        assert!(outcome.err().contains("proves nothing"), "{}", outcome.describe());
        let outcome = python(&t, &other, &broker, &list)?;
        assert_ne!(outcome.code(), 0, "{}\n{changed}", outcome.describe());
    }
    // A line that somebody else has made up.
    let mut forged = whole.clone();
    let line =
        "\u{2014} witness.example/w MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA=\n";
    forged["checkpoint"] = json!(format!("{}{line}", whole["checkpoint"].as_str().unwrap()));
    fs::write(&other, serde_json::to_vec(&forged)?)?;
    verify(&other)?.expect_code(1)?.expect_stderr("not known here")?;

    // Another broker's key, and a list without the one who signed.
    let mallory = key(&t, "mallory", &["-t", "ed25519"])?;
    let public = fs::read_to_string(mallory.with_extension("pub"))?;
    t.expacti(&["audit", "verify", "--bundle", &file, "--key", &public])?
        .expect_code(1)?
        .expect_stderr("another key")?;
    let list = signers(&t, "mallory", &mallory)?;
    t.expacti(&["audit", "verify", "--bundle", &file, "--signers", &list])?
        .expect_code(1)?
        .expect_stderr("not on the list")?;
    // Without a list it is only said that somebody signed.
    let said = t.expacti(&["audit", "verify", "--bundle", &file])?.expect_code(0)?.out();
    assert!(said.contains("whose signatures these are") && said.contains("whose log"), "{said}");
    Ok(())
}

#[test]
fn a_proof_has_the_entries_and_no_more() -> Result<()> {
    let t = trial!()?;
    let run = t.wrap(&["ssh", "target", "echo proven"]).spawn()?;
    let id = t.wait_pending()?.id;
    t.allow(&id)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&id, "finished")?;
    let proof = t.expacti(&["audit", "prove", &id])?.expect_code(0)?.out();
    let file = t.dir().join("proof.json").display().to_string();
    fs::write(&file, &proof)?;
    let said = t.expacti(&["audit", "verify", "--proof", &file])?.expect_code(0)?.out();
    assert!(said.contains("no signature, only the broker's word"), "{said}");
    let read: Value = serde_json::from_str(&proof)?;
    assert!(read.get("signed").is_none());
    let kinds = t.entry_kinds(&id)?;
    assert_eq!(read["entries"].as_array().unwrap().len(), kinds.len());
    // The head by itself, as any other program gets it.
    let socket = t.home().join("broker.sock").display().to_string();
    let url = "http://localhost/v1/checkpoint";
    let note = t.direct(&["curl", "-sS", "--fail", "--unix-socket", &socket, url]).run()?;
    let (note, checkpoint) = (note.expect_code(0)?.out(), read["checkpoint"].as_str().unwrap());
    assert_eq!(note.lines().next(), checkpoint.lines().next());
    assert!(note.starts_with("expacti/") && note.contains("\n\n\u{2014} expacti/"), "{note}");
    // Later entries change nothing: the head in it is the one of then.
    t.rule("--exact", "uptime")?;
    t.expacti(&["audit", "verify", "--proof", &file])?.expect_code(0)?;
    t.expacti(&["audit", "prove", "cmd_00000000000000000000000000"])?.expect_code(4)?;
    Ok(())
}

#[test]
fn a_key_that_was_not_touched_is_refused() -> Result<()> {
    if !Path::new(SK_DUMMY).exists() {
        expacti_harness::prerequisites::missing(SK_DUMMY, "apt-get install openssh-tests");
        return Ok(());
    }
    let t = trial!()?;
    let sk = ["-t", "ed25519-sk", "-w", SK_DUMMY];
    let touched = key(&t, "touched", &sk)?;
    let untouched = key(&t, "untouched", &[&sk[..], &["-O", "no-touch-required"]].concat())?;
    for (name, key, is_touched) in [("touched", touched, true), ("untouched", untouched, false)] {
        let list = signers(&t, name, &key)?;
        let run = t.wrap(&["ssh", "target", "echo touched"]).spawn()?;
        let id = t.wait_pending()?.id;
        // `expacti allow` would not send a signature without a touch.
        let signed = Command::new("sh")
            .args(["-euc", SIGN_BY_HAND, "sh", &id])
            .arg(&key)
            .arg(t.home().join("broker.sock"))
            .current_dir(t.dir())
            .env("SSH_SK_PROVIDER", SK_DUMMY)
            .output()?;
        ensure!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        run.wait()?.expect_code(0)?;
        let file = t.dir().join("bundle.json").display().to_string();
        t.expacti(&["audit", "bundle", &id, "--out", &file])?.expect_code(0)?;
        let verify = t.expacti(&["audit", "verify", "--bundle", &file, "--signers", &list])?;
        if is_touched {
            let said = verify.expect_code(0)?.out();
            assert!(said.contains("touched signed for exactly this command"), "{said}");
            assert!(said.contains(", touched\n"), "{said}");
        } else {
            verify.expect_code(1)?.expect_stderr("signed without a touch")?;
            let without = t.expacti(&["audit", "verify", "--bundle", &file])?;
            let said = without.expect_code(0)?.out();
            assert!(said.contains("touched the security key: one signed without"), "{said}");
        }
    }
    Ok(())
}

/// The database as it is, while nothing runs.
fn copy_database(t: &Trial, from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in ["expacti.db", "expacti.db-wal", "expacti.db-shm"] {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    ensure!(t.daemons().is_empty(), "the broker runs");
    Ok(())
}

#[test]
fn a_log_that_goes_back_or_forks_is_refused() -> Result<()> {
    let t = trial!()?;
    let backup = t.dir().join("backup");
    for pattern in ["one", "two", "three"] {
        t.rule("--exact", pattern)?;
    }
    t.expacti(&["status"])?.expect_code(0)?;
    t.expacti(&["down"])?.expect_code(0)?;
    copy_database(&t, &t.home(), &backup)?;
    for pattern in ["four", "five"] {
        t.rule("--exact", pattern)?;
        // It grows, and that is seen.
        t.expacti(&["audit", "verify"])?.expect_code(0)?;
        t.expacti(&["status"])?.expect_code(0)?;
    }
    let seen = fs::read_to_string(t.home().join("heads_seen.json"))?;
    let read: Value = serde_json::from_str(&seen)?;
    let head = read.as_object().unwrap().values().next().unwrap();
    let root = head["root"].as_str().unwrap();
    t.expacti(&["down"])?.expect_code(0)?;

    // The log of before is whole in itself, and not what this machine has seen.
    copy_database(&t, &backup, &t.home())?;
    for args in [["audit", "verify"], ["audit", "log"], ["audit", "export"]] {
        let outcome = t.expacti(&args)?;
        outcome.expect_code(5)?.expect_stderr("it went back, to expacti/")?.expect_stderr(root)?;
    }
    t.up()?;
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("it went back")?;
    let review = t.launch(&["review"]).run()?;
    assert_eq!(review.code(), 5, "{}", review.describe());
    // It goes on from there, past what was seen.
    for pattern in ["six", "seven", "eight", "nine", "ten"] {
        t.rule("--exact", pattern)?;
    }
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("it forks")?.expect_stderr(root)?;
    t.expacti(&["audit", "verify"])?.expect_code(5)?.expect_stderr("it forks")?;
    // What was refused was not remembered.
    assert_eq!(fs::read_to_string(t.home().join("heads_seen.json"))?, seen);
    t.expacti(&["down"])?.expect_code(0)?;

    // Another log, and another key.
    for name in ["expacti.db", "expacti.db-wal", "expacti.db-shm"] {
        let _ = fs::remove_file(t.home().join(name));
    }
    t.rule("--exact", "one")?;
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("it now shows another log")?;
    t.expacti(&["down"])?.expect_code(0)?;
    fs::remove_file(t.home().join("keys/checkpoint_ed25519"))?;
    t.up()?;
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("is signed by")?;
    // Whoever meant it says so.
    fs::remove_file(t.home().join("heads_seen.json"))?;
    t.expacti(&["status"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn a_gate_delivers_nothing_on_a_log_that_went_back() -> Result<()> {
    let t = trial!()?;
    t.rule("--exact", "one")?;
    t.expacti(&["down"])?.expect_code(0)?;
    let backup = t.dir().join("backup");
    copy_database(&t, &t.home(), &backup)?;
    // Nobody looks at the log but the gate.
    let _ = fs::remove_file(t.home().join("heads_seen.json"));
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&held.id, "finished")?;
    t.expacti(&["down"])?.expect_code(0)?;
    // It sees all of it when it comes up the next time.
    fs::remove_file(t.home().join("heads_seen.json"))?;
    t.up()?;
    let seen = || fs::read_to_string(t.home().join("heads_seen.json")).unwrap_or_default();
    let first = until("the gate to look at the log", || {
        Ok(Some(seen()).filter(|seen| seen.contains("\"size\"")))
    })?;
    t.expacti(&["down"])?.expect_code(0)?;

    copy_database(&t, &backup, &t.home())?;
    // A rule allows it, and still nothing runs.
    t.rule("--exact", &marker.touch())?;
    let outcome = t.wrap(&["ssh", "target", &marker.touch()]).run()?;
    outcome.expect_code(79)?.expect_stderr("not the one that this gate has seen")?;
    assert_eq!(marker.count(), 1);
    let log = fs::read_to_string(t.home().join("expacti.log"))?;
    assert!(
        log.contains("it went back, to expacti/") && log.contains("has seen expacti/"),
        "{log}"
    );
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("it went back")?;
    assert_eq!(seen(), first);

    // Whoever meant it says so, and the gate goes on without a restart.
    let said = t.expacti(&["audit", "accept"])?.expect_code(0)?.out();
    assert!(said.contains("seen      expacti/") && said.contains("accepted  expacti/"), "{said}");
    let outcome = until("the gate to go on", || {
        let outcome = t.wrap(&["ssh", "target", &marker.touch()]).run()?;
        Ok((outcome.code() == 0).then_some(outcome))
    })?;
    outcome.expect_code(0)?;
    assert_eq!(marker.count(), 2);
    t.expacti(&["status"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn the_broker_signs_nothing_that_it_has_not_written() -> Result<()> {
    let t = trial!()?;
    t.rule("--exact", "before")?;
    t.expacti(&["down"])?.expect_code(0)?;
    let rewrite = "import sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1])\n\
                   db.execute('DROP TRIGGER audit_is_never_updated')\n\
                   change = \"UPDATE audit SET line = replace(line, 'before', 'behind')\"\n\
                   print(db.execute(change + \" WHERE line LIKE '%before%'\").rowcount)\n\
                   db.commit()\n";
    let database = t.home().join("expacti.db").display().to_string();
    let done = t.direct(&["python3", "-c", rewrite, &database]).run()?;
    assert_ne!(done.expect_code(0)?.out().trim(), "0", "nothing was rewritten");
    t.up()?;
    let outcome = t.expacti(&["status"])?;
    outcome.expect_code(1)?.expect_stderr("nothing is signed")?;
    Ok(())
}
