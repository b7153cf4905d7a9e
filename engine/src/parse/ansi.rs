//! Decodes `$'...'`. It must never fail: whatever is not an escape stands for itself.

/// The decoded text of the inside of `$'...'`, and whether a numeric escape spelled a printable
/// character.
pub(crate) fn decode(inner: &str) -> (String, bool) {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut encoded = false;
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        let Some(next) = chars.next() else {
            bytes.push(b'\\');
            break;
        };
        let mut number = |first: u32, radix: u32, most: usize| {
            let mut value = first;
            let mut taken = 0;
            while taken < most {
                let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else {
                    break;
                };
                chars.next();
                value = value.wrapping_mul(radix).wrapping_add(digit);
                taken += 1;
            }
            (value, taken)
        };
        let value = match next {
            'a' => Some(7),
            'b' => Some(8),
            'e' | 'E' => Some(27),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            '\\' | '\'' | '"' | '?' => Some(u32::from(next)),
            'c' => chars.next().map(|c| u32::from(c) & 0x1f),
            'x' => match number(0, 16, 2) {
                (_, 0) => None,
                (value, _) => {
                    encoded |= (0x20..0x7f).contains(&value);
                    // A byte, not a character.
                    bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
                    continue;
                }
            },
            'u' | 'U' => match number(0, 16, if next == 'u' { 4 } else { 8 }) {
                (_, 0) => None,
                (value, _) => {
                    encoded |= (0x20..0x7f).contains(&value);
                    Some(value)
                }
            },
            '0'..='7' => {
                let (value, _) = number(next.to_digit(8).unwrap_or(0), 8, 2);
                encoded |= (0x20..0x7f).contains(&value);
                bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
                continue;
            }
            _ => None,
        };
        match value.and_then(char::from_u32) {
            Some(c) => push(&mut bytes, c),
            None => {
                bytes.push(b'\\');
                push(&mut bytes, next);
            }
        }
    }
    (String::from_utf8_lossy(&bytes).into_owned(), encoded)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    let mut buffer = [0; 4];
    bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_are_those_of_bash() {
        for (inner, text, encoded) in [
            (r"\x72m", "rm", true),
            (r"\162\u006d", "rm", true),
            (r"it\'s", "it's", false),
            (r"a\nb\tc", "a\nb\tc", false),
            (r"\q\", r"\q\", false),
            (r"\xZ", r"\xZ", false),
        ] {
            assert_eq!(decode(inner), (text.to_owned(), encoded), "{inner}");
        }
    }
}
