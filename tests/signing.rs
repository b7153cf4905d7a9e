//! Approvals that are signed by people and checked by the gate, with a real sshd and real keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use expacti_harness::{Trial, trial};

/// A key pair; the path of the private key.
fn key(t: &Trial, name: &str, kind: &str) -> Result<PathBuf> {
    let path = t.dir().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", name, "-t", kind, "-f"])
        .arg(&path)
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(path)
}

/// Who may sign, as the gate reads it.
fn signers(t: &Trial, people: &[(&str, &Path)]) -> Result<()> {
    let mut text = String::new();
    for (name, key) in people {
        let public = fs::read_to_string(key.with_extension("pub"))?;
        text.push_str(&format!("{name} namespaces=\"expacti-*\" {public}"));
    }
    // In one step: the gate reads it at any moment.
    let fresh = t.home().join("allowed_signers.new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, t.home().join("allowed_signers"))?;
    Ok(())
}

/// What the gate asks for.
fn asks(t: &Trial, require: &str) -> Result<()> {
    t.configure(&format!("[approval]\nsigners = \"allowed_signers\"\n{require}"))
}

fn allow_with(t: &Trial, id: &str, key: &Path) -> Result<()> {
    t.expacti(&["allow", id, "--key", &key.display().to_string()])?.expect_code(0).map(drop)
}

#[test]
fn without_a_signature_nothing_is_delivered() -> Result<()> {
    let t = trial!()?;
    let alice = key(&t, "alice", "ed25519")?;
    signers(&t, &[("alice", &alice)])?;
    asks(&t, "[[approval.require]]\nsignatures = 1\n")?;
    // The broker is satisfied with a plain allow; the gate is not.
    let marker = t.marker("unsigned");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?.expect_code(79)?.expect_stderr("needs 1 signature; has none")?;
    assert!(!marker.exists());
    let log = t.expacti(&["audit", "log", "--json"])?.out();
    assert!(log.contains("needs 1 signature"), "{log}");
    assert!(!log.contains("\"kind\":\"finished\""), "{log}");
    // With the key it runs, once.
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    allow_with(&t, &held.id, &alice)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    // What it was signed with is in the log, for whoever checks it later.
    let log = t.expacti(&["audit", "log", "--json"])?.out();
    assert!(log.contains("BEGIN SSH SIGNATURE") && log.contains("expacti-decision"), "{log}");
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn who_is_not_on_the_list_does_not_count() -> Result<()> {
    let t = trial!()?;
    let (alice, mallory) = (key(&t, "alice", "ed25519")?, key(&t, "mallory", "ecdsa")?);
    signers(&t, &[("alice", &alice)])?;
    asks(&t, "[[approval.require]]\nsignatures = 1\n")?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    allow_with(&t, &held.id, &mallory)?;
    run.wait()?.expect_code(79)?;
    // A signer who is removed while the command waits.
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    signers(&t, &[("mallory", &mallory)])?;
    allow_with(&t, &held.id, &alice)?;
    run.wait()?.expect_code(79)?;
    // Nobody is left who could be read.
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    fs::write(t.home().join("allowed_signers"), "alice ssh-ed25519 broken\n")?;
    allow_with(&t, &held.id, &alice)?;
    run.wait()?.expect_code(79)?;
    assert!(!marker.exists());
    // Back on the list.
    signers(&t, &[("mallory", &mallory)])?;
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    allow_with(&t, &held.id, &mallory)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn what_needs_a_signature_is_the_gates_own_judgement() -> Result<()> {
    let t = trial!()?;
    let alice = key(&t, "alice", "ed25519")?;
    signers(&t, &[("alice", &alice)])?;
    asks(&t, "[[approval.require]]\neffects = [\"deletes\"]\n")?;
    t.up()?;
    for rule in ["rm **", "hostname"] {
        t.expacti(&["rules", "add", "--glob", rule])?.expect_code(0)?;
    }
    // What deletes nothing goes by the broker's word.
    t.wrap(&["ssh", "target", "hostname"]).run()?.expect_code(0)?;
    let kept = t.marker("kept");
    fs::write(kept.path(), "x")?;
    // A rule is no signature.
    let remove = format!("rm -f {}", kept.path().display());
    t.wrap(&["ssh", "target", &remove]).run()?.expect_code(79)?;
    assert!(kept.path().exists());
    let listed = t.expacti(&["rules", "list", "--json"])?.json()?;
    for rule in listed.as_array().unwrap() {
        t.expacti(&["rules", "remove", rule["id"].as_str().unwrap()])?.expect_code(0)?;
    }
    // However it is spelt, and where it comes on standard input.
    for line in [format!("cd / && {remove}"), format!("r''m -f {}", kept.path().display())] {
        let run = t.wrap(&["ssh", "target", &line]).spawn()?;
        let held = t.wait_pending()?;
        t.allow(&held.id)?;
        run.wait()?.expect_code(79)?;
        assert!(kept.path().exists(), "{line}");
    }
    let run = t.wrap(&["ssh", "target", "sh"]).stdin(remove.clone()).spawn()?;
    let held = t.wait_pending()?;
    allow_with(&t, &held.id, &alice)?;
    // What came on standard input was not allowed with it, and needs a signature of its own.
    let input = t.wait_pending()?;
    ensure!(input.id != held.id, "the same once more");
    t.allow(&input.id)?;
    run.wait()?;
    assert!(kept.path().exists());
    Ok(())
}

#[test]
fn whoever_has_a_key_signs() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let owner = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
    let owner = owner.trim();
    let mine = key(&t, "mine", "ed25519")?;
    let public = mine.with_extension("pub").display().to_string();
    t.expacti(&["reviewer", "key", "add", owner, &public])?.expect_code(0)?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    // Whoever types `allow` in this terminal, without the key.
    let refused = t.expacti(&["allow", &held.id])?;
    refused.expect_code(5)?.expect_stderr("is not signed")?;
    let other = key(&t, "other", "ed25519")?;
    let other = t.expacti(&["allow", &held.id, "--key", &other.display().to_string()])?;
    other.expect_code(5)?;
    assert!(!marker.exists());
    allow_with(&t, &held.id, &mine)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    // A denial needs none: it must be possible at once.
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.deny(&held.id, "no")?;
    run.wait()?.expect_code(77)?;
    let listed =
        t.expacti(&["reviewer", "key", "list", "--allowed-signers"])?.expect_code(0)?.out();
    assert!(
        listed.starts_with(&format!("{owner} namespaces=\"expacti-*\" ssh-ed25519 ")),
        "{listed}"
    );
    // It is no way round it to take the key away.
    t.expacti(&["reviewer", "key", "remove", &public])?
        .expect_code(5)?
        .expect_stderr("signs what")?;
    Ok(())
}

#[test]
fn the_screen_signs_what_it_allows() -> Result<()> {
    let t = trial!()?;
    let alice = key(&t, "alice", "ed25519")?;
    signers(&t, &[("alice", &alice)])?;
    asks(&t, "[[approval.require]]\nsignatures = 1\n")?;
    let screen = t.terminal(&["review", "--key", &alice.display().to_string()], (110, 36))?;
    screen.wait_for("Nothing to review")?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    screen.wait_for(&marker.touch()[..12])?;
    screen.wait_until("the request to be armed", |text| text.contains("a allow"))?;
    expacti_harness::until("the allow to be taken", || {
        screen.keys(&["a"])?;
        Ok(marker.exists().then_some(()))
    })?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    screen.keys(&["q"])?;
    Ok(())
}

#[test]
fn rules_count_as_people_have_signed_them() -> Result<()> {
    let t = trial!()?;
    let alice = key(&t, "alice", "ed25519")?;
    let name = alice.display().to_string();
    signers(&t, &[("alice", &alice)])?;
    asks(&t, "[approval.rules]\nsignatures = 1\n")?;
    t.up()?;
    let run = |command: &str| t.wrap(&["ssh", "target", command]).run();
    t.expacti(&["rules", "add", "--exact", "hostname"])?.expect_code(0)?;
    // Nobody has signed: nothing is delivered, by a rule or by a person.
    run("hostname")?.expect_code(79)?.expect_stderr("no rules that people signed")?;
    let marker = t.marker("m");
    let waiting = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    t.allow(&t.wait_pending()?.id)?;
    waiting.wait()?.expect_code(79)?;
    assert!(!marker.exists());
    let signed = t.expacti(&["rules", "sign", "--key", &name, "--yes"])?;
    signed.expect_code(0)?.expect_stderr("+ rule ")?;
    run("hostname")?.expect_code(0)?;
    // What the broker adds by itself is no rule.
    t.expacti(&["rules", "add", "--exact", "uptime"])?.expect_code(0)?;
    run("uptime")?.expect_code(79)?.expect_stderr("no rule that people have signed allows it")?;
    // A person may allow it: nothing here asks for a signature of that.
    let waiting = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    t.allow(&t.wait_pending()?.id)?;
    waiting.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    // What was denied and is left out is denied still.
    let denied = t.expacti(&["rules", "add", "--deny", "--glob", "touch **", "--json"])?;
    let denied = denied.expect_code(0)?.json()?["id"].as_str().unwrap().to_owned();
    t.expacti(&["rules", "sign", "--key", &name, "--yes"])?.expect_code(0)?;
    t.expacti(&["rules", "remove", &denied])?.expect_code(0)?;
    let touch = format!("touch {}", marker.path().display());
    let waiting = t.wrap(&["ssh", "target", &touch]).spawn()?;
    t.allow(&t.wait_pending()?.id)?;
    waiting.wait()?.expect_code(79)?.expect_stderr("people have signed denies it")?;
    // Until people sign that as well.
    let signed = t.expacti(&["rules", "sign", "--key", &name, "--yes"])?;
    signed.expect_code(0)?.expect_stderr("- rule ")?;
    let waiting = t.wrap(&["ssh", "target", &touch]).spawn()?;
    t.allow(&t.wait_pending()?.id)?;
    waiting.wait()?.expect_code(0)?;
    // A stranger's signature makes no rules.
    let mallory = key(&t, "mallory", "ed25519")?.display().to_string();
    t.expacti(&["rules", "add", "--exact", "id"])?.expect_code(0)?;
    t.expacti(&["rules", "sign", "--key", &mallory, "--yes"])?.expect_code(0)?;
    run("hostname")?.expect_code(79)?.expect_stderr("the signed rules do not count")?;
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn a_policy_that_was_signed_and_is_left_out_counts_still() -> Result<()> {
    let t = trial!()?;
    let (alice, bob) = (key(&t, "alice", "ed25519")?, key(&t, "bob", "ed25519")?);
    signers(&t, &[("alice", &alice), ("bob", &bob)])?;
    asks(&t, "[approval.rules]\n")?;
    t.up()?;
    let added = t.expacti(&[
        "policy", "add", "--type", "any", "--group", "alice", "--match", "touch *", "--json",
    ])?;
    let policy = added.expect_code(0)?.json()?["id"].as_str().unwrap().to_owned();
    t.expacti(&["rules", "sign", "--key", &alice.display().to_string(), "--yes"])?
        .expect_code(0)?;
    t.expacti(&["policy", "remove", &policy])?.expect_code(0)?;
    let marker = t.marker("m");
    let touch = format!("touch {}", marker.path().display());
    let run = t.wrap(&["ssh", "target", &touch]).spawn()?;
    t.allow(&t.wait_pending()?.id)?;
    run.wait()?.expect_code(79)?.expect_stderr("a policy that people have signed")?;
    let run = t.wrap(&["ssh", "target", &touch]).spawn()?;
    allow_with(&t, &t.wait_pending()?.id, &bob)?;
    run.wait()?.expect_code(79)?;
    assert!(!marker.exists());
    let run = t.wrap(&["ssh", "target", &touch]).spawn()?;
    allow_with(&t, &t.wait_pending()?.id, &alice)?;
    run.wait()?.expect_code(0)?;
    assert!(marker.exists());
    Ok(())
}

/// A FIDO2 key in software, which is "touched" at once.
const SK_DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

#[test]
fn where_a_touch_is_asked_for_only_a_key_that_was_touched_counts() -> Result<()> {
    if !Path::new(SK_DUMMY).exists() {
        expacti_harness::prerequisites::missing(SK_DUMMY, "apt-get install openssh-tests");
        return Ok(());
    }
    let t = trial!()?;
    let soft = key(&t, "soft", "ed25519")?;
    let hard = t.dir().join("hard");
    let make = |path: &Path, options: &[&str]| -> Result<()> {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-t", "ed25519-sk", "-w", SK_DUMMY])
            .args(options)
            .arg("-f")
            .arg(path)
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    };
    make(&hard, &[])?;
    let untouched = t.dir().join("untouched");
    make(&untouched, &["-O", "no-touch-required"])?;
    signers(&t, &[("alice", &soft), ("alice", &hard), ("alice", &untouched)])?;
    asks(&t, "[[approval.require]]\nsignatures = 1\ntouch = true\n")?;
    let marker = t.marker("m");
    for (key, runs) in [(&soft, false), (&untouched, false), (&hard, true)] {
        let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
        let held = t.wait_pending()?;
        let allow = t
            .launch(&["allow", &held.id, "--key", &key.display().to_string()])
            .env("SSH_SK_PROVIDER", SK_DUMMY)
            .run()?;
        if *key == untouched {
            // The client does not even send it.
            allow.expect_code(5)?.expect_stderr("nobody touched")?;
            t.deny(&held.id, "no touch")?;
            run.wait()?.expect_code(77)?;
        } else {
            allow.expect_code(0)?;
            run.wait()?.expect_code(if runs { 0 } else { 79 })?;
        }
        assert_eq!(marker.exists(), runs, "{}", key.display());
    }
    Ok(())
}
