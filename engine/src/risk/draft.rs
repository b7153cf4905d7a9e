//! One segment's score under construction. It must never count one modifier twice, and every point
//! keeps the bytes that caused it.

use crate::parse::Span;
use crate::tables::Points;
use crate::{Category, Term};

/// The names of the modifiers, as printed.
pub(crate) mod name {
    pub(crate) const DECEPTION: &str = "deception";
    pub(crate) const DESTRUCTIVE: &str = "destructive";
    pub(crate) const DEVELOPMENT: &str = "development_scope";
    pub(crate) const DRY_RUN: &str = "dry_run";
    pub(crate) const FLOOR: &str = "floor";
    pub(crate) const FORCE: &str = "force";
    pub(crate) const HELP: &str = "help_or_version";
    pub(crate) const HIJACK: &str = "hijack";
    pub(crate) const HOME: &str = "home_data";
    pub(crate) const INDIRECT: &str = "indirect";
    pub(crate) const LINE_ENDINGS: &str = "line_endings";
    pub(crate) const OBFUSCATION: &str = "obfuscation";
    pub(crate) const OPEN_ENDED: &str = "open_ended";
    pub(crate) const PADDING: &str = "padding";
    pub(crate) const PERSISTENCE: &str = "persistence";
    pub(crate) const PIPE: &str = "pipe_to_interpreter";
    pub(crate) const PRIVILEGE: &str = "privilege";
    pub(crate) const PRODUCTION: &str = "production";
    pub(crate) const READ_ONLY: &str = "read_only";
    pub(crate) const RECURSIVE: &str = "recursive";
    pub(crate) const SAFETY: &str = "safety_off";
    pub(crate) const SECRET: &str = "secret";
    pub(crate) const SYSTEM: &str = "system_path";
    pub(crate) const TAMPERING: &str = "tampering";
    pub(crate) const UNINSPECTABLE: &str = "uninspectable";
    pub(crate) const UNLISTED_HOST: &str = "unlisted_host";
    pub(crate) const WIDE: &str = "wide";
}

/// The points of a modifier.
pub(crate) fn points(table: &Points, name: &str) -> i32 {
    match name {
        name::DECEPTION => table.deception,
        name::DESTRUCTIVE => table.destructive,
        name::DEVELOPMENT => table.development,
        name::DRY_RUN => table.dry_run,
        name::FORCE => table.force,
        name::HELP => table.help,
        name::HIJACK => table.hijack,
        name::HOME => table.home_data,
        name::INDIRECT => table.indirect,
        // Like padding: it is there, it is not seen, and by itself it does nothing.
        name::LINE_ENDINGS => table.padding,
        name::OBFUSCATION => table.obfuscation,
        name::OPEN_ENDED => table.open_ended,
        name::PADDING => table.padding,
        name::PERSISTENCE => table.persistence,
        name::PIPE => table.pipe_to_interpreter,
        name::PRIVILEGE => table.privilege,
        name::PRODUCTION => table.production,
        name::READ_ONLY => table.read_only,
        name::RECURSIVE => table.recursive,
        name::SAFETY => table.safety_off,
        name::SECRET => table.secret,
        name::SYSTEM => table.system_path,
        name::TAMPERING => table.tampering,
        name::UNINSPECTABLE => table.uninspectable,
        name::UNLISTED_HOST => table.unlisted_host,
        name::WIDE => table.wide,
        _ => 0,
    }
}

/// One cause of points, before they are counted.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) name: &'static str,
    pub(crate) span: Span,
    pub(crate) why: String,
}

/// A score that must not be fallen short of.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    pub(crate) at_least: i32,
    pub(crate) span: Span,
    pub(crate) why: String,
}

/// What counts for one segment, or for the whole line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Causes {
    pub(crate) list: Vec<Cause>,
    pub(crate) floor: Option<Floor>,
}

impl Causes {
    pub(crate) fn add(&mut self, name: &'static str, span: Span, why: impl Into<String>) {
        if !self.has(name) {
            self.list.push(Cause { name, span, why: why.into() });
        }
        // Three modifiers carry a floor of their own.
        match name {
            name::UNINSPECTABLE | name::SECRET => self.raise(50, span, name),
            name::DECEPTION => self.raise(75, span, name),
            _ => {}
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|cause| cause.name == name)
    }

    pub(crate) fn raise(&mut self, at_least: i32, span: Span, why: impl Into<String>) {
        if self.floor.as_ref().is_none_or(|floor| floor.at_least < at_least) {
            self.floor = Some(Floor { at_least, span, why: why.into() });
        }
    }

    /// Whether something voids the reducers.
    pub(crate) fn voids_reducers(&self) -> bool {
        [
            name::OBFUSCATION,
            name::PIPE,
            name::INDIRECT,
            name::DECEPTION,
            name::HIJACK,
            name::TAMPERING,
        ]
        .iter()
        .any(|name| self.has(name))
    }
}

/// A scored part of the line.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) program: Option<String>,
    pub(crate) argv: Vec<String>,
    pub(crate) category: Category,
    pub(crate) base_span: Span,
    pub(crate) span: Span,
    pub(crate) via: Vec<String>,
    pub(crate) causes: Causes,
    /// Reducers; they count only where nothing voids them.
    pub(crate) reducers: Causes,
}

/// The sum and the score of a draft together with what holds for the whole line, as [`count`] would
/// explain them: a script has hundreds of commands, and only the worst is explained.
pub(crate) fn weigh(draft: &Draft, line: &Causes, table: &Points, void: bool) -> (i32, u8) {
    let mut sum = i32::from(draft.category.base());
    let mut taken = 0;
    let lines = line.list.iter().filter(|cause| !draft.causes.has(cause.name));
    let reducers = draft.reducers.list.iter().filter(|_| !void);
    for cause in draft.causes.list.iter().chain(lines).chain(reducers) {
        let points = points(table, cause.name);
        sum += points;
        taken += points.min(0);
    }
    if sum < 0 {
        sum += (-sum).min(-taken);
    }
    let floors = [&draft.causes.floor, &line.floor];
    let floor = floors.into_iter().flatten().map(|floor| floor.at_least).max();
    sum = sum.max(floor.unwrap_or(sum));
    (sum, u8::try_from(sum.clamp(0, 100)).unwrap_or(100))
}

/// Counts a draft together with what holds for the whole line: terms that add up to the score.
pub(crate) fn count(draft: &Draft, line: &Causes, table: &Points, void: bool) -> (Vec<Term>, u8) {
    let base = i32::from(draft.category.base());
    let mut terms = vec![Term {
        name: draft.category.as_str().to_owned(),
        points: base,
        span: [draft.base_span.0, draft.base_span.1],
        why: match &draft.program {
            Some(program) => format!("{program}: {}", draft.category.describe()),
            None => draft.category.describe().to_owned(),
        },
    }];
    let mut sum = base;
    let lines = line.list.iter().filter(|cause| !draft.causes.has(cause.name));
    let reducers = draft.reducers.list.iter().filter(|_| !void);
    for cause in draft.causes.list.iter().chain(lines).chain(reducers) {
        let points = points(table, cause.name);
        sum += points;
        terms.push(Term {
            name: cause.name.to_owned(),
            points,
            span: [cause.span.0, cause.span.1],
            why: cause.why.clone(),
        });
    }
    if sum < 0 {
        // Reducers take away no more than there is.
        for term in terms.iter_mut().rev().filter(|term| term.points < 0) {
            let give_back = (-sum).min(-term.points);
            term.points += give_back;
            sum += give_back;
        }
        terms.retain(|term| term.points != 0 || term.name == draft.category.as_str());
    }
    let floors = [&draft.causes.floor, &line.floor];
    if let Some(floor) = floors.into_iter().flatten().max_by_key(|floor| floor.at_least)
        && sum < floor.at_least
    {
        terms.push(Term {
            name: name::FLOOR.to_owned(),
            points: floor.at_least - sum,
            span: [floor.span.0, floor.span.1],
            why: format!("never below {}: {}", floor.at_least, floor.why),
        });
        sum = floor.at_least;
    }
    (terms, u8::try_from(sum.clamp(0, 100)).unwrap_or(100))
}
