//! What a command's operands, options, redirections and assignments mean: paths, hosts, secrets.
//! It must never treat an operand it cannot resolve as harmless.

use crate::Category;
use crate::modifier::Modifier;
use crate::parse::Word;
use crate::tables::{Arguments, Program, Wraps, Writes};

use super::paths::{is_core, is_home, resolve};
use super::program::{find_is_narrowed, hands_on, pattern_of_find};
use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;

/// A path that is written, deleted or changed.
struct Target<'a> {
    word: &'a Word,
    path: String,
    /// Only the directory or archive it goes to, not what is destroyed.
    removed: bool,
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
    let find = program.wraps == Some(Wraps::Find);
    if hands_on(program) {
        return;
    }
    let destructive = score.modifiers.has(Modifier::Destructive);
    // A use that only looks: `sgdisk --print /dev/sda`.
    if score.category == Category::Inspection && program.category != Category::Inspection {
        return;
    }
    let mut operands: Vec<usize> = if find {
        if !destructive {
            return;
        }
        arguments
            .operands
            .iter()
            .map(|(_, at)| *at)
            .take_while(|at| {
                *at < unit
                    .words
                    .iter()
                    .position(|word| word.text.starts_with(['-', '(', '!']))
                    .unwrap_or(usize::MAX)
            })
            .collect()
    } else {
        let all: Vec<usize> = arguments.operands.iter().map(|(_, at)| *at).collect();
        let to_directory =
            program.writes_to.iter().any(|option| arguments.has(&[option.as_str()]).is_some());
        match program.writes {
            Writes::All => all,
            Writes::Rest if all.len() > 1 => all.get(1..).unwrap_or(&[]).to_vec(),
            Writes::Rest => all,
            Writes::Last if to_directory || all.len() < 2 && program_name != "ln" => Vec::new(),
            Writes::Last => all.last().copied().into_iter().collect(),
            Writes::None => Vec::new(),
        }
    };
    if program.writes == Writes::Last && operands.is_empty() && score.category == Category::Disk {
        operands = arguments.operands.iter().map(|(_, at)| *at).collect();
    }
    // An editor or sed writes its files only where it is told to.
    if matches!(program_name, "sed" | "gsed") && score.category == Category::FileWrite {
        operands = arguments.operands.iter().skip(1).map(|(_, at)| *at).collect();
    }
    let mut found: Vec<Target<'_>> = Vec::new();
    for at in operands {
        let Some(word) = unit.words.get(at) else { continue };
        found.push(Target { word, path: resolve(&word.text, unit.cwd), removed: true });
    }
    for option in &program.writes_to {
        for flag in arguments.flags.iter().filter(|flag| flag.name == option) {
            if let (Some(value), Some(word)) = (flag.value, unit.words.get(flag.value_at)) {
                found.push(Target { word, path: resolve(value, unit.cwd), removed: false });
            }
        }
        if let Some(key) = option.strip_suffix('=') {
            for word in unit.words.iter().skip(1) {
                if let Some(value) =
                    word.text.strip_prefix(key).and_then(|rest| rest.strip_prefix('='))
                {
                    found.push(Target { word, path: resolve(value, unit.cwd), removed: false });
                }
            }
        }
    }
    found.retain(|target| target.path != "-");
    // `dd` without an output, or to a plain file, only copies.
    let reads_device = program_name == "dd"
        && unit.words.iter().any(|word| {
            word.text
                .strip_prefix("if=")
                .is_some_and(|path| scorer.tables.path_lists.is_device(path))
        });
    if program_name == "dd"
        && !reads_device
        && !found.iter().any(|target| scorer.tables.path_lists.is_device(&target.path))
    {
        score.category = if found.is_empty() { Category::Inspection } else { Category::FileWrite };
    }
    if matches!(program_name, "mv" | "gmv")
        && let Some(target) = found.iter().find(|target| target.path == "/dev/null")
    {
        score.category = Category::FileDeletion;
        score.modifiers.add(Modifier::Destructive, target.word.span, "what is moved there is gone");
        score.modifiers.add(Modifier::Force, target.word.span, "nothing brings it back");
        if let Some(lost) = found.iter().find(|target| is_home(&target.path)) {
            score.modifiers.raise(95, lost.word.span, format!("{} is gone", lost.path));
        }
    }
    if !found.is_empty() && score.category.base() == 0 && program.wraps.is_none() {
        score.category = Category::FileWrite;
    }
    judge(scorer, unit, program_name, &found, score);
}

fn judge(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program_name: &str,
    found: &[Target<'_>],
    score: &mut SegmentScore,
) {
    let path_lists = &scorer.tables.path_lists;
    let destructive = score.modifiers.has(Modifier::Destructive);
    let recursive = score.modifiers.has(Modifier::Recursive) || program_name == "find";
    let moves = matches!(program_name, "mv" | "gmv");
    for (at, Target { word, path, removed }) in found.iter().enumerate() {
        let span = word.span;
        if path_lists.is_device(path)
            && (destructive
                || matches!(
                    score.category,
                    Category::FileWrite | Category::Disk | Category::FileDeletion
                ))
        {
            let raw = destructive || program_name == "dd" || score.category != Category::Disk;
            if raw {
                score.modifiers.raise(
                    95,
                    span,
                    format!("{program_name} overwrites the device {path}"),
                );
            }
        }
        if path_lists.is_system(path) {
            score.modifiers.add(
                Modifier::SystemPath,
                span,
                format!("{path} is where the system lives"),
            );
        }
        if path_lists.is_persistence(path) && score.category != Category::Inspection {
            score.modifiers.add(
                Modifier::Persistence,
                span,
                format!("{path} acts later, by itself"),
            );
        }
        if path_lists.is_tamper(path)
            && score.category != Category::Inspection
            && !rotated(program_name, unit.words)
        {
            score.modifiers.add(
                Modifier::Tampering,
                span,
                format!("{path} belongs to logs, audit or protection"),
            );
            // Adding a line to a log is what logs are for; changing one that is there is not.
            if matches!(program_name, "sed" | "gsed" | "shred" | "truncate" | "touch") {
                score.modifiers.raise(50, span, format!("{path} is changed after the fact"));
            }
        }
        if moves && at + 1 < found.len() && path_lists.holds_guarded(path) {
            score.modifiers.raise(50, span, format!("{path} may hold what is known by its path"));
        }
        if (destructive || recursive || moves) && is_home(path) {
            score.modifiers.add(
                Modifier::HomeData,
                span,
                format!("{path} is somebody's whole home"),
            );
        }
        // What the modes and owners of a whole tree were is lost with the change.
        let changes_trees = score.category == Category::Permissions && recursive;
        if (destructive || changes_trees) && *removed {
            wide_or_open(word, path, score);
        }
        let permissions = score.category == Category::Permissions;
        let narrowed = program_name == "find" && find_is_narrowed(unit.words);
        if *removed
            && !narrowed
            && is_core(path)
            && ((destructive || permissions) && recursive
                || (destructive && permissions)
                || (moves && at + 1 < found.len()))
        {
            score.modifiers.raise(
                95,
                span,
                format!("{program_name} takes {path} and the system with it"),
            );
        }
        if *removed && (destructive || moves && at + 1 < found.len()) && path_lists.is_vital(path) {
            score.modifiers.raise(95, span, format!("nobody can log in or boot without {path}"));
        }
    }
    if program_name == "find" && destructive {
        if let Some(word) = pattern_of_find(unit.words) {
            score.modifiers.add(Modifier::OpenEnded, word.span, format!("pattern {}", word.text));
        }
        if found.is_empty() {
            score.modifiers.add(
                Modifier::Wide,
                score.base_span,
                "everything beneath the working directory",
            );
        }
    }
    copies_nothing(unit, program_name, found, score, path_lists);
    overwrites(scorer, program_name, unit, found, score);
    let confined = !found.is_empty()
        && found.iter().all(|target| target.word.known() && path_lists.is_temporary(&target.path))
        && ![Modifier::SystemPath, Modifier::Privilege, Modifier::Persistence, Modifier::Secret]
            .iter()
            .any(|modifier| score.modifiers.has(*modifier));
    if confined {
        let span = found.first().map_or(score.base_span, |target| target.word.span);
        score.reducers.add(
            Modifier::Development,
            span,
            "stays within temporary or development files",
        );
    }
}

/// `cp /dev/null /etc/passwd` empties what it writes.
fn copies_nothing(
    unit: &Unit<'_>,
    program_name: &str,
    found: &[Target<'_>],
    score: &mut SegmentScore,
    path_lists: &crate::tables::PathLists,
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

/// A wildcard that takes all, or an operand only known when it runs.
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
