//! `expacti up`, `status`: the background process of this machine.

use expacti_protocol::client::Client;
use expacti_protocol::http::Status;

use super::audit_heads;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

fn show(status: &Status, json: bool) -> std::io::Result<()> {
    if json {
        let mut value = serde_json::to_value(status)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("running".to_owned(), true.into());
        }
        return print::json(&value);
    }
    let up = expacti_protocol::now_micros() / 1_000_000 - status.started_at;
    print::line(&format!(
        "running   version {} pid {} up {}\npending   {}\nsessions  {}\nreviewers {}\ngates     {}\naudit     {} entries, head {}\nyou are   {} ({})",
        status.version,
        status.pid,
        print::span(up),
        status.pending,
        status.sessions,
        status.reviewers,
        status.gates,
        status.audit_entries,
        status.audit_head.get(..16).unwrap_or(&status.audit_head),
        print::safe(&status.principal),
        status.role,
    ))?;
    for warning in &status.warnings {
        print::line(&format!("warning   {}", print::safe(warning)))?;
    }
    Ok(())
}

/// `expacti up`.
pub(crate) fn up(config: &Config, json: bool) -> Outcome {
    let status = crate::daemon::up(config)?;
    if json {
        show(&status, true)?;
    } else {
        print::note(&format!(
            "broker and gate run (pid {}); review with: expacti review",
            status.pid
        ));
    }
    Ok(0)
}

/// `expacti status`.
pub(crate) fn status(config: &Config, json: bool) -> Outcome {
    let answer = crate::runtime::start()?.block_on(crate::daemon::status(config.endpoint()?));
    match answer {
        Ok(status) => {
            show(&status, json)?;
            // Who is inside a wrap, as the broker or this program sees it, may not ask for more than the status.
            let inside = expacti_protocol::inside::is_inside_a_wrap(&config.home);
            if !inside && status.role.may_view() {
                let client = Client::new(config.endpoint()?)?;
                crate::runtime::start()?.block_on(audit_heads::check(config, &client))?;
            }
            Ok(0)
        }
        Err(failure) if failure.status() == expacti_protocol::exit::UNREACHABLE => {
            if expacti_protocol::inside::is_inside_a_wrap(&config.home) {
                return Err(Failure::inside_a_wrap());
            }
            if json {
                print::json(&serde_json::json!({"running": false}))?;
            }
            if config.is_led_to_service() {
                return Err(crate::machine::silent());
            }
            if config.is_local() {
                print::note("broker and gate do not run on this machine; `expacti up` starts them");
                return Ok(expacti_protocol::exit::UNREACHABLE);
            }
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}
