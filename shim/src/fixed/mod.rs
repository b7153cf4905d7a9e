//! The ssh configuration of a wrap, as it was fixed at its start, and what of it a wrapped program
//! could change. `ssh -G` and the gate's jump hosts run programs that the configuration names, as the
//! user and outside of the wrap: neither the files nor the programs may come from inside.
//!
//! From the bottom up: [`places`] says where it is read from, [`line`] reads lines as `ssh_config(5)` says, [`closure`] follows `Include`,
//! [`commands`] finds the programs in a command line, [`environment`] is what they are run in,
//! [`changeable`] asks who can write a path, and this file puts them together.

mod changeable;
mod closure;
mod commands;
mod environment;
mod line;
mod places;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub(crate) use closure::{Closure, Code, directory};
pub(crate) use places::{Config, Places};

use crate::error::FixedError;
use changeable::Changeable;

const UNKNOWN_PROGRAM: &str = "it runs outside of the wrap, and may read files of yours that the wrapped \
    program can change (as `aws` reads a credential_process); if that is meant, start the wrap with \
    --with proxy-commands, which reviewers see";

/// The largest program or configuration file whose contents are compared.
const MAX_COMPARED: u64 = 256 << 20;

/// The configuration of one wrap.
#[derive(Debug)]
pub(crate) struct Fixed {
    places: Places,
    /// What the wrapped program sees read-only: directories, and single files.
    pinned: Vec<PathBuf>,
    /// The places at which something is mounted inside, and those of them of which nothing is seen there.
    pub(crate) mask: Vec<PathBuf>,
    pub(crate) hidden: Vec<PathBuf>,
    /// Whether a file that can be changed will do as long as it is what it was at the start. So it is
    /// where nothing can be pinned, and nothing is promised either.
    compare: bool,
    /// What the files were at the start; `None` for one that was not there.
    at_start: HashMap<PathBuf, Option<[u8; 32]>>,
    /// The configuration of the start: [`Config::Usual`] or the file of `--ssh-config`.
    pub(crate) config: Config,
    /// Its files at the start, the file of `--ssh-config` by its own name among them: it may be used as a
    /// copy.
    configs: Vec<PathBuf>,
    /// The name under which a wrapped program knows the file of the configuration.
    pub(crate) config_name: Option<PathBuf>,
    /// `--with proxy-commands`: also programs of which it is not known what they read.
    pub(crate) trusts_programs: bool,
    /// The keys and certificates that a wrapped program may name, besides those in `~/.ssh`.
    pub(crate) identities: Vec<PathBuf>,
    /// The known_hosts files that a wrapped program may name.
    pub(crate) known_hosts: Vec<PathBuf>,
}

impl Fixed {
    /// Reads the configuration as it is now.
    pub(crate) fn new(
        places: Places,
        config: Config,
        pinned: Vec<PathBuf>,
        compare: bool,
        identities: Vec<PathBuf>,
    ) -> Self {
        let closure = Closure::read(&config, &places);
        let mut fixed = Self {
            places,
            pinned,
            mask: vec![],
            hidden: vec![],
            compare,
            at_start: HashMap::new(),
            trusts_programs: false,
            configs: closure.files.clone(),
            config_name: None,
            config,
            identities,
            known_hosts: vec![],
        };
        fixed.identities.extend(closure.identities.iter().cloned());
        let ssh = fixed.places.ssh_dir();
        fixed.known_hosts = closure.known_hosts.clone();
        fixed.known_hosts.extend(["known_hosts", "known_hosts2"].map(|name| ssh.join(name)));
        fixed.known_hosts.extend(
            ["ssh_known_hosts", "ssh_known_hosts2"].map(|name| fixed.places.system.join(name)),
        );
        if compare {
            let mut files = closure.files.clone();
            for code in &closure.code {
                files.extend(code.files(&fixed.places, &fixed.search_path()).unwrap_or_default());
            }
            fixed.at_start = files.into_iter().map(|f| (f.clone(), digest(&f))).collect();
        }
        fixed
    }

    /// The configuration that a wrapped program means by a file, if it may name that one.
    pub(crate) fn named(&self, file: PathBuf) -> Option<Config> {
        if self.config_name.as_ref() == Some(&file) {
            return Some(self.config.clone());
        }
        let known = self.configs.contains(&file)
            || [&self.places.ssh_dir(), &self.places.system]
                .iter()
                .any(|dir| file.starts_with(dir));
        known.then_some(Config::File(file))
    }

    /// Where the configuration is read from.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// `PATH` for the programs that the configuration names: where something is pinned, without the
    /// directories in which a wrapped program could put one of its own.
    pub(crate) fn search_path(&self) -> OsString {
        if self.compare {
            return self.places.path.clone();
        }
        let dirs = std::env::split_paths(&self.places.path)
            .filter(|dir| dir.is_absolute() && self.changeable(dir) == Changeable::No);
        std::env::join_paths(dirs).unwrap_or_else(|_| "/usr/bin:/bin".into())
    }

    /// The environment of what this configuration runs; none where nothing is pinned: then it has the
    /// one of this process.
    pub(crate) fn environment(&self, closure: &Closure) -> Option<Vec<(String, OsString)>> {
        let present = std::env::vars_os();
        (!self.compare)
            .then(|| environment::environment(present, &closure.variables, &self.search_path()))
    }

    fn changeable(&self, path: &Path) -> Changeable {
        changeable::changeable(path, &self.pinned, self.places.uid)
    }

    /// Whether a path can be relied on; why not.
    fn rely(&self, path: &Path) -> Result<(), String> {
        let why = match self.changeable(path) {
            Changeable::No => return Ok(()),
            Changeable::Yes(why) => why,
        };
        if self.compare {
            return match self.at_start.get(path) {
                Some(then) if *then == digest(path) => Ok(()),
                Some(_) => Err("it is not what it was when the wrap started".to_owned()),
                None => Err(why),
            };
        }
        Err(why)
    }

    /// A program that is run outside, by its path.
    pub(crate) fn rely_on_program(&self, program: &Path) -> Result<(), FixedError> {
        if self.compare {
            return Ok(());
        }
        self.rely(program).map_err(|why| FixedError::Program {
            program: program.to_owned(),
            what: "ssh".to_owned(),
            why,
        })
    }

    /// Whether `ssh -G` may run with this configuration: its files, and every program that `Match exec`
    /// names, must be out of the wrapped program's reach. Returns what was read.
    pub(crate) fn check(&self, config: &Config) -> Result<Closure, FixedError> {
        let closure = Closure::read(config, &self.places);
        if let Some(problem) = closure.problems.first() {
            return Err(FixedError::Unreadable(problem.clone()));
        }
        for file in &closure.files {
            self.rely(file).map_err(|why| FixedError::File { file: file.clone(), why })?;
        }
        for code in closure.code.iter().filter(|code| code.keyword == "match exec") {
            self.check_code(code, &closure)?;
        }
        Ok(closure)
    }

    /// Whether the gate may run this command line of the configuration.
    pub(crate) fn check_command(
        &self,
        keyword: &str,
        command: &str,
        closure: &Closure,
    ) -> Result<(), FixedError> {
        let code = Code { keyword: keyword.to_owned(), command: command.to_owned() };
        self.check_code(&code, closure)
    }

    /// Whether the gate may run the client with this configuration, for a jump host: it follows what the
    /// configuration says of that host, whatever it is.
    pub(crate) fn check_jump(&self, closure: &Closure) -> Result<(), FixedError> {
        closure.code.iter().try_for_each(|code| self.check_files(code, closure).map(drop))
    }

    /// Whether an `ssh` on this command line could leave the socket of a shared connection where a wrapped
    /// program reaches it.
    fn would_share(&self, code: &Code, closure: &Closure) -> bool {
        let command = code.command.to_ascii_lowercase();
        let off = ["controlmaster=no", "controlpath=none", "-s none", "-snone"];
        !self.compare
            && !off.iter().any(|off| command.contains(off))
            && !closure.sharing.iter().all(|pattern| self.is_unseen(pattern))
    }

    /// Whether nothing is seen inside of what lies outside in the directory of a pattern.
    fn is_unseen(&self, pattern: &str) -> bool {
        let Some(Ok(dir)) = directory(pattern).map(std::fs::canonicalize) else { return false };
        let is_area = |at: &Path| {
            REPLACED.iter().any(|area| std::fs::canonicalize(area).is_ok_and(|area| at == area))
        };
        // The innermost mount is the one that is seen.
        let mounts = self.mask.iter().filter(|at| dir.starts_with(at));
        let seen = mounts.max_by_key(|at| at.components().count());
        seen.is_some_and(|at| self.hidden.contains(at) || is_area(at))
    }

    fn check_code(&self, code: &Code, closure: &Closure) -> Result<(), FixedError> {
        let files = self.check_files(code, closure)?;
        // A client among them follows the configuration, of whatever host.
        let may_connect = |file: &PathBuf| commands::runs_ssh(file) || !commands::is_known(file);
        if !self.compare && files.iter().any(may_connect) {
            self.check_jump(closure)
        } else {
            Ok(())
        }
    }

    /// Returns the files, which can be relied on.
    fn check_files(&self, code: &Code, closure: &Closure) -> Result<Vec<PathBuf>, FixedError> {
        let refused = |program: PathBuf, why| {
            Err(FixedError::Program { program, what: code.keyword.clone(), why })
        };
        let files = match code.files(&self.places, &self.search_path()) {
            Ok(files) => files,
            Err(why) => return refused(code.command.clone().into(), why),
        };
        if files.iter().any(|file| commands::runs_ssh(file)) && self.would_share(code, closure) {
            let (what, command) = (code.keyword.clone(), code.command.clone());
            return Err(FixedError::Shares { what, command });
        }
        for file in &files {
            if let Err(why) = self.rely(file) {
                return refused(file.clone(), why);
            }
            if !self.compare && !self.trusts_programs && !commands::is_known(file) {
                return refused(file.clone(), UNKNOWN_PROGRAM.to_owned());
            }
        }
        Ok(files)
    }
}

/// Directories that a wrapped program has of its own.
const REPLACED: [&str; 3] = ["/dev", "/run", "/tmp"];

/// The digest of a file; none when it is not there or cannot be read.
fn digest(path: &Path) -> Option<[u8; 32]> {
    let file = std::fs::File::open(path).ok()?;
    let mut hash = Sha256::new();
    let mut file = file.take(MAX_COMPARED + 1);
    let read = std::io::copy(&mut file, &mut hash).ok()?;
    (read <= MAX_COMPARED).then(|| hash.finalize().into())
}

#[cfg(test)]
mod tests;
