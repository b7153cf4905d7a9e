//! The exec request that takes the place of an agent's `shell` request: it runs the account's own
//! login shell so that it marks its prompts and reports its edit buffer. It must contain nothing
//! that came from the agent, print nothing, and leave no file behind.

use std::fmt::Write as _;

use super::Nonce;

/// POSIX sh: picks the shell by the account's `$SHELL` and hands it its start-up file.
const BOOT: &str = include_str!("shells/boot.sh");
const BASH: &str = include_str!("shells/bash.sh");
const FISH: &str = include_str!("shells/fish.fish");
const SH: &str = include_str!("shells/sh.sh");
const ZSH: &str = include_str!("shells/zsh.sh");

/// The exec request that replaces the `shell` request.
///
/// It is a constant but for the nonce. It works whatever the login shell is (`sshd` runs it as
/// `$SHELL -c ...`), and a shell that cannot be provisioned is started plain, as a login shell,
/// without a hello: what is then typed at it is delivered as to any unverified prompt.
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
/// `/bin/sh` unchanged: within single quotes stand only characters that none of them interprets,
/// everything else is an octal escape for `printf`.
pub(super) fn for_any_shell(script: &str) -> String {
    let mut encoded = String::with_capacity(script.len() * 2);
    for byte in script.bytes() {
        match byte {
            b'\'' | b'"' | b'\\' | b'$' | b'`' | b'!' | b'%' | ..=0x1f | 0x7f.. => {
                let _ = write!(encoded, "\\{byte:03o}");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    format!("exec /bin/sh -c 'eval \"$(printf \"{encoded}\")\"'")
}
