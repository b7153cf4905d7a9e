//! Many commands and many bytes: what comes through the gate equals what comes without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};

use anyhow::{Result, bail, ensure};
use expacti_harness::{Verdict, digest, trial, until};

const LONG: Duration = Duration::from_secs(180);

#[test]
fn two_hundred_commands_give_the_same_bytes_as_without_the_gate() -> Result<()> {
    let t = trial!()?;
    // Random bytes of many lengths (none, one, around the packet sizes) on both streams.
    let noise = t.dir().join("target/noise");
    fs::write(
        &noise,
        "#!/bin/sh\nd=$(dirname \"$0\")\ncat \"$d/out$1\"\ncat \"$d/err$1\" >&2\nexit \"$1\"\n",
    )?;
    fs::set_permissions(&noise, fs::Permissions::from_mode(0o755))?;
    let mut random = fs::File::open("/dev/urandom")?;
    for n in 0..200usize {
        for (stream, length) in [("out", lengths(n)), ("err", lengths(n + 7))] {
            let mut bytes = vec![0; length];
            std::io::Read::read_exact(&mut random, &mut bytes)?;
            fs::write(t.dir().join(format!("target/{stream}{n}")), bytes)?;
        }
    }
    t.rule("--glob", &format!("{} *", noise.display()))?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (t, noise) = (&t, &noise);
                scope.spawn(move || -> Result<()> {
                    let control = t.dir().join(format!("cm{worker}"));
                    let control = format!("ControlPath={}", control.display());
                    let master =
                        ["-o", &control, "-o", "ControlMaster=auto", "-o", "ControlPersist=60"];
                    for n in (worker..200).step_by(2) {
                        let command = format!("{} {n}", noise.display());
                        let mut args = master.to_vec();
                        args.extend(["target", &command]);
                        let gated = t.wrap(&["ssh", "target", &command]).run()?;
                        let direct = t.direct_ssh(&args).run()?;
                        for (way, outcome) in [("direct", &direct), ("gate", &gated)] {
                            for (stream, bytes) in
                                [("out", &outcome.stdout), ("err", &outcome.stderr)]
                            {
                                let file = t.dir().join(format!("target/{stream}{n}"));
                                same(&format!("{way} {stream}{n}"), bytes, &fs::read(file)?)?;
                            }
                            ensure!(outcome.code() == n, "{way} {n}: {}", outcome.code());
                        }
                    }
                    t.direct_ssh(&["-o", &control, "-O", "exit", "target"]).run()?;
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    // Each client leaves at once: its leaving must not make a known end unknown.
    let ends = until("the ends of all commands", || {
        let ends: Vec<String> = t.audit()?.into_iter().map(|entry| entry.kind).collect();
        let ends: Vec<String> =
            ends.into_iter().filter(|kind| kind == "finished" || kind == "unknown").collect();
        Ok((ends.len() == 200).then_some(ends))
    })?;
    assert!(ends.iter().all(|kind| kind == "finished"), "{ends:?}");
    Ok(())
}

/// Names the first difference rather than printing the bytes.
fn same(what: &str, found: &[u8], expected: &[u8]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let next = &found[at..found.len().min(at + 200)];
    bail!(
        "{what}: {} bytes instead of {}, equal up to {at}, then {:?}",
        found.len(),
        expected.len(),
        String::from_utf8_lossy(next)
    )
}

fn lengths(n: usize) -> usize {
    match n % 8 {
        0 => 0,
        1 => 1,
        2 => 255 + n % 3,
        3 => 4094 + n % 4,
        4 => 32767 + n % 3,
        5 => 65535 + n % 3,
        6 => 200_000 + n,
        _ => n * 13,
    }
}

/// sshd sends the end of file before the exit status; a client that multiplexes closes at the
/// former, and a careless proxy then loses the latter.
#[test]
fn all_exit_statuses_are_right_on_one_shared_connection() -> Result<()> {
    const DIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gate_dial.py");
    let t = trial!()?;
    t.rule("--glob", "exit *")?;
    let control = format!("ControlPath={}", t.dir().join("cm").display());
    let shared = ["-o", &control, "target"];
    let master = ["-o", "ControlMaster=yes", "-o", &control, "-N", "target"];
    let master = t.gate_ssh(DIAL, &master)?.spawn()?;
    until("the shared connection", || {
        let check = t.gate_ssh(DIAL, &["-O", "check", "-o", &control, "target"])?.run()?;
        Ok((check.code() == 0).then_some(()))
    })?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (t, shared) = (&t, &shared);
                scope.spawn(move || -> Result<()> {
                    for n in (worker..256).step_by(4) {
                        let command = format!("exit {n}");
                        let mut args = shared.to_vec();
                        args.push(&command);
                        t.gate_ssh(DIAL, &args)?.run()?.expect_code(n)?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    drop(master);
    Ok(())
}

/// One held command must not slow or stop its neighbours on the same connection.
#[test]
fn a_held_command_does_not_hold_its_neighbours() -> Result<()> {
    const DIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gate_dial.py");
    let t = trial!()?;
    t.rule("--exact", "head -c 8000000 /dev/zero")?;
    let control = format!("ControlPath={}", t.dir().join("cm").display());
    let held = t
        .gate_ssh(DIAL, &["-o", "ControlMaster=yes", "-o", &control, "target", "cat"])?
        .stdin(vec![b'x'; 4 << 20])
        .spawn()?;
    let item = t.wait_pending()?;
    for _ in 0..3 {
        let args = ["-o", &control, "target", "head -c 8000000 /dev/zero"];
        let outcome = t.gate_ssh(DIAL, &args)?.run()?;
        outcome.expect_code(0)?;
        assert_eq!(outcome.stdout.len(), 8_000_000);
    }
    t.allow(&item.id)?;
    let outcome = held.wait()?;
    outcome.expect_code(0)?;
    assert_eq!(outcome.stdout.len(), 4 << 20);
    Ok(())
}

#[test]
fn sixty_four_mebibytes_each_way() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let file = t.dir().join("target/big");
    let mut bytes = vec![0u8; 64 << 20];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut bytes)?;
    fs::write(&file, &bytes)?;
    let expected = digest(&bytes)?;

    let command = format!("cat {}", file.display());
    let down = t.wrap(&["ssh", "target", &command]).limit(LONG).run()?;
    down.expect_code(0)?;
    assert_eq!(down.stdout.len(), bytes.len());
    assert_eq!(digest(&down.stdout)?, expected);

    let up = t.wrap(&["ssh", "target", "sha256sum"]).stdin(bytes.clone()).limit(LONG).run()?;
    up.expect_stdout(&format!("{expected}  -\n"))?;

    let both = t.wrap(&["ssh", "target", "cat"]).stdin(bytes).limit(LONG).run()?;
    both.expect_code(0)?;
    assert_eq!(digest(&both.stdout)?, expected);
    Ok(())
}

#[test]
fn a_reader_that_stops_early_ends_the_command() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let config = t.client().config().display().to_string();
    let script = format!("ssh -F {config} target 'yes' | head -n 3");
    let outcome = t.wrap(&["sh", "-c", &script]).run()?;
    outcome.expect_stdout("y\ny\ny\n")?;
    until("`yes` on the target to end", || {
        Ok(t.sshd().commands().iter().all(|process| process.program() != "yes").then_some(()))
    })
}
