//! Patterns over arguments, `push -f|--force`, and the arguments they are matched against.
//! It must never match a reducer loosely, nor miss an option because it is abbreviated or clustered.

use super::effects::{Effect, EffectSet};
use super::program::{CodePlace, Program, Wraps};
use super::wildcard::wildcard;
use crate::parse::Word;

/// The most words of one command that are classified; a longer one is uninspectable.
pub(crate) const MAX_WORDS: usize = 512;

/// One option as it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag<'a> {
    /// With its dashes, without `=value`.
    pub(crate) name: &'a str,
    pub(crate) value: Option<&'a str>,
    /// Which word.
    pub(crate) at: usize,
    /// Which word holds the value.
    pub(crate) value_at: usize,
}

/// The arguments of one command, split into options and operands.
#[derive(Debug, Default)]
pub(crate) struct Arguments<'a> {
    pub(crate) flags: Vec<Flag<'a>>,
    /// Operands: text and which word.
    pub(crate) operands: Vec<(&'a str, usize)>,
    /// Operands that may be the value of an option the tables do not know.
    doubtful: usize,
}

impl<'a> Arguments<'a> {
    /// Splits words into options, their values and operands.
    pub(crate) fn of(words: &'a [Word], program: Option<&Program>) -> Self {
        let wraps = program.and_then(|program| program.wraps);
        let most = match (wraps, program) {
            (Some(Wraps::Rest | Wraps::Xargs), Some(program)) => program.skip + 1,
            (Some(Wraps::Ssh), _) => 2,
            _ => usize::MAX,
        };
        let mut splitter = Splitter {
            words,
            program,
            dashes: wraps == Some(Wraps::Dashes),
            out: Self::default(),
            at: 1,
            most,
            only_operands: false,
            after_unknown: false,
        };
        splitter.run();
        splitter.out
    }

    pub(crate) fn has(&self, names: &[&str]) -> Option<&Flag<'a>> {
        self.flags.iter().find(|flag| names.contains(&flag.name))
    }

    pub(crate) fn operand(&self, at: usize) -> Option<&'a str> {
        self.operands.get(at).map(|(text, _)| *text)
    }
}

/// Goes through the words of a command.
struct Splitter<'a, 'p> {
    words: &'a [Word],
    program: Option<&'p Program>,
    /// An inner command follows a verb or `--`, as with `docker exec`.
    dashes: bool,
    out: Arguments<'a>,
    /// The next word.
    at: usize,
    /// After this many operands the inner command begins.
    most: usize,
    /// `--` has been read: only operands follow.
    only_operands: bool,
    /// The last option is not known; the next operand may be its value.
    after_unknown: bool,
}

impl<'a> Splitter<'a, '_> {
    fn run(&mut self) {
        while let Some(word) = self.words.get(self.at).filter(|_| self.at < MAX_WORDS) {
            let text = word.text.as_str();
            if self.inner_begins(text) {
                break;
            }
            let here = self.at;
            self.at += 1;
            if self.is_operand(text) {
                self.operand(text, here);
            } else if text == "--" {
                self.only_operands = true;
                self.out.flags.push(Flag { name: text, value: None, at: here, value_at: here });
            } else {
                self.option(text, here);
            }
        }
    }

    /// What belongs to the inner command is not looked at here.
    fn inner_begins(&mut self, text: &str) -> bool {
        if self.out.operands.len() >= self.most {
            return true;
        }
        let Some(program) = self.program.filter(|_| self.dashes) else { return false };
        let is_verb = |text: &str| program.wraps_on.iter().any(|on| on == text);
        let verb = self.out.operands.iter().take(2).position(|(text, _)| is_verb(text));
        let Some(verb) = verb else { return false };
        self.most = self.most.min(program.skip.max(1) + verb + 1);
        text == "--"
    }

    fn is_operand(&self, text: &str) -> bool {
        self.only_operands
            || !text.starts_with(['-', '+'])
            || text.len() < 2
            || (text.starts_with('+') && !self.long())
    }

    fn operand(&mut self, text: &'a str, here: usize) {
        if self.after_unknown && self.out.operands.len() == self.out.doubtful {
            self.out.doubtful += 1;
        }
        self.after_unknown = false;
        // `env A=b cmd`: assignments are not the inner command.
        if self.most != usize::MAX && !self.dashes && is_assignment(text) {
            return;
        }
        self.out.operands.push((text, here));
    }

    fn option(&mut self, text: &'a str, here: usize) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let mut flag = Flag { name, value, at: here, value_at: here };
        if !(name.starts_with("--") || self.long() || name.len() == 2) {
            // The whole is kept too, for programs with long options behind one dash.
            self.out.flags.push(flag);
            return self.cluster(text, here);
        }
        if value.is_none() && self.takes_value(name) {
            self.take_value(&mut flag);
        } else {
            self.after_unknown = value.is_none();
        }
        self.out.flags.push(flag);
    }

    /// `-rf`, `-n5`, `-Ddebug`: letters until one takes the rest as its value.
    fn cluster(&mut self, text: &'a str, here: usize) {
        self.after_unknown = true;
        let letters = text.get(1..).unwrap_or("");
        for (offset, letter) in letters.char_indices() {
            if !letter.is_ascii_alphanumeric() {
                break;
            }
            let rest = letters.get(offset + letter.len_utf8()..).unwrap_or("");
            let name = letter_flag(letter);
            let mut flag = Flag { name, value: None, at: here, value_at: here };
            let stops = self.takes_value(name);
            if stops && rest.is_empty() {
                self.take_value(&mut flag);
            } else if stops {
                flag.value = Some(rest.strip_prefix('=').unwrap_or(rest));
            }
            self.out.flags.push(flag);
            if stops {
                self.after_unknown = false;
                break;
            }
        }
    }

    /// The next word is the value, if there is one.
    fn take_value(&mut self, flag: &mut Flag<'a>) {
        if let Some(word) = self.words.get(self.at) {
            flag.value = Some(word.text.as_str());
            flag.value_at = self.at;
            self.at += 1;
        }
    }

    fn takes_value(&self, name: &str) -> bool {
        self.program.is_some_and(|program| program.values.iter().any(|value| value == name))
    }

    fn long(&self) -> bool {
        self.program.is_some_and(|program| program.long)
    }
}

/// `NAME=value` in front of the inner command of `env` or `sudo`.
fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

fn letter_flag(letter: char) -> &'static str {
    const FLAGS: &str = "-0-1-2-3-4-5-6-7-8-9-A-B-C-D-E-F-G-H-I-J-K-L-M-N-O-P-Q-R-S-T-U-V-W-X-Y-Z-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t-u-v-w-x-y-z";
    let index = match letter {
        '0'..='9' => u32::from(letter) - u32::from('0'),
        'A'..='Z' => u32::from(letter) - u32::from('A') + 10,
        'a'..='z' => u32::from(letter) - u32::from('a') + 36,
        _ => return "",
    } as usize;
    FLAGS.get(index * 2..index * 2 + 2).unwrap_or("")
}

/// One of several words. Most are plain, which is decided once, when the pattern is read.
#[derive(Clone, Debug)]
pub(crate) enum Alternative {
    Plain(String),
    Wild(String),
    /// `<all>`: whatever stands for everything.
    All,
}

impl Alternative {
    fn parse(text: &str) -> Self {
        match text {
            "<all>" => Self::All,
            _ if text.contains(['*', '?']) => Self::Wild(text.to_owned()),
            _ => Self::Plain(text.to_owned()),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Plain(plain) => plain == text,
            Self::Wild(pattern) => wildcard(pattern, text),
            Self::All => matches!(text, "." | "./" | "*" | ":/" | "./*" | "/" | ".."),
        }
    }
}

/// One part of a pattern; the alternatives stand for each other.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// The next operand.
    Operand(Vec<Alternative>),
    /// Any operand after those already matched.
    Anywhere(Vec<Alternative>),
    /// One of these options anywhere, with one of these values where some are given.
    Flag(Vec<Alternative>, Option<Vec<Alternative>>),
    /// None of these options.
    Without(Vec<String>),
    /// No operand is left.
    End,
}

/// A pattern over arguments.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    pub(crate) text: String,
    exact: bool,
}

impl Pattern {
    /// Reads `push -f|--force`, `.. delete-*`, `-X=DELETE|PUT`, `!--dry-run`, `$`.
    pub(crate) fn parse(text: &str, effects: EffectSet) -> Self {
        let tokens = text
            .split_whitespace()
            .map(|word| {
                let list = |text: &str| text.split('|').map(Alternative::parse).collect::<Vec<_>>();
                if word == "$" {
                    Token::End
                } else if let Some(rest) = word.strip_prefix("..").filter(|rest| !rest.is_empty()) {
                    Token::Anywhere(list(rest))
                } else if let Some(rest) = word.strip_prefix('!') {
                    Token::Without(rest.split('|').map(str::to_owned).collect())
                } else if word.starts_with('-') && word.len() > 1 {
                    // `-X|--request=DELETE|PUT`: any of these options with any of these values.
                    let (names, values) = match word.split_once('=') {
                        Some((names, values)) => (names, Some(list(values))),
                        None => (word, None),
                    };
                    Token::Flag(list(names), values)
                } else {
                    Token::Operand(list(word))
                }
            })
            .collect();
        Self { tokens, text: text.to_owned(), exact: effects.lowers() }
    }

    /// Which word caused the match, if any; 0 is the program itself.
    pub(crate) fn matches(&self, arguments: &Arguments<'_>) -> Option<usize> {
        let first = self.matches_from(arguments, 0);
        // An unknown option may have taken its value from among the operands.
        if first.is_none() && arguments.doubtful > 0 && !self.exact {
            return (1..=arguments.doubtful.min(3))
                .find_map(|skip| self.matches_from(arguments, skip));
        }
        first
    }

    fn matches_from(&self, arguments: &Arguments<'_>, skip: usize) -> Option<usize> {
        let mut operand = skip;
        let mut cause = 0;
        for token in &self.tokens {
            match token {
                Token::Operand(words) => {
                    let (text, at) = arguments.operands.get(operand)?;
                    if !words.iter().any(|word| word.fits(text)) {
                        return None;
                    }
                    cause = *at;
                    operand += 1;
                }
                Token::Anywhere(words) => {
                    let found = arguments
                        .operands
                        .get(operand..)?
                        .iter()
                        .position(|(text, _)| words.iter().any(|word| word.fits(text)))?;
                    cause = arguments.operands.get(operand + found)?.1;
                    operand += found + 1;
                }
                Token::Flag(names, values) => {
                    let flag = arguments.flags.iter().find(|flag| {
                        names.iter().any(|name| self.same_flag(name, flag.name))
                            && values.as_ref().is_none_or(|values| {
                                flag.value.is_some_and(|given| {
                                    values.iter().any(|value| value.fits(given))
                                })
                            })
                    })?;
                    cause = flag.at;
                }
                Token::Without(names) => {
                    if arguments.flags.iter().any(|flag| names.iter().any(|name| name == flag.name))
                    {
                        return None;
                    }
                }
                Token::End => {
                    if operand < arguments.operands.len() {
                        return None;
                    }
                }
            }
        }
        Some(cause)
    }

    fn same_flag(&self, pattern: &Alternative, given: &str) -> bool {
        pattern.fits(given)
            || !self.exact
                && given.len() >= 3
                && given.starts_with("--")
                && matches!(pattern, Alternative::Plain(text) | Alternative::Wild(text)
                    if text.starts_with("--") && text.starts_with(given))
    }
}

impl Program {
    /// Whether code is given as the value of an option.
    pub(crate) fn has_code_option(&self, arguments: &Arguments<'_>) -> bool {
        self.code.iter().any(|(place, _)| match place {
            CodePlace::Option(option) => arguments.has(&[option.as_str()]).is_some(),
            CodePlace::First
            | CodePlace::Second
            | CodePlace::Operands
            | CodePlace::PlusWords
            | CodePlace::Words
            | CodePlace::Verb(_) => false,
        })
    }

    /// Every effect of a use, with the word that caused it; the program itself is word 0.
    pub(crate) fn effects(&self, arguments: &Arguments<'_>) -> Vec<(Effect, usize)> {
        let mut out: Vec<(Effect, usize)> = Vec::new();
        let mut add = |set: EffectSet, cause: usize| {
            for effect in set.iter() {
                if !out.iter().any(|(known, _)| *known == effect) {
                    out.push((effect, cause));
                }
            }
        };
        add(self.is, 0);
        for (pattern, set) in &self.on {
            if let Some(cause) = pattern.matches(arguments) {
                add(*set, cause);
            }
        }
        out
    }

    /// The category of a use: the highest of those that apply, unless the use only reads.
    pub(crate) fn category_of(&self, arguments: &Arguments<'_>) -> crate::Category {
        let mut category = self.category;
        let mut changed = false;
        for (pattern, set) in &self.on {
            if let Some(new) = set.category
                && pattern.matches(arguments).is_some()
                && (!changed || new.base() > category.base())
            {
                category = new;
                changed = true;
            }
        }
        category
    }
}
