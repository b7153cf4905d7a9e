//! Scores JSON lines from standard input, `{"command":"..."}`, one result line each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead, Write};

use expacti_engine::{Context, assess};

fn main() {
    let stdin = std::io::stdin();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    for line in stdin.lock().lines() {
        let line = line.unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let command = value["command"].as_str().unwrap();
        let context = Context {
            target: value["target"].as_str().unwrap_or_default().to_owned(),
            cwd: value["cwd"].as_str().map(str::to_owned),
            ..Context::default()
        };
        let assessment = assess(command.as_bytes(), &context);
        writeln!(out, "{}", serde_json::to_string(&assessment).unwrap()).unwrap();
    }
}
