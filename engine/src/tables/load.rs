//! Reads the tables. It must never accept a key it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::effects::EffectSet;
use super::grammar::{self, Grammar};
use super::path_lists::PathLists;
use super::pattern::Pattern;
use super::program::{CodePlace, Language, Program, Wraps, Writes};
use super::risk_tables::RiskTables;
use crate::Category;
use crate::hashed::HashMap;
use crate::modifier::Modifier;

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the risk tables: {message}")]
pub struct TablesError {
    /// What is wrong, where, and what to write instead.
    pub message: String,
}

/// The points of every modifier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub(crate) struct Points {
    pub(crate) destructive: i32,
    pub(crate) wide: i32,
    pub(crate) production: i32,
    pub(crate) recursive: i32,
    pub(crate) force: i32,
    pub(crate) system_path: i32,
    pub(crate) home_data: i32,
    pub(crate) open_ended: i32,
    pub(crate) privilege: i32,
    pub(crate) pipe_to_interpreter: i32,
    pub(crate) indirect: i32,
    pub(crate) obfuscation: i32,
    pub(crate) uninspectable: i32,
    pub(crate) hijack: i32,
    pub(crate) deception: i32,
    pub(crate) padding: i32,
    pub(crate) safety_off: i32,
    pub(crate) secret: i32,
    pub(crate) unlisted_host: i32,
    pub(crate) persistence: i32,
    pub(crate) tampering: i32,
    pub(crate) dry_run: i32,
    pub(crate) read_only: i32,
    pub(crate) help: i32,
    pub(crate) development: i32,
}

impl Default for Points {
    /// The values of the specification.
    fn default() -> Self {
        Self {
            destructive: 17,
            wide: 20,
            production: 15,
            recursive: 10,
            force: 10,
            system_path: 25,
            home_data: 10,
            open_ended: 10,
            privilege: 10,
            pipe_to_interpreter: 30,
            indirect: 15,
            obfuscation: 25,
            uninspectable: 20,
            hijack: 25,
            deception: 30,
            padding: 10,
            safety_off: 10,
            secret: 15,
            unlisted_host: 10,
            persistence: 20,
            tampering: 25,
            dry_run: -20,
            read_only: -25,
            help: -30,
            development: -10,
        }
    }
}

impl Points {
    /// The points of one modifier.
    pub(crate) fn of(&self, modifier: Modifier) -> i32 {
        match modifier {
            Modifier::Deception => self.deception,
            Modifier::Destructive => self.destructive,
            Modifier::Development => self.development,
            Modifier::DryRun => self.dry_run,
            Modifier::Force => self.force,
            Modifier::HelpOrVersion => self.help,
            Modifier::Hijack => self.hijack,
            Modifier::HomeData => self.home_data,
            Modifier::Indirect => self.indirect,
            // Carriage returns at line ends are like padding: there, unseen, and harmless by themselves.
            Modifier::LineEndings | Modifier::Padding => self.padding,
            Modifier::Obfuscation => self.obfuscation,
            Modifier::OpenEnded => self.open_ended,
            Modifier::Persistence => self.persistence,
            Modifier::PipeToInterpreter => self.pipe_to_interpreter,
            Modifier::Privilege => self.privilege,
            Modifier::Production => self.production,
            Modifier::ReadOnly => self.read_only,
            Modifier::Recursive => self.recursive,
            Modifier::SafetyOff => self.safety_off,
            Modifier::Secret => self.secret,
            Modifier::SystemPath => self.system_path,
            Modifier::Tampering => self.tampering,
            Modifier::Uninspectable => self.uninspectable,
            Modifier::UnlistedHost => self.unlisted_host,
            Modifier::Wide => self.wide,
        }
    }
}

/// A program as the files write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    category: Option<Category>,
    also: String,
    is: String,
    on: BTreeMap<String, String>,
    values: String,
    long: bool,
    recursive: String,
    force: String,
    dry: String,
    writes: Writes,
    writes_to: String,
    code: BTreeMap<String, Language>,
    stdin: Option<Language>,
    alone: Option<Language>,
    script: Option<Language>,
    wraps: Option<Wraps>,
    wraps_on: String,
    skip: usize,
}

/// A user's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Overrides {
    points: Option<Points>,
    #[serde(rename = "places")]
    path_lists: PathLists,
    program: BTreeMap<String, Entry>,
}

/// The built-in files: category and text.
const FILES: [(Category, &str); 17] = [
    (Category::Inspection, include_str!("inspection.toml")),
    (Category::FileWrite, include_str!("file_write.toml")),
    (Category::FileDeletion, include_str!("file_deletion.toml")),
    (Category::Disk, include_str!("disk.toml")),
    (Category::Permissions, include_str!("permissions.toml")),
    (Category::Identity, include_str!("identity.toml")),
    (Category::Service, include_str!("service.toml")),
    (Category::Packages, include_str!("packages.toml")),
    (Category::Network, include_str!("network.toml")),
    (Category::CodeExecution, include_str!("code_execution.toml")),
    (Category::VersionControl, include_str!("version_control.toml")),
    (Category::Kubernetes, include_str!("kubernetes.toml")),
    (Category::Infrastructure, include_str!("infrastructure.toml")),
    (Category::Infrastructure, include_str!("cloud.toml")),
    (Category::Infrastructure, include_str!("applications.toml")),
    (Category::Database, include_str!("database.toml")),
    (Category::Unknown, include_str!("unknown.toml")),
];

const PATH_LISTS: &str = include_str!("path_lists.toml");

/// The grammars of programs, by kind of work.
const GRAMMARS: [&str; 8] = [
    include_str!("grammar/containers.toml"),
    include_str!("grammar/databases.toml"),
    include_str!("grammar/develop.toml"),
    include_str!("grammar/files.toml"),
    include_str!("grammar/network.toml"),
    include_str!("grammar/services.toml"),
    include_str!("grammar/system.toml"),
    include_str!("grammar/text.toml"),
];

fn grammars() -> HashMap<String, Arc<Grammar>> {
    let mut all = HashMap::default();
    for text in GRAMMARS {
        // A test checks that every file parses; one that did not would leave its programs unknown.
        all.extend(grammar::read(text).unwrap_or_default());
    }
    all
}

pub(super) fn builtin() -> RiskTables {
    let mut tables = RiskTables {
        programs: HashMap::default(),
        points: Points::default(),
        path_lists: toml::from_str(PATH_LISTS).unwrap_or_default(),
        grammars: grammars(),
    };
    for (category, text) in FILES {
        // A test checks that every file parses; one that did not would leave its programs unknown.
        let entries: BTreeMap<String, Entry> = toml::from_str(text).unwrap_or_default();
        for (name, entry) in entries {
            let _ = tables.add(&name, entry, category);
        }
    }
    tables
}

pub(super) fn with_overrides(text: &str) -> Result<RiskTables, TablesError> {
    let overrides: Overrides =
        toml::from_str(text).map_err(|error| TablesError { message: error.to_string() })?;
    let mut tables = RiskTables::builtin().clone();
    if let Some(points) = overrides.points {
        tables.points = points;
    }
    tables.path_lists.extend(overrides.path_lists);
    for (name, entry) in overrides.program {
        let message = |message| TablesError { message: format!("program.{name}: {message}") };
        tables.add(&name, entry, Category::Unknown).map_err(message)?;
    }
    Ok(tables)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl RiskTables {
    /// Adds a program, or changes what is known about one.
    fn add(&mut self, name: &str, entry: Entry, category: Category) -> Result<(), String> {
        let also = words(&entry.also);
        let old = self.programs.get(name).cloned();
        let mut program = match old {
            Some(old) => (*old).clone(),
            None => Program {
                category,
                is: EffectSet::default(),
                on: Vec::new(),
                values: Vec::new(),
                long: false,
                writes: Writes::None,
                writes_to: Vec::new(),
                code: Vec::new(),
                stdin: None,
                alone: None,
                script: None,
                wraps: None,
                wraps_on: Vec::new(),
                skip: 0,
            },
        };
        if let Some(category) = entry.category {
            program.category = category;
        }
        if !entry.is.is_empty() {
            program.is = EffectSet::parse(&entry.is)?;
        }
        let mut on: Vec<(String, String)> = entry.on.into_iter().collect();
        for (options, effect) in
            [(&entry.recursive, "recursive"), (&entry.force, "force"), (&entry.dry, "dry")]
        {
            for option in words(options) {
                on.push((option, effect.to_owned()));
            }
        }
        for (pattern, effects) in on {
            let set =
                EffectSet::parse(&effects).map_err(|error| format!("on.{pattern:?}: {error}"))?;
            let pattern = Pattern::parse(&pattern, set);
            program.on.retain(|(old, _)| old.text != pattern.text);
            program.on.push((pattern, set));
        }
        program.values.extend(words(&entry.values));
        program.writes_to.extend(words(&entry.writes_to));
        // An option that names what is written takes a value.
        let written = program.writes_to.clone();
        program.values.extend(written.into_iter().filter(|option| option.starts_with('-')));
        for (place, language) in entry.code {
            let place = CodePlace::parse(place);
            if let CodePlace::Option(option) = &place {
                program.values.push(option.clone());
            }
            program.code.push((place, language));
        }
        program.long |= entry.long;
        if entry.writes != Writes::None {
            program.writes = entry.writes;
        }
        program.stdin = entry.stdin.or(program.stdin);
        program.alone = entry.alone.or(program.alone);
        program.script = entry.script.or(program.script);
        program.wraps = entry.wraps.or(program.wraps);
        program.wraps_on.extend(words(&entry.wraps_on));
        program.skip = program.skip.max(entry.skip);
        let program = Arc::new(program);
        for name in also {
            self.programs.insert(name, Arc::clone(&program));
        }
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_valid() {
        let _: PathLists = toml::from_str(PATH_LISTS).unwrap();
        let mut tables = RiskTables {
            programs: HashMap::default(),
            points: Points::default(),
            path_lists: PathLists::default(),
            grammars: HashMap::default(),
        };
        for (category, text) in FILES {
            let entries: BTreeMap<String, Entry> =
                toml::from_str(text).unwrap_or_else(|error| panic!("{category}: {error}"));
            for (name, entry) in entries {
                for known in std::iter::once(name.clone()).chain(words(&entry.also)) {
                    assert!(!tables.programs.contains_key(&known), "{known} is in two tables");
                }
                tables
                    .add(&name, entry, category)
                    .unwrap_or_else(|error| panic!("{category}: {name}: {error}"));
            }
        }
        assert!(tables.programs.len() >= 300, "{}", tables.programs.len());
    }

    #[test]
    fn the_grammars_are_valid() {
        let mut seen = std::collections::HashSet::new();
        for text in GRAMMARS {
            for name in grammar::read(text).unwrap().into_keys() {
                assert!(seen.insert(name.clone()), "{name} is in two files");
            }
        }
    }

    #[test]
    fn overrides_add_and_change_and_refuse_unknown_keys() {
        let tables = with_overrides(
            "[points]\nrecursive = 12\n[places]\nproduction = [\"live\"]\n\
             [program.wipe-it]\ncategory = \"database\"\non.\"all\" = \"destructive wide\"\n",
        )
        .unwrap();
        assert_eq!(tables.points.recursive, 12);
        assert_eq!(tables.points.destructive, 17);
        assert!(tables.path_lists.is_production("db-live-1"));
        assert!(tables.program("wipe-it").is_some());
        for wrong in ["[points]\nrecursiv = 1\n", "[program.x]\nis = \"evil\"\n", "[nonsense]\n"] {
            assert!(with_overrides(wrong).is_err(), "{wrong}");
        }
    }
}
