//! The rule for working in one directory: what creates and changes regular files and directories
//! beneath it, and only looks otherwise. It must never allow a write whose whole path is not on the
//! line; where that path leads on the target, the gate looks before it delivers ([`Beneath`]).

use serde::{Deserialize, Serialize};

use super::RuleSet;
use super::compose::Part;
use super::looks;
use super::pattern::GlobPattern;
use super::set::{holds, is_alive};
use super::types::{Rule, Scope};
use crate::effects::{
    Performance, Performed, Touched, Understood, Value, climbs, objection, understand,
};
use crate::program::base_name;
use crate::restrict::Line;
use crate::tables::{Act, Kind, RiskTables};
use crate::{Class, Context, Effects, Looking};

/// The words of such a rule's pattern.
const WORD: &str = "work";
const RUN: &str = "--run";

/// How long such a rule lasts at most, in microseconds: a day.
const LONGEST: i64 = 24 * 60 * 60 * 1_000_000;

/// What a work rule says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Working {
    /// The directory beneath which files may be created and changed.
    pub directory: String,
    /// Globs of the commands that may run there, whatever they do.
    pub runs: Vec<String>,
}

/// Paths that must lie beneath a directory on the target for a line to be allowed: a symbolic link
/// must not lead out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beneath {
    /// The directory, absolute or below `~`.
    pub directory: String,
    /// The paths, absolute or below `~`, without `.`, `..` and `//`.
    pub paths: Vec<String>,
}

impl Beneath {
    /// Why the directory is none to work in, now that it is known where it really lies.
    #[must_use]
    pub fn refuses_directory(&self, real: &str, home: &str) -> Option<String> {
        let holds_home = is_beneath(home, real) || real == "/";
        // What lies in a home directory that the system has (`/var/lib/jenkins`) is no part of it.
        let own = self.directory.starts_with("~/") && is_beneath(real, home);
        if holds_home {
            return Some(format!("{} is {real}, where the home directory lies", self.directory));
        }
        let why = if own { return None } else { checked(real).err()? };
        Some(format!("{} is {real}: {why}", self.directory))
    }

    /// Why a path is not beneath the directory, now that it is known where both really lie.
    #[must_use]
    pub fn refuses_path(&self, path: &str, real: &str, directory: &str) -> Option<String> {
        let rest = real.strip_prefix(directory).filter(|_| is_beneath(real, directory));
        let Some(rest) = rest else {
            return Some(format!("{path} leads out of {} to {real}", self.directory));
        };
        special_part(rest)
            .map(|part| format!("{path} leads to {real}: {part:?} may configure programs"))
    }
}

/// A work rule, compiled.
#[derive(Clone, Debug)]
pub(super) struct WorkRule {
    directory: String,
    runs: Vec<GlobPattern>,
}

/// Programs that write exactly what their operands name, with the options under which that is so. What
/// makes links, copies whole directories, sets permissions or keeps them is not among them.
const WRITERS: &[(&str, &[&str])] = &[
    ("cp", &["-f", "-n", "-u", "-v", "-T", "-t", "--reflink", "--sparse"]),
    ("dd", &["if", "of", "bs", "ibs", "obs", "count", "skip", "iseek", "status"]),
    ("mkdir", &["-p", "-v"]),
    ("mv", &["-f", "-n", "-u", "-v", "-T", "-t"]),
    ("rm", &["-f", "-v", "-d"]),
    ("rmdir", &["-v", "--ignore-fail-on-non-empty"]),
    ("sed", &["-n", "-E", "-r", "-s", "-z", "-e", "-i", "--in-place", "--regexp-extended"]),
    ("tee", &["-a"]),
    ("touch", &["-a", "-c", "-m", "-h", "-d", "-t", "-r"]),
    ("truncate", &["-s", "-c"]),
    ("unlink", &[]),
];

/// Whether a directory or file of that name configures programs, or is looked for as a program. A
/// directory `config` is anybody's; the file is git's, as is `HEAD`.
fn is_special(name: &str, last: bool) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with('.')
        || name.ends_with(".git")
        || matches!(name.as_str(), "bin" | "sbin")
        || last && matches!(name.as_str(), "config" | "head")
}

/// The part of what lies beneath a directory that is special.
fn special_part(rest: &str) -> Option<&str> {
    let last = rest.rsplit('/').next();
    rest.split('/').find(|part| is_special(part, Some(*part) == last))
}

/// Directories that belong to nobody's work, with all that lies in them.
const SYSTEM: &[&str] = &[
    "/Applications",
    "/Library",
    "/System",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix",
    "/proc",
    "/run",
    "/sbin",
    "/snap",
    "/sys",
    "/usr",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/mail",
    "/var/run",
    "/var/spool",
    "/root/bin",
    "~/bin",
    "~/go/bin",
    "/lost+found",
];

/// Directories in which work has directories of its own.
const SHARED: &[&str] = &[
    "/", "/Users", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/opt",
    "/var/tmp", "/var/www", "~",
];

/// The pattern of a work rule.
///
/// # Errors
/// Says what is wrong with the directory or with a command that may run.
pub fn work_pattern(working: &Working) -> Result<String, String> {
    let directory = checked(&working.directory)?;
    let mut out = format!("{WORD} '{directory}'");
    for run in &working.runs {
        check_run(run)?;
        out.push_str(&format!(" {RUN} '{run}'"));
    }
    Ok(out)
}

/// Whether a rule for working somewhere ends as it must.
pub(super) fn check_end(rule: &Rule) -> Result<(), String> {
    let lasts = rule.expires_at.map(|end| end.saturating_sub(rule.created_at));
    match lasts {
        Some(lasts) if lasts <= LONGEST => Ok(()),
        Some(_) => Err("a rule for working in a directory lasts 24 hours at most".to_owned()),
        None => Err("a rule for working in a directory must have an end".to_owned()),
    }
}

fn check_run(run: &str) -> Result<GlobPattern, String> {
    let wrong = |why: &str| Err(format!("{RUN} {run}: {why}"));
    if run.contains('\'') {
        return wrong("use double quotes in it");
    }
    let pattern = match GlobPattern::parse(run) {
        Ok(pattern) => pattern,
        Err(why) => return wrong(&why),
    };
    if pattern.program().is_none() {
        return wrong("it must name the program; `*` cannot stand for it");
    }
    Ok(pattern)
}

/// The directory, if it is one to work in.
fn checked(directory: &str) -> Result<String, String> {
    let clean = directory.trim_end_matches('/');
    let clean = if clean.is_empty() { "/" } else { clean };
    let wrong = |why: &str| Err(format!("--work {directory}: {why}"));
    if !directory.starts_with('/') && !directory.starts_with("~/") {
        return wrong("give the absolute path of a directory on the target, or one below ~/");
    }
    if clean.split('/').any(|part| matches!(part, "." | "..")) || clean.contains("//") {
        return wrong("`.`, `..` and `//` are not read here");
    }
    if clean.contains(['\'', '*', '?', '[']) || !clean.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return wrong("a directory is plain text: printable ASCII, without quotes and wildcards");
    }
    let is_home = |top: &str| {
        clean.strip_prefix(top).is_some_and(|name| !name.is_empty() && !name.contains('/'))
    };
    if clean == "~" || clean == "/root" || is_home("/home/") || is_home("/Users/") {
        return wrong("a home directory configures programs: name a directory in it");
    }
    if SHARED.contains(&clean) {
        return wrong("others have their files there, too: name a directory in it");
    }
    let lists = &RiskTables::builtin().path_lists;
    if SYSTEM.iter().any(|system| is_beneath(clean, system))
        || lists.is_system(&format!("{clean}/x"))
    {
        return wrong("the system has its files there");
    }
    if let Some(part) = clean.split('/').find(|part| is_special(part, false)) {
        return wrong(&format!("programs are looked for or configured in {part:?}"));
    }
    Ok(clean.to_owned())
}

/// The highest directory that holds this one and may be worked in; it may be the directory itself.
pub(super) fn room_of(directory: &str) -> Option<String> {
    let ends = directory.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    ends.chain([directory.len()]).find_map(|end| checked(directory.get(..end)?).ok())
}

fn is_beneath(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl WorkRule {
    /// Reads the pattern of a work rule, `work '/srv/app' --run 'pytest **'`; the error says what is
    /// wrong with it.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let mut words = looks::words(pattern)?.into_iter();
        if words.next().as_deref() != Some(WORD) {
            return Err(format!("the pattern of such a rule begins with `{WORD}`"));
        }
        let directory = words.next().ok_or_else(|| format!("{WORD} needs a directory"))?;
        let directory = checked(&directory)?;
        let mut runs = Vec::new();
        while let Some(word) = words.next() {
            if word != RUN {
                return Err(format!("{word:?} is no part of a work rule"));
            }
            let run = words.next().ok_or_else(|| format!("{RUN} needs a command"))?;
            runs.push(check_run(&run)?);
        }
        Ok(Self { directory, runs })
    }

    /// Whether a path lies in the directory, and no part of its name is special.
    fn holds_path(&self, path: &str) -> Result<(), String> {
        let directory = &self.directory;
        let Some(rest) =
            path.strip_prefix(directory.as_str()).filter(|_| is_beneath(path, directory))
        else {
            return Err(format!("{path} lies outside of {directory}"));
        };
        match special_part(rest) {
            Some(part) => Err(format!("{path}: {part:?} may configure programs")),
            None => Ok(()),
        }
    }

    /// Whether the command may run there, whatever it does.
    fn may_run(&self, part: &Part<'_>) -> bool {
        let there = part.command.directories.as_ref().is_some_and(|all| {
            !all.is_empty() && all.iter().all(|one| self.holds_path(one).is_ok())
        });
        let words = part.words.as_ref();
        !part.command.fed
            && there
            && words.is_some_and(|words| self.runs.iter().any(|run| run.matches(words)))
    }

    /// The paths that a command touches, if it does nothing but work in the directory; otherwise why
    /// not.
    pub(super) fn covers(&self, part: &Part<'_>) -> Result<Vec<String>, String> {
        let command = part.command;
        if self.may_run(part) {
            // Where it runs is where it must be.
            return Ok(command.directories.clone().unwrap_or_default());
        }
        let effects = &command.effects;
        let looking = Performed {
            effects: Effects { writes: Vec::new(), deletes: Vec::new(), ..effects.clone() },
            ..command.clone()
        };
        if let Some(why) = objection(&looking, &Looking::default(), false) {
            return Err(why);
        }
        let mut paths = Vec::new();
        for (touched, deletes) in all_of(effects) {
            self.covers_path(touched, deletes)?;
            paths.push(touched.path.clone());
        }
        for name in names_inside(command)? {
            let inside: Vec<String> =
                effects.writes.iter().map(|to| format!("{}/{name}", to.path)).collect();
            inside.iter().try_for_each(|path| self.holds_path(path))?;
            paths.extend(inside);
        }
        Ok(paths)
    }

    fn covers_path(&self, touched: &Touched, deletes: bool) -> Result<(), String> {
        let path = &touched.path;
        if touched.open {
            return Err(format!("not all of the path {path} is known"));
        }
        if touched.climbs {
            return Err(format!("`..` on the way to {path} may lead elsewhere"));
        }
        if touched.deep {
            return Err(format!("{path} with all that lies in it"));
        }
        if deletes && *path == self.directory {
            return Err(format!("deletes {path} itself"));
        }
        match touched.class {
            Class::Plain => self.holds_path(path),
            Class::Secret => Err(format!("{path} holds a secret")),
            Class::Device | Class::System => Err(format!("{path} belongs to the system")),
        }
    }
}

/// What is written and what is deleted.
fn all_of(effects: &Effects) -> impl Iterator<Item = (&Touched, bool)> {
    let deletes = effects.deletes.iter().map(|touched| (touched, true));
    effects.writes.iter().map(|touched| (touched, false)).chain(deletes)
}

/// The names that a program may give to what it writes into a directory: `cp a/b DIR` writes `DIR/b`.
/// An error says why the program may write something else than it names.
fn names_inside(command: &Performed) -> Result<Vec<String>, String> {
    let Some((program, understood)) = understood(command) else { return Ok(Vec::new()) };
    let written =
        |kind| matches!(kind, Kind::Attributes | Kind::Delete | Kind::Directory | Kind::Output);
    let acts = &understood.acts;
    let writes = understood.uses.iter().any(|used| written(used.kind))
        || [Act::Beside, Act::Deletes, Act::InPlace, Act::Writes]
            .into_iter()
            .any(|act| acts.has(act));
    if !writes {
        return Ok(Vec::new());
    }
    let Some((_, options)) = WRITERS.iter().find(|(name, _)| *name == program) else {
        return Err(format!("{program} is not known to write only what its words name"));
    };
    for (name, value) in &understood.options {
        // The ending of a copy that is kept may be a path.
        let keeps = matches!(&**name, "-i" | "--in-place") && value.is_some();
        if keeps || !options.contains(&&**name) {
            return Err(format!("{program} {name} does more than to write what it names"));
        }
    }
    if !matches!(program, "cp" | "mv") {
        return Ok(Vec::new());
    }
    let sources =
        understood.uses.iter().filter(|used| matches!(used.kind, Kind::Delete | Kind::Input));
    sources.map(|used| name_of(&used.value)).collect()
}

fn name_of(source: &Value) -> Result<String, String> {
    let name = source.as_literal().map(|path| base_name(path.trim_end_matches('/')));
    match name {
        Some("" | "." | ".." | "~") | None => Err(format!("{} has no name", source.text)),
        Some(name) => Ok(name.to_owned()),
    }
}

/// The program and what its words mean; `None` for what the shell does itself.
fn understood(command: &Performed) -> Option<(&str, Understood)> {
    let (first, rest) = command.words.split_first()?;
    let program = base_name(first.as_literal()?);
    let grammar = RiskTables::builtin().grammar(program)?;
    Some((program, understand(grammar, rest).ok()?))
}

/// Why no work rule can cover anything of a line: bytes that are not on it might be written, or a
/// directory is changed in a way that cannot be followed.
fn line_objection(performance: &Performance, runs: impl Fn(&Performed) -> bool) -> Option<String> {
    let unseen =
        |command: &&Performed| !command.fed && command.effects.stdin != "unused" && !runs(command);
    if performance.commands.iter().any(|command| unseen(&command)) {
        return Some("what comes on standard input is not on the line".to_owned());
    }
    // zsh runs `cat` for a redirection alone, and so writes what nobody has seen.
    let inside = |outer: &Performed, command: &Performed| {
        let (outer, inner) = (outer.span, command.span);
        !command.words.is_empty() && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    let alone = |command: &&Performed| {
        command.words.is_empty()
            && !command.effects.writes.is_empty()
            && !performance.commands.iter().any(|other| inside(command, other))
    };
    if performance.commands.iter().any(|command| alone(&command)) {
        return Some("a redirection without a command".to_owned());
    }
    let moves = |command: &&Performed| {
        command.words.first().and_then(Value::as_literal) == Some("cd")
            && command.words.iter().any(|word| climbs(&word.text))
    };
    let up = performance.commands.iter().any(|command| moves(&command));
    up.then(|| "`cd ..` may lead elsewhere than it seems".to_owned())
}

impl RuleSet {
    /// The work rule that allows one command of a line, with the paths that it must touch beneath its
    /// directory; an error says why none does. `None`: there is no such rule here.
    pub(super) fn worked(
        &self,
        part: &Part<'_>,
        performance: &Performance,
        context: &Context,
    ) -> Option<Result<(&Rule, Beneath), String>> {
        let mut why = None;
        for (at, work) in &self.works {
            let Some(rule) = self.rules().get(*at).filter(|rule| holds(rule, context)) else {
                continue;
            };
            match Self::covered(work, part, performance, context) {
                Ok(paths) => {
                    let directory = work.directory.clone();
                    return Some(Ok((rule, Beneath { directory, paths })));
                }
                Err(objection) => {
                    why.get_or_insert(objection);
                }
            }
        }
        why.map(Err)
    }

    fn covered(
        work: &WorkRule,
        part: &Part<'_>,
        performance: &Performance,
        context: &Context,
    ) -> Result<Vec<String>, String> {
        if let Some(why) = &context.tainted {
            return Err(why.clone());
        }
        let paths = work.covers(part)?;
        if context.pty {
            return Err("a rule for working in a directory covers no terminal".to_owned());
        }
        if !context.resolves_paths {
            return Err("where its paths lead on the target cannot be seen here".to_owned());
        }
        let begins_in = [context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
        let runs = |command: &Performed| work.may_run(&Part::of(command, &begins_in));
        line_objection(performance, runs).map_or(Ok(paths), Err)
    }

    /// Why files that were written under a work rule may configure what would only look. A rule that
    /// has ended counts until it is removed: what was written is still there.
    pub(super) fn configured_by_work(
        &self,
        command: &Performed,
        context: &Context,
    ) -> Option<String> {
        if self.works.is_empty() || !command.effects.configured_by.contains("cwd") {
            return None;
        }
        let works_here = |rule: &Rule| {
            let anybody = Scope { agent: None, cwd: None, ..rule.scope.clone() };
            anybody.restricts(context)
        };
        let meets = |work: &&(usize, WorkRule)| {
            let directory = work.1.directory.as_str();
            self.rules().get(work.0).is_some_and(works_here)
                && command.directories.as_ref().is_none_or(|all| {
                    all.iter().any(|one| is_beneath(one, directory) || is_beneath(directory, one))
                })
        };
        let (at, work) = self.works.iter().find(meets)?;
        let rule = self.rules().get(*at).map_or("", |rule| rule.id.as_str());
        Some(format!(
            "files in {} configure it, which rule {rule} lets an agent write",
            work.directory
        ))
    }

    /// Whether a rule lets pass on that target what only looks, or works: by what a program is called.
    #[must_use]
    pub fn trust_names(&self, context: &Context) -> bool {
        let looks = self.looks.iter().map(|(at, _)| at);
        let rules = looks.chain(self.works.iter().map(|(at, _)| at));
        rules.filter_map(|at| self.rules().get(*at)).any(|rule| {
            let anybody = Scope { target: rule.scope.target.clone(), ..Scope::default() };
            is_alive(rule, context) && anybody.covers(context)
        })
    }

    /// Whether one of these rules is a work rule.
    pub(crate) fn any_work(&self, ids: &[String]) -> bool {
        self.works
            .iter()
            .any(|(at, _)| self.rules().get(*at).is_some_and(|rule| ids.contains(&rule.id)))
    }

    /// What must lie beneath which directory for a line that the rules allow; `None` if they do not.
    pub(crate) fn beneath(&self, line: &Line<'_>, context: &Context) -> Option<Vec<Beneath>> {
        let performance = line.performance.as_ref().ok()?;
        let begins_in = vec![context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
        let mut out: Vec<Beneath> = Vec::new();
        for command in &performance.commands {
            let rule = self.allowed_part(command, performance, &begins_in, context).ok()?;
            let part = Part::of(command, &begins_in);
            let Some(Ok((by, beneath))) = self.worked(&part, performance, context) else {
                continue;
            };
            if by.id != rule.id {
                continue;
            }
            match out.iter_mut().find(|known| known.directory == beneath.directory) {
                Some(known) => known.paths.extend(beneath.paths),
                None => out.push(beneath),
            }
        }
        for beneath in &mut out {
            beneath.paths.sort();
            beneath.paths.dedup();
        }
        out.retain(|beneath| !beneath.paths.is_empty());
        Some(out)
    }
}
