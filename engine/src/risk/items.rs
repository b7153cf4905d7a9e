//! Scores what is no command line: input to a program, keys, control keys, changes of files. It
//! must never take input for harmless because one of its readings is.

use crate::parse::{self, Span, Word, output::base_name};
use crate::tables::{Language, Program, RiskTables};
use crate::{Assessment, Category, Context, Level, Segment, Term};

use super::code;
use super::draft::{Causes, Draft, name};
use super::line;
use super::unwrap::{Inherit, Scorer};

/// Programs that run a command behind `!` or `:!`.
const ESCAPES: [&str; 12] =
    ["vi", "vim", "nvim", "view", "ex", "ed", "less", "more", "man", "most", "ftp", "gdb"];

/// The most paths of one change that are looked at; beyond it the change is uninspectable.
const MAX_PATHS: usize = 4096;

/// The program that reads an item.
struct Reader<'a> {
    name: String,
    program: Option<&'a Program>,
    shell: bool,
    production: bool,
    privileged: bool,
}

impl RiskTables {
    /// Scores a line for the program in the foreground of a terminal (`psql -d shop`; `None` when
    /// it is not known): as a shell would run it and as that program would, whichever is higher.
    #[must_use]
    pub fn assess_input(
        &self,
        foreground: Option<&str>,
        input: &[u8],
        context: &Context,
    ) -> Assessment {
        let context = &Context { pty: false, ..context.clone() };
        let reader = self.reader(foreground);
        let mut shell = self.assess(input, context);
        let mut own = if reader.shell {
            shell.clone()
        } else {
            self.as_program(&reader, &shell.command, context)
        };
        let (shell_score, own_score) = (shell.score, own.score);
        // A language that is read needs not be a shell's as well: `select 1` is none.
        let foreign = reader.program.is_some_and(|program| program.stdin.is_some())
            && shell.uninspectable
            && shell.level < Level::Critical;
        let by_shell = reader.shell || (shell_score > own_score && !foreign);
        let why = if reader.shell {
            format!("a line for {}, read as a command", reader.name)
        } else if by_shell {
            format!(
                "a line for {}, scored as if a shell ran it (as its own input: {own_score})",
                reader.name
            )
        } else {
            format!("a line for {} (as a shell line: {shell_score})", reader.name)
        };
        let (mut best, other) = if by_shell { (shell, &mut own) } else { (own, &mut shell) };
        if !reader.shell {
            best.segments.append(&mut other.segments);
        }
        explain(&mut best, "input", why);
        around(&mut best, &reader, foreground);
        best
    }

    /// Scores keys for a program that reads them one by one: at least MEDIUM, and no less than any
    /// line of text among them.
    #[must_use]
    pub fn assess_keys(
        &self,
        foreground: Option<&str>,
        keys: &[u8],
        context: &Context,
    ) -> Assessment {
        let context = &Context { pty: false, ..context.clone() };
        let reader = self.reader(foreground);
        let text = String::from_utf8_lossy(keys).into_owned();
        let whole = (0, text.len());
        let mut line = Causes::default();
        if text.as_bytes() != keys {
            line.add(name::UNINSPECTABLE, whole, "bytes that are not UTF-8");
        }
        let draft = draft_of(&reader, Category::CodeExecution, whole);
        let mut best = self.conclude(text.clone(), vec![draft], &line, whole);
        if let Some(term) = best.terms.first_mut() {
            term.why = format!("keys to {}: what they do depends on its screen", reader.name);
        }
        for (start, run) in runs(&text) {
            let mut readings = vec![self.assess(run.as_bytes(), context)];
            if !reader.shell {
                readings.push(self.as_program(&reader, run, context));
            }
            if ESCAPES.contains(&reader.name.as_str()) {
                let escaped = run.trim_start_matches(|c: char| c != '!').trim_start_matches('!');
                if !escaped.is_empty() {
                    let offset = run.len() - escaped.len();
                    let mut found = self.assess(escaped.as_bytes(), context);
                    shift(&mut found, offset);
                    readings.push(found);
                }
            }
            for mut reading in readings {
                shift(&mut reading, start);
                if reading.score > best.score {
                    reading.command.clone_from(&best.command);
                    reading.segments.append(&mut best.segments);
                    explain(&mut reading, "keys", format!("text among keys to {}", reader.name));
                    best = reading;
                } else {
                    best.uninspectable |= reading.uninspectable;
                    best.segments.append(&mut reading.segments);
                }
            }
        }
        around(&mut best, &reader, foreground);
        best
    }

    /// Scores a control key: end of input, interrupt, suspend, quit.
    #[must_use]
    pub fn assess_control(
        &self,
        foreground: Option<&str>,
        key: &[u8],
        _context: &Context,
    ) -> Assessment {
        let reader = self.reader(foreground);
        let text = String::from_utf8_lossy(key).into_owned();
        let whole = (0, text.len());
        let (category, what) = match key {
            [0x04] => (Category::Unknown, "end of input: what waits for it goes on, a shell ends"),
            [0x03] => (Category::Service, "interrupt: ends what runs"),
            [0x1a] => (Category::Service, "suspend: stops what runs"),
            [0x1c] => (Category::Service, "quit: ends what runs"),
            _ => (Category::CodeExecution, "a control key with no meaning known here"),
        };
        let draft = draft_of(&reader, category, whole);
        let mut result = self.conclude(text, vec![draft], &Causes::default(), whole);
        if let Some(term) = result.terms.first_mut() {
            term.why = what.to_owned();
        }
        result
    }

    /// Scores a change of files through SFTP from its text (`sftp write /srv/x: 3.2 MiB, …`; one
    /// change a line): by what is done to which path, as the command that does the same.
    #[must_use]
    pub fn assess_file(&self, text: &[u8], context: &Context) -> Assessment {
        let exact = std::str::from_utf8(text).is_ok();
        let text = String::from_utf8_lossy(text).into_owned();
        let whole = (0, text.len());
        let mut line = Causes::default();
        if !exact {
            line.add(name::UNINSPECTABLE, whole, "a path that is not UTF-8");
        }
        if let Some((span, why)) = super::deception::find(&text.replace('\n', " ")) {
            line.add(name::DECEPTION, span, why);
        }
        let reader = Reader {
            name: "sftp".to_owned(),
            program: None,
            shell: false,
            production: false,
            privileged: false,
        };
        // A path in `$'…'` has characters that a name need not have.
        if let Some(at) = text.find(" $'") {
            line.add(name::UNINSPECTABLE, (at + 1, at + 3), "a path with unusual characters");
        }
        let paths = paths(&text);
        if paths.is_empty() || paths.len() > MAX_PATHS {
            line.add(name::UNINSPECTABLE, whole, "its paths cannot be read");
        }
        let draft = draft_of(&reader, Category::FileWrite, whole);
        let mut best = self.conclude(text.clone(), vec![draft], &line, whole);
        let mut void = best.terms.iter().any(|term| term.name == name::DECEPTION);
        void |= best.uninspectable;
        let mut first = true;
        for (verb, span) in paths.into_iter().take(MAX_PATHS) {
            let Some(path) = text.get(span.0..span.1) else { continue };
            let mut found = self.assess(as_command(verb, path, &text).as_bytes(), context);
            for term in &mut found.terms {
                term.span = [span.0, span.1];
            }
            if let Some(term) = found.terms.first_mut() {
                term.why = format!("sftp {verb}");
            }
            self.guard(verb, path, span, &mut found);
            // What the first path says replaces the bare base, unless that is uninspectable.
            if found.score > best.score || (first && !void) {
                found.command.clone_from(&best.command);
                found.segments.clone_from(&best.segments);
                best = found;
            }
            first = false;
        }
        best
    }

    /// Places where a file acts by itself or opens doors: never below HIGH.
    fn guard(&self, verb: &str, path: &str, span: Span, found: &mut Assessment) {
        let Some(what) = self.guarded(verb, path) else { return };
        if found.score >= 50 {
            return;
        }
        found.terms.push(Term {
            name: name::FLOOR.to_owned(),
            points: 50 - i32::from(found.score),
            span: [span.0, span.1],
            why: format!("never below 50: {what}"),
        });
        found.score = 50;
        found.level = Level::of(50);
    }

    /// Why a place is guarded, if it is.
    fn guarded(&self, verb: &str, path: &str) -> Option<&'static str> {
        let places = &self.places;
        let path = super::target::resolve(path, None);
        if places.is_secret(&path) {
            Some("it holds secrets or opens doors")
        } else if verb == "read" {
            None
        } else if places.is_persistence(&path) {
            Some("it acts later, by itself")
        } else if places.is_tamper(&path) {
            Some("it belongs to logs, audit or protection")
        } else if verb == "rename"
            && (super::target::is_home(&path)
                || super::target::is_core(&path)
                || places.holds_guarded(&path))
        {
            Some("what lies beneath it is known by its path no more")
        } else {
            None
        }
    }

    /// Why a change of a file is not for a rule that means a whole directory: its path is guarded,
    /// and the rule's own words name no guarded place.
    pub(crate) fn too_special(&self, change: &str, pattern: &str) -> Option<&'static str> {
        let guarded = |text: &str| {
            let found = paths(text).into_iter();
            found.filter_map(|(verb, span)| self.guarded(verb, text.get(span.0..span.1)?)).next()
        };
        guarded(change).filter(|_| guarded(pattern).is_none())
    }

    fn reader(&self, foreground: Option<&str>) -> Reader<'_> {
        let Some(foreground) = foreground.filter(|text| !text.trim().is_empty()) else {
            return Reader {
                name: "a program that is not known".to_owned(),
                program: None,
                shell: false,
                production: false,
                privileged: false,
            };
        };
        let read = self.assess(foreground.as_bytes(), &Context::default());
        let has = |wanted: &str| read.terms.iter().any(|term| term.name == wanted);
        // `sudo -u postgres psql`: what reads is the innermost program that reads anything.
        let found = read.segments.iter().rev().find_map(|segment| {
            let name = segment.program.as_deref()?;
            // A login shell is called `-bash`.
            let name = base_name(name.trim_start_matches('-'));
            let program = self.program(name)?;
            let remote = matches!(program.wraps, Some(crate::tables::Wraps::Ssh))
                || matches!(name, "su" | "sudo" | "doas" | "screen" | "tmux");
            (program.stdin.is_some() || remote || ESCAPES.contains(&name))
                .then(|| (name.to_owned(), program, remote))
        });
        let first = foreground.split_whitespace().next().unwrap_or(foreground);
        match found {
            Some((name, program, remote)) => Reader {
                shell: remote
                    || program.stdin == Some(Language::Shell)
                    || line::SHELLS.contains(&name.as_str()),
                name,
                program: Some(program),
                production: has(name::PRODUCTION),
                privileged: has(name::PRIVILEGE),
            },
            None => {
                let name = base_name(first.trim_start_matches('-')).to_owned();
                Reader {
                    shell: line::SHELLS.contains(&name.as_str()),
                    program: self.program(&name),
                    name,
                    production: has(name::PRODUCTION),
                    privileged: has(name::PRIVILEGE),
                }
            }
        }
    }

    /// The text as the input of one program.
    fn as_program(&self, reader: &Reader<'_>, text: &str, context: &Context) -> Assessment {
        let whole = (0, text.len());
        let language = reader
            .program
            .and_then(|program| program.stdin)
            .or_else(|| ESCAPES.contains(&reader.name.as_str()).then_some(Language::Editor));
        let category = match (language, reader.program) {
            (Some(_), Some(program)) => program.category,
            _ => Category::Unknown,
        };
        let mut shared = parse::read("");
        let mut scorer = Scorer::new(self, context, &mut shared);
        scorer.drafts.push(draft_of(reader, category, whole));
        let word = Word {
            text: text.to_owned(),
            span: whole,
            raw: whole,
            verbatim: Some(0),
            ..Word::default()
        };
        let outer = Inherit { via: vec![reader.name.clone()], ..Inherit::default() };
        match language {
            Some(Language::Editor) => {
                let seen = code::editor(text);
                super::segment::seen(&mut scorer, &seen, whole);
                for line in &seen.shell {
                    scorer.maybe_shell(line, whole, &outer, &reader.name);
                }
            }
            Some(language) => scorer.code(&word, language, &outer, &reader.name),
            None => {}
        }
        scorer.run();
        let drafts = scorer.finish();
        let mut line = Causes::default();
        line::causes(self, text, context, &mut shared, &drafts, &mut line);
        self.conclude(text.to_owned(), drafts, &line, whole)
    }
}

/// Adds what is known of the program in the foreground.
fn around(best: &mut Assessment, reader: &Reader<'_>, foreground: Option<&str>) {
    let program = foreground.unwrap_or_default();
    let points = &RiskTables::builtin().points;
    let mut add = |name: &str, points: i32, why: String| {
        if best.terms.iter().any(|term| term.name == name) {
            return;
        }
        best.terms.push(Term { name: name.to_owned(), points, span: [0, best.command.len()], why });
        let sum: i32 = best.terms.iter().map(|term| term.points).sum();
        best.score = u8::try_from(sum.clamp(0, 100)).unwrap_or(100);
        best.level = Level::of(best.score);
    };
    if reader.production {
        add(name::PRODUCTION, points.production, format!("{program} is production"));
    }
    if reader.privileged {
        add(name::PRIVILEGE, points.privilege, format!("{program} has raised privilege"));
    }
}

fn draft_of(reader: &Reader<'_>, category: Category, whole: Span) -> Draft {
    Draft {
        program: Some(reader.name.clone()),
        argv: vec![reader.name.clone()],
        category,
        base_span: whole,
        span: whole,
        via: Vec::new(),
        causes: Causes::default(),
        reducers: Causes::default(),
    }
}

/// A term without points: how the item was read.
fn explain(assessment: &mut Assessment, name: &str, why: String) {
    let span = [0, assessment.command.len()];
    assessment.terms.push(Term { name: name.to_owned(), points: 0, span, why });
}

fn shift(assessment: &mut Assessment, by: usize) {
    let moved = |span: &mut [usize; 2]| *span = span.map(|at| at.saturating_add(by));
    for term in &mut assessment.terms {
        moved(&mut term.span);
    }
    for Segment { span, .. } in &mut assessment.segments {
        moved(span);
    }
}

/// The runs of readable text among keys, and where each begins; escape sequences are left out.
fn runs(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut escape = false;
    let mut push = |from: usize, to: usize| {
        if let Some(run) = text.get(from..to).filter(|run| !run.trim().is_empty())
            && out.len() < 256
        {
            out.push((from, run));
        }
    };
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if escape {
            // Introducers and parameters of CSI and SS3 go on; any other character is the last.
            escape = matches!(c, '[' | 'O' | '0'..='9' | ';' | '?');
            start = end;
        } else if c.is_control() {
            push(start, at);
            escape = c == '\x1b';
            start = end;
        }
    }
    push(start, text.len());
    out
}

/// What is done to which path, line by line. A path may hold what looks like its end, so that every
/// possible end is looked at.
fn paths(text: &str) -> Vec<(&'static str, Span)> {
    let mut out = Vec::new();
    let mut verb = "write";
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let line = line.trim_end_matches('\n');
        let mut words = line.split_whitespace();
        let first = words.next();
        let word = if first == Some("sftp") { words.next() } else { first };
        verb = word.and_then(verb_of).unwrap_or(verb);
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

fn verb_of(word: &str) -> Option<&'static str> {
    Some(match word.trim_end_matches(':') {
        "append" => "append",
        "chmod" | "chown" | "setstat" | "chgrp" | "utime" => "chmod",
        "hardlink" | "link" | "symlink" => "link",
        "mkdir" => "mkdir",
        "read" | "download" | "get" => "read",
        "remove" | "rm" | "delete" | "unlink" => "remove",
        "rename" | "move" | "mv" => "rename",
        "rmdir" => "rmdir",
        "truncate" | "write" | "upload" | "put" | "create" => "write",
        _ => return None,
    })
}

/// The command that does the same to one path.
fn as_command(verb: &str, path: &str, text: &str) -> String {
    let quoted = match path.strip_prefix("~/") {
        Some(rest) => format!("~/'{}'", rest.replace('\'', "'\\''")),
        None => format!("'{}'", path.replace('\'', "'\\''")),
    };
    match verb {
        "append" => format!("tee -a {quoted}"),
        "chmod" => {
            let mode = text
                .split(|c: char| !c.is_ascii_digit())
                .find(|word| (3..=6).contains(&word.len()) && word.bytes().all(|b| b < b'8'))
                .unwrap_or("u+x");
            format!("chmod {mode} {quoted}")
        }
        "link" => format!("ln {quoted} {quoted}"),
        "mkdir" => format!("mkdir {quoted}"),
        "read" => format!("cat {quoted}"),
        "remove" => format!("rm {quoted}"),
        "rename" => format!("mv {quoted} {quoted}"),
        "rmdir" => format!("rmdir {quoted}"),
        _ => format!("tee {quoted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(program: &str, text: &str) -> Assessment {
        let program = (!program.is_empty()).then_some(program);
        RiskTables::builtin().assess_input(program, text.as_bytes(), &Context::default())
    }

    fn keys(program: &str, text: &str) -> Assessment {
        RiskTables::builtin().assess_keys(Some(program), text.as_bytes(), &Context::default())
    }

    fn file(text: &str) -> Assessment {
        RiskTables::builtin().assess_file(text.as_bytes(), &Context::default())
    }

    fn adds_up(a: &Assessment) {
        let sum: i32 = a.terms.iter().map(|t| t.points).sum();
        assert_eq!(i32::from(a.score), sum.clamp(0, 100), "{a:?}");
        assert!(a.terms.iter().all(|t| t.span[1] <= a.command.len()), "{a:?}");
    }

    #[test]
    fn input_is_read_as_its_program_reads_it() {
        for (program, text, at_least) in [
            ("psql -d shop", "DELETE FROM orders;", Level::High),
            ("psql -d shop", "drop database shop;", Level::Critical),
            ("sudo -u postgres psql", "truncate orders;", Level::High),
            ("mysql", "update users set admin = 1;", Level::High),
            ("sqlite3 x.db", "delete from t;", Level::High),
            ("redis-cli", "FLUSHALL", Level::Critical),
            ("python3", "import os; os.system('rm -rf /')", Level::Critical),
            ("python3 -i x.py", "__import__('shutil').rmtree('/')", Level::Critical),
            ("bash", "rm -rf /", Level::Critical),
            ("sudo -i", "rm -rf /", Level::Critical),
            ("-bash", "mkfs.ext4 /dev/sda", Level::Critical),
            ("nobody-knows-it", "rm -rf /", Level::Critical),
            ("", "rm -rf /", Level::Critical),
            ("psql", "rm -rf /", Level::Critical),
            ("psql", "\\! id", Level::High),
            ("vim x", ":!mkfs.ext4 /dev/sda", Level::Critical),
        ] {
            let found = input(program, text);
            assert!(found.level >= at_least, "{program}: {text}: {found:?}");
            adds_up(&found);
        }
        assert!(input("psql", "select 1;").level <= Level::Medium);
        assert!(input("bash", "ls").score == 0, "a shell's own line is a command");
        let answer = input("nobody-knows-it", "ls");
        assert_eq!(answer.score, 20, "{answer:?}");
        let production = input("psql -h prod-db", "delete from t where id = 3;");
        assert!(production.terms.iter().any(|t| t.name == "production"), "{production:?}");
    }

    #[test]
    fn keys_are_never_low_and_text_among_them_counts() {
        for (program, text) in
            [("top", "q"), ("vim x", "jjdd"), ("less x", " "), ("x", "\x1b[A\x1b[B"), ("y", "")]
        {
            let found = keys(program, text);
            assert_eq!(found.level, Level::Medium, "{found:?}");
            adds_up(&found);
        }
        for (program, text) in [
            ("vim x", "\x1b:!rm -rf /\r"),
            ("less x", "!rm -rf /\r"),
            ("x", "rm -rf /\r"),
            ("bash", "a\x15rm -rf /\r"),
        ] {
            let found = keys(program, text);
            assert_eq!(found.level, Level::Critical, "{found:?}");
            adds_up(&found);
        }
        let control = RiskTables::builtin().assess_control(None, b"\x04", &Context::default());
        assert!(control.level <= Level::Medium);
        adds_up(&control);
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
