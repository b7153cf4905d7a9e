//! The heads of brokers' logs that this machine has seen: a log that goes back, or forks, is refused.

use expacti_heads::{HeadError, HeadMemory, SeenHead};
use expacti_protocol::client::Client;
use expacti_protocol::exit;

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

impl From<HeadError> for Failure {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Ask(error) => error.into(),
            HeadError::Memory(_) => Self::failed(error.to_string()),
            HeadError::Refused(why) => Self::new(exit::REFUSED, why),
        }
    }
}

/// What this machine remembers of the broker that is configured.
pub(crate) fn memory(config: &Config) -> Result<HeadMemory, Failure> {
    // The address as it is configured: a broker that this command has opened has another socket.
    Ok(HeadMemory::new(config.home.heads_seen(), config.endpoint()?.display()))
}

/// Asks the broker for the head of its log, and refuses one that does not add to the last one that was seen
/// of this broker. What is seen first is taken as it is.
///
/// # Errors
/// With both heads, where the log went back or forks.
pub(crate) async fn check(config: &Config, client: &Client) -> Result<(), Failure> {
    let memory = memory(config)?;
    let Some(now) = memory.check(client).await? else { return Ok(()) };
    if let Err(e) = remember(config, &memory, &now) {
        print::note(&e.to_string());
    }
    Ok(())
}

fn remember(config: &Config, memory: &HeadMemory, now: &SeenHead) -> Result<(), Failure> {
    if let Some(directory) = config.home.heads_seen().parent() {
        expacti_broker::private_dir(directory)?;
    }
    Ok(memory.remember(now)?)
}

/// `expacti audit accept`: takes the log as it is now, whatever was seen of it.
pub(crate) async fn accept(config: &Config, client: &Client, json: bool) -> Outcome {
    let memory = memory(config)?;
    let (seen, now) = (memory.seen()?, HeadMemory::present(client).await?);
    memory.accept(now.as_ref())?;
    if json {
        print::json(&serde_json::json!({"seen": seen, "now": now}))?;
        return Ok(0);
    }
    let said = |head: &Option<SeenHead>| head.as_ref().map_or("nothing".to_owned(), describe);
    print::line(&format!("seen      {}", said(&seen)))?;
    print::line(&format!("accepted  {}", said(&now)))?;
    Ok(0)
}

fn describe(head: &SeenHead) -> String {
    print::safe(&format!("{head}, signed by {}", head.key))
}
