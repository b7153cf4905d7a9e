//! `expacti pending`.

use expacti_protocol::command::CommandView;

use crate::broker::Link;
use crate::config::Config;
use crate::failure::Outcome;
use crate::print;

/// Lists what waits for a decision.
pub(crate) async fn run(config: &Config, json: bool) -> Outcome {
    let link = Link::running(config)?;
    let all: serde_json::Value = link.client.get("/v1/pending").await?;
    if json {
        print::json(&all)?;
        return Ok(0);
    }
    let all: Vec<CommandView> = serde_json::from_value(all)?;
    if all.is_empty() {
        print::note("nothing waits for a decision");
        return Ok(0);
    }
    let now_ms = expacti_protocol::now_micros() / 1000;
    let rows: Vec<_> = all
        .iter()
        .map(|c| {
            let anomaly = if c.anomaly { " !" } else { "" };
            vec![
                c.id.to_string(),
                format!("{} {}{anomaly}", c.risk_score, print::level(c.level)),
                print::span((c.deadline_ms - now_ms) / 1000),
                print::agent(&c.session),
                print::safe(&format!("{}@{}", c.session.user, c.session.target)),
                match &c.headline {
                    Some(sentence) => print::safe(&format!("{} ({sentence})", c.text.command)),
                    None => print::safe(c.masked.as_ref().unwrap_or(&c.text.command)),
                } + &input(c),
            ]
        })
        .collect();
    print::table(&["ID", "RISK", "LEFT", "AGENT", "TARGET", "COMMAND"], &rows)?;
    Ok(0)
}

/// What came with a command on standard input, in a few words.
fn input(command: &CommandView) -> String {
    let Some(input) = command.input.as_deref() else { return String::new() };
    let Some(came) = &input.came else { return String::new() };
    let digest: String = came.given.sha256.to_string().chars().take(12).collect();
    let end = if came.given.ended { "" } else { " so far" };
    let what = print::safe(&input.report.describe());
    format!(
        "  [standard input: {} bytes of {}{end}, {what}, sha256 {digest}]",
        came.given.bytes, came.kind
    )
}
