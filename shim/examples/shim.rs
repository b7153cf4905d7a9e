//! `expacti wrap` by itself, for the tests of this crate: no broker is started, none is needed but
//! the socket in `EXPACTI_HOME`. Usage: `shim [--agent NAME] [--reason TEXT] -- PROGRAM ARGS…`.

use std::ffi::OsString;
use std::process::ExitCode;

use expacti_protocol::home::Home;
use expacti_shim::{WrapError, WrapOptions, run_helper, wrap};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(status) = run_helper(&args) {
        return status.into();
    }
    match run(args) {
        Ok(status) => status.into(),
        Err(e) => {
            eprintln!("expacti: {e}");
            e.exit_status().into()
        }
    }
}

fn run(args: Vec<OsString>) -> Result<u8, WrapError> {
    let mut words = args.into_iter();
    let (mut agent, mut reason) = (None, None);
    let (mut ssh_config, mut identities) = (None, Vec::new());
    let value = |words: &mut dyn Iterator<Item = OsString>| {
        words.next().map(|v| v.to_string_lossy().into_owned())
    };
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--agent") => agent = value(&mut words),
            Some("--reason") => reason = value(&mut words),
            Some("--ssh-config") => ssh_config = words.next().map(Into::into),
            Some("--identity") => identities.extend(words.next().map(Into::into)),
            Some("--") => break,
            _ => return Err(WrapError::Usage(format!("unexpected {word:?}"))),
        }
    }
    let io = |source| WrapError::Io { what: "find this executable".to_owned(), source };
    let home = std::env::var("EXPACTI_HOME")
        .map_err(|e| WrapError::Usage(format!("EXPACTI_HOME: {e}")))?;
    let home = Home::at(home);
    let expacti = std::env::current_exe().map_err(io)?;
    wrap(WrapOptions {
        agent,
        reason,
        program: words.collect(),
        home,
        expacti,
        ssh_config,
        identities,
        wanted: expacti_shim::Wanted::PathOnly,
        with: Vec::new(),
        keep: false,
        json: false,
    })
}
