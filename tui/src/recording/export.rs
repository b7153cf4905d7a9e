//! A recording in another form. It must never change what was recorded, only how it is written.

use std::io::{BufRead, Write};
use std::str::FromStr;

use super::asciicast::{Recording, RecordingError};

/// The form of an exported recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// asciicast version 2: what asciinema 2 and 3 play, and what the broker keeps.
    #[default]
    AsciicastV2,
    /// asciicast version 3, of asciinema 3.
    AsciicastV3,
    /// What was on the screen, as plain text without escape sequences.
    Text,
}

impl Format {
    /// Every form with the name people write.
    pub const ALL: [(&'static str, Self); 3] = [
        ("asciicast-v2", Self::AsciicastV2),
        ("asciicast-v3", Self::AsciicastV3),
        ("txt", Self::Text),
    ];

    /// The form that the name of a file asks for: `.txt` is text, everything else version 2.
    pub fn of_file(name: &std::path::Path) -> Self {
        match name.extension().and_then(|e| e.to_str()) {
            Some("txt" | "text" | "log") => Self::Text,
            _ => Self::AsciicastV2,
        }
    }
}

/// No such form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no form of a recording: write asciicast-v2, asciicast-v3 or txt")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format).ok_or_else(|| FormatError(name.to_owned()))
    }
}

/// Reads a recording of any version and writes it in that form. Returns whether the last line of
/// the recording was cut off, and left out.
///
/// # Errors
/// When the recording cannot be read, or the writer fails.
pub fn export(
    reader: impl BufRead,
    format: Format,
    out: impl Write,
) -> Result<bool, RecordingError> {
    let recording = Recording::read(reader)?;
    match format {
        Format::AsciicastV2 => recording.write_v2(out)?,
        Format::AsciicastV3 => recording.write_v3(out)?,
        Format::Text => recording.write_text(out)?,
    }
    Ok(recording.truncated)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const V3: &str = "{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n[0.5,\"o\",\"one\\r\\n\"]\n[0.25,\"m\",\"allow LOW by mara\"]\n[0.25,\"o\",\"two\"]\n";

    #[test]
    fn every_form() {
        let form = |name: &str| {
            let mut out = Vec::new();
            assert!(!export(V3.as_bytes(), name.parse().unwrap(), &mut out).unwrap());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(form("txt"), "one\ntwo\n");
        assert!(form("asciicast-v2").lines().next().unwrap().contains("\"version\":2"));
        assert!(form("asciicast-v2").contains("[0.750000, \"m\", \"allow LOW by mara\"]"));
        assert!(form("asciicast-v3").contains("[0.250000, \"m\", \"allow LOW by mara\"]"));
        assert!("v4".parse::<Format>().unwrap_err().to_string().contains("asciicast-v3"));
        for (name, format) in [("a.txt", Format::Text), ("a.cast", Format::AsciicastV2)] {
            assert_eq!(Format::of_file(name.as_ref()), format);
        }
        let cut = format!("{V3}[0.1,\"o\",\"thr");
        assert!(export(cut.as_bytes(), Format::Text, Vec::new()).unwrap());
    }
}
