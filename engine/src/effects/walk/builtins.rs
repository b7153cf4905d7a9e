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
        for word in words {
            let text = word.literal().unwrap_or_default();
            if matches!(
                text.as_str(),
                "-v" | "-R" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-N"
            ) {
                // They evaluate what stands there.
                if words.iter().any(|word| word.literal().is_none()) {
                    return self.fail("a test that computes what is known only at run time", span);
                }
            }
            for value in self.expand(word)? {
                if value.text.contains('/') || value.text.contains('.') {
                    self.touch(&mut effects.lists, &value, false);
                }
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
                one.as_literal().and_then(|path| {
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
        let computes = |text: &str| matches!(text, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge");
        let any_computes = operands.iter().filter_map(Value::as_literal).any(computes);
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
