//! `expacti webhook`.

use crate::cli::WebhookCommand;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Sends a test message; needs no broker.
pub(crate) async fn run(config: &Config, command: WebhookCommand, json: bool) -> Outcome {
    let WebhookCommand::Test { name } = command;
    let mut all = config.webhooks()?;
    if let Some(name) = &name {
        all.retain(|hook| hook.label() == *name);
    }
    if all.is_empty() {
        return Err(Failure::new(
            expacti_protocol::exit::NOT_FOUND,
            match name {
                Some(name) => format!("no webhook is called {}", print::safe(&name)),
                None => "config.toml has no [[webhook]]".to_owned(),
            },
        ));
    }
    let review = config.review_url();
    let mut results = Vec::new();
    for hook in &all {
        let result = hook.test(review.as_deref()).await;
        let error = result.as_ref().err().map(ToString::to_string);
        if !json {
            match &error {
                None => print::line(&format!("{}: sent", print::safe(&hook.label())))?,
                Some(why) => {
                    print::line(&format!("{}: {}", print::safe(&hook.label()), print::safe(why)))?;
                }
            }
        }
        results.push((hook.label(), error));
    }
    if json {
        let list: Vec<_> = results
            .iter()
            .map(|(name, error)| {
                serde_json::json!({"name": name, "ok": error.is_none(), "error": error})
            })
            .collect();
        print::json(&list)?;
    }
    Ok(u8::from(results.iter().any(|(_, error)| error.is_some())))
}
