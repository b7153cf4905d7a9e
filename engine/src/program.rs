//! How a word names a program. It must never look at the file system: a name is text.

/// The shells whose grammar is read here.
pub(crate) const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh"];

/// The name without its directory.
pub(crate) fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether the word names that program: by its bare name, or where systems keep it.
pub(crate) fn is_installed(word: &str, name: &str) -> bool {
    const SYSTEM: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    match word.rsplit_once('/') {
        None => word == name,
        Some((directory, last)) => last == name && SYSTEM.contains(&directory),
    }
}

/// Whether the target's shell, where known, speaks the language that is read here.
pub(crate) fn reads_as_posix(shell: Option<&str>) -> bool {
    shell.is_none_or(|shell| SHELLS.contains(&base_name(shell)))
}
