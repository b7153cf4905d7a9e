//! Drops the echo of a line that went to a program: the agent's own editor has shown it. What is
//! not that echo must never be dropped.

use std::borrow::Cow;

/// The echo that is still to come.
#[derive(Debug, Default)]
pub(super) struct EchoFilter {
    expected: Vec<u8>,
    /// How many bytes of it were seen, and dropped, already.
    seen: usize,
}

impl EchoFilter {
    /// A terminal that echoes will show this line, and the newline after it.
    pub(super) fn expect(&mut self, line: &[u8]) {
        let echo = String::from_utf8_lossy(line).replace('\n', "\r\n");
        self.expected = format!("{echo}\r\n").into_bytes();
        self.seen = 0;
    }

    /// What of the output is to be shown.
    pub(super) fn filter<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let expected = self.expected.get(self.seen..).unwrap_or_default();
        if expected.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same == expected.len() {
            *self = Self::default();
            return Cow::Borrowed(bytes.get(same..).unwrap_or_default());
        }
        if same == bytes.len() {
            self.seen += same;
            return Cow::Borrowed(&[]);
        }
        // It was something else: what was dropped of it so far is shown after all.
        let mut all = self.expected.get(..self.seen).unwrap_or_default().to_vec();
        all.extend_from_slice(bytes);
        *self = Self::default();
        Cow::Owned(all)
    }
}
