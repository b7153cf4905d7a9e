//! A signature that a wrapped program wants from the user's ssh-agent, which the helper of its wrap
//! holds. It is an item like any other: held, decided, released and reported. But it has no target:
//! the connection leads nowhere, the approved bytes are dropped here, and all that goes out is the
//! word of the release, to the helper.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expacti_protocol::command::{ItemKind, Outcome};
use expacti_protocol::ids::CommandId;
use expacti_protocol::one_line;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::uplink::{SignatureMade, SignatureRequest, UplinkReply};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::boundary::Environment;
use crate::client::connection::Connection;
use crate::client::input::ChannelInput;
use crate::client::refusal::Refusal;
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult};
use crate::transport::backpressure::Backpressure;

/// The one namespace that is signed.
const NAMESPACE: &str = "git";

/// What a reviewer sees in the place of a target.
const PLACE: (&str, &str) = ("git", "this-machine");

/// What the reviewer has to know.
const NOTE: &str =
    "only the hash is known of what is signed, not the text of the commit, tag or push";

/// How long the user's agent may take: it may ask the user, or wait for a touch.
const SIGNING: Duration = Duration::from_secs(120);

/// The longest word of the helper on how it ended, in bytes.
const MAX_MADE: u64 = 1024;

/// Says where a signature is made.
pub(crate) fn place(info: SessionInfo) -> SessionInfo {
    let (user, target) = PLACE;
    SessionInfo {
        target: target.to_owned(),
        host: "localhost".to_owned(),
        user: user.to_owned(),
        ..info
    }
}

/// Refuses what cannot be shown honestly.
pub(crate) fn check(request: &SignatureRequest) -> Result<(), String> {
    let SignatureRequest { namespace, hash_algorithm, hash, fingerprint, .. } = request;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let digits = match hash_algorithm.as_str() {
        "sha256" => 64,
        "sha512" => 128,
        _ => 0,
    };
    let whole = namespace == NAMESPACE
        && hash.len() == digits
        && is_hex(hash)
        && fingerprint.strip_prefix("SHA256:").is_some_and(|f| {
            f.len() == 43
                && f.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        });
    if whole {
        Ok(())
    } else {
        Err("this is no signature for git, and no other is made".to_owned())
    }
}

/// What is decided on.
fn text(request: &SignatureRequest) -> String {
    let SignatureRequest { key, fingerprint, hash_algorithm, hash, .. } = request;
    let key = one_line(key);
    format!(
        "git: sign a commit, tag or push as {key} ({fingerprint}), message {hash_algorithm} {hash}"
    )
}

/// Serves a request from its head to its end.
pub(crate) async fn serve(
    connection: &Arc<Connection>,
    mut stream: UnixStream,
    request: &SignatureRequest,
) {
    let gone = connection.cancel.child_token();
    let held = hold(connection, request, &gone);
    tokio::pin!(held);
    let decided = tokio::select! {
        decided = &mut held => decided,
        // Nobody has anything to say now: whatever comes, nobody waits for the signature any more.
        _ = stream.read_u8() => {
            gone.cancel();
            held.await
        }
    };
    match decided {
        Ok(id) => {
            let outcome = deliver(&mut stream).await;
            connection.shared.link.finished(id, outcome).await;
        }
        Err(Some(refusal)) => {
            let error = Some(refusal.message);
            let reply = UplinkReply { ok: false, error, ..UplinkReply::default() };
            answer(&mut stream, &reply).await.ok();
        }
        Err(None) => {}
    }
    connection.close().await;
}

/// Holds the request until it is released. An error has what to say, unless nobody waits for it.
async fn hold(
    connection: &Arc<Connection>,
    request: &SignatureRequest,
    gone: &CancellationToken,
) -> Result<CommandId, Option<Refusal>> {
    let session = connection.current().await?;
    let limits = &connection.shared.limits;
    let backpressure = Arc::new(Backpressure::new(limits.buffered, limits.spilled));
    let review = Review {
        connection,
        client: None,
        input: &ChannelInput::new(backpressure),
        gone,
        environment: &Environment::default(),
        watcher: None,
    };
    let mut item = ReviewItem::new(ItemKind::Signature, Bytes::from(text(request)));
    item.notes.push(NOTE.to_owned());
    match review.run(&session, item, &mut None, AlsoWatched::default()).await {
        // The bytes were for the reviewer, and go nowhere.
        ReviewResult::Approved(id, _) => Ok(id),
        ReviewResult::Refused(refusal) => Err(Some(refusal)),
        ReviewResult::Changed | ReviewResult::Gone | ReviewResult::Withdrawn => Err(None),
    }
}

/// Tells the helper to sign, and hears how that ended.
async fn deliver(stream: &mut UnixStream) -> Outcome {
    let released = UplinkReply { ok: true, ..UplinkReply::default() };
    if answer(stream, &released).await.is_err() {
        return Outcome::not_sent("the program went away");
    }
    let mut line = Vec::new();
    let mut made = BufReader::new(stream.take(MAX_MADE));
    let read = tokio::time::timeout(SIGNING, made.read_until(b'\n', &mut line)).await;
    match read.map(|_| serde_json::from_slice::<SignatureMade>(&line)) {
        Ok(Ok(made)) => {
            Outcome { exit_status: Some(u32::from(!made.signed)), ..Outcome::default() }
        }
        Ok(Err(_)) | Err(_) => Outcome::unknown("the wrap does not say whether it was signed"),
    }
}

async fn answer(stream: &mut UnixStream, reply: &UplinkReply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SignatureRequest {
        SignatureRequest {
            key: "me@host".to_owned(),
            fingerprint: format!("SHA256:{}", "A".repeat(43)),
            namespace: "git".to_owned(),
            hash_algorithm: "sha512".to_owned(),
            hash: "0f".repeat(64),
        }
    }

    #[test]
    fn only_what_can_be_shown_is_asked() {
        assert_eq!(check(&request()), Ok(()));
        let odd: [fn(&mut SignatureRequest); 6] = [
            |r| r.namespace = "file".to_owned(),
            |r| r.hash_algorithm = "sha1".to_owned(),
            |r| r.hash.truncate(64),
            |r| r.hash = "0F".repeat(64),
            |r| r.fingerprint = "SHA256:x".to_owned(),
            |r| r.fingerprint = format!("SHA256:{}", "\n".repeat(43)),
        ];
        for change in odd {
            let mut request = request();
            change(&mut request);
            assert!(check(&request).is_err(), "{request:?}");
        }
    }

    #[test]
    fn a_comment_is_one_line() {
        let text = text(&SignatureRequest { key: "a\nb\u{1b}[2J".to_owned(), ..request() });
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
