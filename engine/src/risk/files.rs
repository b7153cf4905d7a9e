//! Scores changes of files from their text: by what is done to which path. It must never treat a
//! path as harmless because one way of reading it is.

use crate::modifier::{Modifier, TermKind};
use crate::parse::Span;
use crate::tables::RiskTables;
use crate::{Assessment, Category, Context, Level, Term};

use super::deception;
use super::paths::{is_core, is_home, resolve};
use super::segment_score::{Modifiers, SegmentScore};

/// The most paths of one change that are looked at; beyond it the change is uninspectable.
const MAX_PATHS: usize = 4096;

impl RiskTables {
    /// Scores a change of files through SFTP from its text (`sftp write /srv/x: 3.2 MiB, …`; one
    /// change a line): by what is done to which path, as the command that does the same.
    #[must_use]
    pub fn assess_file(&self, text: &[u8], context: &Context) -> Assessment {
        let exact = std::str::from_utf8(text).is_ok();
        let text = String::from_utf8_lossy(text).into_owned();
        let whole = (0, text.len());
        let mut line = Modifiers::default();
        if !exact {
            line.add(Modifier::Uninspectable, whole, "a path that is not UTF-8");
        }
        if let Some((span, why)) = deception::find(&text.replace('\n', " ")) {
            line.add(Modifier::Deception, span, why);
        }
        // A path in `$'…'` has characters that no ordinary name has.
        if let Some(at) = text.find(" $'") {
            line.add(Modifier::Uninspectable, (at + 1, at + 3), "a path with unusual characters");
        }
        let paths = paths(&text);
        if paths.is_empty() || paths.len() > MAX_PATHS {
            line.add(Modifier::Uninspectable, whole, "its paths cannot be read");
        }
        let score = SegmentScore::of_item("sftp", Category::FileWrite, whole);
        let mut best = self.conclude(text.clone(), vec![score], &line, whole);
        let mut void = best.terms.iter().any(|term| term.is(Modifier::Deception));
        void |= best.uninspectable;
        let mut first = true;
        for (verb, span) in paths.into_iter().take(MAX_PATHS) {
            let Some(path) = text.get(span.0..span.1) else { continue };
            let mut found = self.assess(verb.as_command(path, &text).as_bytes(), context);
            for term in &mut found.terms {
                term.span = [span.0, span.1];
            }
            if let Some(term) = found.terms.first_mut() {
                term.why = format!("sftp {}", verb.as_str());
            }
            self.guard(verb, path, span, &mut found);
            // The first path's score replaces the bare base, unless that is uninspectable.
            if found.score > best.score || (first && !void) {
                found.command.clone_from(&best.command);
                found.segments.clone_from(&best.segments);
                best = found;
            }
            first = false;
        }
        best
    }

    /// Applies the floor for paths where a file acts by itself or grants access: never below HIGH.
    fn guard(&self, verb: Verb, path: &str, span: Span, found: &mut Assessment) {
        let Some(what) = self.guarded(verb, path) else { return };
        if found.score >= 50 {
            return;
        }
        let points = 50 - i32::from(found.score);
        let why = format!("never below 50: {what}");
        found.terms.push(Term::new(TermKind::Floor, points, span, why));
        found.score = 50;
        found.level = Level::of(50);
    }

    /// Why a path is guarded, if it is.
    fn guarded(&self, verb: Verb, path: &str) -> Option<&'static str> {
        let path_lists = &self.path_lists;
        let path = resolve(path, None);
        if path_lists.is_secret(&path) {
            Some("it holds secrets or opens doors")
        } else if verb == Verb::Read {
            None
        } else if path_lists.is_persistence(&path) {
            Some("it acts later, by itself")
        } else if path_lists.is_tamper(&path) {
            Some("it belongs to logs, audit or protection")
        } else if verb == Verb::Rename
            && (is_home(&path) || is_core(&path) || path_lists.holds_guarded(&path))
        {
            Some("what lies beneath it is known by its path no more")
        } else {
            None
        }
    }

    /// Why a rule for a whole directory does not cover a change: the path is guarded, and the rule's
    /// own words name no guarded path.
    pub(crate) fn too_special(&self, change: &str, pattern: &str) -> Option<&'static str> {
        let guarded = |text: &str| {
            let found = paths(text).into_iter();
            found.filter_map(|(verb, span)| self.guarded(verb, text.get(span.0..span.1)?)).next()
        };
        guarded(change).filter(|_| guarded(pattern).is_none())
    }
}

/// What is done to which path, line by line. A path may contain what looks like its end, so every
/// possible end is tried.
fn paths(text: &str) -> Vec<(Verb, Span)> {
    let mut out = Vec::new();
    let mut verb = Verb::Write;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let line = line.trim_end_matches('\n');
        let mut words = line.split_whitespace();
        let first = words.next();
        let word = if first == Some("sftp") { words.next() } else { first };
        verb = word.and_then(Verb::parse).unwrap_or(verb);
        let begins = line.char_indices().filter(|(at, c)| {
            let before = line.get(..*at).and_then(|head| head.chars().next_back());
            matches!(c, '/' | '~') && before.is_none_or(|c| c.is_whitespace() || "\"'(".contains(c))
        });
        for (begin, _) in begins.take(64) {
            let rest = line.get(begin..).unwrap_or("");
            let ends = [": ", ":\n", " (", " -> ", ", ", " to ", "\"", "'", ")"];
            let mut found: Vec<usize> = ends
                .iter()
                .flat_map(|end| rest.match_indices(end).map(|(at, _)| at))
                .filter(|at| *at > 0)
                .take(64)
                .collect();
            found.push(rest.trim_end_matches(':').len());
            found.sort_unstable();
            found.dedup();
            out.extend(found.into_iter().map(|end| (verb, (start + begin, start + begin + end))));
            if out.len() > MAX_PATHS {
                return out;
            }
        }
    }
    out
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Append,
    Chmod,
    Link,
    Mkdir,
    Read,
    Remove,
    Rename,
    Rmdir,
    Write,
}

impl Verb {
    /// Reads the verb of a change, in the words of SFTP or of shell commands.
    fn parse(word: &str) -> Option<Self> {
        Some(match word.trim_end_matches(':') {
            "append" => Self::Append,
            "chmod" | "chown" | "setstat" | "chgrp" | "utime" => Self::Chmod,
            "hardlink" | "link" | "symlink" => Self::Link,
            "mkdir" => Self::Mkdir,
            "read" | "download" | "get" => Self::Read,
            "remove" | "rm" | "delete" | "unlink" => Self::Remove,
            "rename" | "move" | "mv" => Self::Rename,
            "rmdir" => Self::Rmdir,
            "truncate" | "write" | "upload" | "put" | "create" => Self::Write,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Chmod => "chmod",
            Self::Link => "link",
            Self::Mkdir => "mkdir",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Rmdir => "rmdir",
            Self::Write => "write",
        }
    }

    /// The command that does the same to one path.
    fn as_command(self, path: &str, text: &str) -> String {
        let quoted = match path.strip_prefix("~/") {
            Some(rest) => format!("~/'{}'", rest.replace('\'', "'\\''")),
            None => format!("'{}'", path.replace('\'', "'\\''")),
        };
        match self {
            Self::Append => format!("tee -a {quoted}"),
            Self::Chmod => {
                let mode = text
                    .split(|c: char| !c.is_ascii_digit())
                    .find(|word| (3..=6).contains(&word.len()) && word.bytes().all(|b| b < b'8'))
                    .unwrap_or("u+x");
                format!("chmod {mode} {quoted}")
            }
            Self::Link => format!("ln {quoted} {quoted}"),
            Self::Mkdir => format!("mkdir {quoted}"),
            Self::Read => format!("cat {quoted}"),
            Self::Remove => format!("rm {quoted}"),
            Self::Rename => format!("mv {quoted} {quoted}"),
            Self::Rmdir => format!("rmdir {quoted}"),
            Self::Write => format!("tee {quoted}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Assessment {
        RiskTables::builtin().assess_file(text.as_bytes(), &Context::default())
    }

    fn adds_up(a: &Assessment) {
        let sum: i32 = a.terms.iter().map(|t| t.points).sum();
        assert_eq!(i32::from(a.score), sum.clamp(0, 100), "{a:?}");
        assert!(a.terms.iter().all(|t| t.span[1] <= a.command.len()), "{a:?}");
    }

    #[test]
    fn files_are_scored_by_their_path() {
        for text in [
            "sftp write /home/u/.ssh/authorized_keys: 1 KiB, sha256 ab, new file",
            "sftp write /root/.bashrc (12 B, sha256 ab)",
            "sftp write /home/u/.profile: 1 B",
            "sftp write /etc/cron.d/x: 1 B",
            "sftp write /etc/sudoers.d/x: 1 B",
            "sftp write /etc/systemd/system/x.service: 1 B",
            "sftp read /etc/shadow",
            "sftp read /home/u/.aws/credentials",
            "sftp rename /tmp/x -> /etc/cron.daily/x",
            "sftp symlink /tmp/x -> /home/u/.ssh/rc",
            // A directory that moves takes along what its path told of.
            "sftp rename /home/u -> /home/v",
            "sftp rename /home/u/.ssh -> /home/u/x",
            "sftp rename /home/u/.config -> /home/u/c",
            "sftp rename ~/.kube -> ~/k",
            "sftp rename /etc/ssl -> /tmp/s",
            "sftp rename /root -> /tmp/r",
            "sftp rename /var/log -> /tmp/l",
            "sftp rename /tmp/prepared -> /home/u/.config",
            "upload 2 files, 3 MiB, to /srv\n/srv/a: 3 B, sha256 x\n/etc/cron.d/y: 1 B, sha256 y",
            "sftp write /srv/a: b/../../../etc/cron.d/y: 1 B",
            "sftp remove /etc/passwd",
            "sftp write $'/srv/app/a\\nb': 1 B, sha256 ab, new file mode 0644",
            "sftp write $'/srv/app/$(touch p)': 1 B, sha256 ab, new file mode 0644",
            "sftp upload 2 files, 2 B, to /srv\nsftp write /srv/a: 1 B\nsftp write $'/srv/!': 1 B",
            "sftp write /srv/a: 1 B\nsftp write $'/etc/cron.d/x!': 1 B",
            "scp write /srv/a (or /etc/cron.d/x): 1 B, sha256 ab, mode 0644",
        ] {
            let found = file(text);
            assert!(found.level >= Level::High, "{found:?}");
            adds_up(&found);
        }
        for text in [
            "sftp write /srv/app/x: 3.2 MiB, sha256 0123, new file (mode 0644)",
            "sftp read /srv/app/readme",
            "sftp mkdir /srv/app/new",
            "sftp rename /srv/app/a.txt -> /srv/app/b.txt",
            "sftp rename /home/u/build -> /home/u/build.old",
            "sftp write /tmp/x: 1 B",
        ] {
            let found = file(text);
            assert!(found.level < Level::High, "{found:?}");
            adds_up(&found);
        }
        assert!(file("sftp something unheard of").level >= Level::High, "no path, no clue");
        assert!(file("sftp remove /srv/x").score > file("sftp mkdir /srv/x").score);
    }
}
