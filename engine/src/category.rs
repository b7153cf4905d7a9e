//! The categories of commands and their base points. It must never look at a command.

use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

/// What kind of work a command does; the base of its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Only looks: `ls`, `cat`, `ps`.
    Inspection,
    /// Creates or changes files: `cp`, `tee`, `> file`.
    FileWrite,
    /// Removes files: `rm`, `shred`, `find -delete`.
    FileDeletion,
    /// Disks, partitions and file systems: `mkfs`, `dd of=/dev/...`.
    Disk,
    /// Modes, owners and access lists: `chmod`, `chown`, `setfacl`.
    Permissions,
    /// Users, groups, credentials and privilege: `useradd`, `passwd`, `visudo`.
    Identity,
    /// Services, processes and power: `systemctl`, `kill`, `reboot`.
    Service,
    /// Software packages: `apt`, `pip`, `npm`.
    Packages,
    /// The network, and moving data over it: `curl`, `ssh`, `iptables`.
    Network,
    /// Runs code given as text or as a file: `python -c`, `sh script`.
    CodeExecution,
    /// Version control: `git`, `hg`, `svn`.
    VersionControl,
    /// Kubernetes management: `kubectl`, `helm`.
    Kubernetes,
    /// Containers, cloud and infrastructure as code: `docker`, `aws`, `terraform`.
    Infrastructure,
    /// Databases: `psql`, `mysql`, `redis-cli`.
    Database,
    /// A program no table knows.
    Unknown,
}

impl Category {
    /// The points a command of this category starts with.
    #[must_use]
    pub fn base(self) -> u8 {
        match self {
            Self::Inspection => 0,
            Self::FileWrite => 15,
            Self::Unknown | Self::VersionControl => 20,
            Self::Network | Self::Packages | Self::Permissions | Self::Service => 25,
            Self::FileDeletion | Self::Infrastructure | Self::Kubernetes => 30,
            Self::CodeExecution | Self::Database => 35,
            Self::Identity => 40,
            Self::Disk => 55,
        }
    }

    /// The name in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inspection => "inspection",
            Self::FileWrite => "file_write",
            Self::FileDeletion => "file_deletion",
            Self::Disk => "disk",
            Self::Permissions => "permissions",
            Self::Identity => "identity",
            Self::Service => "service",
            Self::Packages => "packages",
            Self::Network => "network",
            Self::CodeExecution => "code_execution",
            Self::VersionControl => "version_control",
            Self::Kubernetes => "kubernetes",
            Self::Infrastructure => "infrastructure",
            Self::Database => "database",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Category {
    /// The category of a name in messages and JSON.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

impl Category {
    /// What a command of this category does, in a few words for the reviewer.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Inspection => "only looks",
            Self::FileWrite => "writes files",
            Self::FileDeletion => "deletes files",
            Self::Disk => "works on disks and file systems",
            Self::Permissions => "changes modes or owners",
            Self::Identity => "changes users, credentials or privilege",
            Self::Service => "controls services, processes or power",
            Self::Packages => "manages software packages",
            Self::Network => "uses the network",
            Self::CodeExecution => "runs code",
            Self::VersionControl => "version control",
            Self::Kubernetes => "manages Kubernetes",
            Self::Infrastructure => "manages containers or infrastructure",
            Self::Database => "works on a database",
            Self::Unknown => "no table knows this program",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Category;

    #[test]
    fn a_category_has_one_name() {
        for category in [Category::Inspection, Category::CodeExecution, Category::VersionControl] {
            assert_eq!(serde_json::to_value(category).unwrap(), category.as_str());
            assert_eq!(Category::named(category.as_str()), Some(category));
        }
        assert_eq!(Category::named("nonsense"), None);
    }
}
