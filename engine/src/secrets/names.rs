//! Which names are those of secrets, and which values cannot be one. It must never look at more than
//! the name or the value.

/// Words of a name that say that its value is a secret.
const SECRET: [&str; 42] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "contrasena",
    "pwd",
    "pass",
    "pw",
    "psk",
    "pgpass",
    "secret",
    "token",
    "credential",
    "credentials",
    "creds",
    "apikey",
    "authkey",
    "authtoken",
    "authorization",
    "cookie",
    "bearer",
    "jwt",
    "otp",
    "totp",
    "requirepass",
    "masterauth",
    "storepass",
    "keypass",
    "userpass",
    "dbpass",
    "rootpass",
    "sshpass",
    "apitoken",
    "accesstoken",
    "accesskey",
    "secretkey",
    "privatekey",
    "sharedkey",
    "accountkey",
    "encryptionkey",
    "masterkey",
];

/// Ends of one word that say the same: `mysqlpassword`.
const ENDS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "secretkey", "pwd"];

/// Last words of a name whose value is about a secret and is none.
const ABOUT: [&str; 67] = [
    "age",
    "algorithm",
    "arn",
    "authentication",
    "budget",
    "class",
    "cmd",
    "command",
    "count",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "env",
    "expiration",
    "expires",
    "expiry",
    "field",
    "file",
    "filename",
    "format",
    "from",
    "header",
    "helper",
    "hint",
    "id",
    "interval",
    "issuer",
    "key_ref",
    "len",
    "length",
    "lifetime",
    "limit",
    "manager",
    "max",
    "min",
    "mode",
    "name",
    "namespace",
    "path",
    "policy",
    "prefix",
    "profile",
    "prompt",
    "prompts",
    "provider",
    "ref",
    "required",
    "reset",
    "rotation",
    "scope",
    "size",
    "stdin",
    "store",
    "strength",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "usage",
    "user",
    "username",
    "used",
    "version",
    "tokens",
    "secrets",
];

/// The longest name that is looked at.
pub(super) const MAX_NAME: usize = 96;

/// The words of a name, as they are written there: `dbPassword`, `DB_PASSWORD` and `db.password` have the
/// same two.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let from = rest.find(|c: char| c.is_ascii_alphanumeric())?;
        let word = rest.get(from..)?;
        // Digits belong to what they follow: `password2`.
        let mut lower = false;
        let ends = |c: char| {
            let upper = c.is_ascii_uppercase();
            let ends = !c.is_ascii_alphanumeric() || upper && lower;
            lower = c.is_ascii_lowercase() || c.is_ascii_digit();
            ends
        };
        let (part, behind) = word.split_at(word.find(ends).unwrap_or(word.len()));
        rest = behind;
        Some(part)
    })
}

fn bare(part: &str) -> &str {
    part.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Whether the text is one of these, in capitals or not.
fn is_one_of(text: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// Whether there is more of the text than this end, in capitals or not.
fn ends_with(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len()).filter(|from| *from > 0);
    from.and_then(|from| text.get(from..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn is_secret_part(part: &str) -> bool {
    let part = bare(part);
    is_one_of(part, &SECRET)
        || ENDS.iter().any(|end| ends_with(part, end))
        || (part.len() > 5
            && ends_with(part, "pass")
            && !is_one_of(part, &["bypass", "compass", "trespass", "encompass", "surpass"]))
}

/// Whether a value that goes by this name is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    if name.len() < 2 || name.len() > MAX_NAME {
        return false;
    }
    if matches!(name, "PWD" | "OLDPWD") || name.starts_with("no-") {
        return false;
    }
    let (mut last, mut before, mut secret) = (None, None, false);
    for part in parts(name) {
        before = last.replace(part);
        secret |= is_secret_part(part);
    }
    let Some(last) = last else { return false };
    if before.is_some() && is_one_of(last, &ABOUT) {
        return false;
    }
    if secret {
        return true;
    }
    // `api_key`, `aws.access-key`, `X-Api-Key`, but not `primary_key`.
    if bare(last).eq_ignore_ascii_case("key") {
        let several = before.is_some();
        let before = before.unwrap_or("");
        let known = [
            "access",
            "account",
            "api",
            "app",
            "auth",
            "client",
            "encryption",
            "master",
            "private",
            "secret",
            "service",
            "shared",
            "signing",
            "storage",
            "subscription",
        ];
        let variable =
            name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        // `wireless.lan.key`
        let wireless =
            || parts(name).any(|part| is_one_of(part, &["wireless", "wifi", "wep", "wpa"]));
        let public = ["primary", "foreign", "sort", "partition", "public", "cache"];
        return is_one_of(before, &known)
            || wireless()
            || (variable && several && !is_one_of(before, &public));
    }
    // `REDISCLI_AUTH`, npm's `_auth`, `.auths["r"].auth`.
    last.eq_ignore_ascii_case("auth")
        && (name.ends_with("_AUTH")
            || name.ends_with(":_auth")
            || matches!(name, "_auth" | ".auth"))
}

/// Whether the last word of a name says that what follows is a secret: `aws_secret_access_key`, but
/// not `token.py`.
pub(super) fn ends_in_secret(name: &str) -> bool {
    let Some(last) = parts(name).last() else { return false };
    is_secret_name(name)
        && (is_secret_part(last)
            || bare(last).eq_ignore_ascii_case("key")
            || last.eq_ignore_ascii_case("auth"))
}

/// Whether a header of that name holds a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "authorization"
            | "proxy-authorization"
            | "cookie"
            | "set-cookie"
            | "apikey"
            | "x-auth"
            | "x-amz-security-token"
            | "ocp-apim-subscription-key"
            | "dd-api-key"
            | "x-goog-api-key"
    ) || is_secret_name(&lower)
}

/// Whether a value by the name of a secret says only that there is one, or none.
pub(super) fn is_no_value(value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "true"
            | "false"
            | "yes"
            | "no"
            | "null"
            | "none"
            | "nil"
            | "undefined"
            | "required"
            | "optional"
            | "-"
            | "stdin"
            | "string"
            | "str"
            | "prompt"
            | "ask"
            | "empty"
            | "read"
            | "write"
    ) || is_placeholder(value)
        || is_path(value)
}

/// `<password>`, `{{ password }}`, `%s`, `***`, and what is masked already.
fn is_placeholder(value: &str) -> bool {
    let within = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    within("<", ">")
        || within("{{", "}}")
        || (within("%(", ")s"))
        || value == "%s"
        || value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '•'))
}

/// A path to where the secret is.
fn is_path(value: &str) -> bool {
    let path = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-~".contains(&b));
    let root = |value: &str| {
        [
            "/etc/",
            "/run/",
            "/var/",
            "/home/",
            "/root/",
            "/opt/",
            "/usr/",
            "/tmp/",
            "/srv/",
            "/mnt/",
            "/dev/",
            "/proc/",
            "/secrets/",
            "/app/",
            "/data/",
            "~/",
            "./",
            "../",
        ]
        .iter()
        .any(|root| value.starts_with(root))
    };
    path && root(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "PASSWORD",
            "PGPASSWORD",
            "MYSQL_PWD",
            "dbPassword",
            "db.password",
            "--password",
            "POSTGRES_PASSWORD",
            "access_token",
            "GITHUB_TOKEN",
            "X-Api-Key",
            "STRIPE_KEY",
            "aws_secret_access_key",
            "client-secret",
            "auth.password",
            "DBPASS",
            "password2",
            "REDISCLI_AUTH",
            "npmAuthToken",
            "AccountKey",
            "_auth",
            "user_pw",
            "userPassword",
            "javax.net.ssl.keyStorePassword",
            "secret_key_base",
            "SMTP_PASS",
            "BORG_PASSPHRASE",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "TOKEN_FILE",
            "password-stdin",
            "max_tokens",
            "secretName",
            "key",
            "primary_key",
            "PasswordAuthentication",
            "bypass",
            "secret-id",
            "token_url",
            "passive",
            "PRIMARY_KEY",
            "author",
            "tokenizer",
            "access_key_id",
            "secretsmanager",
            "no-password",
            "credential.helper",
            "passenger",
            "compass",
            "imagePullSecrets",
            "PATH",
            "monkey",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
