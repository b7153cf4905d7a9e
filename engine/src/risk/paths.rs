//! Resolves the paths that a command names, as far as its text allows. It must never touch the file
//! system.

use std::borrow::Cow;

/// Makes a path absolute where the directory is known, and removes `.`, `..` and `//` from it.
/// A home directory stays `~`.
pub(crate) fn resolve(path: &str, cwd: Option<&str>) -> String {
    let path = path
        .strip_prefix("${HOME}")
        .or_else(|| path.strip_prefix("$HOME"))
        .map_or(Cow::Borrowed(path), |rest| Cow::Owned(format!("~{rest}")));
    let full = if path.starts_with(['/', '~']) || path.contains("://") {
        path
    } else {
        match cwd {
            Some(cwd) => Cow::Owned(format!("{cwd}/{path}")),
            None => return path.into_owned(),
        }
    };
    // Mostly nothing is to be removed.
    let below = full.strip_prefix('/').unwrap_or(&full);
    if full.contains("://") || below.split('/').all(|part| !matches!(part, "" | "." | "..")) {
        return full.into_owned();
    }
    let absolute = full.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in full.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
                // The directory above a home directory holds all of them.
                if parts.is_empty() && !absolute {
                    parts.push("/home");
                }
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// Directories that hold the system or all of its users' data.
const CORE: [&str; 30] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/var",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var/lib",
    "/System",
    "/Users",
    "/Library",
    "/Applications",
    "/efi",
    "/mnt",
    "/media",
];

/// Whether a resolved path is one of these directories or everything in one.
pub(crate) fn is_core(path: &str) -> bool {
    let trimmed = path.trim_end_matches(['*', '.', '?', '/']).trim_end_matches("/{");
    let directory = if trimmed.is_empty() && path.starts_with('/') { "/" } else { trimmed };
    // `/e*` is not `/e`; only whole components may have been cut.
    let cut = path.get(directory.len()..).unwrap_or("");
    let whole = cut.is_empty() || cut.starts_with('/') || directory == "/";
    whole && CORE.contains(&directory) || ["/{", "/["].iter().any(|open| path.starts_with(open))
}

/// Whether a resolved path is a whole home directory.
pub(crate) fn is_home(path: &str) -> bool {
    let path = path.trim_end_matches("/*").trim_end_matches("/.*").trim_end_matches('/');
    if matches!(path, "~" | "/home" | "/root" | "/Users") {
        return true;
    }
    if path.starts_with('~') && !path.contains('/') {
        return true;
    }
    path.strip_prefix("/home/")
        .or_else(|| path.strip_prefix("/Users/"))
        .is_some_and(|user| !user.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_as_text() {
        for (path, cwd, out) in [
            ("/etc//./passwd", None, "/etc/passwd"),
            ("/tmp/../etc", None, "/etc"),
            ("x", Some("/srv"), "/srv/x"),
            ("*", Some("/"), "/*"),
            ("$HOME/.ssh", None, "~/.ssh"),
            ("~/../..", None, "/home"),
            ("x", None, "x"),
            ("/..", None, "/"),
        ] {
            assert_eq!(resolve(path, cwd), out, "{path}");
        }
    }

    #[test]
    fn core_directories_are_known() {
        for path in ["/", "/*", "/.", "/.*", "/etc", "/usr/*", "/home", "/???", "/{bin,etc}"] {
            assert!(is_core(&resolve(path, None)), "{path}");
        }
        for path in ["/etc/nginx", "/tmp/*", "/home/u/x", "/e*", "build/*", "/var/log/*"] {
            assert!(!is_core(&resolve(path, None)), "{path}");
        }
        assert!(is_home("~") && is_home("/home/bob/*") && !is_home("/home/bob/x"));
    }
}
