//! What a tar archive holds, for a reviewer: every entry that a program might unpack is listed, or a
//! warning at the top says why that cannot be promised. It reads as GNU tar does, which goes on behind
//! most of what is broken.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

/// The most of a compressed archive that is unpacked to read its listing, in bytes: a few milliseconds,
/// for it is done wherever more of it has come.
const UNPACKED: usize = 2 * 1024 * 1024;

/// The most entries of an archive that are listed, and the most dangerous ones after them.
pub(super) const LISTED: usize = 200;

/// The most warnings.
pub(super) const WARNINGS: usize = 16;

const BLOCK: usize = 512;

/// Keywords of extended headers that change neither a name nor what is read as the next header.
const HARMLESS: [&str; 14] = [
    "atime",
    "charset",
    "comment",
    "ctime",
    "gid",
    "gname",
    "hdrcharset",
    "mtime",
    "uid",
    "uname",
    "LIBARCHIVE.creationtime",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
];

/// What the bytes of an archive hold, line by line; `None` for anything else. Only what is unpacked may
/// begin with something else.
pub(super) fn listing(bytes: &[u8], ended: bool, unpacked: bool) -> Option<Vec<String>> {
    let mut list = List { ended, ..List::default() };
    let plain = list.unpack(bytes);
    let first = (0..plain.len())
        .step_by(BLOCK)
        .take_while(|at| *at == 0 || unpacked)
        .find(|at| block(&plain, *at).is_some_and(|header| begins(header, *at == 0)))?;
    if first > 0 {
        let zeros = plain.get(..first).is_some_and(|start| start.iter().all(|byte| *byte == 0));
        let what = if zeros { "with zeros" } else { "with what is no archive" };
        list.warn(format!("it begins {what}: some programs stop there, others go on"));
    }
    list.read(&plain, first);
    Some(list.lines())
}

fn block(plain: &[u8], at: usize) -> Option<&[u8]> {
    plain.get(at..at.checked_add(BLOCK)?)
}

fn field(header: &[u8], from: usize, length: usize) -> &[u8] {
    header.get(from..from.saturating_add(length)).unwrap_or_default()
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Whether an archive may begin with this block: further behind only one that is certain.
fn begins(header: &[u8], at_start: bool) -> bool {
    let magic = field(header, 257, 5) == b"ustar";
    // What `tar` itself takes for an archive need not have the magic.
    if at_start { magic || sums_up(header) } else { magic && sums_up(header) }
}

/// Whether the checksum is right, and written so that every program reads it alike.
fn sums_up(header: &[u8]) -> bool {
    let sum = |from: usize, to: usize| -> u64 {
        header.get(from..to).unwrap_or_default().iter().map(|byte| u64::from(*byte)).sum()
    };
    let spaces = 8 * u64::from(b' ');
    octal(field(header, 148, 8)).is_some_and(|sum_said| {
        sum_said == sum(0, 148).saturating_add(sum(156, BLOCK)).saturating_add(spaces)
    })
}

/// A number in octal digits, with blanks in front and a NUL or blanks behind.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let digits = field.get(start..)?;
    let end = digits.iter().position(|byte| !(b'0'..=b'7').contains(byte)).unwrap_or(digits.len());
    let rest = digits.get(end..)?;
    if end == 0 || rest.iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits.get(..end)?).ok()?, 8).ok()
}

/// A number of a header: octal, or binary behind a byte that says so.
fn number(field: &[u8]) -> Option<u64> {
    let Some((0x80, rest)) = field.split_first() else { return octal(field) };
    let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
    let low: [u8; 8] = low.try_into().ok()?;
    (high.iter().all(|byte| *byte == 0)).then(|| u64::from_be_bytes(low))
}

/// The records of an extended header; `None` if they are not as they must be.
fn records(mut data: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let blank = data.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(data.get(..blank)?).ok()?.parse().ok()?;
        let record = data.get(blank.checked_add(1)?..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let key = String::from_utf8(record.get(..equals)?.to_vec()).ok()?;
        out.push((key, record.get(equals.checked_add(1)?..)?.to_vec()));
        data = data.get(length..)?;
    }
    Some(out)
}

/// What stands in front of an entry and changes it.
#[derive(Default)]
struct Before {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    extended: bool,
    path: Option<Vec<u8>>,
    sparse_name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

#[derive(Default)]
struct List {
    ended: bool,
    /// Only the beginning was unpacked.
    cut: bool,
    /// What is to come has not come.
    unfinished: bool,
    warnings: Vec<String>,
    rows: Vec<String>,
    /// Dangerous ones that came after so many others.
    late: Vec<String>,
    entries: u64,
    total: u64,
    seen: BTreeMap<Vec<u8>, bool>,
    links: BTreeSet<Vec<u8>>,
}

impl List {
    fn warn(&mut self, what: impl Into<String>) {
        let what = format!("WARNING: {}", what.into());
        if self.warnings.len() < WARNINGS && !self.warnings.contains(&what) {
            self.warnings.push(what);
        }
    }

    /// What is compressed is unpacked as far as it goes.
    fn unpack<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let [0x1f, 0x8b, ..] = bytes else { return Cow::Borrowed(bytes) };
        let mut out = Vec::new();
        let most = u64::try_from(UNPACKED).unwrap_or(0).saturating_add(1);
        // Parts that were compressed one by one are one archive.
        let read = flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out);
        if out.len() > UNPACKED {
            out.truncate(UNPACKED);
            self.cut = true;
        } else if let Err(e) = read {
            let short = e.kind() == std::io::ErrorKind::UnexpectedEof;
            if self.ended || !short {
                self.warn(format!("only the beginning can be unpacked ({e}): there may be more"));
            }
            self.unfinished |= short;
        }
        Cow::Owned(out)
    }

    fn read(&mut self, plain: &[u8], first: usize) {
        let mut at = first;
        let mut before = Before::default();
        let mut zeros = false;
        while let Some(header) = block(plain, at) {
            let next = at.saturating_add(BLOCK);
            if header.iter().all(|byte| *byte == 0) {
                (zeros, before, at) = (true, Before::default(), next);
                continue;
            }
            if std::mem::take(&mut zeros) {
                self.warn(
                    "it goes on after zeros that may be its end: some programs stop there, others \
                     do not",
                );
            }
            let size = number(field(header, 124, 12)).filter(|_| sums_up(header));
            let Some(size) = size else {
                self.warn(
                    "it holds what is no entry: programs skip that, and may unpack what is not \
                     listed",
                );
                // Any block may be the next header.
                (before, at) = (Before::default(), next);
                continue;
            };
            let kind = header.get(156).copied().unwrap_or(0);
            at = match kind {
                b'x' | b'X' | b'g' | b'L' | b'K' => {
                    let end = next.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
                    let Some(data) = plain.get(next..end) else {
                        at = usize::MAX;
                        break;
                    };
                    self.extension(kind, data, &mut before);
                    next.saturating_add(rounded(size))
                }
                _ => {
                    let (size, extra) = self.entry(header, kind, size, &before, plain, next);
                    before = Before::default();
                    next.saturating_add(extra).saturating_add(rounded(size))
                }
            };
        }
        let rest = plain.get(at..).unwrap_or_default();
        if at > plain.len() || !rest.is_empty() {
            self.unfinished = true;
            if self.ended && !self.cut {
                self.warn("it ends in the middle of an entry");
            }
        }
    }

    /// What is no entry itself, but is about the next one, or all.
    fn extension(&mut self, kind: u8, data: &[u8], before: &mut Before) {
        if matches!(kind, b'L' | b'K') && !data.contains(&0) {
            self.warn("a long name has no end: programs read further, each its own way");
        }
        match kind {
            b'L' => before.long_name = Some(text(data).to_vec()),
            b'K' => before.long_link = Some(text(data).to_vec()),
            _ => {
                let Some(records) = records(data) else {
                    self.warn("an extended header cannot be read: names may be other ones");
                    return;
                };
                if kind == b'g' {
                    let strange = |(key, _): &&(String, _)| !HARMLESS.contains(&key.as_str());
                    if let Some((key, _)) = records.iter().find(strange) {
                        self.warn(format!(
                            "a global header may rename what follows ({}): the names below may not \
                             be those that are unpacked",
                            shown(key.as_bytes())
                        ));
                    }
                    return;
                }
                if std::mem::replace(&mut before.extended, true) {
                    self.warn("an entry has two extended headers: programs read them differently");
                }
                for (key, value) in records {
                    if value.contains(&0) {
                        self.warn("an extended header holds NUL: names may be other ones");
                    }
                    let value = text(&value).to_vec();
                    match key.as_str() {
                        "path" => before.path = Some(value),
                        "linkpath" => before.link = Some(value),
                        "size" => {
                            let size = std::str::from_utf8(&value).ok();
                            before.size = size.and_then(|size| size.parse().ok());
                            if before.size.is_none() {
                                self.warn("the size of an entry is no number");
                            }
                        }
                        "GNU.sparse.name" => before.sparse_name = Some(value),
                        _ => {}
                    }
                    if key.starts_with("GNU.sparse.") {
                        self.warn(
                            "it holds sparse files: not all programs find the same behind them",
                        );
                    }
                }
            }
        }
    }

    /// Lists an entry; how much of it follows, and how much comes before that.
    fn entry(
        &mut self,
        header: &[u8],
        kind: u8,
        mut size: u64,
        before: &Before,
        plain: &[u8],
        next: usize,
    ) -> (u64, usize) {
        let mut name = text(field(header, 0, 100)).to_vec();
        let prefix = text(field(header, 345, 155));
        if field(header, 257, 6) == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let given = [&before.sparse_name, &before.path, &before.long_name];
        if let Some(given) = given.into_iter().flatten().next() {
            name.clone_from(given);
        }
        let link = before.link.as_ref().or(before.long_link.as_ref());
        let link = link.map_or_else(|| text(field(header, 157, 100)).to_vec(), Clone::clone);
        let letter = match kind {
            b'0' | 0 | b'7' if name.ends_with(b"/") => 'd',
            b'5' | b'D' => 'd',
            b'2' => 'l',
            b'1' => 'h',
            b'0' | 0 | b'7' | b'S' => '-',
            _ => '?',
        };
        if letter != '-' && size > 0 {
            self.warn("an entry that is no file has a size: programs go on at different places");
        }
        if letter == 'h' {
            size = 0;
        }
        if let Some(other) = before.size.filter(|other| *other != size) {
            if size > 0 || letter != '-' {
                self.warn("an entry has two sizes: programs go on at different places");
            }
            size = other;
        }
        let mut extra = 0_usize;
        if kind == b'S' {
            self.warn("it holds sparse files: not all programs find the same behind them");
            let mut more = header.get(482).copied().unwrap_or(0) != 0;
            while more {
                let map = block(plain, next.saturating_add(extra));
                extra = extra.saturating_add(BLOCK);
                more = map.is_some_and(|map| map.get(504).copied().unwrap_or(0) != 0);
            }
        }
        let mode = octal(field(header, 100, 8)).unwrap_or(0);
        let to = matches!(letter, 'l' | 'h').then_some(link.as_slice());
        let flags = self.flags(&name, letter, mode, to);
        let to = to.map(|to| format!(" -> {}", shown(to))).unwrap_or_default();
        self.entries = self.entries.saturating_add(1);
        self.total = self.total.saturating_add(size);
        let row = |flags: &str| {
            format!("{letter}{:04o} {size:>10} {}{to}{flags}", mode & 0o7777, shown(&name))
        };
        if flags.is_empty() {
            if self.rows.len() < LISTED {
                self.rows.push(row(""));
            }
        } else {
            let rows = if self.rows.len() < LISTED { &mut self.rows } else { &mut self.late };
            if rows.len() < LISTED {
                rows.push(row(&format!("  [{}]", flags.join(", "))));
            }
        }
        (size, extra)
    }

    /// What is dangerous about an entry.
    fn flags(
        &mut self,
        name: &[u8],
        letter: char,
        mode: u64,
        to: Option<&[u8]>,
    ) -> Vec<&'static str> {
        let mut flags = Vec::new();
        if name.starts_with(b"/") {
            flags.push("absolute");
        }
        if parts(name).any(|part| part == b"..") {
            flags.push("leaves the directory");
        }
        if mode & 0o6000 != 0 {
            flags.push("set-user-id");
        }
        if letter == '?' {
            flags.push("device or other");
        }
        if to.is_some_and(|to| leads_out(name, letter, to)) {
            flags.push("leads out");
        }
        let plain: Vec<&[u8]> = parts(name).filter(|part| *part != b".").collect();
        let above = (1..plain.len()).filter_map(|length| plain.get(..length));
        if above.map(|above| above.join(&b'/')).any(|above| self.links.contains(&above)) {
            flags.push("through a link of the archive");
        }
        let whole = plain.join(&b'/');
        let is_directory = letter == 'd';
        match self.seen.insert(whole.clone(), is_directory) {
            Some(true) if is_directory => {}
            Some(_) => flags.push("again: the later one counts"),
            None => {}
        }
        if letter == 'l' {
            self.links.insert(whole);
        } else {
            self.links.remove(&whole);
        }
        flags
    }

    fn lines(self) -> Vec<String> {
        let mut out = self.warnings;
        let limit = format!(
            "WARNING: only the first {UNPACKED} bytes of it were looked at: there may be more entries"
        );
        let shown = u64::try_from(self.rows.len().saturating_add(self.late.len())).unwrap_or(0);
        if self.cut {
            out.push(limit.clone());
        }
        if shown < self.entries {
            out.push(format!("WARNING: only {shown} of {} entries are listed", self.entries));
        }
        let far = if self.unfinished && !self.ended { " so far" } else { "" };
        out.push(format!("{} entries{far}, {} bytes unpacked:", self.entries, self.total));
        out.extend(self.rows);
        if shown < self.entries {
            out.push("… and more; of them these stand out:".to_owned());
        }
        out.extend(self.late);
        if self.cut {
            out.push(limit);
        } else if self.unfinished {
            let end = if self.ended {
                "it ends here, in the middle"
            } else {
                "the rest did not come yet"
            };
            out.push(format!("… {end}"));
        }
        out
    }
}

/// What a size takes in the archive.
fn rounded(size: u64) -> usize {
    let blocks = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
    usize::try_from(blocks).unwrap_or(usize::MAX)
}

fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

/// Whether a link points out of the directory that is unpacked into.
fn leads_out(name: &[u8], letter: char, to: &[u8]) -> bool {
    if to.starts_with(b"/") {
        return true;
    }
    // A hard link is named from the top, a symbolic one from where it is.
    let inner = parts(name).filter(|part| *part != b".").count().saturating_sub(1);
    let mut depth = if letter == 'l' { inner } else { 0 };
    for part in parts(to) {
        match part {
            b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth = depth.saturating_sub(1),
            _ => depth = depth.saturating_add(1),
        }
    }
    false
}

/// A name on one line, with everything in it visible.
pub(super) fn shown(name: &[u8]) -> String {
    expacti_engine::make_visible(name).text.replace('\n', "⟨U+000A⟩").replace('\t', "⟨U+0009⟩")
}

#[cfg(test)]
mod tests;
