//! Scores the paths that a command writes, deletes or changes. It must never treat an operand that it
//! cannot resolve as harmless.

use crate::Category;
use crate::modifier::Modifier;
use crate::parse::Word;
use crate::tables::{Arguments, PathLists, Program, Wraps, Writes};

use super::paths::{is_core, is_home, resolve};
use super::program::{find_is_narrowed, hands_on, pattern_of_find};
use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;

/// A path that is written, deleted or changed.
struct Target<'a> {
    word: &'a Word,
    path: String,
    role: Role,
}

/// What a path is to the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// What the command removes, overwrites or changes.
    Subject,
    /// Where the result goes: a directory or archive that an option names.
    Destination,
}

/// How the command treats all of its targets.
struct Usage<'a> {
    program_name: &'a str,
    destructive: bool,
    recursive: bool,
    moves: bool,
    /// `find` with tests, so that it takes only part of what is there.
    narrowed: bool,
}

/// Paths a command writes, deletes or changes.
pub(super) fn targets(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program_name: &str,
    program: &Program,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    if hands_on(program) {
        return;
    }
    // A use that only looks: `sgdisk --print /dev/sda`.
    if score.category == Category::Inspection && program.category != Category::Inspection {
        return;
    }
    let find = program.wraps == Some(Wraps::Find);
    if find && !score.modifiers.has(Modifier::Destructive) {
        return;
    }
    let operands = if find {
        starts_of_find(unit, arguments)
    } else {
        operands_written(program_name, program, arguments, score.category)
    };
    let word_at = |at: usize| unit.words.get(at);
    let mut found: Vec<Target<'_>> = operands
        .into_iter()
        .filter_map(word_at)
        .map(|word| {
            let path = resolve(&word.text, unit.cwd);
            Target { word, path, role: Role::Subject }
        })
        .collect();
    destinations(unit, program, arguments, &mut found);
    found.retain(|target| target.path != "-");
    // These change the category, which decides below what a path means.
    copies_only(scorer, unit, program_name, &found, score);
    moves_to_nowhere(program_name, &found, score);
    if !found.is_empty() && score.category.base() == 0 && program.wraps.is_none() {
        score.category = Category::FileWrite;
    }
    judge(scorer, unit, program_name, &found, score);
}

/// Where `find` starts: the operands in front of its first test.
fn starts_of_find(unit: &Unit<'_>, arguments: &Arguments<'_>) -> Vec<usize> {
    let first_test = unit
        .words
        .iter()
        .position(|word| word.text.starts_with(['-', '(', '!']))
        .unwrap_or(usize::MAX);
    arguments.operands.iter().map(|(_, at)| *at).take_while(|at| *at < first_test).collect()
}

/// Which words are the operands that a program writes.
fn operands_written(
    program_name: &str,
    program: &Program,
    arguments: &Arguments<'_>,
    category: Category,
) -> Vec<usize> {
    let all: Vec<usize> = arguments.operands.iter().map(|(_, at)| *at).collect();
    // sed's first operand is its script; the files follow.
    if matches!(program_name, "sed" | "gsed") && category == Category::FileWrite {
        return all.get(1..).unwrap_or(&[]).to_vec();
    }
    let to_directory =
        program.writes_to.iter().any(|option| arguments.has(&[option.as_str()]).is_some());
    match program.writes {
        Writes::All => all,
        Writes::Rest if all.len() > 1 => all.get(1..).unwrap_or(&[]).to_vec(),
        Writes::Rest => all,
        Writes::Last if to_directory || all.len() < 2 && program_name != "ln" => {
            // A single operand of a program for disks is the disk.
            if category == Category::Disk { all } else { Vec::new() }
        }
        Writes::Last => all.last().copied().into_iter().collect(),
        Writes::None => Vec::new(),
    }
}

/// Adds what options name as the place where the result goes: `-o FILE`, `of=FILE`.
fn destinations<'a>(
    unit: &Unit<'a>,
    program: &Program,
    arguments: &Arguments<'_>,
    found: &mut Vec<Target<'a>>,
) {
    let destination = |word: &'a Word, value: &str| {
        let path = resolve(value, unit.cwd);
        Target { word, path, role: Role::Destination }
    };
    for option in &program.writes_to {
        for flag in arguments.flags.iter().filter(|flag| flag.name == option) {
            if let (Some(value), Some(word)) = (flag.value, unit.words.get(flag.value_at)) {
                found.push(destination(word, value));
            }
        }
        let Some(key) = option.strip_suffix('=') else { continue };
        for word in unit.words.iter().skip(1) {
            let value = word.text.strip_prefix(key).and_then(|rest| rest.strip_prefix('='));
            if let Some(value) = value {
                found.push(destination(word, value));
            }
        }
    }
}

/// `dd` without an output, or to a plain file, only copies.
fn copies_only(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program_name: &str,
    found: &[Target<'_>],
    score: &mut SegmentScore,
) {
    if program_name != "dd" {
        return;
    }
    let path_lists = &scorer.tables.path_lists;
    let reads_device = unit
        .words
        .iter()
        .any(|word| word.text.strip_prefix("if=").is_some_and(|path| path_lists.is_device(path)));
    if !reads_device && !found.iter().any(|target| path_lists.is_device(&target.path)) {
        score.category = if found.is_empty() { Category::Inspection } else { Category::FileWrite };
    }
}

/// `mv x /dev/null` deletes what is moved.
fn moves_to_nowhere(program_name: &str, found: &[Target<'_>], score: &mut SegmentScore) {
    if !matches!(program_name, "mv" | "gmv") {
        return;
    }
    let Some(target) = found.iter().find(|target| target.path == "/dev/null") else { return };
    score.category = Category::FileDeletion;
    score.modifiers.add(Modifier::Destructive, target.word.span, "what is moved there is gone");
    score.modifiers.add(Modifier::Force, target.word.span, "nothing brings it back");
    if let Some(lost) = found.iter().find(|target| is_home(&target.path)) {
        score.modifiers.raise(95, lost.word.span, format!("{} is gone", lost.path));
    }
}

fn judge(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program_name: &str,
    found: &[Target<'_>],
    score: &mut SegmentScore,
) {
    let path_lists = &scorer.tables.path_lists;
    let find = program_name == "find";
    let usage = Usage {
        program_name,
        destructive: score.modifiers.has(Modifier::Destructive),
        recursive: score.modifiers.has(Modifier::Recursive) || find,
        moves: matches!(program_name, "mv" | "gmv"),
        narrowed: find && find_is_narrowed(unit.words),
    };
    for (at, target) in found.iter().enumerate() {
        // The first reason for a modifier is the one that is printed: the order here is part of it.
        where_it_lies(&usage, unit, target, path_lists, score);
        let moved_away = usage.moves && at + 1 < found.len();
        what_is_lost(&usage, target, moved_away, path_lists, score);
    }
    if find && usage.destructive {
        deletes_what_is_found(unit, found, score);
    }
    copies_nothing(unit, program_name, found, score, path_lists);
    overwrites(scorer, program_name, unit, found, score);
    stays_in_development(found, path_lists, score);
}

/// Applies what follows from where a path lies.
fn where_it_lies(
    usage: &Usage<'_>,
    unit: &Unit<'_>,
    target: &Target<'_>,
    path_lists: &PathLists,
    score: &mut SegmentScore,
) {
    let (program_name, path, span) = (usage.program_name, &target.path, target.word.span);
    if path_lists.is_device(path) {
        let overwrites = match score.category {
            Category::FileWrite | Category::FileDeletion => true,
            Category::Disk => usage.destructive || program_name == "dd",
            _ => usage.destructive,
        };
        if overwrites {
            let why = format!("{program_name} overwrites the device {path}");
            score.modifiers.raise(95, span, why);
        }
    }
    if path_lists.is_system(path) {
        let why = format!("{path} is where the system lives");
        score.modifiers.add(Modifier::SystemPath, span, why);
    }
    if path_lists.is_persistence(path) && score.category != Category::Inspection {
        let why = format!("{path} acts later, by itself");
        score.modifiers.add(Modifier::Persistence, span, why);
    }
    if path_lists.is_tamper(path)
        && score.category != Category::Inspection
        && !rotated(program_name, unit.words)
    {
        let why = format!("{path} belongs to logs, audit or protection");
        score.modifiers.add(Modifier::Tampering, span, why);
        // Logs exist to be appended to; changing existing lines is something else.
        if matches!(program_name, "sed" | "gsed" | "shred" | "truncate" | "touch") {
            score.modifiers.raise(50, span, format!("{path} is changed after the fact"));
        }
    }
}

/// Applies what is lost when a path is deleted, changed or moved away.
fn what_is_lost(
    usage: &Usage<'_>,
    target: &Target<'_>,
    moved_away: bool,
    path_lists: &PathLists,
    score: &mut SegmentScore,
) {
    let Usage { program_name, destructive, recursive, moves, narrowed } = *usage;
    let (path, span) = (&target.path, target.word.span);
    if moved_away && path_lists.holds_guarded(path) {
        score.modifiers.raise(50, span, format!("{path} may hold what is known by its path"));
    }
    if (destructive || recursive || moves) && is_home(path) {
        score.modifiers.add(Modifier::HomeData, span, format!("{path} is somebody's whole home"));
    }
    // The rest is about what the command works on, not about where its result goes.
    if target.role == Role::Destination {
        return;
    }
    let permissions = score.category == Category::Permissions;
    // The former modes and owners of a whole tree cannot be restored.
    if destructive || (permissions && recursive) {
        wide_or_open(target.word, path, score);
    }
    if !narrowed
        && is_core(path)
        && ((destructive || permissions) && recursive || (destructive && permissions) || moved_away)
    {
        let why = format!("{program_name} takes {path} and the system with it");
        score.modifiers.raise(95, span, why);
    }
    if (destructive || moved_away) && path_lists.is_vital(path) {
        score.modifiers.raise(95, span, format!("nobody can log in or boot without {path}"));
    }
}

/// `find` that deletes: what it finds is only known when it runs.
fn deletes_what_is_found(unit: &Unit<'_>, found: &[Target<'_>], score: &mut SegmentScore) {
    if let Some(word) = pattern_of_find(unit.words) {
        score.modifiers.add(Modifier::OpenEnded, word.span, format!("pattern {}", word.text));
    }
    if found.is_empty() {
        let why = "everything beneath the working directory";
        score.modifiers.add(Modifier::Wide, score.base_span, why);
    }
}

/// Takes points off if every path is known and is temporary or a build result.
fn stays_in_development(found: &[Target<'_>], path_lists: &PathLists, score: &mut SegmentScore) {
    let Some(first) = found.first() else { return };
    let outside =
        [Modifier::SystemPath, Modifier::Privilege, Modifier::Persistence, Modifier::Secret];
    let confined =
        found.iter().all(|target| target.word.known() && path_lists.is_temporary(&target.path))
            && !outside.into_iter().any(|modifier| score.modifiers.has(modifier));
    if confined {
        let why = "stays within temporary or development files";
        score.reducers.add(Modifier::Development, first.word.span, why);
    }
}

/// `cp /dev/null /etc/passwd` empties what it writes.
fn copies_nothing(
    unit: &Unit<'_>,
    program_name: &str,
    found: &[Target<'_>],
    score: &mut SegmentScore,
    path_lists: &PathLists,
) {
    if program_name != "cp" || unit.words.get(1).is_none_or(|word| word.text != "/dev/null") {
        return;
    }
    if let Some(target) = found.first() {
        score.category = Category::FileDeletion;
        score.modifiers.add(
            Modifier::Destructive,
            target.word.span,
            format!("empties {}", target.path),
        );
        score.modifiers.add(Modifier::Force, target.word.span, "nothing brings it back");
    }
    if let Some(target) = found.iter().find(|target| path_lists.is_vital(&target.path)) {
        score.modifiers.raise(95, target.word.span, format!("empties {}", target.path));
    }
}

/// `tee /etc/passwd` without `-a`, and writing `/proc/sysrq-trigger`.
fn overwrites(
    scorer: &Scorer<'_>,
    program_name: &str,
    unit: &Unit<'_>,
    found: &[Target<'_>],
    score: &mut SegmentScore,
) {
    let appends = unit.words.iter().any(|word| matches!(word.text.as_str(), "-a" | "--append"));
    for target in found.iter().filter(|_| matches!(program_name, "tee" | "sponge")) {
        if target.path == "/proc/sysrq-trigger"
            || (!appends && scorer.tables.path_lists.is_vital(&target.path))
        {
            score.modifiers.raise(95, target.word.span, format!("overwrites {}", target.path));
        }
    }
}

/// Applies what follows from a wildcard that takes all, or an operand only known at run time.
fn wide_or_open(word: &Word, path: &str, score: &mut SegmentScore) {
    let text = word.text.as_str();
    let last = text.rsplit('/').next().unwrap_or(text);
    if (word.flags.glob && matches!(last, "*" | ".*" | "*.*" | "**" | "?*"))
        || matches!(text, "." | "./" | ".." | "../")
    {
        score.modifiers.add(Modifier::Wide, word.span, format!("{text} is everything there"));
    } else if word.flags.glob {
        score.modifiers.add(Modifier::OpenEnded, word.span, format!("pattern {text}"));
    }
    if word.flags.dynamic
        && !word.flags.glob
        && (!word.flags.quoted || word.flags.substitution)
        && !path.starts_with('~')
    {
        score.modifiers.add(
            Modifier::OpenEnded,
            word.span,
            format!("{text} is only known when it runs"),
        );
    }
    // `rm -rf "$DIR"/*` is the root where the variable is empty.
    if word.flags.dynamic
        && text.starts_with('$')
        && (text.ends_with('/') || text.ends_with("/*"))
        && !path.starts_with('~')
    {
        score.modifiers.add(
            Modifier::Wide,
            word.span,
            format!("{text} is everything if the variable is empty"),
        );
    }
}

/// Only rotated logs are found, which are cleaned up every day.
fn rotated(program_name: &str, words: &[Word]) -> bool {
    program_name == "find"
        && pattern_of_find(words).is_some_and(|word| {
            [".gz", ".xz", ".bz2", ".zst", ".old", ".[0-9]", ".1"]
                .iter()
                .any(|end| word.text.ends_with(end))
        })
}
