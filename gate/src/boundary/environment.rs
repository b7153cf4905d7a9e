//! Which of the client's environment variables go to the target with an approved command: LANG and
//! LC_*, with UTF-8 locales. It must never let through a name or value that means something to a
//! shell, linker or terminal library.

/// Variables that one channel may ask for; more are dropped, and not even named.
const MAX: usize = 64;

/// The variables of one channel, sorted into kept and dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    kept: Vec<(String, String)>,
    dropped: Vec<String>,
}

impl Environment {
    /// Adds a variable that the client asked for, and returns whether it is kept.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> bool {
        if self.kept.len() + self.dropped.len() >= MAX {
            return false;
        }
        if is_locale(name) && is_plain(value) {
            self.kept.retain(|(n, _)| n != name);
            self.kept.push((name.to_owned(), value.to_owned()));
            true
        } else {
            let shown: String = expacti_protocol::one_line(name).chars().take(64).collect();
            if !self.dropped.contains(&shown) {
                self.dropped.push(shown);
            }
            false
        }
    }

    /// What goes to the target with the command.
    pub(crate) fn kept(&self) -> &[(String, String)] {
        &self.kept
    }

    /// Names of the variables that do not.
    pub(crate) fn dropped(&self) -> &[String] {
        &self.dropped
    }
}

fn is_locale(name: &str) -> bool {
    name == "LANG"
        || name.strip_prefix("LC_").is_some_and(|rest| {
            !rest.is_empty() && rest.len() <= 32 && rest.bytes().all(|b| b.is_ascii_uppercase())
        })
}

/// A locale name such as `de_DE.UTF-8@euro`, and nothing that looks like a path: glibc would open
/// it. The encoding must be UTF-8 or plain ASCII: in others (GBK) the reviewed text can mean
/// something else, with a quote closed in the middle of a character.
fn is_plain(value: &str) -> bool {
    let encoding = value.split_once('.').map(|(_, rest)| rest.split('@').next().unwrap_or(rest));
    let utf8 = |name: &str| name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8");
    let known = match encoding {
        Some(encoding) => utf8(encoding),
        None => matches!(value, "" | "C" | "POSIX"),
    };
    known
        && value.len() <= 64
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@:-".contains(&b))
        && !value.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_locales_pass() {
        let mut env = Environment::default();
        for (name, value) in
            [("LANG", "C.utf8"), ("LC_ALL", "de_DE.UTF-8@euro"), ("LC_TIME", ""), ("LANG", "C")]
        {
            assert!(env.add(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("LD_PRELOAD", "x"),
            ("LC_", "C"),
            ("LC_ALL", "$(id)"),
            ("LC_PAPER", "/tmp/x"),
            ("LC_NAME", ".."),
            ("LC_a", "C"),
            ("LANGUAGE", "de"),
            ("BASH_ENV", "C"),
            ("TERM", "xterm"),
            ("LANG", "C\n"),
            ("LANG", "zh_CN.GBK"),
            ("LC_CTYPE", "zh_TW"),
            ("LC_ALL", "ja_JP.SJIS@x"),
        ] {
            assert!(!env.add(name, value), "{name}={value}");
        }
        assert_eq!(env.kept().len(), 3);
        assert!(env.kept().contains(&("LANG".to_owned(), "C".to_owned())));
        assert!(env.dropped().contains(&"LD_PRELOAD".to_owned()));
    }

    #[test]
    fn the_number_is_bounded() {
        let mut env = Environment::default();
        for i in 0..10_000 {
            env.add(&format!("X{i}"), "1");
        }
        assert_eq!(env.dropped().len(), MAX);
    }
}
