//! Secrets in commands: whatever the broker writes down, sends or lists, they are in none of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Result, ensure};
use expacti_harness::{Trial, Verdict, trial, until};
use serde_json::Value;

/// What must not be found.
const SECRET: &str = "S3cr-et9x";

/// How many of the forms run through a real gate: one out of so many.
const STEP: usize = 9;

/// The forms of the engine's own test, some of them.
fn forms() -> Vec<String> {
    include_str!("../engine/tests/data/secrets.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .step_by(STEP)
        .map(|line| line.replace("\\n", "\n").replace("@S@", SECRET))
        .collect()
}

/// A receiver of webhooks on this machine: its address, and all that it was sent.
fn receiver() -> Result<(String, Arc<Mutex<Vec<u8>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let all = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&all);
    // Ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let sent = Arc::clone(&sent);
            thread::spawn(move || {
                let mut message: Vec<u8> = Vec::new();
                let mut buffer = [0; 64 * 1024];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    message.extend_from_slice(&buffer[..count]);
                    sent.lock().unwrap().extend_from_slice(&buffer[..count]);
                    let text = String::from_utf8_lossy(&message).to_lowercase();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                    if body.len() >= length.unwrap_or(0) {
                        let _ = stream.write_all(
                            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                        );
                        return;
                    }
                }
            });
        }
    });
    Ok((format!("http://{address}/"), all))
}

/// The files below a directory that hold the secret.
fn files_with_secret(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path())?;
                if has_secret(&bytes) {
                    found.push(entry.path());
                }
            }
        }
    }
    Ok(found)
}

fn has_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// What a command waits for on standard input is joined to it.
fn joined(t: &Trial, bytes: usize) -> Result<Value> {
    until("the standard input to come", || {
        let all = t.expacti(&["pending", "--json"])?.json()?;
        let came = |item: &&Value| item["input"]["came"]["bytes"] == bytes;
        Ok(all.as_array().and_then(|all| all.iter().find(came).cloned()))
    })
}

#[test]
fn no_secret_on_standard_input_is_written_sent_or_listed() -> Result<()> {
    let t = trial!()?;
    let (url, sent) = receiver()?;
    t.configure(&format!("notify = false\n[[webhook]]\nname = \"test\"\nurl = \"{url}\"\nevents = [\"pending\", \"decided\"]\n"))?;
    t.up()?;
    let file = t.dir().join(".env");
    let write = format!("cat > '{}'", file.display());
    let bytes = format!("\u{1}\u{2}{SECRET}\u{1}\n");
    let line = format!("{SECRET}\n");
    let inputs = [
        (write.as_str(), format!("A={SECRET}\n"), true),
        ("sudo -S id", line.clone(), false),
        ("chpasswd", format!("bob:{SECRET}\n"), false),
        ("docker login --password-stdin registry.example", line, false),
        ("gpg --batch --passphrase-fd 0 -d x.gpg", bytes, false),
        ("bash", format!("export PGPASSWORD=\"\n{SECRET}\"\n"), true),
    ];
    let mut digests = Vec::new();
    for (command, input, allow) in &inputs {
        let run = t.wrap(&["ssh", "target", command]).stdin(input.clone()).spawn()?;
        let item = joined(&t, input.len())?;
        let id = item["id"].as_str().unwrap();
        assert!(item["input"]["came"]["text"].as_str().unwrap().contains(SECRET), "{item}");
        let digest = item["input"]["came"]["sha256"].as_str().unwrap().to_owned();
        if *allow {
            t.expacti(&["allow", id, "--input", &digest])?.expect_code(0)?;
            run.wait()?.expect_code(0)?;
            t.wait_entry(id, "finished")?;
        } else {
            t.deny(id, "no")?;
            run.wait()?.expect_code(77)?;
        }
        digests.push(digest);
    }
    assert_eq!(fs::read(&file)?, inputs[0].1.as_bytes(), "what was approved is what came");
    until("the last webhook", || {
        let sent = sent.lock().unwrap();
        let told = String::from_utf8_lossy(&sent).matches("\"event\":\"decided\"").count();
        Ok((told >= inputs.len()).then_some(()))
    })?;
    let mut all = vec![("a webhook".to_owned(), sent.lock().unwrap().clone())];
    let log = t.audit()?;
    let session = log.iter().find_map(|entry| entry.more.get("session_id")?.as_str()).unwrap();
    for arguments in [
        &["sessions", "--json"][..],
        &["audit", "log"],
        &["audit", "export"],
        &["replay", session, "--export", "-"],
    ] {
        all.push((format!("{arguments:?}"), t.expacti(arguments)?.expect_code(0)?.stdout.clone()));
    }
    t.stop()?;
    for (what, bytes) in &all {
        assert!(!has_secret(bytes), "{what} told it: {}", String::from_utf8_lossy(bytes));
        // A short one could be found from its digest.
        let text = String::from_utf8_lossy(bytes);
        assert!(!digests.iter().any(|digest| text.contains(digest)), "{what}: {text}");
    }
    let found = files_with_secret(&t.home())?;
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

#[test]
fn no_secret_of_a_command_is_written_sent_or_listed() -> Result<()> {
    let t = trial!()?;
    let (url, sent) = receiver()?;
    t.configure(&format!("notify = false\n[[webhook]]\nname = \"test\"\nurl = \"{url}\"\nevents = [\"pending\", \"decided\"]\n"))?;
    let password = format!("PGPASSWORD={SECRET}");
    let reason = format!("to try password={SECRET}");
    // The program of the wrap, and the words of its user, hold it too.
    let wrapped = |command: &str| {
        t.wrap_with(&["--reason", &reason], &["env", &password, "ssh", "target", command])
    };

    // A command that runs, decided by somebody who sees what it is.
    let harmless = format!("MYSQL_PWD={SECRET} sh -c 'echo ran'");
    let run = wrapped(&harmless).spawn()?;
    let held = t.wait_pending()?;
    let listed = t.expacti(&["pending", "--json"])?.out();
    assert!(listed.contains(SECRET), "whoever decides must see the command");
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?.expect_stdout("ran\n")?;
    t.wait_entry(&held.id, "finished")?;

    // And many that are denied.
    let forms = forms();
    ensure!(forms.len() >= 25, "{} forms", forms.len());
    {
        let _reviewer = t.auto_reviewer(Verdict::Deny(format!("not with {SECRET}")));
        for form in &forms {
            wrapped(form).run()?.expect_code(77)?;
        }
    }

    // Sent last, so that all before it has arrived.
    until("the last webhook", || {
        let sent = sent.lock().unwrap();
        let told = String::from_utf8_lossy(&sent).matches("\"event\":\"decided\"").count();
        Ok((told > forms.len()).then_some(()))
    })?;
    assert!(!has_secret(&sent.lock().unwrap()), "a webhook told it");
    for arguments in [
        &["sessions", "--json"][..],
        &["status", "--json"],
        &["audit", "log"],
        &["audit", "export"],
        &["replay", &held.session_id, "--export", "-"],
        &["rules", "suggest"],
    ] {
        let outcome = t.expacti(arguments)?;
        outcome.expect_code(0)?;
        assert!(!has_secret(&outcome.stdout), "{arguments:?} told it:\n{}", outcome.out());
    }
    let entries = t.audit()?;
    let opened = entries.iter().find(|entry| entry.kind == "session_opened").unwrap();
    assert!(opened.more["program"].to_string().contains("PGPASSWORD=•••"), "{:?}", opened.more);
    assert!(entries.iter().filter(|entry| entry.kind == "decision").count() > forms.len());
    t.stop()?;
    let found = files_with_secret(&t.home())?;
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}
