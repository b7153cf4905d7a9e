//! The broker's doors while strangers flood them: whoever is connected works on, and whoever comes
//! anew gets in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use expacti_harness::{Team, Trial, trial, until};

/// Half requests that are open at a time.
const FLOOD: usize = 2000;

/// A request that never ends.
const HALF: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: broker\r\nX-Never: ";

/// Opens half requests, [`FLOOD`] of them at a time, until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn start<S: Send + 'static>(
        connect: impl Fn() -> std::io::Result<S> + Send + 'static,
    ) -> Result<Self> {
        let (stop, opened) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (ended, counted) = (Arc::clone(&stop), Arc::clone(&opened));
        let thread = std::thread::spawn(move || {
            let mut open = VecDeque::new();
            while !ended.load(Ordering::Relaxed) {
                if let Ok(stream) = connect() {
                    open.push_back(stream);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                if open.len() > FLOOD {
                    open.pop_front();
                    // From here on the flood goes on, at a pace that leaves the machine to others.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let flood = Self { stop, opened, thread: Some(thread) };
        until("the flood", || Ok((flood.opened() >= FLOOD).then_some(())))?;
        Ok(flood)
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn over_unix(socket: PathBuf) -> impl Fn() -> std::io::Result<UnixStream> + Send + 'static {
    move || {
        let mut stream = UnixStream::connect(&socket)?;
        stream.write_all(HALF)?;
        Ok(stream)
    }
}

fn over_tcp(address: String) -> impl Fn() -> std::io::Result<TcpStream> + Send + 'static {
    move || {
        let mut stream = TcpStream::connect(&address)?;
        stream.write_all(HALF)?;
        Ok(stream)
    }
}

/// A command is held, shown, allowed over the network, and runs.
fn work(t: &Trial, team: &Team<'_>, name: &str) -> Result<()> {
    let marker = t.marker(name);
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    ensure!(!marker.exists());
    let url = team.url();
    t.launch(&["allow", &held.id, "--broker", &url])
        .env("EXPACTI_TOKEN", team.token())
        .run()?
        .expect_code(0)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn two_thousand_half_requests_hold_up_nobody() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    work(&t, &team, "before")?;
    let unix = Flood::start(over_unix(t.home().join("broker.sock")))?;
    let tcp = Flood::start(over_tcp(team.url().replace("http://", "")))?;
    let before = (unix.opened(), tcp.opened());
    let began = Instant::now();
    for name in ["a", "b", "c"] {
        work(&t, &team, name)?;
    }
    // Whoever comes anew, on the socket and over the network.
    t.expacti(&["status", "--json"])?.expect_code(0)?;
    let screen = t.terminal(&["review"], (120, 30))?;
    screen.wait_for("Queue")?;
    drop(screen);
    ensure!(unix.opened() > before.0 && tcp.opened() > before.1, "the flood stood still");
    eprintln!(
        "{} and {} half requests; three commands and a review in {:?}",
        unix.opened(),
        tcp.opened(),
        began.elapsed()
    );
    let open = std::fs::read_dir(format!("/proc/{}/fd", team.broker_pid()))?.count();
    ensure!(open < 1700, "{open} files are open in the broker");
    Ok(())
}

/// What the broker says until it closes the connection, and how long that took.
fn end_of(mut stream: UnixStream) -> Result<(String, Duration)> {
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said)?;
    Ok((String::from_utf8_lossy(&said).into_owned(), began.elapsed()))
}

#[test]
fn headers_are_bounded_in_time_and_size() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let socket = t.home().join("broker.sock");
    let half = over_unix(socket.clone())()?;
    let idle = {
        let mut stream = UnixStream::connect(&socket)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: broker\r\n\r\n")?;
        stream
    };
    let mut large = UnixStream::connect(&socket)?;
    large.write_all(b"GET /healthz HTTP/1.1\r\nX-Large: ")?;
    // The broker may hang up before it has read everything.
    let _ = large.write_all(&vec![b'x'; 64 * 1024]);
    let mut many = UnixStream::connect(&socket)?;
    let headers: String = (0..100).map(|n| format!("X-{n}: 1\r\n")).collect();
    many.write_all(format!("GET /healthz HTTP/1.1\r\n{headers}\r\n").as_bytes())?;
    let (said, _) = end_of(many)?;
    ensure!(said.starts_with("HTTP/1.1 431"), "{said}");
    if let Ok((said, _)) = end_of(large) {
        ensure!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    }
    let (said, took) = end_of(idle)?;
    ensure!(said.starts_with("HTTP/1.1 200"), "{said}");
    ensure!(took < Duration::from_secs(20), "an idle connection stayed open for {took:?}");
    let (said, took) = end_of(half)?;
    ensure!(!said.starts_with("HTTP/1.1 200"), "{said}");
    ensure!(took < Duration::from_secs(20), "half a request stayed open for {took:?}");
    t.expacti(&["status"])?.expect_code(0)?;
    Ok(())
}
