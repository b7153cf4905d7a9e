//! What is masked, and what is not.

use super::*;

#[test]
fn secrets_are_masked_and_the_rest_is_kept() {
    for (command, masked) in [
        ("mysql -u root -phunter2 -e 'select 1'", "mysql -u root -p••• -e 'select 1'"),
        ("PGPASSWORD=hunter2 psql -c x", "PGPASSWORD=••• psql -c x"),
        (
            "curl -H 'Authorization: Bearer abcdef123' https://x",
            "curl -H 'Authorization: Bearer •••' https://x",
        ),
        ("curl -u bob:hunter2 https://x", "curl -u bob:••• https://x"),
        ("git clone https://bob:hunter2@x.example/r", "git clone https://bob:•••@x.example/r"),
        ("aws configure set x AKIAABCDEFGHIJKLMNOP", "aws configure set x •••"),
        (
            "export GITHUB_TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789; ls",
            "export GITHUB_TOKEN=•••; ls",
        ),
        ("vault login --token hvs.abc", "vault login --token •••"),
        ("sshpass -p hunter2 ssh h", "sshpass -p ••• ssh h"),
        ("echo 'bob:hunter2' | sudo chpasswd", "echo 'bob:•••' | sudo chpasswd"),
        ("a --password=one1 b --api-key two2", "a --password=••• b --api-key •••"),
        (
            r#"curl -d '{"password": "hunter2", "user": "b"}' x"#,
            r#"curl -d '{"password": "•••", "user": "b"}' x"#,
        ),
    ] {
        let found = mask_secrets(command.as_bytes());
        assert_eq!(found.text, masked);
        assert!(found.masked);
    }
}

#[test]
fn variables_and_placeholders_are_no_secrets() {
    for command in [
        "mysql -u root -p$PASS",
        "curl -H \"Authorization: Bearer $TOKEN\" x",
        "x --password \"$P\" --token-file /etc/x",
        "kubectl get secrets -n x",
        "mysql -u root -p -e 'select 1'",
        "grep -r password /srv",
        "docker login --password-stdin",
        "ls https://example.com:8080/a@b",
        "psql postgres://user@host/db",
        "find / -name mysql -print",
    ] {
        assert_eq!(mask_secrets(command.as_bytes()).text, command);
    }
    assert!(!mask_secrets(b"\xff\xfe ls").masked);
}

const FORMS: &str = include_str!("../../tests/data/secrets.txt");
const NONE: &str = include_str!("../../tests/data/no_secrets.txt");

fn forms(text: &'static str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.replace("\\n", "\n"))
}

/// Ways in which a line stands in another.
fn wrapped(line: &str) -> Vec<String> {
    let single = line.replace('\'', r"'\''");
    let mut double = String::new();
    for c in line.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            double.push('\\');
        }
        double.push(c);
    }
    vec![
        line.to_owned(),
        format!("cd /srv && {line}"),
        format!("bash -c '{single}'"),
        format!("ssh root@h \"{double}\""),
        format!("bash <<'END'\n{line}\nEND"),
        format!("(\n{line}\n) 2>&1 | tee log"),
    ]
}

#[test]
fn no_form_shows_its_secret_however_it_is_wrapped() {
    let mut wrong = Vec::new();
    for secret in ["S3cr-et9x", "Tr0ub4dor&3", "QwErTy!12345", "a+b/c==9Z"] {
        for form in forms(FORMS) {
            // An unquoted `&` or `!` means something else to a shell.
            if secret.contains(['&', '!']) && !form.contains('\'') && !form.contains('"') {
                continue;
            }
            let quoted = form.contains("'@S@'") || form.contains("\"@S@\"");
            if secret.contains(['&', '!']) && !quoted {
                continue;
            }
            for line in wrapped(&form.replace("@S@", secret)) {
                let masked = mask_secrets(line.as_bytes());
                let again = mask_secrets(masked.text.as_bytes()).text;
                if !masked.masked || masked.text.contains(secret) || again != masked.text {
                    wrong.push(format!("{line}\n  => {}\n  => {again}", masked.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_form_keeps_what_tells_a_reviewer_which_it_is() {
    for form in forms(FORMS) {
        let masked = mask_secrets(form.replace("@S@", "S3cr-et9x").as_bytes()).text;
        let program = form.split([' ', '=']).next().unwrap_or("");
        assert!(masked.starts_with(program), "{form}\n  => {masked}");
        assert!(masked.contains("•••"), "{form}\n  => {masked}");
        // Nothing but the secret, and at most a few characters around it.
        let shown = masked.chars().filter(|c| *c != '•').count();
        let source = form.replace("@S@", "").chars().count();
        assert!(shown * 10 >= source * 5, "{form}\n  => {masked}");
    }
}

#[test]
fn what_holds_no_secret_stays_as_it_is() {
    let mut wrong = Vec::new();
    for line in forms(NONE) {
        for line in wrapped(&line) {
            let masked = mask_secrets(line.as_bytes()).text;
            if masked != line {
                wrong.push(format!("{line}\n  => {masked}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_secret_in_bytes_that_are_no_text_is_masked() {
    let masked = mask_secrets(b"mysql -p\xff\xfeS3cr-et9x\x80 -e 'select 1'");
    assert_eq!(masked.text, "mysql -p••• -e 'select 1'");
    let masked = mask_secrets(b"\xff PGPASSWORD=S3cr-et9x\xc3 psql");
    assert!(!masked.text.contains("S3cr-et9x"), "{}", masked.text);
}

#[test]
fn arguments_stay_arguments() {
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    for (arguments, masked) in [
        (&["env", "PGPASSWORD=S3cr et", "claude"][..], &["env", "PGPASSWORD=•••", "claude"][..]),
        (&["ssh", "h", "mysql -p'S3cr et9'"], &["ssh", "h", "mysql -p'•••'"]),
        (&["curl", "-u", "bob:S3cr'et9", "x"], &["curl", "-u", "bob:•••", "x"]),
        (&["mysql", "-p", "shop"], &["mysql", "-p", "shop"]),
        (&["a b", "it's", ""], &["a b", "it's", ""]),
    ] {
        assert_eq!(mask_arguments(&words(arguments)), words(masked));
    }
}

#[test]
fn what_tells_of_a_command_does_not_tell_its_secret() {
    let masked = mask_secrets(b"mysql -uroot -pS3cr-et9x shop");
    assert_eq!(masked.apply("word 3 is `-pS3cr-et9x`"), "word 3 is `-p•••`");
    assert_eq!(masked.apply("the shop"), "the shop");
    assert_eq!(masked.span([13, 24]), [13, 15 + "•••".len()]);
    assert_eq!(masked.span([0, 5]), [0, 5]);
    let other = mask_secrets(b"mysql -uroot -pabcdefghijklmnopq shop");
    assert_eq!(other.span([15, 32]), masked.span([15, 24]), "its length is not told");
}
