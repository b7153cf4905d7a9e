//! Plays a recording: `cargo run --example replay -- FILE`.
#![allow(missing_docs)]

use std::io::BufReader;

use expacti_tui::{Recording, ReplayOptions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(file) = std::env::args().nth(1) else { anyhow::bail!("usage: replay FILE") };
    let recording = Recording::read(BufReader::new(std::fs::File::open(file)?))?;
    let options = ReplayOptions { idle_time_limit: Some(2.0), ..ReplayOptions::default() };
    expacti_tui::replay(recording, options).await
}
