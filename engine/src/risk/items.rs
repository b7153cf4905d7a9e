//! Scores what is typed but is not a command line: input to a program, keys, control keys. It must
//! never treat input as harmless because one way of reading it is.

use crate::modifier::{Modifier, TermKind};
use crate::parse::{self, Word};
use crate::program::{SHELLS, base_name};
use crate::secrets;
use crate::tables::{Language, Program, RiskTables};
use crate::{Assessment, Category, Context, Level, Segment, Term};

use super::code;
use super::deception;
use super::effects;
use super::line;
use super::scorer::{Inherit, Scorer};
use super::segment_score::{Modifiers, SegmentScore};

/// Programs that run a command behind `!` or `:!`.
const ESCAPES: [&str; 12] =
    ["vi", "vim", "nvim", "view", "ex", "ed", "less", "more", "man", "most", "ftp", "gdb"];

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
        // A language that is read here need not make sense to a shell: `select 1` does not.
        let foreign = reader.program.is_some_and(|program| program.stdin.is_some())
            && (is_no_shell_line(&shell.command)
                || shell.uninspectable && shell.level < Level::Critical);
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
        explain(&mut best, TermKind::Input, why);
        add_reader(&mut best, &reader, foreground);
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
        let mut line = Modifiers::default();
        if text.as_bytes() != keys {
            line.add(Modifier::Uninspectable, whole, "bytes that are not UTF-8");
        }
        let score = SegmentScore::of_item(&reader.name, Category::CodeExecution, whole);
        let mut best = self.conclude(text.clone(), vec![score], &line, whole);
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
                    explain(
                        &mut reading,
                        TermKind::Keys,
                        format!("text among keys to {}", reader.name),
                    );
                    best = reading;
                } else {
                    best.uninspectable |= reading.uninspectable;
                    best.segments.append(&mut reading.segments);
                }
            }
        }
        add_reader(&mut best, &reader, foreground);
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
        let score = SegmentScore::of_item(&reader.name, category, whole);
        let mut result = self.conclude(text, vec![score], &Modifiers::default(), whole);
        if let Some(term) = result.terms.first_mut() {
            term.why = what.to_owned();
        }
        result
    }

    /// Scores a signature that is wanted, from its description: what it will vouch for is not in it.
    #[must_use]
    pub fn assess_signature(&self, text: &[u8]) -> Assessment {
        let exact = std::str::from_utf8(text).is_ok();
        let text = String::from_utf8_lossy(text).into_owned();
        let whole = (0, text.len());
        let mut line = Modifiers::default();
        if !exact {
            line.add(Modifier::Uninspectable, whole, "bytes that are not UTF-8");
        }
        if let Some((span, why)) = deception::find(&text) {
            line.add(Modifier::Deception, span, why);
        }
        let score = SegmentScore::of_item("git", Category::VersionControl, whole);
        let mut result = self.conclude(text, vec![score], &line, whole);
        if let Some(term) = result.terms.first_mut() {
            term.why = "signs as the user: what is signed is not shown".to_owned();
        }
        result
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
        let has = |wanted: Modifier| read.terms.iter().any(|term| term.is(wanted));
        // `sudo -u postgres psql`: the innermost program that reads input is the reader.
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
                    || SHELLS.contains(&name.as_str()),
                name,
                program: Some(program),
                production: has(Modifier::Production),
                privileged: has(Modifier::Privilege),
            },
            None => {
                let name = base_name(first.trim_start_matches('-')).to_owned();
                Reader {
                    shell: SHELLS.contains(&name.as_str()),
                    program: self.program(&name),
                    name,
                    production: has(Modifier::Production),
                    privileged: has(Modifier::Privilege),
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
        scorer.scores.push(SegmentScore::of_item(&reader.name, category, whole));
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
                effects::seen(&mut scorer, &seen, whole);
                for line in &seen.shell {
                    scorer.maybe_shell(line, whole, &outer, &reader.name);
                }
            }
            Some(language) => scorer.code(&word, language, &outer, &reader.name),
            None => {}
        }
        scorer.run();
        let scores = scorer.finish();
        let mut line = Modifiers::default();
        let secrets = secrets::find(text);
        line::collect(self, text, context, &mut shared, &scores, &secrets, &mut line);
        self.conclude(text.to_owned(), scores, &line, whole)
    }
}

/// Whether every shell refuses a text as a whole, before any of it runs: `print(6*7)`. A bracket that
/// follows a word, with something in it, is a syntax error, and of one line nothing runs then.
fn is_no_shell_line(text: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    let mut chars = text.trim_end().char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (_, '\n') => return false,
            (None, '\\') => {
                chars.next();
            }
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '`' | '#') => return false,
            (None, '(') if before.is_ascii_alphanumeric() || before == '_' => {
                let inside = text.get(at + 1..).unwrap_or("").trim_start();
                if !inside.is_empty() && !inside.starts_with(')') {
                    return true;
                }
            }
            _ => {}
        }
        before = c;
    }
    false
}

/// Adds what is known of the program in the foreground.
fn add_reader(best: &mut Assessment, reader: &Reader<'_>, foreground: Option<&str>) {
    let program = foreground.unwrap_or_default();
    let points = &RiskTables::builtin().points;
    let mut add = |modifier: Modifier, why: String| {
        if best.terms.iter().any(|term| term.is(modifier)) {
            return;
        }
        let whole = (0, best.command.len());
        best.terms.push(Term::new(modifier, points.of(modifier), whole, why));
        let sum: i32 = best.terms.iter().map(|term| term.points).sum();
        best.score = u8::try_from(sum.clamp(0, 100)).unwrap_or(100);
        best.level = Level::of(best.score);
    };
    if reader.production {
        add(Modifier::Production, format!("{program} is production"));
    }
    if reader.privileged {
        add(Modifier::Privilege, format!("{program} has raised privilege"));
    }
}

/// A term without points: how the item was read.
fn explain(assessment: &mut Assessment, kind: TermKind, why: String) {
    let whole = (0, assessment.command.len());
    assessment.terms.push(Term::new(kind, 0, whole, why));
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
            // Introducers and parameters of CSI and SS3 continue a sequence; any other character ends it.
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
}
