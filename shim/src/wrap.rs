//! `expacti wrap`: announces the program to the broker, runs it to its end, and leaves nothing of it
//! behind.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use expacti_protocol::exit;
use expacti_protocol::home::Home;
use rustix::process::Pid;

use crate::args::{Invocation, Origin, Request};
use crate::client;
use crate::client_args::{Connection, client_args};
use crate::context::Context;
use crate::environment::{EnvChange, environment, posix_shell};
use crate::error::WrapError;
use crate::executable::{find, locate, search_path};
#[cfg(target_os = "linux")]
use crate::fixed::{Closure, Config, Places};
use crate::helper::{FirstRoute, Helper, KNOWN_HOSTS_ENV, PROXY_ENV, SOCKET, Start};
#[cfg(target_os = "linux")]
use crate::isolate::prepare::{Isolate, Known, UNREACHABLE, prepare};
use crate::launch::Launch;
use crate::line::{Line, Wanted};
use crate::resolve::{Resolved, resolve};
use crate::{line, notice, pipes, process, shim_dir, terminal};

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
    /// This executable, for the helpers of [`crate::run_helper`].
    pub expacti: PathBuf,
    /// `--ssh-config`: the configuration of every `ssh` of the program, instead of the usual one.
    pub ssh_config: Option<PathBuf>,
    /// `--identity`: keys that the program may name beside those of the configuration.
    pub identities: Vec<PathBuf>,
    /// What is to keep the program from going round the gate.
    pub wanted: Wanted,
    /// `--with`: what the program may use beside, for reviewers to see.
    pub with: Vec<String>,
    /// `--keep`: wait for what the program leaves running.
    pub keep: bool,
    /// `--json`: a refused command ends with one line of JSON on standard error.
    pub json: bool,
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
    let context = context(&options, &wrapped, dir.path());
    let line = line::choose(wrapped.kind == Kind::Other, options.wanted, &context)?;
    let inside = if line.namespaces { context.seen_inside()? } else { context.clone() };
    inside.store()?;
    let mut start = start(&options, &context, &inside, line, wrapped.kind)?;
    let mut launch = launch(&context, &wrapped, args, exclude);
    #[cfg(target_os = "linux")]
    if line.namespaces {
        isolate(&mut launch, &mut start, &options, &context)?;
    }
    let client = match invocation {
        Some(Invocation::InfoOnly(args)) => {
            launch.args = args;
            None
        }
        Some(Invocation::Connect(request)) => Some(resolve_client(&context, &start, request)?),
        None => None,
    };
    if let Some((_, resolved)) = &client {
        start.first = Some(FirstRoute {
            route: resolved.route.clone(),
            status_line: rustix::termios::isatty(std::io::stderr()),
        });
    }
    // The broker knows before the program starts, so that nothing below it can ever decide.
    let helper = Helper::start(&options.expacti, &start)?;
    launch.exclude.push(helper.pid());
    launch.environment.extend(for_libraries(&helper, &inside));
    if let (Some((request, resolved)), Some(ticket)) = (client, helper.ticket()) {
        launch_client(&mut launch, &context, &request, &resolved, ticket)?;
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
    helper.end().iter().for_each(|message| notice::print(message));
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
    /// As it was given: what it is called by.
    given: OsString,
    /// Without its directory.
    name: OsString,
    path: PathBuf,
    kind: Kind,
}

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
        Ok(Self { path: locate(program, &search_path())?, given: program.to_owned(), name, kind })
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
        json: options.json,
    }
}

/// How programs that speak SSH themselves reach the gate, and the agent that they find.
fn for_libraries(helper: &Helper, inside: &Context) -> Vec<EnvChange> {
    let mut changes = Vec::new();
    if let Some(proxy) = helper.proxy() {
        changes.push(EnvChange::Set(PROXY_ENV, proxy.into()));
        changes.push(EnvChange::Set(KNOWN_HOSTS_ENV, inside.known_hosts.clone().into()));
    }
    let agent = helper.agent(&inside.dir);
    changes.extend(agent.map(|socket| EnvChange::Set("SSH_AUTH_SOCK", socket.into())));
    changes
}

fn launch(context: &Context, wrapped: &Wrapped, args: &[OsString], exclude: Vec<Pid>) -> Launch {
    Launch {
        expacti: context.expacti.clone(),
        program: match wrapped.kind {
            // By whatever path: they would start /usr/bin/ssh.
            Kind::Copy => context.dir.join(&wrapped.name),
            Kind::Other | Kind::Ssh => wrapped.path.clone(),
        },
        name: wrapped.given.clone(),
        args: args.to_vec(),
        environment: environment(context, &|name| std::env::var_os(name)),
        client: false,
        background: false,
        exclude,
        #[cfg(target_os = "linux")]
        isolate: None,
    }
}

/// Gives the program namespaces of its own, and tells the helper what is out of its reach there.
#[cfg(target_os = "linux")]
fn isolate(
    launch: &mut Launch,
    start: &mut Start,
    options: &WrapOptions,
    context: &Context,
) -> Result<(), WrapError> {
    let isolate = prepare_isolation(options, context, &launch.program)?;
    if let Some(copy) = own_config(options, context)? {
        start.ssh_config = Some(copy);
    }
    launch.environment.extend(UNREACHABLE.iter().map(|name| EnvChange::Remove(name)));
    start.pinned = isolate.plan.pinned();
    start.mask = isolate.plan.mask();
    start.hidden = isolate.plan.hidden();
    launch.isolate = Some(isolate);
    Ok(())
}

/// The configuration as a copy in the wrap's directory, where the usual one does not lie in `~/.ssh`: no
/// other wrapped program can change it there.
#[cfg(target_os = "linux")]
fn own_config(options: &WrapOptions, context: &Context) -> Result<Option<PathBuf>, WrapError> {
    let places = Places::of_this_user(search_path());
    let file = match &options.ssh_config {
        Some(file) => file.clone(),
        None => places.ssh_dir().join("config"),
    };
    let Ok(real) = std::fs::canonicalize(&file) else { return Ok(None) };
    let ssh = std::fs::canonicalize(places.ssh_dir()).unwrap_or_else(|_| places.ssh_dir());
    if real.starts_with(&ssh) {
        return Ok(None);
    }
    let failed = || WrapError::io(format!("copy {}", real.display()));
    let mut text = std::fs::read(&real).map_err(failed())?;
    if options.ssh_config.is_none() {
        // In the place of the user's configuration, which is followed by the system's.
        let system = places.system.join("ssh_config");
        text.extend_from_slice(format!("\nMatch all\nInclude {}\n", system.display()).as_bytes());
    }
    let copy = context.dir.join("ssh_config");
    std::fs::write(&copy, text).map_err(failed())?;
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(failed())?;
    Ok(Some(copy))
}

/// Looks at the system, and leaves the plan of the namespaces in the wrap's directory.
#[cfg(target_os = "linux")]
pub(crate) fn prepare_isolation(
    options: &WrapOptions,
    context: &Context,
    program: &Path,
) -> Result<Isolate, WrapError> {
    let mut known = Known { with: options.with.clone(), ..Known::default() };
    let places = Places::of_this_user(search_path());
    // The keys of the usual configuration are there, whichever is used.
    let mut configs = vec![Config::Usual];
    configs.extend(options.ssh_config.clone().map(Config::File));
    for config in configs {
        let closure = Closure::read(&config, &places);
        known.secrets.extend(closure.identities);
        known.patterns.extend(closure.patterns);
        known.fixed.extend(closure.files);
    }
    known.secrets.extend(options.identities.iter().cloned());
    prepare(
        &context.dir,
        &options.home,
        &context.expacti,
        context.ssh.as_deref(),
        program,
        &known,
        options.keep,
    )
}

/// What the helper is told.
fn start(
    options: &WrapOptions,
    context: &Context,
    inside: &Context,
    line: Line,
    kind: Kind,
) -> Result<Start, WrapError> {
    let absolute = |path: &PathBuf| {
        let path =
            std::path::absolute(path).map_err(WrapError::io("find the working directory"))?;
        std::fs::File::open(&path)
            .map_err(WrapError::io(format!("read {}", path.display())))
            .map(|_| path)
    };
    let ssh_config = options.ssh_config.as_ref().map(absolute).transpose()?;
    Ok(Start {
        // What the client inside is told, and the client that runs outside.
        context: Context { ssh: context.ssh.clone(), ..inside.clone() },
        broker: options.home.broker_socket(),
        isolation: line.isolation,
        namespaces: line.namespaces,
        with: options.with.clone(),
        pinned: Vec::new(),
        mask: Vec::new(),
        hidden: Vec::new(),
        config_name: ssh_config.clone(),
        ssh_config,
        identities: options.identities.iter().map(absolute).collect::<Result<_, _>>()?,
        own_client: kind != Kind::Other,
        loud: !terminal::is_on_all_streams(),
        first: None,
    })
}

/// Finds out where the user's own command line leads.
fn resolve_client(
    context: &Context,
    start: &Start,
    mut request: Request,
) -> Result<(Request, Resolved), WrapError> {
    client::use_config(&mut request, start.ssh_config.as_deref());
    let cwd = std::env::current_dir().map_err(WrapError::io("find the working directory"))?;
    let env = client::environment(context, &cwd)?;
    let resolved = resolve(&request, &env)?;
    Ok((request, resolved))
}

/// Makes the launch one of the stock client, with the arguments that lead it to the gate.
fn launch_client(
    launch: &mut Launch,
    context: &Context,
    request: &Request,
    resolved: &Resolved,
    ticket: &str,
) -> Result<(), WrapError> {
    let connection = Connection {
        expacti: &context.expacti,
        socket: &context.dir.join(SOCKET),
        ticket,
        known_hosts: &context.known_hosts,
    };
    let (args, warnings) = client_args(request, &resolved.settings, None, &connection)?;
    warnings.iter().for_each(|warning| notice::print(warning));
    launch.args = args;
    launch.client = true;
    launch.background = request.background;
    launch.environment.push(posix_shell());
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
