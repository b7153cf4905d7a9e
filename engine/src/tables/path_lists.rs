//! Lists of paths, hosts and words that matter for the score. It must never touch the file system.

use serde::Deserialize;

use super::wildcard::wildcard;
use crate::hashed::{HashMap, HashSet};
use crate::literals::Literals;

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

/// Path patterns, grouped so that a path, which mostly fits none, is compared with few of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
pub(crate) struct Paths {
    all: Vec<String>,
    exact: HashSet<String>,
    /// Those that begin with a literal text, by its first two bytes.
    heads: HashMap<[u8; 2], Vec<Pattern>>,
    /// Those that end in a literal text, by its last byte.
    tails: HashMap<u8, Vec<Pattern>>,
    /// `*x*`.
    within: Literals,
    /// Everything else.
    wild: Vec<String>,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// `x*`.
    Begins(String),
    /// `*x`.
    Ends(String),
    /// `/x/**`: the directory and everything beneath it.
    Under(String),
    /// Any other, and the literal text with which it begins or ends.
    Wild(String, String),
}

impl From<Vec<String>> for Paths {
    fn from(all: Vec<String>) -> Self {
        let mut out = Self::default();
        out.extend(Self { all, ..Self::default() });
        out
    }
}

fn is_plain(text: &str) -> bool {
    !text.contains(['*', '?'])
}

impl Paths {
    fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
        let within = self.all.iter().filter(|pattern| under(pattern).is_none());
        self.within = Literals::new(within.filter_map(|pattern| middle(pattern)));
        self.exact.clear();
        self.heads.clear();
        self.tails.clear();
        self.wild.clear();
        for pattern in &self.all {
            let start = pattern.strip_suffix('*').filter(|text| is_plain(text));
            let end = pattern.strip_prefix('*').filter(|text| is_plain(text));
            if let Some(directory) = under(pattern) {
                let found = Pattern::Under(directory.to_owned());
                add(&mut self.heads, &mut self.wild, pattern, directory, found);
            } else if is_plain(pattern) {
                self.exact.insert(pattern.clone());
            } else if let Some(start) = start {
                let found = Pattern::Begins(start.to_owned());
                add(&mut self.heads, &mut self.wild, pattern, start, found);
            } else if let Some(end) = end {
                match end.bytes().last() {
                    Some(last) => {
                        self.tails.entry(last).or_default().push(Pattern::Ends(end.to_owned()));
                    }
                    None => self.wild.push(pattern.clone()),
                }
            } else if middle(pattern).is_none() {
                let tail = pattern.rsplit(['*', '?']).next().unwrap_or("").to_owned();
                let head = pattern.split(['*', '?']).next().unwrap_or("");
                match tail.bytes().last() {
                    Some(last) => {
                        let found = Pattern::Wild(pattern.clone(), tail);
                        self.tails.entry(last).or_default().push(found);
                    }
                    None => {
                        let found = Pattern::Wild(pattern.clone(), head.to_owned());
                        add(&mut self.heads, &mut self.wild, pattern, head, found);
                    }
                }
            }
        }
    }

    fn hold(&self, path: &str) -> bool {
        let bytes = path.as_bytes();
        let head = bytes.first_chunk::<2>().and_then(|head| self.heads.get(head));
        let tail = bytes.last().and_then(|last| self.tails.get(last));
        let starts = |pattern: &Pattern| match pattern {
            Pattern::Begins(start) => path.starts_with(start.as_str()),
            Pattern::Under(directory) => is_under(path, directory),
            Pattern::Wild(pattern, head) => {
                path.starts_with(head.as_str()) && wildcard(pattern, path)
            }
            Pattern::Ends(_) => false,
        };
        let ends = |pattern: &Pattern| match pattern {
            Pattern::Ends(end) => path.ends_with(end.as_str()),
            Pattern::Wild(pattern, tail) => {
                path.ends_with(tail.as_str()) && wildcard(pattern, path)
            }
            Pattern::Begins(_) | Pattern::Under(_) => false,
        };
        self.exact.contains(path)
            || head.is_some_and(|patterns| patterns.iter().any(starts))
            || tail.is_some_and(|patterns| patterns.iter().any(ends))
            || self.within.any_in(path)
            || self.wild.iter().any(|pattern| match under(pattern) {
                Some(directory) => is_under(path, directory),
                None => wildcard(pattern, path),
            })
    }
}

/// The directory of `/x/**`.
fn under(pattern: &str) -> Option<&str> {
    pattern.strip_suffix("/**").filter(|text| !text.contains('*'))
}

/// The text of `*x*`.
fn middle(pattern: &str) -> Option<&str> {
    let rest = pattern.strip_prefix('*')?.strip_suffix('*')?;
    is_plain(rest).then_some(rest)
}

fn is_under(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Adds a pattern by how its literal beginning begins, or to the rest where that is too short.
fn add(
    heads: &mut HashMap<[u8; 2], Vec<Pattern>>,
    wild: &mut Vec<String>,
    pattern: &str,
    head: &str,
    found: Pattern,
) {
    match head.as_bytes().first_chunk::<2>() {
        Some(first) => heads.entry(*first).or_default().push(found),
        None => wild.push(pattern.to_owned()),
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
        let patterns = [
            "/a/**", "/a", "/a*", "*.pem", "*/.x/*", "*/a*b", "a?c", "*", "/a/*/**", "**", "/**",
            "a*", "?b", "/a?/**", "*?m", "/h/*y", "",
        ];
        let paths = [
            "", "/", "a", "b", "/a", "/a/", "/ab", "/a/b", "k.pem", "/h/.x/y", "/h/.x", "x/aab",
            "abc", "/a?/x",
        ];
        for pattern in patterns {
            let one = Paths::from(vec![pattern.to_owned()]);
            for path in paths {
                assert_eq!(one.hold(path), fits(pattern, path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn the_built_in_lists_hold_what_their_patterns_do() {
        let lists = &crate::RiskTables::builtin().path_lists;
        let lists = [
            &lists.system,
            &lists.not_system,
            &lists.secret,
            &lists.not_secret,
            &lists.persistence,
            &lists.tamper,
            &lists.vital,
            &lists.temporary,
            &lists.devices,
        ];
        let mut paths: Vec<String> = Vec::new();
        for pattern in lists.iter().flat_map(|list| &list.all) {
            for (star, mark) in [("", "x"), ("x", "y"), ("/x/", "/"), ("a.key", ".")] {
                let path = pattern.replace('*', star).replace('?', mark);
                paths.extend([format!("{path}x"), format!("/srv{path}"), path]);
            }
        }
        assert!(paths.len() > 3000, "{}", paths.len());
        for list in lists {
            for path in &paths {
                let any = list.all.iter().any(|pattern| fits(pattern, path));
                assert_eq!(list.hold(path), any, "{path}");
            }
        }
    }
}
