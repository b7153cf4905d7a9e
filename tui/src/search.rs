//! Where a word stands in a text. It must never match letters other than the ones asked for.

/// Where `needle` stands in `text`, from the first.
pub(crate) fn matches<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let exact = needle.bytes().any(|b| b.is_ascii_uppercase());
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    text.windows(needle.len().max(1)).enumerate().filter_map(move |(at, window)| {
        let same = if exact { window == needle } else { window.eq_ignore_ascii_case(needle) };
        same.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_match_both() {
        let at = |text: &str, needle: &str| matches(text, needle).collect::<Vec<_>>();
        assert_eq!(at("Drop DROP drop", "drop"), [0, 5, 10]);
        assert_eq!(at("Drop DROP drop", "DROP"), [5]);
        assert_eq!(at("éé", "é"), [0, 2]);
        assert_eq!(at("ab", ""), Vec::<usize>::new());
        assert_eq!(at("", "x"), Vec::<usize>::new());
    }
}
