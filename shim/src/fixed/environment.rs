//! The environment of what the configuration runs for a wrapped program. Variables that name files or
//! code (`LD_LIBRARY_PATH`, `PYTHONPATH`, `SSH_ASKPASS`) may lead to what can be written from inside: so
//! only known ones remain, and those that the configuration itself names.

use std::ffi::{OsStr, OsString};

/// What remains, besides `LC_*`.
const KEPT: &[&str] =
    &["HOME", "LANG", "LANGUAGE", "LOGNAME", "SSH_AUTH_SOCK", "TERM", "TZ", "USER"];

/// What never remains, whatever the configuration says: beginnings of names.
const NEVER: &[&str] = &[
    "BASH_",
    "DYLD_",
    "ENV",
    "GCONV_PATH",
    "GLIBC_",
    "LD_",
    "LUA_",
    "NODE_",
    "OPENSSL_",
    "PATH",
    "PERL",
    "PYTHON",
    "RUBY",
    "SHELL",
    "SSH_ASKPASS",
    "SSH_PKCS11_HELPER",
    "SSH_SK_HELPER",
];

/// The environment: of `present`, what is known or `named`, and the search path.
pub(super) fn environment(
    present: impl Iterator<Item = (OsString, OsString)>,
    named: &[String],
    path: &OsStr,
) -> Vec<(String, OsString)> {
    let kept = present.filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let known = KEPT.contains(&name.as_str()) || name.starts_with("LC_");
        let asked = named.contains(&name) && !NEVER.iter().any(|never| name.starts_with(never));
        (known || asked).then_some((name, value))
    });
    let mut environment: Vec<_> = kept.collect();
    environment.push(("PATH".to_owned(), path.to_owned()));
    // Not the user's shell, whose start-up files (~/.zshenv) can be written from inside.
    environment.push(("SHELL".to_owned(), "/bin/sh".into()));
    // Nor modules in the home directory.
    environment.push(("PYTHONNOUSERSITE".to_owned(), "1".into()));
    environment
}

/// The variables that a line names, as `$NAME` or `${NAME}`.
pub(super) fn variables(text: &str) -> impl Iterator<Item = String> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let name: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        (!name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_or_named_remains() {
        let present =
            ["HOME", "LC_ALL", "LD_LIBRARY_PATH", "BASH_ENV", "PYTHONPATH", "WORK", "PATH", "X"];
        let present = present.iter().map(|name| (OsString::from(name), OsString::from("v")));
        let named: Vec<String> = variables("a $WORK ${LD_LIBRARY_PATH}x$").collect();
        let kept = environment(present, &named, "/usr/bin".as_ref());
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["HOME", "LC_ALL", "WORK", "PATH", "SHELL", "PYTHONNOUSERSITE"]);
        assert_eq!(kept.iter().find(|(name, _)| name == "PATH").unwrap().1, "/usr/bin");
    }
}
