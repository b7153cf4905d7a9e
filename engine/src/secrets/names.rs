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

/// The words of a name, in lower case: `dbPassword`, `DB_PASSWORD` and `db.password` are the same.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut lower = false;
    for c in name.chars() {
        let upper = c.is_ascii_uppercase();
        if (!c.is_ascii_alphanumeric() || (upper && lower)) && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
        }
        if c.is_ascii_alphanumeric() {
            part.push(c.to_ascii_lowercase());
        }
        // Digits belong to what they follow: `password2`.
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

fn bare(part: &str) -> &str {
    part.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn is_secret_part(part: &str) -> bool {
    let part = bare(part);
    SECRET.contains(&part)
        || ENDS.iter().any(|end| part.len() > end.len() && part.ends_with(end))
        || (part.len() > 5
            && part.ends_with("pass")
            && !matches!(part, "bypass" | "compass" | "trespass" | "encompass" | "surpass"))
}

/// Whether a value that goes by this name is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    if name.len() < 2 || name.len() > MAX_NAME {
        return false;
    }
    if matches!(name, "PWD" | "OLDPWD") || name.starts_with("no-") {
        return false;
    }
    let parts = parts(name);
    let Some(last) = parts.last() else { return false };
    if parts.len() > 1 && ABOUT.contains(&last.as_str()) {
        return false;
    }
    if parts.iter().any(|part| is_secret_part(part)) {
        return true;
    }
    // `api_key`, `aws.access-key`, `X-Api-Key`, but not `primary_key`.
    let pair = parts.len().checked_sub(2).and_then(|at| parts.get(at));
    if bare(last) == "key" {
        let before = pair.map_or("", String::as_str);
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
        let wireless = || {
            let mut parts = parts.iter();
            parts.any(|part| matches!(part.as_str(), "wireless" | "wifi" | "wep" | "wpa"))
        };
        return known.contains(&before)
            || wireless()
            || (variable
                && parts.len() > 1
                && !matches!(
                    before,
                    "primary" | "foreign" | "sort" | "partition" | "public" | "cache"
                ));
    }
    // `REDISCLI_AUTH`, npm's `_auth`, `.auths["r"].auth`.
    last == "auth"
        && (name.ends_with("_AUTH")
            || name.ends_with(":_auth")
            || matches!(name, "_auth" | ".auth"))
}

/// Whether the last word of a name says that what follows is a secret: `aws_secret_access_key`, but
/// not `token.py`.
pub(super) fn ends_in_secret(name: &str) -> bool {
    let last = parts(name).pop().unwrap_or_default();
    is_secret_name(name) && (is_secret_part(&last) || bare(&last) == "key" || last == "auth")
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
