//! Whether a shell would ask for more of this. It decides nothing but the `> ` prompt; what it
//! cannot read it calls complete, and it must never recurse or work without a bound.

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 50;
/// The most steps taken; a line of 16 KiB takes a few per byte.
const MAX_STEPS: usize = 1 << 18;
/// Words that close or continue a compound command and cannot begin one.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// Whether sh, bash or zsh would run this text rather than ask for its next line.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    let mut scanner =
        Scanner { bytes: text.as_bytes(), pos: 0, depth: 0, steps: 0, pending: Vec::new() };
    !matches!(scanner.list(&[], Within::Nothing), Err(Stop::Open))
}

/// Why reading ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The text ends inside something.
    Open,
    /// An error, or something not understood: the shell will say.
    Odd,
}

/// What a list of commands stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    /// Ends at `)`.
    Brackets,
    /// Ends at one of the words.
    Words,
    /// Ends at `;;` or its like too.
    Case,
}

/// A here-document whose text begins behind the next newline.
struct HereDoc {
    delimiter: Vec<u8>,
    strip_tabs: bool,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: usize,
    steps: usize,
    pending: Vec<HereDoc>,
}

type Step<T = ()> = Result<T, Stop>;

impl<'a> Scanner<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn peek(&self) -> u8 {
        self.byte(self.pos)
    }

    fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    fn starts(&self, with: &[u8]) -> bool {
        self.bytes.get(self.pos..).is_some_and(|rest| rest.starts_with(with))
    }

    fn step(&mut self) -> Step {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(Stop::Odd) } else { Ok(()) }
    }

    /// Reads something one level deeper.
    fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Odd);
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// The bytes up to the next blank or operator.
    fn bare(&self) -> &'a [u8] {
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        let end = rest.iter().position(|b| is_meta(*b)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(&[])
    }

    fn is_word(&self, word: &str) -> bool {
        self.bare() == word.as_bytes()
    }

    fn at_closing(&self) -> bool {
        let bare = self.bare();
        CLOSING.iter().any(|word| word.as_bytes() == bare)
    }

    /// Skips spaces, tabs and line continuations. A backslash at the very end asks for more.
    fn blanks(&mut self) {
        loop {
            match (self.peek(), self.byte(self.pos + 1)) {
                (b' ' | b'\t', _) => self.pos += 1,
                (b'\\', b'\n') => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines with the here-documents behind them.
    fn newlines(&mut self) -> Step {
        loop {
            self.step()?;
            self.blanks();
            match self.peek() {
                b'#' => {
                    while !self.done() && self.peek() != b'\n' {
                        self.pos += 1;
                    }
                }
                b'\n' => {
                    self.pos += 1;
                    self.here_docs()?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn here_docs(&mut self) -> Step {
        for doc in std::mem::take(&mut self.pending) {
            loop {
                self.step()?;
                let Some(rest) = self.bytes.get(self.pos..).filter(|rest| !rest.is_empty()) else {
                    return Err(Stop::Open);
                };
                let length = rest.iter().position(|b| *b == b'\n');
                let mut line = rest.get(..length.unwrap_or(rest.len())).unwrap_or(&[]);
                self.pos += line.len() + 1;
                while doc.strip_tabs && line.first() == Some(&b'\t') {
                    line = line.get(1..).unwrap_or(&[]);
                }
                if line == doc.delimiter {
                    // The newline of the delimiter may end the command too.
                    self.pos = self.pos.min(self.bytes.len());
                    break;
                }
                if length.is_none() {
                    return Err(Stop::Open);
                }
            }
        }
        Ok(())
    }

    /// Reads commands up to what ends them, and that too, unless it is the `;;` of a case.
    fn list(&mut self, ends: &[&'static str], within: Within) -> Step<&'static str> {
        loop {
            self.newlines()?;
            if self.done() {
                let whole = within == Within::Nothing && self.pending.is_empty();
                return if whole { Ok("") } else { Err(Stop::Open) };
            }
            if self.peek() == b')' {
                if within != Within::Brackets {
                    return Err(Stop::Odd);
                }
                self.pos += 1;
                return Ok(")");
            }
            if self.peek() == b';' && matches!(self.byte(self.pos + 1), b';' | b'&') {
                return if within == Within::Case { Ok(";;") } else { Err(Stop::Odd) };
            }
            let bare = self.bare();
            if let Some(end) = ends.iter().find(|word| word.as_bytes() == bare) {
                self.pos += bare.len();
                return Ok(end);
            }
            if self.at_closing() {
                return Err(Stop::Odd);
            }
            self.and_or()?;
            self.blanks();
            match (self.peek(), self.byte(self.pos + 1)) {
                (b';', b';' | b'&') | (b'\n' | b')' | b'#', _) => {}
                (b';' | b'&', _) => self.pos += 1,
                _ if self.done() || self.at_closing() => {}
                _ => return Err(Stop::Odd),
            }
        }
    }

    /// Reads commands joined by `&&`, `||` and `|`.
    fn and_or(&mut self) -> Step {
        loop {
            self.deeper(Self::command)?;
            self.blanks();
            let skip = match (self.peek(), self.byte(self.pos + 1)) {
                (b'&', b'&') | (b'|', b'|' | b'&') => 2,
                (b'|', _) => 1,
                _ => return Ok(()),
            };
            self.pos += skip;
            self.more()?;
        }
    }

    /// Goes to the next command, which must come.
    fn more(&mut self) -> Step {
        self.newlines()?;
        if self.done() { Err(Stop::Open) } else { Ok(()) }
    }

    fn command(&mut self) -> Step {
        self.step()?;
        while let b"!" | b"time" | b"-p" | b"coproc" = self.bare() {
            self.pos += self.bare().len();
            self.blanks();
            if self.done() || matches!(self.peek(), b'\n' | b';') {
                return Ok(());
            }
        }
        match self.bare() {
            b"{" => {
                self.pos += 1;
                self.list(&["}"], Within::Words)?;
            }
            b"[[" => self.condition()?,
            b"if" => {
                self.pos += 2;
                self.conditional()?;
            }
            b"while" | b"until" => {
                self.pos += 5;
                self.list(&["do"], Within::Words)?;
                self.list(&["done"], Within::Words)?;
            }
            b"for" => self.for_loop(3)?,
            b"select" => self.for_loop(6)?,
            b"case" => self.case()?,
            b"function" => {
                self.pos += 8;
                self.blanks();
                if !self.word()? {
                    return Err(Stop::Odd);
                }
                self.blanks();
                if self.peek() == b'(' {
                    self.pos += 1;
                    self.blanks();
                    if self.peek() != b')' {
                        return Err(if self.done() { Stop::Open } else { Stop::Odd });
                    }
                    self.pos += 1;
                }
                self.more()?;
                return self.deeper(Self::command);
            }
            _ if self.peek() == b'(' => self.brackets()?,
            _ => return self.simple(),
        }
        loop {
            self.blanks();
            if !self.redirection()? {
                return Ok(());
            }
        }
    }

    /// `( ... )` or `(( ... ))`, after any `$`.
    fn brackets(&mut self) -> Step {
        if self.starts(b"((") {
            let from = self.pos;
            self.pos += 2;
            let pending = self.pending.len();
            match self.deeper(Self::arithmetic) {
                Err(Stop::Odd) => {
                    self.pending.truncate(pending);
                    self.pos = from;
                }
                result => return result,
            }
        }
        self.pos += 1;
        self.deeper(|scanner| scanner.list(&[], Within::Brackets)).map(|_| ())
    }

    /// Up to `))`.
    fn arithmetic(&mut self) -> Step {
        let mut depth = 0_usize;
        loop {
            self.step()?;
            if self.done() {
                return Err(Stop::Open);
            }
            match self.peek() {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' if self.byte(self.pos + 1) == b')' => {
                    self.pos += 2;
                    return Ok(());
                }
                // Not arithmetic, then, unless the other bracket is still to come.
                b')' if self.pos + 1 < self.bytes.len() => return Err(Stop::Odd),
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.piece()?;
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
        }
    }

    fn conditional(&mut self) -> Step {
        self.list(&["then"], Within::Words)?;
        loop {
            match self.list(&["elif", "else", "fi"], Within::Words)? {
                "elif" => {
                    self.list(&["then"], Within::Words)?;
                }
                "else" => {
                    self.list(&["fi"], Within::Words)?;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    fn for_loop(&mut self, keyword: usize) -> Step {
        self.pos += keyword;
        self.blanks();
        if self.starts(b"((") {
            self.pos += 2;
            self.arithmetic()?;
        } else {
            if !self.word()? {
                return Err(Stop::Odd);
            }
            self.newlines()?;
            if self.is_word("in") {
                self.pos += 2;
                loop {
                    self.blanks();
                    if !self.word()? {
                        break;
                    }
                }
                if !self.done() && !matches!(self.peek(), b';' | b'\n' | b'#') {
                    return Err(Stop::Odd);
                }
            }
        }
        self.blanks();
        if self.peek() == b';' {
            self.pos += 1;
        }
        self.more()?;
        match self.bare() {
            b"do" => {
                self.pos += 2;
                self.list(&["done"], Within::Words)?;
            }
            b"{" => {
                self.pos += 1;
                self.list(&["}"], Within::Words)?;
            }
            _ => return Err(Stop::Odd),
        }
        Ok(())
    }

    fn case(&mut self) -> Step {
        self.pos += 4;
        self.blanks();
        if !self.word()? {
            return Err(Stop::Odd);
        }
        self.more()?;
        if !self.is_word("in") {
            return Err(Stop::Odd);
        }
        self.pos += 2;
        loop {
            self.more()?;
            if self.is_word("esac") {
                self.pos += 4;
                return Ok(());
            }
            if self.peek() == b'(' {
                self.pos += 1;
            }
            loop {
                self.blanks();
                if !self.word()? {
                    return Err(Stop::Odd);
                }
                self.blanks();
                match self.peek() {
                    b'|' => self.pos += 1,
                    b')' => break,
                    _ => return Err(Stop::Odd),
                }
            }
            self.pos += 1;
            if self.list(&["esac"], Within::Case)? == "esac" {
                return Ok(());
            }
            // `;;`, `;&` or `;;&`.
            self.pos += 2;
            if self.peek() == b'&' {
                self.pos += 1;
            }
        }
    }

    /// `[[ ... ]]`
    fn condition(&mut self) -> Step {
        self.pos += 2;
        // Words since the last operand began, and whether the first is an operator.
        let mut words = 0_usize;
        let mut unary = false;
        loop {
            self.step()?;
            self.blanks();
            if self.is_word("]]") {
                self.pos += 2;
                return Ok(());
            }
            let next = self.byte(self.pos + 1);
            match self.peek() {
                _ if self.done() || self.peek() == b'\n' => {
                    // A line may end only where an operand does.
                    if !(matches!(words, 0 | 3) || words == 2 && unary) {
                        return Err(Stop::Odd);
                    }
                    if self.done() {
                        return Err(Stop::Open);
                    }
                    self.pos += 1;
                }
                b'&' | b'|' if next == self.peek() => {
                    self.pos += 2;
                    words = 0;
                }
                b'!' if words == 0 && is_meta(next) => self.pos += 1,
                // Brackets around operands, or in a pattern.
                b'(' | b')' => self.pos += 1,
                b'|' if words >= 2 => self.pos += 1,
                b'<' | b'>' if next != b'(' => {
                    self.pos += 1;
                    words += 1;
                }
                first => {
                    if words == 0 {
                        unary = first == b'-';
                    }
                    if !self.word()? {
                        return Err(Stop::Odd);
                    }
                    words += 1;
                }
            }
        }
    }

    fn simple(&mut self) -> Step {
        let from = self.pos;
        let mut words = 0_usize;
        loop {
            self.step()?;
            self.blanks();
            if self.done() || self.redirection()? {
                if self.done() {
                    break;
                }
                continue;
            }
            if self.peek() == b'#' {
                break;
            }
            if self.peek() == b'(' {
                // `name ()`, or something only zsh understands.
                self.pos += 1;
                self.blanks();
                if words != 1 || self.peek() != b')' {
                    return Err(Stop::Odd);
                }
                self.pos += 1;
                self.more()?;
                return self.deeper(Self::command);
            }
            if !self.word()? {
                break;
            }
            words += 1;
        }
        if self.pos == from { Err(Stop::Odd) } else { Ok(()) }
    }

    /// Reads a redirection with its target, if there is one.
    fn redirection(&mut self) -> Step<bool> {
        let both = self.starts(b"&>");
        if !both && (!matches!(self.peek(), b'<' | b'>') || self.byte(self.pos + 1) == b'(') {
            return Ok(false);
        }
        if self.starts(b"<<") && !self.starts(b"<<<") {
            self.pos += 2;
            let strip_tabs = self.peek() == b'-';
            self.pos += usize::from(strip_tabs);
            self.blanks();
            let from = self.pos;
            if !self.word()? {
                return Err(Stop::Odd);
            }
            let delimiter = unquoted(self.bytes.get(from..self.pos).unwrap_or(&[]));
            self.pending.push(HereDoc { delimiter, strip_tabs });
            return Ok(true);
        }
        self.pos += usize::from(both);
        while matches!(self.peek(), b'<' | b'>' | b'&' | b'|') {
            self.pos += 1;
            if self.byte(self.pos + 1) == b'(' {
                break;
            }
        }
        self.blanks();
        if self.word()? { Ok(true) } else { Err(Stop::Odd) }
    }

    /// Reads one word, if there is one.
    fn word(&mut self) -> Step<bool> {
        let from = self.pos;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => break,
                b'<' | b'>' if self.byte(self.pos + 1) == b'(' => {
                    self.pos += 1;
                    self.brackets()?;
                }
                b'(' if self.pos > from && self.byte(self.pos - 1) == b'=' => self.array()?,
                b'(' if self.pos > from && is_glob(self.byte(self.pos - 1)) => self.group()?,
                b if is_meta(b) => break,
                _ => self.piece()?,
            }
        }
        Ok(self.pos > from)
    }

    /// `a=( ... )`
    fn array(&mut self) -> Step {
        self.pos += 1;
        loop {
            self.newlines()?;
            if self.done() {
                return Err(Stop::Open);
            }
            if self.peek() == b')' {
                self.pos += 1;
                return Ok(());
            }
            if !self.deeper(Self::word)? {
                return Err(Stop::Odd);
            }
        }
    }

    /// `@( ... )` and its like, which not every shell has.
    fn group(&mut self) -> Step {
        let mut depth = 0_usize;
        while !self.done() {
            self.step()?;
            match self.peek() {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b'\n' => return Err(Stop::Odd),
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.piece()?;
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Stop::Odd)
    }

    /// Reads one byte of a word, or what it opens.
    fn piece(&mut self) -> Step {
        match self.peek() {
            b'\\' => self.backslash(),
            b'\'' => self.until(b'\'', false),
            b'"' => self.double_quote(),
            b'`' => self.until(b'`', true),
            b'$' => self.dollar(false),
            _ => {
                self.pos += 1;
                Ok(())
            }
        }
    }

    fn backslash(&mut self) -> Step {
        if self.pos + 1 >= self.bytes.len() {
            return Err(Stop::Open);
        }
        self.pos += 2;
        Ok(())
    }

    /// From one quote to the next.
    fn until(&mut self, quote: u8, escapes: bool) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            if self.done() {
                return Err(Stop::Open);
            }
            let byte = self.peek();
            if byte == b'\\' && escapes {
                self.backslash()?;
                continue;
            }
            self.pos += 1;
            if byte == quote {
                return Ok(());
            }
        }
    }

    fn double_quote(&mut self) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => return Err(Stop::Open),
                b'"' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => self.backslash()?,
                b'`' => self.until(b'`', true)?,
                b'$' => self.dollar(true)?,
                _ => self.pos += 1,
            }
        }
    }

    fn dollar(&mut self, quoted: bool) -> Step {
        self.pos += 1;
        match self.peek() {
            b'(' => self.brackets(),
            b'{' => self.deeper(|scanner| scanner.parameter(quoted)),
            b'\'' if !quoted => self.until(b'\'', true),
            _ => Ok(()),
        }
    }

    /// `${ ... }`
    fn parameter(&mut self, quoted: bool) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => return Err(Stop::Open),
                b'}' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\'' if quoted => self.pos += 1,
                b'$' => self.dollar(quoted)?,
                _ => self.piece()?,
            }
        }
    }
}

fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}

/// What may stand before the `(` of a pattern in bash or zsh.
fn is_glob(byte: u8) -> bool {
    matches!(byte, b'@' | b'?' | b'*' | b'+' | b'!' | b'~' | b'^' | b']')
}

/// A here-document's delimiter without its quotes.
fn unquoted(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut quote = None;
    let mut bytes = word.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None) => out.extend(bytes.next().filter(|next| *next != b'\n')),
            (b'\'' | b'"', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            (byte, _) => out.push(byte),
        }
    }
    out
}
