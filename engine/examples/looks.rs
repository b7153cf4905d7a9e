//! Reads JSON lines with `command` on standard input; prints for each whether it only looks, and why not,
//! what its commands do with a terminal, and where files configure them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::BufRead as _;

use expacti_engine::{Context, Looking, RiskTables};

fn main() {
    let tables = RiskTables::builtin();
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    let looking = Looking::default();
    for line in std::io::stdin().lock().lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let command = line.get("command").and_then(serde_json::Value::as_str).unwrap_or_default();
        let assessment = tables.assess(command.as_bytes(), &context);
        let report = tables.report(command.as_bytes(), &context, &looking).checked(&assessment);
        let why = report.why.clone().unwrap_or_default();
        let effects = report.commands.iter().map(|command| &command.effects);
        let terminal: BTreeSet<&str> = effects.clone().map(|done| done.terminal.as_str()).collect();
        let configured: BTreeSet<&String> = effects.flat_map(|done| &done.configured_by).collect();
        println!(
            "{}",
            serde_json::json!({
                "looks": report.looks,
                "why": why,
                "terminal": terminal,
                "configured": configured,
                "command": command,
            })
        );
    }
}
