//! A line as rules and policies see it: what it does, and whether it may do what nobody sees here.

use crate::effects::{Dialect, Performance, Unread, perform};
use crate::modifier::Modifier;
use crate::tables::{Language, RiskTables, is_change};
use crate::{Assessment, Class, Context, Level, Term};

/// What a line does, as far as policies ask. What is not understood may do anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// Nothing is known.
    anything: bool,
    /// It touches files of which only a part of the name is known, and which may be anything.
    anywhere: bool,
    names: std::collections::BTreeSet<String>,
}

impl Done {
    /// The line may do anything.
    pub(crate) fn anything() -> Self {
        Self { anything: true, ..Self::default() }
    }

    /// Exactly these.
    pub(crate) fn only(names: &[&str]) -> Self {
        Self {
            anything: false,
            anywhere: false,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// What the commands of a line do.
    pub(crate) fn of(line: &Line<'_>) -> Self {
        let Ok(performance) = &line.performance else { return Self::anything() };
        let mut done = Self::default();
        for command in &performance.commands {
            let effects = &command.effects;
            done.anything |= !effects.closed || command.sets_code;
            let mut touched = effects.reads.iter().chain(&effects.writes).chain(&effects.deletes);
            done.anywhere |= touched.any(|touched| touched.open && touched.class != Class::Plain);
            let names = [
                ("deletes", !effects.deletes.is_empty()),
                ("writes", !effects.writes.is_empty()),
                ("runs-unseen", effects.runs_unseen || effects.stdin == "code"),
                ("network", !matches!(effects.network.as_str(), "none" | "loopback")),
            ];
            done.names
                .extend(names.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()));
            done.names.extend(effects.changes.iter().map(|change| format!("changes:{change}")));
        }
        done
    }

    /// Whether what is not known of it may be the worst there is.
    fn may_be_worse(&self) -> bool {
        self.anything || self.anywhere
    }

    /// Whether one of these effects is among them, or may be.
    pub(crate) fn any(&self, effects: &[String]) -> bool {
        self.anything || effects.iter().any(|effect| self.names.contains(effect))
    }

    /// Whether this is the name of an effect.
    pub(crate) fn is_name(name: &str) -> bool {
        matches!(name, "deletes" | "writes" | "runs-unseen" | "network")
            || name.strip_prefix("changes:").is_some_and(is_change)
    }
}

/// Whether a part of the line cannot be read, or runs code that nobody sees here: it may do whatever
/// rules forbid and policies are about.
pub(crate) fn is_far(assessment: &Assessment) -> bool {
    let tables = RiskTables::builtin();
    let hijack = |term: &Term| term.is(Modifier::Hijack);
    assessment.uninspectable
        || assessment.terms.iter().any(hijack)
        || assessment.segments.iter().any(|segment| match &segment.program {
            None => !segment.argv.is_empty(),
            Some(program) => {
                let outside = segment.argv.first().is_some_and(|word| word.contains('/'))
                    && !SYSTEM.contains(&directory(segment));
                let computed = segment.known.first() == Some(&false);
                // Another command may be what these say, or what a variable says.
                let renames = matches!(program.as_str(), "alias" | "enable" | "hash")
                    && segment.argv.len() > 1;
                computed
                    || outside
                    || renames
                    || runs_files(tables, program) && !is_version(&segment.argv)
            }
        })
}

/// The level by which policies are chosen. It is never lower because a word is not known, or because of
/// a dry run.
pub(crate) fn policy_level(assessment: &Assessment, line: impl FnOnce() -> Done) -> Level {
    let unknown = |segment: &crate::Segment| segment.known.contains(&false);
    if assessment.segments.iter().any(unknown) && line().may_be_worse() {
        return Level::Critical;
    }
    assessment.unreduced.max(assessment.level)
}

/// Where the system's programs lie.
const SYSTEM: [&str; 6] =
    ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

fn directory(segment: &crate::Segment) -> &str {
    segment
        .argv
        .first()
        .and_then(|word| word.rsplit_once('/'))
        .map_or("", |(directory, _)| directory)
}

/// Whether a program is there to run code from files or from its standard input.
fn runs_files(tables: &RiskTables, program: &str) -> bool {
    matches!(
        program,
        "." | "source" | "make" | "gmake" | "ninja" | "npm" | "npx" | "yarn" | "cargo"
    ) || tables.program(program).is_some_and(|program| {
        program.script.is_some() || matches!(program.stdin, Some(Language::Shell | Language::Code))
    })
}

fn is_version(argv: &[String]) -> bool {
    matches!(argv.get(1).map(String::as_str), Some("--version" | "-V" | "--help"))
        && argv.len() == 2
}

/// A line as the rules see it: its bytes, and what is known of it beside them.
pub(crate) struct Line<'a> {
    pub(crate) bytes: &'a [u8],
    /// What its commands do; an error where it is not read.
    pub(crate) performance: Result<Performance, Unread>,
    /// It may do what nobody sees here.
    pub(crate) far: bool,
}

impl<'a> Line<'a> {
    /// Reads a line of which the scorer has read every part.
    pub(crate) fn read_checked(
        bytes: &'a [u8],
        context: &Context,
        tables: &RiskTables,
        assessment: &Assessment,
    ) -> Self {
        // A part that the scorer could not read, or that deceives, is not understood by anybody.
        let deceives = |term: &Term| term.is(Modifier::Deception);
        if assessment.uninspectable || assessment.terms.iter().any(deceives) {
            let why = "not all of it can be read with certainty";
            return Self { bytes, performance: Err(Unread { why, span: (0, 0) }), far: true };
        }
        Self { far: is_far(assessment), ..Self::read(bytes, context, tables) }
    }

    fn read(bytes: &'a [u8], context: &Context, tables: &RiskTables) -> Self {
        let performance = match std::str::from_utf8(bytes) {
            Ok(text) => {
                let dialect = Dialect::of(context.shell.as_deref());
                perform(tables, text, dialect, context.pty, context.cwd.as_deref())
            }
            Err(_) => Err(Unread { why: "bytes that are not UTF-8", span: (0, bytes.len()) }),
        };
        Self { bytes, performance, far: true }
    }
}
