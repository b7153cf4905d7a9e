//! What a wrapped program may say to `ssh`, and that nothing it says or writes is run outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Outcome, Trial, Verdict, trial};

/// Without isolation.
const PATH_ONLY: &[&str] = &["--path-only"];

/// Runs a script inside, with the user's configuration extended at its beginning by `config`.
fn inside(t: &Trial, config: &str, script: &str) -> Result<Outcome> {
    inside_with(t, &[], config, script)
}

/// The same with options of `wrap`.
fn inside_with(t: &Trial, options: &[&str], config: &str, script: &str) -> Result<Outcome> {
    let usual = fs::read_to_string(t.client().config())?;
    fs::write(t.client().config(), format!("{config}\n{usual}"))?;
    let outcome = t.wrap_with(options, &["sh", "-c", script]).run();
    fs::write(t.client().config(), usual)?;
    outcome
}

fn says(outcome: &Outcome, reason: &str) -> Result<()> {
    outcome.expect_no_stdout()?;
    ensure!(outcome.code() != 0, "it succeeded: {}", outcome.describe());
    ensure!(outcome.err().contains(reason), "expected {reason:?}: {}", outcome.describe());
    Ok(())
}

#[test]
fn options_that_lead_elsewhere_are_refused_with_a_reason() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let known = fs::read_to_string(t.client().known_hosts())?;
    let key = t.dir().join("key");
    fs::copy(t.client().key(), &key)?;
    let own = t.dir().join("own");
    fs::write(&own, "Host target\n HostName 127.0.0.1\n")?;
    let (key, own) = (key.display(), own.display());
    let cases = [
        (format!("-i {key}"), "wrap --identity"),
        (format!("-o IdentityFile={key}"), "wrap --identity"),
        (format!("-o CertificateFile={key}"), "wrap --identity"),
        ("-i /etc/../etc/passwd".to_owned(), "wrap --identity"),
        (format!("-F {own}"), "wrap --ssh-config"),
        (format!("-o UserKnownHostsFile={own}"), "UserKnownHostsFile"),
        (format!("-o GlobalKnownHostsFile='/dev/null {own}'"), "UserKnownHostsFile"),
        ("-o IdentityAgent=/tmp/agent".to_owned(), "SSH_AUTH_SOCK"),
        ("-o HostKeyAlias='*'".to_owned(), "known_hosts"),
        ("-o HostKeyAlias='a,b'".to_owned(), "known_hosts"),
        ("-o ProxyCommand='nc %h %p'".to_owned(), "would replace the gate"),
        ("-o KnownHostsCommand=/bin/true".to_owned(), "run a program"),
        ("-o PKCS11Provider=/tmp/x.so".to_owned(), "PKCS#11"),
        ("-J 'a;b'".to_owned(), "a shell reads"),
        ("-l 'x$(y)'".to_owned(), "a shell reads"),
    ];
    for (number, (options, reason)) in cases.into_iter().enumerate() {
        let marker = t.marker(&format!("m{number}"));
        let script = format!("ssh {options} target \"{}\"", marker.touch());
        says(&inside(&t, "", &script)?, reason)?;
        assert!(!marker.exists(), "{options}");
    }
    assert_eq!(fs::read_to_string(t.client().known_hosts())?, known);
    Ok(())
}

#[test]
fn what_tools_say_works_and_the_configuration_holds_inside() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let key = t.dir().join("key");
    fs::copy(t.client().key(), &key)?;
    let script = format!(
        "cd {}\n\
         ssh target 'echo $LC_FIXED'\n\
         ssh -i ./key -o 'User=\"{}\"' -oUserKnownHostsFile=/dev/null -oStrictHostKeyChecking=no \
         target 'echo key'\n\
         ssh -F {} -T -o ConnectTimeout=10 -o ControlMaster=auto -o ControlPath=/tmp/%C target 'echo config'\n\
         ssh target -o LogLevel=QUIET 'echo behind'\n",
        t.dir().display(),
        String::from_utf8(std::process::Command::new("id").arg("-un").output()?.stdout)?.trim(),
        t.client().config().display(),
    );
    let usual = fs::read_to_string(t.client().config())?;
    fs::write(t.client().config(), format!("SetEnv LC_FIXED=C.UTF-8\n{usual}"))?;
    let options = ["--identity", key.to_str().unwrap()];
    t.wrap_with(&options, &["sh", "-ec", &script])
        .run()?
        .expect_stdout("C.UTF-8\nkey\nconfig\nbehind\n")?;
    Ok(())
}

#[test]
fn a_name_from_inside_is_not_read_by_a_shell() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.dir().join("exec");
    let config = "Match exec \"/bin/echo %h %n %r > /dev/null\"\n ConnectTimeout 21\nMatch all\n";
    for options in [
        format!("-o HostName='x;touch {}'", marker.display()),
        format!("-l '`touch {}`'", marker.display()),
        format!("-o User='$(touch {})'", marker.display()),
        format!("'x;touch${{IFS}}{}'", marker.display()),
        format!("'ssh://%3Btouch%20{}@target'", marker.display()),
    ] {
        says(&inside(&t, config, &format!("ssh {options} target true"))?, "a shell reads")?;
        assert!(!marker.exists(), "{options}");
    }
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    inside(&t, config, "ssh target 'echo fine'")?.expect_stdout("fine\n")?;
    Ok(())
}

#[test]
fn a_configuration_or_a_program_of_it_that_was_changed_inside_is_not_used() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let (marker, program) = (t.dir().join("exec"), t.dir().join("program"));
    fs::write(&program, "exit 1\n")?;
    let inside = |config: &str, script: &str| inside_with(&t, PATH_ONLY, config, script);
    let touch = format!("touch {}", marker.display());
    let add = format!("echo 'Match exec \"{touch}\"' >> {}", t.client().config().display());
    says(&inside("", &format!("{add}; ssh target true"))?, "not what it was")?;
    let change = format!("echo '{touch}' > {}", program.display());
    let of_match = format!("Match exec \"/bin/sh {}\"\n User x\nMatch all", program.display());
    says(&inside(&of_match, &format!("{change}; ssh target true"))?, "not what it was")?;
    fs::write(&program, "exit 1\n")?;
    let proxy = format!("Host target\n ProxyCommand /bin/sh {}\n", program.display());
    says(&inside(&proxy, &format!("{change}; ssh target true"))?, "not what it was")?;
    let include = format!("Include {}/*.conf\n", t.dir().display());
    let new = format!("echo 'Match exec \"{touch}\"' > {}/new.conf", t.dir().display());
    says(&inside(&include, &format!("{new}; ssh target true"))?, "could change it")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_configuration_cannot_be_changed_where_the_wrap_is_isolated() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let (marker, program) = (t.dir().join("exec"), t.dir().join("program"));
    let config = t.client().config();
    let usual = fs::read_to_string(&config)?;
    let touch = format!("touch {}", marker.display());
    let (ssh, file) = (config.parent().unwrap().display(), config.display());
    let add = format!("echo 'Match exec \"{touch}\"' >>{file}");
    for change in [
        add.clone(),
        format!("rm {file}; {add}"),
        format!("mv {ssh} {ssh}-old; mkdir -p {ssh}; {add}"),
        format!("umount {ssh}; {add}"),
        // The copy that the helper reads.
        format!(
            "dir=$(dirname $(command -v ssh)); for f in $dir/*; do {add}; cat {file} >>$f; done"
        ),
    ] {
        let outcome = t.wrap(&["sh", "-c", &format!("{change}; ssh target 'echo fine'")]).run()?;
        outcome.expect_stdout("fine\n")?;
        assert_eq!(fs::read_to_string(&config)?, usual, "{change}");
    }
    // A program that could be changed is not run at all, changed or not.
    fs::write(&program, "exit 1\n")?;
    let program = program.display();
    let of_match = format!("Match exec \"/bin/sh {program}\"\n User x\nMatch all");
    says(&inside(&t, &of_match, "ssh target true")?, "could change it")?;
    let proxy = format!("Host target\n ProxyCommand /bin/sh {program}\n");
    says(&inside(&t, &proxy, "ssh target true")?, "could change it")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_host_that_was_named_inside_is_never_added_to_known_hosts() -> Result<()> {
    let t = trial!()?;
    let known = fs::read_to_string(t.client().known_hosts())?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let new = "-o StrictHostKeyChecking=accept-new";
    for options in [format!("{new} -o HostKeyAlias=other"), format!("{new} -o HostName=localhost")]
    {
        let script = format!("ssh {options} target 'echo there'");
        inside(&t, "", &script)?.expect_stdout("there\n")?;
        assert_eq!(fs::read_to_string(t.client().known_hosts())?, known, "{options}");
    }
    Ok(())
}

#[test]
fn a_wrap_goes_on_when_the_broker_was_started_anew() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let dir = t.dir().display();
    let script = format!(
        "ssh target 'echo one'; : > {dir}/begun; while [ ! -e {dir}/anew ]; do sleep 0.02; done\n\
         ssh target 'echo two'"
    );
    let reviewer = t.auto_reviewer(Verdict::Allow);
    // A working directory below /tmp is seen inside and outside.
    let run = t.wrap(&["sh", "-c", &script]).current_dir(t.dir()).spawn()?;
    expacti_harness::until("the first connection", || {
        Ok(t.dir().join("begun").exists().then_some(()))
    })?;
    t.expacti(&["down"])?.expect_code(0)?;
    t.up()?;
    fs::write(t.dir().join("anew"), "")?;
    run.wait()?.expect_stdout("one\ntwo\n")?;
    drop(reviewer);
    Ok(())
}

#[test]
fn the_first_process_inside_makes_its_namespace_known() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let script = format!(
        "import json, os, shutil, socket, subprocess\n\
         def ask():\n\
         \x20   s = socket.socket(socket.AF_UNIX)\n\
         \x20   s.connect(os.path.dirname(shutil.which('ssh')) + '/helper.sock')\n\
         \x20   s.sendall(b'\"enter\"\\n')\n\
         \x20   return json.loads(s.makefile().readline())\n\
         print(ask())\n\
         print(ask())\n\
         print(subprocess.run([{:?}, 'pending'], env={{'EXPACTI_HOME': {:?}}}).returncode)\n",
        t.binary().display().to_string(),
        t.home().display().to_string(),
    );
    let argv = ["unshare", "--user", "--map-root-user", "python3", "-c", &script];
    // This script plays the first process.
    let outcome = t.wrap_with(PATH_ONLY, &argv).run()?;
    let said = outcome.out();
    assert!(said.starts_with("entered\n{'refused': {"), "{}", outcome.describe());
    assert!(said.contains("known already") && said.ends_with("\n5\n"), "{}", outcome.describe());
    // Its ssh still leads to the gate.
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    t.wrap_with(PATH_ONLY, &["unshare", "--user", "--map-root-user", "ssh", "target", "echo fine"])
        .run()?
        .expect_stdout("fine\n")?;
    // With isolation it is known before the program starts.
    let outcome = t.wrap(&["python3", "-c", &script]).run()?;
    let said = outcome.out();
    assert_eq!(said.matches("known already").count(), 2, "{}", outcome.describe());
    assert!(said.ends_with("\n5\n"), "{}", outcome.describe());
    Ok(())
}

#[test]
fn jump_hosts_are_followed_for_wrapped_programs_too() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let usual = fs::read_to_string(t.client().config())?;
    let behind = usual.replacen("Host target", "Host behind", 1);
    let behind = behind.replacen('\n', "\n ProxyJump target\n", 1);
    fs::write(t.client().config(), format!("{behind}{usual}"))?;
    t.wrap(&["ssh", "behind", "echo own"]).run()?.expect_stdout("own\n")?;
    let script = "ssh behind 'echo configured'; ssh -J target target 'echo said'";
    t.wrap(&["sh", "-c", script]).run()?.expect_stdout("configured\nsaid\n")?;
    // One login for each jump, one behind it.
    assert!(t.sshd().log().matches("Accepted publickey").count() >= 6);
    Ok(())
}
