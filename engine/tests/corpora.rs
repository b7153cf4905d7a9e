//! Measures the engine over public corpora of commands, where they are: beside the work tree, or in
//! the folder that `EXPACTI_CORPORA` names.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeMap;

use expacti_engine::{Assessment, Context, Level, Outcome, RuleSet, assess, default_rules};
use expacti_harness::prerequisites;

struct Line {
    command: String,
    label: String,
    programs: Vec<String>,
    valid: bool,
}

fn load(name: &str) -> Option<Vec<Line>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora").into();
    let folder = std::env::var_os("EXPACTI_CORPORA").unwrap_or(beside);
    let Ok(text) = std::fs::read_to_string(std::path::Path::new(&folder).join(name)) else {
        prerequisites::not_applicable(&format!(
            "the corpus {name} is no part of the project; EXPACTI_CORPORA names its folder"
        ));
        return None;
    };
    let line = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Line {
            command: value["command"].as_str().unwrap().to_owned(),
            label: value["label"].as_str().unwrap_or_default().to_owned(),
            programs: value["programs"].as_array().map_or_else(Vec::new, |list| {
                list.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect()
            }),
            valid: value["valid"].as_bool().unwrap_or(true),
        }
    };
    Some(text.lines().map(line).collect())
}

fn score(line: &Line) -> Assessment {
    assess(line.command.as_bytes(), &Context::default())
}

#[test]
fn risky_lines_are_at_least_medium() {
    let Some(lines) = load("shellfirm.jsonl") else { return };
    let risky: Vec<Assessment> =
        lines.iter().filter(|line| line.label == "risky").map(score).collect();
    let low = risky.iter().filter(|a| a.level < Level::Medium).count();
    println!(
        "{} risky lines, {low} below MEDIUM, {} below HIGH",
        risky.len(),
        risky.iter().filter(|a| a.level < Level::High).count()
    );
    assert!(low * 100 <= risky.len(), "{low} of {}", risky.len());
}

#[test]
fn everyday_lines_that_only_read_are_seldom_high() {
    for name in ["nl2bash.jsonl", "tldr.jsonl"] {
        let Some(lines) = load(name) else { continue };
        let mut levels: BTreeMap<Level, usize> = BTreeMap::new();
        let mut reading = 0;
        let mut high = 0;
        for assessment in lines.iter().map(score) {
            *levels.entry(assessment.level).or_default() += 1;
            // `<F2>` names a key: there is no command in it, and nothing a shell could read.
            let reads = assessment.segments.iter().any(|segment| segment.program.is_some())
                && assessment
                    .segments
                    .iter()
                    .all(|segment| segment.category == expacti_engine::Category::Inspection);
            reading += usize::from(reads);
            high += usize::from(reads && assessment.level >= Level::High);
        }
        println!("{name}: {levels:?}; of {reading} that only read {high} are HIGH or above");
        assert!(high * 100 <= reading * 3, "{high} of {reading}");
    }
}

#[test]
fn the_default_rule_allows_no_more_of_an_attack_than_a_look() {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    let set = RuleSet::build(default_rules()).unwrap();
    let allowed =
        |line: &&Line| set.judge(line.command.as_bytes(), &context).verdict == Outcome::Allow;
    if let Some(lines) = load("atomic-red-team.jsonl") {
        // Those that pass tell of the system and change nothing: `hostname`, `cat /etc/shells`.
        let found: Vec<&str> =
            lines.iter().filter(allowed).map(|line| line.command.as_str()).collect();
        println!("{} of {} lines of attacks only look: {found:#?}", found.len(), lines.len());
        assert!(found.len() * 100 <= lines.len() * 12, "{} of {}", found.len(), lines.len());
    }
    if let Some(lines) = load("shellfirm.jsonl") {
        let risky = lines.iter().filter(|line| line.label == "risky");
        let found: Vec<&str> = risky.filter(allowed).map(|line| line.command.as_str()).collect();
        assert_eq!(found, Vec::<&str>::new());
    }
    if let Some(lines) = load("agent-commands.jsonl") {
        let found = lines.iter().filter(allowed).count();
        println!("{found} of {} lines of agents only look", lines.len());
        assert!(found * 100 >= lines.len() * 38, "{found} of {}", lines.len());
    }
}

#[test]
fn every_program_of_the_parser_cases_is_found() {
    let Some(lines) = load("parser-cases.jsonl") else { return };
    for line in &lines {
        let assessment = score(line);
        assert!(line.valid || assessment.uninspectable, "{}", line.command);
        let mut found: Vec<&str> =
            assessment.segments.iter().map(|s| s.program.as_deref().unwrap_or("?")).collect();
        for program in &line.programs {
            // The corpus writes odd characters as escapes, and `?` for a name that is made at run time,
            // which here may be followed to what it is.
            if program == "?" || program.contains('\\') {
                continue;
            }
            let at = found.iter().position(|name| name == program);
            assert!(at.is_some(), "{program} not found in {:?}: {found:?}", line.command);
            found.swap_remove(at.unwrap());
        }
    }
}
