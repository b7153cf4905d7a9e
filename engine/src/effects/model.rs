//! What one command does, as far as it is understood.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What one simple command does. Where it is not `closed`, everything it does not say is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Every option and operand was understood, in the account's shell.
    pub closed: bool,
    /// Why it is not closed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Files whose content is read.
    pub reads: Vec<Touched>,
    /// Files and directories of which names and attributes are read.
    pub lists: Vec<Touched>,
    /// Files that are written, created or changed.
    pub writes: Vec<Touched>,
    /// Files that are removed.
    pub deletes: Vec<Touched>,
    /// Whether it runs code that is not on the line: a script, a configuration, a hook.
    pub runs_unseen: bool,
    /// Where files can make it run or reach something: `home`, `cwd`, `service`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub configured_by: BTreeSet<String>,
    /// What it does with its standard input: `unused`, `filter`, `names`, `file`, `archive`, `code`,
    /// `protocol`, or `unknown`.
    pub stdin: String,
    /// What it does with a terminal: `plain`, `pager`, `prompts`, `editor`, `screen`, `shell`, or
    /// `unknown`.
    pub terminal: String,
    /// What it reaches: `none`, `loopback`, `service`, `hosts`, or `unknown`.
    pub network: String,
    /// What it changes beside files: `service`, `package`, `cluster` and so on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub changes: BTreeSet<String>,
    /// Whether it reads what may hold secrets: environments, stored configuration, a search for
    /// credentials.
    pub private: bool,
    /// Whether later words may mean something else in the same shell.
    pub redefines: bool,
}

/// A file or directory that a command touches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Touched {
    /// The path, absolute or below `~` where the directory is known. Where `open`, `*` stands for what is
    /// not known.
    pub path: String,
    /// `plain`, `secret`, `system` or `device`.
    pub class: Class,
    /// Not all of the path is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// A directory with everything beneath it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deep: bool,
    /// It was written with `..`: behind a symbolic link that leads elsewhere than it seems.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub climbs: bool,
}

/// What kind of place a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Below `/dev`, `/proc` or `/sys`, but for what is known to be harmless.
    Device,
    /// Neither of the others.
    Plain,
    /// Holds secrets, or may.
    Secret,
    /// Where the system lives.
    System,
}
