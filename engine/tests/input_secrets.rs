//! Secrets in standard input, which look like nothing: the program tells.
#![allow(clippy::unwrap_used)]

use expacti_engine::{Context, InputSecrets, RiskTables, input_secrets};

const SECRET: &str = "S3cr-et9x";

fn of(command: &str) -> InputSecrets {
    let tables = RiskTables::builtin();
    let context = Context::default();
    let assessment = tables.assess(command.as_bytes(), &context);
    let report = tables.input_use(command.as_bytes(), &context, &assessment);
    input_secrets(tables, command.as_bytes(), &report)
}

fn masked(command: &str, input: &str) -> String {
    of(command).mask(input.as_bytes()).text
}

#[test]
fn a_program_that_reads_a_secret_is_known() {
    for command in [
        "sudo -S id",
        "sudo -kS -p '' id",
        "cd /x && sudo -S id",
        "bash -c 'sudo -S id'",
        "cat | sudo -S id",
        "passwd --stdin bob",
        "passwd bob",
        "su - bob -c id",
        "docker login --password-stdin -u bob registry.example",
        "helm registry login -u bob --password-stdin registry.example",
        "crane auth login registry.example -u bob --password-stdin",
        "unheard-of login --password-stdin",
        "unheard-of login --token=-",
        "gh auth login --with-token",
        "aws secretsmanager create-secret --name x --secret-string file:///dev/stdin",
        "vault login -",
        "vault kv put secret/x value=-",
        "kubectl create secret generic x --from-file=key=/dev/stdin",
        "cryptsetup luksFormat /dev/sdx -",
        "cryptsetup open --key-file=- /dev/sdx x",
        "gpg --batch --passphrase-fd 0 -d x.gpg",
        "smbpasswd -s -a bob",
        "openssl rsa -in x -passin stdin",
        "openssl rsa -in x -passin fd:0",
        "htpasswd -i /etc/nginx/users bob",
        "wpa_passphrase home",
        "mysql_config_editor set --login-path=x --password",
        "cat > .env",
        "cat > /etc/app/token",
        "cat >> ~/.pgpass",
        "tee .env",
        "tee /home/bob/.ssh/id_ed25519 >/dev/null",
        "base64 -d > /etc/app/secret.key",
        "sudo tee /etc/app/credentials",
        "dd of=/home/bob/.netrc",
    ] {
        assert!(of(command).is_secret(), "{command}");
        let shown = masked(command, &format!("{SECRET}\n"));
        assert_eq!(shown, "•••\n", "{command}");
    }
    for command in ["chpasswd", "sudo chpasswd -e", "chgpasswd", "newusers"] {
        assert_eq!(masked(command, &format!("bob:{SECRET}\n")), "bob:•••\n", "{command}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for command in
        ["cat", "wc -l", "bash", "sudo tee /etc/motd", "sudo id", "tar x", "kubectl apply -f -"]
    {
        assert!(!of(command).is_secret(), "{command}");
        assert_eq!(masked(command, "uptime\n"), "uptime\n", "{command}");
    }
}

#[test]
fn what_two_programs_read_is_a_secret_of_both() {
    for command in ["sudo -S chpasswd", "sudo -S id; chpasswd", "sudo -S passwd bob"] {
        assert_eq!(masked(command, "hunter\nbob:hunter\n"), "•••\n•••\n", "{command}");
    }
}

#[test]
fn only_the_line_that_is_asked_for() {
    assert_eq!(masked("sudo -S bash", "hunter\nuptime\n"), "•••\nuptime\n");
    // No code is hidden behind a program that reads a secret.
    assert_eq!(masked("vault login -; bash", "hunter\nuptime\n"), "•••\nuptime\n");
    let mut later = of("sudo -S bash");
    later.give(b"hunt");
    assert_eq!(later.mask(b"er22\nid\n").text, "•••\nid\n");
    later.give(b"er22\n");
    assert_eq!(later.mask(b"uptime\n").text, "uptime\n");
}

#[test]
fn what_comes_in_pieces_is_one_text() {
    for pieces in [
        &["mysql -pS3cr", "-et9x -e 'select 1'\n"][..],
        &["export PGPASSWORD=\"\n", "S3cr-et9x\"\n"],
        &["export PGPASSWORD=\"first\n", "S3cr-et9x\n", "x\"\n"],
        &["export PGPASS", "WORD=S3cr-et9x\n"],
        &["curl -H 'Authorization: Bea", "rer S3cr-et9x' https://h\n"],
        &["apiVersion: v1\nkind: Secret\nstringData:\n", "  a: S3cr-et9x\n"],
        &["my\0sql -pS3", "cr-et9x\n"],
    ] {
        let mut input = of("bash");
        let mut shown = Vec::new();
        for piece in pieces {
            let masked = input.mask(piece.as_bytes());
            // However it is quoted elsewhere.
            let told = masked.apply(&format!("goes on after: {}", pieces.concat()));
            shown.push(masked.text + &told);
            input.give(piece.as_bytes());
        }
        let last = shown.last().unwrap();
        assert!(!last.contains("et9x"), "{pieces:?}: {shown:?}");
    }
}

#[test]
fn a_secret_that_came_is_one_when_it_comes_again() {
    let mut input = of("bash");
    input.give(b"export PGPASSWORD=S3cr-et9x\n");
    assert_eq!(input.mask(b"echo S3cr-et9x | tr a b\n").text, "echo ••• | tr a b\n");
}

#[test]
fn what_quotes_it_is_masked_however_short() {
    let masked = of("sudo -S id").mask(b"id7\n");
    assert_eq!(
        masked.apply_to_quote("standard input: `id7` is unknown"),
        "standard input: `•••` is unknown"
    );
    assert!(masked.is_all_masked());
    assert_eq!(masked.apply("id7"), "id7");
}
