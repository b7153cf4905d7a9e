//! Effects to begin with, and places that are added to them.

use super::super::model::{Class, Effects, Touched};
use super::super::places;
use super::super::value::{Open, Value};
use super::{Walker, resolve};

impl Walker<'_> {
    /// Adds a place that is touched, in each directory in which the command may run.
    pub(super) fn touch(&self, to: &mut Vec<Touched>, value: &Value, deep: bool) {
        let open = value.open != Open::No;
        let pattern = match value.open {
            // It may climb, and go anywhere.
            Open::Anything => value.text.replace('*', "**"),
            Open::No | Open::Names => value.text.clone(),
        };
        let absolute = pattern.starts_with(['/', '~']) && value.known > 0;
        let directories = self.state.directories.as_deref();
        let paths: Vec<String> = match directories {
            _ if absolute => vec![resolve(&pattern, "/")],
            Some(all) => all.iter().map(|from| resolve(&pattern, from)).collect(),
            None => Vec::new(),
        };
        let lists = &self.tables.path_lists;
        if paths.is_empty() || (value.open == Open::Anything && value.known == 0) {
            // Anywhere at all.
            to.push(Touched { path: pattern, class: Class::Secret, open: true, deep });
            return;
        }
        for path in paths {
            let class = places::class_of_pattern(lists, &path, open, deep);
            let touched = Touched { path, class, open, deep };
            if !to.contains(&touched) {
                to.push(touched);
            }
        }
    }
}

pub(super) fn network_rank(name: &str) -> u8 {
    ["none", "loopback", "service", "hosts"]
        .iter()
        .position(|known| *known == name)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(3)
}

pub(super) fn rank_name(rank: u8) -> &'static str {
    ["none", "loopback", "service", "hosts"].get(usize::from(rank)).copied().unwrap_or("hosts")
}

/// A command that does nothing but what is added to it.
pub(super) fn plain() -> Effects {
    Effects {
        closed: true,
        stdin: "unused".to_owned(),
        terminal: "plain".to_owned(),
        network: "none".to_owned(),
        ..Effects::default()
    }
}

pub(crate) fn unclosed(why: &str) -> Effects {
    let unknown = || "unknown".to_owned();
    Effects {
        why: Some(why.to_owned()),
        stdin: unknown(),
        terminal: unknown(),
        network: unknown(),
        ..Effects::default()
    }
}

pub(super) fn with_redirects(mut effects: Effects, redirected: Effects) -> Effects {
    effects.reads.extend(redirected.reads);
    effects.writes.extend(redirected.writes);
    effects
}
