//! Files with a secret in them: a token, a private key. One that somebody else can read may be known
//! to them already, and one that they can write is theirs.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The longest such file, in bytes.
const MAX_LENGTH: u64 = 1024 * 1024;

/// Reads such a file, if it belongs to this user or root and nobody else can read or write it.
///
/// # Errors
/// When the file cannot be read (as the system says it), or is not private: then the message says what
/// is wrong with it, and what to do.
pub fn read(path: &Path) -> io::Result<String> {
    // It is looked at where it was opened: no other file can come in between.
    let file = File::open(path)?;
    check(path, &file)?;
    let mut text = String::new();
    file.take(MAX_LENGTH).read_to_string(&mut text)?;
    Ok(text)
}

/// Refuses a file of somebody else, and one that others than its owner can read or write.
///
/// # Errors
/// What is wrong with it, and what to do.
fn check(path: &Path, file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    match complaint(path, about.uid(), about.mode(), own) {
        Some(complaint) => Err(io::Error::new(io::ErrorKind::PermissionDenied, complaint)),
        None => Ok(()),
    }
}

/// What is wrong with a file of that owner and mode, for the user `own`.
fn complaint(path: &Path, owner: u32, mode: u32, own: u32) -> Option<String> {
    let mode = mode & 0o7777;
    let named = shown(path);
    if ![0, own].contains(&owner) {
        return Some(format!(
            "the file belongs to user {owner}, who can change it at any time: chown {own} {named}"
        ));
    }
    if mode & 0o077 == 0 {
        return None;
    }
    let who = match (mode & 0o070 != 0, mode & 0o007 != 0) {
        (true, true) => "its group and others have",
        (true, false) => "its group has",
        _ => "others have",
    };
    Some(format!(
        "{who} access to the file (mode {mode:04o}), so that what it holds is no secret: chmod 600 \
         {named}, and replace what others may have read"
    ))
}

/// A path as a shell takes it.
#[must_use]
pub fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_table_of_owners_and_modes() {
        let path = Path::new("/x/token");
        let said = |owner, mode| complaint(path, owner, mode, 1000);
        for (owner, mode) in [(1000, 0o100_600), (1000, 0o100_400), (0, 0o100_600), (1000, 0o700)] {
            assert_eq!(said(owner, mode), None, "{owner} {mode:o}");
        }
        for mode in [0o640, 0o604, 0o644, 0o620, 0o602, 0o666, 0o100_610, 0o601] {
            let said = said(1000, mode).unwrap();
            assert!(said.contains("chmod 600 /x/token"), "{said}");
            assert!(complaint(path, 0, mode, 1000).is_some(), "root's, {mode:o}");
        }
        for owner in [1, 1001, u32::MAX] {
            let said = said(owner, 0o600).unwrap();
            assert!(said.contains("chown 1000 /x/token"), "{said}");
        }
        let odd = complaint(Path::new("/x/it's"), 1000, 0o644, 1000).unwrap();
        assert!(odd.contains(r"chmod 600 '/x/it'\''s'"), "{odd}");
    }

    #[test]
    fn what_is_opened_is_what_is_looked_at() {
        let path = std::env::temp_dir().join(format!("expacti-private-{}", std::process::id()));
        let link = path.with_extension("link");
        std::fs::write(&path, "secret\n").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o640);
        for path in [&path, &link] {
            let error = read(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("(mode 0640)"), "{error}");
        }
        mode(0o600);
        assert_eq!(read(&link).unwrap(), "secret\n");
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(&link).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
