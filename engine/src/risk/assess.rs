//! Scores a command, 0-100, every point explained. It must never score unread text below HIGH.

use std::borrow::Cow;

use crate::modifier::Modifier;
use crate::parse::{self, Span};
use crate::secrets::{self, Found};
use crate::subject::{Heard, Subject};
use crate::tables::RiskTables;
use crate::{Assessment, Category, Context, Level, Segment};

use super::line;
use super::scorer::Scorer;
use super::segment_score::{Modifiers, SegmentScore, count, weigh};

/// Scores a command with the built-in tables.
#[must_use]
pub fn assess(command: &[u8], context: &Context) -> Assessment {
    RiskTables::builtin().assess(command, context)
}

impl RiskTables {
    /// Scores a command.
    #[must_use]
    pub fn assess(&self, command: &[u8], context: &Context) -> Assessment {
        self.assess_with_secrets(command, context).0
    }

    /// As [`Self::assess`], with the secrets that were found if it was this very text that was read.
    pub(crate) fn assess_with_secrets(
        &self,
        command: &[u8],
        context: &Context,
    ) -> (Assessment, Option<Found>) {
        let text = String::from_utf8_lossy(command).into_owned();
        let whole = (0, text.len());
        let mut line = Modifiers::default();
        if matches!(text, ref t if t.len() != command.len() || t.as_bytes() != command) {
            line.add(Modifier::Deception, whole, "bytes that are not UTF-8");
            line.add(Modifier::Uninspectable, whole, "bytes that are not UTF-8");
        }
        // Lines that end in CR LF are read as they are meant, which is never less than what a shell
        // makes of them: the CR would be part of the last word and hide what that is.
        let endings = text.find("\r\n");
        let read = match endings {
            Some(_) => Cow::Owned(text.replace("\r\n", " \n")),
            None => Cow::Borrowed(text.as_str()),
        };
        if let Some(at) = endings {
            line.add(
                Modifier::LineEndings,
                (at, at + 1),
                "lines end in CR LF: a shell takes each CR for part of the last word",
            );
        }
        let mut shared = parse::read(&read);
        // Before the scorer adds what it finds inside of words.
        let secrets = secrets::find_in(&read, &shared.script);
        let mut scorer = Scorer::new(self, context, &mut shared);
        scorer.run();
        let scores = scorer.finish();
        line::collect(self, &read, context, &mut shared, &scores, &secrets, &mut line);
        drop(read);
        let assessment = self.conclude(text, scores, &line, whole);
        (assessment, endings.is_none().then_some(secrets))
    }

    /// The assessment of a line from the scores of its segments: the worst one decides.
    pub(super) fn conclude(
        &self,
        text: String,
        mut scores: Vec<SegmentScore>,
        line: &Modifiers,
        whole: Span,
    ) -> Assessment {
        if scores.is_empty() {
            scores.push(SegmentScore {
                program: None,
                argv: Vec::new(),
                known: Vec::new(),
                category: Category::Inspection,
                base_span: whole,
                span: whole,
                via: Vec::new(),
                modifiers: Modifiers::default(),
                reducers: Modifiers::default(),
            });
        }
        let void =
            line.voids_reducers() || scores.iter().any(|score| score.modifiers.voids_reducers());
        let nothing = Modifiers::default();
        let mut best: Option<(i32, usize)> = None;
        for (at, segment) in scores.iter().enumerate() {
            let (sum, _) = weigh(segment, line, &self.points, void);
            if best.is_none_or(|(most, _)| sum > most) {
                best = Some((sum, at));
            }
        }
        let (terms, score, category) = best.and_then(|(_, at)| scores.get(at)).map_or_else(
            || (Vec::new(), 100, Category::Unknown),
            |segment| {
                let (terms, score) = count(segment, line, &self.points, void);
                (terms, score, segment.category)
            },
        );
        let most = scores.iter().map(|segment| weigh(segment, line, &self.points, true).1).max();
        let segments = scores
            .into_iter()
            .map(|segment| {
                let (_, own) = weigh(&segment, &nothing, &self.points, void);
                Segment {
                    program: segment.program,
                    known: segment.known,
                    argv: segment.argv,
                    category: segment.category,
                    score: own,
                    span: [segment.span.0, segment.span.1],
                    via: segment.via,
                }
            })
            .collect();
        Assessment {
            command: text,
            score,
            level: Level::of(score),
            category,
            terms,
            segments,
            uninspectable: line.has(Modifier::Uninspectable),
            unreduced: Level::of(most.unwrap_or(score).max(score)),
        }
    }
}

/// Every simple command in a line, wrappers looked through.
pub(crate) fn commands_of(text: &str) -> Vec<Subject> {
    let context = Context::default();
    let mut shared = parse::read(text);
    let mut scorer = Scorer::new(RiskTables::builtin(), &context, &mut shared);
    scorer.run();
    scorer.finish().into_iter().map(|score| subject(&score.argv, &score.known)).collect()
}

/// A command for those who restrict.
fn subject(argv: &[String], known: &[bool]) -> Subject {
    let heard = |(at, text): (usize, &String)| Heard {
        text: text.clone(),
        known: known.get(at).copied().unwrap_or(false),
    };
    Subject::of(argv.iter().enumerate().map(heard).collect())
}

impl Segment {
    /// Its words for those who restrict.
    pub(crate) fn heard(&self) -> impl Iterator<Item = Heard> {
        self.argv.iter().enumerate().map(|(at, text)| Heard {
            text: text.clone(),
            known: self.known.get(at).copied().unwrap_or(false),
        })
    }

    /// This command for those who restrict.
    pub(crate) fn subject(&self) -> Subject {
        subject(&self.argv, &self.known)
    }
}
