//! Works out what an upload would do: the real paths, and what is there now, according to the
//! target's SFTP server. If the target has none, the client's word is shown as such: those lines
//! begin with `scp`, and no rule allows them. Nothing here changes anything.

use std::sync::Arc;
use std::time::Duration;

use expacti_sftp::scp::Record;
use expacti_sftp::{
    Attrs, Change, Content, MAX_DIFF, OpenMode, Present, RemotePath, Reply, Upload as Write,
    is_secret, preview,
};
use futures_util::StreamExt as _;

use super::command::ScpUpload;
use crate::boundary::{Replies, TargetLost, TargetSftp};
use crate::client::refusal::Refusal;
use crate::files::describe::{NoChange, bounded, current_content, follow, warnings};
use crate::staging::scp_upload::{EntryPlan, PlannedUpload, Upload, UploadEntry};
use crate::upstream::pool::Lease;

/// Concurrent questions to the target.
const AT_ONCE: usize = 32;

/// The most files with a preview.
const PREVIEWS: usize = 32;

/// The note on an announced upload.
const ANNOUNCED: &str = "this client sends the content only once it is allowed: nobody sees it \
                         before it is written (sftp shows it); its length and SHA-256 are recorded";

/// The note on an upload to a target without SFTP.
const UNRESOLVED: &str = "the target has no SFTP server to ask: what is there now is not known, and \
                     links on the way are not followed here";

/// The target's SFTP server.
enum Server {
    /// It has not been started yet.
    Unasked,
    /// The target has none.
    Missing,
    /// It answers questions.
    Open(Arc<TargetSftp>, Replies),
}

/// Why there is no plan.
enum PlanError {
    /// The target has gone.
    Lost,
    /// The client is to be told why.
    Refused(Refusal),
}

impl From<TargetLost> for PlanError {
    fn from(_: TargetLost) -> Self {
        Self::Lost
    }
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Asks the target what an upload would do.
pub(crate) struct Resolver {
    server: Server,
}

/// Where an entry goes.
#[derive(Clone)]
struct Destination {
    path: RemotePath,
    /// It may exist already: the target must be asked.
    there: bool,
}

/// What is known of one entry's destination.
struct Found {
    path: RemotePath,
    present: Present,
}

impl Resolver {
    /// Asks nothing yet.
    pub(crate) fn new() -> Self {
        Self { server: Server::Unasked }
    }

    /// What the upload would do now.
    pub(crate) async fn plan(
        &mut self,
        lease: &Lease,
        limit: Duration,
        command: &ScpUpload,
        upload: &Arc<Upload>,
    ) -> Result<PlannedUpload, Refusal> {
        if matches!(self.server, Server::Unasked) {
            let start = async {
                let channel = lease.side_channel().await?;
                channel.sftp().await.ok()
            };
            self.server = match tokio::time::timeout(limit, start).await {
                Ok(Some((sftp, replies))) => Server::Open(sftp, replies),
                Ok(None) | Err(_) => Server::Missing,
            };
        }
        let Server::Open(sftp, replies) = &mut self.server else {
            return Ok(unresolved(command, upload));
        };
        let lost = || Refusal::target("the target's SFTP server went away");
        let sftp = Arc::clone(sftp);
        let planned = tokio::select! {
            planned = tokio::time::timeout(limit * 4, resolved(&sftp, command, upload)) => planned,
            _ = replies.run(&sftp) => return Err(lost()),
        };
        match planned {
            Ok(Ok(planned)) => Ok(planned),
            Ok(Err(PlanError::Refused(refusal))) => Err(refusal),
            Ok(Err(PlanError::Lost)) => Err(lost()),
            Err(_) => Err(Refusal::target("the target's SFTP server does not answer in time")),
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if let Server::Open(sftp, _) = &self.server {
            sftp.close();
        }
    }
}

/// What is at an entry's destination, with all links resolved.
async fn look(sftp: &TargetSftp, destination: &Destination) -> Result<Found, PlanError> {
    if !destination.there {
        return Ok(Found { path: destination.path.clone(), present: Present::Missing });
    }
    let path = match follow(sftp, &destination.path).await {
        Ok(path) => path,
        Err(NoChange::Lost) => return Err(PlanError::Lost),
        Err(NoChange::Answer(reply)) => {
            let why = match &reply {
                Reply::Status(_, message) => expacti_protocol::one_line(message),
                _ => "the target does not resolve it".to_owned(),
            };
            return Err(Refusal::unsupported(&format!("{}: {why}", destination.path)).into());
        }
    };
    let present = sftp.present(&path).await?;
    Ok(Found { path, present })
}

fn within(directory: &RemotePath, name: &RemotePath) -> Result<RemotePath, Refusal> {
    directory.join(name).map_err(|error| Refusal::unsupported(&error.to_string()))
}

fn is_directory(present: &Present) -> bool {
    matches!(present, Present::There(attrs) if attrs.is_directory())
}

/// A file whose destination is known but has not been checked yet.
struct Unseen<'a> {
    /// Which entry it is.
    at: usize,
    entry: &'a UploadEntry,
    destination: Destination,
    /// Access and modification, in seconds since 1970.
    times: Option<(u32, u32)>,
}

async fn resolved(
    sftp: &TargetSftp,
    command: &ScpUpload,
    upload: &Arc<Upload>,
) -> Result<PlannedUpload, PlanError> {
    let base = look(sftp, &Destination { path: command.path.clone(), there: true }).await?;
    let (mut changes, files) = directories(sftp, command, upload, &base).await?;
    // Created before anything is awaited: a borrowing closure would tie down the whole task.
    let looks: Vec<_> = files.iter().map(|file| look(sftp, &file.destination)).collect();
    let looked: Vec<_> = futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await;
    for (unseen, found) in files.iter().zip(looked) {
        let found = found?;
        if let (Some(changes), Record::File { mode, .. }) =
            (changes.get_mut(unseen.at), &unseen.entry.record)
        {
            let write = file(found, unseen.entry, *mode, unseen.times, command.preserve);
            changes.push(Change::Write(Box::new(write)));
        }
    }
    let previews = previews(sftp, upload, &changes).await?;
    let mut notes = bounded(changes.iter().flatten().flat_map(warnings).collect());
    notes.extend(upload.announced.then(|| ANNOUNCED.to_owned()));
    let plans = changes.into_iter().map(EntryPlan::Changes).collect();
    Ok(PlannedUpload::new(Arc::clone(upload), base.path, plans, notes, previews))
}

/// The changes of each entry that are known without checking the files, that is those of
/// directories; and the files with their destinations.
async fn directories<'a>(
    sftp: &TargetSftp,
    command: &ScpUpload,
    upload: &'a Upload,
    base: &Found,
) -> Result<(Vec<Vec<Change>>, Vec<Unseen<'a>>), PlanError> {
    let mut times = None;
    let mut changes: Vec<Vec<Change>> = Vec::new();
    let mut files = Vec::new();
    let mut inside: Vec<Destination> = Vec::new();
    for (at, entry) in upload.entries.iter().enumerate() {
        changes.push(Vec::new());
        let name = match &entry.record {
            Record::Times { modified, accessed } => {
                times = Some((*accessed, *modified));
                continue;
            }
            Record::End => {
                inside.pop();
                continue;
            }
            Record::File { name, .. } | Record::Directory { name, .. } => name,
        };
        let destination = match inside.last() {
            Some(outer) => Destination { path: within(&outer.path, name)?, ..outer.clone() },
            None if is_directory(&base.present) => {
                Destination { path: within(&base.path, name)?, there: true }
            }
            None => Destination { path: base.path.clone(), there: true },
        };
        let times = times.take();
        if let Record::Directory { mode, .. } = &entry.record {
            let found = look(sftp, &destination).await?;
            inside.push(Destination {
                path: found.path.clone(),
                there: is_directory(&found.present),
            });
            if let Some(changes) = changes.last_mut() {
                *changes = directory(found, *mode, times, command.preserve);
            }
        } else {
            files.push(Unseen { at, entry, destination, times });
        }
    }
    Ok((changes, files))
}

/// Previews of the first small files, compared with what is there now.
async fn previews(
    sftp: &TargetSftp,
    upload: &Upload,
    changes: &[Vec<Change>],
) -> Result<Vec<(String, String)>, PlanError> {
    let mut written: Vec<(&UploadEntry, &Write)> = Vec::new();
    for (entry, changes) in upload.entries.iter().zip(changes) {
        if let [Change::Write(write)] = &changes[..]
            && !upload.announced
            && (1..=MAX_DIFF).contains(&write.content.bytes)
            && written.len() < PREVIEWS
        {
            written.push((entry, write));
        }
    }
    let mut previews = Vec::new();
    for (entry, write) in written {
        let old = match write.present {
            Present::There(_) if !is_secret(&write.path) => {
                current_content(sftp, &write.path).await?
            }
            _ => None,
        };
        previews.extend(shown(upload, entry, &write.path.to_string(), old.as_deref()));
    }
    Ok(previews)
}

/// The changes for a directory: it is created unless it exists; with `-p` it gets mode and times.
fn directory(found: Found, mode: u32, times: Option<(u32, u32)>, preserve: bool) -> Vec<Change> {
    let Found { path, present } = found;
    let attrs = Attrs { mode: preserve.then_some(mode), times, ..Attrs::default() };
    let mut changes = Vec::new();
    if present == Present::Missing {
        changes.push(Change::Mkdir { path: path.clone(), mode: Some(mode) });
    }
    if !attrs.is_empty() {
        changes.push(Change::Setstat { path, attrs, present, link: false });
    }
    changes
}

fn file(
    found: Found,
    entry: &UploadEntry,
    mode: u32,
    times: Option<(u32, u32)>,
    preserve: bool,
) -> Write {
    let Found { path, present } = found;
    let bytes = entry.size();
    let pieces = if bytes == 0 { Vec::new() } else { vec![(0, bytes)] };
    let new = present == Present::Missing;
    Write {
        path,
        present,
        mode: if new { OpenMode::CreateNew } else { OpenMode::Truncate },
        create: new.then_some(mode),
        cut: None,
        content: Content { bytes, sha256: entry.sha256, pieces },
        attrs: Attrs { mode: preserve.then_some(mode), times, ..Attrs::default() },
        sync: false,
    }
}

/// The preview of one file.
fn shown(
    upload: &Upload,
    entry: &UploadEntry,
    path: &str,
    old: Option<&[u8]>,
) -> Option<(String, String)> {
    let length = usize::try_from(entry.size()).ok()?;
    let all = upload.content.pieces().into_iter().next()?;
    let bytes = upload.content.read(&all, entry.start, length).ok()?;
    Some((path.to_owned(), preview(old, &bytes, true)))
}

/// The plan on the client's word alone.
fn unresolved(command: &ScpUpload, upload: &Arc<Upload>) -> PlannedUpload {
    let home = if command.path.is_absolute() { "" } else { "~/" };
    let mut inside = Vec::new();
    let mut plans = Vec::new();
    let mut previews = Vec::new();
    for entry in &upload.entries {
        let name = match &entry.record {
            Record::File { name, .. } | Record::Directory { name, .. } => name,
            record => {
                if *record == Record::End {
                    inside.pop();
                }
                plans.push(EntryPlan::Changes(Vec::new()));
                continue;
            }
        };
        let outer = inside.last().unwrap_or(&command.path);
        // If the path is too long, the target will say so as well.
        let path = outer.join(name).unwrap_or_else(|_| outer.clone());
        let top = inside.is_empty();
        let or = if top { format!(" (or {home}{})", command.path) } else { String::new() };
        plans.push(EntryPlan::Unresolved(format!("{home}{path}{or}")));
        if matches!(entry.record, Record::Directory { .. }) {
            inside.push(path);
        } else if !upload.announced && entry.size() <= MAX_DIFF && previews.len() < PREVIEWS {
            previews.extend(shown(upload, entry, &path.to_string(), None));
        }
    }
    let mut notes = vec![UNRESOLVED.to_owned()];
    notes.extend(upload.announced.then(|| ANNOUNCED.to_owned()));
    PlannedUpload::new(Arc::clone(upload), command.path.clone(), plans, notes, previews)
}
