//! Secrets whose name and value stand apart: `{"name": "DB_PASSWORD", "value": "x"}`, `ParameterKey=...`, and
//! elements of XML. Its work is linear in the text.

use std::ops::Range;

use super::names::{is_no_value, is_secret_name};
use super::text as shown;

/// The most bytes between a name and its value.
const APART: usize = 96;

/// Where such secrets are in a text.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    if text.contains("alue") {
        apart(text, found);
    }
    if text.contains("</") {
        elements(text, found);
    }
}

/// `name: X` and then `value: Y`; `Key=X,Value=Y`.
fn apart(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(offset) = text.get(from..).and_then(|rest| rest.find("alue")) {
        let at = from + offset;
        from = at + 4;
        let Some((value, _)) = assigned(text, at + 4) else { continue };
        let name = text.get(shown::widen(text, at.saturating_sub(APART)..at)).and_then(|before| {
            let names = before.match_indices("ame").map(|(at, _)| at + 3);
            let keys = before.match_indices("ey").map(|(at, _)| at + 2);
            let ends = names.chain(keys).filter_map(|end| assigned(before, end));
            let (range, end) = ends.max_by_key(|(_, end)| *end)?;
            // Nothing else stands between the two.
            let between = before.get(end..)?;
            let tail = between.trim_start_matches(['"', '\'', '\\']);
            let close = tail.trim_start().starts_with(',')
                || tail.trim_start_matches(' ').starts_with('\n');
            let free = tail.bytes().filter(|b| matches!(b, b':' | b'=')).count() == 0;
            (close && free).then(|| before.get(range)).flatten()
        });
        let Some(secret) = text.get(value.clone()) else { continue };
        if name.is_some_and(is_secret_name) && !is_no_value(secret) && !secret.starts_with('$') {
            from = value.end;
            found.push(value);
        }
    }
}

/// What is assigned to the name that ends there, and where that ends.
fn assigned(text: &str, end: usize) -> Option<(Range<usize>, usize)> {
    let bytes = text.as_bytes();
    let mut at = end;
    let mut sign = false;
    while let Some(b) = bytes.get(at) {
        match b {
            b':' | b'=' if !sign => sign = true,
            b'"' | b'\'' | b'\\' | b' ' => {}
            _ => break,
        }
        at += 1;
    }
    if !sign || at - end > 8 {
        return None;
    }
    let quote =
        at.checked_sub(1).and_then(|at| bytes.get(at)).filter(|b| matches!(b, b'"' | b'\''));
    let rest = bytes.get(at..)?;
    let ends = |b: &u8| match quote {
        Some(quote) => b == quote || *b == b'\\',
        None => b" \t\r\n,;}])\"'\\".contains(b),
    };
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    (length > 0).then_some((at..at + length, at + length))
}

/// `<password>x</password>`.
fn elements(text: &str, found: &mut Vec<Range<usize>>) {
    for (open, _) in text.match_indices('<').take(4096) {
        let Some(rest) = text.get(open + 1..) else { continue };
        let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || "_.-:".contains(c))).next();
        let name = name.unwrap_or("");
        let bare = name.rsplit(':').next().unwrap_or(name);
        if bare.len() < 3 || !is_secret_name(bare) {
            continue;
        }
        let Some(close) = rest.find('>').filter(|at| *at <= name.len() + APART) else { continue };
        let from = open + 1 + close + 1;
        let Some(length) = text.get(from..).and_then(|value| value.find("</")) else { continue };
        let value = from..from + length;
        if text.get(value.clone()).is_some_and(|secret| {
            !is_no_value(secret) && !secret.starts_with('$') && !secret.contains('<')
        }) {
            found.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut ranges = Vec::new();
        find(text, &mut ranges);
        ranges.into_iter().filter_map(|range| text.get(range)).collect()
    }

    #[test]
    fn a_value_goes_with_its_name() {
        for text in [
            r#"[{"name":"DB_PASSWORD","value":"S3cr-et9"}]"#,
            r#"{"Name": "api-token", "Value": "S3cr-et9"}"#,
            "- name: DB_PASSWORD\n  value: S3cr-et9\n",
            "- name: DB_PASSWORD\n  value: \"S3cr-et9\"\n",
            "ParameterKey=DBPassword,ParameterValue=S3cr-et9",
            r#"{\"name\":\"TOKEN\",\"value\":\"S3cr-et9\"}"#,
            "<password>S3cr-et9</password>",
            "<u><wsse:Password Type=\"x\">S3cr-et9</wsse:Password></u>",
        ] {
            assert_eq!(all(text), ["S3cr-et9"], "{text}");
        }
        for text in [
            r#"[{"name":"DB_HOST","value":"db"}]"#,
            r#"{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":"x"}}"#,
            r#"{"name":"DB_PASSWORD","type":"x","other":{"value":"db"}}"#,
            "- name: TOKEN\n  value: $TOKEN\n",
            "<passwords>2</passwords><b>x</b>",
            "<password></password>",
            "ParameterKey=Host,ParameterValue=db",
            "value: 3",
        ] {
            assert_eq!(all(text), [""; 0], "{text}");
        }
    }
}
