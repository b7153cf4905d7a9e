//! The `expacti` command: parses and dispatches, nothing else.

#![forbid(unsafe_code)]

mod ask;
mod broker;
mod cli;
mod cmd;
mod config;
mod daemon;
mod failure;
mod help;
mod installation;
mod machine;
mod print;
mod prover;
mod runtime;
mod segment;
mod signing;
mod units;

use std::process::ExitCode;

use clap::FromArgMatches as _;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    // `wrap` runs this executable again as a helper; that is not part of the public command line.
    if let Some(status) = expacti_shim::run_helper(&args) {
        return ExitCode::from(status);
    }
    // So does the gate, for the keys of targets.
    if let Some(status) = expacti_gate::run_key_holder(&args) {
        return ExitCode::from(status);
    }
    let parsed = help::command()
        .try_get_matches()
        .and_then(|matches| cli::Cli::from_arg_matches(&matches))
        .map_err(|e| e.format(&mut help::command()));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            let status = if e.use_stderr() { expacti_protocol::exit::USAGE } else { 0 };
            let _ = e.print();
            return ExitCode::from(status);
        }
    };
    // One crypto backend for everything; an error means that one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cmd::run(cli) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.status())
        }
    }
}
