//! `expacti doctor`: what a careful operator would check on this machine.

use std::process::Command;

use serde::Serialize;

use crate::config::Config;
use crate::failure::Outcome;
use crate::print;

/// How a check ended.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Result {
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    /// Something does not work.
    Fail,
}

impl Result {
    fn of(good: bool) -> Self {
        if good { Self::Ok } else { Self::Fail }
    }
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    result: Result,
    what: String,
    advice: Option<&'static str>,
}

/// Runs every check; exit status 1 when one of them fails.
pub(crate) fn run(config: &Config, json: bool) -> Outcome {
    let checks = checks(config)?;
    if json {
        print::json(&checks)?;
    } else {
        for check in &checks {
            let mark = match check.result {
                Result::Ok => "\x1b[32mok\x1b[0m  ",
                Result::Note => "\x1b[1;33mnote\x1b[0m",
                Result::Fail => "\x1b[1;31mFAIL\x1b[0m",
            };
            print::line(&format!("{mark}  {:<14} {}", check.name, check.what))?;
            if let Some(advice) = check.advice {
                print::line(&format!("      {:<14} {advice}", ""))?;
            }
        }
    }
    Ok(u8::from(checks.iter().any(|c| c.result == Result::Fail)))
}

fn checks(config: &Config) -> std::result::Result<Vec<Check>, crate::failure::Failure> {
    let mut all = vec![Check {
        name: "version",
        result: Result::Ok,
        what: format!("expacti {}", env!("CARGO_PKG_VERSION")),
        advice: None,
    }];
    let ssh = Command::new("ssh").arg("-V").output();
    all.push(match ssh {
        Ok(out) => Check {
            name: "ssh",
            result: Result::Ok,
            what: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
            advice: None,
        },
        Err(e) => Check {
            name: "ssh",
            result: Result::Fail,
            what: format!("the OpenSSH client cannot be run: {e}"),
            advice: Some("install openssh-client: wrap runs the stock ssh"),
        },
    });
    let prepared = crate::daemon::prepare(&config.home);
    all.push(Check {
        name: "directories",
        result: Result::of(prepared.is_ok()),
        what: match &prepared {
            Ok(()) => config.home.dirs().map(|d| d.display().to_string()).join(" "),
            Err(f) => format!("{f:?}"),
        },
        advice: prepared.is_err().then_some("everything expacti keeps must be private to you"),
    });
    if let Ok(stat) =
        rustix::fs::statvfs(config.home.database().parent().unwrap_or(std::path::Path::new("/")))
    {
        let free = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
        all.push(Check {
            name: "disk",
            result: Result::of(free >= 512),
            what: format!("{free} MiB free for database and recordings"),
            advice: (free < 512).then_some("with a full disk every command is denied"),
        });
    }
    let status = crate::runtime::start()?.block_on(crate::daemon::status(config.endpoint()?));
    all.push(match &status {
        Ok(s) => Check {
            name: "broker",
            result: Result::of(s.gates > 0),
            what: format!("runs, pid {}, {} gate(s), {} reviewer(s)", s.pid, s.gates, s.reviewers),
            advice: (s.gates == 0).then_some("no gate is connected: nothing can be delivered"),
        },
        Err(_) => Check {
            name: "broker",
            result: Result::Ok,
            what: "does not run; wrap and review start it".to_owned(),
            advice: None,
        },
    });
    all.push(Check {
        name: "enforcement",
        result: Result::Note,
        what: "this machine's mode: anything running as you can approve, or go round the gate".to_owned(),
        advice: Some("an agent that calls /usr/bin/ssh by itself is not held; to enforce, let the target accept only a team gate's key (README, \"For a team\")"),
    });
    Ok(all)
}
