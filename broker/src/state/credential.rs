//! What an agent logs in with: its public key, or the authority that signs its certificates.

use super::ports::Refusal;

/// How the line of an authority begins, as in `authorized_keys`.
pub(super) const AUTHORITY: &str = "cert-authority,principals=\"";

/// What an agent logs in with: a public key, or an authority that signs its certificates and the
/// principals that make one its own.
pub(super) fn credential(line: &str) -> Result<String, Refusal> {
    let Some(rest) = line.trim_start().strip_prefix(AUTHORITY) else { return bare_key(line) };
    let wrong = || {
        Refusal::invalid(
            "not an authority: expected cert-authority,principals=\"NAME,...\" and a public key",
        )
    };
    let (principals, key) = rest.split_once("\" ").ok_or_else(wrong)?;
    let plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && !"\",\\".contains(c))
    };
    if !principals.split(',').all(plain) {
        return Err(wrong());
    }
    Ok(format!("{AUTHORITY}{principals}\" {}", bare_key(key)?))
}

/// A public key as `type base64`, without options or comment.
pub(super) fn bare_key(line: &str) -> Result<String, Refusal> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key))
            if (kind.starts_with("ssh-")
                || kind.starts_with("ecdsa-")
                || kind.starts_with("sk-"))
                && !key.is_empty() =>
        {
            Ok(format!("{kind} {key}"))
        }
        _ => Err(Refusal::invalid("not a public key: expected a line as in a .pub file")),
    }
}
