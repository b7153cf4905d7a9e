//! Whose a Unix socket is. A client that finds somebody else's in its place says nothing to it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Write permission for everybody, as of `/tmp`.
const EVERYBODY_WRITES: u32 = 0o002;

/// What is known of a directory.
#[derive(Debug, Clone, Copy)]
struct About {
    is_dir: bool,
    uid: u32,
    mode: u32,
}

impl About {
    fn of(meta: &std::fs::Metadata) -> Self {
        Self { is_dir: meta.is_dir(), uid: meta.uid(), mode: meta.mode() }
    }
}

/// Who may answer on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trusted {
    own: u32,
    /// The user to whom root gave the directory that it lies in: a broker of the whole system.
    given: Option<u32>,
}

impl Trusted {
    fn has(self, uid: u32) -> bool {
        uid == 0 || uid == self.own || Some(uid) == self.given
    }
}

/// Looks at the directory of a socket, before anything connects to it. A directory that is not there
/// has no socket either: connecting says so.
///
/// # Errors
/// Why whoever answers there may be anybody, and what to do.
pub fn check_directory(socket: &Path) -> Result<(), String> {
    trusted(socket).map(|_| ())
}

/// Looks at who answers on a socket, before anything is sent to it.
///
/// # Errors
/// Who it is, and what to do.
pub fn check_peer(socket: &Path, uid: u32) -> Result<(), String> {
    if trusted(socket)?.is_none_or(|trusted| trusted.has(uid)) {
        return Ok(());
    }
    Err(format!(
        "user {uid} answers there, who is neither you nor root: find out who started it and end it, or \
         choose another directory by XDG_RUNTIME_DIR or EXPACTI_HOME"
    ))
}

fn trusted(socket: &Path) -> Result<Option<Trusted>, String> {
    let own = rustix::process::geteuid().as_raw();
    let absolute = std::path::absolute(socket).map_err(|e| e.to_string())?;
    let Some(dir) = absolute.parent() else { return Ok(None) };
    let Ok(name) = std::fs::symlink_metadata(dir) else { return Ok(None) };
    let above = dir.parent().and_then(|above| std::fs::metadata(above).ok());
    let shared = above.as_ref().is_some_and(|above| above.mode() & EVERYBODY_WRITES != 0);
    let about = if shared || !name.is_symlink() {
        About::of(&name)
    } else {
        match std::fs::metadata(dir) {
            Ok(meta) => About::of(&meta),
            Err(_) => return Ok(None),
        }
    };
    let of_root = above.is_some_and(|above| above.uid() == 0) && !shared;
    judge(dir, about, shared, of_root, own).map(Some)
}

/// `shared`: everybody can make directories beside it. `of_root`: only root can.
fn judge(
    dir: &Path,
    about: About,
    shared: bool,
    of_root: bool,
    own: u32,
) -> Result<Trusted, String> {
    let dir = dir.display();
    let elsewhere = "or choose another one by XDG_RUNTIME_DIR or EXPACTI_HOME";
    if !about.is_dir {
        return Err(format!(
            "{dir} is no directory of its own: somebody may have put it there; remove it, {elsewhere}"
        ));
    }
    let given = (of_root && ![0, own].contains(&about.uid)).then_some(about.uid);
    let trusted = Trusted { own, given };
    if !trusted.has(about.uid) || (shared && about.uid != own) {
        return Err(format!(
            "{dir} belongs to user {}, not to you: find out why it is there, {elsewhere}",
            about.uid
        ));
    }
    let (others, what) = if shared { (0o077, "enter or write to") } else { (0o022, "write to") };
    if about.mode & others != 0 {
        return Err(format!(
            "others than its owner may {what} {dir} (mode {:04o}): chmod 700 {dir}",
            about.mode & 0o7777
        ));
    }
    Ok(trusted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_table_of_directories() {
        let ask = |uid: u32, mode: u32, shared: bool, of_root: bool| {
            let about = About { is_dir: true, uid, mode: 0o040_000 | mode };
            judge(Path::new("/x"), about, shared, of_root, 1000)
        };
        let own = Trusted { own: 1000, given: None };
        // In /tmp: one's own, and nobody else may so much as enter.
        assert_eq!(ask(1000, 0o700, true, false), Ok(own));
        for (uid, mode) in [(0, 0o700), (1001, 0o700), (1000, 0o710), (1000, 0o755), (1000, 0o777)]
        {
            assert!(ask(uid, mode, true, false).is_err(), "{uid} {mode:o}");
        }
        // Elsewhere.
        for (uid, mode) in [(1000, 0o700), (1000, 0o755), (0, 0o755)] {
            assert_eq!(ask(uid, mode, false, false), Ok(own), "{uid} {mode:o}");
        }
        for (uid, mode) in [(1001, 0o700), (1000, 0o775), (0, 0o757)] {
            assert!(ask(uid, mode, false, false).is_err(), "{uid} {mode:o}");
        }
        // A broker of the system, to which root gave a directory such as /run/expacti.
        let given = ask(901, 0o755, false, true).unwrap();
        assert!(given.has(901) && given.has(0) && given.has(1000) && !given.has(1001));
        assert!(ask(901, 0o777, false, true).is_err());
        let file = About { is_dir: false, uid: 1000, mode: 0o100_600 };
        assert!(judge(Path::new("/x"), file, true, false, 1000).is_err());
    }

    #[test]
    fn real_directories() {
        let base = std::env::temp_dir().join(format!("expacti-socket-{}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700).create(&base).unwrap();
        let dir = base.join("shared");
        builder.create(&dir).unwrap();
        let everybody = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(&dir, everybody).unwrap();
        let place = dir.join("expacti-1");
        let socket = place.join("broker.sock");
        check_directory(&socket).unwrap();
        builder.create(&place).unwrap();
        check_directory(&socket).unwrap();
        let own = rustix::process::geteuid().as_raw();
        check_peer(&socket, own).unwrap();
        check_peer(&socket, 0).unwrap();
        assert!(check_peer(&socket, own + 1).unwrap_err().contains("neither you nor root"));
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(check_directory(&socket).unwrap_err().contains("chmod 700"));
        std::fs::remove_dir(&place).unwrap();
        // A link to a directory of one's own could be turned elsewhere.
        let elsewhere = base.join("elsewhere");
        builder.create(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &place).unwrap();
        assert!(check_directory(&socket).unwrap_err().contains("no directory of its own"));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
