//! Whether this process itself runs inside a wrap, so that it can say so instead of failing later. The
//! broker does not rely on it: it asks the kernel.

use std::path::Path;

use crate::ancestry::is_below_a_mark;
use crate::home::Home;
use crate::uplink::WRAP_ENV;

/// What a program says that does not run inside a wrap.
pub const INSIDE_MESSAGE: &str = "refused: inside a wrap; a program run by expacti wrap cannot review, \
                                  start, change or stop anything: use a terminal outside it";

/// The name of the file that a wrap puts into the directories it covers.
pub const INSIDE_FILE: &str = "INSIDE";

/// The word by which the first process of a wrap's PID namespace is started: `expacti __init`.
pub const INIT_WORD: &str = "__init";

/// Whether this process runs inside a wrap: by its environment, by the first process that it sees, by
/// what covers the installation's directories, or by its ancestors.
pub fn is_inside_a_wrap(home: &Home) -> bool {
    std::env::var_os(WRAP_ENV).is_some()
        || std::fs::read("/proc/1/cmdline").is_ok_and(|line| is_init_of_a_wrap(&line))
        || home.dirs().into_iter().chain(home.service()).any(is_covered)
        || is_below_a_mark(std::process::id())
}

/// Whether a line of `/proc/PID/cmdline` is that of the first process of a wrap.
fn is_init_of_a_wrap(line: &[u8]) -> bool {
    line.split(|b| *b == 0).nth(1) == Some(INIT_WORD.as_bytes())
}

fn is_covered(dir: &Path) -> bool {
    dir.join(INSIDE_FILE).symlink_metadata().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_a_wrap() {
        assert!(is_init_of_a_wrap(b"/usr/bin/expacti\0__init\0/run/x\0"));
        assert!(is_init_of_a_wrap(b"expacti\0__init"));
        for other in [&b"/sbin/init\0"[..], b"", b"__init\0", b"sh\0-c\0__init\0"] {
            assert!(!is_init_of_a_wrap(other), "{other:?}");
        }
    }

    #[test]
    fn a_covered_directory() {
        let dir = std::env::temp_dir().join(format!("expacti-covered-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        assert!(!is_covered(&dir));
        std::fs::write(dir.join(INSIDE_FILE), "").unwrap();
        assert!(is_covered(&dir));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
