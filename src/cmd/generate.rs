//! `expacti completions`, `expacti man`: generated from the command line's own definition.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};

/// `expacti completions SHELL`.
pub(crate) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "expacti", &mut text);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &text)?;
    Ok(0)
}

/// `expacti man [--out DIR]`.
pub(crate) fn man(out: Option<&Path>) -> Outcome {
    let command = Cli::command().disable_help_subcommand(true);
    match out {
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .and_then(|()| clap_mangen::generate_to(command, dir))
                .map_err(|e| {
                    Failure::new(1, format!("failed to write into {}: {e}", dir.display()))
                })?;
        }
        None => clap_mangen::Man::new(command).render(&mut std::io::stdout().lock())?,
    }
    Ok(0)
}
