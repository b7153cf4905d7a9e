//! Finds out where an `ssh` command line leads, from what the stock client makes of the user's
//! configuration. It connects to nothing.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use expacti_protocol::uplink::{HostKeyChecking, TargetRoute};

use crate::args::Request;
use crate::error::{ResolveError, WrapError};
use crate::expand::Tokens;
use crate::ssh_config::{ResolveEnv, Settings, answer, ask};
use crate::transport;

/// Makes `ssh -G` print the values of the tokens that only the client knows: it expands the control
/// path. The home directory comes last, since it may contain a comma.
const TOKEN_PROBE: &str = "-oControlPath=/%C,%l,%L,%i,%u,%d";

/// Where a connection leads, and what the client knows.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// For the gate.
    pub(crate) route: TargetRoute,
    /// For the client's own command line.
    pub(crate) settings: Settings,
    /// What the client does without any configuration.
    pub(crate) defaults: Settings,
}

/// Resolves a request.
pub(crate) fn resolve(request: &Request, env: &ResolveEnv<'_>) -> Result<Resolved, WrapError> {
    let mut asked: Vec<&OsStr> = vec![OsStr::new("-TG"), OsStr::new(TOKEN_PROBE)];
    let config = request.config_args();
    asked.extend(config.iter().map(OsString::as_os_str));
    asked.extend(request.resolve_args.iter().map(OsString::as_os_str));
    // Both at once: each takes about ten milliseconds.
    let asked = ask(env, &asked)?;
    let plain = ask(env, &["-TG", "-Fnone", "expacti"].map(OsStr::new))?;
    let settings = Settings::parse(&answer(asked)?);
    let defaults = Settings::parse(&answer(plain)?);
    let route = route(request, &settings, &defaults, env)?;
    Ok(Resolved { route, settings, defaults })
}

fn tokens(request: &Request, settings: &Settings) -> Result<Tokens, ResolveError> {
    let probe = settings.value("controlpath").ok_or(ResolveError::NoControlPath)?;
    let mut parts = probe.trim_start_matches('/').splitn(6, ',').map(str::to_owned);
    let mut part = || parts.next().ok_or(ResolveError::UnexpandedControlPath);
    let (hash, local, local_short) = (part()?, part()?, part()?);
    let (uid, local_user, home) = (part()?, part()?, part()?);
    let given = settings
        .value("host")
        .map_or_else(|| host_of(&request.destination.to_string_lossy()), str::to_owned);
    Ok(Tokens {
        hash,
        home,
        host: settings.value("hostname").unwrap_or_default().to_owned(),
        uid,
        jump: settings.value("proxyjump").unwrap_or_default().to_owned(),
        key_name: settings.value("hostkeyalias").unwrap_or(&given).to_owned(),
        local_short,
        local,
        given,
        port: settings.value("port").unwrap_or("22").to_owned(),
        user: settings.value("user").unwrap_or_default().to_owned(),
        local_user,
    })
}

/// The host of `[user@]host` or `ssh://[user@]host[:port]`.
fn host_of(destination: &str) -> String {
    let (uri, rest) = match destination.strip_prefix("ssh://") {
        Some(rest) => (true, rest),
        None => (false, destination),
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if !uri {
        return host.to_owned();
    }
    if let Some((host, _)) = host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        return host.to_owned();
    }
    host.split([':', '/']).next().unwrap_or(host).to_owned()
}

fn route(
    request: &Request,
    settings: &Settings,
    defaults: &Settings,
    env: &ResolveEnv<'_>,
) -> Result<TargetRoute, ResolveError> {
    let tokens = tokens(request, settings)?;
    if let Some(file) = settings.value("revokedhostkeys") {
        return Err(ResolveError::RevokedHostKeys(file.to_owned()));
    }
    let absolute = |path: String| -> String {
        if path.starts_with('/') { path } else { env.cwd.join(path).to_string_lossy().into_owned() }
    };
    let existing = |key: &str| -> Result<Vec<String>, ResolveError> {
        let mut files = Vec::new();
        for text in settings.values(key).iter().filter(|t| !t.eq_ignore_ascii_case("none")) {
            let path = absolute(tokens.path(text, env.var)?);
            if Path::new(&path).is_file() && !files.contains(&path) {
                files.push(path);
            }
        }
        Ok(files)
    };
    let identity_files = existing("identityfile")?;
    let mut certificate_files = existing("certificatefile")?;
    // As the client does: the certificate beside its key.
    for key in &identity_files {
        let beside = format!("{}-cert.pub", key.strip_suffix(".pub").unwrap_or(key));
        if Path::new(&beside).is_file() && !certificate_files.contains(&beside) {
            certificate_files.push(beside);
        }
    }
    let user_files = paths(settings.value("userknownhostsfile").unwrap_or_default());
    let mut known_hosts_files = user_files.clone();
    known_hosts_files.extend(paths(settings.value("globalknownhostsfile").unwrap_or_default()));
    known_hosts_files.retain(|f| f != "/dev/null");
    let algorithms = settings.value("hostkeyalgorithms").unwrap_or_default();
    let narrowed = defaults.value("hostkeyalgorithms") != Some(algorithms);
    let port = settings.value("port").unwrap_or("22");
    let identity_agent = identity_agent(settings, &tokens, env)?;
    Ok(TargetRoute {
        // Rules know targets by this name: it must mean the same machine as in the user's own
        // configuration.
        alias: if request.overrides_hostname || request.custom_config().is_some() {
            tokens.host.clone()
        } else {
            tokens.given.clone()
        },
        host: tokens.host.clone(),
        port: port.parse().map_err(|_| ResolveError::Port(port.to_owned()))?,
        user: tokens.user.clone(),
        identity_files,
        certificate_files,
        identities_only: settings.is_yes("identitiesonly"),
        known_hosts_files,
        known_hosts_add: user_files.into_iter().next().filter(|f| f != "/dev/null"),
        host_key_checking: match settings.value("stricthostkeychecking") {
            Some("accept-new") => HostKeyChecking::AcceptNew,
            Some("no" | "off" | "false") => HostKeyChecking::Off,
            _ => HostKeyChecking::Strict,
        },
        host_key_alias: settings.value("hostkeyalias").map(str::to_owned),
        hash_known_hosts: settings.is_yes("hashknownhosts"),
        host_key_algorithms: if narrowed {
            algorithms.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect()
        } else {
            vec![]
        },
        connect_timeout: settings.value("connecttimeout").and_then(|v| v.parse().ok()),
        address_family: settings.value("addressfamily").map(str::to_owned),
        transport: transport::transport(
            request,
            settings,
            &tokens,
            identity_agent.as_deref(),
            env,
        )?,
        server_alive_interval: settings
            .value("serveraliveinterval")
            .and_then(|v| v.parse().ok())
            .filter(|seconds| *seconds > 0),
        identity_agent,
    })
}

fn identity_agent(
    settings: &Settings,
    tokens: &Tokens,
    env: &ResolveEnv<'_>,
) -> Result<Option<String>, ResolveError> {
    let environment = || (env.var)("SSH_AUTH_SOCK").filter(|s| !s.is_empty());
    let Some(text) = settings.values("identityagent").first() else { return Ok(environment()) };
    Ok(match text.as_str() {
        "none" => None,
        "SSH_AUTH_SOCK" => environment(),
        name if name.starts_with('$') && !name.starts_with("${") => {
            (env.var)(name.trim_start_matches('$')).filter(|s| !s.is_empty())
        }
        path => Some(tokens.path(path, env.var)?),
    })
}

/// Splits a list of absolute paths that the client printed with spaces between them, unquoted: a
/// word that does not begin with `/` belongs to the path before it.
fn paths(text: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match files.last_mut() {
            Some(last) if !word.starts_with('/') => {
                last.push(' ');
                last.push_str(word);
            }
            _ if word.starts_with('/') => files.push(word.to_owned()),
            _ => {}
        }
    }
    files
}

#[cfg(test)]
mod tests;
