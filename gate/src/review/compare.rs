//! Looks at the file that the standard input of a command would become, so that reviewers see what would
//! be different. It changes nothing on the target, and whatever it cannot see is left out.

use std::sync::Arc;
use std::time::Duration;

use expacti_engine::WrittenFile;
use expacti_sftp::{MAX_DIFF, Present, Query, RemotePath, Reply, preview};

use crate::boundary::{Replies, TargetSftp};
use crate::files::describe::{current_content, follow};
use crate::upstream::pool::Lease;

/// How long the target may take: input that came is not shown before.
const LONGEST: Duration = Duration::from_secs(2);

/// What is at the path now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Missing,
    File(Vec<u8>),
}

/// A file that is written, and what it holds now.
#[derive(Debug)]
pub(super) struct Compared {
    file: WrittenFile,
    existing: Existing,
}

/// What the file holds now; `None` where that cannot be seen or must not be shown.
pub(super) async fn existing(lease: &Lease, file: WrittenFile) -> Option<Compared> {
    let looking = async {
        let channel = lease.side_channel().await?;
        let (sftp, mut replies) = channel.sftp().await.ok()?;
        let found = read(&sftp, &mut replies, &file.path).await;
        sftp.close();
        found
    };
    let existing = tokio::time::timeout(LONGEST, looking).await.ok()??;
    Some(Compared { file, existing })
}

async fn read(sftp: &Arc<TargetSftp>, replies: &mut Replies, path: &str) -> Option<Existing> {
    tokio::select! {
        found = look(sftp, path) => found,
        _ = replies.run(sftp) => None,
    }
}

async fn look(sftp: &TargetSftp, path: &str) -> Option<Existing> {
    // SFTP servers begin in the home directory, as commands do.
    let path = match path.strip_prefix('~') {
        Some(rest) => format!("./{}", rest.trim_start_matches('/')),
        None => path.to_owned(),
    };
    let path = RemotePath::new(path.into_bytes()).ok()?;
    if let Reply::Status(..) = sftp.ask(&Query::Lstat { path: path.clone() }).await.ok()?
        && let Ok(Present::Missing) = sftp.present(&path).await
    {
        return Some(Existing::Missing);
    }
    let real = follow(sftp, &path).await.ok()?;
    let content = current_content(sftp, &real).await.ok()??;
    Some(Existing::File(content))
}

impl Compared {
    /// How the file is different once all of this is written; `None` where there is nothing to show of it.
    pub(super) fn with(&self, input: &[u8]) -> Option<String> {
        let path = &self.file.path;
        let old = match &self.existing {
            Existing::Missing => return Some(format!("{path} does not exist yet\n")),
            Existing::File(old) => old,
        };
        let mut new = if self.file.append { old.clone() } else { Vec::new() };
        new.extend_from_slice(input);
        let large = |bytes: &[u8]| bytes.len() as u64 > MAX_DIFF;
        if large(&new) || std::str::from_utf8(old).is_err() || std::str::from_utf8(&new).is_err() {
            return None;
        }
        Some(format!("{path} compared with what it holds now:\n{}", preview(Some(old), &new, true)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_that_of_the_whole_file() {
        let compared = |existing, append| Compared {
            file: WrittenFile { path: "/srv/x".to_owned(), append },
            existing,
        };
        let file = |text: &str| Existing::File(text.as_bytes().to_vec());
        let shown = compared(file("a\nb\n"), false).with(b"a\nc\n").unwrap();
        assert!(shown.ends_with("@@ -1,2 +1,2 @@\n a\n-b\n+c\n"), "{shown}");
        let shown = compared(file("a\nb\n"), true).with(b"c\n").unwrap();
        assert!(shown.ends_with("@@ -1,2 +1,3 @@\n a\n b\n+c\n"), "{shown}");
        let shown = compared(file("a\n"), false).with(b"a\n").unwrap();
        assert!(shown.ends_with("the content stays the same\n"));
        assert_eq!(
            compared(Existing::Missing, false).with(b"x").unwrap(),
            "/srv/x does not exist yet\n"
        );
        assert_eq!(compared(file("a\n"), false).with(b"\xff"), None);
        assert_eq!(compared(Existing::File(vec![0xff]), false).with(b"a"), None);
    }
}
