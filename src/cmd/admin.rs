//! `expacti reviewer`, `agent`, `target`, `gate add`: who and what the broker knows.

use std::path::Path;

use expacti_protocol::http::{
    Changed, NewPin, NewPrincipal, NewSigningKey, OldSigningKey, PrincipalAdded, PrincipalView,
    SigningKey, Target, UnixUser,
};
use expacti_protocol::principal::Role;

use super::policy::changed;
use crate::broker::Link;
use crate::cli::{
    AgentCommand, GateCommand, ReviewerCommand, RoleArg, SigningKeyCommand, TargetCommand,
};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::prover::ask;
use crate::{machine, print, segment};

/// `expacti reviewer`.
pub(crate) async fn reviewer(config: &Config, command: ReviewerCommand, json: bool) -> Outcome {
    match command {
        ReviewerCommand::Add { name, role, key, unix_user } => {
            let role = match role {
                RoleArg::Admin => Role::Admin,
                RoleArg::Reviewer => Role::Reviewer,
                RoleArg::Viewer => Role::Viewer,
            };
            // Read before anything happens.
            let public_key = key.as_deref().map(read_key).transpose()?;
            let new = NewPrincipal {
                name: name.clone(),
                role,
                public_key: None,
                owner: None,
                unix_user: unix_user.map(|user| known_user(config, user)).transpose()?,
            };
            // One link for both: without a running broker there is no second one.
            let link = Link::running_or_offline(config).await?;
            let added = async {
                let added = add_with(&link, new, json).await?;
                if let Some(public_key) = public_key {
                    add_key(&link, NewSigningKey { person: name, public_key }).await?;
                }
                Ok(added)
            };
            let added = added.await;
            link.close().await;
            added
        }
        ReviewerCommand::Key(command) => signing_keys(config, command, json).await,
        ReviewerCommand::List => {
            list(config, &[Role::Admin, Role::Owner, Role::Reviewer, Role::Viewer], json).await
        }
        ReviewerCommand::Pin { remove } => pin(config, remove).await,
        ReviewerCommand::Remove { name } => remove(config, &name, json).await,
        ReviewerCommand::Reset { name } => {
            crate::broker::reset_reviewer(config, &name).await?;
            print::line(&format!("{} has neither key nor PIN now", print::safe(&name)))?;
            Ok(0)
        }
    }
}

/// A user of this machine.
fn known_user(config: &Config, name: String) -> Result<UnixUser, Failure> {
    if config.home.service().is_none() || !config.is_local() {
        return Err(Failure::usage(
            "--unix-user: only the service of a machine knows people by their users; `sudo expacti setup` \
             makes one",
        ));
    }
    match nix::unistd::User::from_name(&name) {
        Ok(Some(user)) => Ok(UnixUser { name, uid: user.uid.as_raw() }),
        Ok(None) => Err(Failure::usage(format!("there is no user {name:?} on this machine"))),
        Err(e) => Err(Failure::failed(format!("failed to look up the user {name:?}: {e}"))),
    }
}

/// `expacti reviewer pin`.
async fn pin(config: &Config, remove: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let result = pin_with(&link, remove).await;
    link.close().await;
    result
}

async fn pin_with(link: &Link, remove: bool) -> Outcome {
    if remove {
        let _: serde_json::Value = link.client.delete("/v1/pin").await?;
        print::line("no PIN is asked for any more")?;
        return Ok(0);
    }
    // Before anything is typed: whether there is a broker at all.
    let _: expacti_protocol::http::Status = link.client.get("/v1/status").await?;
    let pin = ask("new PIN: ").await.map_err(Failure::failed)?;
    pin.check().map_err(Failure::usage)?;
    if ask("once more: ").await.map_err(Failure::failed)? != pin {
        return Err(Failure::usage("the two differ: nothing was changed"));
    }
    let _: serde_json::Value = link.client.post("/v1/pin", &NewPin { pin }).await?;
    print::line("every allow and every change asks for your PIN now")?;
    Ok(0)
}

/// `expacti reviewer key`.
async fn signing_keys(config: &Config, command: SigningKeyCommand, json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let result = signing_keys_with(&link, command, json).await;
    link.close().await;
    result
}

async fn signing_keys_with(link: &Link, command: SigningKeyCommand, json: bool) -> Outcome {
    match command {
        SigningKeyCommand::Add { name, file } => {
            let public_key = read_key(&file)?;
            let key = add_key(link, NewSigningKey { person: name, public_key }).await?;
            changed(&key, json, |key| format!("{} signs with {}", key.person, key.fingerprint))?;
        }
        SigningKeyCommand::List { allowed_signers } => {
            let keys: Vec<SigningKey> = link.client.get("/v1/signing-keys").await?;
            if allowed_signers {
                for key in &keys {
                    print::line(&format!(
                        "{} namespaces=\"expacti-*\" {}",
                        key.person, key.public_key
                    ))?;
                }
            } else if json {
                print::json(&keys)?;
            } else {
                let rows: Vec<Vec<String>> = keys
                    .iter()
                    .map(|key| {
                        let kind = key.public_key.split(' ').next().unwrap_or_default();
                        let added = print::time(key.added_at);
                        vec![
                            key.person.clone(),
                            kind.to_owned(),
                            key.fingerprint.clone(),
                            added,
                            key.added_by.clone(),
                        ]
                    })
                    .collect();
                print::table(&["PERSON", "KIND", "FINGERPRINT", "ADDED", "BY"], &rows)?;
            }
        }
        SigningKeyCommand::Remove { key } => {
            let fingerprint = if key.starts_with("SHA256:") {
                key
            } else {
                let text = read_key(Path::new(&key))?;
                expacti_signing::fingerprint_of(&text)
                    .map_err(|why| Failure::usage(format!("{key}: {why}")))?
            };
            let old = OldSigningKey { fingerprint };
            let old: SigningKey = link.client.post("/v1/signing-keys/remove", &old).await?;
            if json {
                print::json(&old)?;
            } else {
                print::line(&format!("{} no longer signs with {}", old.person, old.fingerprint))?;
            }
        }
    }
    Ok(0)
}

async fn add_key(link: &Link, new: NewSigningKey) -> Result<Changed<SigningKey>, Failure> {
    Ok(link.client.post("/v1/signing-keys", &new).await?)
}

fn read_key(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::failed(format!("failed to read {}: {e}", path.display())))
}

/// `expacti agent`.
pub(crate) async fn agent(config: &Config, command: AgentCommand, json: bool) -> Outcome {
    match command {
        AgentCommand::Add { name, key, ca, principal, owner } => {
            let Some(path) = key.as_ref().or(ca.as_ref()) else {
                return Err(Failure::usage("--key or --ca is needed"));
            };
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::failed(format!("failed to read {}: {e}", path.display())))?;
            let text = if ca.is_some() {
                let named = if principal.is_empty() { vec![name.clone()] } else { principal };
                format!("cert-authority,principals=\"{}\" {text}", named.join(","))
            } else {
                text
            };
            let new = NewPrincipal {
                name,
                role: Role::Agent,
                public_key: Some(text),
                owner,
                unix_user: None,
            };
            add(config, new, json).await
        }
        AgentCommand::List => list(config, &[Role::Agent], json).await,
        AgentCommand::Remove { name } => remove(config, &name, json).await,
    }
}

/// `expacti gate add`, `list`, `remove`.
pub(crate) async fn gate(config: &Config, command: GateCommand, json: bool) -> Outcome {
    match command {
        GateCommand::Ca { hosts, host_ca } => {
            let plain = |c: char| c.is_ascii_graphic() && c != '#';
            if hosts.is_empty() || hosts.starts_with('@') || !hosts.chars().all(plain) {
                return Err(Failure::usage(format!("--hosts {hosts:?}: not a pattern of hosts")));
            }
            let path = host_ca.unwrap_or_else(|| config.home.keys().join("gate_host_ca_ed25519"));
            let ca = expacti_gate::load_or_create_host_key(&path)
                .map_err(|e| Failure::failed(e.to_string()))?;
            print::line(expacti_gate::cert_authority_line(&hosts, &ca).trim_end())?;
            Ok(0)
        }
        GateCommand::Add { name } => {
            add(
                config,
                NewPrincipal {
                    name,
                    role: Role::Gate,
                    public_key: None,
                    owner: None,
                    unix_user: None,
                },
                json,
            )
            .await
        }
        GateCommand::List => list(config, &[Role::Gate], json).await,
        GateCommand::Remove { name } => remove(config, &name, json).await,
    }
}

async fn add(config: &Config, new: NewPrincipal, json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let added = add_with(&link, new, json).await;
    link.close().await;
    added
}

async fn add_with(link: &Link, new: NewPrincipal, json: bool) -> Outcome {
    let added: PrincipalAdded = link.client.post("/v1/principals", &new).await?;
    if json {
        print::json(&added)?;
        return Ok(0);
    }
    let created = match added {
        PrincipalAdded::Done(created) => created,
        PrincipalAdded::Waiting { change, token } => {
            print::note(&super::policy::waiting(&change));
            if let Some(token) = &token {
                print::note("its token, shown only now; it opens nothing until that is done:");
                print::line(token)?;
            }
            return Ok(0);
        }
    };
    print::note(&format!("added {} ({})", created.principal.name, created.principal.role));
    if let Some(token) = &created.token {
        print::note("its token, shown only now:");
        print::line(token)?;
    }
    Ok(0)
}

async fn list(config: &Config, roles: &[Role], json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let all: Result<Vec<PrincipalView>, _> = link.client.get("/v1/principals").await;
    link.close().await;
    let all: Vec<_> = all?.into_iter().filter(|p| roles.contains(&p.role)).collect();
    if json {
        print::json(&all)?;
        return Ok(0);
    }
    let rows: Vec<_> = all
        .iter()
        .map(|p| {
            vec![
                p.name.clone(),
                p.role.to_string(),
                print::time(p.created_at),
                p.owner.clone().unwrap_or_else(|| "-".to_owned()),
                p.public_key.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    print::table(&["NAME", "ROLE", "ADDED", "OWNER", "KEY"], &rows)?;
    Ok(0)
}

async fn remove(config: &Config, name: &str, json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let removed: Result<PrincipalView, _> =
        link.client.delete(&format!("/v1/principals/{}", segment::name(name)?)).await;
    link.close().await;
    let removed = removed?;
    if json {
        print::json(&removed)?;
    } else {
        print::line(&format!("removed {}", removed.name))?;
    }
    Ok(0)
}

/// `expacti target`.
pub(crate) async fn target(config: &Config, command: TargetCommand, json: bool) -> Outcome {
    if matches!(command, TargetCommand::Key) {
        let key = machine::target_key(&config.home)?;
        if json {
            print::json(&serde_json::json!({ "public_key": key }))?;
        } else {
            print::line(&key)?;
        }
        return Ok(0);
    }
    let link = Link::running_or_offline(config).await?;
    let result = target_command(&link, command, json).await;
    link.close().await;
    result
}

async fn target_command(link: &Link, command: TargetCommand, json: bool) -> Outcome {
    match command {
        TargetCommand::Add { name, address, host_key, tag, login } => {
            let mut target = target_of(name, &address, host_key, tag)?;
            target.logins = login;
            let added: Changed<Target> = link.client.post("/v1/targets", &target).await?;
            changed(&added, json, |target| {
                format!("added {}  {}@{}:{}", target.name, target.user, target.host, target.port)
            })?;
        }
        // Asked before there was a link.
        TargetCommand::Key => {}
        TargetCommand::List => {
            let all: Vec<Target> = link.client.get("/v1/targets").await?;
            if json {
                print::json(&all)?;
            } else {
                let rows: Vec<_> = all
                    .iter()
                    .map(|t| {
                        vec![
                            print::safe(&t.name),
                            print::safe(&format!("{}@{}:{}", t.user, t.host, t.port)),
                            print::safe(&t.tags.join(",")),
                            print::safe(&if t.logins.is_empty() {
                                "any".to_owned()
                            } else {
                                t.logins.join(",")
                            }),
                        ]
                    })
                    .collect();
                print::table(&["NAME", "ADDRESS", "TAGS", "LOGINS"], &rows)?;
            }
        }
        TargetCommand::Remove { name } => {
            let removed: Changed<Target> =
                link.client.delete(&format!("/v1/targets/{}", segment::name(&name)?)).await?;
            changed(&removed, json, |target| format!("removed {}", target.name))?;
        }
    }
    Ok(0)
}

pub(super) fn target_of(
    name: String,
    address: &str,
    keys: Vec<String>,
    tags: Vec<String>,
) -> Result<Target, Failure> {
    let wrong = || Failure::usage(format!("{address:?} is not user@host or user@host:port"));
    let (user, rest) = address.rsplit_once('@').ok_or_else(wrong)?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':').map(str::to_owned))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port.to_owned())),
            None => (rest, None),
        },
    };
    let port = port.map_or(Ok(22), |p| p.parse().map_err(|_| wrong()))?;
    if user.is_empty() || host.is_empty() {
        return Err(wrong());
    }
    let mut host_keys = Vec::new();
    for key in keys {
        let text = if key.contains(' ') {
            key
        } else {
            std::fs::read_to_string(&key)
                .map_err(|e| Failure::failed(format!("failed to read the host key {key}: {e}")))?
        };
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            host_keys.push(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
        }
    }
    let (user, host) = (user.to_owned(), host.to_owned());
    Ok(Target { name, user, host, port, host_keys, tags, logins: Vec::new() })
}
