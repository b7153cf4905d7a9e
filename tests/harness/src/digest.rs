//! Small helpers for bulk data; must never depend on anything of expacti.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

/// SHA-256 of some bytes in hex, computed by coreutils so that no code under test is trusted.
///
/// # Errors
/// When `sha256sum` cannot be run.
pub fn digest(bytes: &[u8]) -> Result<String> {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to run sha256sum")?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(bytes)?;
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}
