//! The lines that nearly all of a recording consists of, read without a JSON parser. It must never
//! read a line otherwise than `serde_json` would: whatever is out of the ordinary is left to that.

use super::asciicast::Kind;

/// Powers of ten that a `f64` holds exactly.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// `[1.25, "o", "text"]`: appends the text to `out`. `None`, and `out` as it was, when the line
/// is anything but that.
pub(super) fn event(line: &[u8], out: &mut String) -> Option<(f64, Kind)> {
    let start = out.len();
    let read = parse(line, out);
    if read.is_none() {
        out.truncate(start);
    }
    read
}

fn parse(line: &[u8], out: &mut String) -> Option<(f64, Kind)> {
    let line = std::str::from_utf8(line).ok()?;
    let (time, rest) = number(spaces(line.strip_prefix('[')?))?;
    let rest = spaces(rest).strip_prefix(',')?;
    let code = spaces(rest).strip_prefix('"')?;
    let kind = match code.as_bytes().first()? {
        b'o' => Kind::Output,
        b'i' => Kind::Input,
        b'm' => Kind::Marker,
        b'r' => Kind::Resize,
        _ => return None,
    };
    let rest = code.get(1..)?.strip_prefix('"')?;
    let data = spaces(spaces(rest).strip_prefix(',')?).strip_prefix('"')?;
    let rest = string(data, out)?;
    (spaces(rest) == "]").then_some((time, kind))
}

fn spaces(text: &str) -> &str {
    text.trim_start_matches(' ')
}

/// A number that is its digits over a power of ten, both exact: correctly rounded by one division.
fn number(text: &str) -> Option<(f64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let (head, mut rest) = text.split_at_checked(whole)?;
    if head.is_empty() || (head.len() > 1 && head.starts_with('0')) {
        return None;
    }
    let mut places = "";
    if let Some(after) = rest.strip_prefix('.') {
        (places, rest) = after.split_at_checked(digits(after)).filter(|(p, _)| !p.is_empty())?;
    }
    if head.len() + places.len() > 15 || rest.starts_with(['e', 'E']) {
        return None;
    }
    let value = head
        .bytes()
        .chain(places.bytes())
        .fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((value as f64 / POWERS.get(places.len())?, rest))
}

/// A string up to its closing quote; what follows it.
fn string<'a>(mut text: &'a str, out: &mut String) -> Option<&'a str> {
    loop {
        let at = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
        let (plain, rest) = text.split_at_checked(at)?;
        // JSON has no control characters in strings.
        if plain.bytes().any(|b| b < 0x20) {
            return None;
        }
        out.push_str(plain);
        if let Some(after) = rest.strip_prefix('"') {
            return Some(after);
        }
        let escape = rest.get(1..)?;
        let c = match escape.as_bytes().first()? {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            c @ (b'"' | b'\\' | b'/') => char::from(*c),
            b'u' => {
                let hex = escape.get(1..5).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
                // Half a surrogate pair is no character: that is for the parser.
                out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                text = escape.get(5..)?;
                continue;
            }
            _ => return None,
        };
        out.push(c);
        text = escape.get(1..)?;
    }
}
