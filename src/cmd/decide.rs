//! `expacti allow`, `expacti deny`.

use expacti_protocol::command::CommandView;
use expacti_protocol::http::DecisionBody;

use crate::broker::Link;
use crate::cli::DecideArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Decides on one command; the decision is bound to the bytes the broker shows now.
pub(crate) async fn decide(config: &Config, args: DecideArgs, allow: bool, json: bool) -> Outcome {
    let link = Link::online(config)?;
    let id = urlencode(&args.id)?;
    let shown: CommandView = link.client.get(&format!("/v1/commands/{id}")).await?;
    let comment = args.comment.join(" ");
    let body = DecisionBody {
        allow,
        comment: (!comment.trim().is_empty()).then_some(comment),
        sha256: Some(shown.sha256),
        signature: None,
    };
    let view: CommandView =
        link.client.post(&format!("/v1/commands/{}/decision", shown.id), &body).await?;
    if json {
        print::json(&view)?;
    } else {
        let word = match (allow, view.approvals_missing) {
            (false, _) => "denied".to_owned(),
            (true, 0) => "allowed".to_owned(),
            (true, n) => format!("approved ({n} more needed)"),
        };
        print::line(&format!("{word} {}  {}", view.id, print::safe(&view.text.command)))?;
    }
    Ok(0)
}

/// Ids hold letters, digits and `_` only; anything else names nothing.
pub(crate) fn urlencode(id: &str) -> Result<&str, Failure> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(id)
    } else {
        Err(Failure::new(
            expacti_protocol::exit::NOT_FOUND,
            format!("no such id: {}", print::safe(id)),
        ))
    }
}
