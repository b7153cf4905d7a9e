//! docs/SIGNING.md: what it shows is what works.

use std::fs;
use std::path::Path;
use std::process::Command;

use expacti_signing::{AllowedSigners, Settings};

use crate::keygen::{Dir, NAMESPACE, sk_dummy};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The indented text that begins with this line, up to what is not indented.
fn example(first: &str) -> String {
    let page = text("docs/SIGNING.md");
    let lines = page.lines().skip_while(|line| line.trim() != first);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    assert!(!lines.is_empty(), "docs/SIGNING.md has no {first}");
    lines.join("\n").trim_end().to_owned()
}

#[test]
fn the_page_has_the_script() {
    let script = text("tests/signing_reviewer.sh");
    assert_eq!(example("#!/bin/sh"), script.trim_end(), "tests/signing_reviewer.sh has changed");
}

#[test]
fn its_settings_can_be_used() {
    let mut table: toml::Table = example("[approval]").parse().unwrap();
    let toml::Value::Table(mut approval) = table.remove("approval").unwrap() else { panic!() };
    for path in ["signers", "revoked"] {
        assert!(approval.remove(path).unwrap().is_str());
    }
    let settings: Settings = approval.try_into().unwrap();
    assert_eq!(settings.check(), Ok(()));
    assert_eq!(settings.require.len(), 3);
}

#[test]
fn its_list_of_signers_can_be_used() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    dir.key("alice", &["-t", "ed25519"]);
    dir.key("touch", &["-t", "ed25519-sk"]);
    dir.key("bob", &["-t", "ecdsa"]);
    dir.key("ca", &["-t", "ed25519"]);
    let mut list = example("# a key");
    for name in ["alice", "touch", "bob", "ca"] {
        let public = dir.public(name);
        let kind = public.split(' ').next().unwrap();
        list = list.replacen(&format!("{kind} AAAA…"), &public, 1);
    }
    assert!(!list.contains('…'), "{list}");
    let people = AllowedSigners::parse(&list).unwrap();
    assert_eq!(people.people().into_iter().collect::<Vec<_>>(), ["alice", "bob"]);
}

#[test]
fn its_commands_check_a_signature_and_show_its_flags() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    for (name, options, flags) in [
        ("touch", &[][..], "1"),
        ("none", &["-O", "no-touch-required"], "0"),
        ("pin", &["-O", "verify-required"], "5"),
    ] {
        dir.key(name, &[&["-t", "ed25519-sk"], options].concat());
        dir.write("signature", dir.sign(name, NAMESPACE, b"{}"));
        let list = dir.write("allowed_signers", format!("alice {}\n", dir.public(name)));
        dir.write("statement", "{}");
        let shell = |line: &str| {
            let directory = list.parent().unwrap();
            let output = Command::new("sh").args(["-c", line]).current_dir(directory).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let verify = "ssh-keygen -Y verify -f allowed_signers -I alice -n expacti-decision -s \
                      signature < statement";
        assert!(shell(example(verify).lines().next().unwrap()).contains("Good"));
        assert_eq!(
            shell(&example(
                "sed '1d;$d' signature | base64 -d | tail -c 5 | head -c 1 | od -An -tu1"
            ))
            .trim(),
            flags
        );
    }
}
