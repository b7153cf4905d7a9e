//! The arguments of one command against the grammar of its program. It must never take a word for
//! something harmless because it is not known what it is.

use std::sync::Arc;

use super::value::{Open, Value};
use crate::tables::{Act, Acts, Bundle, Choice, Grammar, Kind, Operand, Style, Takes};

/// What a word of a command is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) kind: Kind,
    pub(crate) value: Value,
}

/// A command whose words were understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Understood {
    /// Values of options and operands, in their order.
    pub(crate) uses: Vec<Use>,
    pub(crate) acts: Acts,
    /// A command inside: the words of it.
    pub(crate) command: Option<Vec<Value>>,
    /// Commands that end in `;` or `+`.
    pub(crate) clauses: Vec<Clause>,
    /// Under which names options were given, and with which values.
    pub(crate) options: Vec<(Box<str>, Option<Value>)>,
    pub(crate) operands: Vec<Value>,
    /// The verbs, outermost first.
    pub(crate) verbs: Vec<String>,
}

/// A command that ends in `;` or `+`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) words: Vec<Value>,
    /// In the place of `{}` stand all that were found.
    pub(crate) together: bool,
}

/// Why the words are not understood.
pub(crate) type Doubt = String;

/// Reads the words behind the program's name.
pub(crate) fn understand(grammar: &Grammar, words: &[Value]) -> Result<Understood, Doubt> {
    let mut reader = ArgumentReader {
        grammar,
        words,
        at: 0,
        only_operands: false,
        loose: false,
        base: grammar.acts.clone(),
        out: Understood::default(),
    };
    reader.run()?;
    reader.finish()
}

struct ArgumentReader<'a> {
    grammar: &'a Grammar,
    words: &'a [Value],
    at: usize,
    only_operands: bool,
    /// An operand may be an option of a program whose options all are harmless.
    loose: bool,
    /// What the program, or its verb, does whatever its options are; `out.acts` is what the options do.
    base: Acts,
    out: Understood,
}

impl ArgumentReader<'_> {
    fn run(&mut self) -> Result<(), Doubt> {
        while let Some(word) = self.words.get(self.at) {
            self.at += 1;
            if !self.only_operands && self.bundle(word)? {
                continue;
            }
            if self.only_operands || !self.option(word)? {
                self.operand(word)?;
            }
            if self.out.command.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether words with one dash are one option each.
    fn is_long(&self) -> bool {
        matches!(self.grammar.style, Style::Long | Style::Ahead)
    }

    /// `tf`, `aux`: short options in a word without a dash, whose values follow it in their order.
    fn bundle(&mut self, word: &Value) -> Result<bool, Doubt> {
        let here = match self.grammar.bundle {
            Bundle::Nowhere => false,
            Bundle::First => self.at == 1,
            Bundle::Anywhere => true,
        };
        let Some(text) = word.as_literal().filter(|text| here && !text.is_empty()) else {
            return Ok(false);
        };
        if text.starts_with('-') {
            return Ok(false);
        }
        let known = |letter: char| self.grammar.option(&letter.to_string()).map(Arc::clone);
        let choices: Vec<Option<Arc<Choice>>> = text.chars().map(known).collect();
        if choices.iter().any(Option::is_none) {
            return match self.grammar.bundle {
                Bundle::First => Err(format!("{text}: an option that is not known")),
                _ => Ok(false),
            };
        }
        for choice in choices.into_iter().flatten() {
            self.choose(&choice, None)?;
        }
        Ok(true)
    }

    /// Reads the word as an option; false if it is none.
    fn option(&mut self, word: &Value) -> Result<bool, Doubt> {
        let Some(text) = word.as_literal() else { return self.open_option(word) };
        if let Some(choice) = self.grammar.option(text) {
            let choice = Arc::clone(choice);
            self.choose(&choice, None)?;
            return Ok(true);
        }
        if text == "--" {
            if self.is_long() {
                return Err("`--` is not understood there".to_owned());
            }
            self.only_operands = true;
            return Ok(true);
        }
        if let Some((name, value)) = text.split_once('=')
            && let Some(choice) = self.grammar.option(name).map(Arc::clone)
            && choice.takes != Takes::Nothing
            // `-n=5` is the value `=5` to the usual parser of options.
            && (name.starts_with("--") || self.is_long() || !name.starts_with('-'))
        {
            let value = Value {
                known: value.len(),
                text: value.to_owned(),
                span: word.span,
                ..Value::default()
            };
            self.choose(&choice, Some(value))?;
            return Ok(true);
        }
        if self.grammar.plus && text.starts_with('+') {
            return Err("a word that is a command to the program".to_owned());
        }
        if !text.starts_with('-') || text == "-" {
            return Ok(false);
        }
        if self.grammar.numeric
            && text.len() > 1
            && text.bytes().skip(1).all(|b| b.is_ascii_digit())
        {
            self.out.options.push(("-#".into(), Some(word.clone())));
            return Ok(true);
        }
        let known = |letter: char| self.grammar.option(&format!("-{letter}")).is_some();
        if self.grammar.lenient && !text.chars().skip(1).all(known) {
            self.only_operands = true;
            return Ok(false);
        }
        // `xxd -l16`: a number may stand in the same word.
        if self.is_long()
            && let Some((name, digits)) = text.split_at_checked(2)
            && digits.bytes().all(|b| b.is_ascii_digit())
            && let Some(choice) = self.grammar.option(name).map(Arc::clone)
            && choice.takes == Takes::Value(Kind::Number)
        {
            self.choose(&choice, Some(Value::literal(digits, word.span)))?;
            return Ok(true);
        }
        if text.starts_with("--") || self.is_long() {
            return Err(format!("the option {text} is not known"));
        }
        self.cluster(word, text)?;
        Ok(true)
    }

    /// `-la`, `-n5`: letters up to one that takes the rest as its value.
    fn cluster(&mut self, word: &Value, text: &str) -> Result<(), Doubt> {
        for (at, letter) in text.char_indices().skip(1) {
            let name = format!("-{letter}");
            let Some(choice) = self.grammar.option(&name).map(Arc::clone) else {
                return Err(format!("the option {name} is not known"));
            };
            let rest = text.get(at + letter.len_utf8()..).unwrap_or("");
            match choice.takes {
                Takes::Nothing => self.choose(&choice, None)?,
                Takes::Two(..) if rest.is_empty() => return self.choose(&choice, None),
                Takes::Two(..) => return Err(format!("{name} has two values")),
                Takes::Optional(_) | Takes::Value(_) => {
                    let value = (!rest.is_empty()).then(|| Value::literal(rest, word.span));
                    return self.choose(&choice, value);
                }
            }
        }
        Ok(())
    }

    /// A word that is not known whole.
    fn open_option(&mut self, word: &Value) -> Result<bool, Doubt> {
        let prefix = word.prefix();
        if let Some((name, value)) = prefix.split_once('=')
            && !word.many
            && let Some(choice) = self.grammar.option(name).map(Arc::clone)
            && matches!(choice.takes, Takes::Value(_) | Takes::Optional(_))
            && (name.starts_with("--") || !name.starts_with('-'))
        {
            let cut = name.len() + 1;
            let value = Value {
                text: word.text.get(cut..).unwrap_or("").to_owned(),
                known: value.len(),
                ..word.clone()
            };
            self.choose(&choice, Some(value))?;
            return Ok(true);
        }
        if !word.may_be_option() {
            return Ok(false);
        }
        if self.grammar.tame && self.grammar.verbs.is_empty() {
            self.loose = true;
            return Ok(false);
        }
        Err("a word that is known only at run time may be an option".to_owned())
    }

    /// Takes an option, with the value it was given in its own word.
    fn choose(&mut self, choice: &Arc<Choice>, given: Option<Value>) -> Result<(), Doubt> {
        if choice.acts.has(Act::Opaque) {
            return Err(format!("the option {} may do more than can be told", choice.name));
        }
        self.out.acts = std::mem::take(&mut self.out.acts).with(&choice.acts);
        let (kind, value) = match (choice.takes, given) {
            (Takes::Nothing, None) | (Takes::Optional(_), None) => {
                self.out.options.push((choice.name.clone(), None));
                return Ok(());
            }
            (Takes::Nothing, Some(_)) => return Err(format!("{} takes no value", choice.name)),
            (Takes::Optional(kind) | Takes::Value(kind), Some(value)) => (kind, value),
            (Takes::Two(first, second), None) => {
                let values = self.words.get(self.at..self.at + 2).unwrap_or(&[]);
                let [one, two] = values else {
                    return Err(format!("{} has no values", choice.name));
                };
                if one.many || two.many {
                    return Err(format!(
                        "the values of {} may be any number of words",
                        choice.name
                    ));
                }
                let uses = [(first, one.clone()), (second, two.clone())];
                self.at += 2;
                self.out.options.push((choice.name.clone(), None));
                for (kind, value) in uses {
                    check(kind, &value)?;
                    self.out.uses.push(Use { kind, value });
                }
                return Ok(());
            }
            (Takes::Two(..), Some(_)) => return Err(format!("{} has two values", choice.name)),
            (Takes::Value(Kind::Clause), None) => return self.clause(choice),
            (Takes::Value(kind), None) => {
                let Some(value) = self.words.get(self.at).cloned() else {
                    return Err(format!("{} has no value", choice.name));
                };
                if value.many {
                    return Err(format!("the value of {} may be any number of words", choice.name));
                }
                self.at += 1;
                (kind, value)
            }
        };
        check(kind, &value)?;
        self.out.options.push((choice.name.clone(), Some(value.clone())));
        self.out.uses.push(Use { kind, value });
        Ok(())
    }

    /// The words up to `;`, or `+` after `{}`.
    fn clause(&mut self, choice: &Choice) -> Result<(), Doubt> {
        let mut words = Vec::new();
        while let Some(word) = self.words.get(self.at) {
            self.at += 1;
            match word.as_literal() {
                Some(";") => {
                    self.out.options.push((choice.name.clone(), None));
                    self.out.clauses.push(Clause { words, together: false });
                    return Ok(());
                }
                Some("+") if words.last().and_then(Value::as_literal) == Some("{}") => {
                    self.out.options.push((choice.name.clone(), None));
                    self.out.clauses.push(Clause { words, together: true });
                    return Ok(());
                }
                Some(_) => words.push(word.clone()),
                None => {
                    return Err(format!("a word after {} is known only at run time", choice.name));
                }
            }
        }
        Err(format!("the command after {} has no end", choice.name))
    }

    fn operand(&mut self, word: &Value) -> Result<(), Doubt> {
        if !self.grammar.verbs.is_empty() && self.out.operands.is_empty() {
            let verb =
                word.as_literal().and_then(|text| Some((text, self.grammar.verbs.get(text)?)));
            return match verb {
                Some((text, verb)) => {
                    self.out.verbs.push(text.to_owned());
                    self.base = std::mem::take(&mut self.base).with(&verb.acts);
                    self.grammar = verb;
                    Ok(())
                }
                None if !self.grammar.operands.is_empty() && !word.may_be_option() => {
                    self.out.operands.push(word.clone());
                    Ok(())
                }
                None => Err(format!("{} is no verb that is known", word.text)),
            };
        }
        // The rest belongs to the command inside.
        let before = self.out.operands.len();
        let skip = self.out.acts.has(Act::Skip) || self.base.has(Act::Skip);
        let spec = self.grammar.operands.get(before + usize::from(skip));
        if spec.is_some_and(|spec| spec.kind == Kind::Command) {
            let mut words = vec![word.clone()];
            words.extend(self.words.get(self.at..).unwrap_or(&[]).iter().cloned());
            self.at = self.words.len();
            self.out.command = Some(words);
            return Ok(());
        }
        if matches!(self.grammar.style, Style::Posix | Style::Ahead) {
            self.only_operands = true;
        }
        self.out.operands.push(word.clone());
        Ok(())
    }

    /// Says of each operand what it is.
    fn finish(mut self) -> Result<Understood, Doubt> {
        let given = |name: &str| self.out.options.iter().any(|(given, _)| **given == *name);
        // `curl --version`: nothing else is there.
        if self.out.acts.has(Act::Info)
            && self.out.operands.is_empty()
            && self.out.command.is_none()
            && self.out.options.len() == 1
        {
            self.out.acts = self.base.terminal().with(&self.out.acts);
            return Ok(self.out);
        }
        if self.grammar.needs_option && self.out.options.is_empty()
            || !self.grammar.needs.is_empty() && !self.grammar.needs.iter().any(|name| given(name))
        {
            return Err("what it does without an option is not known".to_owned());
        }
        let mut whens =
            self.grammar.whens.iter().filter(|when| when.options.iter().any(|name| given(name)));
        let when = whens.next();
        if whens.next().is_some() {
            return Err("options that do not go together".to_owned());
        }
        let base = when.map_or(&self.base, |when| &when.acts);
        self.out.acts = base.clone().with(&self.out.acts);
        if self.out.acts.has(Act::Opaque) {
            return Err("it may do more than can be told".to_owned());
        }
        let default = match when {
            Some(when) => when.default.as_deref(),
            None => self.grammar.default.as_deref(),
        };
        let mut specs: &[Operand] = when.map_or(&self.grammar.operands, |when| &when.operands);
        if self.out.acts.has(Act::Skip) {
            specs = specs.get(1..).unwrap_or(&[]);
        }
        // A command inside stands at the end and has been taken out.
        let specs: Vec<Operand> = specs
            .iter()
            .copied()
            .filter(|spec| {
                spec.kind != Kind::Command || (self.out.command.is_none() && spec.least > 0)
            })
            .collect();
        if !self.grammar.verbs.is_empty() && self.grammar.operands.is_empty() && when.is_none() {
            if let Some(bare) = &self.grammar.bare {
                self.out.acts = std::mem::take(&mut self.out.acts).with(bare);
                return Ok(self.out);
            }
            return Err("no verb is given".to_owned());
        }
        let operands = std::mem::take(&mut self.out.operands);
        // An option in the place of an operand would move all others.
        let kind = specs.first().map(|spec| spec.kind);
        if self.loose && specs.iter().any(|spec| Some(spec.kind) != kind) {
            let Some(astray) = self.grammar.astray else {
                return Err("a word that is known only at run time may be an option".to_owned());
            };
            // It may be one that names a pattern, or that goes through directories.
            self.out.acts = std::mem::take(&mut self.out.acts).with(&Acts::recursive());
            let known = operands.iter().filter(|value| value.as_literal().is_some());
            self.out.uses.extend(known.map(|value| Use { kind: astray, value: value.clone() }));
        }
        for use_ in assign(&specs, &operands)? {
            check(use_.kind, &use_.value)?;
            self.out.uses.push(use_);
        }
        // Where none of these operands has to be given and none is: the working directory.
        let absent = specs.iter().find(|spec| spec.least == 0);
        if let Some(spec) = absent
            && operands.len() <= specs.iter().map(|spec| spec.least).sum()
        {
            let recursive = self.out.acts.has(Act::Recursive).then_some(".");
            if let Some(default) = default.or(recursive) {
                let value = Value::literal(default, (0, 0));
                self.out.uses.push(Use { kind: spec.kind, value });
            }
        }
        self.out.operands = operands;
        Ok(self.out)
    }
}

/// Which operand is which.
fn assign(specs: &[Operand], operands: &[Value]) -> Result<Vec<Use>, Doubt> {
    let least: usize = specs.iter().map(|spec| spec.least).sum();
    let repeated = specs.iter().position(|spec| spec.many);
    if let Some(at) = operands.iter().position(|operand| operand.many) {
        // How many there are is not known: from there on all must be of one kind.
        let Some(first) = repeated.filter(|first| *first <= at && first + 1 == specs.len()) else {
            return Err("how many operands there are is known only at run time".to_owned());
        };
        let fixed = specs.get(..first).unwrap_or(&[]);
        if !fixed.iter().all(|spec| spec.least == 1) {
            return Err("how many operands there are is known only at run time".to_owned());
        }
    } else if operands.len() < least {
        return Err("an operand is missing".to_owned());
    }
    let mut out = Vec::with_capacity(operands.len());
    let mut spare = operands.len().saturating_sub(least);
    let mut rest = operands.iter();
    for spec in specs {
        let mut take = spec.least;
        if spec.many {
            take += spare;
            spare = 0;
        } else if spec.least == 0 && spare > 0 {
            take += 1;
            spare -= 1;
        }
        out.extend(
            rest.by_ref().take(take).map(|value| Use { kind: spec.kind, value: value.clone() }),
        );
    }
    match rest.next() {
        Some(_) => Err("there is an operand too many".to_owned()),
        None => Ok(out),
    }
}

/// Letters, digits, and `_.-@` behind the first.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@".contains(&b))
}

/// Whether a format of tmux's runs a command, or may put one together: `#(…)`, `#{E:…}`.
fn expands_twice(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('#') {
        rest = after;
        if let Some(inside) = after.strip_prefix('{') {
            let name = inside.split_once('}').map_or(inside, |(name, _)| name);
            if !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return true;
            }
        } else if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return true;
        }
    }
    false
}

/// Refuses values that must be known and are not, and those that are not what they should be.
fn check(kind: Kind, value: &Value) -> Result<(), Doubt> {
    let literal = value.as_literal();
    match kind {
        Kind::Number => {
            let number = |text: &str| {
                let digits = text.trim_start_matches(['+', '-']);
                digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                    && digits
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'%' | b':'))
            };
            match literal {
                Some(text) if number(text) => Ok(()),
                Some(text) => Err(format!("{text:?} is no number")),
                None if value.open == Open::No || value.numeric || !value.many => Ok(()),
                None => Err("a number that may be any number of words".to_owned()),
            }
        }
        Kind::Digits => match literal {
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
            None if value.numeric && !value.many => Ok(()),
            _ => Err("more than digits, which some shells compute".to_owned()),
        },
        Kind::Archive => match literal {
            Some(text) if !text.contains(':') => Ok(()),
            Some(_) => Err("a file on another machine".to_owned()),
            None => Err("a word that must be known is known only at run time".to_owned()),
        },
        Kind::Cwd => match literal {
            Some(_) => Ok(()),
            None => Err("a directory that is known only at run time".to_owned()),
        },
        Kind::Name => match literal {
            Some(text) if is_name(text) => Ok(()),
            _ => Err("a word that is no plain name".to_owned()),
        },
        Kind::Plus => match value.prefix().starts_with('+') && !value.many {
            true => Ok(()),
            false => Err("a word that does not begin with +".to_owned()),
        },
        Kind::OneOf(words) => match literal {
            Some(text) if words.contains(&text) => Ok(()),
            _ => Err(format!("a word that is not {}", words.join(" or "))),
        },
        Kind::Columns => match literal {
            Some(text) if !text.to_ascii_lowercase().contains("env") => Ok(()),
            _ => Err("a column that may show an environment".to_owned()),
        },
        Kind::Inline => match literal {
            Some(text)
                if !text.starts_with(['@', '<'])
                    && !text.contains("%output{")
                    && !expands_twice(text) =>
            {
                Ok(())
            }
            _ => Err("a text that may be taken from a file".to_owned()),
        },
        Kind::Object => match value.prefix() {
            text if text.starts_with(['@', '-']) => Err("a file with more arguments".to_owned()),
            "" if literal.is_none() => Err("a word that may be a file with arguments".to_owned()),
            _ => Ok(()),
        },
        Kind::Clause | Kind::Code(_) | Kind::Format | Kind::Url | Kind::Variable | Kind::Host => {
            match literal {
                Some(_) => Ok(()),
                None => Err("a word that must be known is known only at run time".to_owned()),
            }
        }
        _ => Ok(()),
    }
}
