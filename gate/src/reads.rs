//! Which files clients may read without a decision (`[reads]` of the configuration). In doubt a file is
//! asked about.

use expacti_engine::RiskTables;
use expacti_sftp::{RemotePath, is_secret};

/// What a client may read without a decision. Everything else is an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReadPolicy {
    /// Whatever holds no secret, as far as its real path tells.
    #[default]
    Harmless,
    /// Of that, what lies beneath these directories.
    Beneath(Vec<String>),
    /// Nothing.
    Nothing,
}

impl ReadPolicy {
    /// What lies beneath these directories, and holds no secret.
    ///
    /// # Errors
    /// When a directory is no absolute path, written out without `.`, `..` and repeated slashes: it would
    /// never be that of a real path.
    pub fn beneath(roots: Vec<String>) -> Result<Self, String> {
        let roots: Vec<_> = roots
            .into_iter()
            .map(|root| if root == "/" { root } else { root.trim_end_matches('/').to_owned() })
            .collect();
        let is_written_out = |root: &&String| {
            *root == "/"
                || root.strip_prefix('/').is_some_and(|rest| {
                    rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
                })
        };
        match roots.iter().find(|root| !is_written_out(root)) {
            Some(root) => Err(format!("{root:?} is no absolute path without . and ..")),
            None => Ok(Self::Beneath(roots)),
        }
    }

    /// Whether a file may be read without a decision. The path must be the real one.
    pub(crate) fn is_free(&self, real: &RemotePath) -> bool {
        let within = match self {
            Self::Nothing => false,
            Self::Harmless => true,
            Self::Beneath(roots) => roots.iter().any(|root| {
                let rest = real.as_bytes().strip_prefix(root.as_bytes());
                root == "/" || rest.is_some_and(|rest| rest.starts_with(b"/"))
            }),
        };
        within && !is_secret(real) && RiskTables::builtin().may_be_read(real.as_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn free(policy: &ReadPolicy, path: &str) -> bool {
        policy.is_free(&RemotePath::new(path.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn roots_narrow_what_is_free() {
        let roots = ["/srv/app/".to_owned(), "/var/log".to_owned()].to_vec();
        let policy = ReadPolicy::beneath(roots).unwrap();
        for path in ["/srv/app/main.py", "/var/log/syslog"] {
            assert!(free(&policy, path) && free(&ReadPolicy::Harmless, path), "{path}");
            assert!(!free(&ReadPolicy::Nothing, path), "{path}");
        }
        for path in ["/srv/application/x", "/srv/app", "/etc/hosts", "/srv/app/.env"] {
            assert!(!free(&policy, path), "{path}");
        }
        assert!(!free(&ReadPolicy::Harmless, "/srv/app/.env"));
        assert!(free(&ReadPolicy::beneath(vec!["/".to_owned()]).unwrap(), "/etc/hosts"));
        for wrong in ["srv", "", "/srv/../etc", "/srv//app", "~/x", "/srv/."] {
            assert!(ReadPolicy::beneath(vec![wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
