//! What people and programs read: data on standard output, everything else on standard error.

use std::io::{self, Write as _};

use expacti_engine::{Level, make_visible};
use expacti_protocol::session::SessionInfo;
use serde::Serialize;

/// A line on standard error.
pub(crate) fn note(message: &str) {
    let _ = writeln!(anstream::stderr(), "expacti: {message}");
}

/// One JSON document on standard output.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", escaped(&serde_json::to_string_pretty(value)?))
}

/// One JSON document as a line of standard output, for a program that reads it at once.
pub(crate) fn json_line<T: Serialize + ?Sized>(value: &T) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", escaped(&serde_json::to_string(value)?))?;
    out.flush()
}

/// The same JSON, in which nothing moves the cursor, reorders what is around it or cannot be seen. Such
/// characters stand in strings only, where an escape means the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        let hidden = c == '\x7f' || (!c.is_ascii() && is_hidden(c));
        if hidden {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

fn is_hidden(c: char) -> bool {
    !make_visible(c.encode_utf8(&mut [0; 4]).as_bytes()).hidden.is_empty()
}

/// A line on standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout(), "{text}")
}

/// Text from elsewhere made safe for a terminal: nothing in it can move the cursor.
pub(crate) fn safe(text: &str) -> String {
    make_visible(text.as_bytes()).text.replace('\n', "⏎")
}

/// The word for a level, coloured.
pub(crate) fn level(level: Level) -> String {
    let (word, style) = match level {
        Level::Low => ("LOW", ""),
        Level::Medium => ("MEDIUM", "\x1b[33m"),
        Level::High => ("HIGH", "\x1b[1;33m"),
        Level::Critical => ("CRITICAL", "\x1b[1;31m"),
    };
    format!("{style}{word}\x1b[0m")
}

/// The agent of a session, and in the colour of a warning what may go round the gate.
pub(crate) fn agent(session: &SessionInfo) -> String {
    let agent = safe(&session.agent);
    match session.caution() {
        Some(caution) => format!("{agent} {}", warning(&safe(&caution))),
        None => agent,
    }
}

/// A warning, coloured; in parentheses, as colour alone says nothing.
pub(crate) fn warning(text: &str) -> String {
    format!("\x1b[33m({text})\x1b[0m")
}

/// Rows in columns, each as wide as its longest cell; the last is not padded.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |text: &str| unicode_width::UnicodeWidthStr::width(plain(text).as_str());
    let mut widths: Vec<usize> = head.iter().map(|h| h.len()).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(width(cell));
        }
    }
    let mut out = anstream::stdout();
    let head: Vec<String> = head.iter().map(|h| format!("\x1b[1m{h}\x1b[0m")).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut text = String::new();
        for (i, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if i + 1 < row.len() {
                let pad = widths.get(i).copied().unwrap_or(0).saturating_sub(width(cell)) + 2;
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// A text without our own colour sequences.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// How long ago, or how long until: `41s`, `3m`, `2h`, `5d`.
pub(crate) fn span(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..=119 => format!("{s}s"),
        120..=7199 => format!("{}m", s / 60),
        7200..=172_799 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A time for people, in the local zone.
pub(crate) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| "?".to_owned(),
        |t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use expacti_protocol::uplink::Isolation;

    use super::*;

    #[test]
    fn json_stays_the_same_and_moves_nothing() -> serde_json::Result<()> {
        let text =
            "a\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2066}\u{200b}\u{2028}\u{e0041} grün 日本 \\ \" \n";
        let value = serde_json::json!({ text: [text], "plain": 1 });
        for json in [serde_json::to_string(&value)?, serde_json::to_string_pretty(&value)?] {
            let shown = escaped(&json);
            assert!(
                !shown.chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)),
                "{shown}"
            );
            assert!(shown.contains("grün 日本") && shown.contains("\\udb40\\udc41"), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown)?, value);
        }
        Ok(())
    }

    #[test]
    fn an_agent_that_can_go_round_the_gate_is_told_apart() {
        let mut session = SessionInfo { agent: "bot".to_owned(), ..SessionInfo::default() };
        session.isolation = Some(Isolation::Namespace);
        assert_eq!(agent(&session), "bot");
        session.isolation = Some(Isolation::PathOnly);
        session.with = vec!["a\u{1b}[2Jb".to_owned()];
        let said = agent(&session);
        assert!(said.starts_with("bot \u{1b}[33m(not isolated, with a"), "{said}");
        // Only our own colours move anything.
        assert_eq!(said.matches('\u{1b}').count(), 2, "{said}");
    }
}
