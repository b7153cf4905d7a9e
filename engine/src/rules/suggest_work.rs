//! Proposes rules for working in one directory, from what people have approved there. It must never
//! propose a directory above those that were written to, nor a program that nobody approved there.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::Part;
use super::set::RuleSet;
use super::suggest::{ENOUGH, named};
use super::types::{Approved, Effect, MatchKind, Rule, Scope, Suggestion};
use super::work::{WorkRule, Working, room_of, work_pattern};
use crate::effects::Touched;
use crate::program::base_name;
use crate::restrict::Line;
use crate::{Looking, RiskTables, assess};

/// How long a suggested rule for working holds: one working day of 12 hours, in microseconds.
const EXPIRES: i64 = 12 * 3600 * 1_000_000;
const EXAMPLES: usize = 5;
/// How many approvals make a directory one to work in.
const OFTEN: usize = 5;

/// Programs that build, run or test what lies in a directory. Only these, and programs of the directory
/// itself, are proposed to run there whatever they do: one that installs, deploys or reaches out is not
/// part of working in a directory.
const TOOLS: &[&str] = &[
    "ant", "bundle", "c++", "cargo", "cc", "clang", "clang++", "cmake", "composer", "ctest",
    "deno", "dotnet", "eslint", "g++", "gcc", "gfortran", "go", "gradle", "java", "javac", "jest",
    "julia", "just", "ld", "lua", "make", "meson", "mocha", "mvn", "mypy", "ninja", "node", "npm",
    "perl", "php", "phpunit", "pnpm", "prettier", "pylint", "pytest", "python", "python3", "rake",
    "Rscript", "rspec", "ruby", "ruff", "rustc", "sbt", "swift", "tox", "tsc", "vitest", "yarn",
];

/// Verbs of such programs that install, publish or fetch.
const OUTWARD: &[&str] = &[
    "add",
    "ci",
    "exec",
    "get",
    "global",
    "i",
    "install",
    "login",
    "publish",
    "push",
    "remove",
    "uninstall",
    "update",
    "upgrade",
];

/// What an approved line does in one directory.
struct Work<'a> {
    entry: &'a Approved,
    /// The directories that it touches or runs something in.
    touched: BTreeSet<String>,
    /// The commands that do more there than to write what they name.
    runs: Vec<Vec<String>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    agent: String,
    target: String,
    /// The highest directory that may be worked in, above all that was touched.
    room: String,
}

/// Rules for working where people have approved that again and again; `covered` are the rules there are.
pub(super) fn suggest_work(
    open: &[&Approved],
    covered: &[Rule],
    denied: &[Vec<String>],
    now: i64,
) -> Vec<Suggestion> {
    let rules = RuleSet::build(covered.to_vec()).unwrap_or_default();
    let mut groups: BTreeMap<Key, Vec<Work<'_>>> = BTreeMap::new();
    for entry in open {
        if let Some((key, work)) = work_of(entry, &rules) {
            groups.entry(key).or_default().push(work);
        }
    }
    let mut out = Vec::new();
    for (key, works) in groups {
        let writes: Vec<&Work<'_>> = works.iter().filter(|work| work.runs.is_empty()).collect();
        let plain = propose(&key, &writes, Vec::new(), now);
        let runs = runs_of(&works, denied);
        let ran: Vec<&Work<'_>> = works.iter().filter(|work| is_among(work, &runs)).collect();
        let wider = if runs.is_empty() { None } else { propose(&key, &ran, runs, now) };
        out.extend(plain);
        out.extend(wider);
    }
    out
}

/// Where an approved line works and what it runs there; `None` where a rule for working cannot cover it.
fn work_of<'a>(entry: &'a Approved, rules: &RuleSet) -> Option<(Key, Work<'a>)> {
    let context = &entry.context;
    let assessment = assess(&entry.command, context);
    let line = Line::read_checked(&entry.command, context, RiskTables::builtin(), &assessment);
    let performance = line.performance.as_ref().ok()?;
    let begins_in = vec![context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
    let mut work = Work { entry, touched: BTreeSet::new(), runs: Vec::new() };
    let mut room: Option<String> = None;
    for command in &performance.commands {
        if rules.allowed_part(command, performance, &begins_in, context).is_ok() {
            continue;
        }
        let part = Part::of(command, &begins_in);
        // As in a rule for working.
        if part.objection(&Looking::default(), false).is_none() {
            continue;
        }
        let effects = &command.effects;
        let seen = command.fed || effects.stdin == "unused";
        let touched = || effects.writes.iter().chain(&effects.deletes);
        let directory = |touched: &Touched| {
            let path = touched.path.trim_end_matches('/');
            path.rsplit_once('/').map(|(above, _)| above.to_owned())
        };
        let mut places: Vec<String> = touched().filter_map(directory).collect();
        let here = command.directories.clone().unwrap_or_default();
        if places.is_empty() {
            places.clone_from(&here);
        }
        let first = room_of(places.first()?)?;
        let covers =
            WorkRule::parse(&pattern(&first, Vec::new())?).ok()?.covers(&part).is_ok() && seen;
        if !covers {
            let words = part.owned_words().filter(|_| !command.fed)?;
            is_tool(&words, &here, &first).then_some(())?;
            places = here;
            work.runs.push(words);
        }
        for place in places {
            let at = room_of(&place)?;
            if *room.get_or_insert_with(|| at.clone()) != at {
                return None;
            }
            work.touched.insert(place);
        }
    }
    let key = Key { agent: context.agent.clone(), target: context.target.clone(), room: room? };
    Some((key, work))
}

/// Whether a command builds, runs or tests what lies in the directory.
fn is_tool(words: &[String], here: &[String], room: &str) -> bool {
    let Some(program) = words.first() else { return false };
    let beneath = |path: &str| path.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'));
    if program.contains('/') {
        let lies = |one: &String| !one.is_empty() && (one == room || beneath(one));
        return program.starts_with("./") && !here.is_empty() && here.iter().all(lies)
            || beneath(program);
    }
    let outward = words.get(1).is_some_and(|verb| OUTWARD.contains(&verb.as_str()));
    // A module is a program of its own: `python3 -m pip install`.
    let module = words.iter().position(|word| word == "-m").and_then(|at| words.get(at + 1));
    let installs =
        module.is_some_and(|module| !TOOLS.contains(&module.as_str()) && module != "unittest");
    TOOLS.contains(&base_name(program)) && !outward && !installs
}

/// The commands to propose for running: those that were approved often enough, as narrow as they were.
fn runs_of(works: &[Work<'_>], denied: &[Vec<String>]) -> Vec<String> {
    let mut by_program: BTreeMap<Vec<String>, Vec<&[String]>> = BTreeMap::new();
    for words in works.iter().flat_map(|work| &work.runs) {
        by_program.entry(head(words)).or_default().push(words);
    }
    let glob = |(head, all): (Vec<String>, Vec<&[String]>)| {
        if all.len() < ENOUGH || denied.iter().any(|words| words.starts_with(&head)) {
            return None;
        }
        let plain = |word: &String| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&b))
        };
        let same = all.windows(2).all(|two| matches!(two, [a, b] if a == b));
        let words = if same { all.first().map(|words| words.to_vec())? } else { head };
        let more = if same { "" } else { " **" };
        words.iter().all(plain).then(|| format!("{}{more}", words.join(" ")))
    };
    by_program.into_iter().filter_map(glob).collect()
}

/// The program, with the verb where the program has verbs.
fn head(words: &[String]) -> Vec<String> {
    const VERBS: &[&str] =
        &["bundle", "cargo", "composer", "deno", "dotnet", "go", "npm", "pnpm", "yarn"];
    let verbs = words.first().is_some_and(|program| VERBS.contains(&program.as_str()));
    words.iter().take(if verbs { 2 } else { 1 }).cloned().collect()
}

/// Whether each command that a line runs is among these.
fn is_among(work: &Work<'_>, runs: &[String]) -> bool {
    work.runs.iter().all(|words| {
        let text = words.join(" ");
        runs.iter().any(|run| {
            run.strip_suffix(" **").map_or(*run == text, |head| words.starts_with(&split(head)))
        })
    })
}

fn split(head: &str) -> Vec<String> {
    head.split(' ').map(str::to_owned).collect()
}

fn propose(key: &Key, works: &[&Work<'_>], runs: Vec<String>, now: i64) -> Option<Suggestion> {
    let texts: BTreeSet<String> = works
        .iter()
        .map(|work| String::from_utf8_lossy(&work.entry.command).into_owned())
        .collect();
    if works.len() < OFTEN {
        return None;
    }
    let directory = common(works.iter().flat_map(|work| &work.touched), &key.room);
    let runs_anything = if runs.is_empty() { "" } else { "; what it runs there may do anything" };
    let why = format!("{} approvals work in {directory}{runs_anything}", works.len());
    let rule = Rule {
        scope: Scope {
            agent: named(&key.agent),
            target: named(&key.target),
            user: None,
            cwd: None,
        },
        reason: Some(format!("approved {} times", works.len())),
        created_at: now,
        expires_at: Some(now.saturating_add(EXPIRES)),
        ..Rule::new("", MatchKind::Work, pattern(&directory, runs)?, Effect::Allow)
    };
    let id = super::suggest::digest(&format!("{}\n{}\n{}", key.agent, key.target, rule.pattern));
    let rule = Rule { id: format!("suggested-{id}"), ..rule };
    RuleSet::build(vec![rule.clone()]).ok()?;
    let examples = texts.into_iter().take(EXAMPLES).collect();
    Some(Suggestion { rule, covers: works.len(), why, examples })
}

fn pattern(directory: &str, runs: Vec<String>) -> Option<String> {
    work_pattern(&Working { directory: directory.to_owned(), runs }).ok()
}

/// The lowest directory above all of these, at least `room`.
fn common<'a>(paths: impl Iterator<Item = &'a String>, room: &str) -> String {
    let mut shared: Option<Vec<&str>> = None;
    for path in paths {
        let parts: Vec<&str> = path.split('/').collect();
        let same = |known: Vec<&'a str>| {
            known.iter().zip(&parts).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect()
        };
        shared = Some(shared.map_or_else(|| parts.clone(), same));
    }
    shared
        .map(|parts| parts.join("/"))
        .filter(|path| path.starts_with(room))
        .unwrap_or_else(|| room.to_owned())
}
