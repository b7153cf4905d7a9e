//! Who names it when somebody with the broker's files changes the log: each of these leaves a log that is
//! whole in itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use expacti_harness::{Outcome, Team, Trial, trial, until};

/// What somebody with the database and the broker's key can do, and hide: `rewrite FROM TO` and `cut SEQ` make the
/// chain, its checkpoints, the head beside it and the triggers as they would be; `untie` takes the triggers away.
const ATTACK: &str = r#"
import hashlib, json, re, sqlite3, subprocess, sys
db = sqlite3.connect(sys.argv[1])
key, what, words = sys.argv[2], sys.argv[3], sys.argv[4:]
guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetchall()
for name, _ in guards:
    db.execute(f"DROP TRIGGER {name}")
changed = 0
if what == "cut":
    changed = db.execute("DELETE FROM audit WHERE seq > ?", (int(words[0]),)).rowcount
if what == "rewrite":
    prev = None
    for seq, line in db.execute("SELECT seq, line FROM audit ORDER BY seq").fetchall():
        new = line.replace(*words)
        if prev: new = re.sub('"prev":"[0-9a-f]{64}"', f'"prev":"{prev}"', new, count=1)
        if '"kind":"checkpoint"' in new:
            before, after = re.split('"signature":"[^"]*",', new)
            sign = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "expacti-checkpoint"]
            signature = subprocess.run(sign, input=(before + after).encode(), capture_output=True, check=True).stdout
            new = f'{before}"signature":{json.dumps(signature.decode())},{after}'
        prev = hashlib.sha256(new.encode()).hexdigest()
        changed += line.count(words[0])
        db.execute("UPDATE audit SET line = ? WHERE seq = ?", (new, seq))
if what != "untie":
    seq, line = db.execute("SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    db.execute("UPDATE audit_head SET seq = ?, hash = ?", (seq, hashlib.sha256(line.encode()).hexdigest()))
    for _, sql in guards:
        db.execute(sql)
db.commit()
print(changed)
"#;

fn attack(t: &Trial, words: &[&str]) -> Result<i64> {
    t.expacti(&["down"])?;
    let database = t.home().join("expacti.db").display().to_string();
    let key = t.home().join("keys/checkpoint_ed25519").display().to_string();
    let args = [&["python3", "-c", ATTACK, &database, &key], words].concat();
    Ok(t.direct(&args).run()?.expect_code(0)?.out().trim().parse()?)
}

/// A command that was allowed and ran; its id.
fn ran(t: &Trial, command: &str) -> Result<String> {
    let run = t.wrap(&["ssh", "target", command]).spawn()?;
    let id = t.wait_pending()?.id;
    t.allow(&id)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&id, "finished")?;
    Ok(id)
}

fn entries(t: &Trial) -> Result<u64> {
    let status = t.expacti(&["status", "--json"])?.json()?;
    status["audit_entries"].as_u64().context("no number of entries")
}

fn forget(t: &Trial) {
    let _ = fs::remove_file(t.home().join("heads_seen.json"));
}

/// A witness on another machine.
struct Witness {
    child: Child,
    key: String,
    url: String,
    home: PathBuf,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Witness {
    fn start(t: &Trial, log: &str) -> Result<Self> {
        let home = t.dir().join("witness");
        fs::create_dir_all(&home)?;
        let mut child = Command::new(t.binary())
            .args(["audit", "witness", "--listen", "127.0.0.1:0"])
            .args(["--name", "witness.example/w1", "--log", log])
            .envs(t.environment())
            .env("EXPACTI_HOME", &home)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut key = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut key)?;
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while said.read_line(&mut line)? > 0 {
            let url = line.split_whitespace().find(|word| word.starts_with("http://"));
            if let Some(url) = url.map(|url| url.trim_end_matches(';').to_owned()) {
                let log = std::thread::spawn(move || {
                    let mut rest = String::new();
                    let _ = said.read_to_string(&mut rest);
                    rest
                });
                return Ok(Self { child, key: key.trim().to_owned(), url, home, log: Some(log) });
            }
            line.clear();
        }
        let _ = child.kill();
        anyhow::bail!("the witness did not say where it listens")
    }

    fn configure(&self, t: &Trial) -> Result<()> {
        t.configure(&format!("[[witness]]\nurl = \"{}\"\nkey = \"{}\"\n", self.url, self.key))
    }

    /// Stops it; what it has logged.
    fn stop(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log.take().map(|log| log.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bundle(t: &Trial, id: &str, file: &Path) -> Result<String> {
    let file = file.display().to_string();
    t.expacti(&["audit", "bundle", id, "--out", &file])?.expect_code(0)?;
    Ok(file)
}

fn verify(t: &Trial, file: &str, more: &[&str]) -> Result<Outcome> {
    t.expacti(&[&["audit", "verify", "--bundle", file], more].concat())
}

#[test]
fn a_cut_tail_is_named_by_whoever_has_seen_it() -> Result<()> {
    let t = trial!()?;
    ran(&t, "echo one")?;
    t.expacti(&["audit", "export", "--out", &t.dir().join("x").display().to_string()])?;
    let before = entries(&t)?;
    ran(&t, "echo two")?;
    // With the checkpoint at its end.
    t.expacti(&["audit", "export", "--out", &t.dir().join("y").display().to_string()])?;
    t.expacti(&["status"])?.expect_code(0)?;
    assert!(attack(&t, &["cut", &before.to_string()])? > 3);
    // The clients of this machine, and its gate.
    t.expacti(&["audit", "verify"])?.expect_code(5)?.expect_stderr("it went back, to expacti/")?;
    t.up()?;
    t.expacti(&["status"])?.expect_code(5)?.expect_stderr("it went back")?;
    let marker = t.marker("m");
    let outcome = t.wrap(&["ssh", "target", &marker.touch()]).run()?;
    outcome.expect_code(79)?.expect_stderr("not the one that this gate has seen")?;
    assert!(!marker.exists());
    // In itself it is whole: who has seen nothing of it finds nothing.
    t.expacti(&["down"])?.expect_code(0)?;
    forget(&t);
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn another_name_for_who_decided_is_named() -> Result<()> {
    let t = trial!()?;
    let key = t.dir().join("alice");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", "alice", "-t", "ed25519", "-f"])
        .arg(&key)
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let list = t.dir().join("signers");
    let public = fs::read_to_string(key.with_extension("pub"))?;
    fs::write(&list, format!("alice namespaces=\"expacti-*\" {public}"))?;
    let run = t.wrap(&["ssh", "target", "echo signed"]).spawn()?;
    let id = t.wait_pending()?.id;
    t.expacti(&["allow", &id, "--key", &key.display().to_string()])?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&id, "finished")?;
    t.expacti(&["status"])?.expect_code(0)?;
    let decided = t.wait_entry(&id, "decision")?.decided_by.context("nobody decided")?;
    let own = format!("\"decided_by\":\"{decided}\"");
    assert!(attack(&t, &["rewrite", &own, "\"decided_by\":\"mallory\""])? > 0);
    t.expacti(&["audit", "verify"])?.expect_code(5)?.expect_stderr("it forks")?;
    // Who has seen nothing of the log still sees whose signature it is.
    forget(&t);
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    let file = bundle(&t, &id, &t.dir().join("bundle.json"))?;
    let said = verify(&t, &file, &["--signers", &list.display().to_string()])?;
    let said = said.expect_code(0)?.out();
    assert!(
        said.contains("that it was mallory who decided") && said.contains("alice signed"),
        "{said}"
    );
    Ok(())
}

#[test]
fn another_end_than_the_gate_signed_is_named() -> Result<()> {
    let t = trial!()?;
    let run = t.wrap(&["ssh", "target", "exit 3"]).spawn()?;
    let id = t.wait_pending()?.id;
    t.allow(&id)?;
    run.wait()?.expect_code(3)?;
    t.wait_entry(&id, "finished")?;
    let file = bundle(&t, &id, &t.dir().join("good.json"))?;
    verify(&t, &file, &[])?.expect_code(0)?;
    assert!(
        attack(&t, &["rewrite", "\"exit_status\":3,\"host\"", "\"exit_status\":0,\"host\""])? == 0
    );
    assert!(attack(&t, &["rewrite", "\"exit_status\":3", "\"exit_status\":0"])? > 0);
    forget(&t);
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    let file = bundle(&t, &id, &t.dir().join("bundle.json"))?;
    let outcome = verify(&t, &file, &[])?;
    outcome.expect_code(1)?.expect_stderr("the entry says something else")?;
    Ok(())
}

#[test]
fn a_database_without_its_triggers_is_named() -> Result<()> {
    let t = trial!()?;
    t.rule("--exact", "one")?;
    t.expacti(&["status"])?.expect_code(0)?;
    attack(&t, &["untie"])?;
    t.up()?;
    let said = t.expacti(&["status"])?.expect_code(0)?.out();
    assert!(
        said.contains("audit_is_never_deleted, ") || said.contains(", audit_is_never_deleted"),
        "{said}"
    );
    let log = t.expacti(&["audit", "log", "--json"])?.expect_code(0)?.out();
    assert!(log.contains("guards_restored"), "{log}");
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    // They are back, and that is said once.
    t.expacti(&["down"])?.expect_code(0)?;
    t.up()?;
    let said = t.expacti(&["status"])?.expect_code(0)?.out();
    assert!(!said.contains("audit_is_never"), "{said}");
    Ok(())
}

#[test]
fn a_witness_cosigns_a_log_that_only_grows() -> Result<()> {
    let t = trial!()?;
    let first = ran(&t, "echo one")?;
    let key = t.expacti(&["audit", "key"])?.expect_code(0)?.out();
    t.expacti(&["down"])?.expect_code(0)?;
    let witness = Witness::start(&t, key.trim())?;
    assert!(witness.key.starts_with("witness.example/w1+"), "{}", witness.key);
    witness.configure(&t)?;
    let file = bundle(&t, &first, &t.dir().join("first.json"))?;
    let said = verify(&t, &file, &["--witness", &witness.key])?.expect_code(0)?.out();
    assert!(said.contains("witness.example/w1 has seen that log"), "{said}");
    assert!(!said.contains("no witness was asked"), "{said}");
    // Who does not give its key is told that nothing was checked.
    let said = verify(&t, &file, &[])?.expect_code(0)?.out();
    assert!(said.contains("that witness.example/w1 has seen the log: give its key"), "{said}");
    // The head by itself has the line as well, for other programs.
    t.up()?;
    let second = ran(&t, "echo two")?;
    let file = bundle(&t, &second, &t.dir().join("second.json"))?;
    verify(&t, &file, &["--witness", &witness.key])?.expect_code(0)?;
    let socket = t.home().join("broker.sock").display().to_string();
    let url = "http://localhost/v1/checkpoint";
    let note = t.direct(&["curl", "-sS", "--fail", "--unix-socket", &socket, url]).run()?;
    assert!(
        note.expect_code(0)?.out().contains("\u{2014} witness.example/w1 "),
        "{}",
        note.describe()
    );
    // Not one of another witness's key.
    let other = "witness.example/w2+";
    let forged: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    let lines = forged["cosignatures"].as_array().context("no cosignature")?;
    assert_eq!(lines.len(), 1, "{forged}");
    let mut without = forged.clone();
    without["cosignatures"] = serde_json::json!([lines[0].as_str().unwrap().replace("w1", "w2")]);
    fs::write(&file, serde_json::to_vec(&without)?)?;
    let outcome = verify(&t, &file, &["--witness", &witness.key])?;
    outcome.expect_code(1)?.expect_stderr("has not signed")?;
    assert!(!witness.key.starts_with(other));
    // A witness that is away holds nothing up.
    t.expacti(&["down"])?.expect_code(0)?;
    witness.stop();
    let third = bundle(&t, &second, &t.dir().join("third.json"))?;
    verify(&t, &third, &[])?.expect_code(0)?;
    Ok(())
}

#[test]
fn a_witness_names_an_old_database_when_everybody_else_has_forgotten() -> Result<()> {
    let t = trial!()?;
    let id = ran(&t, "echo one")?;
    let key = t.expacti(&["audit", "key"])?.expect_code(0)?.out();
    let before = entries(&t)?;
    t.expacti(&["down"])?.expect_code(0)?;
    let witness = Witness::start(&t, key.trim())?;
    witness.configure(&t)?;
    t.up()?;
    ran(&t, "echo two")?;
    bundle(&t, &id, &t.dir().join("seen.json"))?;
    assert!(witness.home.join("heads_cosigned.json").exists());
    attack(&t, &["cut", &before.to_string()])?;
    forget(&t);
    t.up()?;
    let file = bundle(&t, &id, &t.dir().join("back.json"))?;
    let said = t.expacti(&["status"])?.expect_code(0)?.out();
    assert!(said.contains("the witness witness.example/w1 does not cosign the log"), "{said}");
    assert!(said.contains("it went back"), "{said}");
    let outcome = verify(&t, &file, &["--witness", &witness.key])?;
    outcome.expect_code(1)?.expect_stderr("witness.example/w1 has not signed")?;
    // It goes on from there, past what the witness has seen.
    for word in ["two", "three", "four", "five"] {
        ran(&t, &format!("echo {word}"))?;
    }
    let file = bundle(&t, &id, &t.dir().join("fork.json"))?;
    let said = t.expacti(&["status"])?.expect_code(0)?.out();
    assert!(said.contains("nothing proves that the log only grew"), "{said}");
    verify(&t, &file, &["--witness", &witness.key])?.expect_code(1)?;
    // The witness has both heads in its own log.
    let log = witness.stop();
    assert_eq!(log.matches("entries and the root").count(), 2, "{log}");
    until("the broker to stop", || {
        t.expacti(&["down"])?;
        Ok(t.daemons().is_empty().then_some(()))
    })
}

#[test]
fn a_gates_token_without_its_key_is_worth_nothing() -> Result<()> {
    let t = trial!()?;
    let mut team = Team::start(&t)?;
    let marker = t.marker("m");
    let runs = |team: &Team<'_>| -> Result<()> {
        let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
        let held = t.wait_pending()?;
        let allow = t.launch(&["allow", &held.id, "--broker", &team.url()]);
        allow.env("EXPACTI_TOKEN", team.token()).run()?.expect_code(0)?;
        run.wait()?.expect_code(0)?;
        t.wait_entry(&held.id, "finished")?;
        Ok(())
    };
    runs(&team)?;
    let log = t.expacti(&["audit", "log", "--json"])?.expect_code(0)?.out();
    assert_eq!(log.matches("\"gate_key_added\"").count(), 1, "{log}");
    // Somebody else with the token.
    let key = team.gate_home().join("keys/gate_ed25519");
    fs::remove_file(&key)?;
    team.restart_gate()?;
    let outcome = team.ssh(&[], &[&marker.touch()])?.run()?;
    outcome.expect_code(79)?.expect_stderr("is known by the key ssh-ed25519")?;
    assert_eq!(marker.count(), 1);
    assert!(t.pending()?.is_empty());
    // If it was meant, the gate is added again, and known by its new key.
    t.expacti(&["gate", "remove", "edge"])?.expect_code(0)?;
    let added = t.expacti(&["gate", "add", "edge", "--json"])?.json()?;
    let token = added["token"].as_str().context("no token")?;
    fs::write(t.dir().join("team/gate.token"), token)?;
    team.restart_gate()?;
    runs(&team)?;
    assert_eq!(marker.count(), 2);
    Ok(())
}
