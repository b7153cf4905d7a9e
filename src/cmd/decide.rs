//! `expacti allow`, `expacti deny`.

use expacti_protocol::command::{CommandView, Grant};
use expacti_protocol::http::DecisionBody;

use crate::broker::Link;
use crate::cli::{AllowArgs, DecideArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{print, segment, units};

/// Allows one command, with a grant where one is asked for.
pub(crate) async fn allow(config: &Config, args: AllowArgs, json: bool) -> Outcome {
    let grant = match args.grant {
        Some(text) => {
            let grant =
                Grant { seconds: units::seconds(&text)?, bytes: units::bytes(&args.grant_bytes)? };
            if !grant.is_valid() {
                return Err(Failure::usage("a grant is 1s to 1h and 1 to 16M bytes"));
            }
            Some(grant)
        }
        None => None,
    };
    decide(config, args.decide, Decision::Allow { grant, trust: args.trust }, json).await
}

/// Denies one command.
pub(crate) async fn deny(config: &Config, args: DecideArgs, json: bool) -> Outcome {
    decide(config, args, Decision::Deny, json).await
}

/// What was decided.
#[derive(Debug, Clone, Copy)]
enum Decision {
    Allow {
        /// What a grant lets pass, where one was asked for.
        grant: Option<Grant>,
        /// What only looks there goes on being trusted.
        trust: bool,
    },
    Deny,
}

/// Decides on one command; the decision is bound to the bytes the broker shows now.
async fn decide(config: &Config, args: DecideArgs, decision: Decision, json: bool) -> Outcome {
    let link = Link::running(config)?;
    let id = segment::id(&args.id)?;
    let shown: CommandView = link.client.get(&format!("/v1/commands/{id}")).await?;
    let comment = args.comment.join(" ");
    let (allow, grant, trust) = match decision {
        Decision::Allow { grant, trust } => (true, grant, trust),
        Decision::Deny => (false, None, false),
    };
    let body = DecisionBody {
        allow,
        comment: (!comment.trim().is_empty()).then_some(comment),
        sha256: Some(shown.sha256),
        grant,
        trust,
        signature: None,
    };
    let view: CommandView =
        link.client.post(&format!("/v1/commands/{}/decision", shown.id), &body).await?;
    if json {
        print::json(&view)?;
    } else {
        let word = match (decision, view.approvals_missing) {
            (Decision::Deny, _) => "denied".to_owned(),
            (Decision::Allow { .. }, 0) => "allowed".to_owned(),
            (Decision::Allow { .. }, n) if view.may_decide.is_empty() => {
                format!("approved ({n} more needed)")
            }
            (Decision::Allow { .. }, n) => {
                format!("approved ({n} more needed: {})", print::safe(&view.may_decide.join(", ")))
            }
        };
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        let caution = view.session.caution();
        let caution = caution.map(|c| format!("  {}", print::warning(&print::safe(&c))));
        let caution = caution.unwrap_or_default();
        print::line(&format!("{word} {}  {}{caution}", view.id, print::safe(text)))?;
        if let (true, false, Some(why)) = (allow, trust, &shown.taints) {
            print::note(&format!(
                "what only looks there is asked about from now on ({}): expacti taint clear {}/{}",
                print::safe(why),
                print::safe(&view.session.target),
                print::safe(&view.session.user)
            ));
        }
        match (grant, view.grant, view.approvals_missing) {
            (_, Some(grant), _) => print::note(&format!(
                "keys to the program pass unreviewed for {} s or {} bytes; `expacti kill {}` ends it",
                grant.seconds, grant.bytes, view.session_id
            )),
            (Some(_), None, 0) => {
                print::note("no grant: another approver gave none");
            }
            _ => {}
        }
    }
    Ok(0)
}
