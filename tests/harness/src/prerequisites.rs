//! What a test needs of the machine: programs, Python modules, devices. A missing one fails the test
//! in CI (`CI=true`) and names the package; elsewhere the test is skipped, and the skip is recorded
//! for the summary of `scripts/test`. A test must never return early without a word to this module.

use std::{
    env,
    fmt::Display,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// Names and packages, shared with `scripts/test`.
const TABLE: &str = include_str!("../../prerequisites.txt");

/// Where packages from npm are, shared with `scripts/test`: outside the project, for every user.
const NPM: &str = "/var/cache/expacti-tests";

/// The file to which skips are appended, one line each: test, missing part, remedy, separated by
/// tabs. Set by `scripts/test`.
const LOG: &str = "EXPACTI_SKIPPED";

/// The path of a command, looked up in `PATH` and where Debian keeps sshd. Without it the test is to
/// return at once.
#[must_use]
pub fn command(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        missing(name, &install(name));
    }
    found
}

/// Whether a program is where it belongs, such as a login shell. Without it the test is to return at
/// once, or to go on with the next program.
#[must_use]
pub fn program(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let there = path.is_file();
    if !there {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        missing(path.display(), &install(&name));
    }
    there
}

/// A Python that has a module: Debian's own has the packages of Debian, and need not be the first.
#[must_use]
pub fn python_with(module: &str) -> Option<&'static str> {
    let found = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let mut check = Command::new(python);
        check.args(["-W", "ignore", "-c", &format!("import {module}")]);
        check.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        check.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        let name = format!("python3:{module}");
        missing(&name, &install(&name));
    }
    found
}

/// A program of a package from npm that `scripts/test` installed, where every user may run it.
/// Without it the test is to return at once.
#[must_use]
pub fn npm(name: &str, program: &str) -> Option<PathBuf> {
    let wanted = package(&format!("npm:{name}")).unwrap_or_default();
    let version = wanted.rsplit_once('@').map(|(_, version)| format!("\"version\": \"{version}\""));
    let manifest = Path::new(NPM).join("node_modules").join(name).join("package.json");
    let there = fs::read_to_string(manifest)
        .is_ok_and(|text| version.is_some_and(|version| text.contains(&version)));
    if !there {
        missing(
            name,
            &format!("run scripts/test as root, or: npm install --prefix {NPM} {wanted}"),
        );
        return None;
    }
    Some(Path::new(NPM).join("node_modules/.bin").join(program))
}

/// As [`npm`], for a library: the directory that a program finds it in (`NODE_PATH`).
#[must_use]
pub fn npm_library(name: &str) -> Option<PathBuf> {
    npm(name, "").map(|_| Path::new(NPM).join("node_modules"))
}

/// Reports a part that is missing, and how to get it: fails in CI, and otherwise records the skip.
/// For what [`command`] and the others do not know.
///
/// # Panics
/// With `CI=true`: there a skipped test would count as a passed one.
pub fn missing(part: impl Display, remedy: &str) {
    let part = part.to_string();
    assert!(!in_ci(), "{part} is missing, and no test is skipped in CI: {remedy}");
    record(&part, remedy);
}

/// Reports that a test does not apply here, also in CI: it needs what is no part of the project, or
/// what no package can change.
pub fn not_applicable(why: &str) {
    record(why, "not a failure in CI");
}

/// The advice to install the package of a prerequisite.
///
/// # Panics
/// When the table does not have it, so that the table stays complete.
#[must_use]
pub fn install(name: &str) -> String {
    let package = package(name);
    assert!(package.is_some(), "tests/prerequisites.txt has no {name}");
    format!("install {}", package.unwrap_or_default())
}

fn package(name: &str) -> Option<&'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some(name)).then(|| words.next())?
    })
}

fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

fn record(part: &str, remedy: &str) {
    let line = format!("{}\t{part}\t{remedy}\n", test_name());
    eprint!("skipped: {line}");
    let Some(log) = env::var_os(LOG) else { return };
    // One short write in append mode: lines of tests that run at the same time do not mix.
    let appended = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(appended.is_ok(), "failed to record a skip in {}: {appended:?}", log.display());
}

/// Test binary and test. Without nextest, libtest names a test's thread after it.
fn test_name() -> String {
    let binary = env::current_exe().ok();
    let binary = binary.as_deref().and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
    let binary = binary.rsplit_once('-').map_or(&*binary, |(name, _)| name);
    let test = env::var("NEXTEST_TEST_NAME")
        .ok()
        .or_else(|| thread::current().name().map(str::to_owned))
        .unwrap_or_else(|| "?".to_owned());
    format!("{binary}::{test}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// Not a test of its own: what the test below runs with another environment.
    #[test]
    fn needs_what_is_nowhere() {
        if env::var_os("EXPACTI_NEEDS").is_some() {
            missing("sshd", &install("sshd"));
            not_applicable("an oracle");
        }
    }

    #[test]
    fn a_missing_part_is_recorded_and_fails_in_ci() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("skipped");
        let run = |ci: &str| {
            let name = "prerequisites::tests::needs_what_is_nowhere";
            Command::new(env::current_exe().unwrap())
                .args([name, "--exact", "--nocapture", "--test-threads=2"])
                .env_remove("NEXTEST_TEST_NAME")
                .env("EXPACTI_NEEDS", "1")
                .env(LOG, &log)
                .env("CI", ci)
                .output()
                .unwrap()
        };
        let ci = run("true");
        assert!(!ci.status.success());
        let said = String::from_utf8_lossy(&ci.stderr).into_owned();
        let why = "sshd is missing, and no test is skipped in CI: install openssh-server";
        assert!(said.contains(why), "{said}");
        assert!(!log.exists());

        let elsewhere = run("");
        assert!(elsewhere.status.success(), "{elsewhere:?}");
        let test = "expacti_harness::prerequisites::tests::needs_what_is_nowhere";
        assert_eq!(
            std::fs::read_to_string(&log).unwrap(),
            format!(
                "{test}\tsshd\tinstall openssh-server\n{test}\tan oracle\tnot a failure in CI\n"
            )
        );
    }

    #[test]
    fn commands_are_found_and_the_table_is_whole() {
        assert!(command("sh").is_some());
        assert_eq!(package("sshd"), Some("openssh-server"));
        assert_eq!(package("no-such-program"), None);
        for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.len(), 3, "{line}");
            assert!(["required", "optional"].contains(&words[0]), "{line}");
        }
    }
}
