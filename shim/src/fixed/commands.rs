//! Which files decide what a command line of the configuration does: the programs it starts and the
//! scripts it names. When that cannot be told, it is an error.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::places::Places;
use crate::executable;

/// Words after which another command begins.
const TRANSPARENT: &[&str] = &[
    "!", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "exec",
    "command", "nohup", "env", "time", "builtin",
];

/// What a POSIX shell does itself, and what takes no program's name.
const BUILTIN: &[&str] = &[
    "[", "test", "true", "false", ":", "echo", "printf", "cd", "exit", "return", "export", "read",
    "set", "shift", "ulimit", "umask", "unset", "wait",
];

/// Shells, of which nothing but the scripts on their command line is looked at otherwise.
const READS_CODE: &[&str] =
    &[".", "source", "eval", "trap", "alias", "xargs", "sudo", "doas", "su"];

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

/// Whether a file is no program, or one that is known to read no file of the user's by itself.
pub(super) fn is_known(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    KNOWN.contains(&name) || (file.exists() && !executable::is_executable(file))
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
    let mut takes_code = false;
    for token in tokens(command)? {
        let Token::Word(word) = token else {
            begins = true;
            continue;
        };
        let is_code =
            std::mem::replace(&mut takes_code, word.starts_with('-') && word.ends_with('c'));
        let expanded = expand(&word, places);
        let Some(text) = expanded.as_deref() else {
            if begins {
                return Err(format!("which program {word} is cannot be told"));
            }
            continue;
        };
        // `sh -c '…'`.
        if is_code && text.contains(char::is_whitespace) {
            collect(text, places, path, depth + 1, found)?;
        } else {
            let files = text.split_whitespace().skip(1).filter(|word| word.starts_with('/'));
            found.extend(files.map(PathBuf::from).filter(|file| file.exists()));
        }
        if text.contains('/') {
            let file = Path::new("/").join(text);
            if begins || file.exists() {
                found.push(file);
            }
        } else if begins && !TRANSPARENT.contains(&text) && !is_assignment(text) {
            if READS_CODE.contains(&text) {
                return Err(format!("what {text} runs cannot be told"));
            }
            match executable::find(OsStr::new(text), path) {
                Some(file) => found.push(file),
                None if BUILTIN.contains(&text) => {}
                None => return Err(format!("there is no {text} where it could not be put later")),
            }
        }
        // An option's value in the form --x=/path.
        if let Some((_, value)) = text.split_once('=')
            && value.starts_with('/')
            && Path::new(value).exists()
        {
            found.push(value.into());
        }
        begins = begins && (TRANSPARENT.contains(&text) || is_assignment(text));
    }
    Ok(())
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
    let mut chars = command.chars();
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
        None => word.to_owned(),
    };
    let word = word.replace("${HOME}", home).replace("$HOME", home);
    if word.contains('$') {
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
