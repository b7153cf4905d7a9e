//! How the gate reaches a target that is not reached directly: through jump hosts (the stock client
//! with `-W`) or the `ProxyCommand` of the user's own configuration.

use std::io::Write as _;

use expacti_protocol::uplink::{LOADER_ENV, WRAP_ENV};
use sha2::{Digest as _, Sha256};

use crate::args::Request;
use crate::error::ResolveError;
use crate::expand::Tokens;
use crate::inside::is_shell_metachar;
use crate::ssh_config::{RESOLVING, ResolveEnv, Settings};

/// The command whose standard input and output are the connection, if there is one.
pub(crate) fn transport(
    request: &Request,
    settings: &Settings,
    tokens: &Tokens,
    agent: Option<&str>,
    env: &ResolveEnv<'_>,
) -> Result<Option<Vec<String>>, ResolveError> {
    let command = if let Some(jumps) = settings.value("proxyjump") {
        jump(request, &tokens.percent(jumps)?, tokens, env)?
    } else if let Some(proxy) = settings.value("proxycommand") {
        if request.custom_config().is_some() {
            return Err(ResolveError::ProxyCommandOfAgent);
        }
        if settings.value("proxyusefdpass") == Some("yes") {
            return Err(ResolveError::ProxyUseFdpass);
        }
        // A shell will read them, and the agent may have chosen them.
        for value in [&tokens.host, &tokens.given, &tokens.key_name, &tokens.user] {
            if value.starts_with('-') || value.contains(is_shell_metachar) {
                return Err(ResolveError::UnsafeInProxyCommand {
                    value: value.clone(),
                    proxy: proxy.to_owned(),
                });
            }
        }
        let command = format!("exec {}", tokens.percent(proxy)?);
        vec!["/bin/sh".to_owned(), "-c".to_owned(), command]
    } else {
        return Ok(None);
    };
    // The gate runs it, in its own environment: it needs the agent's socket. The marker tells the
    // broker that this process, too, was started on behalf of a wrapped program.
    let mut argv = vec!["/usr/bin/env".to_owned(), format!("{WRAP_ENV}={}", env.wrap_pid)];
    argv.push(format!("{RESOLVING}=1"));
    argv.extend(agent.map(|socket| format!("SSH_AUTH_SOCK={socket}")));
    // The gate's environment is that of whoever started it. It leaves out where libraries come from.
    match env.fixed {
        Some(environment) => {
            argv.insert(1, "-i".to_owned());
            for (name, value) in environment.iter().filter(|(name, _)| name != "SSH_AUTH_SOCK") {
                argv.push(format!("{name}={}", text(value)?));
            }
        }
        None => {
            let set = |name: &str| (env.var)(name).map(|value| format!("{name}={value}"));
            argv.extend(LOADER_ENV.iter().filter_map(|name| set(name)));
        }
    }
    argv.extend(command);
    Ok(Some(argv))
}

/// A connection that the jump host's configuration would have shared could be used by others.
const JUMP_OPTIONS: [&str; 4] =
    ["-oBatchMode=yes", "-oPermitLocalCommand=no", "-oControlMaster=no", "-oControlPath=none"];

/// The same in a configuration: the client gives the hosts before its own jump host no options, but the
/// file of `-F`.
const JUMP_CONFIG: &str = "ControlMaster no\nControlPath none\nPermitLocalCommand no\nForwardAgent no\n\
     ForwardX11 no\nBatchMode yes\n";

/// As OpenSSH builds it: the last hop is the destination, the hops before it go to `-J`.
fn jump(
    request: &Request,
    jumps: &str,
    tokens: &Tokens,
    env: &ResolveEnv<'_>,
) -> Result<Vec<String>, ResolveError> {
    let (before, last) = match jumps.rsplit_once(',') {
        Some((before, last)) => (Some(before), last),
        None => (None, jumps),
    };
    // There is no terminal to answer a question on, so none is asked.
    let mut argv = JUMP_OPTIONS.map(str::to_owned).to_vec();
    argv.insert(0, text(env.ssh.as_os_str())?);
    argv.extend(["-F".to_owned(), jump_config(request, tokens, env)?]);
    if let Some(before) = before {
        argv.extend(["-J".to_owned(), before.to_owned()]);
    }
    argv.extend(["-W".to_owned(), format!("[{}]:{}", tokens.host, tokens.port)]);
    argv.extend(hop(last)?);
    Ok(argv)
}

/// The configuration for the jump hosts, a file in the wrap's directory: what must hold for each of
/// them, then that of the request.
fn jump_config(
    request: &Request,
    tokens: &Tokens,
    env: &ResolveEnv<'_>,
) -> Result<String, ResolveError> {
    let files = match &request.config {
        Some(config) if config.eq_ignore_ascii_case("none") => return Ok("none".to_owned()),
        Some(config) => vec![text(env.cwd.join(config).as_os_str())?],
        None => vec![format!("{}/.ssh/config", tokens.home), "/etc/ssh/ssh_config".to_owned()],
    };
    let mut config = JUMP_CONFIG.to_owned();
    for file in files {
        // The client would read these as a pattern, a token or the end of the word.
        if file.contains(['"', '\\', '*', '?', '[', '%', '$']) || file.contains(char::is_control) {
            return Err(ResolveError::JumpConfig(file));
        }
        config.push_str(&format!("Include \"{file}\"\n"));
    }
    let digest = hex::encode(Sha256::digest(&config));
    let path = env.dir.join(format!("jump-{}", digest.get(..16).unwrap_or(&digest)));
    let name = text(path.as_os_str())?;
    // The client puts it into a command line as it is.
    if name.contains(|c| is_shell_metachar(c) || c == '%') {
        return Err(ResolveError::JumpConfig(name));
    }
    // As a whole or not at all: another connection may be reading it.
    tempfile::NamedTempFile::new_in(env.dir)
        .and_then(|mut file| file.write_all(config.as_bytes()).map(|()| file))
        .and_then(|file| file.persist(&path).map_err(|e| e.error))
        .map_err(ResolveError::JumpConfigUnwritten)?;
    Ok(name)
}

/// `[user@]host[:port]` as options and destination.
fn hop(hop: &str) -> Result<Vec<String>, ResolveError> {
    if hop.starts_with("ssh://") {
        return Ok(vec![hop.to_owned()]);
    }
    let wrong = || ResolveError::JumpHost(hop.to_owned());
    let (user, host) = match hop.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, hop),
    };
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            (host, after.strip_prefix(':'))
        }
        // More than one colon: an IPv6 address without a port.
        None => match host.split_once(':') {
            Some((name, port)) if !port.contains(':') => (name, Some(port)),
            _ => (host, None),
        },
    };
    if host.is_empty() || host.starts_with('-') || user.is_some_and(str::is_empty) {
        return Err(wrong());
    }
    let mut argv = Vec::new();
    if let Some(user) = user {
        argv.extend(["-l".to_owned(), user.to_owned()]);
    }
    if let Some(port) = port {
        argv.extend(["-p".to_owned(), port.to_owned()]);
    }
    argv.push(host.to_owned());
    Ok(argv)
}

fn text(path: &std::ffi::OsStr) -> Result<String, ResolveError> {
    path.to_str().map(str::to_owned).ok_or_else(|| ResolveError::NotUtf8(path.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hops() {
        assert_eq!(hop("h").unwrap(), ["h"]);
        assert_eq!(hop("u@h:22").unwrap(), ["-l", "u", "-p", "22", "h"]);
        assert_eq!(hop("a@b@h").unwrap(), ["-l", "a@b", "h"]);
        assert_eq!(hop("u@[::1]:22").unwrap(), ["-l", "u", "-p", "22", "::1"]);
        assert_eq!(hop("::1").unwrap(), ["::1"]);
        assert_eq!(hop("ssh://u@h:22").unwrap(), ["ssh://u@h:22"]);
        for bad in ["", "@h", "-oProxyCommand=x", "u@-x", "[::1"] {
            assert!(hop(bad).is_err(), "{bad}");
        }
    }
}
