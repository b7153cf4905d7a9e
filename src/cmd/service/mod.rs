//! `sudo expacti setup`: makes a service of broker and gate, for the whole machine and as a user of its own,
//! and takes it away again.

mod account;
mod files;
mod people;
mod places;
mod program;
mod undo;
mod unit;

use std::path::PathBuf;

use expacti_protocol::home::Home;

use self::people::Reviewer;
use super::signatures::{Signatures, asked_for};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::machine::{self, SERVICE_USER};
use crate::print;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The users who review.
    pub(crate) reviewers: Vec<String>,
    /// Their public keys, in the same order.
    pub(crate) keys: Vec<PathBuf>,
    /// Take it away.
    pub(crate) undo: bool,
    /// With its data.
    pub(crate) purge: bool,
    /// Do not ask.
    pub(crate) yes: bool,
}

/// Sets it up, or takes it away.
pub(crate) fn run(config: &Config, wanted: &Wanted) -> Outcome {
    if !nix::unistd::geteuid().is_root() {
        return Err(Failure::usage(
            "only root can set up a service: sudo expacti setup (or `expacti setup --user`, for the ssh \
             configuration of this account alone)",
        ));
    }
    if !cfg!(target_os = "linux") {
        return Err(Failure::usage("the service of a machine needs Linux"));
    }
    if wanted.undo {
        return undo::run(config, wanted.purge, wanted.yes);
    }
    let reviewers = people::read(&wanted.reviewers, &wanted.keys)?;
    let program = program::choose()?;
    print::line(&plan(&program, &reviewers))?;
    if !wanted.yes && !crate::ask::agreed("Go on?")? {
        print::note("nothing was changed");
        return Ok(0);
    }
    let home = Home::of_service();
    let program = program.put()?;
    let account = account::make()?;
    places::make(&home, &account)?;
    let notes = files::write(&home, &reviewers)?;
    let child = account::Child { account: &account, program: &program, home: &home };
    let key = child.run(&["target", "key"])?;
    let people = people::register(&child, &reviewers)?;
    let started = unit::start(&home, &program)?;
    notes.iter().for_each(|note| print::note(note));
    let settings = machine::read_roots(&home.config_file())?.unwrap_or_default();
    let signatures = asked_for(&settings);
    print::line(&left_to_do(key.trim(), &people, signatures, started.as_deref()))?;
    Ok(0)
}

/// What is going to happen.
fn plan(program: &program::Program, reviewers: &[Reviewer]) -> String {
    let mut text = format!(
        "This makes broker and gate a service for every account of this machine:\n\n\
         \x20 user {SERVICE_USER}          a system user without a shell, as which they run\n\
         \x20 /var/lib/expacti      their data, recordings and keys: nobody else reads them\n\
         \x20 /etc/expacti          their settings, which only root changes\n\
         \x20 /run/expacti          their sockets, which every account may connect to\n"
    );
    text.push_str(&program.planned());
    if unit::systemd_runs() {
        text.push_str(&format!("  {}    enabled and started\n", unit::FILE));
    }
    for reviewer in reviewers {
        text.push_str(&format!("  reviewer {}\n", reviewer.planned()));
    }
    text.push_str(
        "\nFrom then on `expacti wrap` of every account goes to this service: it logs in with its own key, to \
         targets that are registered with it. `sudo expacti setup --undo` takes it away again.\n",
    );
    text
}

/// What only people can do, and what does not hold before.
fn left_to_do(
    key: &str,
    people: &[String],
    signatures: Signatures,
    by_hand: Option<&str>,
) -> String {
    let mut text = String::new();
    if let Some(commands) = by_hand {
        text.push_str(&format!(
            "systemd does not run here, so nothing starts the service. By hand, as root, and again after each \
             boot:\n\n{commands}\n\n"
        ));
    }
    text.push_str(&format!(
        "The service logs in to targets with this key. Put it into ~/.ssh/authorized_keys of the accounts \
         there, and take out those keys that accounts of this machine can read: with them a program logs in \
         without the gate.\n\n  {key}\n\nThen register each target:\n\n  sudo expacti target add NAME \
         USER@HOST --host-key \"$(ssh-keyscan -t ed25519 HOST 2>/dev/null | cut -d' ' -f2-)\"\n"
    ));
    if people.is_empty() {
        text.push_str(
            "\nNobody reviews yet but root. Add somebody, best as another user than the one who runs agents:\n\n  \
             sudo expacti setup --reviewer NAME --key FILE.pub\n",
        );
    }
    match signatures {
        Signatures::NotForAll => text.push_str(
            "\nWhat does not hold: not every command needs a signature (a --key of each reviewer asks for one), so \
             whatever runs as a reviewer's user, or as root, can approve.\n",
        ),
        Signatures::ForAll | Signatures::Touched => text.push_str(&format!(
            "\nEvery command needs a signature. To review: expacti review --key FILE (as {})\n",
            print::safe(&people.join(", "))
        )),
    }
    text.push_str("\n`expacti doctor`, as each user, says which promises hold on this machine.");
    text
}

/// Whether there is a service, or what is left of one.
fn is_set_up() -> bool {
    machine::client_file().exists() || account::find().ok().flatten().is_some()
}
