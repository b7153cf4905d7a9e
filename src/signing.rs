//! The key with which whoever sits here signs.

use expacti_signing::SigningKey;

use crate::cli::KeyArg;
use crate::config::Config;
use crate::failure::Failure;

/// The key that is named on the command line, or else in the configuration.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn key(config: &Config, named: KeyArg) -> Result<Option<SigningKey>, Failure> {
    let Some(path) = named.key.or_else(|| config.signing_key()) else { return Ok(None) };
    SigningKey::load(&path).map(Some).map_err(|error| Failure::failed(error.to_string()))
}
