//! Describes commands that move files in one plain sentence for the reviewer. It must never describe a
//! command unless it knows every option of it: silence is better than a wrong sentence.

use std::sync::LazyLock;

use crate::literals::Literals;
use crate::program::{base_name, is_installed};
use crate::rules::{every_command, plain_words};
use crate::subject::Subject;

/// The receiving side of legacy scp, as a client starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScpSink {
    /// The command is something else.
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
    /// The command runs one, but its options cannot be read with certainty.
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
    let receives =
        |subject: &Subject| {
            subject.words.first().is_some_and(|word| !word.known || base_name(&word.text) == "scp")
                && subject.words.iter().skip(1).any(|word| {
                    word.text.strip_prefix('-').is_some_and(|flags| flags.contains('t'))
                })
        };
    if every_command(command).iter().any(receives) { ScpSink::Unclear } else { ScpSink::No }
}

/// The sending side of legacy scp, as a client starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpSource {
    /// Which file or directory, where the command is nothing but plain words; relative to the login
    /// directory unless it begins with a slash.
    pub path: Option<String>,
    /// `-r`: directories may be sent.
    pub recursive: bool,
}

/// Reads a command as the sending side of legacy scp. In doubt it is one.
#[must_use]
pub fn scp_source(command: &[u8]) -> Option<ScpSource> {
    if !command.windows(3).any(|part| part == b"scp") {
        return None;
    }
    if let Some(source) = plain(command).and_then(|words| scp(&words)) {
        let Scp { sink, recursive, path, .. } = source;
        // The path goes to the login shell once more where it is not plain.
        return (!sink).then_some(ScpSource { path, recursive });
    }
    let sends = |subject: &Subject| {
        let flag = |letter: char| {
            subject.words.iter().skip(1).any(move |word| {
                word.text.strip_prefix('-').is_some_and(|flags| flags.contains(letter))
            })
        };
        let scp =
            subject.words.first().is_some_and(|word| !word.known || base_name(&word.text) == "scp");
        scp && flag('f')
    };
    let any = every_command(command).iter().any(sends);
    any.then_some(ScpSource { path: None, recursive: true })
}

/// What a command that moves files does, in one plain sentence: `git push to /srv/repo.git`. `None`
/// for every other command, and for those with an option that is not known here.
#[must_use]
pub fn describe_transfer(command: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(command).ok()?;
    // Without quotes in it, a name stands there as it is.
    static NAMES: LazyLock<Literals> =
        LazyLock::new(|| Literals::new(["git", "rsync", "scp", "tar"]));
    if !text.contains(['\'', '"']) && !NAMES.any_in(text) {
        return None;
    }
    // `cd DIR && tar …` is how archives are unpacked without `-C`.
    let (directory, rest) = match text.strip_prefix("cd ").and_then(|t| t.split_once(" && ")) {
        Some((directory, rest)) => {
            let words = plain(format!("cd {directory}").as_bytes())?;
            let [_, directory] = &words[..] else { return None };
            (Some(directory.clone()).filter(|d| !d.starts_with('-')), rest)
        }
        None => (None, text),
    };
    let words = plain(rest.as_bytes())?;
    let (program, args) = words.split_first()?;
    let is = |name| is_installed(program, name);
    if is("tar") {
        return tar(args, directory.as_deref());
    }
    if directory.is_some() {
        return None;
    }
    if is("scp") {
        let Scp { sink, recursive, path, .. } = scp(&words)?;
        let path = place(&path?)?;
        let what = if sink { "scp upload into" } else { "scp download of" };
        return Some(format!("{what} {path}{}", if recursive { ", recursive" } else { "" }));
    }
    if is("rsync") {
        return rsync(args);
    }
    if is("git") {
        let (verb, args) = args.split_first()?;
        return git(verb, args);
    }
    ["git-receive-pack", "git-upload-pack", "git-upload-archive"]
        .into_iter()
        .find(|name| is(name))
        .and_then(|name| git(name.strip_prefix("git-")?, args))
}

/// The sentence for a command that receives a push, whatever starts it and whatever options it has. In
/// doubt it receives one: what it reads is then looked at before it passes.
#[must_use]
pub fn describe_push(command: &[u8]) -> Option<String> {
    const RECEIVES: &str = "receive-pack";
    if let Some(sentence) = describe_transfer(command)
        && sentence.starts_with("git push to ")
    {
        return Some(sentence);
    }
    let named = String::from_utf8_lossy(command).contains(RECEIVES);
    let commands = every_command(command);
    let receiver = commands
        .iter()
        .find(|subject| subject.words.iter().any(|word| base_name(&word.text).ends_with(RECEIVES)));
    let hidden = commands.iter().flat_map(|subject| &subject.words);
    if receiver.is_none() && !named && !hidden.into_iter().any(|word| word.text.contains(RECEIVES))
    {
        return None;
    }
    // Which repository is said only where that is certain.
    let repository = receiver.and_then(|subject| {
        let at = subject.words.iter().position(|word| word.text.ends_with(RECEIVES))?;
        let [.., last] = subject.words.get(at + 1..)? else { return None };
        let plain = last.known && !last.text.starts_with('-') && !last.text.contains(RECEIVES);
        plain.then(|| place(&last.text))?
    });
    Some(repository.map_or_else(|| "git push".to_owned(), |place| format!("git push to {place}")))
}

fn git(verb: &str, args: &[String]) -> Option<String> {
    let [repository] = args else { return None };
    let what = match verb {
        "receive-pack" => "git push to",
        "upload-pack" => "git fetch from",
        "upload-archive" => "git archive of",
        _ => return None,
    };
    (!repository.starts_with('-')).then(|| Some(format!("{what} {}", place(repository)?)))?
}

/// `rsync --server`, as rsync's own client starts it.
fn rsync(args: &[String]) -> Option<String> {
    /// Short options that change how, not what or where.
    const LETTERS: &str = "vlogDtprzucHAXSxLkKIWdOJUNqhimE";
    /// Long options of the same kind; those with a value end in `=`.
    const LONG: [&str; 22] = [
        "--append",
        "--bwlimit=",
        "--checksum-seed=",
        "--compress-choice=",
        "--compress-level=",
        "--existing",
        "--ignore-existing",
        "--inplace",
        "--log-format=",
        "--max-size=",
        "--min-size=",
        "--new-compress",
        "--no-implied-dirs",
        "--no-whole-file",
        "--numeric-ids",
        "--omit-dir-times",
        "--partial",
        "--safe-links",
        "--sparse",
        "--stats",
        "--timeout=",
        "--usermap=",
    ];
    let mut args = args.iter().map(String::as_str);
    if args.next() != Some("--server") {
        return None;
    }
    let (mut sender, mut deletes, mut removes, mut dry) = (false, false, false, false);
    let mut clustered = false;
    let mut first = None;
    for arg in args.by_ref() {
        match arg {
            "--sender" => sender = true,
            "--delete" | "--delete-before" | "--delete-during" | "--delete-delay"
            | "--delete-after" | "--delete-excluded" => deletes = true,
            "--remove-source-files" => removes = true,
            _ if arg.starts_with("--") => {
                let known = LONG
                    .iter()
                    .any(|known| *known == arg || known.ends_with('=') && arg.starts_with(known));
                if !known {
                    return None;
                }
            }
            _ if arg.len() > 1 && arg.starts_with('-') => {
                // What follows the `e` is about protocol versions.
                let letters = arg.get(1..)?.split('e').next()?;
                if std::mem::replace(&mut clustered, true)
                    || !letters.chars().all(|c| LETTERS.contains(c) || c == 'n')
                {
                    return None;
                }
                dry |= letters.contains('n');
            }
            _ => {
                first = Some(arg);
                break;
            }
        }
    }
    if first != Some(".") {
        return None;
    }
    let paths: Option<Vec<String>> = args.map(place).collect();
    let paths = paths.filter(|paths| !paths.is_empty())?;
    let dry = if dry { " (dry run: changes nothing)" } else { "" };
    if sender {
        let removes = if removes { " (removes the files there once they are fetched)" } else { "" };
        return Some(format!("rsync download from {}{removes}{dry}", paths.join(" and ")));
    }
    let [path] = &paths[..] else { return None };
    let deletes = if deletes { " (deletes files there that the sender does not have)" } else { "" };
    Some(format!("rsync upload to {path}{deletes}{dry}"))
}

/// `tar` that reads or writes an archive on the standard streams.
fn tar(args: &[String], directory: Option<&str>) -> Option<String> {
    let mut args = args.iter().map(String::as_str);
    let (mut mode, mut stream) = (None, false);
    let mut directory = directory.map(str::to_owned);
    let mut operands = Vec::new();
    let mut first = true;
    while let Some(arg) = args.next() {
        let cluster = std::mem::take(&mut first) && !arg.starts_with('-');
        let harmless = ["--strip-components=", "--exclude=", "--no-same-owner", "--numeric-owner"];
        if let Some(into) = arg.strip_prefix("--directory=") {
            directory = Some(below(directory.as_deref(), into));
        } else if harmless.iter().any(|known| arg.starts_with(known)) {
            continue;
        } else if cluster || (arg.len() > 1 && arg.starts_with('-') && !arg.starts_with("--")) {
            for letter in arg.trim_start_matches('-').chars() {
                match letter {
                    'x' | 'c' | 't' if mode.is_none() => mode = Some(letter),
                    'f' => stream = args.next()? == "-",
                    'C' => directory = Some(below(directory.as_deref(), args.next()?)),
                    'v' | 'z' | 'j' | 'J' | 'p' | 'm' | 'o' | 'k' | 'a' => {}
                    _ => return None,
                }
            }
        } else if arg.starts_with("--") {
            return None;
        } else {
            operands.push(place_in(directory.as_deref(), arg)?);
        }
    }
    if !stream {
        return None;
    }
    let directory = place(directory.as_deref().unwrap_or("."))?;
    match mode? {
        'x' if operands.is_empty() => Some(format!("tar: unpack standard input in {directory}")),
        'c' if (1..=3).contains(&operands.len()) => {
            Some(format!("tar: pack {} and send it", operands.join(" and ")))
        }
        't' if operands.is_empty() => Some("tar: list standard input".to_owned()),
        _ => None,
    }
}

fn below(outer: Option<&str>, path: &str) -> String {
    match outer {
        Some(outer) if !path.starts_with('/') => format!("{}/{path}", outer.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

fn place_in(directory: Option<&str>, path: &str) -> Option<String> {
    place(&below(directory, path))
}

/// A path in a sentence. Commands start in the login directory.
fn place(path: &str) -> Option<String> {
    let rest = path.trim_start_matches("./");
    if path.is_empty() || path.contains(['"', '\\']) {
        return None;
    }
    if rest.is_empty() || rest == "." {
        return Some("the login directory".to_owned());
    }
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("~/{rest}") };
    // A path with blanks could look like part of the sentence.
    let plain = whole.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@%:,=~".contains(&b));
    Some(if plain { whole } else { format!("\"{whole}\"") })
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
    if !is_installed(program, "scp") {
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

    #[test]
    fn a_push_whatever_starts_it() {
        for command in [
            "git-receive-pack '/srv/x.git'",
            "git receive-pack /srv/x.git",
            "git-receive-pack --foo '/srv/x.git'",
            "git-receive-pack --skip-connectivity-check --http-backend-info-refs /srv/x.git",
            "git -c receive.denyDeletes=false receive-pack /srv/x.git",
            "git -C / receive-pack /srv/x.git",
            "/usr/lib/git-core/git-receive-pack /srv/x.git",
            "/tmp/git-receive-pack /srv/x.git",
            "sudo -u git git-receive-pack '/srv/x.git'",
            "env X=y git-receive-pack '/srv/x.git'",
            "X=y git-receive-pack /srv/x.git",
            "nice -n 5 git-receive-pack /srv/x.git",
            "sh -c 'git-receive-pack /srv/x.git'",
            "sh -c \"git-receive-pack '/srv/x.git'\"",
            "bash -lc 'exec git-receive-pack /srv/x.git'",
            "cd /srv && git-receive-pack /srv/x.git",
            "g''it-rece\"ive-pa\"ck /srv/x.git",
            "GIT_TRACE=1 timeout 60 sudo git receive-pack /srv/x.git",
        ] {
            let sentence = describe_push(command.as_bytes());
            assert_eq!(sentence.as_deref(), Some("git push to /srv/x.git"), "{command}");
        }
        for command in [
            "git-shell -c \"git-receive-pack '/srv/x.git'\"",
            "my-wrapper --with=git-receive-pack /srv/x.git",
            "git -c alias.x=receive-pack x /srv/x.git",
            "git-receive-pack \"$REPO\"",
            "git-receive-pack '/srv/x.git",
            "$(echo git-receive-pack) /srv/x.git",
        ] {
            let sentence = describe_push(command.as_bytes());
            assert!(sentence.is_some_and(|s| s.starts_with("git push")), "{command}");
        }
        for other in ["git-upload-pack '/srv/x.git'", "git push", "ls", "rsync --server . /srv", ""]
        {
            assert_eq!(describe_push(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_sending_side_of_scp() {
        let path = |command: &str| scp_source(command.as_bytes()).map(|source| source.path);
        for plain in ["scp -f /srv/x", "scp -v -r -p -f -- /srv/x", "/usr/bin/scp -rf '/srv/x'"] {
            assert_eq!(path(plain), Some(Some("/srv/x".to_owned())), "{plain}");
        }
        assert!(scp_source(b"scp -r -f x").is_some_and(|source| source.recursive));
        for unclear in ["sudo scp -f x", "scp -f /srv/*.log", "sh -c 'scp -f x'", "scp -f $X"] {
            assert_eq!(path(unclear), Some(None), "{unclear}");
        }
        for other in ["scp -t /srv/x", "ls -f", "cat scp", "echo scp -f"] {
            assert_eq!(path(other), None, "{other}");
        }
    }

    #[test]
    fn transfers_in_a_sentence() {
        for (command, sentence) in [
            (
                "rsync --server -vlogDtpre.iLsfxCIvu --delete . /srv/app/",
                Some(
                    "rsync upload to /srv/app/ (deletes files there that the sender does not have)",
                ),
            ),
            ("rsync --server -vlogDtpre.iLsfxCIvu . app", Some("rsync upload to ~/app")),
            (
                "rsync --server -vnlogDtpre.iLsfxCIvu . /srv",
                Some("rsync upload to /srv (dry run: changes nothing)"),
            ),
            (
                "rsync --server --sender -vlogDtpre.iLsfxCIvu . /var/log /etc/x",
                Some("rsync download from /var/log and /etc/x"),
            ),
            (
                "rsync --server --sender -e.iLsf --remove-source-files . x",
                Some("rsync download from ~/x (removes the files there once they are fetched)"),
            ),
            ("rsync --server -vlogDtpre.iLsf --backup-dir=/x . /srv", None),
            ("rsync --server -vbe.iLsf . /srv", None),
            ("rsync --server -ve.iLsf --daemon .", None),
            ("rsync -a x y", None),
            ("git-receive-pack '/srv/repo.git'", Some("git push to /srv/repo.git")),
            ("git receive-pack repo.git", Some("git push to ~/repo.git")),
            ("git-upload-pack '/srv/my repo'", Some("git fetch from \"/srv/my repo\"")),
            ("git-upload-pack --strict x", None),
            ("/tmp/git-receive-pack x", None),
            ("git status", None),
            ("scp -r -t /srv/app/", Some("scp upload into /srv/app/, recursive")),
            ("scp -f /srv/x", Some("scp download of /srv/x")),
            ("scp -t .", Some("scp upload into the login directory")),
            ("tar xzf - -C /srv/app", Some("tar: unpack standard input in /srv/app")),
            ("tar -C /srv -xf -", Some("tar: unpack standard input in /srv")),
            ("cd /srv/app && tar xf -", Some("tar: unpack standard input in /srv/app")),
            ("cd /srv && tar xf - -C app", Some("tar: unpack standard input in /srv/app")),
            ("tar xf -", Some("tar: unpack standard input in the login directory")),
            ("tar czf - -C /srv app", Some("tar: pack /srv/app and send it")),
            ("tar xf /srv/x.tar", None),
            ("tar xPf - -C /", None),
            ("tar xf - --to-command=sh", None),
            ("cd /srv && rm x", None),
            (
                "tar xf - -C '/srv (dry run)'",
                Some("tar: unpack standard input in \"/srv (dry run)\""),
            ),
            ("tar xf - -C '/a\"b'", None),
            ("tar xf - ; id", None),
            ("ls", None),
            ("", None),
        ] {
            assert_eq!(describe_transfer(command.as_bytes()).as_deref(), sentence, "{command}");
        }
    }
}
