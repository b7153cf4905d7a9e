//! Which files decide what a command line of the configuration does: the programs it starts and the
//! scripts it names. When that cannot be told, it is an error.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::places::Places;
use crate::executable;

/// Words after which another command begins.
const TRANSPARENT: &[&str] = &[
    "!", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "exec",
    "command", "nohup", "env", "time", "builtin", "timeout",
];

/// What a POSIX shell does itself, and what takes no program's name.
const BUILTIN: &[&str] = &[
    "[", "test", "true", "false", ":", "echo", "printf", "exit", "return", "export", "read", "set",
    "shift", "ulimit", "umask", "unset", "wait",
];

/// What makes of the words behind it something that cannot be told.
const READS_CODE: &[&str] =
    &[".", "source", "eval", "trap", "alias", "cd", "xargs", "sudo", "doas", "su"];

/// Programs that read no file of the user's by themselves: what they do stands on their command line.
const KNOWN: &[&str] = &[
    "[",
    "bash",
    "cat",
    "connect",
    "connect-proxy",
    "corkscrew",
    "dash",
    "echo",
    "env",
    "expacti",
    "false",
    "getent",
    "grep",
    "host",
    "hostname",
    "id",
    "ip",
    "nc",
    "nc.openbsd",
    "nc.traditional",
    "ncat",
    "netcat",
    "pgrep",
    "ping",
    "printf",
    "sh",
    "sleep",
    "socat",
    "ss",
    "ssh",
    "sss_ssh_knownhostsproxy",
    "test",
    "timeout",
    "touch",
    "true",
    "uname",
    "whoami",
];

/// Shells, of which the code and the scripts on their command line are looked at.
const SHELLS: &[&str] = &["bash", "dash", "ksh", "sh", "zsh"];

/// Whether an argument makes a program of [`KNOWN`] read a start-up file of the user's, or start another
/// program that is not looked at.
fn leads_on(program: &str, word: &str, next: Option<&str>) -> bool {
    let letters = |some: &str| {
        word.strip_prefix(['-', '+'])
            .is_some_and(|rest| !rest.starts_with('-') && rest.contains(|c| some.contains(c)))
    };
    let lower = word.to_ascii_lowercase();
    let names = |some: &[&str]| some.iter().any(|one| lower.contains(one));
    match program {
        // A login shell, and an interactive one; bash takes its long options with one hyphen, too.
        "sh" | "bash" | "dash" => {
            letters("il") || names(&["-login", "-rcfile", "-init-file", "-interactive"])
        }
        "nc" | "nc.openbsd" | "nc.traditional" | "ncat" | "netcat" => {
            letters("ec") || names(&["-exec", "-sh-exec", "-lua-exec"])
        }
        "socat" => names(&["exec:", "system:", "shell:", "exec=", "system="]),
        // What it reads by itself is looked at where the configuration is.
        "ssh" => {
            let shares_not = match word.strip_prefix("-S") {
                Some("") => next == Some("none"),
                Some(path) => path == "none",
                None => lower.ends_with("controlmaster=no") || lower.ends_with("controlpath=none"),
            };
            let leads = ssh_options(word).any(|letter| "FIMOS".contains(letter))
                || names(&[
                    "controlmaster",
                    "controlpath",
                    "knownhostscommand",
                    "localcommand",
                    "pkcs11provider",
                    "proxycommand",
                    "smartcarddevice",
                ]);
            leads && !shares_not
        }
        _ => false,
    }
}

/// The option letters of an argument of `ssh`, up to the first that takes the rest as its value.
fn ssh_options(word: &str) -> impl Iterator<Item = char> {
    let letters = word.strip_prefix('-').unwrap_or_default();
    let end = letters.find(|c| "BbcDEeFIiJLlmOopPQRSWw".contains(c));
    letters.chars().take(end.map_or(letters.len(), |end| end + 1))
}

/// How long `timeout` waits, as it stands before the program that it starts.
fn is_duration(word: &str) -> bool {
    let digits = word.trim_end_matches(['s', 'm', 'h', 'd']);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Whether it runs `ssh`, which does what the configuration says of some host.
pub(super) fn runs_ssh(file: &Path) -> bool {
    file.file_name() == Some(OsStr::new("ssh"))
}

/// Whether a file is no program, or one that is known to read no file of the user's by itself.
pub(super) fn is_known(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    KNOWN.contains(&name) || !executable::is_executable(file)
}

/// The files of a command line. Bare names are looked for in `path`.
pub(super) fn files(command: &str, places: &Places, path: &OsStr) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    collect(command, places, path, 0, &mut found)?;
    Ok(found)
}

fn collect(
    command: &str,
    places: &Places,
    path: &OsStr,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), String> {
    if depth > 4 || command.len() > 64 * 1024 {
        return Err("it is too long or too deep to be looked at".to_owned());
    }
    let mut begins = true;
    // What the words behind are for, as far as it is known.
    let mut program = String::new();
    let mut takes_code = false;
    let mut times = false;
    let mut tokens = tokens(command)?.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let Token::Word(word) = token else {
            (begins, takes_code, times) = (true, false, false);
            program.clear();
            continue;
        };
        let next = tokens.peek().and_then(|token| match token {
            Token::Word(next) => Some(next.as_str()),
            Token::Operator => None,
        });
        if !begins && leads_on(&program, &word, next) {
            return Err(format!("what {program} does with {word} cannot be told"));
        }
        if begins && std::mem::take(&mut times) && is_duration(&word) {
            continue;
        }
        if !begins && SHELLS.contains(&program.as_str()) {
            if word.starts_with(['-', '+']) {
                takes_code |= !word.starts_with("--") && word.contains('c');
            } else if std::mem::take(&mut takes_code) {
                collect(&word, places, path, depth + 1, found)?;
                continue;
            }
        }
        let expanded = expand(&word, places);
        let Some(text) = expanded.as_deref() else {
            if begins {
                return Err(format!("which program {word} is cannot be told"));
            }
            found.extend(above_token(&word, places)?);
            continue;
        };
        if begins {
            found.extend(program_file(text, path)?);
            let name = text.rsplit('/').next().unwrap_or_default();
            times = name == "timeout";
            begins = TRANSPARENT.contains(&name) || is_assignment(text);
            name.clone_into(&mut program);
        }
        let value = text.split_once('=').map_or("", |(_, value)| value);
        let values = value.split(':').filter_map(|value| expand(value, places));
        let words = text.split_whitespace().map(str::to_owned).chain([value.to_owned()]);
        let named = words.chain(values).filter(|word| word.starts_with('/')).map(PathBuf::from);
        // A script that is not there could be made.
        let reads_code = begins || SHELLS.contains(&program.as_str());
        let reads_code = reads_code || !KNOWN.contains(&program.as_str());
        found.extend(named.filter(|file| reads_code || file.exists()));
        // Relative to the directory in which it runs.
        let relative = Path::new("/").join(text);
        if text.contains('/') && relative.exists() {
            found.push(relative);
        }
    }
    found.dedup();
    Ok(())
}

/// The file of a program; none for what a shell does itself.
fn program_file(text: &str, path: &OsStr) -> Result<Option<PathBuf>, String> {
    if TRANSPARENT.contains(&text) || is_assignment(text) {
        return Ok(None);
    }
    if text.contains('/') {
        return Ok(Some(Path::new("/").join(text)));
    }
    if READS_CODE.contains(&text) {
        return Err(format!("what {text} runs cannot be told"));
    }
    match executable::find(OsStr::new(text), path) {
        Some(file) => Ok(Some(file)),
        None if BUILTIN.contains(&text) => Ok(None),
        None => Err(format!("there is no {text} where it could not be put later")),
    }
}

/// Of a word with a token of the host's in it, the directory above that; none when it is no path.
fn above_token(word: &str, places: &Places) -> Result<Option<PathBuf>, String> {
    let word = word.split_once('=').map_or(word, |(_, value)| value);
    let known = ["%d/", "${HOME}/", "$HOME/", "~", "/"].iter().any(|start| word.starts_with(start));
    if !known {
        let is_path = word.starts_with('$') && word.contains('/');
        return if is_path {
            Err(format!("which file {word} is cannot be told"))
        } else {
            Ok(None)
        };
    }
    let mut above = word;
    while let Some((shorter, _)) = above.rsplit_once('/') {
        above = shorter;
        if let Some(dir) = expand(&format!("{above}/"), places).filter(|dir| dir.starts_with('/')) {
            return Ok(Some(dir.into()));
        }
    }
    Err(format!("which file {word} is cannot be told"))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// Another command begins.
    Operator,
    Word(String),
}

/// Splits as a POSIX shell would, so far as words and operators go.
fn tokens(command: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars().peekable();
    let unreadable = || "its quotes are not closed".to_owned();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(unreadable)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(unreadable)? {
                        '"' => break,
                        '\\' => word.push(chars.next().ok_or_else(unreadable)?),
                        '`' => return Err("it holds a command within a word".to_owned()),
                        c => word.push(c),
                    }
                }
                if word.contains("$(") {
                    return Err("it holds a command within a word".to_owned());
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or_else(unreadable)?),
            '`' => return Err("it holds a command within a word".to_owned()),
            '(' if word.as_ref().is_some_and(|w| w.ends_with('$')) => {
                return Err("it holds a command within a word".to_owned());
            }
            '>' | '<' => {
                // What follows is a file, not a command.
                tokens.extend(word.take().map(Token::Word));
                // `2>&1` names a descriptor.
                if chars.peek() == Some(&'&') {
                    chars.next();
                }
            }
            ';' | '|' | '&' | '(' | ')' | '\n' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Operator);
            }
            c if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            c => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    Ok(tokens)
}

/// Expands `~/`, `$HOME`, `%d`, `%u`, `%i` and `%%`, which mean the same for every host. `None` when
/// there is another token or variable.
pub(super) fn expand(word: &str, places: &Places) -> Option<String> {
    let home = places.home.to_str()?;
    let word = match word.strip_prefix("~/") {
        Some(rest) => format!("{home}/{rest}"),
        None if word == "~" => home.to_owned(),
        None => word.to_owned(),
    };
    let word = word.replace("${HOME}", home).replace("$HOME", home);
    // The home directory of somebody, by name.
    if word.contains('$') || word.starts_with('~') {
        return None;
    }
    let mut out = String::new();
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            '%' => out.push('%'),
            'd' => out.push_str(home),
            'u' => out.push_str(&places.user),
            'i' => out.push_str(&places.uid.to_string()),
            _ => return None,
        }
    }
    Some(out)
}
