//! Turns a client's request into a change with real paths and with what is there now. It only asks
//! the target questions; nothing here changes anything.

use expacti_sftp::{
    Attrs, Change, Extension, MAX_DIFF, OpenMode, Present, RemotePath, Reply, Request, StatusCode,
    Upload, is_secret, preview, why_sensitive,
};

use super::pending_write::{Committed, PendingWrite};
use crate::boundary::{PlannedChange, TargetSftp};
use crate::files::describe::{ASKED_AS, NoChange, current_content, failure, follow, warnings};
use crate::reads::ReadPolicy;
use crate::staging::spool::Sealed;

/// A change with what a reviewer reads besides its text.
pub(crate) struct PreparedChange {
    pub(crate) planned: PlannedChange,
    pub(crate) notes: Vec<String>,
    pub(crate) preview: Option<String>,
}

impl PreparedChange {
    fn bare(change: Change) -> Self {
        let notes = warnings(&change);
        Self { planned: PlannedChange::bare(change), notes, preview: None }
    }
}

fn exists() -> Reply {
    failure("something of that name is there already")
}

fn missing() -> Reply {
    Reply::status(StatusCode::NoSuchFile, "No such file")
}

/// The real directory and the name in it, for requests that act on a link itself.
async fn name(sftp: &TargetSftp, path: &RemotePath) -> Result<RemotePath, NoChange> {
    let Some((directory, name)) = path.split_name() else { return follow(sftp, path).await };
    let real = follow(sftp, &directory).await?;
    real.join(&name).map_err(|error| failure(&error.to_string()).into())
}

/// Prepares a request that changes something.
pub(crate) async fn change(
    sftp: &TargetSftp,
    request: &Request,
    openssh_symlink: bool,
) -> Result<PreparedChange, NoChange> {
    let extension = match request {
        Request::Hardlink { .. } => Some(Extension::Hardlink),
        Request::Lsetstat { .. } => Some(Extension::Lsetstat),
        Request::PosixRename { .. } => Some(Extension::PosixRename),
        _ => None,
    };
    if extension.is_some_and(|extension| !sftp.has(extension)) {
        let reply = Reply::status(StatusCode::OpUnsupported, "the target cannot do that");
        return Err(reply.into());
    }
    match request {
        Request::Hardlink { old, new } => {
            let (old, new) = (name(sftp, old).await?, name(sftp, new).await?);
            if sftp.present(&old).await? == Present::Missing {
                return Err(missing().into());
            }
            if sftp.present(&new).await? != Present::Missing {
                return Err(exists().into());
            }
            Ok(PreparedChange::bare(Change::Hardlink { old, new }))
        }
        Request::Lsetstat { path, attrs } => {
            let path = name(sftp, path).await?;
            setstat(sftp, path, *attrs, true).await
        }
        Request::Mkdir { path, attrs } => {
            let path = name(sftp, path).await?;
            if sftp.present(&path).await? != Present::Missing {
                return Err(exists().into());
            }
            Ok(PreparedChange::bare(Change::Mkdir { path, mode: attrs.permissions() }))
        }
        Request::PosixRename { old, new } | Request::Rename { old, new } => {
            let posix = matches!(request, Request::PosixRename { .. });
            let (old, new) = (name(sftp, old).await?, name(sftp, new).await?);
            if sftp.present(&old).await? == Present::Missing {
                return Err(missing().into());
            }
            let over = sftp.present(&new).await?;
            if !posix && over != Present::Missing {
                return Err(exists().into());
            }
            Ok(PreparedChange::bare(Change::Rename { old, new, over, posix }))
        }
        Request::Remove { path } => {
            let path = name(sftp, path).await?;
            match sftp.present(&path).await? {
                Present::Missing => Err(missing().into()),
                Present::There(attrs) if attrs.is_directory() => {
                    Err(failure("it is a directory").into())
                }
                present => Ok(PreparedChange::bare(Change::Remove { path, present })),
            }
        }
        Request::Rmdir { path } => {
            let path = name(sftp, path).await?;
            match sftp.present(&path).await? {
                Present::Missing => Err(missing().into()),
                Present::There(attrs) if attrs.mode.is_some() && !attrs.is_directory() => {
                    Err(failure("it is no directory").into())
                }
                Present::There(_) => Ok(PreparedChange::bare(Change::Rmdir { path })),
            }
        }
        Request::Setstat { path, attrs } => {
            let path = follow(sftp, path).await?;
            setstat(sftp, path, *attrs, false).await
        }
        Request::Symlink { first, second } => {
            let (target, link) = if openssh_symlink { (first, second) } else { (second, first) };
            let link = name(sftp, link).await?;
            if sftp.present(&link).await? != Present::Missing {
                return Err(exists().into());
            }
            symlink(sftp, target.clone(), link).await
        }
        _ => Err(failure("not a change").into()),
    }
}

async fn symlink(
    sftp: &TargetSftp,
    target: RemotePath,
    link: RemotePath,
) -> Result<PreparedChange, NoChange> {
    let leads =
        if target.is_absolute() { Ok(target.clone()) } else { link.directory().join(&target) };
    // In OpenSSH's order on the wire, which nearly every server expects.
    let change = Change::Symlink { target, link, openssh: true };
    let mut notes = warnings(&change);
    if let Ok(leads) = leads {
        match follow(sftp, &leads).await {
            Ok(real) => {
                notes.push(format!("the link leads to {real}"));
                notes.extend(why_sensitive(&real).map(|why| format!("{real}: {why}")));
                if !ReadPolicy::Harmless.is_free(&real) {
                    notes.push(format!("{real} may hold secrets"));
                }
            }
            Err(NoChange::Lost) => return Err(NoChange::Lost),
            // A link may lead nowhere.
            Err(NoChange::Answer(_)) => {}
        }
    }
    Ok(PreparedChange { planned: PlannedChange::bare(change), notes, preview: None })
}

async fn setstat(
    sftp: &TargetSftp,
    path: RemotePath,
    mut attrs: Attrs,
    link: bool,
) -> Result<PreparedChange, NoChange> {
    attrs.mode = attrs.permissions();
    let present = sftp.present(&path).await?;
    let Present::There(now) = present else { return Err(missing().into()) };
    let differs = attrs.mode.is_some() && attrs.mode != now.permissions()
        || attrs.owner.is_some() && attrs.owner != now.owner
        || attrs.size.is_some() && attrs.size != now.size
        || attrs.times.is_some() && attrs.times != now.times;
    if !differs {
        return Err(Reply::ok().into());
    }
    Ok(PreparedChange::bare(Change::Setstat { path, attrs, present, link }))
}

/// Prepares the reading of a secret.
pub(crate) async fn read(sftp: &TargetSftp, path: RemotePath) -> Result<PreparedChange, NoChange> {
    match sftp.present(&path).await? {
        Present::Missing => Err(missing().into()),
        present => Ok(PreparedChange::bare(Change::Read { path, present })),
    }
}

/// Prepares an upload whose bytes have all been received.
pub(crate) async fn upload(
    sftp: &TargetSftp,
    write: PendingWrite,
    sync: bool,
) -> Result<PreparedChange, NoChange> {
    let (asked, path, flags) = (write.asked.clone(), write.real.clone(), write.flags);
    let (create, reviewed) = (write.create, write.present);
    let present = sftp.present(&path).await?;
    let mode = match present {
        Present::Missing if flags.create() => OpenMode::CreateNew,
        Present::Missing => return Err(missing().into()),
        Present::There(attrs) if attrs.is_directory() || attrs.is_link() => {
            return Err(failure("something else has taken the file's place").into());
        }
        Present::There(_) if flags.exclusive() => return Err(exists().into()),
        Present::There(_) if flags.truncate() => OpenMode::Truncate,
        Present::There(_) => OpenMode::Existing,
    };
    let committed = write.commit();
    let Committed { spool, cut, mut attrs, length } = committed;
    attrs.mode = attrs.permissions();
    // Hashing a large upload takes a while.
    let content = match tokio::task::spawn_blocking(move || spool.seal()).await {
        Ok(Ok(content)) => content,
        Ok(Err(error)) => return Err(failure(&error.to_string()).into()),
        Err(_) => return Err(failure("the upload could not be read back").into()),
    };
    // A file that is written from its first byte to its last is replaced, whether the client says
    // so when it opens the file or (as scp does) truncates it afterwards.
    let all = content.summary().pieces == [(0, length)] || (length == 0 && cut == Some(0));
    let mode = if mode == OpenMode::Existing && all { OpenMode::Truncate } else { mode };
    if mode == OpenMode::Existing && present.size() != reviewed.size() {
        let why = "the file has changed since it was opened";
        return Err(failure(why).into());
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
        (_, false) if present.size() <= MAX_DIFF => current_content(sftp, &path).await?,
        _ => None,
    };
    let preview = shown(&content, mode, cut, old, length);
    let change = Change::Write(Box::new(upload));
    notes.extend(warnings(&change));
    let planned = PlannedChange::upload(change, content);
    Ok(PreparedChange { planned, notes, preview })
}

/// The preview of an upload. `old` is the current content, if it may be shown.
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
