//! `expacti wrap`: announces the program to the broker, runs it to its end, and leaves nothing of it
//! behind.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use expacti_protocol::client::{Client, Endpoint};
use expacti_protocol::exit;
use expacti_protocol::home::Home;
use expacti_protocol::uplink::WrapRegistration;
use rustix::process::Pid;

use crate::args::{Invocation, Origin};
use crate::client::{self, prepare};
use crate::context::Context;
use crate::environment::{EnvChange, environment, posix_shell};
use crate::error::WrapError;
use crate::executable::{find, locate, search_path};
use crate::launch::Launch;
use crate::{notice, pipes, process, shim_dir, terminal};

/// What is to keep the program from going round the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Namespaces of its own.
    #[default]
    Namespaces,
    /// No namespaces (`--no-isolate`): only where no launcher would get past.
    NoNamespaces,
    /// Only its `PATH` and its environment (`--path-only`).
    PathOnly,
}

/// What to wrap.
#[derive(Debug, Clone)]
pub struct WrapOptions {
    /// `--agent`; the program's name when not given.
    pub agent: Option<String>,
    /// `--reason`.
    pub reason: Option<String>,
    /// The program and its arguments.
    pub program: Vec<OsString>,
    /// Where the gate's socket and host key are.
    pub home: Home,
    /// This executable, for the helpers of [`crate::helper`].
    pub expacti: PathBuf,
    /// The broker to announce the program to.
    pub broker: Endpoint,
    /// What is to keep the program from going round the gate.
    pub wanted: Wanted,
    /// `--with`: what the program may use beside, for reviewers to see.
    pub with: Vec<String>,
    /// `--keep`: wait for what the program leaves running.
    pub keep: bool,
}

/// Runs the program to its end and returns its exit status, 128 + n after signal n.
///
/// The broker and the gate must run already, and must not be children of this process unless they
/// were so before. The calling thread must be one that lives as long as the process (the program is
/// killed when the thread that started it ends): the main thread. It waits for any child of this
/// process, and handles this process's signals from then on.
///
/// # Errors
/// The program did not run; nothing reached a target.
pub fn wrap(options: WrapOptions) -> Result<u8, WrapError> {
    let (program, args) = options
        .program
        .split_first()
        .ok_or_else(|| WrapError::Usage("no program is given; put it after --".to_owned()))?;
    let wrapped = Wrapped::parse(program)?;
    // Report what cannot work before anything is started.
    let invocation = match wrapped.kind {
        Kind::Ssh => Some(client::read(&wrapped.path, args, Origin::User)?),
        Kind::Copy | Kind::Other => None,
    };
    // Before the program: whoever is a child already does not belong to it.
    let exclude = process::children();
    become_subreaper()?;
    let dir = shim_dir::create(&options.home)?;
    let isolated = wrapped.kind == Kind::Other
        && options.wanted == Wanted::Namespaces
        && cfg!(target_os = "linux");
    let context = context(&options, &wrapped, dir.path());
    if isolated {
        // Inside, everything that the shims need lies in the wrap's directory.
        Context { expacti: dir.path().join(EXPACTI), ssh: Some(dir.path().join(CLIENT)), ..context.clone() }
            .store()?;
    } else {
        context.store()?;
    }
    // The broker knows before the program starts, so that nothing below it can ever decide.
    register(&options, &context)?;
    let mut launch = launch(&context, &wrapped, args, exclude);
    #[cfg(target_os = "linux")]
    if isolated {
        isolate(&mut launch, &options, &context)?;
    }
    if let Some(invocation) = invocation {
        launch_client(&mut launch, &context, invocation)?;
    }
    let status = if terminal::is_on_all_streams() {
        terminal::run(&mut launch, &context)
    } else {
        pipes::run(&launch)
    };
    // Also when it could not be run; the shims go last, since what still runs may need them.
    launch.end_leftovers();
    #[cfg(target_os = "linux")]
    if let Some(isolate) = launch.isolate.take() {
        isolate.settle();
    }
    drop(dir);
    if launch.client && matches!(status, Ok(exit::CONNECTION_FAILED)) && gate_is_gone(&context.gate)
    {
        // The client can only report that its connection broke.
        notice::print(
            &"the gate of this machine is gone: a command it held did not run; how one that ran \
              ended is not known (`expacti audit log` says which)",
        );
    }
    status
}

/// The program to wrap.
struct Wrapped {
    name: OsString,
    path: PathBuf,
    kind: Kind,
}

/// Where this executable and the stock client are in the directory of an isolated wrap.
pub(crate) const EXPACTI: &str = "expacti";
pub(crate) const CLIENT: &str = "client";

/// What is known of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `scp` or `sftp`.
    Copy,
    Other,
    Ssh,
}

impl Wrapped {
    fn parse(program: &OsStr) -> Result<Self, WrapError> {
        let name = Path::new(program).file_name().unwrap_or(program).to_owned();
        let kind = match name.to_str() {
            Some("scp" | "sftp") => Kind::Copy,
            Some("ssh") => Kind::Ssh,
            _ => Kind::Other,
        };
        Ok(Self { path: locate(program, &search_path())?, name, kind })
    }
}

fn context(options: &WrapOptions, wrapped: &Wrapped, dir: &Path) -> Context {
    Context {
        agent: options.agent.clone().unwrap_or_else(|| wrapped.name.to_string_lossy().into_owned()),
        reason: options.reason.clone(),
        program: options.program.iter().map(|w| w.to_string_lossy().into_owned()).collect(),
        wrap_pid: std::process::id(),
        gate: options.home.gate_socket(),
        known_hosts: options.home.gate_known_hosts(),
        expacti: options.expacti.clone(),
        ssh: match wrapped.kind {
            Kind::Ssh => Some(wrapped.path.clone()),
            Kind::Copy | Kind::Other => find(OsStr::new("ssh"), &search_path()),
        },
        dir: dir.to_owned(),
    }
}

fn launch(context: &Context, wrapped: &Wrapped, args: &[OsString], exclude: Vec<Pid>) -> Launch {
    Launch {
        expacti: context.expacti.clone(),
        program: match wrapped.kind {
            // By whatever path: they would start /usr/bin/ssh.
            Kind::Copy => context.dir.join(&wrapped.name),
            Kind::Other | Kind::Ssh => wrapped.path.clone(),
        },
        args: args.to_vec(),
        environment: environment(context, &|name| std::env::var_os(name)),
        client: false,
        background: false,
        exclude,
        #[cfg(target_os = "linux")]
        isolate: None,
    }
}

/// Gives the program namespaces of its own.
#[cfg(target_os = "linux")]
fn isolate(
    launch: &mut Launch,
    options: &WrapOptions,
    context: &Context,
) -> Result<(), WrapError> {
    use crate::isolate::prepare::{Known, UNREACHABLE, prepare};
    let known = Known { with: options.with.clone(), ..Known::default() };
    let isolate = prepare(
        &context.dir,
        &options.home,
        &context.expacti,
        context.ssh.as_deref(),
        &launch.program,
        &known,
        options.keep,
    )?;
    launch.environment.extend(UNREACHABLE.iter().map(|name| EnvChange::Remove(name)));
    launch.isolate = Some(isolate);
    Ok(())
}

/// Makes the launch one of the stock client, with the arguments that lead it to the gate.
fn launch_client(
    launch: &mut Launch,
    context: &Context,
    invocation: Invocation,
) -> Result<(), WrapError> {
    match invocation {
        Invocation::InfoOnly(args) => launch.args = args,
        Invocation::Connect(request) => {
            let status_line = rustix::termios::isatty(std::io::stderr());
            let prepared = prepare(context, &request, status_line)?;
            launch.args = prepared.args;
            launch.client = true;
            launch.background = prepared.background;
            launch.environment.push(posix_shell());
        }
    }
    Ok(())
}

/// Whether nobody answers on the gate's socket any more.
fn gate_is_gone(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_err()
}

/// From now on whatever the program leaves behind becomes a child of this process, and stays below
/// it, however often it forks.
#[cfg(target_os = "linux")]
fn become_subreaper() -> Result<(), WrapError> {
    // The value is a boolean; the kernel takes any number but 0 for true.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(WrapError::errno("become the reaper of the program's processes"))
}

/// This system has no subreapers: a daemon of the program leaves the tree, and can only be recognised
/// by the marker in its environment.
#[cfg(not(target_os = "linux"))]
fn become_subreaper() -> Result<(), WrapError> {
    Ok(())
}

/// Tells the broker, before the program starts, that nobody below this process may review.
fn register(options: &WrapOptions, context: &Context) -> Result<(), WrapError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(WrapError::io("start the runtime"))?;
    let client = Client::new(options.broker.clone())?;
    let wrap = WrapRegistration {
        pid: context.wrap_pid,
        agent: context.agent.clone(),
        ..WrapRegistration::default()
    };
    let _: serde_json::Value = runtime.block_on(client.post("/v1/wraps", &wrap))?;
    Ok(())
}
