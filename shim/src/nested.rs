//! The private `ssh`, `scp` and `sftp` that wrapped programs find on their `PATH`.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::{self, Invocation, Origin, Request};
use crate::context::{self, Context};
use crate::error::WrapError;
use crate::launch::Launch;
use crate::resolve::resolve;
use crate::ssh_config::Surroundings;
use crate::uplink::Head;
use crate::{command, copy, notice, options, pipes, process};

/// The client and its arguments for one command line of `ssh`.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The arguments, without the program.
    pub(crate) args: Vec<OsString>,
    /// The client goes to the background.
    pub(crate) background: bool,
}

/// Reads the arguments and, when there will be a connection, resolves the target and leaves the head
/// of the connection for the uplink.
pub(crate) fn prepare(
    context: &Context,
    request: &Request,
    status_line: bool,
) -> Result<Prepared, WrapError> {
    let var = |name: &str| std::env::var(name).ok();
    let cwd = std::env::current_dir().map_err(WrapError::io("find the working directory"))?;
    let at = Surroundings { ssh: context.ssh()?, wrap_pid: context.wrap_pid, var: &var, cwd: &cwd };
    let resolved = resolve(request, &at)?;
    let mut uplink = context.uplink(status_line);
    uplink.route = resolved.route;
    let head = Head { gate: context.gate.clone(), uplink }.store(&context.dir)?;
    let args = command::client(
        request,
        &resolved.settings,
        &context.expacti,
        &head,
        &context.known_hosts,
    )?;
    Ok(Prepared { args, background: request.background })
}

/// Reads the arguments of `ssh` with the letters that this client knows.
pub(crate) fn read(ssh: &Path, args: &[OsString], from: Origin) -> Result<Invocation, WrapError> {
    let invocation = args::read(options::LETTERS, args, from);
    // `-P` takes a value only since OpenSSH 9.4; only then does the version matter.
    let holds_p =
        args.iter().any(|a| a.to_str().is_some_and(|a| a.starts_with('-') && a.contains('P')));
    if holds_p && !tag_is_known(ssh) {
        return args::read(options::LETTERS_BEFORE_9_4, args, from);
    }
    invocation
}

/// Whether `-P TAG` is known: only then does the client print a tag that was set.
pub(crate) fn tag_is_known(ssh: &Path) -> bool {
    let mut probe = Command::new(ssh);
    probe.args(["-TG", "-Fnone", "-oTag=x", "expacti"]).stdin(std::process::Stdio::null());
    probe.output().is_ok_and(|out| out.status.success())
}

/// `expacti __ssh CONTEXT ARGS…`: becomes the client, or runs it when somebody must watch whether
/// its output is still read; returns an exit status when it cannot become it.
pub fn nested_ssh(context: &Path, args: &[OsString]) -> u8 {
    match ssh(context, args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

/// `expacti __scp CONTEXT ARGS…`, `expacti __sftp CONTEXT ARGS…`: becomes the stock program with the
/// private `ssh` under it.
pub fn nested_copy(helper: &OsStr, context: &Path, args: &[OsString]) -> u8 {
    match copy(helper, context, args) {
        Ok(never) => match never {},
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn ssh(file: &Path, args: &[OsString]) -> Result<u8, WrapError> {
    let context = Context::load(file)?;
    let mut background = false;
    let args = match read(context.ssh()?, args, Origin::Program)? {
        Invocation::Inform(args) => args,
        Invocation::Connect(request) => {
            if request.verbose {
                request.notes.iter().for_each(|note| notice::print(note));
            }
            let status_line = rustix::termios::isatty(std::io::stderr());
            let prepared = prepare(&context, &request, status_line)?;
            background = prepared.background;
            prepared.args
        }
    };
    let client = context.ssh()?.to_path_buf();
    // A client in the background closes its output itself.
    if pipes::has_reader() && !background {
        return pipes::run(&Launch {
            expacti: context.expacti.clone(),
            program: client,
            args,
            environment: vec![("SHELL", Some("/bin/sh".into()))],
            client: true,
            background: false,
            except: process::children(),
        });
    }
    match become_program(client, &args)? {}
}

fn copy(
    helper: &OsStr,
    file: &Path,
    args: &[OsString],
) -> Result<std::convert::Infallible, WrapError> {
    let context = Context::load(file)?;
    let name = helper.to_str().unwrap_or_default().trim_start_matches("__").to_owned();
    let args = copy::arguments(&name, &context.private_ssh(), args)?;
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let program = context::find(OsStr::new(&name), &path)
        .ok_or_else(|| WrapError::NotFound(PathBuf::from(&name)))?;
    become_program(program, &args)
}

fn become_program(
    program: PathBuf,
    args: &[OsString],
) -> Result<std::convert::Infallible, WrapError> {
    // The client runs the uplink with `$SHELL -c`, which need not be a shell (nologin) nor quick.
    let source = Command::new(&program).args(args).env("SHELL", "/bin/sh").exec();
    Err(WrapError::NotExecutable { program, source })
}
