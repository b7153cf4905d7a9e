//! The gate's side: it starts the holder, and hands it a socket for each login. Where that fails, there is no
//! login.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::PublicKey;
use russh::keys::agent::client::AgentClient;

use super::holder::serve;
use super::wire::{Found, HOLDER, Wanted, read_line, send};

/// How long the holder may take to read the files of one login.
const READING: Duration = Duration::from_secs(20);

/// One key file, as the holder has found it.
#[derive(Debug)]
pub(crate) enum KeyFile {
    /// It needs a passphrase.
    Encrypted,
    /// A key to sign with.
    Key(PublicKey),
    /// None, and why.
    Unusable(String),
}

impl KeyFile {
    /// Why it cannot be used, if it cannot.
    pub(crate) fn unusable(self) -> Option<String> {
        match self {
            Self::Encrypted => Some("it is encrypted".to_owned()),
            Self::Key(_) => None,
            Self::Unusable(why) => Some(why),
        }
    }
}

/// The keys of one login, as an agent.
pub(crate) type Agent = AgentClient<tokio::net::UnixStream>;

/// Who holds the keys of the gate.
#[derive(Debug)]
pub(crate) struct Keyring {
    /// This program, which is started once more; in this process if `None`.
    program: Option<PathBuf>,
    holder: Mutex<Option<Holder>>,
}

#[derive(Debug)]
struct Holder {
    control: UnixStream,
    child: Option<Child>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends when the socket does; what hangs is ended.
        self.control.shutdown(std::net::Shutdown::Both).ok();
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Keyring {
    pub(crate) fn new(program: Option<PathBuf>) -> Self {
        Self { program, holder: Mutex::default() }
    }

    /// The keys in these files, as an agent, and what is in each of them.
    ///
    /// # Errors
    /// With why there is no login, in words.
    pub(crate) async fn open(
        self: &Arc<Self>,
        files: Vec<PathBuf>,
        own: bool,
    ) -> Result<(Agent, Vec<KeyFile>), String> {
        let ring = Arc::clone(self);
        let opened = tokio::task::spawn_blocking(move || ring.open_now(files, own)).await;
        let (stream, found) = opened.map_err(|error| error.to_string())??;
        stream.set_nonblocking(true).map_err(|error| failed(&error))?;
        let stream = tokio::net::UnixStream::from_std(stream).map_err(|error| failed(&error))?;
        Ok((AgentClient::connect(stream), found))
    }

    /// The same before anything runs.
    pub(crate) fn open_now(
        &self,
        files: Vec<PathBuf>,
        own: bool,
    ) -> Result<(UnixStream, Vec<KeyFile>), String> {
        let wanted = Wanted { files, own };
        let mut line = serde_json::to_vec(&wanted).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let mut holder = self.lock();
        // One that has ended is started again, once.
        let (stream, answer) = match holder.take() {
            Some(running) => match ask(&running, &line) {
                Ok(answered) => {
                    *holder = Some(running);
                    answered
                }
                Err(_) => self.start_and_ask(&mut holder, &line)?,
            },
            None => self.start_and_ask(&mut holder, &line)?,
        };
        drop(holder);
        stream.set_read_timeout(None).map_err(|error| failed(&error))?;
        let found: Vec<Found> =
            serde_json::from_slice(&answer).map_err(|error| failed(&error.into()))?;
        let found: Vec<_> = found.into_iter().map(KeyFile::from).collect();
        if found.len() != wanted.files.len() {
            return Err(failed(&std::io::Error::other("it answered about other files")));
        }
        Ok((stream, found))
    }

    fn start_and_ask(
        &self,
        holder: &mut Option<Holder>,
        line: &[u8],
    ) -> Result<(UnixStream, Vec<u8>), String> {
        let started = start(self.program.as_deref()).map_err(|error| failed(&error))?;
        let answered = ask(&started, line).map_err(|error| failed(&error))?;
        *holder = Some(started);
        Ok(answered)
    }

    /// Ends the holder behind the gate's back.
    #[cfg(test)]
    pub(super) fn kill_for_test(&self) {
        if let Some(holder) = self.lock().as_ref() {
            holder.control.shutdown(std::net::Shutdown::Both).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Holder>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: &std::io::Error) -> String {
    format!("the process that holds the gate's keys does not answer: {error}")
}

fn start(program: Option<&Path>) -> std::io::Result<Holder> {
    let (control, other) = UnixStream::pair()?;
    let Some(program) = program else {
        std::thread::spawn(move || serve(other));
        return Ok(Holder { control, child: None });
    };
    let child = Command::new(program)
        .arg0("expacti")
        .arg(HOLDER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(other)))
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Holder { control, child: Some(child) })
}

/// Asks for a login; its socket, and what the holder found.
fn ask(holder: &Holder, line: &[u8]) -> std::io::Result<(UnixStream, Vec<u8>)> {
    let (mut own, other) = UnixStream::pair()?;
    own.set_read_timeout(Some(READING))?;
    send(&holder.control, line, &other)?;
    drop(other);
    let answer = read_line(&mut own)?;
    Ok((own, answer))
}

impl From<Found> for KeyFile {
    fn from(found: Found) -> Self {
        match found {
            Found::Encrypted => Self::Encrypted,
            Found::Key(public) => match PublicKey::from_openssh(public.trim()) {
                Ok(key) => Self::Key(key),
                Err(error) => Self::Unusable(error.to_string()),
            },
            Found::Unusable(why) => Self::Unusable(why),
        }
    }
}
