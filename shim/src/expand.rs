//! Expands `~`, `%` tokens and `${VAR}` in the paths that `ssh -G` prints unexpanded, as
//! `ssh_config(5)` says. An unknown token is an error, as in OpenSSH: never a guess.

use crate::error::ExpandError;

/// What the tokens stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    /// `%C`: OpenSSH's hash of the connection.
    pub(crate) hash: String,
    /// `%d` and `~`: the user's home directory.
    pub(crate) home: String,
    /// `%h`: the host name after resolution.
    pub(crate) host: String,
    /// `%i`: the local user's number.
    pub(crate) uid: String,
    /// `%j`: the jump hosts.
    pub(crate) jump: String,
    /// `%k`: the host key alias, or the host as given.
    pub(crate) key_name: String,
    /// `%L`: this machine's name without its domain.
    pub(crate) local_short: String,
    /// `%l`: this machine's name.
    pub(crate) local: String,
    /// `%n`: the host as given.
    pub(crate) given: String,
    /// `%p`: the port.
    pub(crate) port: String,
    /// `%r`: the remote user.
    pub(crate) user: String,
    /// `%u`: the local user.
    pub(crate) local_user: String,
}

impl Tokens {
    fn token(&self, letter: char) -> Option<&str> {
        Some(match letter {
            '%' => "%",
            'C' => &self.hash,
            'L' => &self.local_short,
            'd' => &self.home,
            'h' => &self.host,
            'i' => &self.uid,
            'j' => &self.jump,
            'k' => &self.key_name,
            'l' => &self.local,
            'n' => &self.given,
            'p' => &self.port,
            'r' => &self.user,
            'u' => &self.local_user,
            _ => return None,
        })
    }

    /// Expands `%` tokens.
    pub(crate) fn percent(&self, text: &str) -> Result<String, ExpandError> {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let text = || text.to_owned();
            let letter = chars.next().ok_or_else(|| ExpandError::EndsInPercent(text()))?;
            let unknown = || ExpandError::UnknownToken { text: text(), letter };
            out.push_str(self.token(letter).ok_or_else(unknown)?);
        }
        Ok(out)
    }

    /// Expands a path: a leading `~/`, tokens and `${VAR}`. `var` reads the environment.
    pub(crate) fn path(
        &self,
        text: &str,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, ExpandError> {
        let tilde = match text.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", self.home),
            None => text.to_owned(),
        };
        // One pass each over the original text, so that a value is never expanded again.
        let mut out = String::new();
        let mut rest = tilde.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let text = || text.to_owned();
            let (name, tail) =
                after.split_once('}').ok_or_else(|| ExpandError::UnclosedVariable(text()))?;
            let unset = || ExpandError::UnsetVariable { text: text(), name: name.to_owned() };
            out.push_str(&self.percent(before)?);
            out.push_str(&var(name).ok_or_else(unset)?);
            rest = tail;
        }
        out.push_str(&self.percent(rest)?);
        Ok(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_expand_once() {
        let tokens =
            Tokens { home: "/h".into(), host: "%p".into(), port: "22".into(), ..Tokens::default() };
        let var = |name: &str| (name == "X").then(|| "%h${X}".to_owned());
        assert_eq!(tokens.path("~/.ssh/%h-%p%%", &var).unwrap(), "/h/.ssh/%p-22%");
        assert_eq!(tokens.path("${X}/%p", &var).unwrap(), "%h${X}/22");
        for bad in ["%z", "a%", "${Y}", "${X"] {
            assert!(tokens.path(bad, &var).is_err(), "{bad}");
        }
    }
}
