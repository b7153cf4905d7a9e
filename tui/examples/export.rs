//! Rewrites a recording: `cargo run --example export -- 2|3|text FILE`.
#![allow(missing_docs)]

use std::io::{BufReader, stdout};

use expacti_tui::Recording;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(format), Some(file)) = (args.next(), args.next()) else {
        anyhow::bail!("usage: export 2|3|text FILE");
    };
    let recording = Recording::read(BufReader::new(std::fs::File::open(file)?))?;
    match format.as_str() {
        "2" => recording.write_v2(stdout().lock())?,
        "3" => recording.write_v3(stdout().lock())?,
        _ => recording.write_text(stdout().lock())?,
    }
    Ok(())
}
