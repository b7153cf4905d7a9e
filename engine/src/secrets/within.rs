//! Secrets within a word, and files that hold them by their names. It must never look at more than these.

use std::ops::Range;

use super::names::{ends_in_secret, is_no_value};
use crate::parse::Script;
use crate::program::base_name;
use crate::tables::RiskTables;

/// Whether a file by that name holds a secret and nothing else: `/etc/app/token`.
pub(super) fn is_secret_file(path: &str) -> bool {
    let name = base_name(path);
    let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".key")).unwrap_or(name);
    ends_in_secret(stem)
}

/// Whether a file by that name holds secrets, among other things perhaps: `.env`, `secrets.yml`.
pub(super) fn is_secret_place(path: &str) -> bool {
    let name = base_name(path).to_ascii_lowercase();
    let mut parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    is_secret_file(path)
        || parts.any(|part| {
            matches!(
                part,
                "env"
                    | "secret"
                    | "secrets"
                    | "credential"
                    | "credentials"
                    | "creds"
                    | "password"
                    | "passwords"
                    | "token"
                    | "tokens"
                    | "vault"
                    | "htpasswd"
                    | "pgpass"
                    | "netrc"
            )
        })
}

/// The password in `user:password@host`.
pub(super) fn in_address(text: &str) -> Option<Range<usize>> {
    let at = text.rfind('@')?;
    // `https://` and `:pserver:` come before the user.
    let method = || text.strip_prefix(':')?.find(':').map(|at| at + 2);
    let from = text.find("://").map(|scheme| scheme + 3).or_else(method).unwrap_or(0);
    let user = text.get(from..at)?;
    let colon = from + user.rfind(':')?;
    (colon > from && colon + 1 < at).then_some(colon + 1..at)
}

/// The secret in what is typed to a program, as `expect` has it: one word, and no command.
pub(super) fn typed(text: &str, spawns: bool) -> Option<Range<usize>> {
    let braces = text.starts_with('{') && text.ends_with('}') && text.len() > 2;
    let from = usize::from(braces);
    let mut end = text.len() - from;
    while let Some(rest) = text.get(..end) {
        let shorter = ["\\r", "\\n", "\r", "\n"].iter().find_map(|tail| rest.strip_suffix(tail));
        match shorter {
            Some(shorter) => end = shorter.len(),
            None => break,
        }
    }
    let word = text.get(from..end)?;
    let entered = spawns || braces || end < text.len();
    let common = matches!(
        word.to_ascii_lowercase().as_str(),
        "yes" | "no" | "exit" | "quit" | "logout" | "enable" | "end" | "root" | "admin"
    );
    let command = word.contains([' ', '$', '[', '\t'])
        || word.starts_with(['\\', '-', '/', '.', '~'])
        || RiskTables::builtin().program(word).is_some();
    (entered && word.len() > 2 && !common && !command && !is_no_value(word)).then_some(from..end)
}

/// The pipelines of which a command is a part, by itself or in a block, with its place in each.
pub(super) fn stages(script: &Script, at: usize) -> Vec<(usize, usize)> {
    let own = script.commands.get(at).map(|command| (command.pipeline, command.stage));
    let around = script.blocks.iter().filter(|block| block.commands.contains(&at));
    own.into_iter().chain(around.map(|block| (block.pipeline, block.stage))).collect()
}
