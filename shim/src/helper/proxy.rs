//! The gate for SSH libraries (paramiko, asyncssh, Go's x/crypto, JSch), which start no `ssh`: an HTTP
//! proxy on the loopback interface. `CONNECT host:port` opens a connection to the gate that leads to
//! that host, as `ssh` would resolve it; what the library then says is held like everything else.
//!
//! Nothing is believed of who connects: only processes of the wrap may ([`super::loopback`]).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use expacti_protocol::one_line;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::carry::copy;
use super::loopback;
use crate::error::WrapError;

/// How many connections are open at the same time.
const MOST: usize = 128;

/// How long the other side may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest question in bytes, all headers included.
const MAX_HEAD: usize = 8 * 1024;

/// How long the gate's first words wait for the client's. Every client speaks first; if the gate did,
/// one that reads the answer to its question carelessly would lose them.
const FIRST_WORD: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Where a library wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// A name or an address.
    pub(super) host: String,
    /// As it was said, unless it is SSH's own: that one a library says when it knows no better.
    pub(super) port: Option<u16>,
}

/// Opens a connection to the gate.
pub(super) type Open = dyn Fn(&Place) -> Result<UnixStream, WrapError> + Send + Sync;

/// The listening proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    listener: TcpListener,
    address: SocketAddrV4,
}

/// Why nothing is opened: an HTTP status and what to say.
type No = (&'static str, String);

impl Proxy {
    /// Listens on a free port.
    pub(super) fn listen() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        match listener.local_addr()? {
            SocketAddr::V4(address) => Ok(Self { listener, address }),
            SocketAddr::V6(_) => Err(std::io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// Where.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Serves the processes below `wrap` for as long as this process lives.
    pub(super) fn serve(&self, wrap: u32, open: &Arc<Open>) {
        let serving = Arc::new(AtomicUsize::new(0));
        loop {
            let Ok((stream, peer)) = self.listener.accept() else {
                // Out of descriptors, most likely.
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            // Before it counts, so that no other user can take all places.
            let SocketAddr::V4(peer) = peer else { continue };
            if !loopback::is_below(wrap, peer, self.address) {
                continue;
            }
            if serving.fetch_add(1, Ordering::AcqRel) >= MOST {
                serving.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let (open, counted) = (Arc::clone(open), Arc::clone(&serving));
            let spawned = std::thread::Builder::new().spawn(move || {
                // Whatever fails, the client sees the end of its connection.
                let _ = talk(stream, &*open);
                counted.fetch_sub(1, Ordering::AcqRel);
            });
            if spawned.is_err() {
                serving.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

fn talk(mut stream: TcpStream, open: &Open) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let opened = ask(&mut stream).and_then(|(place, rest)| match open(&place) {
        Ok(gate) => Ok((gate, rest)),
        Err(e @ WrapError::Refused { .. }) => Err(("403 Forbidden", e.to_string())),
        Err(e) => Err(("502 Bad Gateway", e.to_string())),
    });
    let (gate, rest) = match opened {
        Ok(opened) => opened,
        Err((status, why)) => {
            let why = one_line(&why);
            let text = format!("expacti: {why}\n");
            // Many clients show the first line only.
            let plain: String =
                why.chars().map(|c| if c.is_ascii() { c } else { '?' }).take(500).collect();
            let answer = format!(
                "HTTP/1.1 {status} (expacti: {plain})\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            stream.write_all(answer.as_bytes())?;
            stream.shutdown(Shutdown::Write)?;
            // It may still be saying something: then an early end would take the answer with it.
            let _ = stream.read(&mut [0; 1024]);
            return Ok(());
        }
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    carry(&stream, &gate, &rest)
}

/// Reads the question; what follows it already belongs to the connection.
fn ask(stream: &mut TcpStream) -> Result<(Place, Vec<u8>), No> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut piece) = (Vec::new(), [0; 2048]);
    let end = loop {
        if let Some(end) = end_of(&head) {
            break end;
        }
        if head.len() > MAX_HEAD {
            return Err(("431 Request Header Fields Too Large", "the request is too long".into()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let unread = |e: std::io::Error| ("408 Request Timeout", format!("no request came: {e}"));
        if left.is_zero() {
            return Err(unread(std::io::ErrorKind::TimedOut.into()));
        }
        stream.set_read_timeout(Some(left)).map_err(unread)?;
        match stream.read(&mut piece) {
            Ok(0) => return Err(unread(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => head.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(unread(e)),
        }
    };
    let rest = head.split_off(end);
    stream.set_read_timeout(None).map_err(|e| ("500 Internal Server Error", e.to_string()))?;
    Ok((place(&head)?, rest))
}

/// Where the empty line ends that ends the headers.
fn end_of(head: &[u8]) -> Option<usize> {
    let ends =
        |mark: &[u8]| head.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
    [ends(b"\r\n\r\n"), ends(b"\n\n")].into_iter().flatten().min()
}

/// What is wanted, from the first line; the headers say nothing here.
fn place(head: &[u8]) -> Result<Place, No> {
    let wrong = |why: &str| ("400 Bad Request", why.to_owned());
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| wrong("the request is not UTF-8"))?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [method, authority, version] = *words.as_slice() else {
        return Err(wrong("the request is not HTTP: say CONNECT host:port HTTP/1.1"));
    };
    if method != "CONNECT" || !version.starts_with("HTTP/1.") {
        let why = "this proxy leads SSH libraries to the gate, and knows CONNECT only";
        return Err(("405 Method Not Allowed", why.to_owned()));
    }
    authority_of(authority)
        .ok_or_else(|| wrong("the host cannot be read: say CONNECT host:port, without a user"))
}

fn authority_of(text: &str) -> Option<Place> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.rsplit_once(':') {
            // An IPv6 address without brackets, as some clients have it.
            Some((host, _)) if host.contains(':') && text.parse::<std::net::Ipv6Addr>().is_ok() => {
                (text, None)
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let digits = |port: &str| -> Option<u16> {
        port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok()).flatten()
    };
    let port = match port {
        Some(port) => Some(digits(port).filter(|port| *port != 0)?),
        None => None,
    };
    let plain = !host.is_empty() && !host.starts_with('-') && !host.contains(['@', '/']);
    plain.then(|| Place { host: host.to_owned(), port: port.filter(|port| *port != 22) })
}

/// Carries the bytes of both directions until the gate has said everything.
fn carry(client: &TcpStream, gate: &UnixStream, rest: &[u8]) -> std::io::Result<()> {
    client.set_write_timeout(None)?;
    let (mut from, mut to) = (client.try_clone()?, client.try_clone()?);
    let (mut into, mut out) = (gate.try_clone()?, gate.try_clone()?);
    into.write_all(rest)?;
    if rest.is_empty() {
        let _ = poll(&mut [PollFd::new(client, PollFlags::IN)], Some(&FIRST_WORD));
    }
    std::thread::scope(|scope| {
        let up = std::thread::Builder::new().spawn_scoped(scope, move || {
            let _ = copy(&mut from, &mut into);
            let _ = into.shutdown(Shutdown::Write);
        })?;
        let _ = copy(&mut out, &mut to);
        // What was written is still delivered; the other thread reads its end.
        let _ = to.shutdown(Shutdown::Both);
        let _ = out.shutdown(Shutdown::Both);
        let _ = up.join();
        Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<(String, Option<u16>), &'static str> {
        place(text.as_bytes()).map(|place| (place.host, place.port)).map_err(|(status, _)| status)
    }

    #[test]
    fn a_place_is_a_host_and_perhaps_a_port() {
        for (line, host, port) in [
            ("CONNECT web-1:22 HTTP/1.1\r\n\r\n", "web-1", None),
            ("CONNECT web-1 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n", "web-1", None),
            ("CONNECT web-1:2222 HTTP/1.0\n\n", "web-1", Some(2222)),
            ("CONNECT [2001:db8::1]:2222 HTTP/1.1\r\n\r\n", "2001:db8::1", Some(2222)),
            ("CONNECT [::1] HTTP/1.1\r\n\r\n", "::1", None),
            ("CONNECT ::1 HTTP/1.1\r\n\r\n", "::1", None),
        ] {
            assert_eq!(wanted(line), Ok((host.to_owned(), port)), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for line in [
            "CONNECT root@web-1:22 HTTP/1.1\r\n\r\n",
            "CONNECT ssh://web-1 HTTP/1.1\r\n\r\n",
            "CONNECT -oProxyCommand=x:22 HTTP/1.1\r\n\r\n",
            "CONNECT :22 HTTP/1.1\r\n\r\n",
            "CONNECT web-1:x HTTP/1.1\r\n\r\n",
            "CONNECT web-1:+1 HTTP/1.1\r\n\r\n",
            "CONNECT web-1:0 HTTP/1.1\r\n\r\n",
            "CONNECT web-1:65536 HTTP/1.1\r\n\r\n",
            "CONNECT web-1: HTTP/1.1\r\n\r\n",
            "CONNECT [::1 HTTP/1.1\r\n\r\n",
            "CONNECT [::1]x HTTP/1.1\r\n\r\n",
            "CONNECT web-1\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert_eq!(wanted(line), Err("400 Bad Request"), "{line:?}");
        }
        assert_eq!(wanted("GET / HTTP/1.1\r\n\r\n"), Err("405 Method Not Allowed"));
        assert_eq!(wanted("CONNECT a:1 SPDY/3\r\n\r\n"), Err("405 Method Not Allowed"));
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line() {
        assert_eq!(end_of(b"a\r\nb\r\n\r\nSSH"), Some(8));
        assert_eq!(end_of(b"a\n\nb\r\n\r\n"), Some(3));
        assert_eq!(end_of(b"a\r\nb\r\n"), None);
    }
}
