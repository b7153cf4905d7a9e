//! `expacti wrap`.

use expacti_shim::{Wanted, WrapOptions};

use super::explain;
use crate::cli::WrapArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Starts broker and gate if they are not running, then the program.
pub(crate) fn run(config: &Config, args: WrapArgs, json: bool) -> Outcome {
    if !config.is_local() {
        return Err(Failure::usage(
            "wrap uses the broker of this machine: unset EXPACTI_BROKER. For a team's gate, use \
             plain ssh: ssh user%target@gate",
        ));
    }
    let is_explained = args.explain;
    let options = options(config, args, json)?;
    if is_explained {
        return explain::run(&options, json);
    }
    crate::daemon::up(config)?;
    expacti_shim::wrap(options).map_err(|e| Failure::new(e.exit_status(), e.to_string()))
}

/// The options of the library.
fn options(config: &Config, args: WrapArgs, json: bool) -> Result<WrapOptions, Failure> {
    Ok(WrapOptions {
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
        json: json || std::env::var_os("EXPACTI_JSON").is_some_and(|value| value == "1"),
    })
}

/// What `wrap` without options would do.
pub(super) fn usual_options(config: &Config) -> Result<WrapOptions, Failure> {
    Ok(WrapOptions {
        agent: None,
        reason: None,
        program: Vec::new(),
        home: config.home.clone(),
        expacti: std::env::current_exe()?,
        ssh_config: None,
        identities: Vec::new(),
        wanted: Wanted::Namespaces,
        with: Vec::new(),
        keep: false,
        json: false,
    })
}
