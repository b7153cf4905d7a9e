//! The process itself. It serves its socket until the wrap ends, by which its standard input ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use expacti_protocol::exit;
use expacti_protocol::uplink::{SignatureRequest, Uplink, WrapRegistration};

use super::agent::Agent;
use super::ask::pass;
use super::broker::Registered;
use super::door::{Door, Visitor};
use super::gate::{self, Opened};
use super::message::{Answer, FirstRoute, Last, MAX_LINE, Question, Ready, SOCKET, Start};
use super::peer::{is_of_this_user, is_outside, pid_of};
use super::proxy::{Place, Proxy};
use super::route::{fixed, route, search_path};
use super::tickets::{Tickets, Waiting};
use crate::child::die_with_parent;
use crate::error::{HelperError, WrapError};
use crate::fixed::Fixed;
#[cfg(target_os = "linux")]
use crate::isolate::watch::{Watched, Watcher};
#[cfg(target_os = "linux")]
use crate::notice;

/// How many connections are served at the same time.
const MOST: usize = 64;

/// How many connections are carried through the door at the same time.
const MOST_VISITORS: usize = 256;

/// How long the other side may take to ask and to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest description of a wrap in bytes.
const MAX_START: u64 = 8 << 20;

struct Server {
    start: Start,
    fixed: Fixed,
    registered: Registered,
    tickets: Mutex<Tickets>,
    serving: AtomicUsize,
    /// Those who came in by the door, with their connections.
    visiting: AtomicUsize,
    /// The namespace of the wrap's program.
    #[cfg(target_os = "linux")]
    entered: Mutex<Option<expacti_kernel::NamespaceId>>,
    /// The first process of the wrap is watched.
    watching: AtomicBool,
}

/// `expacti __helper`, with the wrap's pipes as standard input and output.
pub(crate) fn serve() -> u8 {
    // Out of reach of the terminal's signals.
    let _ = rustix::process::setsid();
    // Nor does it keep a file system busy.
    let _ = std::env::set_current_dir("/");
    let mut stdin = BufReader::new(std::io::stdin());
    let (ready, serving) = match begin(&mut stdin) {
        Ok((ready, serving)) => (ready, Some(serving)),
        Err(e) => (Ready::Failed { message: e.to_string(), status: e.exit_status() }, None),
    };
    let (Ok(()), Some(serving)) = (say(&ready), serving) else { return exit::FAILED };
    let agent = serving.agent.clone();
    if serving.start().is_err() {
        return exit::FAILED;
    }
    // Nothing more is said there: it ends with the wrap.
    let _ = std::io::copy(&mut stdin, &mut std::io::sink());
    let messages = agent.map(|agent| agent.messages()).unwrap_or_default();
    match say(&Last { messages }) {
        Ok(()) => exit::OK,
        Err(_) => exit::FAILED,
    }
}

/// Tells the wrap something.
fn say(what: &impl serde::Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout();
    stdout.write_all(&line)?;
    stdout.flush()
}

/// What is listened on.
struct Serving {
    server: Arc<Server>,
    listener: UnixListener,
    door: Door,
    /// For libraries.
    proxy: Option<Proxy>,
    /// In an isolated wrap, when the user has one.
    agent: Option<Arc<Agent>>,
}

impl Serving {
    /// Serves, in threads that nothing waits for.
    fn start(self) -> std::io::Result<()> {
        let Self { server, listener, door, proxy, agent } = self;
        let spawn =
            |work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().spawn(work).map(drop);
        if let Some(proxy) = proxy {
            let (wrap, leading) = (server.start.context.wrap_pid, Arc::clone(&server));
            let open: Arc<super::proxy::Open> = Arc::new(move |place: &Place| leading.lead(place));
            spawn(Box::new(move || proxy.serve(wrap, &open)))?;
        }
        if let Some(agent) = agent {
            spawn(Box::new(move || agent.serve()))?;
        }
        let visited = Arc::clone(&server);
        spawn(Box::new(move || admit(&visited, door)))?;
        spawn(Box::new(move || accept(&server, &listener)))
    }
}

fn begin(stdin: &mut impl std::io::BufRead) -> Result<(Ready, Serving), WrapError> {
    let mut line = String::new();
    let failed = || WrapError::io("read what the wrap says");
    stdin.take(MAX_START).read_line(&mut line).map_err(failed())?;
    let start: Start = serde_json::from_str(&line).map_err(HelperError::Garbled)?;
    die_with_parent(i32::try_from(start.context.wrap_pid).unwrap_or(-1))?;
    let socket = start.context.dir.join(SOCKET);
    let listening = || {
        WrapError::io(format!(
            "listen on {} (a path may be too long for a socket: choose a shorter EXPACTI_HOME)",
            socket.display()
        ))
    };
    let listener = UnixListener::bind(&socket).map_err(listening())?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))
        .map_err(listening())?;
    let registration = WrapRegistration {
        pid: start.context.wrap_pid,
        agent: start.context.agent.clone(),
        isolation: start.isolation,
        with: start.with.clone(),
        ..WrapRegistration::default()
    };
    let registered = Registered::new(start.broker.clone(), registration)?;
    let fixed = fixed(&start, &search_path());
    let first = start.first.clone();
    let server = Arc::new(Server {
        start,
        fixed,
        registered,
        tickets: Mutex::default(),
        serving: AtomicUsize::new(0),
        visiting: AtomicUsize::new(0),
        #[cfg(target_os = "linux")]
        entered: Mutex::default(),
        watching: AtomicBool::new(false),
    });
    let ticket = first
        .map(|FirstRoute { route, status_line }| server.keep(Waiting { route, status_line }))
        .transpose()?;
    let door = Door::make(&server.start.context.dir)
        .map_err(WrapError::io("make a door for programs without sockets"))?;
    let proxy = proxy(&server.start)?;
    let agent = agent(&server)?;
    let ready = Ready::Ready {
        ticket,
        proxy: proxy.as_ref().map(|proxy| proxy.address().to_string()),
        agent: agent.is_some(),
    };
    Ok((ready, Serving { server, listener, door, proxy, agent }))
}

/// The proxy for the libraries of a program. One stock client has none; on another system than Linux
/// it could not be told who connects.
fn proxy(start: &Start) -> Result<Option<Proxy>, WrapError> {
    (!start.own_client && cfg!(target_os = "linux"))
        .then(Proxy::listen)
        .transpose()
        .map_err(WrapError::io("listen on the loopback interface for SSH libraries"))
}

/// The agent of a program that cannot reach the user's own.
fn agent(server: &Arc<Server>) -> Result<Option<Arc<Agent>>, WrapError> {
    let real = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
    let Some(real) = real.filter(|_| server.start.namespaces) else { return Ok(None) };
    let asking = Arc::clone(server);
    let ask = Box::new(move |request: &SignatureRequest| asking.ask(request));
    let admitting = Arc::clone(server);
    let admit = Box::new(move |peer: &UnixStream| {
        is_of_this_user(peer) && admitting.is_of_this_wrap(Some(peer))
    });
    let start = &server.start;
    Agent::listen(&start.context.dir, real.into(), start.loud, ask, admit)
        .map(|agent| Some(Arc::new(agent)))
        .map_err(WrapError::io("listen in the place of the ssh-agent"))
}

/// Lets those in who cannot use the socket.
fn admit(server: &Arc<Server>, mut door: Door) {
    loop {
        let Ok(visitor) = door.next() else { return };
        if server.visiting.fetch_add(1, Ordering::AcqRel) >= MOST_VISITORS {
            server.visiting.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let receiving = Arc::clone(server);
        let spawned = std::thread::Builder::new().spawn(move || {
            receiving.receive(visitor);
            receiving.visiting.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            server.visiting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn accept(server: &Arc<Server>, listener: &UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, most likely.
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        if server.serving.fetch_add(1, Ordering::AcqRel) >= MOST || !is_of_this_user(&stream) {
            server.serving.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let serving = Arc::clone(server);
        let spawned = std::thread::Builder::new().spawn(move || {
            serving.talk(stream);
            serving.serving.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            server.serving.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Server {
    fn talk(&self, mut stream: UnixStream) {
        let limited = stream.set_read_timeout(Some(PATIENCE)).is_ok()
            && stream.set_write_timeout(Some(PATIENCE)).is_ok();
        if !limited {
            return;
        }
        let answered = question(&stream).and_then(|question| self.answer(question, Some(&stream)));
        let (answer, socket) = match answered {
            Ok(answered) => answered,
            Err(e) => (Answer::Refused { message: e.to_string(), status: e.exit_status() }, None),
        };
        let Ok(mut line) = serde_json::to_vec(&answer) else { return };
        line.push(b'\n');
        // If nobody reads it, there is nobody to tell.
        let _ = match socket {
            Some(socket) => pass(&stream, &socket, &line),
            None => stream.write_all(&line).map_err(WrapError::io("answer")),
        };
    }

    /// The same for somebody who came in by the door, of whom nothing is known.
    fn receive(&self, visitor: Visitor) {
        let Ok(mut pair) = visitor.open() else { return };
        let answered = pair.question().and_then(|question| self.answer(question, None));
        let (answer, connection) = match answered {
            Ok(answered) => answered,
            Err(e) => (Answer::Refused { message: e.to_string(), status: e.exit_status() }, None),
        };
        // If nobody reads it, there is nobody to tell.
        if pair.answer(&answer).is_ok()
            && let Some(connection) = connection
        {
            let _ = pair.carry(&connection);
        }
    }

    /// Whether somebody who asks belongs to the program of this wrap. By the door come only those who see
    /// the wrap's directory.
    #[cfg(target_os = "linux")]
    fn is_of_this_wrap(&self, peer: Option<&UnixStream>) -> bool {
        let (true, Some(peer)) = (self.start.namespaces, peer) else { return true };
        let Some(entered) = *self.entered.lock().unwrap_or_else(PoisonError::into_inner) else {
            return false;
        };
        let mut at = expacti_kernel::peer_user_namespace(peer).ok();
        while let Some(namespace) = at {
            if namespace.id() == entered {
                return true;
            }
            at = namespace.parent().ok().flatten();
        }
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn is_of_this_wrap(&self, _peer: Option<&UnixStream>) -> bool {
        true
    }

    fn answer(
        &self,
        question: Question,
        peer: Option<&UnixStream>,
    ) -> Result<(Answer, Option<UnixStream>), WrapError> {
        match question {
            Question::Client { .. } | Question::Connect { .. } if !self.is_of_this_wrap(peer) => {
                Err(HelperError::OtherWrap.into())
            }
            Question::Client { args, cwd, status_line } => {
                if self.start.first.is_some() {
                    return Err(HelperError::OneClient.into());
                }
                // There nothing is checked: the words are the user's.
                if self.start.own_client && !peer.is_some_and(is_outside) {
                    return Err(HelperError::OneClient.into());
                }
                let routed = route(&self.start, &self.fixed, &args, &cwd, status_line)?;
                let ticket = self.keep(routed.waiting.clone())?;
                Ok((Answer::Client(routed.client(&self.start, &ticket)?), None))
            }
            Question::Connect { ticket } => Ok((Answer::Connected, Some(self.connect(&ticket)?))),
            Question::Enter => {
                let peer = peer.ok_or(HelperError::UnknownPeer)?;
                let pid = pid_of(peer).ok_or(HelperError::UnknownPeer)?;
                if !self.registered.enter(pid)? {
                    return Err(HelperError::EnteredAlready.into());
                }
                #[cfg(target_os = "linux")]
                {
                    let namespace = expacti_kernel::peer_user_namespace(peer)
                        .map_err(WrapError::io("look at the namespace of the program"))?;
                    *self.entered.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(namespace.id());
                }
                Ok((Answer::Entered, None))
            }
            #[cfg(target_os = "linux")]
            Question::Ready => {
                self.watch(peer.ok_or(HelperError::UnknownPeer)?)?;
                Ok((Answer::Watched, None))
            }
            #[cfg(not(target_os = "linux"))]
            Question::Ready => Err(HelperError::UnknownPeer.into()),
        }
    }

    /// Checks what the first process of the wrap sees, and watches it from now on: the wrap ends when
    /// something shows that was covered.
    #[cfg(target_os = "linux")]
    fn watch(&self, peer: &UnixStream) -> Result<(), WrapError> {
        use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
        let watched = Watched { mask: self.start.mask.clone(), hidden: self.start.hidden.clone() };
        if watched.mask.is_empty() || self.watching.swap(true, Ordering::AcqRel) {
            return Err(HelperError::EnteredAlready.into());
        }
        let failed = || WrapError::io("look at the mounts of the program");
        let pid = pid_of(peer).ok_or(HelperError::UnknownPeer)?;
        // Its end tells the program's first process that nobody watches any more.
        let watching = peer.try_clone().map_err(failed())?;
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let process = process.ok_or(HelperError::UnknownPeer)?;
        let process = pidfd_open(process, PidfdFlags::empty())
            .map_err(WrapError::errno("keep hold of the program"))?;
        let watcher = Watcher::new(pid, watched).map_err(failed())?;
        std::thread::Builder::new()
            .spawn(move || {
                let fault = watcher.run();
                // When the program has ended by itself, nothing is left to be said.
                if pidfd_send_signal(&process, Signal::KILL).is_ok() {
                    notice::print(&format!(
                        "{fault}: the program could now see what it must not, and was ended"
                    ));
                }
                // After that: its first process would end by itself and leave nothing to be told about.
                drop(watching);
            })
            .map(drop)
            .map_err(failed())
    }

    /// Keeps a route for its connection.
    fn keep(&self, waiting: Waiting) -> Result<String, WrapError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| HelperError::NoRandom)?;
        let ticket = hex::encode(bytes);
        if !self.tickets().add(ticket.clone(), waiting, Instant::now()) {
            return Err(HelperError::TooMany.into());
        }
        Ok(ticket)
    }

    fn connect(&self, ticket: &str) -> Result<UnixStream, WrapError> {
        let waiting = self.tickets().take(ticket, Instant::now()).ok_or(HelperError::NoTicket)?;
        self.open(Uplink { route: waiting.route, ..self.start.context.uplink(waiting.status_line) })
    }

    /// A connection for a library, as `ssh HOST -p PORT` would resolve it.
    fn lead(&self, place: &Place) -> Result<UnixStream, WrapError> {
        let mut args: Vec<String> = Vec::new();
        args.extend(place.port.map(|port| format!("-p{port}")));
        args.push(place.host.clone());
        let routed = route(&self.start, &self.fixed, &args, Path::new("/"), false)?;
        let route = routed.waiting.route;
        self.open(Uplink { library: true, route, ..self.start.context.uplink(false) })
    }

    /// Asks for a decision about a signature, which comes on the socket.
    fn ask(&self, request: &SignatureRequest) -> Result<UnixStream, WrapError> {
        let signature = Some(request.clone());
        self.open(Uplink { signature, ..self.start.context.uplink(false) })
    }

    /// A connection to the gate, with the token.
    fn open(&self, uplink: Uplink) -> Result<UnixStream, WrapError> {
        let gate = &self.start.context.gate;
        let mut uplink = Uplink { token: self.registered.token(), ..uplink };
        match gate::open(gate, &uplink)? {
            Opened::Socket(socket) => return Ok(socket),
            // The broker was started anew since: it is told of the wrap again.
            Opened::UnknownToken(_) => {}
        }
        uplink.token = self.registered.renew(&uplink.token)?;
        match gate::open(gate, &uplink)? {
            Opened::Socket(socket) => Ok(socket),
            Opened::UnknownToken(refused) => Err(refused),
        }
    }

    fn tickets(&self) -> std::sync::MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one question.
fn question(stream: &UnixStream) -> Result<Question, WrapError> {
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    let failed = WrapError::io("read the question");
    BufReader::new(stream.take(most)).read_until(b'\n', &mut line).map_err(failed)?;
    if !line.ends_with(b"\n") {
        return Err(HelperError::TooLong(line.len()).into());
    }
    Ok(serde_json::from_slice(&line).map_err(HelperError::Garbled)?)
}
