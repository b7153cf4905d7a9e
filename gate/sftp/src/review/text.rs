//! The text of a change. It is a function of the change and binds it: two different changes must
//! never have the same text.

use std::fmt::{self, Write as _};

use super::change::{Change, Content, Present, Upload};
use super::size::size;
use crate::sftp::{Attrs, OpenMode};

/// One line: `sftp`, the operation, the path as one shell word, a colon, and the details. The
/// broker scores the item by this form, and rules are written for it.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardlink { old, new } => write!(f, "sftp hardlink {new} to {old}"),
            Self::Mkdir { path, mode } => {
                write!(f, "sftp mkdir {path}")?;
                mode.map_or(Ok(()), |mode| write!(f, ": mode {mode:04o}"))
            }
            Self::Read { path, present } => write!(f, "sftp read {path}: {}", There(present)),
            Self::Remove { path, present } => write!(f, "sftp remove {path}: {}", There(present)),
            Self::Rename { old, new, over, posix } => {
                write!(f, "sftp rename {old} to {new}")?;
                match (over, posix) {
                    (Present::There(_), true) => write!(f, ": replacing {}", There(over)),
                    (Present::There(_), false) => write!(f, ": in place of {}", There(over)),
                    (Present::Missing, true) => Ok(()),
                    (Present::Missing, false) => f.write_str(": if free"),
                }
            }
            Self::Rmdir { path } => write!(f, "sftp rmdir {path}"),
            Self::Setstat { path, attrs, present, link } => {
                write!(f, "sftp {} {path}:", setstat_name(attrs))?;
                if *link {
                    f.write_str(" the link itself,")?;
                }
                let was = match present {
                    Present::Missing => Attrs::default(),
                    Present::There(was) => *was,
                };
                list(f, attrs, &was, "")
            }
            Self::Symlink { target, link, openssh } => {
                write!(f, "sftp symlink {link} to {target}")?;
                f.write_str(if *openssh { "" } else { ": as the draft has it" })
            }
            Self::Write(upload) => upload.fmt(f),
        }
    }
}

fn setstat_name(attrs: &Attrs) -> &'static str {
    match attrs {
        Attrs { size: None, owner: None, mode: Some(_), times: None } => "chmod",
        Attrs { size: None, owner: Some(_), mode: None, times: None } => "chown",
        Attrs { size: None, owner: None, mode: None, times: Some(_) } => "utime",
        Attrs { size: Some(_), owner: None, mode: None, times: None } => "truncate",
        _ => "setstat",
    }
}

/// The attributes to be set, each with its present value; `before` precedes them if there are any.
fn list(f: &mut fmt::Formatter<'_>, attrs: &Attrs, was: &Attrs, before: &str) -> fmt::Result {
    let mut words = Vec::new();
    if let Some(mode) = attrs.permissions() {
        let was = was.permissions().map(|was| format!(" was {was:04o}")).unwrap_or_default();
        words.push(format!("mode {mode:04o}{was}"));
    }
    if let Some((user, group)) = attrs.owner {
        let was = was.owner.map(|(u, g)| format!(" was {u}:{g}")).unwrap_or_default();
        words.push(format!("owner {user}:{group}{was}"));
    }
    if let Some(bytes) = attrs.size {
        let was = was.size.map(|was| format!(" was {was}")).unwrap_or_default();
        words.push(format!("length {bytes} bytes{was}"));
    }
    if let Some((accessed, modified)) = attrs.times {
        words.push(format!("atime {accessed} mtime {modified}"));
    }
    if words.is_empty() {
        return Ok(());
    }
    write!(f, "{before} {}", words.join(", "))
}

struct There<'a>(&'a Present);

impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Present::There(attrs) = self.0 else { return f.write_str("nothing") };
        let kind = match attrs {
            a if a.is_directory() => "directory",
            a if a.is_link() => "symbolic link",
            a if a.is_file() || a.mode.is_none() => "",
            _ => "special file",
        };
        if kind.is_empty() {
            write!(f, "{}", size(attrs.size.unwrap_or(0)))?;
        } else {
            f.write_str(kind)?;
        }
        attrs.permissions().map_or(Ok(()), |mode| write!(f, " mode {mode:04o}"))
    }
}

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, content, .. } = self;
        let hash = Hex(&content.sha256);
        write!(f, "sftp write {path}: {}", size(content.bytes))?;
        match &content.pieces[..] {
            [] | [(0, _)] => write!(f, ", sha256 {hash}")?,
            [(offset, _)] => write!(f, " at offset {offset}, sha256 {hash}")?,
            pieces => {
                write!(f, " in {} pieces at", pieces.len())?;
                for (offset, length) in pieces.iter().take(Content::NAMED) {
                    write!(f, " {offset}+{length}")?;
                }
                let more = if pieces.len() > Content::NAMED { " and more" } else { "" };
                write!(f, "{more}, sha256 of places and bytes {hash}")?;
            }
        }
        Effect(self).fmt(f)
    }
}

impl Upload {
    /// The line of an upload whose client sends the content only after the answer: nobody can have
    /// seen that content.
    pub fn announced(&self) -> String {
        let Self { path, content, .. } = self;
        format!("scp write {path}: {}, content not seen{}", size(content.bytes), Effect(self))
    }
}

/// What an upload does, apart from its content.
struct Effect<'a>(&'a Upload);

impl fmt::Display for Effect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Upload { present, mode, create, cut, attrs, sync, .. } = self.0;
        match (mode, present) {
            (OpenMode::CreateNew, _) => {
                f.write_str(", new file")?;
                if let Some(mode) = create {
                    write!(f, " mode {mode:04o}")?;
                }
            }
            (OpenMode::Truncate, present) => write!(f, ", replaces {}", There(present))?,
            (OpenMode::Existing, present) => write!(f, ", within {}", There(present))?,
        }
        if let Some(cut) = cut {
            write!(f, " cut to {cut} bytes")?;
        }
        list(f, attrs, &Attrs::default(), ", then sets")?;
        f.write_str(if *sync { ", then syncs" } else { "" })
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text of an item: the change's own line, or a summary and a line for each of several.
pub fn text_of(changes: &[&Change]) -> String {
    if let [change] = changes {
        return change.to_string();
    }
    let bytes: u64 = changes
        .iter()
        .map(|change| match change {
            Change::Write(upload) => upload.content.bytes,
            _ => 0,
        })
        .sum();
    let mut directories: Vec<_> = changes.iter().map(|c| c.path().directory()).collect();
    directories.sort();
    directories.dedup();
    let to = match &directories[..] {
        [one] => one.to_string(),
        many => format!("{} directories", many.len()),
    };
    let mut text = format!("sftp upload {} files, {}, to {to}", changes.len(), size(bytes));
    for change in changes {
        write!(text, "\n{change}").ok();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::path::RemotePath;

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text.as_bytes().to_vec()).unwrap()
    }

    fn there(size: u64, mode: u32) -> Present {
        Present::There(Attrs { size: Some(size), mode: Some(mode), ..Attrs::default() })
    }

    fn upload(name: &str) -> Upload {
        Upload {
            path: path(name),
            present: Present::Missing,
            mode: OpenMode::CreateNew,
            create: Some(0o644),
            cut: None,
            content: Content { bytes: 3_400_000, sha256: [0xab; 32], pieces: vec![(0, 3_400_000)] },
            attrs: Attrs::default(),
            sync: false,
        }
    }

    #[test]
    fn texts() {
        let hash = "ab".repeat(32);
        let new = upload("/srv/app/x");
        let mut replaced = upload("/srv/my app");
        replaced.mode = OpenMode::Truncate;
        replaced.present = there(12_288, 0o100_644);
        replaced.attrs.mode = Some(0o755);
        replaced.sync = true;
        assert_eq!(
            new.announced(),
            "scp write /srv/app/x: 3.2 MiB, content not seen, new file mode 0644"
        );
        let mut resumed = upload("/x");
        resumed.mode = OpenMode::Existing;
        resumed.present = there(5, 0o100_600);
        resumed.content.pieces = vec![(5, 3_400_000)];
        let mut scattered = resumed.clone();
        scattered.content.pieces = vec![(0, 1), (7, 2)];
        let attrs = |mode| Attrs { mode: Some(mode), ..Attrs::default() };
        let (a, b) = (path("/a"), path("/b"));
        for (change, text) in [
            (
                Change::Write(Box::new(new)),
                format!("sftp write /srv/app/x: 3.2 MiB, sha256 {hash}, new file mode 0644"),
            ),
            (
                Change::Write(Box::new(replaced)),
                format!(
                    "sftp write \"/srv/my app\": 3.2 MiB, sha256 {hash}, replaces 12.0 KiB mode \
                     0644, then sets mode 0755, then syncs"
                ),
            ),
            (
                Change::Write(Box::new(resumed)),
                format!("sftp write /x: 3.2 MiB at offset 5, sha256 {hash}, within 5 B mode 0600"),
            ),
            (
                Change::Write(Box::new(scattered)),
                format!(
                    "sftp write /x: 3.2 MiB in 2 pieces at 0+1 7+2, sha256 of places and bytes \
                     {hash}, within 5 B mode 0600"
                ),
            ),
            (
                Change::Rename {
                    old: a.clone(),
                    new: b.clone(),
                    over: there(7, 0o100_644),
                    posix: true,
                },
                "sftp rename /a to /b: replacing 7 B mode 0644".to_owned(),
            ),
            (
                Change::Setstat {
                    path: a.clone(),
                    attrs: attrs(0o4755),
                    present: there(7, 0o100_644),
                    link: false,
                },
                "sftp chmod /a: mode 4755 was 0644".to_owned(),
            ),
            (
                Change::Mkdir { path: a.clone(), mode: Some(0o755) },
                "sftp mkdir /a: mode 0755".into(),
            ),
            (
                Change::Remove { path: a.clone(), present: there(7, 0o120_777) },
                "sftp remove /a: symbolic link mode 0777".to_owned(),
            ),
            (
                Change::Symlink { target: path("../x"), link: a, openssh: true },
                "sftp symlink /a to ../x".to_owned(),
            ),
            (
                Change::Read { path: b, present: there(7, 0o100_600) },
                "sftp read /b: 7 B mode 0600".into(),
            ),
        ] {
            assert_eq!(change.to_string(), text);
        }
    }

    #[test]
    fn several() {
        let changes = ["/srv/a", "/srv/b"].map(|p| Change::Write(Box::new(upload(p))));
        let text = text_of(&changes.iter().collect::<Vec<_>>());
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("sftp upload 2 files, 6.4 MiB, to /srv"));
        assert_eq!(lines.next(), Some(changes[0].to_string().as_str()));
        assert_eq!(lines.count(), 1);
    }
}
