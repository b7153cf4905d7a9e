//! Places where programs, their configuration or start-up files may lie: whoever writes there decides what
//! later commands do.

use super::model::{Class, Effects, Touched};
use crate::tables::RiskTables;

/// What a command may leave behind in an account: after it, programs may be no longer what they are
/// called.
pub(crate) fn left_behind(effects: &Effects) -> Option<String> {
    if !effects.closed {
        return Some(effects.why.clone().unwrap_or_else(|| "it is not understood".to_owned()));
    }
    if effects.runs_unseen || effects.stdin == "code" {
        return Some("it runs code that is not on the line".to_owned());
    }
    let change = effects
        .changes
        .iter()
        .find(|change| matches!(change.as_str(), "package" | "schedule" | "system" | "user"));
    if let Some(change) = change {
        return Some(format!("it changes a {change}"));
    }
    if let Some(touched) = effects.writes.iter().find(|touched| is_special(touched)) {
        return Some(format!("it writes {}", touched.path));
    }
    let deleted = effects.deletes.iter().find(|touched| !touched.deep && is_special(touched));
    deleted.map(|touched| format!("it deletes {}", touched.path))
}

/// Whether programs, their configuration or start-up files may lie there.
pub(super) fn is_special(touched: &Touched) -> bool {
    let path = touched.path.as_str();
    let cut = path.find(['*', '?', '[']).unwrap_or(path.len());
    let known = path.get(..cut).unwrap_or("");
    // Not even the directory is known, or a whole home directory is written.
    let anywhere = touched.open && (!known.contains('/') || path.contains("**"));
    let home = touched.deep && holds_start_up_files(known.trim_end_matches('/'));
    anywhere
        || home
        || touched.climbs
        || matches!(touched.class, Class::System | Class::Device)
        || is_special_path(path)
}

/// Whether a directory is a home, the root, or one of homes: start-up files lie right in it.
pub(super) fn holds_start_up_files(directory: &str) -> bool {
    let one_below = |top: &str| directory.strip_prefix(top).is_some_and(|name| !name.contains('/'));
    matches!(directory, "" | "~" | "/root" | "/home" | "/Users")
        || one_below("/home/")
        || one_below("/Users/")
}

pub(crate) fn is_special_path(path: &str) -> bool {
    let parts = |part: &str| {
        part.len() > 1 && part.starts_with('.') && !matches!(part, ".." | ".cache")
            || matches!(part, "bin" | "sbin")
    };
    path.split('/').any(parts) || RiskTables::builtin().path_lists.is_persistence(path)
}
