//! `expacti doctor`: what a careful operator would check on this machine.

use std::process::Command;

use serde::Serialize;

use crate::config::Config;
use crate::failure::Outcome;
use crate::print;

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
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
            let mark = if check.ok { "\x1b[32mok\x1b[0m  " } else { "\x1b[1;33mlook\x1b[0m" };
            print::line(&format!("{mark}  {:<14} {}", check.name, check.what))?;
            if let Some(advice) = check.advice {
                print::line(&format!("      {:<14} {advice}", ""))?;
            }
        }
    }
    Ok(u8::from(checks.iter().any(|c| !c.ok)))
}

fn checks(config: &Config) -> Result<Vec<Check>, crate::failure::Failure> {
    let mut all = vec![Check {
        name: "version",
        ok: true,
        what: format!("expacti {}", env!("CARGO_PKG_VERSION")),
        advice: None,
    }];
    let ssh = Command::new("ssh").arg("-V").output();
    all.push(match ssh {
        Ok(out) => Check {
            name: "ssh",
            ok: true,
            what: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
            advice: None,
        },
        Err(e) => Check {
            name: "ssh",
            ok: false,
            what: format!("the OpenSSH client cannot be run: {e}"),
            advice: Some("install openssh-client: wrap runs the stock ssh"),
        },
    });
    let prepared = crate::daemon::prepare(&config.home);
    all.push(Check {
        name: "directories",
        ok: prepared.is_ok(),
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
            ok: free >= 512,
            what: format!("{free} MiB free for database and recordings"),
            advice: (free < 512).then_some("with a full disk every command is denied"),
        });
    }
    let status = crate::cmd::runtime()?.block_on(crate::daemon::status(config.endpoint()?));
    all.push(match &status {
        Ok(s) => Check {
            name: "broker",
            ok: s.gates > 0,
            what: format!("runs, pid {}, {} gate(s), {} reviewer(s)", s.pid, s.gates, s.reviewers),
            advice: (s.gates == 0).then_some("no gate is connected: nothing can be delivered"),
        },
        Err(_) => Check {
            name: "broker",
            ok: true,
            what: "does not run; wrap and review start it".to_owned(),
            advice: None,
        },
    });
    all.push(Check {
        name: "enforcement",
        ok: false,
        what: "this machine's mode: anything running as you can approve, or go round the gate".to_owned(),
        advice: Some("an agent that calls /usr/bin/ssh by itself is not held; to enforce, let the target accept only a team gate's key (README, \"For a team\")"),
    });
    Ok(all)
}
