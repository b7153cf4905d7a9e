//! The ssh-agent inside an isolated wrap. It shows the keys of the user's own agent, so that a program
//! finds out that they exist and where its logins are to go; it logs in nowhere. The one thing that it
//! signs is what git signs, and that only after review: the user's agent is out of reach inside, and
//! what is signed never leaves this process.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use expacti_protocol::one_line;
use expacti_protocol::uplink::{MAX_UPLINK, SignatureMade, SignatureRequest, UplinkReply};
use rustix::event::{PollFd, PollFlags, poll};
use sha2::{Digest as _, Sha256};

use super::agent_message::{self as message, Identity, Request};
use super::message::PROXY_ENV;
use crate::error::WrapError;
use crate::notice;

/// The socket in the wrap's directory.
pub(crate) const SOCKET: &str = "agent.sock";

/// How many programs are served at the same time.
const MOST: usize = 64;

/// How many signatures wait for a decision at the same time.
const MOST_HELD: usize = 8;

/// How long the user's agent may take to list its keys.
const LISTING: Duration = Duration::from_secs(10);

/// How long it may take to sign: it may ask the user, or wait for a touch.
const SIGNING: Duration = Duration::from_secs(110);

/// What is signed.
const NAMESPACE: &str = "git";

/// The longest comment that reviewers see, in characters.
const MAX_COMMENT: usize = 120;

/// Asks the gate for a decision; the answer comes on the socket.
pub(super) type Ask = dyn Fn(&SignatureRequest) -> Result<UnixStream, WrapError> + Send + Sync;

/// Whether a peer belongs to the program of the wrap.
pub(super) type Admit = dyn Fn(&UnixStream) -> bool + Send + Sync;

/// The agent of one wrap.
pub(super) struct Agent {
    listener: UnixListener,
    /// The user's own.
    real: PathBuf,
    ask: Box<Ask>,
    admit: Box<Admit>,
    /// Messages may be printed while the program runs.
    loud: bool,
    serving: AtomicUsize,
    held: AtomicUsize,
    refused: Mutex<BTreeSet<Why>>,
}

/// Why something was not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Login,
    Other,
}

impl Why {
    fn message(self) -> String {
        match self {
            Self::Login => format!(
                "the program tried to log in with a key of your ssh-agent by itself, which was \
                 refused: only the gate logs in. Let it use ssh, or lead its library to the gate \
                 with ${PROXY_ENV} (docs/LIBRARIES.md)"
            ),
            Self::Other => "the program wanted something signed with a key of your ssh-agent that \
                            is no commit, tag or push of git, which was refused"
                .to_owned(),
        }
    }
}

impl Agent {
    /// Listens in the wrap's directory, in the place of the user's agent `real`.
    pub(super) fn listen(
        dir: &Path,
        real: PathBuf,
        loud: bool,
        ask: Box<Ask>,
        admit: Box<Admit>,
    ) -> std::io::Result<Self> {
        let listener = UnixListener::bind(dir.join(SOCKET))?;
        Ok(Self {
            listener,
            real,
            ask,
            admit,
            loud,
            serving: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            refused: Mutex::default(),
        })
    }

    /// Serves for as long as this process lives.
    pub(super) fn serve(self: &Arc<Self>) {
        loop {
            let Ok((stream, _)) = self.listener.accept() else {
                // Out of descriptors, most likely.
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            if self.serving.fetch_add(1, Ordering::AcqRel) >= MOST || !(self.admit)(&stream) {
                self.serving.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let serving = Arc::clone(self);
            let spawned = std::thread::Builder::new().spawn(move || {
                // Whatever fails, the program sees the end of its connection.
                let _ = serving.talk(&stream);
                serving.serving.fetch_sub(1, Ordering::AcqRel);
            });
            if spawned.is_err() {
                self.serving.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// What the user has to know at the end.
    pub(super) fn messages(&self) -> Vec<String> {
        self.refused().iter().map(|why| why.message()).collect()
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, BTreeSet<Why>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn talk(&self, mut stream: &UnixStream) -> std::io::Result<()> {
        while let Some(asked) = message::read(&mut stream)? {
            let answer = match message::request(&asked) {
                Request::Identities => self.identities().map(|keys| {
                    message::identities_answer(&keys.into_iter().map(hinted).collect::<Vec<_>>())
                }),
                Request::Sign { key, data } => self.sign(key, data, &asked, stream),
                Request::Other => None,
            };
            message::write(&mut stream, &answer.unwrap_or_else(message::failure))?;
        }
        Ok(())
    }

    /// Asks the user's agent.
    fn forward(&self, asked: &[u8], patience: Duration) -> Option<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.real).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        stream.set_write_timeout(Some(LISTING)).ok()?;
        message::write(&mut stream, asked).ok()?;
        message::read(&mut stream).ok()?
    }

    fn identities(&self) -> Option<Vec<Identity>> {
        message::identities(&self.forward(&message::identities_request(), LISTING)?)
    }

    /// Signs what git signs, once that is released.
    fn sign(&self, key: &[u8], data: &[u8], asked: &[u8], program: &UnixStream) -> Option<Vec<u8>> {
        let Some(wanted) = message::sshsig(data).filter(|data| data.namespace == NAMESPACE) else {
            let login = message::login(data).is_some();
            self.refuse(if login { Why::Login } else { Why::Other });
            return None;
        };
        let identity = self.identities()?.into_iter().find(|identity| identity.key == key)?;
        let request = SignatureRequest {
            key: comment_of(&identity),
            fingerprint: fingerprint(key),
            namespace: wanted.namespace.to_owned(),
            hash_algorithm: wanted.hash_algorithm.to_owned(),
            hash: hex::encode(wanted.hash),
        };
        let _held = Held::new(&self.held)?;
        let mut gate = match (self.ask)(&request) {
            Ok(gate) => gate,
            Err(e) => {
                self.say(&e.to_string());
                return None;
            }
        };
        if let Err(why) = released(&gate, program)? {
            self.say(&why);
            return None;
        }
        let answer = self.forward(asked, SIGNING).filter(|answer| message::is_signature(answer));
        let mut made = serde_json::to_vec(&SignatureMade { signed: answer.is_some() }).ok()?;
        made.push(b'\n');
        // If the gate is gone, the log says that it is not known.
        let _ = gate.write_all(&made);
        answer
    }

    fn refuse(&self, why: Why) {
        if self.refused().insert(why) {
            self.say(&why.message());
        }
    }

    fn say(&self, message: &str) {
        if self.loud {
            notice::print(&one_line(message));
        }
    }
}

/// A place among the signatures that wait.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let held = Self(count);
        (count.fetch_add(1, Ordering::AcqRel) < MOST_HELD).then_some(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits for the gate's word: released, or why not. `None` when the program has gone, or the gate.
/// Whoever drops the socket withdraws the request.
fn released(gate: &UnixStream, program: &UnixStream) -> Option<Result<(), String>> {
    loop {
        let mut fds = [PollFd::new(gate, PollFlags::IN), PollFd::new(program, PollFlags::RDHUP)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled.ok()?,
        };
        let [gate_ready, program_gone] = fds.map(|fd| !fd.revents().is_empty());
        if program_gone {
            return None;
        }
        if gate_ready {
            break;
        }
    }
    gate.set_read_timeout(Some(LISTING)).ok()?;
    let mut line = Vec::new();
    let most = u64::try_from(MAX_UPLINK).unwrap_or(u64::MAX);
    BufReader::new(gate.take(most)).read_until(b'\n', &mut line).ok()?;
    let reply: UplinkReply = serde_json::from_slice(&line).ok()?;
    let why = || reply.error.unwrap_or_else(|| "the gate did not allow the signature".to_owned());
    Some(if reply.ok { Ok(()) } else { Err(why()) })
}

fn comment_of(identity: &Identity) -> String {
    let text = one_line(&String::from_utf8_lossy(&identity.comment));
    if text.is_empty() {
        "a key without a name".to_owned()
    } else {
        text.chars().take(MAX_COMMENT).collect()
    }
}

/// The key as it is shown inside.
fn hinted(identity: Identity) -> Identity {
    let hint = format!(" (held by expacti: logins are refused; use ${PROXY_ENV})");
    let comment = [identity.comment.trim_ascii(), hint.as_bytes()].concat();
    Identity { comment: comment.trim_ascii().to_owned(), ..identity }
}

fn fingerprint(key: &[u8]) -> String {
    let hash = base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(key));
    format!("SHA256:{hash}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_says_where_to_go() {
        let identity = |comment: &str| Identity { key: vec![1], comment: comment.into() };
        let hint = |comment| String::from_utf8(hinted(identity(comment)).comment).unwrap();
        assert!(hint("me@host").starts_with("me@host (held by expacti"));
        assert!(hint("").starts_with("(held by expacti"));
        assert_eq!(comment_of(&identity("a\nb")), "a b");
        assert_eq!(comment_of(&identity(" ")), "a key without a name");
    }

    #[test]
    fn as_many_wait_as_may() {
        let count = AtomicUsize::new(0);
        let held: Vec<_> = (0..MOST_HELD).map(|_| Held::new(&count).unwrap()).collect();
        assert!(Held::new(&count).is_none());
        drop(held);
        assert!(Held::new(&count).is_some());
        assert_eq!(count.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_program_that_has_gone_waits_for_nothing() {
        let (gate, mut gates_side) = UnixStream::pair().unwrap();
        let (program, programs_side) = UnixStream::pair().unwrap();
        gates_side.write_all(b"{\"ok\":false,\"error\":\"denied\"}\n").unwrap();
        assert_eq!(released(&gate, &program), Some(Err("denied".to_owned())));
        gates_side.write_all(b"{\"ok\":true}\n").unwrap();
        assert_eq!(released(&gate, &program), Some(Ok(())));
        gates_side.write_all(b"SSH-2.0-x\r\n{\"ok\":true}\n").unwrap();
        assert_eq!(released(&gate, &program), None);
        gates_side.write_all(b"{\"ok\":true}\n").unwrap();
        drop(programs_side);
        assert_eq!(released(&gate, &program), None);
    }
}
