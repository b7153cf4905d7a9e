//! The command line of the stock client when its connection is the gate's socket.
//!
//! In OpenSSH the first value of an option wins, and the command line comes before every file: what
//! must hold comes first, then what the user gave.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use expacti_protocol::home::GATE_HOST_ALIAS;

use crate::algorithms;
use crate::args::Request;
use crate::error::WrapError;
use crate::ssh_config::Settings;

/// What holds no matter what the user or a configuration says.
const ALWAYS: &[&str] = &[
    // The connection is the gate's socket, which the uplink passes.
    "ProxyUseFdpass=yes",
    // It is the gate that answers, and the gate that checks the target's key.
    "GlobalKnownHostsFile=/dev/null",
    "StrictHostKeyChecking=yes",
    "VerifyHostKeyDNS=no",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "CanonicalizeHostname=no",
    "HostKeyAlgorithms=ssh-ed25519",
    "KexAlgorithms=curve25519-sha256,curve25519-sha256@libssh.org",
    // The gate uses the user's keys towards the target; here they would only be leaked.
    "PubkeyAuthentication=no",
    "HostbasedAuthentication=no",
    "IdentityAgent=none",
    "IdentityFile=none",
    "AddKeysToAgent=no",
    // Nothing beside the reviewed channel.
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "Tunnel=no",
    "ControlMaster=no",
    "ControlPath=none",
    "PermitLocalCommand=no",
];

/// What is switched off if the client knows it; an older one would reject the keyword.
const IF_KNOWN: &[(&str, &str)] = &[
    ("gssapiauthentication", "GSSAPIAuthentication=no"),
    ("knownhostscommand", "KnownHostsCommand=none"),
    ("pkcs11provider", "PKCS11Provider=none"),
    ("enableescapecommandline", "EnableEscapeCommandline=no"),
    // Chaff hides the timing of keys on a network; on a local socket it only delays them.
    ("obscurekeystroketiming", "ObscureKeystrokeTiming=no"),
];

/// What of the configuration concerns the client's side of the connection, in the order of
/// `ssh_config(5)`. A client inside a wrap is told it on its command line.
const CLIENTS_SIDE: &[&str] = &[
    "addressfamily",
    "batchmode",
    "channeltimeout",
    "compression",
    "connecttimeout",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forkafterauthentication",
    "hostname",
    "ipqos",
    "loglevel",
    "logverbose",
    "numberofpasswordprompts",
    "port",
    "rekeylimit",
    "remotecommand",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "sessiontype",
    "setenv",
    "stdinnull",
    "syslogfacility",
    "tcpkeepalive",
    "user",
    "warnweakcrypto",
];

/// The way of the client to the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection<'a> {
    /// This executable.
    pub(crate) expacti: &'a Path,
    /// The helper's socket.
    pub(crate) socket: &'a Path,
    /// The helper's ticket for this connection.
    pub(crate) ticket: &'a str,
    /// The gate's host key.
    pub(crate) known_hosts: &'a Path,
}

/// The arguments of the client, without the program, and what to tell the user. With `inside`, the
/// settings of a client without configuration, it reads none itself: its settings stand on the
/// command line.
pub(crate) fn client_args(
    request: &Request,
    settings: &Settings,
    inside: Option<&Settings>,
    connection: &Connection<'_>,
) -> Result<(Vec<OsString>, Vec<String>), WrapError> {
    let mut argv: Vec<OsString> = Vec::new();
    let mut option = |text: &str| {
        argv.push("-o".into());
        argv.push(text.into());
    };
    // The client runs it with `$SHELL -c exec …` and expands tokens in it.
    let Connection { expacti, socket, ticket, known_hosts } = *connection;
    let uplink = [&shell_quoted(expacti)?, "__uplink", &shell_quoted(socket)?, ticket].join(" ");
    option(&format!("ProxyCommand={}", uplink.replace('%', "%%")));
    option(&format!("HostKeyAlias={GATE_HOST_ALIAS}"));
    option(&format!("UserKnownHostsFile={}", config_quoted(known_hosts)?));
    ALWAYS.iter().copied().for_each(&mut option);
    for (known, text) in IF_KNOWN {
        if settings.has(known) {
            option(text);
        }
    }
    let (algorithms, warnings) = algorithms::choose(request, settings);
    algorithms.iter().for_each(|text| option(text));
    match inside {
        Some(_) => argv.extend(["-F".into(), "none".into()]),
        None => argv.extend(request.config_args()),
    }
    argv.extend(request.client_args.iter().cloned());
    if let Some(defaults) = inside {
        // The first value wins: what the command line says stands before these, and options may
        // follow the destination.
        for keyword in CLIENTS_SIDE.iter().copied() {
            for value in on_command_line(keyword, settings, defaults) {
                argv.extend(["-o".into(), format!("{keyword}={value}").into()]);
            }
        }
    }
    if !request.command.is_empty() {
        argv.push("--".into());
        argv.extend(request.command.iter().cloned());
    }
    Ok((argv, warnings))
}

/// The values of a keyword as `-o` takes them, where they are not what the client does anyway.
fn on_command_line(keyword: &str, settings: &Settings, defaults: &Settings) -> Vec<String> {
    let values = settings.values(keyword);
    if values == defaults.values(keyword) {
        return Vec::new();
    }
    match keyword {
        // Only the first of these lines counts, so they become one.
        "setenv" => {
            let fits = |value: &&String| !value.contains(['"', '\\']);
            let quoted = values.iter().filter(fits).map(|value| format!("\"{value}\""));
            let line = quoted.collect::<Vec<_>>().join(" ");
            if line.is_empty() { Vec::new() } else { vec![line] }
        }
        // `^]` is printed as a character that is to be shown.
        "escapechar" => values.iter().map(|value| value.replace("\\^", "^")).collect(),
        // A `%` would begin a token; those of a command are expanded already.
        "hostname" | "remotecommand" => {
            values.iter().map(|value| value.replace('%', "%%")).collect()
        }
        _ => values.to_vec(),
    }
}

fn shell_quoted(path: &Path) -> Result<String, WrapError> {
    let text = path.to_str().filter(|t| !t.contains('\n'));
    let text = text.ok_or_else(|| unquotable(path))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// A path as a value of an option that takes a list of files.
fn config_quoted(path: &Path) -> Result<String, WrapError> {
    let fits =
        !path.as_os_str().as_bytes().iter().any(|b| matches!(b, b'"' | b'\\' | b'\n' | b'$'));
    let text = path.to_str().filter(|_| fits).ok_or_else(|| unquotable(path))?;
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

fn unquotable(path: &Path) -> WrapError {
    WrapError::Usage(format!(
        "{path:?} cannot be named to ssh; move expacti's files (EXPACTI_HOME) to a plainer path"
    ))
}
