//! `expacti replay`.

use std::io::Write as _;
use std::path::Path;

use crate::broker::Link;
use crate::cli::ReplayArgs;
use crate::cmd::decide::urlencode;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Plays a recording, or writes it to a file.
pub(crate) async fn run(config: &Config, args: ReplayArgs) -> Outcome {
    let bytes = match std::fs::read(&args.session) {
        Ok(bytes) => bytes,
        Err(_) => {
            let link = Link::any(config).await?;
            let fetched = link
                .client
                .get_bytes(&format!("/v1/sessions/{}/recording", urlencode(&args.session)?))
                .await;
            link.close().await;
            fetched?.to_vec()
        }
    };
    match &args.export {
        Some(path) if path == Path::new("-") => std::io::stdout().lock().write_all(&bytes)?,
        Some(path) => {
            std::fs::write(path, &bytes)
                .map_err(|e| Failure::new(1, format!("failed to write {}: {e}", path.display())))?;
            print::note(&format!("wrote {} bytes to {}", bytes.len(), path.display()));
        }
        None => return Err(Failure::new(1, "not yet")),
    }
    Ok(0)
}
