//! Arguments of the commands that run an agent. Nothing here does anything.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands under the heading "Run".
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Run a program with its SSH connections held for review
    #[command(
        after_help = "Examples:\n  expacti wrap -- ssh -p 2200 deploy@web-1 'uname -a'\n  expacti wrap --agent fixbot --reason 'ticket 4711' -- claude\n  expacti wrap -- ansible-playbook site.yml\n\nThe program runs in namespaces of its own, in which every ssh is the gate's and your keys do not exist\n(expacti wrap --explain). The program's own exit status is passed through; a denied command exits\nwith 77, one that timed out with 78, one the gate could not decide with 79."
    )]
    Wrap(WrapArgs),
    /// See how it works, with two scripted agents and a simulated target
    Demo {
        /// Play without a person: a scripted reviewer decides
        #[arg(long, hide = true)]
        unattended: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WrapArgs {
    /// The agent's name, as reviewers and rules see it [default: the program's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// What the agent is working on, for the reviewer
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The ssh configuration of every ssh that the program starts, in place of yours and the
    /// system's; read when the wrap starts
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// A private key that the program may name, besides those in ~/.ssh and in your ssh
    /// configuration (may be given more than once)
    #[arg(long = "identity", value_name = "FILE")]
    pub(crate) identities: Vec<PathBuf>,
    /// Let the program use something that leads out of its isolation: docker, gpg, proxy-commands
    /// (programs of your ssh configuration that read files of yours), or a path;
    /// reviewers see it with every request
    #[arg(long, value_name = "WHAT")]
    pub(crate) with: Vec<String>,
    /// Wait for what the program leaves running instead of ending it
    #[arg(long)]
    pub(crate) keep: bool,
    /// Run the program without namespaces, for one that needs sudo; reviewers see it with every
    /// request
    #[arg(long)]
    pub(crate) no_isolate: bool,
    /// Run the program although it could start ssh without the gate; reviewers see it with every
    /// request
    #[arg(long)]
    pub(crate) path_only: bool,
    /// Run nothing; say what keeps programs from going round the gate on this machine
    #[arg(long)]
    pub(crate) explain: bool,
    /// The program and its arguments
    #[arg(last = true, required_unless_present = "explain", value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}
