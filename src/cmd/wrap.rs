//! `expacti wrap`.

use expacti_shim::{Wanted, WrapOptions};

use crate::cli::WrapArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Starts broker and gate if they are not running, then the program.
pub(crate) fn run(config: &Config, args: WrapArgs) -> Outcome {
    if !config.is_local() {
        return Err(Failure::usage(
            "wrap uses the broker of this machine: unset EXPACTI_BROKER. For a team's gate, use \
             plain ssh: ssh user%target@gate",
        ));
    }
    crate::daemon::up(config)?;
    let options = WrapOptions {
        agent: args.agent.or_else(|| config.agent()),
        reason: args.reason,
        program: args.program,
        home: config.home.clone(),
        expacti: std::env::current_exe()?,
        ssh_config: args.ssh_config,
        identities: args.identities,
        wanted: if args.path_only {
            Wanted::PathOnly
        } else if args.no_isolate {
            Wanted::NoNamespaces
        } else {
            Wanted::Namespaces
        },
        with: args.with,
        keep: args.keep,
    };
    expacti_shim::wrap(options).map_err(|e| Failure::new(e.exit_status(), e.to_string()))
}
