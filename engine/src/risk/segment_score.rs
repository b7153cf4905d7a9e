//! One segment's score under construction. It must never count one modifier twice, and every point
//! keeps the bytes that earned it.

use crate::modifier::{Modifier, TermKind};
use crate::parse::Span;
use crate::tables::Points;
use crate::{Category, Term};

/// A modifier that applies, with the bytes that earned it and the reason in words.
#[derive(Clone, Debug)]
pub(crate) struct AppliedModifier {
    pub(crate) modifier: Modifier,
    pub(crate) span: Span,
    pub(crate) why: String,
}

/// The lowest score that is possible, and why.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    pub(crate) at_least: i32,
    pub(crate) span: Span,
    pub(crate) why: String,
}

/// What counts for one segment, or for the whole line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modifiers {
    pub(crate) list: Vec<AppliedModifier>,
    pub(crate) floor: Option<Floor>,
}

impl Modifiers {
    /// Applies a modifier, and the floor that comes with it. The first reason for it stands.
    pub(crate) fn add(&mut self, modifier: Modifier, span: Span, why: impl Into<String>) {
        if !self.has(modifier) {
            self.list.push(AppliedModifier { modifier, span, why: why.into() });
        }
        if let Some(at_least) = modifier.floor() {
            self.raise(at_least, span, modifier.as_str());
        }
    }

    pub(crate) fn has(&self, modifier: Modifier) -> bool {
        self.list.iter().any(|applied| applied.modifier == modifier)
    }

    /// Raises the floor; of two equal ones the first stands.
    pub(crate) fn raise(&mut self, at_least: i32, span: Span, why: impl Into<String>) {
        if self.floor.as_ref().is_none_or(|floor| floor.at_least < at_least) {
            self.floor = Some(Floor { at_least, span, why: why.into() });
        }
    }

    /// Whether something here makes the reducers void.
    pub(crate) fn voids_reducers(&self) -> bool {
        self.list.iter().any(|applied| applied.modifier.voids_reducers())
    }
}

/// The score of one simple command, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct SegmentScore {
    pub(crate) program: Option<String>,
    pub(crate) argv: Vec<String>,
    /// Which of its words are known as they stand there.
    pub(crate) known: Vec<bool>,
    pub(crate) category: Category,
    pub(crate) base_span: Span,
    pub(crate) span: Span,
    pub(crate) via: Vec<String>,
    pub(crate) modifiers: Modifiers,
    /// Modifiers that lower the score; they count only where nothing makes them void.
    pub(crate) reducers: Modifiers,
}

impl SegmentScore {
    /// The score of a whole item that one program reads, before anything is known of it.
    pub(super) fn of_item(program: &str, category: Category, whole: Span) -> Self {
        Self {
            program: Some(program.to_owned()),
            argv: vec![program.to_owned()],
            known: vec![true],
            category,
            base_span: whole,
            span: whole,
            via: Vec::new(),
            modifiers: Modifiers::default(),
            reducers: Modifiers::default(),
        }
    }

    /// Everything that counts, in the order it is printed. What holds for the line as well counts
    /// once.
    fn applied<'a>(
        &'a self,
        line: &'a Modifiers,
        void: bool,
    ) -> impl Iterator<Item = &'a AppliedModifier> {
        let lines = line.list.iter().filter(|applied| !self.modifiers.has(applied.modifier));
        let reducers = self.reducers.list.iter().filter(move |_| !void);
        self.modifiers.list.iter().chain(lines).chain(reducers)
    }
}

/// The sum and the score of a segment together with what holds for the whole line, as [`count`]
/// would explain them: a script has hundreds of commands, and only the worst is explained.
pub(crate) fn weigh(
    segment: &SegmentScore,
    line: &Modifiers,
    table: &Points,
    void: bool,
) -> (i32, u8) {
    let mut sum = i32::from(segment.category.base());
    let mut taken = 0;
    for applied in segment.applied(line, void) {
        let points = table.of(applied.modifier);
        sum += points;
        taken += points.min(0);
    }
    if sum < 0 {
        sum += (-sum).min(-taken);
    }
    let floors = [&segment.modifiers.floor, &line.floor];
    let floor = floors.into_iter().flatten().map(|floor| floor.at_least).max();
    sum = sum.max(floor.unwrap_or(sum));
    (sum, u8::try_from(sum.clamp(0, 100)).unwrap_or(100))
}

/// Explains a segment together with what holds for the whole line: terms that add up to the score.
pub(crate) fn count(
    segment: &SegmentScore,
    line: &Modifiers,
    table: &Points,
    void: bool,
) -> (Vec<Term>, u8) {
    let base = i32::from(segment.category.base());
    let why = match &segment.program {
        Some(program) => format!("{program}: {}", segment.category.describe()),
        None => segment.category.describe().to_owned(),
    };
    let mut terms = vec![Term::new(segment.category, base, segment.base_span, why)];
    let mut sum = base;
    for applied in segment.applied(line, void) {
        let points = table.of(applied.modifier);
        sum += points;
        terms.push(Term::new(applied.modifier, points, applied.span, applied.why.clone()));
    }
    // Before the floor, which nothing may take away from.
    if sum < 0 {
        // Reducers take away no more than there is.
        for term in terms.iter_mut().rev().filter(|term| term.points < 0) {
            let give_back = (-sum).min(-term.points);
            term.points += give_back;
            sum += give_back;
        }
        terms.retain(|term| term.points != 0 || term.is(segment.category));
    }
    let floors = [&segment.modifiers.floor, &line.floor];
    if let Some(floor) = floors.into_iter().flatten().max_by_key(|floor| floor.at_least)
        && sum < floor.at_least
    {
        let why = format!("never below {}: {}", floor.at_least, floor.why);
        terms.push(Term::new(TermKind::Floor, floor.at_least - sum, floor.span, why));
        sum = floor.at_least;
    }
    (terms, u8::try_from(sum.clamp(0, 100)).unwrap_or(100))
}
