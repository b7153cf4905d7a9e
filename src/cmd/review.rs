//! `expacti review`.

use expacti_protocol::client::Client;
use expacti_tui::{Confirm, KeyMap, ReviewOptions};

use super::audit_heads;
use crate::cli::ReviewArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Opens the reviewer's screen; starts this machine's broker and gate if they are not running.
pub(crate) fn run(config: &Config, args: ReviewArgs) -> Outcome {
    if config.is_local() {
        crate::daemon::up(config)?;
    }
    let switches = config.review();
    let keymap = match config.section("review.keys") {
        Some(text) => toml::from_str::<KeyMap>(&text).map_err(|e| {
            Failure::usage(format!("the section [review.keys] of the configuration: {e}"))
        })?,
        None => KeyMap::default(),
    };
    let confirm = match config.section("review.confirm") {
        Some(text) => toml::from_str::<Confirm>(&text).map_err(|e| {
            Failure::usage(format!("the section [review.confirm] of the configuration: {e}"))
        })?,
        None => Confirm::default(),
    };
    let key = crate::signing::key(config, args.key)?.map(std::sync::Arc::new);
    let options = ReviewOptions {
        key,
        ascii: switches.ascii || args.ascii,
        no_color: std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
        notify: switches.notify && !args.no_notify,
        bell: switches.bell && !args.no_bell,
        sound: switches.sound,
        quiet_hours: config.quiet_hours()?,
        keymap,
        confirm,
        ..ReviewOptions::new(config.endpoint()?)
    };
    let runtime = crate::runtime::start()?;
    let client = Client::new(config.endpoint()?)?;
    runtime.block_on(audit_heads::check(config, &client))?;
    match runtime.block_on(expacti_tui::review(options)) {
        Ok(()) => Ok(0),
        Err(e) => Err(match e.downcast::<expacti_protocol::client::ClientError>() {
            Ok(client) => client.into(),
            Err(other) => other.into(),
        }),
    }
}
