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
