//! `expacti completions`, `expacti man`: generated from the command line's own definition.

use std::io::{self, Write as _};
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use crate::help;

/// `expacti completions SHELL`.
pub(crate) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "expacti", &mut text);
    io::stdout().lock().write_all(&text)?;
    Ok(0)
}

/// `expacti man [--out DIR]`.
pub(crate) fn man(out: Option<&Path>) -> Outcome {
    let mut command = Cli::command().disable_help_subcommand(true);
    match out {
        Some(dir) => {
            command.build();
            std::fs::create_dir_all(dir).and_then(|()| write_pages(&command, dir)).map_err(
                |e| Failure::failed(format!("failed to write into {}: {e}", dir.display())),
            )?;
        }
        None => io::stdout().lock().write_all(page(&command)?.as_bytes())?,
    }
    Ok(0)
}

/// Writes the page of a command and of each command below it.
fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(sub, dir)?;
    }
    let name = Man::new(command.clone()).get_filename();
    std::fs::write(dir.join(name), page(command)?)
}

/// The page of one command.
fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    let source = concat!("expacti ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).render(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    // What follows the options is nearly always examples; man(7) knows no section "EXTRA".
    let page = page
        .replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n")
        .replace(".SH EXTRA\nExample:\n", ".SH EXAMPLES\n")
        .replace(".SH EXTRA\n", ".SH NOTES\n");
    Ok(if command.get_name() == "expacti" { with_headings(page) } else { page })
}

/// Puts the headings of the help over the subcommands of `expacti(1)`.
fn with_headings(mut page: String) -> String {
    for group in help::groups() {
        let Some(first) = group.commands.first() else { continue };
        let entry = format!(".TP\nexpacti\\-{}(1)\n", first.get_name());
        page = page.replacen(&entry, &format!(".SS \"{}\"\n{entry}", group.heading), 1);
    }
    page
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_has_the_headings_of_the_help() {
        let page = page(&Cli::command().disable_help_subcommand(true)).unwrap();
        for group in help::groups() {
            let heading = format!(".SS \"{}\"\n", group.heading);
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
        }
        assert!(!page.contains("EXTRA"), "{page}");
    }
}
