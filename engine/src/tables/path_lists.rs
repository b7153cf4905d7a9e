//! Lists of paths, hosts and words that matter for the score. It must never touch the file system.

use std::collections::HashSet;

use serde::Deserialize;

use super::wildcard::wildcard;

/// Lists of paths, hosts and words; patterns with `*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PathLists {
    /// Where the system lives; writing there is +25.
    pub(crate) system: Paths,
    /// Exceptions to `system`.
    pub(crate) not_system: Paths,
    /// Holds secrets.
    pub(crate) secret: Paths,
    /// Exceptions to `secret`.
    pub(crate) not_secret: Paths,
    /// Runs by itself later.
    pub(crate) persistence: Paths,
    /// Logs, audit, gate and their configuration.
    pub(crate) tamper: Paths,
    /// Emptying one of these breaks the system.
    pub(crate) vital: Paths,
    /// Temporary or development scope.
    pub(crate) temporary: Paths,
    /// Raw devices.
    pub(crate) devices: Paths,
    /// Known hosts, which are not remarked on.
    pub(crate) hosts: Vec<String>,
    /// Words that mark production.
    pub(crate) production: Vec<String>,
}

impl PathLists {
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
        // Everything directly below the root is part of the system's layout.
        let top = path.trim_end_matches('/').rfind('/').unwrap_or(0) == 0;
        (top || self.system.hold(path)) && !self.not_system.hold(path)
    }

    pub(crate) fn is_secret(&self, path: &str) -> bool {
        if !path.contains(['/', '.', '_', '~']) {
            return false;
        }
        self.secret.hold(path) && !self.not_secret.hold(path)
    }

    pub(crate) fn is_persistence(&self, path: &str) -> bool {
        self.persistence.hold(path)
    }

    pub(crate) fn is_tamper(&self, path: &str) -> bool {
        self.tamper.hold(path)
    }

    /// Whether a path may be a directory above a guarded path: once it is moved, the paths beneath
    /// it are no longer recognised.
    pub(crate) fn holds_guarded(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        [&self.secret, &self.persistence, &self.tamper, &self.vital]
            .into_iter()
            .flat_map(|paths| &paths.all)
            .any(|pattern| {
                let above = |(at, _): (usize, &str)| pattern.get(..at);
                let mut above = pattern.match_indices('/').filter_map(above);
                // `*` alone, as in `*/.ssh`, is any directory at all.
                above.any(|prefix| {
                    !matches!(prefix, "" | "*" | "*:" | "*:/") && wildcard(prefix, path)
                })
            })
    }

    pub(crate) fn is_vital(&self, path: &str) -> bool {
        self.vital.hold(path)
    }

    pub(crate) fn is_temporary(&self, path: &str) -> bool {
        !path.contains("..") && self.temporary.hold(path)
    }

    pub(crate) fn is_device(&self, path: &str) -> bool {
        path.starts_with("/dev/") && self.devices.hold(path)
    }

    pub(crate) fn is_production(&self, text: &str) -> bool {
        text.len() < 512
            && text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|token| self.production.iter().any(|word| word.eq_ignore_ascii_case(token)))
    }
}

/// Path patterns, grouped by how they are compared: most paths are compared with all of them, and
/// most comparisons fail at once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
pub(crate) struct Paths {
    all: Vec<String>,
    exact: HashSet<String>,
    /// `/x/**`: the directory and everything beneath it.
    under: Vec<String>,
    /// `x*`, `*x`, `*x*`.
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    within: Vec<String>,
    /// Everything else.
    wild: Vec<String>,
}

impl From<Vec<String>> for Paths {
    fn from(all: Vec<String>) -> Self {
        let mut out = Self::default();
        out.extend(Self { all, ..Self::default() });
        out
    }
}

impl Paths {
    fn extend(&mut self, other: Self) {
        let plain = |text: &str| !text.contains(['*', '?']);
        for pattern in other.all {
            let directory = pattern.strip_suffix("/**").filter(|text| !text.contains('*'));
            let start = pattern.strip_suffix('*').filter(|text| plain(text));
            let end = pattern.strip_prefix('*').filter(|text| plain(text));
            let middle = pattern
                .strip_prefix('*')
                .and_then(|rest| rest.strip_suffix('*'))
                .filter(|text| plain(text));
            if let Some(directory) = directory {
                self.under.push(directory.to_owned());
            } else if plain(&pattern) {
                self.exact.insert(pattern.clone());
            } else if let Some(start) = start {
                self.prefixes.push(start.to_owned());
            } else if let Some(end) = end {
                self.suffixes.push(end.to_owned());
            } else if let Some(middle) = middle {
                self.within.push(middle.to_owned());
            } else {
                self.wild.push(pattern.clone());
            }
            self.all.push(pattern);
        }
    }

    fn hold(&self, path: &str) -> bool {
        let beneath = |directory: &String| {
            path.strip_prefix(directory.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.exact.contains(path)
            || self.under.iter().any(beneath)
            || self.prefixes.iter().any(|start| path.starts_with(start.as_str()))
            || self.suffixes.iter().any(|end| path.ends_with(end.as_str()))
            || self.within.iter().any(|middle| path.contains(middle.as_str()))
            || self.wild.iter().any(|pattern| wildcard(pattern, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pattern means, one at a time.
    fn fits(pattern: &str, path: &str) -> bool {
        match pattern.strip_suffix("/**") {
            Some(directory) if !directory.contains('*') => path
                .strip_prefix(directory)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            _ => wildcard(pattern, path),
        }
    }

    #[test]
    fn sorted_patterns_mean_what_each_means_alone() {
        let patterns =
            ["/a/**", "/a", "/a*", "*.pem", "*/.x/*", "*/a*b", "a?c", "*", "/a/*/**", "**"];
        let paths =
            ["", "/", "/a", "/a/", "/ab", "/a/b", "k.pem", "/h/.x/y", "/h/.x", "x/aab", "abc"];
        for pattern in patterns {
            let one = Paths::from(vec![pattern.to_owned()]);
            for path in paths {
                assert_eq!(one.hold(path), fits(pattern, path), "{pattern} {path}");
            }
        }
    }
}
