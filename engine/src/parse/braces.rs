//! Brace expansion. It must never make more than a bounded number of words.

/// The most words one word expands to; beyond it the word stays as it is.
const MAX: usize = 64;

/// A character of a word, and whether it was quoted.
pub(crate) type Marked = (char, bool);

/// Expands `{a,b}` and `{1..3}`; `None` where there is nothing to expand or too much.
pub(crate) fn expand(word: &[Marked]) -> Option<Vec<String>> {
    let mut out = vec![Vec::new()];
    if !expand_into(word, &mut out, 0) || out.len() < 2 {
        return None;
    }
    Some(out.into_iter().map(|chars| chars.into_iter().map(|(c, _): Marked| c).collect()).collect())
}

/// Appends every expansion of `word` to every word in `out`; false where there is too much.
fn expand_into(word: &[Marked], out: &mut Vec<Vec<Marked>>, depth: usize) -> bool {
    if depth > 8 {
        return false;
    }
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        if *first == ('{', false)
            && let Some((items, after)) = group(rest)
        {
            let mut next = Vec::new();
            for item in items {
                let mut branch = out.clone();
                if !expand_into(&item, &mut branch, depth + 1) {
                    return false;
                }
                next.extend(branch);
                if next.len() > MAX {
                    return false;
                }
            }
            *out = next;
            rest = after;
            continue;
        }
        for made in out.iter_mut() {
            made.push(*first);
        }
        rest = tail;
    }
    true
}

/// The items of the group that starts `word`, and what follows it.
fn group(word: &[Marked]) -> Option<(Vec<Vec<Marked>>, &[Marked])> {
    let mut depth = 0_usize;
    let mut items = vec![Vec::new()];
    for (at, marked) in word.iter().enumerate() {
        match *marked {
            ('{', false) => {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            }
            ('}', false) => {
                depth -= 1;
                if depth == 0 {
                    let after = word.get(at + 1..).unwrap_or(&[]);
                    return match items.as_slice() {
                        [only] => range(only).map(|items| (items, after)),
                        _ => Some((items, after)),
                    };
                }
            }
            (',', false) if depth == 1 => {
                items.push(Vec::new());
                continue;
            }
            _ => {}
        }
        items.last_mut()?.push(*marked);
    }
    None
}

/// `1..3` or `a..e`.
fn range(inner: &[Marked]) -> Option<Vec<Vec<Marked>>> {
    let text: String = inner.iter().map(|(c, _)| c).collect();
    let (from, to) = text.split_once("..")?;
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let (low, high) = (from.min(to), from.max(to));
        if high.checked_sub(low)? >= MAX as i64 {
            return None;
        }
        return Some(
            (low..=high).map(|n| n.to_string().chars().map(|c| (c, false)).collect()).collect(),
        );
    }
    let one = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|c| c.is_ascii_alphabetic() && chars.next().is_none())
    };
    let (from, to) = (one(from)?, one(to)?);
    Some((from.min(to)..=from.max(to)).map(|c| vec![(c, false)]).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::expand;

    #[test]
    fn groups_and_ranges_expand() {
        let words = |text: &str| {
            expand(&text.chars().map(|c| (c, false)).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(words("{rm,-rf,/}"), ["rm", "-rf", "/"]);
        assert_eq!(words("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(words("x{1..3}"), ["x1", "x2", "x3"]);
        assert_eq!(words("r{m,}"), ["rm", "r"]);
        assert!(words("{a}").is_empty());
        assert!(words("{1..999999}").is_empty());
        assert!(words(&"{a,b}".repeat(40)).is_empty());
    }
}
