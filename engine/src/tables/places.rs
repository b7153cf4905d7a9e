//! Paths and hosts that matter. It must never touch the file system.

use serde::Deserialize;

use super::wildcard;

/// Lists of paths, hosts and words; patterns with `*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Places {
    /// Where the system lives; writing there is +25.
    pub(crate) system: Vec<String>,
    /// Exceptions to `system`.
    pub(crate) not_system: Vec<String>,
    /// Holds secrets.
    pub(crate) secret: Vec<String>,
    /// Exceptions to `secret`.
    pub(crate) not_secret: Vec<String>,
    /// Runs by itself later.
    pub(crate) persistence: Vec<String>,
    /// Logs, audit, gate and their configuration.
    pub(crate) tamper: Vec<String>,
    /// Emptying one of these breaks the system.
    pub(crate) vital: Vec<String>,
    /// Temporary or development scope.
    pub(crate) temporary: Vec<String>,
    /// Raw devices.
    pub(crate) devices: Vec<String>,
    /// Hosts that need no remark.
    pub(crate) hosts: Vec<String>,
    /// Words that mark production.
    pub(crate) production: Vec<String>,
}

impl Places {
    pub(crate) fn extend(&mut self, other: Self) {
        self.system.extend(other.system);
        self.not_system.extend(other.not_system);
        self.secret.extend(other.secret);
        self.not_secret.extend(other.not_secret);
        self.persistence.extend(other.persistence);
        self.tamper.extend(other.tamper);
        self.vital.extend(other.vital);
        self.temporary.extend(other.temporary);
        self.devices.extend(other.devices);
        self.hosts.extend(other.hosts);
        self.production.extend(other.production);
    }

    pub(crate) fn is_system(&self, path: &str) -> bool {
        if !path.starts_with('/') {
            return false;
        }
        // Whatever stands directly beneath the root is part of the system's layout.
        let top = path.trim_end_matches('/').rfind('/').unwrap_or(0) == 0;
        (top || any(&self.system, path)) && !any(&self.not_system, path)
    }

    pub(crate) fn is_secret(&self, path: &str) -> bool {
        if !path.contains(['/', '.', '_', '~']) {
            return false;
        }
        any(&self.secret, path) && !any(&self.not_secret, path)
    }

    pub(crate) fn is_persistence(&self, path: &str) -> bool {
        any(&self.persistence, path)
    }

    pub(crate) fn is_tamper(&self, path: &str) -> bool {
        any(&self.tamper, path)
    }

    /// Whether a path may be a directory above a place that is watched: where it is moved to,
    /// nothing tells any more what lies beneath.
    pub(crate) fn holds_guarded(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        [&self.secret, &self.persistence, &self.tamper, &self.vital].into_iter().flatten().any(
            |pattern| {
                let above = |(at, _): (usize, &str)| pattern.get(..at);
                let mut above = pattern.match_indices('/').filter_map(above);
                // `*` alone, as in `*/.ssh`, is any directory at all.
                above.any(|prefix| {
                    !matches!(prefix, "" | "*" | "*:" | "*:/") && wildcard(prefix, path)
                })
            },
        )
    }

    pub(crate) fn is_vital(&self, path: &str) -> bool {
        any(&self.vital, path)
    }

    pub(crate) fn is_temporary(&self, path: &str) -> bool {
        !path.contains("..") && any(&self.temporary, path)
    }

    pub(crate) fn is_device(&self, path: &str) -> bool {
        path.starts_with("/dev/") && any(&self.devices, path)
    }

    pub(crate) fn is_production(&self, text: &str) -> bool {
        text.len() < 512
            && text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|token| self.production.iter().any(|word| word.eq_ignore_ascii_case(token)))
    }
}

fn any(list: &[String], path: &str) -> bool {
    list.iter().any(|pattern| match pattern.strip_suffix("/**") {
        // The directory and everything beneath it.
        Some(directory) if !directory.contains('*') => path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        _ => wildcard(pattern, path),
    })
}
