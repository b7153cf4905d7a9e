//! The text by which a reviewer decides on a whole upload. It must name every file.

use std::fmt::Write as _;

use crate::path::RemotePath;
use crate::review::size;

/// The text of an upload as one item: the line of its only change, or a summary and a line for
/// each. `to` is the destination that the client asked for.
pub fn upload_text(summary: &Summary, to: &RemotePath, lines: &[String]) -> String {
    if let [line] = lines {
        return line.clone();
    }
    let Summary { files, directories, bytes } = *summary;
    let mut text = format!("scp upload {}", counted(files, "file", "files"));
    if directories > 0 {
        write!(text, " and {}", counted(directories, "directory", "directories")).ok();
    }
    write!(text, ", {}, to {to}", size(bytes)).ok();
    for line in lines {
        write!(text, "\n{line}").ok();
    }
    text
}

/// The totals of an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Summary {
    pub files: usize,
    pub directories: usize,
    pub bytes: u64,
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
