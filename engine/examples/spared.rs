//! Reads JSON lines with `command` on standard input and replays them as one day of work: with the rule
//! for what only looks, people approve the first part of them; `suggest` proposes rules; the rest is
//! judged with those. `spared [PERCENT [DIRECTORY]]`: how much of it is the first part (50), and where each
//! line begins (`~`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::BufRead as _;

use expacti_engine::{Approved, Context, Outcome, Rule, RuleSet, default_rules, suggest};

fn main() {
    let percent: usize = std::env::args().nth(1).map_or(50, |text| text.parse().unwrap());
    let context = Context {
        agent: "bot".to_owned(),
        target: "web-1".to_owned(),
        cwd: Some(std::env::args().nth(2).unwrap_or_else(|| "~".to_owned())),
        resolves_paths: true,
        shell: Some("bash".to_owned()),
        ..Context::default()
    };
    let read = |line: std::io::Result<String>| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let command = line["command"].as_str().unwrap_or_default().as_bytes().to_vec();
        Approved { command, context: context.clone(), allowed: true }
    };
    let all: Vec<Approved> = std::io::stdin().lock().lines().map(read).collect();
    let (day, rest) = all.split_at(all.len() * percent / 100);
    let looks = default_rules();
    let asked = |rules: &[Rule], lines: &[Approved]| {
        let set = RuleSet::build(rules.to_vec()).unwrap();
        let asks =
            |line: &&Approved| set.judge(&line.command, &line.context).verdict != Outcome::Allow;
        lines.iter().filter(asks).count()
    };
    let say = |what: &str, asked: usize, of: usize| {
        println!(
            "{what}: {asked} of {of} need a person ({:.1} %)",
            100.0 * asked as f64 / of as f64
        );
    };
    say("looks alone", asked(&looks, &all), all.len());
    let found = suggest(day, &looks, 0);
    println!(
        "{} rules suggested; of the first part they spare {}",
        found.rules.len(),
        found.spared
    );
    let with: Vec<Rule> =
        looks.iter().chain(found.rules.iter().map(|found| &found.rule)).cloned().collect();
    say("first part, with them", asked(&with, day), day.len());
    if !rest.is_empty() {
        say("rest, looks alone", asked(&looks, rest), rest.len());
        say("rest, with them", asked(&with, rest), rest.len());
    }
    for suggestion in found.rules.iter().take(40) {
        eprintln!("{:4}  {}", suggestion.covers, suggestion.rule.pattern);
    }
}
