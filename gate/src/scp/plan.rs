//! From what a client sent to what it would do: real paths and what is there now, as the target
//! tells through its SFTP server. A target without one is taken at the client's word, and the text
//! says so: its lines begin with `scp`, which no rule allows. Nothing here changes anything.

use std::sync::Arc;
use std::time::Duration;

use expacti_sftp::scp::{Record, Summary, upload_text};
use expacti_sftp::{
    Attrs, Change, Content, MAX_DIFF, OpenMode, Present, RemotePath, Reply, Upload as Write,
    is_secret, preview, size,
};
use futures_util::StreamExt as _;

use super::{Entry, Sink, Upload};
use crate::message::Refusal;
use crate::sftp::{bounded, follow, joined, now, warnings};
use crate::target::{Replies, TargetLost, TargetSftp};
use crate::upstream::Lease;

/// Questions to the target at one time.
const AT_ONCE: usize = 32;

/// Files of which a preview is made.
const PREVIEWS: usize = 32;

/// What an announced upload is shown with.
const ANNOUNCED: &str = "this client sends the content only once it is allowed: nobody sees it \
                         before it is written (sftp shows it); its length and SHA-256 are recorded";

/// What a target without SFTP makes of the text.
const BLIND: &str = "the target has no SFTP server to ask: what is there now is not known, and \
                     links on the way are not followed here";

/// An upload with the text that shows it.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    upload: Arc<Upload>,
    text: String,
    /// The line of each entry that does something, by its place.
    lines: Vec<Option<String>>,
    notes: Vec<String>,
    previews: Vec<(String, String)>,
}

impl Planned {
    /// The item's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What a reviewer should know besides.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The texts among the files.
    pub(crate) fn preview(&self) -> Option<String> {
        joined(self.previews.clone())
    }

    /// The upload.
    pub(crate) fn upload(&self) -> &Arc<Upload> {
        &self.upload
    }

    /// The line of an entry.
    pub(crate) fn line(&self, entry: usize) -> Option<&str> {
        self.lines.get(entry)?.as_deref()
    }
}

/// Asks the target.
#[derive(Default)]
pub(crate) struct Resolver {
    sftp: Option<Option<(Arc<TargetSftp>, Replies)>>,
}

/// Where an entry goes.
#[derive(Clone)]
struct Place {
    path: RemotePath,
    /// It may be there already: the target has to be asked.
    there: bool,
}

/// What is known of one entry's destination.
struct Found {
    path: RemotePath,
    present: Present,
}

impl Resolver {
    /// What the upload would do now.
    pub(crate) async fn plan(
        &mut self,
        lease: &Lease,
        limit: Duration,
        sink: &Sink,
        upload: &Arc<Upload>,
    ) -> Result<Planned, Refusal> {
        if self.sftp.is_none() {
            let start = async {
                let channel = lease.side_channel().await?;
                channel.sftp().await.ok()
            };
            let started = tokio::time::timeout(limit, start).await.ok().flatten();
            self.sftp = Some(started);
        }
        let Some(Some((sftp, replies))) = &mut self.sftp else {
            return Ok(blind(sink, upload));
        };
        let lost = || Refusal::target("the target's SFTP server went away");
        let sftp = Arc::clone(sftp);
        let planned = tokio::select! {
            planned = tokio::time::timeout(limit * 4, resolved(&sftp, sink, upload)) => planned,
            _ = replies.run(&sftp) => return Err(lost()),
        };
        match planned {
            Ok(Ok(planned)) => planned,
            Ok(Err(TargetLost)) => Err(lost()),
            Err(_) => Err(Refusal::target("the target's SFTP server does not answer in time")),
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if let Some(Some((sftp, _))) = &self.sftp {
            sftp.close();
        }
    }
}

fn no(path: &RemotePath, reply: &Reply) -> Refusal {
    let why = match reply {
        Reply::Status(_, message) => expacti_protocol::one_line(message),
        _ => "the target does not resolve it".to_owned(),
    };
    Refusal::unsupported(&format!("{path}: {why}"))
}

async fn look(sftp: &TargetSftp, place: &Place) -> Result<Result<Found, Refusal>, TargetLost> {
    if !place.there {
        return Ok(Ok(Found { path: place.path.clone(), present: Present::Missing }));
    }
    Ok(match follow(sftp, &place.path).await? {
        Ok(path) => {
            let present = sftp.present(&path).await?;
            Ok(Found { path, present })
        }
        Err(reply) => Err(no(&place.path, &reply)),
    })
}

macro_rules! or_refuse {
    ($found:expr) => {
        match $found {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

fn within(directory: &RemotePath, name: &RemotePath) -> Result<RemotePath, Refusal> {
    directory.join(name).map_err(|error| Refusal::unsupported(&error.to_string()))
}

fn is_directory(present: &Present) -> bool {
    matches!(present, Present::There(attrs) if attrs.is_directory())
}

async fn resolved(
    sftp: &TargetSftp,
    sink: &Sink,
    upload: &Arc<Upload>,
) -> Result<Result<Planned, Refusal>, TargetLost> {
    let base = or_refuse!(look(sftp, &Place { path: sink.path.clone(), there: true }).await?);
    let mut times = None;
    // The changes of each entry; of a file once the target has been asked about it.
    let mut changes: Vec<Vec<Change>> = Vec::new();
    let mut files = Vec::new();
    let mut inside: Vec<Place> = Vec::new();
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
        let place = match inside.last() {
            Some(outer) => Place { path: or_refuse!(within(&outer.path, name)), ..outer.clone() },
            None if is_directory(&base.present) => {
                Place { path: or_refuse!(within(&base.path, name)), there: true }
            }
            None => Place { path: base.path.clone(), there: true },
        };
        let times = times.take();
        if let Record::Directory { mode, .. } = &entry.record {
            let found = or_refuse!(look(sftp, &place).await?);
            inside.push(Place { path: found.path.clone(), there: is_directory(&found.present) });
            if let Some(changes) = changes.last_mut() {
                *changes = directory(found, *mode, times, sink.preserve);
            }
        } else {
            files.push((at, entry, place, times));
        }
    }
    // Made before anything is awaited: a closure that borrows would bind the whole task.
    let looks: Vec<_> = files.iter().map(|(_, _, place, _)| look(sftp, place)).collect();
    let looked: Vec<_> = futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await;
    for ((at, entry, _, times), found) in files.iter().zip(looked) {
        let found = or_refuse!(found?);
        if let (Some(changes), Record::File { mode, .. }) = (changes.get_mut(*at), &entry.record) {
            let write = file(found, entry, *mode, *times, sink.preserve);
            changes.push(Change::Write(Box::new(write)));
        }
    }
    let mut previews = Vec::new();
    let mut written: Vec<(&Entry, &Write)> = Vec::new();
    for (entry, changes) in upload.entries.iter().zip(&changes) {
        if let [Change::Write(write)] = &changes[..]
            && !upload.announced
            && (1..=MAX_DIFF).contains(&write.content.bytes)
            && written.len() < PREVIEWS
        {
            written.push((entry, write));
        }
    }
    for (entry, write) in written {
        let old = match write.present {
            Present::There(_) if !is_secret(&write.path) => now(sftp, &write.path).await?,
            _ => None,
        };
        previews.extend(shown(upload, entry, &write.path.to_string(), old.as_deref()));
    }
    let mut notes = bounded(changes.iter().flatten().flat_map(warnings).collect());
    notes.extend(upload.announced.then(|| ANNOUNCED.to_owned()));
    let line = |change: &Change| match change {
        Change::Write(write) if upload.announced => write.announced(),
        change => change.to_string(),
    };
    let lines = changes.iter().map(|changes| {
        let lines: Vec<_> = changes.iter().map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    });
    Ok(Ok(assemble(upload, &base.path, lines.collect(), notes, previews)))
}

/// What a directory comes to: it is made, or there already; with `-p` it gets mode and times.
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
    entry: &Entry,
    mode: u32,
    times: Option<(u32, u32)>,
    preserve: bool,
) -> Write {
    let Found { path, present } = found;
    let bytes = content_bytes(entry);
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

fn content_bytes(entry: &Entry) -> u64 {
    match &entry.record {
        Record::File { size, .. } => *size,
        _ => 0,
    }
}

/// The preview of one file.
fn shown(
    upload: &Upload,
    entry: &Entry,
    path: &str,
    old: Option<&[u8]>,
) -> Option<(String, String)> {
    let length = usize::try_from(content_bytes(entry)).ok()?;
    let all = upload.content.pieces().into_iter().next()?;
    let bytes = upload.content.read(&all, entry.start, length).ok()?;
    Some((path.to_owned(), preview(old, &bytes, true)))
}

/// Taken at the client's word.
fn blind(sink: &Sink, upload: &Arc<Upload>) -> Planned {
    let home = if sink.path.is_absolute() { "" } else { "~/" };
    let mut inside = Vec::new();
    let mut lines = Vec::new();
    let mut previews = Vec::new();
    for entry in &upload.entries {
        let (what, name) = match &entry.record {
            Record::File { mode, name, .. } => {
                let hash: String = entry.sha256.iter().map(|b| format!("{b:02x}")).collect();
                let bytes = size(content_bytes(entry));
                let seen = match upload.announced {
                    true => "content not seen".to_owned(),
                    false => format!("sha256 {hash}"),
                };
                (format!("{bytes}, {seen}, mode {mode:04o}"), name)
            }
            Record::Directory { mode, name } => (format!("directory mode {mode:04o}"), name),
            Record::End => {
                inside.pop();
                lines.push(None);
                continue;
            }
            Record::Times { .. } => {
                lines.push(None);
                continue;
            }
        };
        let outer = inside.last().unwrap_or(&sink.path);
        // Too long a path is what the target will say, too.
        let path = outer.join(name).unwrap_or_else(|_| outer.clone());
        let top = inside.is_empty();
        let or = if top { format!(" (or {home}{})", sink.path) } else { String::new() };
        lines.push(Some(format!("scp write {home}{path}{or}: {what}")));
        if matches!(entry.record, Record::Directory { .. }) {
            inside.push(path);
        } else if !upload.announced && content_bytes(entry) <= MAX_DIFF && previews.len() < PREVIEWS
        {
            previews.extend(shown(upload, entry, &path.to_string(), None));
        }
    }
    let mut notes = vec![BLIND.to_owned()];
    notes.extend(upload.announced.then(|| ANNOUNCED.to_owned()));
    assemble(upload, &sink.path, lines, notes, previews)
}

fn assemble(
    upload: &Arc<Upload>,
    to: &RemotePath,
    lines: Vec<Option<String>>,
    notes: Vec<String>,
    previews: Vec<(String, String)>,
) -> Planned {
    let mut summary = Summary::default();
    for entry in &upload.entries {
        match &entry.record {
            Record::File { size, .. } => {
                summary.files += 1;
                summary.bytes = summary.bytes.saturating_add(*size);
            }
            Record::Directory { .. } => summary.directories += 1,
            Record::End | Record::Times { .. } => {}
        }
    }
    let each: Vec<String> =
        lines.iter().flatten().flat_map(|lines| lines.split('\n').map(str::to_owned)).collect();
    let text = upload_text(&summary, to, &each);
    Planned { upload: Arc::clone(upload), text, lines, notes, previews }
}
