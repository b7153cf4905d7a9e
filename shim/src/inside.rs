//! What a wrapped program may say on the command line of `ssh`, on top of [`crate::options`]: its words
//! reach `ssh -G` and the gate, which run outside of the wrap with the user's keys.
//!
//! | what | how |
//! |---|---|
//! | destination, user, host name, jump hosts, tag, addresses | nothing that a shell would read: a `Match exec` and a `ProxyCommand` of the user's configuration may put it into a command line |
//! | `HostKeyAlias` | letters, digits and `.-_:[]`: it could be written into known_hosts |
//! | `-i`, `IdentityFile`, `CertificateFile` | the files in `~/.ssh`, those the configuration names, and those of `wrap --identity` |
//! | `IdentityAgent` | `none` and `SSH_AUTH_SOCK`: the agent of the wrap's own environment |
//! | `UserKnownHostsFile`, `GlobalKnownHostsFile` | `none`, `/dev/null`, the usual ones and those the configuration names |
//! | `-F` | `none`, the configuration of the wrap and what it includes, and the files in `~/.ssh` and `/etc/ssh`; those that it cannot change ([`crate::fixed`]). Not any other that it cannot change: what it can make the system write there would be read as well (`/proc/1/net/unix` holds the names of its sockets) |
//! | what names a program | no |

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::args::Split;
use crate::error::WrapError;
use crate::fixed::{Config, Fixed};
use crate::getopt::Flag;
use crate::options;

/// Says no, and what to do.
fn refused<T>(option: &str, why: impl Into<String>) -> Result<T, WrapError> {
    Err(WrapError::Refused { option: option.to_owned(), why: why.into() })
}

const METACHAR: &str = "it holds characters that a shell reads, begins with - or is empty";

/// Characters that a shell reads, or that nobody sees.
pub(crate) fn is_shell_metachar(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "'`\"$\\;&<>|(){}*?~#!".contains(c)
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('-') && !value.contains(is_shell_metachar)
}

/// Whether a name stands for itself in a known_hosts file.
fn is_plain_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    is_plain(name) && name.chars().all(fits)
}

fn is_own_agent(value: &str) -> bool {
    value == "SSH_AUTH_SOCK" || value.eq_ignore_ascii_case("none")
}

/// What the command line of a wrapped program may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permitted {
    /// Its arguments, with paths made absolute and without `-F`.
    pub(crate) args: Vec<OsString>,
    /// The configuration it asks for; none when it says nothing of it.
    pub(crate) config: Option<Config>,
}

/// Checks a command line, as split by [`crate::args::split`].
pub(crate) fn check(split: &Split, cwd: &Path, fixed: &Fixed) -> Result<Permitted, WrapError> {
    let mut permitted = Permitted { args: Vec::new(), config: None };
    let checker = Checker { cwd, fixed };
    for flag in &split.before {
        checker.flag(flag, &mut permitted)?;
    }
    if let Some(destination) = &split.destination {
        let Some(text) = destination.to_str().filter(|text| is_destination(text)) else {
            return refused(
                &format!("the destination {}", destination.to_string_lossy()),
                format!("{METACHAR}; name a host of your ssh configuration"),
            );
        };
        permitted.args.push(text.into());
    }
    for flag in &split.behind {
        checker.flag(flag, &mut permitted)?;
    }
    Ok(permitted)
}

/// In `ssh://` the client decodes `%3B` and the like.
fn is_destination(text: &str) -> bool {
    is_plain(text) && !(text.starts_with("ssh://") && text.contains('%'))
}

struct Checker<'a> {
    cwd: &'a Path,
    fixed: &'a Fixed,
}

impl Checker<'_> {
    fn flag(&self, flag: &Flag, permitted: &mut Permitted) -> Result<(), WrapError> {
        let name = format!("-{}", flag.letter as char);
        let value = match &flag.value {
            None => None,
            Some(value) => match value.to_str() {
                Some(text) => Some(text),
                None => return refused(&name, "its value is not UTF-8"),
            },
        };
        let mut flag = flag.clone();
        match (flag.letter, value) {
            (b'F', Some(file)) => {
                permitted.config = Some(self.config(file)?);
                return Ok(());
            }
            (b'i', Some(file)) => flag.value = Some(self.identity(&name, file)?),
            (b'J', Some(hops)) => jumps(&name, hops)?,
            (b'b' | b'B' | b'l' | b'p' | b'P', Some(text)) if !is_plain(text) => {
                return refused(&format!("{name} {text}"), METACHAR);
            }
            (b'o', Some(text)) => {
                if let Some(changed) = self.option(text)? {
                    flag.value = Some(changed.into());
                }
            }
            _ => {}
        }
        flag.push_to(&mut permitted.args);
        Ok(())
    }

    /// Checks the text of `-o`; returns what to say instead.
    fn option(&self, text: &str) -> Result<Option<String>, WrapError> {
        let name = format!("-o {text}");
        // What is not of this form is refused with all other odd options.
        let Some((keyword, value)) = options::split_option(text) else { return Ok(None) };
        let bare = bare(value);
        match keyword.as_str() {
            "hostname" | "user" | "tag" | "bindaddress" | "bindinterface" | "port"
                if !bare.is_some_and(is_plain) =>
            {
                return refused(&name, METACHAR);
            }
            "canonicaldomains" if !value.split_whitespace().all(is_plain) => {
                return refused(&name, METACHAR);
            }
            "hostkeyalias" if !bare.is_some_and(is_plain_name) => {
                return refused(&name, "in known_hosts it could stand for other hosts or lines");
            }
            "proxyjump" => jumps(&name, bare.unwrap_or_default())?,
            "identityfile" | "identityfile2" | "certificatefile" => {
                let Some(file) = bare else { return refused(&name, "its quotes cannot be read") };
                if options::is_off(file) {
                    return Ok(None);
                }
                let file = self.identity(&name, file)?.to_string_lossy().into_owned();
                return Ok(Some(format!("{keyword}={}", quoted(&file))));
            }
            "identityagent" if !bare.is_some_and(is_own_agent) => {
                return refused(
                    &name,
                    "another agent can be named in ~/.ssh/config (IdentityAgent) only, or by \
                     SSH_AUTH_SOCK when the wrap starts",
                );
            }
            "userknownhostsfile" | "globalknownhostsfile" => {
                return self.known_hosts(&name, &keyword, value).map(Some);
            }
            // Also to name none: a list of the user's would no longer count, and nobody would see it.
            "revokedhostkeys" => {
                return refused(&name, "set it in ~/.ssh/config (RevokedHostKeys)");
            }
            _ => {}
        }
        Ok(None)
    }

    fn known_hosts(&self, name: &str, keyword: &str, value: &str) -> Result<String, WrapError> {
        let files = bare(value).map_or_else(
            || shell_words::split(value).unwrap_or_default(),
            |one| match value.starts_with('"') {
                true => vec![one.to_owned()],
                false => one.split_whitespace().map(str::to_owned).collect(),
            },
        );
        let mut said = Vec::new();
        for file in &files {
            if file == "/dev/null" || file.eq_ignore_ascii_case("none") {
                said.push(file.clone());
                continue;
            }
            let known = self.absolute(file).filter(|path| self.fixed.known_hosts.contains(path));
            let Some(path) = known else {
                return refused(
                    name,
                    "name the file in ~/.ssh/config (UserKnownHostsFile), or use /dev/null",
                );
            };
            said.push(quoted(&path.to_string_lossy()));
        }
        if said.is_empty() {
            return refused(name, "it names no file");
        }
        Ok(format!("{keyword}={}", said.join(" ")))
    }

    fn identity(&self, name: &str, file: &str) -> Result<OsString, WrapError> {
        let ssh = self.fixed.places().ssh_dir();
        let known = |path: &PathBuf| path.starts_with(&ssh) || self.fixed.identities.contains(path);
        match self.absolute(file).filter(known) {
            Some(path) => Ok(path.into()),
            None => refused(
                &if name.contains(file) { name.to_owned() } else { format!("{name} {file}") },
                "the gate uses the keys in ~/.ssh, those that ~/.ssh/config names (IdentityFile), and \
                 those named when the wrap starts: wrap --identity FILE",
            ),
        }
    }

    fn config(&self, file: &str) -> Result<Config, WrapError> {
        if file.eq_ignore_ascii_case("none") || file == "/dev/null" {
            return Ok(Config::None);
        }
        let name = format!("-F {file}");
        let Some(path) = self.absolute(file) else {
            return refused(&name, "its path cannot be told");
        };
        self.fixed.named(path).map_or_else(
            || {
                refused(
                    &name,
                    "the gate uses the files in ~/.ssh, what the ssh configuration includes, and the \
                     file named when the wrap starts: wrap --ssh-config FILE",
                )
            },
            Ok,
        )
    }

    /// An absolute path without `..`, tokens and variables.
    fn absolute(&self, file: &str) -> Option<PathBuf> {
        if file.is_empty()
            || file.contains(['%', '$', '"', '\'', '\\'])
            || file.contains(char::is_control)
        {
            return None;
        }
        let path = match file.strip_prefix("~/") {
            Some(rest) => self.fixed.places().home.join(rest),
            None => self.cwd.join(file),
        };
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::RootDir | Component::Normal(_) => clean.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => return None,
            }
        }
        (clean.is_absolute() && !clean.as_os_str().as_bytes().is_empty()).then_some(clean)
    }
}

/// A value without the quotes around it; `None` when there are others in it.
fn bare(value: &str) -> Option<&str> {
    let bare = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!bare.contains(['"', '\\'])).then_some(bare)
}

fn quoted(text: &str) -> String {
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text.to_owned() }
}

fn jumps(name: &str, hops: &str) -> Result<(), WrapError> {
    let fits = options::is_off(hops) || hops.split(',').all(is_destination);
    if fits { Ok(()) } else { refused(&format!("{name} {hops}"), METACHAR) }
}

#[cfg(test)]
mod tests;
