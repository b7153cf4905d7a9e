//! What bytes are, in words for a reviewer: text, an archive with what it holds, or something else with
//! its kind and beginning. It must never run out of memory on hostile bytes, nor say more than it read.

use expacti_engine::{InputUse, count_no_text, is_mostly_text, make_visible};
use expacti_protocol::digest::StreamDigest;
use expacti_protocol::input::{InputRef, InputView};

use super::archive;

/// The kind of what can only be shown as bytes.
pub(super) const BINARY: &str = "binary";

/// The bytes of something unknown that are shown.
const SHOWN: usize = 64;

/// The shortest text in something unknown that is shown, its longest part, and the most of them.
const SHORTEST: usize = 8;
const LONGEST: usize = 200;
const TEXTS: usize = 50;

/// The most bytes in a row that are no text and are shown one by one.
const RUN: usize = 8;

/// The view of standard input that came with a command.
pub(super) fn view(bytes: &[u8], ended: bool) -> InputView {
    view_for(bytes, ended, InputUse::Unknown)
}

/// The same for a command of which it is known what it does with it: what may be run is shown as text,
/// whatever else is in it.
pub(super) fn view_for(bytes: &[u8], ended: bool, r#use: InputUse) -> InputView {
    let mut digest = StreamDigest::default();
    digest.update(bytes);
    let summary = digest.summary();
    let given = InputRef { bytes: summary.bytes, sha256: summary.sha256, ended };
    if let Some(text) = readable(bytes) {
        let (kind, text) = ("text".to_owned(), Some(text));
        return InputView { given, kind, text, compared: None, preview: Vec::new() };
    }
    let is_code = r#use == InputUse::Code;
    let unpacked = r#use == InputUse::Archive;
    if !is_code && let Some(preview) = archive::listing(bytes, ended, unpacked) {
        let kind = "archive".to_owned();
        return InputView { given, kind, text: None, compared: None, preview };
    }
    let known = KNOWN.iter().any(|(magic, _)| bytes.starts_with(magic));
    if is_code || (!known && is_mostly_text(bytes)) {
        let (kind, text) = ("text".to_owned(), Some(visible(bytes)));
        let note =
            format!("holds {} bytes that are no text; shells drop NUL", count_no_text(bytes));
        return InputView { given, kind, text, compared: None, preview: vec![note] };
    }
    let kind = BINARY.to_owned();
    InputView { given, kind, text: None, compared: None, preview: begins(bytes) }
}

/// A text in which everything is visible that is none. Of much of that in a row only how much it is.
fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut run = Vec::new();
    let end = |run: &mut Vec<u8>, out: &mut String| {
        match run.len() {
            0 => {}
            1..=RUN => out.push_str(&make_visible(run).text),
            many => out.push_str(&format!("⟨{many} bytes that are no text⟩")),
        }
        run.clear();
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\x1b') {
                run.extend(c.encode_utf8(&mut [0; 4]).bytes());
            } else {
                end(&mut run, &mut out);
                out.push(c);
            }
        }
        run.extend_from_slice(chunk.invalid());
    }
    end(&mut run, &mut out);
    out
}

/// The bytes as text, if a person can read them as such: UTF-8 without NUL. A character that is cut off
/// at the end may still come whole.
fn readable(bytes: &[u8]) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        Err(_) => None,
    }
}

/// How files begin that are no text.
const KNOWN: [(&[u8], &str); 10] = [
    (b"\x7fELF", "an ELF program"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PGDMP", "a dump of PostgreSQL"),
    (b"\x89PNG", "a PNG image"),
    (b"%PDF", "PDF"),
];

/// The beginning of something unknown, with what its first bytes say it is.
fn begins(bytes: &[u8]) -> Vec<String> {
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic));
    let mut out: Vec<String> = known.iter().map(|(_, what)| (*what).to_owned()).collect();
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    for row in shown.chunks(16) {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = row
            .iter()
            .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        out.push(format!("{:<48} {text}", hex.join(" ")));
    }
    out.extend(texts(bytes));
    out
}

/// The text in something unknown: lines in it may count, whatever is around them.
fn texts(bytes: &[u8]) -> Vec<String> {
    let printed = |byte: &u8| *byte == b'\t' || (0x20..0x7f).contains(byte);
    let mut parts =
        bytes.split(|byte| !printed(byte)).filter(|part| part.len() >= SHORTEST).peekable();
    let mut out = Vec::new();
    if parts.peek().is_some() {
        out.push("text in it:".to_owned());
    }
    for part in parts.by_ref().take(TEXTS) {
        let cut = part.get(..LONGEST).unwrap_or(part);
        let more = if cut.len() < part.len() { " …" } else { "" };
        out.push(format!("  {}{more}", String::from_utf8_lossy(cut)));
    }
    let more = parts.count();
    if more > 0 {
        out.push(format!("… and {more} more"));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tar_of(names: &[(&str, u32)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, mode) in names {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(3);
            header.set_mode(*mode);
            header.set_cksum();
            builder.append(&header, &b"abc"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn an_archive_is_listed_with_what_is_dangerous_in_it() {
        let bytes = tar_of(&[("srv/a", 0o644), ("../x", 0o644), ("/etc/cron.d/x", 0o4755)]);
        let listed = view(&bytes, true);
        assert_eq!(listed.kind, "archive");
        assert_eq!(listed.preview[0], "3 entries, 9 bytes unpacked:");
        assert!(listed.preview[2].contains("leaves the directory"), "{:?}", listed.preview);
        assert!(listed.preview[3].contains("absolute, set-user-id"), "{:?}", listed.preview);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, &bytes).unwrap();
        assert_eq!(view(&packed.finish().unwrap(), true).preview, listed.preview);
        // As far as it came.
        assert!(view(&bytes[..1100], false).preview.len() >= 2);
    }

    #[test]
    fn text_is_text_and_the_rest_is_named() {
        assert_eq!(view("grüße\n".as_bytes(), true).text.as_deref(), Some("grüße\n"));
        assert_eq!(view(b"gr\xc3", false).kind, "text");
        let odd = view(b"kubectl del\0ete ns prod # \xff\n", true);
        assert_eq!(
            odd.text.as_deref(),
            Some("kubectl del⟨U+0000⟩ete ns prod # ⟨0xFF⟩\n"),
            "{odd:?}"
        );
        assert_eq!(odd.preview, ["holds 2 bytes that are no text; shells drop NUL"]);
        // Bytes are only bytes to what does not run them.
        let mixed = [&[0; 90], &b"id\n"[..]].concat();
        assert_eq!(view(&mixed, true).kind, "binary");
        for (magic, shown) in [("", ""), ("\x7fELF\n", "⟨U+007F⟩ELF\n"), ("%PDF\n", "%PDF\n")] {
            let code = view_for(&[magic.as_bytes(), &mixed].concat(), true, InputUse::Code);
            let text = format!("{shown}⟨90 bytes that are no text⟩id\n");
            assert_eq!((code.kind.as_str(), code.text), ("text", Some(text)));
        }
        // A line in the middle of it may count all the same.
        let cron = [&[0x80; 200][..], b"\n* * * * * root id\n", &[0; 200]].concat();
        let shown = view_for(&cron, true, InputUse::File);
        assert_eq!(shown.kind, "binary");
        assert_eq!(
            shown.preview[shown.preview.len() - 2..],
            ["text in it:", "  * * * * * root id"]
        );
        let elf = view(b"\x7fELF\x02\x01\x01\0", true);
        assert_eq!(elf.preview[0], "an ELF program");
    }

    proptest! {
        #[test]
        fn hostile_bytes_only_make_a_view(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            magic in 0_usize..4,
        ) {
            let mut all = tar_of(&[("a", 0o644)]);
            let at = [0, 100, 512, all.len()][magic];
            all.truncate(at);
            all.extend(bytes);
            let view = view(&all, true);
            prop_assert!(view.preview.len() <= 2 * archive::LISTED + archive::WARNINGS + TEXTS + 6);
            prop_assert_eq!(view.given.bytes, all.len() as u64);
        }
    }
}
