//! Effects to begin with, and places that are added to them.

use super::super::model::{Class, Effects, Touched};
use super::super::places;
use super::super::value::{Open, Value};
use super::{Walker, climbs, resolve};

impl Walker<'_> {
    /// Adds a place that is touched, in each directory in which the command may run.
    pub(super) fn touch(&self, to: &mut Vec<Touched>, value: &Value, deep: bool) {
        let open = value.open != Open::No;
        let pattern = match value.open {
            Open::Anything | Open::Below => value.text.replace('*', "**"),
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
        let climbs = climbs(&value.text);
        // It may climb, and go anywhere; but what is source code there is source code everywhere.
        let anywhere =
            value.open == Open::Anything && !(value.known > 0 && places::is_source(&pattern));
        if paths.is_empty() || anywhere || value.split {
            to.push(Touched {
                path: "**".to_owned(),
                class: Class::Secret,
                open: true,
                deep,
                climbs,
            });
            return;
        }
        // What `..` leads to from a directory that is a link is not told by its name.
        let above = pattern.rsplit_once("../").map_or("", |(_, rest)| rest.trim_matches('/'));
        let elsewhere =
            |top: &&str| places::class_of_pattern(lists, &format!("{top}/{above}"), open, deep);
        let worst = match above {
            "" => None,
            _ => ["", "~", "/etc", "/run"]
                .iter()
                .map(elsewhere)
                .find(|class| matches!(class, Class::Device | Class::Secret)),
        };
        for path in paths {
            let class = places::class_of_pattern(lists, &path, open, deep);
            let class = worst.unwrap_or(class);
            let touched = Touched { path, class, open, deep, climbs };
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
