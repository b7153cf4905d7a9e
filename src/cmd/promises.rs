//! Which promises this machine gives to this account: a list for `expacti doctor`. What cannot be told does not
//! hold.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use expacti_protocol::home::{Home, SERVICE_CONFIG};
use expacti_protocol::http::Status;
use expacti_protocol::principal::Role;

use super::signatures::{Signatures, asked_for};
use crate::config::Config;
use crate::machine;
use crate::print;

/// How many keys are named.
const NAMED: usize = 4;

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) held: bool,
    /// Why.
    pub(super) why: String,
    /// What to do where it does not hold.
    pub(super) advice: Option<&'static str>,
}

/// What is known of the service of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    /// The commands of this account talk to it.
    led: bool,
    /// As whom, if it answers.
    role: Option<Role>,
    /// Its data is another user's, and closed.
    closed: bool,
    /// What others than root could change.
    open_settings: Option<String>,
    signatures: Signatures,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    service: Option<Service>,
    is_root: bool,
    /// The private keys of this account.
    keys: Vec<PathBuf>,
    /// An ssh-agent.
    agent: bool,
    isolated: bool,
}

/// The promises, of the machine as it is.
pub(super) fn of(config: &Config, status: Option<&Status>, isolated: bool) -> Vec<Promise> {
    let service = machine::client_file().exists().then(|| look_at_service(config, status));
    let keys =
        std::env::home_dir().map(|home| private_keys(&home.join(".ssh"))).unwrap_or_default();
    let agent = std::env::var_os("SSH_AUTH_SOCK").is_some_and(|path| !path.is_empty());
    let is_root = rustix::process::geteuid().is_root();
    judge(&Facts { service, is_root, keys, agent, isolated })
}

fn look_at_service(config: &Config, status: Option<&Status>) -> Service {
    let home = Home::of_service();
    let [_, data, _] = home.dirs();
    let led = config.is_led_to_service() || config.home.is_service();
    let own = rustix::process::geteuid().as_raw();
    let closed = std::fs::symlink_metadata(data).is_ok_and(|about| {
        about.is_dir() && ![0, own].contains(&about.uid()) && about.mode() & 0o077 == 0
    });
    let mut open_settings = None;
    let mut signatures = Signatures::NotForAll;
    let signers = Path::new(SERVICE_CONFIG).join("allowed_signers");
    for file in [machine::client_file(), signers, home.config_file()] {
        match machine::read_roots(&file) {
            Ok(Some(text)) if file == home.config_file() => signatures = asked_for(&text),
            Ok(_) => {}
            Err(failure) => open_settings = Some(failure.to_string()),
        }
    }
    Service { led, role: status.map(|s| s.role).filter(|_| led), closed, open_settings, signatures }
}

/// The private keys in a directory.
fn private_keys(dir: &Path) -> Vec<PathBuf> {
    let is_key = |path: &PathBuf| {
        let mut head = [0; 64];
        let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head));
        let head = read.ok().and_then(|n| head.get(..n)).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        head.starts_with("-----BEGIN ") && head.contains("PRIVATE KEY")
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut keys: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_key).collect();
    keys.sort();
    keys
}

fn promise(
    name: &'static str,
    held: bool,
    why: impl Into<String>,
    advice: &'static str,
) -> Promise {
    Promise { name, held, why: why.into(), advice: (!held).then_some(advice) }
}

fn judge(facts: &Facts) -> Vec<Promise> {
    let isolation = promise(
        "isolation",
        facts.isolated,
        if facts.isolated {
            "what `expacti wrap` starts finds none of your keys, and cannot approve"
        } else {
            "what `expacti wrap` starts is not isolated on this machine"
        },
        "`expacti wrap --explain` says why",
    );
    let mut all = match &facts.service {
        Some(service) => with_service(facts, service),
        None => without_service(),
    };
    all.push(isolation);
    all
}

/// On a machine without a service.
fn without_service() -> Vec<Promise> {
    const SETUP: &str = "`sudo expacti setup` gives them to a service with a user of its own";
    vec![
        promise("service", false, "broker and gate run as you, whoever you are", SETUP),
        promise(
            "target keys",
            false,
            "the gate logs in with your keys, which anything that runs as you outside of a wrap can use without \
             it",
            SETUP,
        ),
        promise(
            "log and data",
            false,
            "anything that runs as you outside of a wrap can change the database and the log",
            SETUP,
        ),
        promise(
            "approvals",
            false,
            "anything that runs as you outside of a wrap can approve",
            "start agents with `expacti wrap`; register a FIDO2 key with `expacti reviewer key add`, and every \
             allow needs its touch; or `sudo expacti setup`",
        ),
    ]
}

fn with_service(facts: &Facts, service: &Service) -> Vec<Promise> {
    let answers = service.led && service.role.is_some();
    let talks = promise(
        "service",
        answers,
        match (service.led, answers) {
            (true, true) => "the commands of this account talk to the service of this machine",
            (true, false) => "the service of this machine does not answer",
            (false, _) => {
                "the commands of this account do not talk to the service of this machine (EXPACTI_HOME, a broker, \
                 or service = false)"
            }
        },
        "`expacti config show` says which broker is used and why; `sudo systemctl start expacti` starts the \
         service",
    );
    let settings = promise(
        "settings",
        service.open_settings.is_none(),
        service.open_settings.clone().unwrap_or_else(|| {
            format!("only root changes {SERVICE_CONFIG}: what needs a signature, and whose")
        }),
        "whoever can change it decides what is asked for: make it root's alone",
    );
    vec![
        talks,
        settings,
        keys(facts, service),
        data(facts, service),
        approvals(facts, service),
        users(facts, service),
    ]
}

fn keys(facts: &Facts, service: &Service) -> Promise {
    const ADVICE: &str =
        "let targets accept the service's key only (`expacti target key`), and take the others out";
    let name = "target keys";
    if facts.is_root {
        return promise(
            name,
            false,
            "root reads every key of this machine",
            "look as the user who runs agents",
        );
    }
    if !service.closed {
        return promise(
            name,
            false,
            "the directory of the service's keys is not another user's alone",
            "`sudo expacti setup` puts it right",
        );
    }
    let mut own: Vec<String> = facts
        .keys
        .iter()
        .take(NAMED)
        .map(|path| print::safe(&path.display().to_string()))
        .collect();
    if facts.keys.len() > NAMED {
        own.push(format!("{} more", facts.keys.len() - NAMED));
    }
    if facts.agent {
        own.push("your ssh-agent".to_owned());
    }
    if own.is_empty() {
        return promise(
            name,
            true,
            "nobody but the service reads its key, and this account has none",
            ADVICE,
        );
    }
    promise(
        name,
        false,
        format!(
            "nobody but the service reads its key, but this account has keys of its own: {}. A target that \
             accepts one lets programs of yours in without the gate",
            own.join(", ")
        ),
        ADVICE,
    )
}

fn data(facts: &Facts, service: &Service) -> Promise {
    let (held, why) = match (facts.is_root, service.closed) {
        (true, _) => (false, "root can change the database and the log"),
        (false, true) => {
            (true, "nobody but the service reads or changes the database, recordings and log")
        }
        (false, false) => (false, "the data of the service is not another user's alone"),
    };
    promise(
        "log and data",
        held,
        why,
        "`sudo expacti setup` puts modes right; keep exports of the log elsewhere (`expacti audit export`)",
    )
}

fn approvals(facts: &Facts, service: &Service) -> Promise {
    const ADVICE: &str = "`sudo expacti setup --reviewer NAME --key FILE.pub` asks for signatures; touch = true below \
                          [[approval.require]] in /etc/expacti/config.toml for a touch with each";
    let decides = facts.is_root || service.role.is_none_or(Role::may_decide);
    let (held, why) = match (service.signatures, decides) {
        (Signatures::Touched, _) => {
            (true, "the gate delivers nothing without a signature that somebody touched a key for")
        }
        (Signatures::ForAll, false) => (
            true,
            "the gate delivers nothing without a signature of a person on root's list, and this account decides \
             nothing",
        ),
        (Signatures::ForAll, true) => (
            false,
            "the gate asks for a signature, but not for a touch: a program that runs as you can sign with your key, \
             if it finds it unlocked",
        ),
        (Signatures::NotForAll, false) => (
            true,
            "this account decides nothing; but approvals need no signature, so whatever runs as a reviewer's user \
             can approve",
        ),
        (Signatures::NotForAll, true) => (
            false,
            "not everything needs a signature, and whatever runs as you outside of a wrap can approve",
        ),
    };
    promise("approvals", held, why, ADVICE)
}

fn users(facts: &Facts, service: &Service) -> Promise {
    let decides = facts.is_root || service.role.is_none_or(Role::may_decide);
    promise(
        "other user",
        !decides,
        match (facts.is_root, service.role) {
            (true, _) => "root is the owner of the service: do not run agents as root",
            (false, None) => "it cannot be told who this account is to the service",
            (false, Some(_)) if decides => {
                "this account reviews: agents that it runs are the reviewer's own user"
            }
            (false, Some(_)) => "this account only wraps programs: who decides is another user",
        },
        "run agents as a user who is no reviewer",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn facts(role: Option<Role>, signatures: Signatures) -> Facts {
        let service = Service { led: true, role, closed: true, open_settings: None, signatures };
        Facts { service: Some(service), is_root: false, keys: vec![], agent: false, isolated: true }
    }

    fn broken(facts: &Facts) -> Vec<&'static str> {
        judge(facts).into_iter().filter(|p| !p.held).map(|p| p.name).collect()
    }

    #[test]
    fn each_promise_and_what_breaks_it() {
        let good = facts(Some(Role::Agent), Signatures::ForAll);
        assert_eq!(broken(&good), [""; 0]);
        let reviewer = facts(Some(Role::Reviewer), Signatures::ForAll);
        assert_eq!(broken(&reviewer), ["approvals", "other user"]);
        let touched = facts(Some(Role::Reviewer), Signatures::Touched);
        assert_eq!(broken(&touched), ["other user"]);
        let silent = facts(None, Signatures::Touched);
        assert_eq!(broken(&silent), ["service", "other user"]);
        assert_eq!(broken(&Facts { isolated: false, ..good.clone() }), ["isolation"]);
        assert_eq!(broken(&Facts { agent: true, ..good.clone() }), ["target keys"]);
        assert_eq!(broken(&Facts { keys: vec!["/k".into()], ..good.clone() }), ["target keys"]);
        let root = Facts { is_root: true, ..good.clone() };
        assert_eq!(broken(&root), ["target keys", "log and data", "approvals", "other user"]);
        let with = |change: fn(&mut Service)| {
            let mut facts = good.clone();
            change(facts.service.as_mut().unwrap());
            broken(&facts)
        };
        assert_eq!(with(|s| s.led = false), ["service"]);
        assert_eq!(with(|s| s.closed = false), ["target keys", "log and data"]);
        assert_eq!(with(|s| s.open_settings = Some("x".to_owned())), ["settings"]);
        let without = Facts { service: None, ..good };
        assert_eq!(broken(&without), ["service", "target keys", "log and data", "approvals"]);
        // Whoever sees that something does not hold sees what to do.
        assert!(judge(&without).iter().all(|p| p.held == p.advice.is_none()));
    }
}
