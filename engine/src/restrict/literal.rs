//! How sure it is that a pattern is about a command as it is written.

use std::borrow::Cow;

use super::suspect::{Given, Operand, Suspect, given};
use super::words::{
    Likeness, begins, begins_with, comparable, flags, grammars, is_cluster, is_option,
    is_other_verb, is_recursive, may_be, may_be_place, program_likeness, same_number,
};
use super::{modes, resources};
use crate::effects::Understood;
use crate::program::base_name;
use crate::rules::GlobPattern;
use crate::subject::Heard;
use crate::tables::{RiskTables, Synonyms, wildcard};

/// How sure it is that the pattern is about the command as it is written.
pub(super) fn literal_likeness(
    pattern: &GlobPattern,
    suspect: &Suspect,
    tables: &RiskTables,
) -> Likeness {
    let subject = &suspect.subject;
    let (Some(first), Some(wanted)) = (subject.words.first(), pattern.words().first()) else {
        return Likeness::No;
    };
    let program = program_likeness(wanted, first);
    let rest = pattern.words().get(1..).unwrap_or(&[]);
    if program == Likeness::No {
        return Likeness::No;
    }
    let understood = suspect.understood(tables);
    if let Some(understood) = understood
        && program == Likeness::Yes
        && is_other_verb(rest, understood, tables, &first.text)
    {
        return Likeness::No;
    }
    // One that is not known is taken for the one that is meant.
    let meant = if first.known { base_name(&first.text) } else { base_name(wanted) };
    let words = words_likeness(rest, suspect, meant, tables);
    // Without any other word, a program that is not known would be every program.
    if program == Likeness::Near && !rest.is_empty() && words < Likeness::Yes {
        return Likeness::No;
    }
    let alike = program.min(words);
    if alike == Likeness::Yes && comes_first(pattern, suspect, understood) {
        return Likeness::Certain;
    }
    alike
}

/// Whether every word of the pattern is among those of the command.
pub(super) fn words_likeness(
    rest: &[String],
    suspect: &Suspect,
    program: &str,
    tables: &RiskTables,
) -> Likeness {
    let cluster = is_cluster(suspect.program());
    let words = suspect.operands();
    let recursive = rest.iter().any(|word| is_recursive(word));
    let mut all = Likeness::Yes;
    let mut used = vec![false; words.len()];
    for (at, wanted) in rest.iter().enumerate() {
        let found = if is_option(wanted) {
            option_likeness(wanted, suspect, program, tables)
        } else {
            let wanted: &str = if cluster { resources::name(wanted) } else { wanted };
            let found = operand_likeness(wanted, words, &mut used, program);
            let doubt = || {
                // Only what is behind the verb can be selected.
                let heard = || words.iter().map(|operand| &operand.word);
                let selects = at > 0 && cluster && resources::may_select(heard());
                selects || heard().any(|word| may_be_place(wanted, &word.text, recursive))
            };
            if found == Likeness::No && doubt() { Likeness::Near } else { found }
        };
        all = all.min(found);
        if all == Likeness::No {
            return all;
        }
    }
    all
}

pub(super) fn operand_likeness(
    wanted: &str,
    words: &[Operand],
    used: &mut [bool],
    program: &str,
) -> Likeness {
    // The last word of `rm *` may stand for nothing.
    if wanted == "*" {
        return Likeness::Yes;
    }
    let synonyms = Synonyms::builtin();
    let wanted_plain = comparable(program, wanted);
    let mode = synonyms.takes_modes(program) && modes::is_mode(wanted);
    let short = synonyms.abbreviates(program) && !wanted.contains(['*', '?']);
    // Where the program is only taken for this one, its words were not read as its own.
    let special = synonyms.is_special(program);
    let plain = |operand: &Operand| {
        wildcard(&wanted_plain, &operand.normal)
            || special && wildcard(&wanted_plain, &comparable(program, &operand.word.text))
    };
    let fits = |operand: &Operand| {
        same_number(wanted, &operand.word.text)
            || mode && modes::gives(wanted, &operand.word.text) == Some(true)
            || short && begins_with(wanted, &operand.word.text)
            || plain(operand)
            || operand.value.as_ref().is_some_and(|value| wildcard(&wanted_plain, value))
    };
    let free = |(operand, used): (&Operand, &bool)| !used && operand.word.known && fits(operand);
    let at = words.iter().zip(used.iter()).position(free);
    if let Some(slot) = at.and_then(|at| used.get_mut(at)) {
        *slot = true;
        return Likeness::Yes;
    }
    let unknown = |Operand { word, .. }: &Operand| {
        !word.known
            && (may_be(&wanted_plain, &comparable(program, &word.text))
                || may_be(wanted, &word.text)
                || mode && modes::may_be_mode(&word.text))
    };
    let names = synonyms.takes_patterns(program);
    let pattern = |Operand { word, .. }: &Operand| {
        names
            && word.text.contains(['*', '?', '['])
            && !word.text.starts_with('-')
            && may_be(&wanted_plain, &word.text)
    };
    if words.iter().any(|word| unknown(word) || pattern(word)) {
        Likeness::Near
    } else {
        Likeness::No
    }
}

/// Whether the command has the option, in its short or long form, alone or with others. Where it is
/// another way to write a command, that command's own options were looked at.
pub(super) fn option_likeness(
    wanted: &str,
    suspect: &Suspect,
    program: &str,
    tables: &RiskTables,
) -> Likeness {
    let words = || suspect.operands().iter().map(|operand| &operand.word);
    if words().any(|word| word.known && word.text == wanted) {
        return Likeness::Yes;
    }
    let grammars = grammars(words(), program, tables);
    let taken_for;
    let have = if program == suspect.program() {
        suspect.options(&grammars)
    } else {
        taken_for = given(suspect.operands(), &grammars);
        &taken_for
    };
    let wanted_names = flags(wanted, &grammars);
    let is_there = |name: &Cow<'_, str>| {
        have.iter().any(|Given { name: have, .. }| {
            // Long options may be abbreviated.
            have == name
                || name.starts_with("--")
                    && have.starts_with("--")
                    && have.len() > 3
                    && name.starts_with(have.as_str())
        })
    };
    if wanted_names.iter().all(is_there) {
        return Likeness::Yes;
    }
    // An option that no grammar describes may be the long form of a short one, or the other way round.
    let other = |have: &Given| !have.described && !wanted_names.iter().any(|it| *it == have.name);
    let may_be = |word: &Heard| may_be("-*", &word.text) || may_be(wanted, &word.text);
    let unknown = || words().any(|word| !word.known && may_be(word));
    if unknown() || !suspect.subject.derived && have.iter().any(other) {
        Likeness::Near
    } else {
        Likeness::No
    }
}

/// Whether the pattern's words are the command's first, in their order. Where the program's grammar
/// is known, options are taken out before.
pub(super) fn comes_first(
    pattern: &GlobPattern,
    suspect: &Suspect,
    understood: Option<&Understood>,
) -> bool {
    let subject = &suspect.subject;
    let wanted = pattern.words();
    let options = wanted.iter().any(|word| word.starts_with('-'));
    if let Some(understood) = understood
        && !options
    {
        let program = subject.words.first().map(|word| word.text.as_str());
        let verbs = understood.verbs.iter().map(String::as_str);
        let operands = understood.operands.iter().filter_map(|value| value.as_literal());
        let words: Vec<&str> = program.into_iter().chain(verbs).chain(operands).collect();
        return begins(pattern, &words);
    }
    let words: Vec<&str> = subject.words.iter().map(|word| word.text.as_str()).collect();
    subject.all_known() && begins(pattern, &words)
}
