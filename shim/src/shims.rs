//! The shims: the `ssh`, `scp` and `sftp` that wrapped programs find first on their `PATH`.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::{Invocation, Origin};
use crate::client::read;
use crate::context::{Context, shell_word};
use crate::copy_args::{CopyProgram, copy_args};
use crate::environment::posix_shell;
use crate::error::{ResolveError, WrapError};
use crate::helper::{self, ClientArgs, Way};
use crate::launch::Launch;
use crate::{canary, executable, notice, pipes, process};

/// `expacti __ssh CONTEXT ARGS…`: becomes the client, or runs it when somebody must watch whether
/// its output is still read; returns an exit status when it cannot become it.
pub(crate) fn ssh_shim(context: &Path, args: &[OsString]) -> u8 {
    match ssh(context, args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

/// `expacti __scp CONTEXT ARGS…`, `expacti __sftp CONTEXT ARGS…`: becomes the stock program, which
/// is told to run the `ssh` shim.
pub(crate) fn copy_shim(program: CopyProgram, context: &Path, args: &[OsString]) -> u8 {
    match copy(program, context, args) {
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
        Invocation::InfoOnly(args) if args.iter().any(|arg| arg == canary::HOST) => {
            notice::say(canary::MARK);
            return Ok(expacti_protocol::exit::OK);
        }
        Invocation::InfoOnly(args) => args,
        Invocation::Connect(request) => {
            let (prepared, way) = ask(&context, args, &request.command)?;
            prepared.notes.iter().for_each(|note| notice::print(note));
            background = prepared.background;
            let mut args = match way {
                Way::Door => carried(&context, &prepared.ticket)?,
                Way::Socket => Vec::new(),
            };
            args.extend(prepared.args.into_iter().map(OsString::from));
            if !request.command.is_empty() {
                args.push("--".into());
                args.extend(request.command);
            }
            args
        }
    };
    let client = context.ssh()?.to_path_buf();
    // A client in the background closes its output itself.
    if pipes::has_reader() && !background {
        return pipes::run(&Launch {
            expacti: context.expacti.clone(),
            program: client,
            name: "ssh".into(),
            args,
            environment: vec![posix_shell()],
            client: true,
            background: false,
            exclude: process::children(),
            #[cfg(target_os = "linux")]
            isolate: None,
        });
    }
    match become_program(client, OsStr::new("ssh"), &args)? {}
}

/// The options by which the client's connection is carried through pipes. The first value of an option
/// wins: they stand before those that pass a descriptor.
fn carried(context: &Context, ticket: &str) -> Result<Vec<OsString>, WrapError> {
    let words = [shell_word(&context.expacti)?, "__pump".to_owned(), shell_word(&context.dir)?];
    let command = format!("ProxyCommand={} {ticket}", words.join(" ").replace('%', "%%"));
    Ok(["-o", "ProxyUseFdpass=no", "-o", &command].map(OsString::from).to_vec())
}

/// Asks the helper how to run the client. The words of the command are the client's alone.
fn ask(
    context: &Context,
    args: &[OsString],
    command: &[OsString],
) -> Result<(ClientArgs, Way), WrapError> {
    let options = args.get(..args.len().saturating_sub(command.len())).unwrap_or_default();
    let text = |arg: &OsString| {
        let text = arg.to_str().map(str::to_owned);
        text.ok_or_else(|| ResolveError::NotUtf8(arg.clone()).into())
    };
    let options = options.iter().map(text).collect::<Result<_, WrapError>>()?;
    let cwd = std::env::current_dir().map_err(WrapError::io("find the working directory"))?;
    let status_line = rustix::termios::isatty(std::io::stderr());
    helper::client(&context.dir, options, cwd, status_line)
}

fn copy(
    program: CopyProgram,
    file: &Path,
    args: &[OsString],
) -> Result<std::convert::Infallible, WrapError> {
    let context = Context::load(file)?;
    let name = program.name();
    let args = copy_args(program, &context.ssh_shim(), args)?;
    let program = executable::find(OsStr::new(name), &executable::search_path())
        .ok_or_else(|| WrapError::NotFound(PathBuf::from(name)))?;
    become_program(program, OsStr::new(name), &args)
}

fn become_program(
    program: PathBuf,
    name: &OsStr,
    args: &[OsString],
) -> Result<std::convert::Infallible, WrapError> {
    // The client runs the uplink with `$SHELL -c`, which need not be a shell (nologin) nor quick.
    let source = Command::new(&program).arg0(name).args(args).env("SHELL", "/bin/sh").exec();
    Err(WrapError::NotExecutable { program, source })
}
