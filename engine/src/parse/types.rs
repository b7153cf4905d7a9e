//! The engine's own representation of a shell line. It must not depend on which parser produced it.

/// Start and end (exclusive) in bytes.
pub(crate) type Span = (usize, usize);

/// How a text inside a text maps to the bytes the reviewer sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The text appears there unchanged, at this byte offset.
    At(usize),
    /// The text was decoded; everything in it maps to this span.
    Fixed(Span),
}

impl Place {
    pub(crate) fn map(self, span: Span) -> Span {
        match self {
            Self::At(base) => (base.saturating_add(span.0), base.saturating_add(span.1)),
            Self::Fixed(fixed) => fixed,
        }
    }
}

/// What is special about a word besides its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WordFlags {
    /// Some of the text is only known at run time; `text` holds the source of that part.
    pub(crate) dynamic: bool,
    /// An expansion took part, whether or not its value is known.
    pub(crate) expanded: bool,
    /// Holds a command or process substitution.
    pub(crate) substitution: bool,
    /// The substitution's output is not known.
    pub(crate) unknown_output: bool,
    /// An unquoted `*`, `?` or `[`.
    pub(crate) glob: bool,
    /// Came out of a brace expansion.
    pub(crate) brace: bool,
    /// Some part was quoted.
    pub(crate) quoted: bool,
    /// An expansion outside quotes, which the shell splits into words.
    pub(crate) split: bool,
    /// Quotes or escapes that change nothing but how the word looks.
    pub(crate) disguised: bool,
    /// Text that does not map one to one to the source.
    pub(crate) rewritten: bool,
    /// A numeric escape such as `\x72` spelled a printable character.
    pub(crate) encoded: bool,
}

/// A word with quoting removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// In the reviewer's bytes.
    pub(crate) span: Span,
    /// In the text that its scope belongs to.
    pub(crate) raw: Span,
    /// What a process substitution prints, where that is constant.
    pub(crate) printed: Option<Box<str>>,
    /// Where `text` begins in the reviewer's bytes, if it appears there unchanged.
    pub(crate) verbatim: Option<usize>,
    pub(crate) flags: WordFlags,
}

impl Word {
    /// Whether the word is known text.
    pub(crate) fn known(&self) -> bool {
        !self.flags.dynamic
    }

    /// How code inside this word maps to the reviewer's bytes.
    pub(crate) fn place(&self) -> Place {
        self.verbatim.map_or(Place::Fixed(self.span), Place::At)
    }
}

/// One redirection.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    pub(crate) op: RedirectOp,
    /// The descriptor in front of the operator; `None` means the operator's default.
    pub(crate) fd: Option<u32>,
    pub(crate) target: Word,
    /// For a here-document, which of [`Script::bodies`] is its text.
    pub(crate) body: Option<usize>,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectOp {
    Append,
    Dup,
    HereDoc,
    HereString,
    Read,
    ReadWrite,
    Write,
}

/// `NAME=value` in front of a command or alone.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: Word,
    pub(crate) span: Span,
}

/// One simple command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simple {
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) span: Span,
    /// Which text it was read from; 0 is the line itself.
    pub(crate) scope: usize,
    /// How many word tokens the source had before expansion, for the cross-check.
    pub(crate) raw_words: Vec<Span>,
    /// Commands joined by `|` share one number.
    pub(crate) pipeline: usize,
    /// Place within the pipeline.
    pub(crate) stage: usize,
    /// Which of the scorer's `Inherit` values applies: what the wrappers around its text say about it.
    pub(crate) inherit: Option<usize>,
    /// Runs inside a substitution.
    pub(crate) in_substitution: bool,
    /// Not a command but the redirections after `}`, `)`, `fi` and their kind.
    pub(crate) compound: bool,
    /// Runs in the background.
    pub(crate) background: bool,
    /// The function this command is part of.
    pub(crate) function: Option<usize>,
    /// The innermost block around it that is given standard input.
    pub(crate) group: Option<usize>,
}

/// A compound command that is a stage of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) pipeline: usize,
    pub(crate) stage: usize,
    /// The commands in it.
    pub(crate) commands: std::ops::Range<usize>,
}

/// A compound command that is given standard input: by a redirection, or piped in.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) pipeline: usize,
    pub(crate) stage: usize,
    /// The first command in it.
    pub(crate) first: usize,
}

/// Why a line cannot be read with certainty.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) why: &'static str,
    pub(crate) span: Span,
    /// Because of it, part of the text was not read at all.
    pub(crate) unread: bool,
}

/// A bound of the reader's work. What comes after it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Bytes,
    Commands,
    Depth,
    Stages,
    Work,
}

impl Limit {
    /// Why reading stopped, in words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "longer than 64 KiB",
            Self::Commands => "more than 400 commands",
            Self::Depth => "nested more than 32 levels deep",
            Self::Stages => "more than 200 commands in one pipeline",
            Self::Work => "too much work to read",
        }
    }
}

/// Where a text can be cut in two without changing its meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) scope: usize,
    /// In the text of the scope.
    pub(crate) at: usize,
    /// How many commands had been read by then.
    pub(crate) commands: usize,
}

/// A line taken apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) commands: Vec<Simple>,
    /// Where top-level commands begin.
    pub(crate) cuts: Vec<Cut>,
    pub(crate) problems: Vec<Problem>,
    /// Names of functions defined in the line.
    pub(crate) functions: Vec<String>,
    /// The line, and every text in it that was decoded or read by itself.
    pub(crate) texts: Vec<String>,
    /// Every part that a shell reads as a program of its own: which text, and where in it.
    pub(crate) scopes: Vec<(usize, Span)>,
    /// Blocks that are part of a pipeline.
    pub(crate) blocks: Vec<Block>,
    /// Blocks that are given standard input.
    pub(crate) groups: Vec<Group>,
    /// Texts of here-documents.
    pub(crate) bodies: Vec<Word>,
    /// Command and process substitutions.
    pub(crate) substitutions: Vec<Span>,
    /// Deepest nesting seen.
    pub(crate) depth: usize,
    /// How many operators stand between commands.
    pub(crate) operators: usize,
}
