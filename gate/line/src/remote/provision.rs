//! The exec request that replaces an agent's `shell` request: it runs the account's own login
//! shell, set up to mark its prompts and report its edit buffer. It must contain nothing that came
//! from the agent, print nothing, and leave no file behind.

use std::fmt::Write as _;

use super::nonce::Nonce;

/// POSIX sh: picks the shell by the account's `$SHELL` and hands it its start-up file.
const BOOT: &str = include_str!("shells/boot.sh");
const BASH: &str = include_str!("shells/bash.sh");
const FISH: &str = include_str!("shells/fish.fish");
const SH: &str = include_str!("shells/sh.sh");
const ZSH: &str = include_str!("shells/zsh.sh");

/// The exec request that replaces the `shell` request.
///
/// It is a constant but for the nonce. It works whatever the login shell is (`sshd` runs it as
/// `$SHELL -c ...`). A shell that cannot be provisioned is started as a plain login shell, without
/// a hello: lines are then delivered to it as to any unverified prompt.
pub fn start_command(nonce: &Nonce) -> String {
    let script = BOOT
        .replace("@BASH@", BASH.trim_end())
        .replace("@FISH@", FISH.trim_end())
        .replace("@SH@", SH.trim_end())
        .replace("@ZSH@", ZSH.trim_end())
        .replace("@NONCE@", nonce.as_str());
    for_any_shell(&script)
}

/// Wraps a POSIX sh script so that every login shell, csh and fish included, hands it to
/// `/bin/sh` unchanged: within single quotes are only characters that none of them interprets,
/// everything else is an octal escape for `printf`. Comment lines are left out.
pub(super) fn for_any_shell(script: &str) -> String {
    let mut encoded = String::with_capacity(script.len() * 2);
    let code: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
    for byte in code.join("\n").bytes() {
        match byte {
            b'\'' | b'"' | b'\\' | b'$' | b'`' | b'!' | b'%' | ..=0x1f | 0x7f.. => {
                let _ = write!(encoded, "\\{byte:03o}");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    format!("exec /bin/sh -c 'eval \"$(printf \"{encoded}\")\"'")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn no_shell_interprets_anything_within_the_quotes() {
        let command = start_command(&Nonce::new([7; 16]));
        let inner = command
            .strip_prefix("exec /bin/sh -c 'eval \"$(printf \"")
            .and_then(|rest| rest.strip_suffix("\")\"'"))
            .unwrap();
        assert!(inner.bytes().all(|b| matches!(b, 0x20..=0x7e)), "one line of ASCII");
        assert!(!inner.contains(['\'', '"', '$', '`', '!', '%']));
        let mut rest = inner;
        while let Some((_, escape)) = rest.split_once('\\') {
            assert!(escape.len() >= 3 && escape.bytes().take(3).all(|b| b.is_ascii_digit()));
            rest = escape;
        }
        assert!(command.len() < 64 * 1024, "{}", command.len());
    }

    #[test]
    fn no_here_document_ends_early() {
        for script in [BASH, FISH, SH, ZSH] {
            assert!(script.lines().all(|line| line != "EXPACTI"));
            assert!(script.is_ascii());
        }
        let command = start_command(&Nonce::new([7; 16]));
        for name in ["BASH", "FISH", "NONCE", "SH", "ZSH"] {
            assert!(!command.contains(&format!("@{name}@")), "{name}");
        }
    }
}
