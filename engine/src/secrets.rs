//! Masks secrets for display. It must never change the bytes that run.
//!
//! What counts: well-known token formats, passwords in URLs and headers, and values of options and
//! variables named like a secret. Variables (`$TOKEN`) and placeholders (`<password>`) are not secrets.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// A command as it may be shown, logged and recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The text, secrets replaced by `•••`.
    pub text: String,
    /// Whether anything was replaced.
    pub masked: bool,
}

/// Expressions whose first group is the secret.
const PATTERNS: [&str; 16] = [
    // NAME=value, name: value, "name": "value"
    r#"(?i)(?:password|passwd|passphrase|pgpass|_pwd|secret|secret_?key|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key)[a-z0-9_]*["']?(?:=|:[ \t]*)["']?([^\s"'&;|<>,)}]{3,})"#,
    // --password value
    r#"(?i)(?:^|\s)--?(?:password|passwd|passphrase|token|secret|api-?key|access-token|auth-token|secret-key|secret-access-key|client-secret|pass|access-key)\s+["']?([^\s"'-][^\s"']{2,})"#,
    r#"(?i)authorization:\s*(?:bearer|basic|token)\s+([^\s"']{6,})"#,
    r#"(?i)(?:x-api-key|x-auth-token|private-token|x-vault-token|x-amz-security-token):\s*([^\s"']{6,})"#,
    // scheme://user:password@host
    r#"[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@"']*:([^\s/@"']+)@"#,
    r"(?:^|[^A-Za-z0-9])((?:AKIA|ASIA)[0-9A-Z]{16})(?:[^A-Za-z0-9]|$)",
    r"(?:^|[^A-Za-z0-9])((?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_\-]{16,}|xox[abeprs]-[A-Za-z0-9\-]{10,}|sk-[A-Za-z0-9_\-]{20,}|[sr]k_live_[A-Za-z0-9]{16,}|AIza[0-9A-Za-z_\-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_\-]{30,}|hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{40,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|hvs\.[A-Za-z0-9_\-]{20,}))",
    r"(?:^|[^A-Za-z0-9])(eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*)",
    r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)(?:-----END|\z)",
    r#"(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump|mycli)\s[^|;&]*?-p["']?([^\s"'=]{2,})"#,
    r#"sshpass\s+-p\s*["']?([^\s"']{2,})"#,
    r#"curl\s[^|;&]*?(?:-u|--user|--proxy-user)[\s=]*["']?[^\s:"']+:([^\s"']+)"#,
    r#"redis-cli\s[^|;&]*?(?:-a|--pass)\s+["']?([^\s"']{2,})"#,
    r#"-pass(?:in|out)?\s+["']?pass:([^\s"']+)"#,
    r#":([^\s"'|:]{3,})["']?\s*\|\s*(?:sudo\s+)?chpasswd"#,
    r#"(?i)identified\s+by\s+["']([^"']+)"#,
];

static EXPRESSIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build_many(&PATTERNS)
        .ok()
});

/// Replaces passwords, tokens and keys by `•••`.
#[must_use]
pub fn mask_secrets(command: &[u8]) -> Masked {
    let text = String::from_utf8_lossy(command).into_owned();
    let found = find(&text);
    if found.is_empty() {
        return Masked { text, masked: false };
    }
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for range in found {
        out.push_str(text.get(end..range.start).unwrap_or(""));
        out.push_str("•••");
        end = range.end;
    }
    out.push_str(text.get(end..).unwrap_or(""));
    Masked { text: out, masked: true }
}

/// Where secrets are: byte ranges, in order, apart from each other.
pub(crate) fn find(text: &str) -> Vec<Range<usize>> {
    let Some(expressions) = &*EXPRESSIONS else { return Vec::new() };
    if !worth_a_look(text) {
        return Vec::new();
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut captures = expressions.create_captures();
    let mut at = 0;
    // Bounded: every round moves on, and a text of 64 KiB has few secrets.
    for _ in 0..256 {
        if at >= text.len() {
            break;
        }
        let input = regex_automata::Input::new(text).span(at..text.len());
        expressions.search_captures(&input, &mut captures);
        let Some(whole) = captures.get_match() else { break };
        if let Some(secret) = captures.get_group(1) {
            let range = secret.start..secret.end;
            if text.get(range.clone()).is_some_and(is_literal) {
                found.push(range.clone());
                at = range.end.max(at + 1);
                continue;
            }
        }
        at =
            (whole.start() + 1).max(captures.get_group(1).map_or(whole.end(), |group| group.start));
    }
    found
}

/// A cheap look for anything a pattern begins with, so that most lines cost next to nothing.
fn worth_a_look(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(3).any(|window| {
        let [a, b, c] = window else { return false };
        matches!(
            (a | 0x20, b | 0x20, c | 0x20),
            (b'p', b'a' | b'w', b's' | b'd')
                | (b'p', b'g', b'p')
                | (b's', b'e', b'c')
                | (b't', b'o', b'k')
                | (b'k', b'e', b'y')
                | (b'a', b'u', b't')
                | (b'a', b'k', b'i')
                | (b'a', b's', b'i')
                | (b'a', b'i', b'z')
                | (b'g', b'h', _)
                | (b'g', b'i', b't')
                | (b'g', b'l', b'p')
                | (b'x', b'o', b'x')
                | (b'e', b'y', b'j')
                | (b'n', b'p', b'm')
                | (b'p', b'y', b'p')
                | (b'h', b'f' | b'v', _)
                | (b'd', b'o', b'p')
                | (b'm', b'y', b's' | b'c')
                | (b'm', b'a', b'r')
                | (b'i', b'd', b'e')
        ) || (*a == b':' && *b == b'/' && *c == b'/')
            || (*a == b's' && *b == b'k')
            || (*a == b'r' && *b == b'k')
            || (*a == b'S' && *b == b'G')
            || (*b == b'-' && matches!(c, b'u' | b'a' | b'p'))
            || (*a == b'-' && *b == b'-' && *c == b'-')
    })
}

/// Not a variable, a placeholder or a word that only names what belongs there.
fn is_literal(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let names = [
        "password",
        "passwd",
        "pass",
        "passphrase",
        "secret",
        "token",
        "true",
        "false",
        "null",
        "none",
        "your",
        "my_password",
        "my_secret",
        "my_token",
        "xxx",
        "changeme",
        "api_key",
        "access_token",
        "new_password",
        "yes",
        "no",
        "required",
        // `mysql -print` is `find` looking for a name, not a password behind `-p`.
        "rint",
        "rint0",
        "rintf",
        "rune",
        "erm",
        "ath",
    ];
    !value.starts_with(['$', '<', '*', '%', '{', '(', '[', '`', '\\', '/', '~'])
        && !names.contains(&lower.trim_end_matches(['.', ',']))
        && !lower.starts_with("your")
        && !lower.starts_with("path")
        && !value.bytes().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
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
}
