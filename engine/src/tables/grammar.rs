//! The closed grammar of a program's arguments: what each option and operand is, and what it does.
//! What is not listed is not understood.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::act::Acts;
use crate::hashed::HashMap;

/// What a value or an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A file that is read; a name with a colon is one on another machine.
    Archive,
    /// A file whose owner, mode or times are changed.
    Attributes,
    /// The words up to `;`, or to `+` after `{}`, are a command.
    Clause,
    /// Code in a language that has a reader.
    Code(CodeKind),
    /// Names of columns and properties, but none of the environment.
    Columns,
    /// This word and all after it are a command.
    Command,
    /// The directory in which it works, and whose configuration it follows.
    Cwd,
    /// A file or directory that is removed.
    Delete,
    /// Digits, and nothing that a shell could compute.
    Digits,
    /// A directory that is created.
    Directory,
    /// Text that makes the program do more than its options say; only literal text is understood.
    Format,
    /// Another machine.
    Host,
    /// Text that stands for itself: no file to take it from, and none to write to.
    Inline,
    /// A file whose content is read.
    Input,
    /// A directory whose names are read, or a file's.
    List,
    /// A file of which only the attributes are read.
    Meta,
    /// Permissions that are searched for.
    Mode,
    /// A plain name: letters, digits, and `_.-@` behind the first.
    Name,
    /// Digits, with a sign or a unit.
    Number,
    /// A file that is read; `@name` would be one with more arguments.
    Object,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A file that is written.
    Output,
    /// What is searched for.
    Pattern,
    /// Words for people, which no program takes for anything else.
    Prose,
    /// Text that begins with `+`: anything else would be a command to the program.
    Plus,
    /// Text that is only shown, compared or counted.
    Text,
    /// A directory whose files' contents are read, all of them.
    Tree,
    /// An address on the network.
    Url,
    /// The name of a variable.
    Variable,
}

/// The languages in which a grammar may ask for a closer look at code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CodeKind {
    Awk,
    Jq,
    Sed,
    Shell,
    Sql,
}

impl Kind {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "archive" => Self::Archive,
            "attributes" => Self::Attributes,
            "awk" => Self::Code(CodeKind::Awk),
            "clause" => Self::Clause,
            "columns" => Self::Columns,
            "command" => Self::Command,
            "cwd" => Self::Cwd,
            "delete" => Self::Delete,
            "digits" => Self::Digits,
            "directory" => Self::Directory,
            "format" => Self::Format,
            "host" => Self::Host,
            "inline" => Self::Inline,
            "input" => Self::Input,
            "jq" => Self::Code(CodeKind::Jq),
            "list" => Self::List,
            "meta" => Self::Meta,
            "mode" => Self::Mode,
            "name" => Self::Name,
            "number" => Self::Number,
            "object" => Self::Object,
            "output" => Self::Output,
            "pattern" => Self::Pattern,
            "plus" => Self::Plus,
            "prose" => Self::Prose,
            "sed" => Self::Code(CodeKind::Sed),
            "shell" => Self::Code(CodeKind::Shell),
            "database" => Self::OneOf(&[
                "aliases",
                "ethers",
                "group",
                "initgroups",
                "netgroup",
                "networks",
                "passwd",
                "protocols",
                "rpc",
                "services",
            ]),
            "fetching" => Self::OneOf(&["GET", "HEAD"]),
            "never" => Self::OneOf(&["never"]),
            "status" => Self::OneOf(&["status"]),
            "sql" => Self::Code(CodeKind::Sql),
            "text" => Self::Text,
            "tree" => Self::Tree,
            "url" => Self::Url,
            "variable" => Self::Variable,
            other => return Err(format!("{other:?} is no kind of value")),
        })
    }
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// Only in the same word.
    Optional(Kind),
    Value(Kind),
    /// Two words.
    Two(Kind, Kind),
}

/// One option, under all of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The name under which it is compared: the first that is listed.
    pub(crate) name: Box<str>,
    pub(crate) takes: Takes,
    pub(crate) acts: Acts,
}

/// How many operands of a kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) kind: Kind,
    pub(crate) least: usize,
    /// Any number more.
    pub(crate) many: bool,
}

/// How options are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Style {
    /// As `long`, but only in front of the first operand.
    Ahead,
    /// Anywhere, short ones together.
    #[default]
    Gnu,
    /// Words with one dash are one option each.
    Long,
    /// As `gnu`, but only in front of the first operand.
    Posix,
}

/// Where a word without a dash is short options: `tar tf x`, `ps aux`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bundle {
    #[default]
    Nowhere,
    /// As the first word.
    First,
    /// Wherever every letter of it is an option that is listed without a dash.
    Anywhere,
}

/// What the operands are, and what is done, where one of some options is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct When {
    /// The names under which the options are compared.
    pub(crate) options: Vec<Box<str>>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) default: Option<Box<str>>,
    /// What it does, in place of what the program does otherwise.
    pub(crate) acts: Acts,
}

/// What is known of a program's arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grammar {
    pub(crate) style: Style,
    pub(crate) options: HashMap<Box<str>, Arc<Choice>>,
    pub(crate) operands: Vec<Operand>,
    /// A word that begins with `+` is a command to the program.
    pub(crate) plus: bool,
    /// What it does without a verb, where that is understood.
    pub(crate) bare: Option<Acts>,
    /// The operand that is assumed where there is none.
    pub(crate) default: Option<Box<str>>,
    /// `-5` and `+5` are options too.
    pub(crate) numeric: bool,
    /// A word that is none of its options is an operand, dash or not.
    pub(crate) lenient: bool,
    /// Without an option it does something else.
    pub(crate) needs_option: bool,
    /// Without one of these it does something else.
    pub(crate) needs: Vec<Box<str>>,
    /// Options that make another program of it.
    pub(crate) whens: Vec<When>,
    pub(crate) bundle: Bundle,
    /// What a literal operand may become where a word that is known only at run time may be an option.
    pub(crate) astray: Option<Kind>,
    /// No option it has, listed or not, does harm: any word may stand anywhere.
    pub(crate) tame: bool,
    /// What every use does.
    pub(crate) acts: Acts,
    pub(crate) verbs: HashMap<Box<str>, Arc<Grammar>>,
}

impl Grammar {
    pub(crate) fn option(&self, name: &str) -> Option<&Arc<Choice>> {
        self.options.get(name)
    }
}

/// A grammar as the files write it.
///
/// `options` lists every option that is understood, with the kind of its value and what it does (see
/// [`option`]); `operands` the kinds of operands in their order (see [`operands`]); `is` what every use
/// does, in the words of [`Acts`]. `when."-a -b"` takes the place of `operands`, `default` and `is` where
/// one of these options is given; two of them at once are not understood. `needs` names options of which
/// there must be one, `needs_option` asks for any. `verb."a|b"` is the grammar of the words behind a
/// verb: what holds for the program holds for it too, its options only with `inherit`; `bare` says what
/// is done without a verb. `--help` and `--version`, and options with `!info`, need no operand if they
/// are alone. Standard input is `unused`, a terminal `plain`, the network `none`, unless it is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    also: String,
    style: Style,
    options: String,
    operands: String,
    default: Option<String>,
    numeric: bool,
    lenient: bool,
    needs_option: bool,
    /// A word that begins with `+` is a command to the program.
    plus: bool,
    bare: Option<String>,
    needs: String,
    bundle: Bundle,
    /// What a literal operand may be where a word that is known only at run time may be an option.
    astray: String,
    tame: bool,
    when: BTreeMap<String, Condition>,
    /// Verbs take the options in front of them as well.
    inherit: bool,
    is: String,
    verb: HashMap<String, Self>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Condition {
    operands: String,
    default: Option<String>,
    is: String,
}

/// Reads one file of grammars.
pub(super) fn read(text: &str) -> Result<HashMap<String, Arc<Grammar>>, String> {
    let entries: HashMap<String, Entry> =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let mut out = HashMap::default();
    for (name, entry) in entries {
        let wrong = |error| format!("{name}: {error}");
        let grammar = Arc::new(entry.build(None).map_err(wrong)?);
        let names = entry.also.split_whitespace().chain(std::iter::once(name.as_str()));
        for name in names {
            if out.insert(name.to_owned(), Arc::clone(&grammar)).is_some() {
                return Err(format!("{name} is there twice"));
            }
        }
    }
    Ok(out)
}

impl Entry {
    fn build(&self, above: Option<&Grammar>) -> Result<Grammar, String> {
        let mut grammar = Grammar {
            style: self.style,
            operands: operands(&self.operands)?,
            default: self.default.as_deref().map(Into::into),
            numeric: self.numeric,
            lenient: self.lenient,
            needs_option: self.needs_option,
            plus: self.plus,
            bare: self.bare.as_deref().map(Acts::parse).transpose()?,
            bundle: self.bundle,
            tame: self.tame,
            acts: Acts::parse(&self.is)?,
            ..Grammar::default()
        };
        if let Some(above) = above {
            grammar.options = above.options.clone();
        }
        for token in self.options.split_whitespace() {
            option(token, self.style, &mut grammar.options)?;
        }
        let named = |names: &str| -> Result<Vec<Box<str>>, String> {
            let known = |name| {
                let choice =
                    grammar.options.get(name).ok_or_else(|| format!("no option {name}"))?;
                Ok(choice.name.clone())
            };
            names.split_whitespace().map(known).collect()
        };
        let needs = named(&self.needs)?;
        let when = |(names, condition): (&String, &Condition)| {
            Ok(When {
                options: named(names)?,
                operands: operands(&condition.operands)?,
                default: condition.default.as_deref().map(Into::into),
                acts: Acts::parse(&condition.is)?,
            })
        };
        let whens = self.when.iter().map(when).collect::<Result<_, String>>()?;
        (grammar.needs, grammar.whens) = (needs, whens);
        if !self.astray.is_empty() {
            grammar.astray = Some(Kind::parse(&self.astray)?);
        }
        for (names, entry) in &self.verb {
            let inherited = self.inherit.then_some(&grammar);
            let mut verb = entry.build(inherited).map_err(|error| format!("{names}: {error}"))?;
            // What holds for the program holds for each of its verbs, unless the verb says otherwise.
            verb.acts = grammar.acts.clone().with(&verb.acts);
            let verb = Arc::new(verb);
            for name in names.split('|').chain(entry.also.split_whitespace()) {
                if grammar.verbs.insert(name.into(), Arc::clone(&verb)).is_some() {
                    return Err(format!("{name} is there twice"));
                }
            }
        }
        Ok(grammar)
    }
}

/// `input*`, `pattern input*`, `input+ output`, `text?`.
fn operands(text: &str) -> Result<Vec<Operand>, String> {
    let mut out: Vec<Operand> = Vec::new();
    for token in text.split_whitespace() {
        let (kind, least, many) = if let Some(kind) = token.strip_suffix('*') {
            (kind, 0, true)
        } else if let Some(kind) = token.strip_suffix('+') {
            (kind, 1, true)
        } else if let Some(kind) = token.strip_suffix('?') {
            (kind, 0, false)
        } else {
            (token, 1, false)
        };
        if many && out.iter().any(|operand| operand.many) {
            return Err("only one kind of operand can be repeated".to_owned());
        }
        out.push(Operand { kind: Kind::parse(kind)?, least, many });
    }
    Ok(out)
}

/// `-abc` (three flags), `--all`, `-n,--lines=number`, `--color?text`, `-o,--output=output!changes:x`,
/// `--arg=text+text` (two words),
/// and words without a dash, alone or with `=value`.
fn option(
    token: &str,
    style: Style,
    options: &mut HashMap<Box<str>, Arc<Choice>>,
) -> Result<(), String> {
    let (spec, acts) = match token.split_once('!') {
        Some((spec, acts)) if !spec.is_empty() => (spec, Acts::parse(&acts.replace('!', " "))?),
        _ => (token, Acts::default()),
    };
    let (names, takes) = if let Some((names, kind)) = spec.split_once('=') {
        match kind.split_once('+') {
            Some((first, second)) => (names, Takes::Two(Kind::parse(first)?, Kind::parse(second)?)),
            None => (names, Takes::Value(Kind::parse(kind)?)),
        }
    } else if let Some((names, kind)) = spec.split_once('?') {
        (names, Takes::Optional(Kind::parse(kind)?))
    } else {
        (spec, Takes::Nothing)
    };
    let info = takes == Takes::Nothing
        && names.split(',').any(|name| matches!(name, "--help" | "--version"));
    let acts = if info { acts.with(&Acts::info()) } else { acts };
    let cluster = names.starts_with('-')
        && !names.starts_with("--")
        && names.len() > 2
        && !names.contains(',')
        && !matches!(style, Style::Long | Style::Ahead);
    if cluster {
        if takes != Takes::Nothing {
            return Err(format!("{token}: one option at a time can have a value"));
        }
        for letter in names.chars().skip(1) {
            insert(&format!("-{letter}"), &format!("-{letter}"), takes, &acts, options);
        }
        return Ok(());
    }
    let first = names.split(',').next().unwrap_or(names).to_owned();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        insert(name, &first, takes, &acts, options);
    }
    if names == "," {
        insert(",", ",", takes, &acts, options);
    }
    Ok(())
}

fn insert(
    name: &str,
    first: &str,
    takes: Takes,
    acts: &Acts,
    options: &mut HashMap<Box<str>, Arc<Choice>>,
) {
    let choice = Choice { name: first.into(), takes, acts: acts.clone() };
    // A verb says of an option it inherits what it is there.
    options.insert(name.into(), Arc::new(choice));
}
