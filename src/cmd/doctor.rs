//! `expacti doctor`: what a careful operator would check on this machine.

use std::path::Path;
use std::process::Command;

use expacti_protocol::http::Status;
use serde::Serialize;

use super::promises::{self, Promise};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Below this the disk may be full before anybody notices.
const MIN_FREE_MIB: u64 = 512;

/// How many keys are named.
const NAMED: usize = 8;

/// How a check ended.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    /// Something does not work.
    Fail,
}

impl Verdict {
    fn of(good: bool) -> Self {
        if good { Self::Ok } else { Self::Fail }
    }
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    result: Verdict,
    what: String,
    advice: Option<&'static str>,
    /// It is one of the promises of this machine, which holds if the result is `ok`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    promise: bool,
}

/// Runs every check; exit status 1 when one of them fails.
pub(crate) fn run(config: &Config, json: bool) -> Outcome {
    let checks = checks(config)?;
    if json {
        print::json(&checks)?;
    } else {
        let mut promises = false;
        for check in &checks {
            if check.promise && !promises {
                promises = true;
                print::line("\nWhat this machine promises:")?;
            }
            let mark = match check.result {
                Verdict::Ok if check.promise => "\x1b[32mheld\x1b[0m",
                Verdict::Note if check.promise => "\x1b[1;33mNOT \x1b[0m",
                Verdict::Ok => "\x1b[32mok\x1b[0m  ",
                Verdict::Note => "\x1b[1;33mnote\x1b[0m",
                Verdict::Fail => "\x1b[1;31mFAIL\x1b[0m",
            };
            print::line(&format!("{mark}  {:<14} {}", check.name, check.what))?;
            if let Some(advice) = check.advice {
                print::line(&format!("      {:<14} {advice}", ""))?;
            }
        }
    }
    Ok(u8::from(checks.iter().any(|c| c.result == Verdict::Fail)))
}

fn checks(config: &Config) -> Result<Vec<Check>, Failure> {
    let mut all = vec![version(), ssh(), directories(config)];
    all.extend(disk(config));
    let status = crate::runtime::start()?.block_on(crate::daemon::status(config.endpoint()?)).ok();
    all.push(broker(config, status.as_ref()));
    let isolation = isolation(config)?;
    let isolated = isolation.iter().any(|c| c.name == "isolation" && c.result == Verdict::Ok);
    all.extend(isolation);
    all.extend(promises::of(config, status.as_ref(), isolated).into_iter().map(Check::from));
    Ok(all)
}

impl From<Promise> for Check {
    fn from(promise: Promise) -> Self {
        let Promise { name, held, why, advice } = promise;
        let result = if held { Verdict::Ok } else { Verdict::Note };
        Self { name, result, what: why, advice, promise: true }
    }
}

fn version() -> Check {
    Check {
        name: "version",
        result: Verdict::Ok,
        what: format!("expacti {}", env!("CARGO_PKG_VERSION")),
        advice: None,
        promise: false,
    }
}

fn ssh() -> Check {
    match Command::new("ssh").arg("-V").output() {
        Ok(out) => Check {
            name: "ssh",
            result: Verdict::Ok,
            what: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
            advice: None,
            promise: false,
        },
        Err(e) => Check {
            name: "ssh",
            result: Verdict::Fail,
            what: format!("the OpenSSH client cannot be run: {e}"),
            advice: Some("install openssh-client: wrap runs the stock ssh"),
            promise: false,
        },
    }
}

fn directories(config: &Config) -> Check {
    let prepared = crate::installation::create_dirs(&config.home);
    Check {
        name: "directories",
        result: Verdict::of(prepared.is_ok()),
        what: match &prepared {
            Ok(()) => config.home.dirs().map(|d| d.display().to_string()).join(" "),
            Err(failure) => failure.to_string(),
        },
        advice: prepared.is_err().then_some("everything expacti keeps must be private to you"),
        promise: false,
    }
}

/// None if the free space cannot be determined.
fn disk(config: &Config) -> Option<Check> {
    let database = config.home.database();
    let stat = rustix::fs::statvfs(database.parent().unwrap_or(Path::new("/"))).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
    Some(Check {
        name: "disk",
        result: Verdict::of(free >= MIN_FREE_MIB),
        what: format!("{free} MiB free for database and recordings"),
        advice: (free < MIN_FREE_MIB).then_some("with a full disk every command is denied"),
        promise: false,
    })
}

fn broker(config: &Config, status: Option<&Status>) -> Check {
    match status {
        Some(s) => Check {
            name: "broker",
            result: Verdict::of(s.gates > 0),
            what: format!("runs, pid {}, {} gate(s), {} reviewer(s)", s.pid, s.gates, s.reviewers),
            advice: (s.gates == 0).then_some("no gate is connected: nothing can be delivered"),
            promise: false,
        },
        None if config.is_led_to_service() => Check {
            name: "broker",
            result: Verdict::Fail,
            what: "the service of this machine does not answer".to_owned(),
            advice: Some(
                "sudo systemctl start expacti; `sudo expacti setup` shows how without systemd",
            ),
            promise: false,
        },
        None => Check {
            name: "broker",
            result: Verdict::Ok,
            what: "does not run; wrap and review start it".to_owned(),
            advice: None,
            promise: false,
        },
    }
}

/// What keeps wrapped programs from going round the gate.
fn isolation(config: &Config) -> Result<Vec<Check>, Failure> {
    let options = super::wrap::usual_options(config)?;
    let explanation = match expacti_shim::explain(&options) {
        Ok(explanation) => explanation,
        Err(e) => {
            return Ok(vec![Check {
                name: "isolation",
                result: Verdict::Fail,
                what: e.to_string(),
                advice: Some("`expacti wrap --explain` says more"),
                promise: false,
            }]);
        }
    };
    let what = super::explain::headline(&explanation).replace('\n', " ");
    let (result, advice) = match (explanation.isolated, explanation.gaps.is_empty()) {
        (true, _) => (Verdict::Ok, None),
        (false, true) => (Verdict::Note, Some("`expacti wrap --explain` says more")),
        (false, false) => (
            Verdict::Fail,
            Some("`expacti wrap --explain` says why; `expacti setup --user` closes what it can"),
        ),
    };
    let isolation = Check { name: "isolation", result, what, advice, promise: false };
    Ok([isolation].into_iter().chain(keys(&explanation.exposed)).collect())
}

/// Copies of keys, which nothing names.
fn keys(exposed: &[std::path::PathBuf]) -> Option<Check> {
    let named = exposed.iter().take(NAMED).map(|path| print::safe(&path.display().to_string()));
    let mut what = named.collect::<Vec<_>>().join(" ");
    if exposed.len() > NAMED {
        what.push_str(&format!(" and {} more", exposed.len() - NAMED));
    }
    (!exposed.is_empty()).then_some(Check {
        name: "keys",
        result: Verdict::Note,
        what: format!("wrapped programs find these private keys: {what}"),
        advice: Some(
            "if they open a server, move them to ~/.ssh, or name them in your ssh configuration",
        ),
        promise: false,
    })
}
