//! Masks each line of standard input, and says how long that took:
//! `cargo run --release --example mask < lines`.

use std::io::Read as _;
use std::time::Instant;

use expacti_engine::mask_secrets;

fn main() -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    // A line of JSON with `command`, or the line itself.
    let command = |line: &str| {
        let value: Option<serde_json::Value> = serde_json::from_str(line).ok();
        let command = value.as_ref().and_then(|value| value.get("command")?.as_str());
        command.unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = text.lines().map(command).collect();
    let quiet = std::env::args().any(|argument| argument == "--quiet");
    let mut times = Vec::with_capacity(lines.len());
    for line in &lines {
        // The first look compiles the expressions.
        let _ = mask_secrets(line.as_bytes());
        let start = Instant::now();
        let masked = mask_secrets(line.as_bytes());
        times.push(start.elapsed());
        if !quiet {
            println!(
                "{}\t{}",
                if masked.masked { "masked" } else { "-" },
                masked.text.replace('\n', "\\n")
            );
        }
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied();
    if let (Some(half), Some(most), Some(all)) = (at(50), at(99), times.last()) {
        eprintln!("{} lines: p50 {half:?}, p99 {most:?}, at most {all:?}", times.len());
    }
    Ok(())
}
