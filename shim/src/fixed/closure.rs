//! A configuration with everything it includes. It is read without knowing the host: what stands in any
//! `Host` or `Match` block counts.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::commands;
use super::environment::variables;
use super::line::Line;
use super::places::{Config, Places};

/// The most files, and the most bytes of them together, that one configuration may have.
const MOST_FILES: usize = 256;
const MOST_BYTES: u64 = 4 << 20;

/// How deep files may include each other; OpenSSH's own limit.
const DEEPEST: usize = 16;

/// A command line, or the path of a library, that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// Where it stands: `match exec`, `proxycommand` and so on.
    pub(crate) keyword: String,
    /// As it stands there.
    pub(crate) command: String,
}

impl Code {
    /// The files that decide what it does; an error when that cannot be told.
    pub(super) fn files(&self, places: &Places, path: &OsStr) -> Result<Vec<PathBuf>, String> {
        commands::files(&self.command, places, path)
    }
}

/// What a configuration says, of any host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closure {
    /// Its files, also those that are not there, and the directories of patterns.
    pub(crate) files: Vec<PathBuf>,
    /// What of it is executed.
    pub(crate) code: Vec<Code>,
    /// The keys and certificates it names.
    pub(crate) identities: Vec<PathBuf>,
    /// Where else keys may be: paths with tokens or variables in them, as patterns.
    pub(crate) patterns: Vec<String>,
    /// Where sockets of shared connections would be made, as patterns; empty when none are shared.
    pub(crate) sharing: Vec<String>,
    /// The known_hosts files it names.
    pub(crate) known_hosts: Vec<PathBuf>,
    /// The environment variables it names.
    pub(crate) variables: Vec<String>,
    /// What could not be followed. Such a configuration is not used from inside.
    pub(crate) problems: Vec<String>,
}

impl Closure {
    /// Reads a configuration.
    pub(crate) fn read(config: &Config, places: &Places) -> Self {
        let mut reader = Reader {
            places,
            closure: Self::default(),
            seen: HashSet::new(),
            bytes: MOST_BYTES,
            shares: false,
        };
        match config {
            Config::None => {}
            Config::Usual => {
                reader.file(&places.ssh_dir().join("config"), &places.ssh_dir(), 0);
                reader.file(&places.system.join("ssh_config"), &places.system, 0);
            }
            // As OpenSSH: what it includes by a relative path is looked for in ~/.ssh.
            Config::File(file) => reader.file(file, &places.ssh_dir(), 0),
        }
        if !reader.shares {
            reader.closure.sharing.clear();
        }
        reader.closure
    }
}

struct Reader<'a> {
    places: &'a Places,
    closure: Closure,
    seen: HashSet<PathBuf>,
    bytes: u64,
    /// Some connection is shared.
    shares: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, relative_to: &Path, depth: usize) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        self.closure.files.push(path.to_owned());
        if depth > DEEPEST || self.seen.len() > MOST_FILES {
            self.problem(format!("{} is included too deep, or one of too many", path.display()));
            return;
        }
        let text = match self.text(path) {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(e) => {
                self.problem(format!("{}: {e}", path.display()));
                return;
            }
        };
        for line in text.lines().filter_map(Line::parse) {
            self.line(&line, path, relative_to, depth);
        }
    }

    /// The text of a file; none when it is not there, as `ssh` takes it.
    fn text(&mut self, path: &Path) -> std::io::Result<Option<String>> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(self.bytes + 1).read_to_end(&mut bytes)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self
            .bytes
            .checked_sub(length)
            .ok_or_else(|| std::io::Error::other("the configuration is too long"))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn line(&mut self, line: &Line, file: &Path, relative_to: &Path, depth: usize) {
        self.closure.variables.extend(variables(&line.rest));
        match line.keyword.as_str() {
            "include" => {
                for pattern in line.readings() {
                    self.include(&pattern, file, relative_to, depth);
                }
            }
            "match" => match line.match_exec() {
                Ok(commands) => {
                    for command in commands {
                        self.code("match exec", command);
                    }
                }
                Err(()) => {
                    self.problem(format!("{}: Match {} cannot be read", file.display(), line.rest));
                }
            },
            "proxycommand" | "knownhostscommand" | "localcommand" => {
                self.code(&line.keyword, line.rest.clone());
            }
            "pkcs11provider" | "securitykeyprovider" | "smartcarddevice" => {
                self.code(&line.keyword, line.words().first().cloned().unwrap_or_default());
            }
            "identityfile" | "certificatefile" => {
                for word in line.readings() {
                    match self.path(&word) {
                        Some(path) => self.closure.identities.push(path),
                        None => self.closure.patterns.extend(patterns(&word, self.places)),
                    }
                }
            }
            "controlpath" => {
                let is_set = |word: &String| !word.eq_ignore_ascii_case("none");
                for word in line.readings().into_iter().filter(is_set) {
                    let told = pattern(&word, self.places, false);
                    self.closure.patterns.extend(told.clone());
                    // What cannot be told is kept as it stands.
                    self.closure.sharing.push(told.unwrap_or(word));
                }
            }
            "controlmaster" => {
                let off =
                    |word: &String| matches!(word.to_ascii_lowercase().as_str(), "no" | "false");
                self.shares |= !line.words().iter().all(off);
            }
            "identityagent" => {
                for word in line.readings() {
                    match self.path(&word) {
                        Some(path) => self.closure.identities.push(path),
                        None => self.closure.patterns.extend(pattern(&word, self.places, false)),
                    }
                }
            }
            "userknownhostsfile" | "globalknownhostsfile" => {
                let named = line.words().into_iter().filter_map(|word| self.path(&word));
                let named: Vec<_> = named.collect();
                self.closure.known_hosts.extend(named);
            }
            _ => {}
        }
    }

    fn include(&mut self, pattern: &str, file: &Path, relative_to: &Path, depth: usize) {
        let place = relative_to.display().to_string();
        if pattern.contains(['%', '$', '\\']) {
            // It is not used, but the keys that it names are there.
            let absolute = self::pattern(pattern, self.places, true);
            self.follow(
                &absolute.unwrap_or(format!("{place}/{}", pattern.replace('%', "*"))),
                relative_to,
                depth,
            );
            self.problem(format!(
                "{} has `Include {pattern}`, which cannot be followed: write the path without %, $ \
                 and \\",
                file.display()
            ));
            return;
        }
        let path = match pattern.strip_prefix("~/") {
            Some(rest) => self.places.home.join(rest),
            None if pattern.starts_with('~') => {
                if let Some(absolute) = self::pattern(pattern, self.places, true) {
                    self.follow(&absolute, relative_to, depth);
                }
                self.problem(format!(
                    "{} has `Include {pattern}`, the files of another user: write their path",
                    file.display()
                ));
                return;
            }
            None => relative_to.join(pattern),
        };
        if !pattern.contains(['*', '?', '[']) {
            self.file(&path, relative_to, depth + 1);
            return;
        }
        // A file that appears there would be read as well.
        if let Some(dir) = fixed_part(&path)
            && self.seen.insert(dir.join("*"))
        {
            self.closure.files.push(dir.join("*"));
        }
        let is_read = path.to_str().is_some_and(|path| self.follow(path, relative_to, depth));
        if !is_read {
            self.problem(format!("{}: Include {pattern} cannot be read", file.display()));
        }
    }

    /// Reads the files of a pattern; false when it is none.
    fn follow(&mut self, pattern: &str, relative_to: &Path, depth: usize) -> bool {
        let Ok(found) = glob::glob(pattern) else { return false };
        for path in found.take(MOST_FILES + 1).collect::<Vec<_>>() {
            match path {
                Ok(path) => self.file(&path, relative_to, depth + 1),
                Err(e) => self.problem(format!("{}: {}", e.path().display(), e.error())),
            }
        }
        true
    }

    fn code(&mut self, keyword: &str, command: String) {
        let off = command.is_empty()
            || matches!(command.to_ascii_lowercase().as_str(), "none" | "internal");
        if !off {
            self.closure.code.push(Code { keyword: keyword.to_owned(), command });
        }
    }

    /// The path that a word stands for, if it can be told without knowing the host.
    fn path(&self, word: &str) -> Option<PathBuf> {
        let text = commands::expand(word, self.places)?;
        text.starts_with('/').then(|| PathBuf::from(text))
    }

    fn problem(&mut self, problem: String) {
        self.closure.problems.push(problem);
    }
}

/// The patterns of a path that may be relative to the directory in which `ssh` is started: this one, or
/// the home directory.
fn patterns(word: &str, places: &Places) -> Vec<String> {
    if word.starts_with(['/', '~', '%', '$']) {
        return pattern(word, places, false).into_iter().collect();
    }
    let here = std::env::current_dir().ok();
    let dirs = [Some(places.home.clone()), here].into_iter().flatten();
    let path = |dir: PathBuf| Some(dir.join(word).to_str()?.replace("/./", "/"));
    dirs.filter_map(path).filter_map(|path| pattern(&path, places, false)).collect()
}

/// A path with `*` in the place of each token, and the values that variables have now; none when it is
/// not a path. `globs`: it is a pattern already.
fn pattern(word: &str, places: &Places, globs: bool) -> Option<String> {
    let escape = |text: &str| match globs {
        true => text.to_owned(),
        false => glob::Pattern::escape(text),
    };
    let literal = |letter: char| escape(letter.encode_utf8(&mut [0; 4]));
    let home = glob::Pattern::escape(places.home.to_str()?);
    let mut out = String::new();
    let mut rest = word;
    if let Some(tail) = word.strip_prefix('~') {
        let (name, _) = tail.split_once('/')?;
        if name.is_empty() {
            out.push_str(&home);
        } else {
            let user = nix::unistd::User::from_name(name).ok().flatten()?;
            out.push_str(&glob::Pattern::escape(user.dir.to_str()?));
        }
        rest = tail.get(name.len()..)?;
    }
    while let Some(letter) = rest.chars().next() {
        if let Some((name, behind)) =
            rest.strip_prefix("${").and_then(|behind| behind.split_once('}'))
        {
            // What has no value now may have one later.
            out.push_str(
                &std::env::var(name).map_or("*".to_owned(), |v| glob::Pattern::escape(&v)),
            );
            rest = behind;
            continue;
        }
        rest = rest.get(letter.len_utf8()..)?;
        if letter != '%' {
            out.push_str(&literal(letter));
            continue;
        }
        let token = rest.chars().next()?;
        rest = rest.get(token.len_utf8()..)?;
        match token {
            '%' => out.push('%'),
            'd' => out.push_str(&home),
            _ => out.push('*'),
        }
    }
    (out.starts_with('/') && out.matches('/').count() > 1).then_some(out)
}

/// The directory in which everything lies that a pattern stands for.
pub(crate) fn directory(pattern: &str) -> Option<PathBuf> {
    let pattern = Path::new(pattern);
    fixed_part(pattern).or_else(|| pattern.parent().map(Path::to_owned))
}

/// The directory of a pattern above its first wildcard.
fn fixed_part(pattern: &Path) -> Option<PathBuf> {
    let mut dir = PathBuf::new();
    for part in pattern.components() {
        if part.as_os_str().to_string_lossy().contains(['*', '?', '[']) {
            return Some(dir);
        }
        dir.push(part);
    }
    None
}
