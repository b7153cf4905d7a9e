//! Scores where the code that an interpreter runs comes from. It must never treat code that cannot be
//! seen as code that does nothing.

use crate::modifier::Modifier;
use crate::parse::{RedirectOp, Word};
use crate::tables::{Arguments, CodePlace, Language, Program, Wraps};

use super::input::Input;
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
    script_made_meanwhile(scorer, unit, program, arguments, score);
    let Some(language) = stdin_language(program, arguments) else { return };
    // Code given as an argument is read in `nested.rs`; standard input is only data then.
    if has_code(program, arguments)
        || operand_is_script(program, arguments)
        || asks_for_help(unit.words)
    {
        return;
    }
    if let (Language::Shell, Some(_), Some(span)) =
        (language, program.script, unit.inherit.privileged)
    {
        score.modifiers.raise(50, span, "a shell with raised privilege");
    }
    code_on_stdin(scorer, unit, language, score);
}

/// `bash <(curl ...)`, `. <(...)`: the script is made while it runs.
fn script_made_meanwhile(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program: &Program,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    let script = arguments.operands.first().and_then(|(_, at)| unit.words.get(*at));
    let Some(word) = script.filter(|word| {
        program.script.is_some()
            && word.flags.substitution
            && word.flags.unknown_output
            && word.text.starts_with(['<', '$', '`'])
    }) else {
        return;
    };
    if scorer.runs_network() {
        let why = "code fetched over the network is run";
        score.modifiers.add(Modifier::PipeToInterpreter, word.span, why);
    }
    score.modifiers.add(Modifier::Indirect, word.span, "the script is made while it runs");
    let why = "the code that runs cannot be seen";
    score.modifiers.add(Modifier::Uninspectable, word.span, why);
}

/// The language in which the program reads its standard input, if it runs that.
pub(super) fn stdin_language(program: &Program, arguments: &Arguments<'_>) -> Option<Language> {
    let given = match program.wraps {
        Some(Wraps::Ssh) => arguments.operands.len() > 1,
        Some(Wraps::Rest) => arguments.operands.len() > program.skip,
        _ => false,
    };
    program.stdin.or(program.alone.filter(|_| !given))
}

/// Whether the code is among the arguments.
pub(super) fn has_code(program: &Program, arguments: &Arguments<'_>) -> bool {
    arguments.has(&["-m"]).is_some()
        || program.has_code_option(arguments)
        || program.code.iter().any(|(place, _)| match place {
            CodePlace::Second => arguments.operands.len() > 1,
            CodePlace::Operands => !arguments.operands.is_empty(),
            CodePlace::First
            | CodePlace::PlusWords
            | CodePlace::Words
            | CodePlace::Option(_)
            | CodePlace::Verb(_) => false,
        })
}

/// Whether the first operand is a script, and not a name for standard input.
pub(super) fn operand_is_script(program: &Program, arguments: &Arguments<'_>) -> bool {
    program.script.is_some()
        && arguments.operand(0).is_some_and(|script| {
            !matches!(script, "-" | "/dev/stdin" | "/proc/self/fd/0" | "/dev/fd/0")
        })
        && arguments.has(&["-s"]).is_none()
}

/// What an interpreter reads that was given nothing else to run.
fn code_on_stdin(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    language: Language,
    score: &mut SegmentScore,
) {
    let first = unit.words.first().map_or(score.base_span, |word| word.span);
    let input = scorer.input(unit.index, unit.host, unit.inherit);
    let redirect = input.as_ref().and_then(|input| input.redirect);
    let redirected = redirect.is_some();
    let piped = input.as_ref().is_some_and(Input::is_piped);
    let runs_code = !matches!(language, Language::Sql | Language::Redis | Language::Mongo);
    if piped && runs_code {
        score.modifiers.add(Modifier::PipeToInterpreter, first, "what is piped in is run");
        if input.is_none_or(|input| input.text.is_none()) {
            let why = "the code that is piped in cannot be seen";
            score.modifiers.add(Modifier::Uninspectable, first, why);
        }
    } else if piped || redirect == Some(RedirectOp::Read) {
        let why = "what is read from standard input cannot be seen";
        score.modifiers.add(Modifier::Uninspectable, first, why);
    }
    // Only the first command of a line reads what the agent sends after it.
    if scorer.context.has_stdin_script && unit.index == 0 && runs_code && !piped && !redirected {
        let why = "the script on standard input is run";
        score.modifiers.add(Modifier::PipeToInterpreter, first, why);
        let why = "the script on standard input is not part of the command";
        score.modifiers.add(Modifier::Uninspectable, first, why);
    }
}

fn asks_for_help(words: &[Word]) -> bool {
    matches!(words, [_, only] if matches!(only.text.as_str(), "--help" | "--version" | "-V" | "-v" | "-h"))
}
