//! A second way to the helper, by FIFOs, for programs that an agent's own sandbox keeps from
//! connecting to Unix sockets (Codex: `connect` is refused, opening a FIFO is not).
//!
//! Who wants in writes a name of its own, 32 hexadecimal digits, into `door`. The helper makes a pair
//! of FIFOs of that name in `c`, and what would be said on the socket is said on them; behind a
//! `connect` the bytes of the connection follow. A FIFO does not say who is at its other end: what needs
//! to be known of a process is not answered here.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use expacti_protocol::exit;
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, mknodat};

use super::carry::copy;
use super::message::{Answer, MAX_LINE, Question};
use crate::error::{HelperError, WrapError};
use crate::notice;

/// The FIFO that takes names.
const DOOR: &str = "door";
/// The directory of the pairs.
const PAIRS: &str = "c";
/// The length of a name.
const NAME: usize = 32;

/// How long each side waits for the other to open its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it looks: FIFOs tell nobody that they are there.
const LOOK: Duration = Duration::from_millis(1);

fn nonblocking() -> i32 {
    i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0)
}

fn make_fifo(path: &Path) -> std::io::Result<()> {
    Ok(mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// Lets a FIFO that was opened without waiting block from now on.
fn block(file: &File) -> std::io::Result<()> {
    let flags = fcntl_getfl(file)?;
    Ok(fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

/// The helper's side.
#[derive(Debug)]
pub(super) struct Door {
    names: BufReader<File>,
    pairs: PathBuf,
}

/// Somebody who came in by the door.
#[derive(Debug)]
pub(super) struct Visitor {
    pairs: PathBuf,
    name: String,
}

/// Both directions of a visitor's connection.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) from: File,
    pub(super) to: File,
}

impl Door {
    /// Makes the door in the wrap's directory.
    pub(super) fn make(dir: &Path) -> std::io::Result<Self> {
        let (door, pairs) = (dir.join(DOOR), dir.join(PAIRS));
        std::fs::DirBuilder::new().mode(0o700).create(&pairs)?;
        make_fifo(&door)?;
        // Also for writing: so it never ends.
        let file = OpenOptions::new().read(true).write(true).open(door)?;
        Ok(Self { names: BufReader::new(file), pairs })
    }

    /// Waits for the next visitor.
    pub(super) fn next(&mut self) -> std::io::Result<Visitor> {
        loop {
            let mut line = Vec::new();
            let most = u64::try_from(NAME + 1).unwrap_or(0);
            self.names.by_ref().take(most).read_until(b'\n', &mut line)?;
            let name = line.strip_suffix(b"\n").and_then(|name| std::str::from_utf8(name).ok());
            if let Some(name) = name.filter(|name| is_name(name)) {
                return Ok(Visitor { pairs: self.pairs.clone(), name: name.to_owned() });
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    name.len() == NAME && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Visitor {
    /// Makes the pair, and waits for the visitor to open both ends.
    pub(super) fn open(self) -> std::io::Result<Pair> {
        let down = self.pairs.join(format!("{}.down", self.name));
        let up = self.pairs.join(format!("{}.up", self.name));
        let opened = Self::open_pair(&up, &down);
        for path in [up, down] {
            let _ = std::fs::remove_file(path);
        }
        opened
    }

    fn open_pair(up: &Path, down: &Path) -> std::io::Result<Pair> {
        make_fifo(down)?;
        // The visitor looks for this one: the other is there by then.
        make_fifo(up)?;
        let from = OpenOptions::new().read(true).custom_flags(nonblocking()).open(up)?;
        let deadline = Instant::now() + PATIENCE;
        let to = loop {
            match OpenOptions::new().write(true).custom_flags(nonblocking()).open(down) {
                // ENXIO: nobody reads yet.
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                    if Instant::now() >= deadline {
                        return Err(std::io::ErrorKind::TimedOut.into());
                    }
                    std::thread::sleep(LOOK);
                }
                to => break to?,
            }
        };
        // The visitor opens its writing end before it reads: so it is there.
        block(&from)?;
        block(&to)?;
        Ok(Pair { from, to })
    }
}

impl Pair {
    /// Reads the one question.
    pub(super) fn question(&self) -> Result<Question, WrapError> {
        let line = line(&self.from).map_err(WrapError::io("read the question"))?;
        if !line.ends_with(b"\n") {
            return Err(HelperError::TooLong(line.len()).into());
        }
        Ok(serde_json::from_slice(&line).map_err(HelperError::Garbled)?)
    }

    /// Gives the one answer.
    pub(super) fn answer(&mut self, answer: &Answer) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.to.write_all(&line)
    }

    /// Carries the bytes of a connection until both directions have ended.
    pub(super) fn carry(self, connection: &UnixStream) -> std::io::Result<()> {
        let Self { mut from, mut to } = self;
        let (mut into, mut out) = (connection.try_clone()?, connection.try_clone()?);
        std::thread::scope(|scope| {
            let up = std::thread::Builder::new().spawn_scoped(scope, move || {
                let _ = copy(&mut from, &mut into);
                let _ = into.shutdown(std::net::Shutdown::Write);
            })?;
            let _ = copy(&mut out, &mut to);
            drop(to);
            // Whoever reads nothing more has nothing more to say.
            let _ = out.shutdown(std::net::Shutdown::Both);
            let _ = up.join();
            Ok(())
        })
    }
}

/// Reads up to a newline and not a byte further: a connection may follow.
fn line(mut from: &File) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") && line.len() <= MAX_LINE {
        if from.read(&mut byte)? == 0 {
            break;
        }
        line.extend(byte);
    }
    Ok(line)
}

/// The visitor's side: one question and its answer, and what may follow.
pub(super) fn visit(dir: &Path, question: &[u8]) -> Result<(Answer, Pair), WrapError> {
    let failed = || WrapError::io("reach the helper of the wrap by its door");
    let mut bytes = [0; NAME / 2];
    getrandom::fill(&mut bytes).map_err(|_| HelperError::NoRandom)?;
    let name = hex::encode(bytes);
    let mut door =
        OpenOptions::new().write(true).custom_flags(nonblocking()).open(dir.join(DOOR)).map_err(
            |e| match e.kind() {
                std::io::ErrorKind::PermissionDenied => WrapError::from(HelperError::Forbidden(e)),
                std::io::ErrorKind::NotFound => WrapError::WrapEnded,
                _ => failed()(e),
            },
        )?;
    // One write of a few bytes: the kernel mixes it with no other.
    door.write_all(format!("{name}\n").as_bytes()).map_err(failed())?;
    let pairs = dir.join(PAIRS);
    let (up, down) = (pairs.join(format!("{name}.up")), pairs.join(format!("{name}.down")));
    let deadline = Instant::now() + PATIENCE;
    let to = loop {
        match OpenOptions::new().write(true).custom_flags(nonblocking()).open(&up) {
            Ok(to) => break to,
            Err(e) if Instant::now() >= deadline => return Err(failed()(e)),
            Err(_) => std::thread::sleep(LOOK),
        }
    };
    block(&to).map_err(failed())?;
    let from = File::open(&down).map_err(failed())?;
    let mut pair = Pair { from, to };
    pair.to.write_all(question).map_err(failed())?;
    let answer = line(&pair.from).map_err(failed())?;
    if answer.is_empty() {
        return Err(HelperError::Closed.into());
    }
    Ok((serde_json::from_slice(&answer).map_err(HelperError::Garbled)?, pair))
}

/// `expacti __pump DIR TICKET`: the client's `ProxyCommand` where no descriptor can be passed. Carries
/// its bytes, and returns the exit status.
pub(crate) fn pump(dir: &Path, ticket: &str) -> u8 {
    match carry(dir, ticket) {
        Ok(()) => exit::OK,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn carry(dir: &Path, ticket: &str) -> Result<(), WrapError> {
    let question = Question::Connect { ticket: ticket.to_owned() };
    let mut line = serde_json::to_vec(&question).map_err(HelperError::Unwritable)?;
    line.push(b'\n');
    let (answer, pair) = visit(dir, &line)?;
    match answer {
        Answer::Connected => {}
        Answer::Refused { message, status } => {
            let message = expacti_protocol::one_line(&message);
            return Err(HelperError::Failed { message, status }.into());
        }
        _ => return Err(HelperError::OtherQuestion.into()),
    }
    let Pair { mut from, mut to } = pair;
    let failed = || WrapError::io("carry the connection");
    let duplicate = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    let mut input = duplicate(std::io::stdin().as_fd()).map_err(failed())?;
    let mut output = duplicate(std::io::stdout().as_fd()).map_err(failed())?;
    std::thread::Builder::new()
        .spawn(move || {
            let _ = copy(&mut input, &mut to);
        })
        .map_err(failed())?;
    // The end of what comes down is the end: the client closes its own side then.
    copy(&mut from, &mut output).map_err(failed())
}
