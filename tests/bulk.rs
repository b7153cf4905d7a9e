//! Many commands and many bytes: what comes through the gate equals what comes without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};

use anyhow::{Result, ensure};
use expacti_harness::{Verdict, digest, trial};

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
    let control = format!("ControlPath={}", t.dir().join("cm").display());
    let master = ["-o", &control, "-o", "ControlMaster=auto", "-o", "ControlPersist=60"];
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (t, noise, master) = (&t, &noise, &master);
                scope.spawn(move || -> Result<()> {
                    for n in (worker..200).step_by(2) {
                        let command = format!("{} {n}", noise.display());
                        let mut args = master.to_vec();
                        args.extend(["target", &command]);
                        let gated = t.wrap(&["ssh", "target", &command]).run()?;
                        let direct = t.direct_ssh(&args).run()?;
                        ensure!(direct.code() == n, "{}", direct.describe());
                        ensure!(gated.code() == n, "{}", gated.describe());
                        ensure!(gated.stdout == direct.stdout, "{}", gated.describe());
                        ensure!(gated.stderr == direct.stderr, "{}", gated.describe());
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    t.direct_ssh(&["-o", &control, "-O", "exit", "target"]).run()?;
    Ok(())
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
    expacti_harness::until("`yes` on the target to end", || {
        Ok(t.sshd().commands().iter().all(|process| process.program() != "yes").then_some(()))
    })
}
