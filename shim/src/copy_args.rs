//! The arguments of `scp` and `sftp`, which start `/usr/bin/ssh` by its full path unless they are
//! given another. They must never start one that goes round the gate.

use std::ffi::OsString;
use std::path::Path;

use crate::error::WrapError;
use crate::getopt::getopt;

/// The option letters of `scp` and `sftp`, OpenSSH 7.4 to 10.
const SCP: &str = "12346ABCTdfOpqRrstvD:F:J:P:S:c:i:l:o:X:";
const SFTP: &str = "1246AafhNpqrvCc:D:i:l:o:s:S:b:B:F:J:P:R:X:";

/// A program that copies files over `ssh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyProgram {
    Scp,
    Sftp,
}

impl CopyProgram {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scp => "scp",
            Self::Sftp => "sftp",
        }
    }

    fn optstring(self) -> &'static str {
        match self {
            Self::Scp => SCP,
            Self::Sftp => SFTP,
        }
    }
}

/// The arguments, with the `ssh` shim in the place of `ssh`.
pub(crate) fn copy_args(
    program: CopyProgram,
    ssh: &Path,
    args: &[OsString],
) -> Result<Vec<OsString>, WrapError> {
    let name = program.name();
    let options =
        getopt(program.optstring(), args).map_err(|e| WrapError::Usage(format!("{name}: {e}")))?;
    let mut argv: Vec<OsString> = vec!["-S".into(), ssh.into()];
    for flag in &options.flags {
        if flag.letter != b'S' {
            flag.push_to(&mut argv);
        } else if flag.value.as_deref() != Some(ssh.as_os_str()) {
            return Err(WrapError::Refused {
                option: format!("{name} -S {}", flag.text()),
                why: "another program in the place of ssh would go round the gate; leave it out"
                    .to_owned(),
            });
        }
    }
    // Whatever the program's own parser does with options after names: these are not options.
    argv.push("--".into());
    argv.extend(args.get(options.consumed..).unwrap_or_default().iter().cloned());
    Ok(argv)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ssh_shim_comes_first_and_stays() {
        let run = |program: CopyProgram, line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            copy_args(program, Path::new("/p/ssh"), &args)
        };
        let joined = |v: Vec<OsString>| v.join(" ".as_ref()).into_string().unwrap();
        assert_eq!(
            joined(run(CopyProgram::Scp, "-rP22 a h:b").unwrap()),
            "-S /p/ssh -r -P 22 -- a h:b"
        );
        assert_eq!(joined(run(CopyProgram::Scp, "a h:b -S x").unwrap()), "-S /p/ssh -- a h:b -S x");
        assert_eq!(joined(run(CopyProgram::Sftp, "-b - h").unwrap()), "-S /p/ssh -b - -- h");
        assert_eq!(joined(run(CopyProgram::Sftp, "-S /p/ssh h").unwrap()), "-S /p/ssh -- h");
        for bad in ["-S /usr/bin/ssh a h:b", "-rS/usr/bin/ssh a h:b", "-rqS x a h:b"] {
            assert!(matches!(run(CopyProgram::Scp, bad), Err(WrapError::Refused { .. })), "{bad}");
        }
    }
}
