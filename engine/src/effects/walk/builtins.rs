//! Parts of the shell: `cd`, `read`, `test` and `[[ … ]]`.

use super::super::model::Effects;
use super::super::syntax::Word;
use super::super::value::Value;
use super::effects::{plain, with_redirects};
use super::names::is_harmless_name;
use super::state::anything;
use super::{Result1, Walker, resolve};
use crate::parse::Span;

impl Walker<'_> {
    /// `[[ … ]]`: names and files; what computes is refused.
    pub(super) fn test(&mut self, words: &[Word], span: Span) -> Result1<()> {
        let mut effects = plain();
        let literals: Vec<Option<String>> = words.iter().map(Word::literal).collect();
        // These evaluate what stands there as code: `a[$(…)]`, and what the variable of a name holds.
        let computes = |text: &str| {
            matches!(text, "-v" | "-R" | "-t" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge")
        };
        let computes = literals.iter().flatten().any(|text| computes(text));
        for (word, literal) in words.iter().zip(&literals) {
            let value = self.expand(word)?;
            let plain = match literal {
                Some(text) => is_operator(text) || is_whole_number(text),
                None => value.numeric && !value.many,
            };
            if computes && !plain {
                return self.fail("a test that computes with more than numbers", span);
            }
            if value.text.contains('/') || value.text.contains('.') {
                self.touch(&mut effects.lists, &value, false);
            }
        }
        self.push(Vec::new(), effects, span);
        Ok(())
    }

    pub(super) fn change_directory(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut effects = with_redirects(plain(), redirected);
        let operands: Vec<&Value> = words
            .iter()
            .skip(1)
            .filter(|word| !matches!(word.as_literal(), Some("--" | "-P" | "-L")))
            .collect();
        let to = match operands.as_slice() {
            [] => Some(vec!["~".to_owned()]),
            [one] if one.as_literal() == Some("-") => None,
            [one] if one.may_be_option() || one.many => {
                return self.unknown(words, effects, "cd: an option that is not known", span);
            }
            [one] => {
                self.touch(&mut effects.lists, one, false);
                // Behind a link `..` is not where its name says, to `-P` and to shells that do not
                // find it there.
                let physical = words.iter().any(|word| word.as_literal() == Some("-P"));
                let clear = |path: &&str| !climbs_behind_a_name(path, physical);
                one.as_literal().filter(clear).and_then(|path| {
                    let from = self.state.directories.as_ref()?;
                    Some(from.iter().map(|from| resolve(path, from)).collect())
                })
            }
            _ => return self.unknown(words, effects, "cd: more than one directory", span),
        };
        effects.stdin = "unused".to_owned();
        self.push(words, effects, span);
        self.state.directories = to;
        Ok(())
    }

    /// `read`, `IFS= read -r`.
    pub(super) fn read(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut effects = plain();
        effects.stdin = "filter".to_owned();
        for word in words.iter().skip(1) {
            match word.as_literal() {
                Some("-r") => {}
                Some(name) if is_harmless_name(name) => {
                    self.state.variables.insert(name.to_owned(), anything(span));
                }
                _ => {
                    return self.unknown(
                        words,
                        redirected,
                        "read: a name or an option that is not known",
                        span,
                    );
                }
            }
        }
        self.state.variables.insert("REPLY".to_owned(), anything(span));
        self.push(words, with_redirects(effects, redirected), span);
        Ok(())
    }

    /// `[ -f x ]` and `test`.
    pub(super) fn compare(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut effects = plain();
        let bracket = words.first().and_then(Value::as_literal) == Some("[");
        let operands =
            words.get(1..words.len().saturating_sub(usize::from(bracket))).unwrap_or(&[]);
        if bracket && words.last().and_then(Value::as_literal) != Some("]") || operands.len() > 9 {
            return self.unknown(words.clone(), redirected, "a test that is not read", span);
        }
        let mut file = false;
        let computes =
            |text: &str| matches!(text, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-t");
        let any_computes = operands.iter().filter_map(Value::as_literal).any(computes);
        // A word that is known only at run time may be an operator, of which `-v` runs what stands
        // behind it.
        if operands.iter().any(|word| word.as_literal().is_none() && !word.numeric)
            && !has_its_operator(operands)
        {
            let why = "a test of which the operator is known only at run time";
            return self.unknown(words.clone(), redirected, why, span);
        }
        for word in operands {
            match word.as_literal() {
                Some("-v" | "-R" | "-o" | "-a") => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test that is not read",
                        span,
                    );
                }
                Some(
                    "-b" | "-c" | "-d" | "-e" | "-f" | "-g" | "-h" | "-k" | "-L" | "-p" | "-r"
                    | "-s" | "-S" | "-u" | "-w" | "-x" | "-G" | "-O" | "-nt" | "-ot" | "-ef",
                ) => file = true,
                Some(text)
                    if any_computes
                        && !self.dialect.compares_plainly()
                        && !is_operator(text)
                        && !is_whole_number(text) =>
                {
                    let why = "a test that computes with more than numbers";
                    return self.unknown(words.clone(), redirected, why, span);
                }
                Some(_) => {
                    if file {
                        self.touch(&mut effects.lists, word, false);
                    }
                    file = false;
                }
                None if word.many => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test of words that are known only at run time",
                        span,
                    );
                }
                None if any_computes && !word.numeric && !self.dialect.compares_plainly() => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test that may compute what is known only at run time",
                        span,
                    );
                }
                None => {
                    if file {
                        self.touch(&mut effects.lists, word, false);
                    }
                    file = false;
                }
            }
        }
        self.push(words, with_redirects(effects, redirected), span);
        Ok(())
    }
}

/// Whether the operator of a test stands where it is taken for one, whatever the other words are.
fn has_its_operator(operands: &[Value]) -> bool {
    let literal = |at: usize| operands.get(at).and_then(Value::as_literal).unwrap_or("");
    match operands.len() {
        0 | 1 => true,
        2 => is_operator(literal(0)),
        3 => {
            is_operator(literal(1)) && literal(1) != "!"
                || literal(0) == "!" && is_operator(literal(1))
        }
        4 => literal(0) == "!" && is_operator(literal(2)),
        _ => false,
    }
}

fn is_operator(text: &str) -> bool {
    matches!(text, "!" | "=" | "==" | "!=" | "=~" | "&&" | "||" | "<" | ">")
        || text.len() <= 3
            && text.strip_prefix('-').is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic())
            })
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether `..` follows a name in a path; `physical`: wherever it stands.
fn climbs_behind_a_name(path: &str, physical: bool) -> bool {
    let mut named = physical || path.starts_with('/');
    path.split('/').any(|part| {
        let climbs = part == ".." && named;
        named |= !matches!(part, "" | "." | "..");
        climbs
    })
}
