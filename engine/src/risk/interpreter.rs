//! Where the code that an interpreter runs comes from. It must never take code that cannot be seen
//! for code that does nothing.

use crate::modifier::Modifier;
use crate::parse::{RedirectOp, Word, output};
use crate::tables::{Arguments, Language, Program};

use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;

/// A shell or another interpreter, and where its code comes from.
pub(super) fn interpreter(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program: &Program,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    let simple = unit.host;
    let first = unit.words.first().map_or(score.base_span, |word| word.span);
    // `bash <(curl ...)`, `. <(...)`: the script is made while it runs.
    if program.script.is_some()
        && let Some((_, at)) = arguments.operands.first()
        && let Some(word) = unit.words.get(*at)
        && word.flags.substitution
        && word.flags.unknown_output
        && word.text.starts_with(['<', '$', '`'])
    {
        if scorer.runs_network() {
            score.modifiers.add(
                Modifier::PipeToInterpreter,
                word.span,
                "code fetched over the network is run",
            );
        }
        score.modifiers.add(Modifier::Indirect, word.span, "the script is made while it runs");
        score.modifiers.add(
            Modifier::Uninspectable,
            word.span,
            "the code that runs cannot be seen",
        );
    }
    let Some(language) = program.stdin else { return };
    let has_code = program
        .code
        .iter()
        .any(|(option, _)| option.starts_with('-') && arguments.has(&[option.as_str()]).is_some())
        || arguments.has(&["-m"]).is_some()
        || program
            .code
            .iter()
            .any(|(option, _)| matches!(option.as_str(), "2") && arguments.operands.len() > 1)
        || program.code.iter().any(|(option, _)| option == "*" && !arguments.operands.is_empty());
    let operand_is_script = program.script.is_some()
        && arguments.operand(0).is_some_and(|script| {
            !matches!(script, "-" | "/dev/stdin" | "/proc/self/fd/0" | "/dev/fd/0")
        })
        && arguments.has(&["-s"]).is_none();
    if has_code || operand_is_script || helps(unit.words) {
        return;
    }
    if let (Language::Shell, Some(_), Some(span)) =
        (language, program.script, unit.inherit.privileged)
    {
        score.modifiers.raise(50, span, "a shell with raised privilege");
    }
    let redirected = simple
        .redirects
        .iter()
        .any(|redirect| redirect.fd == Some(0) && !matches!(redirect.op, RedirectOp::Dup));
    let piped = simple.stage > 0 && !redirected;
    let runs_code = !matches!(language, Language::Sql | Language::Redis | Language::Mongo);
    if piped && runs_code {
        score.modifiers.add(Modifier::PipeToInterpreter, first, "what is piped in is run");
        if output::before(&scorer.shared.script, unit.index, unit.host).is_none() {
            score.modifiers.add(
                Modifier::Uninspectable,
                first,
                "the code that is piped in cannot be seen",
            );
        }
    } else if piped
        || redirected && simple.redirects.iter().any(|redirect| redirect.op == RedirectOp::Read)
    {
        score.modifiers.add(
            Modifier::Uninspectable,
            first,
            "what is read from standard input cannot be seen",
        );
    }
    if scorer.context.has_stdin_script && unit.index == 0 && runs_code && !piped && !redirected {
        score.modifiers.add(
            Modifier::PipeToInterpreter,
            first,
            "the script on standard input is run",
        );
        score.modifiers.add(
            Modifier::Uninspectable,
            first,
            "the script on standard input is not part of the command",
        );
    }
}

fn helps(words: &[Word]) -> bool {
    matches!(words, [_, only] if matches!(only.text.as_str(), "--help" | "--version" | "-V" | "-v" | "-h"))
}
