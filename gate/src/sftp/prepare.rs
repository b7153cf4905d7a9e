//! From what a client asks for to a change with real paths and with what is there now. It only
//! asks the target; nothing here changes anything.

use expacti_sftp::{
    Attrs, Change, Extension, MAX_DIFF, OpenMode, Present, Query, RemotePath, Reply, Request,
    StatusCode, Upload, is_secret, preview, why_sensitive,
};

use super::draft::{Committed, Draft};
use super::spool::Sealed;
use crate::target::{Opening, Planned, TargetLost, TargetSftp};

/// How a note begins that a path was asked for by another name.
pub(super) const ASKED_AS: &str = "asked for as ";
/// Bytes that one `READ` of the gate asks for.
const PIECE: u32 = 32 * 1024;

/// A change ready for review, or an answer that needs none.
pub(crate) enum Prepared {
    /// To be decided on.
    Change(Box<Ready>),
    /// Nothing is to be done, or nothing can be.
    Answer(Reply),
}

/// A change with what a reviewer reads besides its text.
pub(crate) struct Ready {
    pub(crate) planned: Planned,
    pub(crate) notes: Vec<String>,
    pub(crate) preview: Option<String>,
}

impl Ready {
    fn bare(change: Change) -> Prepared {
        let notes = warnings(&change);
        Prepared::Change(Box::new(Self { planned: Planned::bare(change), notes, preview: None }))
    }
}

/// A path, or the answer that says why there is none.
pub(crate) type Resolved = Result<RemotePath, Reply>;

fn failure(why: &str) -> Reply {
    Reply::Status(StatusCode::Failure, format!("expacti: {why}"))
}

fn exists() -> Reply {
    failure("something of that name is there already")
}

fn missing() -> Reply {
    Reply::status(StatusCode::NoSuchFile, "No such file")
}

/// The path behind all links; its last part need not be there.
pub(crate) async fn follow(sftp: &TargetSftp, path: &RemotePath) -> Result<Resolved, TargetLost> {
    let real = match sftp.ask(&Query::Realpath { path: path.clone() }).await? {
        Reply::Name { first: Some(real), .. } if real.is_absolute() => real,
        Reply::Status(code, message) if code != StatusCode::Ok => {
            return Ok(Err(Reply::Status(code, message)));
        }
        _ => return Ok(Err(failure("the target does not resolve the path"))),
    };
    // A server that does not resolve links would let a change go where nobody looked.
    Ok(match sftp.present(&real).await? {
        Present::There(attrs) if attrs.is_link() => {
            Err(failure("the target does not resolve symbolic links"))
        }
        _ => Ok(real),
    })
}

/// The real directory and the name in it: what requests mean that act on a link itself.
async fn name(sftp: &TargetSftp, path: &RemotePath) -> Result<Resolved, TargetLost> {
    let Some((directory, name)) = path.split_name() else { return follow(sftp, path).await };
    Ok(match follow(sftp, &directory).await? {
        Ok(real) => real.join(&name).map_err(|error| failure(&error.to_string())),
        refused => refused,
    })
}

macro_rules! or_answer {
    ($resolved:expr) => {
        match $resolved {
            Ok(path) => path,
            Err(reply) => return Ok(Prepared::Answer(reply)),
        }
    };
}

/// Prepares a request that changes something.
pub(crate) async fn change(
    sftp: &TargetSftp,
    request: &Request,
    openssh_symlink: bool,
) -> Result<Prepared, TargetLost> {
    let extension = match request {
        Request::Hardlink { .. } => Some(Extension::Hardlink),
        Request::Lsetstat { .. } => Some(Extension::Lsetstat),
        Request::PosixRename { .. } => Some(Extension::PosixRename),
        _ => None,
    };
    if extension.is_some_and(|extension| !sftp.has(extension)) {
        let reply = Reply::status(StatusCode::OpUnsupported, "the target cannot do that");
        return Ok(Prepared::Answer(reply));
    }
    match request {
        Request::Hardlink { old, new } => {
            let (old, new) =
                (or_answer!(name(sftp, old).await?), or_answer!(name(sftp, new).await?));
            if sftp.present(&old).await? == Present::Missing {
                return Ok(Prepared::Answer(missing()));
            }
            if sftp.present(&new).await? != Present::Missing {
                return Ok(Prepared::Answer(exists()));
            }
            Ok(Ready::bare(Change::Hardlink { old, new }))
        }
        Request::Lsetstat { path, attrs } => {
            let path = or_answer!(name(sftp, path).await?);
            setstat(sftp, path, *attrs, true).await
        }
        Request::Mkdir { path, attrs } => {
            let path = or_answer!(name(sftp, path).await?);
            if sftp.present(&path).await? != Present::Missing {
                return Ok(Prepared::Answer(exists()));
            }
            Ok(Ready::bare(Change::Mkdir { path, mode: attrs.permissions() }))
        }
        Request::PosixRename { old, new } | Request::Rename { old, new } => {
            let posix = matches!(request, Request::PosixRename { .. });
            let (old, new) =
                (or_answer!(name(sftp, old).await?), or_answer!(name(sftp, new).await?));
            if sftp.present(&old).await? == Present::Missing {
                return Ok(Prepared::Answer(missing()));
            }
            let over = sftp.present(&new).await?;
            if !posix && over != Present::Missing {
                return Ok(Prepared::Answer(exists()));
            }
            Ok(Ready::bare(Change::Rename { old, new, over, posix }))
        }
        Request::Remove { path } => {
            let path = or_answer!(name(sftp, path).await?);
            match sftp.present(&path).await? {
                Present::Missing => Ok(Prepared::Answer(missing())),
                Present::There(attrs) if attrs.is_directory() => {
                    Ok(Prepared::Answer(failure("it is a directory")))
                }
                present => Ok(Ready::bare(Change::Remove { path, present })),
            }
        }
        Request::Rmdir { path } => {
            let path = or_answer!(name(sftp, path).await?);
            match sftp.present(&path).await? {
                Present::Missing => Ok(Prepared::Answer(missing())),
                Present::There(attrs) if attrs.mode.is_some() && !attrs.is_directory() => {
                    Ok(Prepared::Answer(failure("it is no directory")))
                }
                Present::There(_) => Ok(Ready::bare(Change::Rmdir { path })),
            }
        }
        Request::Setstat { path, attrs } => {
            let path = or_answer!(follow(sftp, path).await?);
            setstat(sftp, path, *attrs, false).await
        }
        Request::Symlink { first, second } => {
            let (target, link) = if openssh_symlink { (first, second) } else { (second, first) };
            let link = or_answer!(name(sftp, link).await?);
            if sftp.present(&link).await? != Present::Missing {
                return Ok(Prepared::Answer(exists()));
            }
            let target = target.clone();
            let leads = if target.is_absolute() {
                Ok(target.clone())
            } else {
                link.directory().join(&target)
            };
            // On the wire as OpenSSH has it: that is what nearly every server takes.
            let change = Change::Symlink { target, link, openssh: true };
            let mut notes = warnings(&change);
            if let Ok(leads) = leads
                && let Ok(real) = follow(sftp, &leads).await?
            {
                notes.push(format!("the link leads to {real}"));
                notes.extend(why_sensitive(&real).map(|why| format!("{real}: {why}")));
                if is_secret(&real) {
                    notes.push(format!("{real} holds secrets"));
                }
            }
            let planned = Planned::bare(change);
            Ok(Prepared::Change(Box::new(Ready { planned, notes, preview: None })))
        }
        _ => Ok(Prepared::Answer(failure("not a change"))),
    }
}

async fn setstat(
    sftp: &TargetSftp,
    path: RemotePath,
    mut attrs: Attrs,
    link: bool,
) -> Result<Prepared, TargetLost> {
    attrs.mode = attrs.permissions();
    let present = sftp.present(&path).await?;
    let Present::There(now) = present else { return Ok(Prepared::Answer(missing())) };
    let differs = attrs.mode.is_some() && attrs.mode != now.permissions()
        || attrs.owner.is_some() && attrs.owner != now.owner
        || attrs.size.is_some() && attrs.size != now.size
        || attrs.times.is_some() && attrs.times != now.times;
    if !differs {
        return Ok(Prepared::Answer(Reply::ok()));
    }
    Ok(Ready::bare(Change::Setstat { path, attrs, present, link }))
}

/// The reading of a secret.
pub(crate) async fn read(sftp: &TargetSftp, path: RemotePath) -> Result<Prepared, TargetLost> {
    match sftp.present(&path).await? {
        Present::Missing => Ok(Prepared::Answer(missing())),
        present => Ok(Ready::bare(Change::Read { path, present })),
    }
}

/// An upload whose bytes are all there.
pub(crate) async fn upload(
    sftp: &TargetSftp,
    draft: Draft,
    sync: bool,
) -> Result<Prepared, TargetLost> {
    let (asked, path, flags) = (draft.asked.clone(), draft.real.clone(), draft.flags);
    let (create, reviewed) = (draft.create, draft.present);
    let present = sftp.present(&path).await?;
    let mode = match present {
        Present::Missing if flags.create() => OpenMode::CreateNew,
        Present::Missing => return Ok(Prepared::Answer(missing())),
        Present::There(attrs) if attrs.is_directory() || attrs.is_link() => {
            return Ok(Prepared::Answer(failure("something else has taken the file's place")));
        }
        Present::There(_) if flags.exclusive() => return Ok(Prepared::Answer(exists())),
        Present::There(_) if flags.truncate() => OpenMode::Truncate,
        Present::There(_) => OpenMode::Existing,
    };
    let committed = draft.commit();
    let Committed { spool, cut, mut attrs, length } = committed;
    attrs.mode = attrs.permissions();
    // Hashing a large upload takes a while.
    let content = match tokio::task::spawn_blocking(move || spool.seal()).await {
        Ok(Ok(content)) => content,
        Ok(Err(error)) => return Ok(Prepared::Answer(failure(&error.to_string()))),
        Err(_) => return Ok(Prepared::Answer(failure("the upload could not be read back"))),
    };
    // A file that is written anew from its first byte to its last is replaced, whether its client
    // says so in opening it or (as scp does) cuts it afterwards.
    let all = content.summary().pieces == [(0, length)] || (length == 0 && cut == Some(0));
    let mode = if mode == OpenMode::Existing && all { OpenMode::Truncate } else { mode };
    if mode == OpenMode::Existing && present.size() != reviewed.size() {
        let why = "the file has changed since it was opened";
        return Ok(Prepared::Answer(failure(why)));
    }
    let cut = cut.filter(|_| mode == OpenMode::Existing);
    let upload = Upload {
        path: path.clone(),
        present,
        mode,
        create: (mode == OpenMode::CreateNew).then_some(create).flatten(),
        cut,
        content: content.summary().clone(),
        attrs,
        sync,
    };
    let mut notes = Vec::new();
    if asked.as_bytes() != path.as_bytes() && asked.is_absolute() {
        notes.push(format!("{ASKED_AS}{asked}"));
    }
    let old = match (mode, is_secret(&path)) {
        (OpenMode::CreateNew, _) => None,
        (_, true) => {
            notes.push("what is there is not shown: the path is a secret's".to_owned());
            None
        }
        (_, false) if present.size() <= MAX_DIFF => now(sftp, &path).await?,
        _ => None,
    };
    let preview = shown(&content, mode, cut, old, length);
    let change = Change::Write(Box::new(upload));
    notes.extend(warnings(&change));
    let planned = Planned::upload(change, content);
    Ok(Prepared::Change(Box::new(Ready { planned, notes, preview })))
}

/// The preview of an upload. `old` is what is there now, if it is to be shown.
fn shown(
    content: &Sealed,
    mode: OpenMode,
    cut: Option<u64>,
    old: Option<Vec<u8>>,
    length: u64,
) -> Option<String> {
    let bytes = content.summary().bytes;
    let whole = length <= MAX_DIFF && (mode != OpenMode::Existing || old.is_some());
    if whole {
        let mut under = if mode == OpenMode::Existing { old.clone()? } else { Vec::new() };
        if let Some(cut) = cut {
            under.truncate(usize::try_from(cut).unwrap_or(usize::MAX));
        }
        let length = usize::try_from(length).ok()?;
        let new = content.over(under, length).ok()?;
        return Some(preview(old.as_deref(), &new, true));
    }
    let first = content.pieces().into_iter().next()?;
    let head = content.read(&first, 0, usize::try_from(MAX_DIFF).unwrap_or(0)).ok()?;
    let is_all = head.len() as u64 == bytes && mode != OpenMode::Existing;
    Some(preview(None, &head, is_all))
}

/// What is in a small file.
pub(crate) async fn now(
    sftp: &TargetSftp,
    path: &RemotePath,
) -> Result<Option<Vec<u8>>, TargetLost> {
    let Opening::Opened(handle, _) = sftp.open_read(path).await? else { return Ok(None) };
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

/// What deserves a second look.
pub(crate) fn warnings(change: &Change) -> Vec<String> {
    let reads = matches!(change, Change::Read { .. });
    let warning = |path: &RemotePath| {
        let why = if reads { None } else { why_sensitive(path) };
        why.map(|why| format!("{path}: {why}"))
    };
    let mut notes: Vec<_> = change.paths().into_iter().filter_map(warning).collect();
    let secret = match change {
        Change::Write(upload) => is_secret(&upload.path),
        _ => reads,
    };
    if secret {
        notes.push("a path of secrets".to_owned());
    }
    // What is a secret is told by its name.
    if let Change::Rename { old, new, .. } | Change::Hardlink { old, new } = change
        && is_secret(old)
        && !is_secret(new)
    {
        notes.push(format!("{old} holds secrets; as {new} it can be read without review"));
    }
    notes
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
}
