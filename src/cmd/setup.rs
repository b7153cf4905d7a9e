//! `expacti setup --user`: the second line of a wrap in the user's ssh configuration.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// The lines around ours, by which it is found again.
const BEGIN: &str = "# >>> expacti setup --user >>>";
const END: &str = "# <<< expacti setup --user <<<";

/// Between them where there was no file.
const MADE: &str = "# There was no such file before.\n";

/// Puts the line in place, or takes it out.
pub(crate) fn run(config: &Config, undo: bool, yes: bool) -> Outcome {
    let [own, ..] = config.home.dirs();
    let included = own.join("ssh_config");
    let file = user_config()?;
    let unread =
        |e: std::io::Error| Failure::failed(format!("failed to read {}: {e}", file.display()));
    let (before, is_there) = match std::fs::read(&file) {
        Ok(text) => (text, true),
        // What a link to nothing leads to may only be away for now.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !file.is_symlink() => (vec![], false),
        Err(e) => return Err(unread(e)),
    };
    let Rest { text: rest, is_made } = without_block(&before).map_err(|why| {
        Failure::failed(format!("{}: {why}; put it right by hand", file.display()))
    })?;
    if undo {
        if rest.is_empty() && is_made {
            std::fs::remove_file(&file)?;
        } else if rest != before {
            replace(&file, &rest)?;
        }
        match std::fs::remove_file(&included) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        print::note(&format!("{} is as it was", file.display()));
        return Ok(0);
    }
    let expacti = std::env::current_exe()?;
    let text = expacti_shim::second_line(&expacti, &config.home)
        .map_err(|e| Failure::new(e.exit_status(), e.to_string()))?;
    let include = included.to_str().filter(|path| !path.contains(['"', '\n', '%', '$', '*', '?']));
    let include = include.ok_or_else(|| {
        Failure::failed(format!("{} cannot be named in an ssh configuration", included.display()))
    })?;
    print::line(&format!(
        "This puts one line at the top of {}:\n\n    Include \"{include}\"\n\nInside a program run by \
         `expacti wrap`, and only there, it leads ssh to the gate.",
        file.display()
    ))?;
    if !yes && !crate::ask::agreed("Go on?")? {
        print::note("nothing was changed");
        return Ok(0);
    }
    crate::installation::create_dirs(&config.home)?;
    replace(&included, text.as_bytes())?;
    // First: in OpenSSH the first value of an option wins.
    replace(&file, &with_block(&rest, include, is_made || !is_there))?;
    print::note("done; `expacti setup --user --undo` takes it out again");
    Ok(0)
}

/// `~/.ssh/config`, where ssh looks for it: it does not ask `HOME`.
fn user_config() -> Result<PathBuf, Failure> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let user = user.ok_or_else(|| Failure::failed("this user has no account".to_owned()))?;
    Ok(user.dir.join(".ssh/config"))
}

/// A configuration without our lines.
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    text: Vec<u8>,
    /// There was none when they were put there.
    is_made: bool,
}

/// The text with our lines at its top.
fn with_block(rest: &[u8], include: &str, is_made: bool) -> Vec<u8> {
    let made = if is_made { MADE } else { "" };
    let block = format!("{BEGIN}\n{made}Include \"{include}\"\n{END}\n");
    [block.as_bytes(), rest].concat()
}

/// The text without our lines.
fn without_block(text: &[u8]) -> Result<Rest, &'static str> {
    let Some((before, rest)) = split_once(text, BEGIN) else {
        return Ok(Rest { text: text.to_owned(), is_made: false });
    };
    let (block, after) = split_once(rest, END).ok_or("the end of expacti's lines is missing")?;
    let after = after.strip_prefix(b"\r").unwrap_or(after);
    let after = after.strip_prefix(b"\n").unwrap_or(after);
    let is_made = split_once(block, MADE.trim_end()).is_some();
    Ok(Rest { text: [before, after].concat(), is_made })
}

fn split_once<'a>(text: &'a [u8], at: &str) -> Option<(&'a [u8], &'a [u8])> {
    let found = text.windows(at.len()).position(|part| part == at.as_bytes())?;
    let (before, rest) = text.split_at_checked(found)?;
    Some((before, rest.get(at.len()..)?))
}

/// Writes a file as a whole or not at all; one that is there keeps its mode, and a link its place.
fn replace(file: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed =
        |e: std::io::Error| Failure::failed(format!("failed to write {}: {e}", file.display()));
    let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = real.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let mode = std::fs::metadata(&real).map_or(0o600, |m| m.permissions().mode() & 0o7777);
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push(format!(".expacti-{}", std::process::id()));
    let new = dir.join(name);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut out| {
            out.write_all(text)?;
            out.sync_all()
        })
        .and_then(|()| std::fs::rename(&new, &real));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(failed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_come_out_as_they_went_in() {
        for text in [
            &b""[..],
            b"Host a\n  User b\n",
            b"no newline at the end",
            b"Host a\r\n  User b\r\n",
            b"# caf\xe9\nHost a\n",
        ] {
            let rest = |is_made| Rest { text: text.to_owned(), is_made };
            assert_eq!(without_block(text).unwrap(), rest(false));
            for is_made in [false, true] {
                let with = with_block(text, "/x", is_made);
                assert_eq!(without_block(&with).unwrap(), rest(is_made));
                // Put there twice, it is there once.
                assert_eq!(with_block(&without_block(&with).unwrap().text, "/x", is_made), with);
            }
        }
        // An editor may end all lines in its own way.
        let with = String::from_utf8(with_block(b"Host a\n", "/x", false)).unwrap();
        let rest = without_block(with.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!(rest.text, b"Host a\r\n");
        assert!(without_block(format!("{BEGIN}\nHost *\n").as_bytes()).is_err());
    }
}
