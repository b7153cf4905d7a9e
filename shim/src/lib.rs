//! `expacti wrap`: runs the agent's program with its SSH routed through the gate.
//!
//! The real program runs, in a terminal of its own or as a transparent pipe. The `ssh`, `scp` and
//! `sftp` that it finds first on its `PATH` are shims, which run the stock client over the local
//! gate's socket. Nothing here decides anything, and nothing here connects to a target: when in
//! doubt, the program does not start.

mod algorithms;
mod args;
mod canary;
mod child;
mod client;
mod client_args;
mod context;
mod copy_args;
mod environment;
mod error;
mod executable;
mod expand;
mod explain;
mod fixed;
mod getopt;
mod guard;
mod helper;
mod inside;
#[cfg(target_os = "linux")]
mod isolate;
mod launch;
mod line;
mod notice;
mod options;
mod path_text;
mod pipes;
mod process;
mod resolve;
mod second;
mod shim_dir;
mod shims;
mod signals;
mod ssh_config;
mod terminal;
mod transport;
mod wrap;

use std::ffi::OsString;
use std::path::Path;

use child::child;
use copy_args::CopyProgram;
use guard::guard;
use shims::{copy_shim, ssh_shim};

pub use error::{ExpandError, FixedError, GateError, HelperError, ResolveError, WrapError};
pub use explain::{Explanation, explain};
pub use line::Wanted;
pub use second::ssh_config as second_line;
pub use wrap::{WrapOptions, wrap};

/// Runs one of the helpers that `wrap` starts from its own executable, and returns its exit status;
/// `None` when the arguments (without the program's name) name no helper. Call it first thing in
/// `main`: a helper must not start a runtime, a thread or a log.
pub fn run_helper(args: &[OsString]) -> Option<u8> {
    let (name, rest) = args.split_first()?;
    let (first, tail) = match rest.split_first() {
        Some((first, tail)) => (first.as_os_str(), tail),
        None => ("".as_ref(), rest),
    };
    Some(match name.to_str()? {
        "__child" => child(rest),
        #[cfg(target_os = "linux")]
        "__enter" => isolate::enter::enter(rest),
        "__guard" => guard(Path::new(first)),
        #[cfg(target_os = "linux")]
        "__init" => isolate::init::init(rest),
        #[cfg(target_os = "linux")]
        "__probe" => isolate::probe::probe(),
        "__inside" => second::inside(rest),
        "__proxy" => second::proxy(rest),
        "__pump" => helper::pump(Path::new(first), tail.first()?.to_str()?),
        "__scp" => copy_shim(CopyProgram::Scp, Path::new(first), tail),
        "__sftp" => copy_shim(CopyProgram::Sftp, Path::new(first), tail),
        "__ssh" => ssh_shim(Path::new(first), tail),
        "__helper" => helper::serve(),
        "__uplink" => helper::uplink(
            Path::new(first),
            &tail.first().map_or("".into(), |t| t.to_string_lossy()),
        ),
        _ => return None,
    })
}
