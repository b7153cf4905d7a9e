//! Commands that move files, in one plain sentence for the reviewer. It must never say anything of
//! a command that it does not know to its last option: silence is better than a wrong sentence.

use crate::rules::{every_command, plain_words};

/// The receiving side of legacy scp, as a client starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScpSink {
    /// The command is none.
    No,
    /// `scp -t PATH`.
    Plain {
        /// Where to; relative to the login directory unless it begins with a slash.
        path: String,
        /// `-r`: directories may come.
        recursive: bool,
        /// `-d`: several sources may come, and the path has to be a directory.
        directory: bool,
        /// `-p`: modes and times are kept.
        preserve: bool,
    },
    /// It runs one, but what exactly cannot be told.
    Unclear,
}

/// Reads a command as the receiving side of legacy scp.
#[must_use]
pub fn scp_sink(command: &[u8]) -> ScpSink {
    if !command.windows(3).any(|part| part == b"scp") {
        return ScpSink::No;
    }
    if let Some(words) = plain(command)
        && let Some(sink) = scp(&words).filter(|scp| scp.sink)
        && let Some(path) = sink.path
    {
        let Scp { recursive, directory, preserve, .. } = sink;
        return ScpSink::Plain { path, recursive, directory, preserve };
    }
    let receives = |argv: &Vec<String>| {
        argv.first().is_some_and(|word| base(word) == "scp")
            && argv
                .iter()
                .skip(1)
                .any(|word| word.strip_prefix('-').is_some_and(|flags| flags.contains('t')))
    };
    if every_command(command).iter().any(receives) { ScpSink::Unclear } else { ScpSink::No }
}

/// The words of a command that is nothing but plain words; a leading `~/` of one of them is the
/// login directory, in which commands start.
fn plain(command: &[u8]) -> Option<Vec<String>> {
    if let Some(words) = plain_words(command) {
        return Some(words);
    }
    let text = std::str::from_utf8(command).ok()?;
    let (before, after) = text.split_once(" ~")?;
    let own = after.is_empty() || after.starts_with(['/', ' ']);
    (own && !before.contains(['\'', '"']))
        .then(|| plain_words(format!("{before} .{after}").as_bytes()))?
}

struct Scp {
    sink: bool,
    recursive: bool,
    directory: bool,
    preserve: bool,
    path: Option<String>,
}

fn scp(words: &[String]) -> Option<Scp> {
    let (program, args) = words.split_first()?;
    if !is_program(program, "scp") {
        return None;
    }
    let mut found =
        Scp { sink: false, recursive: false, directory: false, preserve: false, path: None };
    let (mut source, mut operands) = (false, false);
    for word in args {
        match word.strip_prefix('-').filter(|_| !operands) {
            Some("-") => operands = true,
            Some(flags) if !flags.is_empty() => {
                for flag in flags.chars() {
                    match flag {
                        't' => found.sink = true,
                        'f' => source = true,
                        'r' => found.recursive = true,
                        'd' => found.directory = true,
                        'p' => found.preserve = true,
                        'q' | 'v' => {}
                        _ => return None,
                    }
                }
            }
            _ if found.path.is_some() => return None,
            _ => {
                operands = true;
                found.path = Some(word.clone());
            }
        }
    }
    (found.sink != source && found.path.is_some()).then_some(found)
}

/// Whether the word names that program: by its bare name, or where systems keep it.
fn is_program(word: &str, name: &str) -> bool {
    const SYSTEM: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    match word.rsplit_once('/') {
        None => word == name,
        Some((directory, last)) => last == name && SYSTEM.contains(&directory),
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_receiving_side_of_scp() {
        let plain = |path: &str, flags: &str| ScpSink::Plain {
            path: path.to_owned(),
            recursive: flags.contains('r'),
            directory: flags.contains('d'),
            preserve: flags.contains('p'),
        };
        for (command, found) in [
            ("scp -t /srv/app", plain("/srv/app", "")),
            ("scp -v -r -p -d -t -- -x", plain("-x", "rpd")),
            ("/usr/bin/scp -rt '/srv/my app'", plain("/srv/my app", "r")),
            ("scp -t ~/x", plain("./x", "")),
            ("scp -t ~", plain(".", "")),
            ("scp -t .", plain(".", "")),
            ("scp -f /srv/app", ScpSink::No),
            ("scp a host:b", ScpSink::No),
            ("ls -t", ScpSink::No),
            ("echo scp -t", ScpSink::No),
            ("scp -t", ScpSink::Unclear),
            ("scp -t a b", ScpSink::Unclear),
            ("scp -t -f a", ScpSink::Unclear),
            ("scp -t -S x a", ScpSink::Unclear),
            ("scp -t $HOME/x", ScpSink::Unclear),
            ("scp -t '~/x' ~/y", ScpSink::Unclear),
            ("sudo scp -t /etc", ScpSink::Unclear),
            ("sh -c 'scp -t /etc'", ScpSink::Unclear),
            ("cd /x && scp -t y", ScpSink::Unclear),
            ("/tmp/scp -t y", ScpSink::Unclear),
        ] {
            assert_eq!(scp_sink(command.as_bytes()), found, "{command}");
        }
    }
}
