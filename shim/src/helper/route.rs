//! From a command line of the wrapped program to a route for the gate and arguments for the client.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::args::{self, Invocation, Origin, Request};
use crate::client;
use crate::client_args::{Connection, client_args};
use crate::error::{FixedError, HelperError, ResolveError, WrapError};
use crate::fixed::{Config, Fixed};
use crate::helper::message::{ClientArgs, SOCKET, Start};
use crate::helper::tickets::Waiting;
use crate::inside;
use crate::resolve::{Resolved, resolve};
use crate::ssh_config::{ResolveEnv, Settings};

/// A resolved command line.
pub(super) struct Routed {
    request: Request,
    settings: Settings,
    defaults: Settings,
    /// For the gate.
    pub(super) waiting: Waiting,
}

/// Resolves a command line.
pub(super) fn route(
    start: &Start,
    fixed: &Fixed,
    args: &[String],
    cwd: &Path,
    status_line: bool,
) -> Result<Routed, WrapError> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let ssh = start.context.ssh()?;
    let (request, Resolved { route, settings, defaults }) = if start.own_client {
        let mut request = connect(client::read(ssh, &args, Origin::Program)?)?;
        client::use_config(&mut request, start.ssh_config.as_deref());
        let env = client::environment(&start.context, cwd)?;
        let resolved = resolve(&request, &env)?;
        (request, resolved)
    } else {
        from_inside(start, fixed, ssh, &args, cwd)?
    };
    Ok(Routed { request, settings, defaults, waiting: Waiting { route, status_line } })
}

fn connect(invocation: Invocation) -> Result<Request, WrapError> {
    match invocation {
        Invocation::Connect(request) => Ok(request),
        Invocation::InfoOnly(_) => Err(WrapError::Usage("ssh: the host is missing".to_owned())),
    }
}

/// Everything that the wrapped program says is checked, and what it leads to is run on the fixed
/// configuration, in a directory and environment that it cannot choose.
fn from_inside(
    start: &Start,
    fixed: &Fixed,
    ssh: &Path,
    args: &[OsString],
    cwd: &Path,
) -> Result<(Request, Resolved), WrapError> {
    fixed.rely_on_program(ssh)?;
    let letters = client::letters(ssh, args);
    let permitted = inside::check(&args::split(letters, args)?, cwd, fixed)?;
    let mut request = connect(args::read(letters, &permitted.args, Origin::Program)?)?;
    let config = permitted.config.unwrap_or_else(|| fixed.config.clone());
    let closure = fixed.check(&config).map_err(|e| match e {
        FixedError::Unreadable(_) if config != fixed.config => HelperError::UnreadableConfig.into(),
        e => WrapError::from(e),
    })?;
    request.config = match &config {
        Config::None => Some("none".into()),
        Config::Usual => None,
        Config::File(file) => Some(file.into()),
    };
    request.config_is_users = config == fixed.config;
    let environment = fixed.environment(&closure);
    let env = ResolveEnv {
        ssh,
        dir: &start.context.dir,
        wrap_pid: start.context.wrap_pid,
        var: &client::variable,
        cwd: Path::new("/"),
        fixed: environment.as_deref(),
    };
    let mut resolved = resolve(&request, &env).map_err(|e| match e {
        // What the client says of a file holds lines of it, and it may be one that cannot be read inside.
        WrapError::Resolve(ResolveError::Ssh(_)) if config != fixed.config => {
            HelperError::UnreadableConfig.into()
        }
        e => e,
    })?;
    // The gate will run these.
    if resolved.settings.value("proxyjump").is_some() {
        fixed.check_jump(&closure)?;
    } else if let Some(command) = resolved.settings.value("proxycommand") {
        fixed.check_command("proxycommand", command, &closure)?;
    }
    if request.overrides_names {
        resolved.route.known_hosts_add = None;
    }
    Ok((request, resolved))
}

impl Routed {
    /// The arguments of the client, for this ticket.
    pub(super) fn client(&self, start: &Start, ticket: &str) -> Result<ClientArgs, WrapError> {
        let socket: PathBuf = start.context.dir.join(SOCKET);
        let connection = Connection {
            expacti: &start.context.expacti,
            socket: &socket,
            ticket,
            known_hosts: &start.context.known_hosts,
        };
        let inside = (!start.own_client).then_some(&self.defaults);
        let (args, mut notes) = client_args(&self.request, &self.settings, inside, &connection)?;
        if self.request.verbose {
            notes.extend(self.request.left_out.iter().cloned());
        }
        let text =
            |arg: OsString| arg.into_string().map_err(|arg| ResolveError::NotUtf8(arg).into());
        let args = args.into_iter().map(text).collect::<Result<_, WrapError>>()?;
        let background = self.request.background || self.settings.is_yes("forkafterauthentication");
        Ok(ClientArgs { ticket: ticket.to_owned(), args, background, notes })
    }
}

/// The search path of a wrap at its start.
pub(super) fn search_path() -> OsString {
    crate::executable::search_path()
}

/// The configuration of a wrap.
pub(super) fn fixed(start: &Start, path: &OsStr) -> Fixed {
    let config = start.ssh_config.clone().map_or(Config::Usual, Config::File);
    let compare = !start.namespaces;
    let mut fixed = Fixed::new(
        crate::fixed::Places::of_this_user(path.to_owned()),
        config,
        start.pinned.clone(),
        compare,
        start.identities.clone(),
    );
    fixed.config_name = start.config_name.clone();
    (fixed.mask, fixed.hidden) = (start.mask.clone(), start.hidden.clone());
    fixed.trusts_programs = start.with.iter().any(|with| with == "proxy-commands");
    fixed
}
