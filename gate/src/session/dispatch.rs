//! The security path of one channel, as one page: open, review, deliver, report.
//!
//! Nothing that the agent sent reaches the target except through [`deliver`], which consumes an
//! [`Approved`] item, and that exists only for bytes the broker has released. Whatever ends this
//! path earlier (an error, a denial, a client that disconnects) ends it with nothing delivered.
//! Interactive shells and SFTP have paths of their own ([`crate::shell`], [`crate::files::sftp`])
//! that start here and keep the same order for each of their items.

use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::Outcome;
use expacti_protocol::ids::CommandId;

use crate::boundary::{Approved, Delivered, GateConst, TargetChannel};
use crate::broker::event::OpenSession;
use crate::client::channel::{Channel, finish, unless_gone};
use crate::client::end::{ChannelEnd, Stopped};
use crate::client::refusal::Refusal;
use crate::exec::account_shell::account_shell;
use crate::exec::git_push;
use crate::exec::run::RunningCommand;
use crate::exec::stdin::Feed;
use crate::files::scp::command::{ClientKind, NOTE, ScpUpload};
use crate::files::scp::download::Download;
use crate::files::{scp, sftp};
use crate::review::collect::collect;
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult};
use crate::shell;
use crate::upstream::pool::Lease;

/// How long a channel whose command ended may take to close before its connection is dropped.
const CLOSING: Duration = Duration::from_secs(1);

/// What a client asks a channel to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChannelRequest {
    /// An `exec` request with this command, of this kind of client.
    Exec(Bytes, ClientKind),
    /// The `sftp` subsystem.
    Sftp {
        /// The client has OpenSSH's order of paths in a `SYMLINK`.
        openssh_symlink: bool,
    },
    /// A `shell` request.
    Shell,
}

/// Serves a channel from its request to its end. If nothing runs, the client is told why.
pub(crate) async fn serve(mut channel: Channel, request: ChannelRequest) {
    let gone = channel.gone.clone();
    if let Err(Stopped::Refused(refusal)) = dispatch(&mut channel, request).await {
        channel.input.discard();
        channel.connection.note(&refusal.message).await;
        let refusal = match channel.connection.json && channel.terminal.is_none() {
            true => Refusal { message: refusal.as_json(), ..refusal },
            false => refusal,
        };
        unless_gone(&gone, channel.client.refuse(&refusal)).await.ok();
    }
    channel.input.discard();
}

async fn dispatch(channel: &mut Channel, request: ChannelRequest) -> Result<(), Stopped> {
    let Opened { session, lease, mut target } = open(channel).await?;
    let command = match request {
        ChannelRequest::Sftp { openssh_symlink } => {
            return sftp::serve::run(channel, lease, target, openssh_symlink).await;
        }
        ChannelRequest::Shell if channel.terminal.is_some() => {
            return shell::run::run(channel, session, lease, target).await;
        }
        ChannelRequest::Shell => Command::login_shell(channel, &mut target).await?,
        ChannelRequest::Exec(bytes, client) => {
            let mut command = Command::exec(channel, bytes, client).await?;
            let bytes = &command.item.bytes;
            command.item.shell = account_shell(channel, &session, &lease, bytes).await?;
            command
        }
    };
    let text = String::from_utf8_lossy(&command.item.bytes).into_owned();
    let download = Download::of(channel, &session, &command.item);
    let (id, approved) = review(channel, &session, command.item, &mut target, &lease).await?;
    if channel.terminal.is_some() {
        // With a terminal nothing is data: what is typed is held like what is typed at a shell.
        let approved = (id, approved);
        return shell::run::run_command(channel, session, lease, target, approved, text).await;
    }
    let started = Instant::now();
    let delivered = deliver(channel, &id, target, approved).await?;
    let (mut running, stdin) = RunningCommand::new(channel, id, session, started, delivered).await;
    if let Some(download) = download {
        running.watch(Box::new(download));
    }
    let end = running.follow(channel, &lease, stdin, command.feed).await;
    report(channel, lease, running, end).await
}

/// What is opened before anyone is asked to review.
struct Opened {
    /// The session at the broker.
    session: OpenSession,
    /// The connection to the target, while this channel uses it.
    lease: Lease,
    /// A channel on it, with nothing requested yet.
    target: TargetChannel,
}

/// Open: the target comes first, so that an unusable one costs no reviewer's time.
async fn open(channel: &Channel) -> Result<Opened, Stopped> {
    let pool = channel.connection.target()?;
    let opened = unless_gone(&channel.gone, pool.channel()).await?;
    let (lease, target) = opened.map_err(|error| Refusal::target(&error.0))?;
    let session = unless_gone(&channel.gone, channel.connection.current()).await??;
    Ok(Opened { session, lease, target })
}

/// A command, and how to feed its standard input once it runs.
struct Command {
    item: ReviewItem,
    feed: Feed,
}

impl Command {
    /// From an `exec` request. Refused if it asks for something that cannot be shown honestly.
    async fn exec(channel: &Channel, bytes: Bytes, kind: ClientKind) -> Result<Self, Stopped> {
        let upload = match ScpUpload::of(&bytes, kind, channel.terminal.is_some()) {
            Ok(upload) => upload,
            Err(refusal) => {
                scp::serve::reject(&channel.client, kind, &refusal).await;
                return Err(refusal.into());
            }
        };
        let mut item = ReviewItem::command(bytes);
        let feed = match (upload, git_push::push_sentence(&item.bytes)) {
            (Some(upload), _) => {
                item.notes.push(NOTE.to_owned());
                Feed::ScpUpload(upload)
            }
            (None, Some(sentence)) => Feed::GitPush(sentence),
            (None, None) => Feed::Plain { eof: false },
        };
        Ok(Self { item, feed })
    }

    /// A login shell without a terminal: what comes on its standard input is the command.
    async fn login_shell(channel: &Channel, target: &mut TargetChannel) -> Result<Self, Stopped> {
        let collected = tokio::select! {
            biased;
            () = channel.gone.cancelled() => return Err(Stopped::Gone),
            () = target.lost() => {
                return Err(Refusal::target("the target closed the connection").into());
            }
            collected = collect(&channel.input, &channel.connection) => collected,
        };
        let (bytes, eof) = collected;
        Ok(Self { item: ReviewItem::login_shell(bytes), feed: Feed::Plain { eof } })
    }
}

/// Review: the item is held until the broker has released exactly these bytes, or it has ended.
async fn review(
    channel: &mut Channel,
    session: &OpenSession,
    item: ReviewItem,
    target: &mut TargetChannel,
    lease: &Lease,
) -> Result<(CommandId, Approved), Stopped> {
    let review = Review {
        connection: &channel.connection,
        client: Some(&channel.client),
        input: &channel.input,
        gone: &channel.gone,
        environment: &channel.environment,
        watcher: None,
    };
    let also = AlsoWatched {
        control: Some(&mut channel.control),
        target: Some(target),
        lease: Some(lease),
    };
    match review.run(session, item, &mut channel.terminal, also).await {
        ReviewResult::Approved(id, approved) => Ok((id, *approved)),
        ReviewResult::Refused(refusal) => Err(Stopped::Refused(refusal)),
        ReviewResult::Changed | ReviewResult::Gone | ReviewResult::Withdrawn => Err(Stopped::Gone),
    }
}

/// Deliver: the one place where a decision becomes bytes on the target's side. From here on the
/// release is used up. Unless everything is known to have gone out, the outcome is unknown.
async fn deliver(
    channel: &Channel,
    id: &CommandId,
    target: TargetChannel,
    approved: Approved,
) -> Result<Delivered, Stopped> {
    let link = &channel.connection.shared.link;
    // A session that was killed a moment ago sends nothing.
    let Ok(delivered) = unless_gone(&channel.gone, target.deliver(approved)).await else {
        // Some or all of the request may have gone out.
        let why = "the client went away as the command was sent";
        link.finished(id.clone(), Outcome::unknown(why)).await;
        return Err(Stopped::Gone);
    };
    match delivered {
        Ok(delivered) => Ok(delivered),
        Err(_) => {
            let why = "the connection to the target was lost as the command was sent";
            link.finished(id.clone(), Outcome::unknown(why)).await;
            Err(Refusal::target(&format!("{why}; whether it ran is unknown")).into())
        }
    }
}

/// Report: how the command ended, once, to the broker and then to the agent. Then both sides of
/// the channel are closed.
async fn report(
    channel: &Channel,
    lease: Lease,
    running: RunningCommand,
    end: ChannelEnd,
) -> Result<(), Stopped> {
    let link = &channel.connection.shared.link;
    let (outcome, verdict) = running.judge(end);
    let RunningCommand { items, writer, mut reader, .. } = running;
    let items = items.into_inner();
    // Before the agent is told: an agent that then disconnects must not make the outcome unknown.
    for id in &items {
        link.ended(id.clone(), outcome.clone());
    }
    let told = async {
        if let Ok(exit) = &verdict {
            finish(&channel.client, &channel.gone, exit).await;
        }
        for id in items {
            link.report(id).await;
        }
    };
    let closed = async {
        // After a clean end the target closes first, and russh answers. A close of ours that
        // crosses the target's would hide it.
        let clean = verdict.is_ok();
        if clean && tokio::time::timeout(CLOSING, reader.closed()).await == Ok(true) {
            channel.connection.pool.give_back(lease);
        } else {
            writer.constant(GateConst::Close).await.ok();
        }
    };
    // Concurrently: the agent need not wait for the target to close, and the connection is free
    // again by the time the agent asks for more.
    tokio::join!(told, closed);
    verdict.map(|_| ())
}
