//! The sanitizer: every string that came from the broker passes here before it is drawn. It must
//! never let a character through that moves the cursor, reorders, or takes no or unknown room.

use std::borrow::Cow;

use expacti_engine::make_visible;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// One line of clean text: no line breaks, nothing hidden, at most `max` characters of the source.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let cut: Cow<'_, str> = match text.char_indices().nth(max) {
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
        None => Cow::Borrowed(text),
    };
    if cut.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return cut.into_owned();
    }
    let mut line = String::with_capacity(cut.len());
    for c in split_clusters(&make_visible(cut.as_bytes()).text).chars() {
        match c {
            '\n' => line.push('⏎'),
            '\t' => line.push('⇥'),
            c => line.push(c),
        }
    }
    line
}

/// Clean text for a terminal that shows only ASCII: everything else by its number.
pub(crate) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '⟨' => out.push('<'),
            '⟩' => out.push('>'),
            '⏎' => out.push_str("\\n"),
            '⇥' => out.push_str("\\t"),
            '…' => out.push('~'),
            '—' | '–' => out.push('-'),
            '·' => out.push('.'),
            '•' => out.push('*'),
            c => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Several characters that a terminal may draw as one have no width all terminals agree on: they
/// are named one by one.
fn split_clusters(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || text.graphemes(true).all(|g| g.chars().nth(1).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        if cluster.chars().nth(1).is_none() {
            out.push_str(cluster);
        } else {
            for c in cluster.chars() {
                out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
            }
        }
    }
    Cow::Owned(out)
}

/// Clean text with our long ids cut to what the screen shows of them elsewhere, too: `rule
/// 02q9`, the last four letters, which every command of ours takes for the id.
pub(crate) fn short_ids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('_') {
        let (head, tail) = rest.split_at(at);
        let id = tail.get(1..27).filter(|id| {
            id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
                && !tail.get(27..28).is_some_and(|c| c.bytes().all(|b| b.is_ascii_alphanumeric()))
        });
        let known = ["cmd", "rule", "sess", "pol", "prn"].iter().any(|p| head.ends_with(p));
        out.push_str(head);
        match id.filter(|_| known) {
            Some(id) => {
                out.push(' ');
                out.push_str(id.get(22..).unwrap_or_default());
                rest = tail.get(27..).unwrap_or_default();
            }
            None => {
                out.push('_');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// Columns that clean text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Clean text cut to `columns`, ending in `…` when something was cut.
pub(crate) fn fit(text: &str, columns: usize, ascii: bool) -> String {
    if text.len() <= columns || width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    if columns > 0 {
        out.push_str(if ascii { "~" } else { "…" });
    }
    out
}

/// Clean text cut to `columns` in its middle, with `…` there: how a command ends says as much as how
/// it begins.
pub(crate) fn fit_middle(text: &str, columns: usize, ascii: bool) -> String {
    if text.len() <= columns || width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let tail = room * 2 / 5;
    let take = |most: usize, chars: &mut dyn Iterator<Item = char>| {
        let mut used = 0;
        let fits = chars.take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= most
        });
        fits.collect::<String>()
    };
    let head = take(room - tail, &mut text.chars());
    let end: String = take(tail, &mut text.chars().rev()).chars().rev().collect();
    let dots = match (columns, ascii) {
        (0, _) => "",
        (_, true) => "~",
        (_, false) => "…",
    };
    format!("{head}{dots}{end}")
}

/// `m:ss`, or `h:mm:ss` from an hour up; never negative.
pub(crate) fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(n: usize) -> String {
    match n {
        1 => "1 byte".to_owned(),
        0..10_000 => format!("{n} bytes"),
        10_000..1_000_000 => format!("{} kB", n / 1000),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_holds_no_surprises() {
        assert_eq!(clean("a\nb\tc", 99), "a⏎b⇥c");
        assert_eq!(clean("\x1b[2J\u{202e}x", 99), "⟨U+001B⟩[2J⟨U+202E⟩x");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("👩\u{200d}👩", 99), "👩⟨U+200D⟩👩");
        // A flag is two characters drawn as one, or not: no two terminals agree.
        assert_eq!(clean("🇩🇪", 99), "⟨U+1F1E9⟩⟨U+1F1EA⟩");
        assert_eq!(to_ascii(&clean("é\n\u{202e}", 9)), "<U+00E9>\\n<U+202E>");
    }

    #[test]
    fn ids_are_cut_to_their_end() {
        let rule = "whitelist:rule_01h455vb4pex5vsknk084sn02q";
        assert_eq!(short_ids(rule), "whitelist:rule 2q".replace("2q", "n02q"));
        assert_eq!(short_ids(&format!("({rule}, x_y)")), "(whitelist:rule n02q, x_y)");
        for same in ["rule_01h4", "my_rule_", "_", "x_01h455vb4pex5vsknk084sn02q", "rule_é"] {
            assert_eq!(short_ids(same), same);
        }
    }

    #[test]
    fn fits_by_columns() {
        assert_eq!(fit("日本語", 5, false), "日本…");
        assert_eq!(fit("abc", 3, false), "abc");
        assert_eq!(fit("abcd", 3, true), "ab~");
        assert_eq!(duration(-4), "0:00");
        assert_eq!(duration(3_661), "1:01:01");
    }
}
