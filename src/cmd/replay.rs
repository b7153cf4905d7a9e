//! `expacti replay`.

use std::io::Write as _;
use std::path::Path;

use expacti_protocol::client::ClientError;
use expacti_protocol::command::CommandView;
use expacti_protocol::session::SessionView;
use expacti_tui::{Format, Recording, ReplayOptions};

use crate::broker::Link;
use crate::cli::{ExportFormat, ReplayArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{print, segment};

/// Plays a recording, or writes it to a file.
pub(crate) async fn run(config: &Config, args: ReplayArgs) -> Outcome {
    let mut commands = Vec::new();
    let bytes = match std::fs::read(&args.session) {
        Ok(bytes) => bytes,
        Err(_) => {
            let link = Link::running_or_offline(config).await?;
            let id = segment::id(&args.session).map_err(|_| {
                Failure::new(
                    expacti_protocol::exit::NOT_FOUND,
                    format!(
                        "{} is neither a session nor a readable file",
                        print::safe(&args.session)
                    ),
                )
            });
            let id = id?;
            let fetched = link.client.get_bytes(&format!("/v1/sessions/{id}/recording")).await;
            if args.export.is_none() {
                commands = commands_of(&link, id).await.unwrap_or_default();
            }
            link.close().await;
            fetched?.to_vec()
        }
    };
    match &args.export {
        Some(path) => export(&bytes, path, &args)?,
        None => play(&bytes, &args, commands).await?,
    }
    Ok(0)
}

/// The commands of a session. Only the colours of its chapters depend on them.
async fn commands_of(link: &Link, id: &str) -> Result<Vec<CommandView>, ClientError> {
    // The full id: this list does not accept a part of one.
    let session: SessionView = link.client.get(&format!("/v1/sessions/{id}")).await?;
    link.client.get(&format!("/v1/commands?session={}&limit=10000", session.id)).await
}

/// Writes the recording in the requested format.
fn export(bytes: &[u8], path: &Path, args: &ReplayArgs) -> Result<(), Failure> {
    let format = match args.format {
        Some(ExportFormat::AsciicastV2) => Format::AsciicastV2,
        Some(ExportFormat::AsciicastV3) => Format::AsciicastV3,
        Some(ExportFormat::Txt) => Format::Text,
        None => Format::of_file(path),
    };
    let mut out = Vec::new();
    let cut = expacti_tui::export(bytes, format, &mut out)
        .map_err(|e| Failure::failed(format!("{} cannot be exported: {e}", args.session)))?;
    if path == Path::new("-") {
        std::io::stdout().lock().write_all(&out)?;
    } else {
        std::fs::write(path, &out)
            .map_err(|e| Failure::failed(format!("failed to write {}: {e}", path.display())))?;
        print::note(&format!("wrote {} bytes to {}", out.len(), path.display()));
    }
    if cut {
        print::note("the last line of the recording was cut off, and is left out");
    }
    Ok(())
}

async fn play(bytes: &[u8], args: &ReplayArgs, commands: Vec<CommandView>) -> Result<(), Failure> {
    if !(args.speed.is_finite() && args.speed > 0.0) {
        return Err(Failure::usage("--speed must be a number above 0"));
    }
    let recording = Recording::parse(bytes)
        .map_err(|e| Failure::failed(format!("{} cannot be played: {e}", args.session)))?;
    let options = ReplayOptions {
        speed: args.speed,
        idle_time_limit: args.idle_time_limit,
        ascii: args.ascii,
        no_color: std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
        commands,
        ..ReplayOptions::default()
    };
    expacti_tui::replay(recording, options).await?;
    Ok(())
}
