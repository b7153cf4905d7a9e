//! The help of `expacti` itself, with its subcommands under headings. The lists come from the
//! definitions in `cli`: each heading is one of the enums that make up the command line, so no
//! subcommand can be missing or listed twice.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _, Subcommand};

use crate::cli::{Cli, DecideCommand, LookCommand, RunCommand, ServersCommand, SetUpCommand};

/// Subcommands under one heading.
pub(crate) struct Group {
    /// The heading.
    pub(crate) heading: &'static str,
    /// The visible subcommands, in the order of their definition.
    pub(crate) commands: Vec<Command>,
}

impl Group {
    fn of<T: Subcommand>(heading: &'static str) -> Self {
        let all = T::augment_subcommands(Command::new("expacti"));
        Self {
            heading,
            commands: all.get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect(),
        }
    }
}

/// Every group, the daily ones first.
pub(crate) fn groups() -> [Group; 5] {
    [
        Group::of::<DecideCommand>("Decide"),
        Group::of::<RunCommand>("Run"),
        Group::of::<LookCommand>("Look"),
        Group::of::<SetUpCommand>("Set up"),
        Group::of::<ServersCommand>("Servers"),
    ]
}

/// The command line with its help.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let template = template(&command);
    command.help_template(template)
}

/// The template of clap's own help, with the groups in place of one list of subcommands.
fn template(command: &Command) -> String {
    let groups = groups();
    let (header, literal) = (command.get_styles().get_header(), command.get_styles().get_literal());
    let names = groups.iter().flat_map(|group| &group.commands).map(|c| c.get_name().len());
    let width = names.max().unwrap_or(0);
    let mut text = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    // Writing to a string does not fail.
    for group in &groups {
        let _ = writeln!(text, "\n{header}{}:{header:#}", group.heading);
        for command in &group.commands {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{:width$}{literal:#}  {about}", command.get_name());
        }
    }
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(styled: Option<&clap::builder::StyledStr>) -> String {
        styled.map(ToString::to_string).unwrap_or_default()
    }

    /// Every command and subcommand, with its whole name.
    fn all(command: &Command, above: &str, found: &mut Vec<(String, Command)>) {
        let name = format!("{above} {}", command.get_name()).trim().to_owned();
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            all(sub, &name, found);
        }
        found.push((name, command.clone()));
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_visible_subcommand_is_under_exactly_one_heading() {
        let (short, long) = (command().render_help(), command().render_long_help());
        let visible: Vec<Command> =
            Cli::command().get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect();
        assert!(visible.len() > 20);
        let groups = groups();
        let listed = groups.iter().map(|group| group.commands.len()).sum::<usize>();
        assert_eq!(listed, visible.len());
        for command in &visible {
            let entry = format!("  {:11}  {}", command.get_name(), text(command.get_about()));
            for help in [&short, &long] {
                let help = help.to_string();
                let lines = help.lines().filter(|line| **line == entry).count();
                assert_eq!(lines, 1, "{entry:?} in\n{help}");
            }
        }
        for group in &groups {
            let heading = format!("{}:", group.heading);
            let help = short.to_string();
            assert_eq!(help.lines().filter(|line| *line == heading).count(), 1, "{heading}");
        }
    }

    #[test]
    fn the_help_fits_a_terminal_of_80_columns() {
        let help = command().term_width(80).render_help().to_string();
        let list = help.split("Options:").next().unwrap();
        for line in list.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }

    #[test]
    fn every_command_says_what_it_does_and_every_group_gives_an_example() {
        let mut found = Vec::new();
        all(&Cli::command(), "", &mut found);
        for (name, command) in found {
            let about = text(command.get_about());
            assert!(about.len() > 8, "{name}: {about:?}");
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                assert!(!text(arg.get_help()).is_empty(), "{name} {}", arg.get_id());
            }
            if command.has_subcommands() && name != "expacti" {
                let purpose = text(command.get_long_about());
                assert!(purpose.len() > about.len(), "{name} does not say what it is for");
                let examples = text(command.get_after_help());
                assert!(examples.contains(&format!("  {name} ")), "{name}: {examples}");
            }
        }
    }
}
