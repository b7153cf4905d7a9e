//! What a reviewer sees of a change of files besides its text, and the questions to the target that
//! this takes. Nothing here changes anything.

use std::collections::HashSet;

use expacti_sftp::{
    Change, MAX_DIFF, Present, Query, RemotePath, Reply, StatusCode, is_secret, why_sensitive,
};

use crate::boundary::{OpenFile, Opening, TargetLost, TargetSftp};
use crate::reads::ReadPolicy;

/// The beginning of a note that a path was requested under another name.
pub(crate) const ASKED_AS: &str = "asked for as ";

/// Bytes that the gate asks for in one `READ`.
const PIECE: u32 = 32 * 1024;

/// The most notes on one item; of more only the number is shown.
const NOTES: usize = 64;

/// The longest preview of one item, in bytes.
const PREVIEW: usize = 256 * 1024;

/// Why there is no change to review.
#[derive(Debug)]
pub(crate) enum NoChange {
    /// The client gets this answer.
    Answer(Reply),
    /// The target has gone.
    Lost,
}

impl From<TargetLost> for NoChange {
    fn from(_: TargetLost) -> Self {
        Self::Lost
    }
}

impl From<Reply> for NoChange {
    fn from(reply: Reply) -> Self {
        Self::Answer(reply)
    }
}

/// An answer from the gate itself that something was not done.
pub(crate) fn failure(why: &str) -> Reply {
    Reply::Status(StatusCode::Failure, format!("expacti: {why}"))
}

/// The path with all links resolved; its last part need not exist.
pub(crate) async fn follow(sftp: &TargetSftp, path: &RemotePath) -> Result<RemotePath, NoChange> {
    let real = match sftp.ask(&Query::Realpath { path: path.clone() }).await? {
        Reply::Name { first: Some(real), .. } if real.is_absolute() => real,
        Reply::Status(code, message) if code != StatusCode::Ok => {
            return Err(Reply::Status(code, message).into());
        }
        _ => return Err(failure("the target does not resolve the path").into()),
    };
    // With a server that does not resolve links, a change could go where nobody looked.
    match sftp.present(&real).await? {
        Present::There(attrs) if attrs.is_link() => {
            Err(failure("the target does not resolve symbolic links").into())
        }
        _ => Ok(real),
    }
}

/// The content of a small file, as it is now.
pub(crate) async fn current_content(
    sftp: &TargetSftp,
    path: &RemotePath,
) -> Result<Option<Vec<u8>>, TargetLost> {
    // It is for the reviewer: what clients may read does not matter, the worst secrets do.
    let Opening::Opened(OpenFile { handle, .. }) =
        sftp.open_read(path, |real| !is_secret(real)).await?
    else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let whole = loop {
        let (handle, offset) = (handle.clone(), bytes.len() as u64);
        match sftp.ask(&Query::Read { handle, offset, length: PIECE }).await? {
            Reply::Data(data) if !data.is_empty() => bytes.extend_from_slice(&data),
            Reply::Status(StatusCode::Eof, _) => break true,
            _ => break false,
        }
        if bytes.len() as u64 > MAX_DIFF {
            break false;
        }
    };
    sftp.ask(&Query::Close { handle }).await?;
    Ok(whole.then_some(bytes))
}

/// Notes on what deserves a second look.
pub(crate) fn warnings(change: &Change) -> Vec<String> {
    let reads = matches!(change, Change::Read { .. });
    let warning = |path: &RemotePath| {
        let why = if reads { None } else { why_sensitive(path) };
        why.map(|why| format!("{path}: {why}"))
    };
    let mut notes: Vec<_> = change.paths().into_iter().filter_map(warning).collect();
    let secret = match change {
        Change::Write(upload) => is_secret(&upload.path),
        Change::Read { path, .. } => !ReadPolicy::Harmless.is_free(path),
        _ => false,
    };
    if secret {
        notes.push("a path of secrets".to_owned());
    } else if reads {
        notes.push("outside of what may be read without a decision".to_owned());
    }
    // Secrets are recognised by their path.
    if let Change::Rename { old, new, .. } | Change::Hardlink { old, new } = change
        && !ReadPolicy::Harmless.is_free(old)
        && ReadPolicy::Harmless.is_free(new)
    {
        notes.push(format!("{old} holds secrets; as {new} it can be read without review"));
    }
    notes
}

/// The notes of one item, warnings first: an agent can cause as many of the others as it likes.
pub(crate) fn bounded(notes: HashSet<String>) -> Vec<String> {
    let mut notes: Vec<_> = notes.into_iter().collect();
    notes.sort_by_cached_key(|note| (note.starts_with(ASKED_AS), note.clone()));
    let more = notes.len().saturating_sub(NOTES);
    if more > 0 {
        notes.truncate(NOTES);
        notes.push(format!("{more} further notes are not shown: deny, and ask for fewer files"));
    }
    notes
}

/// The previews of one item, each under its path when there are several.
pub(crate) fn joined(previews: Vec<(String, String)>) -> Option<String> {
    if previews.len() < 2 {
        return previews.into_iter().next().map(|(_, preview)| preview);
    }
    let mut all = String::new();
    for (path, preview) in previews {
        if all.len() + preview.len() > PREVIEW {
            all.push_str("[cut here: further files are not shown; their digests stand above]\n");
            break;
        }
        all.push_str(&format!("==> {path} <==\n{preview}"));
        if !all.ends_with('\n') {
            all.push('\n');
        }
    }
    Some(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_would_lose_its_name_is_told() {
        let path = |text: &str| RemotePath::new(text.as_bytes().to_vec()).unwrap();
        let note = "/srv/app/.env holds secrets; as /srv/app/env it can be read without review";
        let renamed = |old: &str, new: &str| {
            let (old, new) = (path(old), path(new));
            warnings(&Change::Rename { old, new, over: Present::Missing, posix: false })
        };
        assert_eq!(renamed("/srv/app/.env", "/srv/app/env"), [note]);
        assert!(renamed("/srv/app/.env", "/srv/app/.env.old").is_empty());
        assert!(renamed("/srv/app/a", "/srv/app/b").is_empty());
        let (old, new) = (path("/srv/app/.env"), path("/srv/app/env"));
        assert_eq!(warnings(&Change::Hardlink { old, new }), [note]);
    }

    #[test]
    fn warnings_are_not_drowned_in_other_notes() {
        let asked = |i| format!("{}/a//{i}", ASKED_AS);
        let warning = "/root/.ssh/authorized_keys: SSH's own files".to_owned();
        let mut notes: HashSet<String> = (0..200).map(asked).collect();
        notes.insert(warning.clone());
        let shown = bounded(notes);
        assert_eq!(shown.first(), Some(&warning));
        assert_eq!(shown.len(), NOTES + 1);
        assert!(shown.last().is_some_and(|last| last.starts_with("137 further notes")));
    }
}
