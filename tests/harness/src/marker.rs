//! Files on the target's side that commands append to; must never be written by the harness itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::until::until;

/// Evidence on the target: each run of [`Marker::touch`] adds a line.
#[derive(Debug, Clone)]
pub struct Marker {
    path: PathBuf,
}

impl Marker {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that adds one line, in one write.
    #[must_use]
    pub fn touch(&self) -> String {
        format!("echo ran >> {}", self.path.display())
    }

    /// Whether anything ran.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// How often it ran.
    #[must_use]
    pub fn count(&self) -> usize {
        fs::read_to_string(&self.path).map_or(0, |text| text.lines().count())
    }

    /// Waits until it ran at least once.
    ///
    /// # Errors
    /// When it does not within the deadline.
    pub fn wait(&self) -> Result<()> {
        until("the marker on the target", || Ok((self.count() > 0).then_some(())))
    }
}
