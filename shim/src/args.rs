//! Reads the arguments of `ssh` as OpenSSH's client does and sorts them by [`Treatment`]. What comes
//! out is rebuilt from what was understood: an argument this module did not understand never
//! reaches the client.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::error::WrapError;
use crate::getopt::{Flag, getopt};
use crate::options::{self, Treatment};

/// Who gave the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A person or agent, by `expacti wrap -- ssh …`: a refusal can be acted on.
    User,
    /// A wrapped program that runs `ssh`: what can safely be left out is left out.
    Program,
}

/// A command line of `ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// There will be a connection.
    Connect(Request),
    /// `-V`, `-Q`, `-G`, or no host: the client answers by itself.
    InfoOnly(Vec<OsString>),
}

/// A connection that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// Options for the client, with the destination where it stood among them: the first of
    /// `user@` and `-l user` wins.
    pub(crate) client_args: Vec<OsString>,
    /// The same for `ssh -G`.
    pub(crate) resolve_args: Vec<OsString>,
    /// `[user@]host` or `ssh://[user@]host[:port]`.
    pub(crate) destination: OsString,
    /// The remote command's words.
    pub(crate) command: Vec<OsString>,
    /// The file of `-F`; it stands in neither of the lists above.
    pub(crate) config: Option<OsString>,
    /// That file is the user's own choice, for every connection of the wrap.
    pub(crate) config_is_users: bool,
    /// An option changes which machine the name means.
    pub(crate) overrides_hostname: bool,
    /// An option changes under which name the machine's key is known.
    pub(crate) overrides_names: bool,
    /// `-f`: the client goes to the background.
    pub(crate) background: bool,
    /// The command line chooses ciphers.
    pub(crate) ciphers: bool,
    /// The command line chooses MACs.
    pub(crate) macs: bool,
    /// `-v` was given: report what was left out.
    pub(crate) verbose: bool,
    /// What was left out.
    pub(crate) left_out: Vec<String>,
}

impl Request {
    /// The file of `-F`, unless it is `none`: a configuration that the agent may have written.
    pub(crate) fn custom_config(&self) -> Option<&OsString> {
        self.config.as_ref().filter(|f| !self.config_is_users && !f.eq_ignore_ascii_case("none"))
    }

    /// `-F FILE`, if there is one.
    pub(crate) fn config_args(&self) -> Vec<OsString> {
        self.config.iter().flat_map(|file| ["-F".into(), file.clone()]).collect()
    }
}

/// A command line as the client splits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// The options before the destination.
    pub(crate) before: Vec<Flag>,
    /// The destination, if there is one.
    pub(crate) destination: Option<OsString>,
    /// The options after the destination.
    pub(crate) behind: Vec<Flag>,
    /// The words of the command.
    pub(crate) command: Vec<OsString>,
}

/// Splits the arguments of `ssh`.
pub(crate) fn split(optstring: &str, args: &[OsString]) -> Result<Split, WrapError> {
    let usage = |e: crate::getopt::GetoptError| WrapError::Usage(format!("ssh: {e}"));
    let front = getopt(optstring, args).map_err(usage)?;
    let mut split =
        Split { before: front.flags, destination: None, behind: vec![], command: vec![] };
    let rest = args.get(front.consumed..).unwrap_or_default();
    let Some((destination, mut rest)) = rest.split_first() else { return Ok(split) };
    split.destination = Some(destination.clone());
    // The client reads options once more after the host, unless `--` ended them before it.
    if !front.terminated {
        let again = getopt(optstring, rest).map_err(usage)?;
        split.behind = again.flags;
        rest = rest.get(again.consumed..).unwrap_or_default();
    }
    split.command = rest.to_vec();
    Ok(split)
}

/// Reads the arguments of `ssh`.
pub(crate) fn read(
    optstring: &str,
    args: &[OsString],
    from: Origin,
) -> Result<Invocation, WrapError> {
    let split = split(optstring, args)?;
    let flags = || split.before.iter().chain(&split.behind);
    let informs = flags().any(|f| options::letter(f.letter) == Treatment::InfoOnly);
    let Some(destination) = split.destination.clone().filter(|_| !informs) else {
        return Ok(Invocation::InfoOnly(inform(&flags().collect::<Vec<_>>(), args)));
    };
    if destination.as_bytes().starts_with(b"-") || destination.is_empty() {
        return Err(WrapError::Usage("ssh: the host is missing".to_owned()));
    }
    let mut request = Request { destination, command: split.command, ..Request::default() };
    for flag in &split.before {
        request.add(flag, from)?;
    }
    request.client_args.push(request.destination.clone());
    request.resolve_args.push(request.destination.clone());
    for flag in &split.behind {
        request.add(flag, from)?;
    }
    Ok(Invocation::Connect(request))
}

/// What the client may be asked when it does not connect.
fn inform(flags: &[&Flag], args: &[OsString]) -> Vec<OsString> {
    // -V and -Q end the client at once. -G resolves the whole command line, which may contain
    // anything, since no connection follows.
    if let Some(flag) = flags.iter().find(|f| matches!(f.letter, b'V' | b'Q')) {
        let mut argv = Vec::new();
        flag.push_to(&mut argv);
        return argv;
    }
    if flags.iter().any(|f| f.letter == b'G') {
        let mut argv = vec![OsString::from("-G")];
        argv.extend(args.iter().cloned());
        return argv;
    }
    // No host: the client prints its usage.
    Vec::new()
}

impl Request {
    fn add(&mut self, flag: &Flag, from: Origin) -> Result<(), WrapError> {
        let name = format!("-{}", flag.letter as char);
        match flag.letter {
            b'o' => return self.add_option(flag, from),
            b'F' => {
                self.config = flag.value.clone();
                return Ok(());
            }
            b'c' => self.ciphers = true,
            b'f' => self.background = true,
            b'm' => self.macs = true,
            b'v' => self.verbose = true,
            b'S' if options::is_off(&flag.text()) => return Ok(()),
            _ => {}
        }
        self.apply(options::letter(flag.letter), name, flag, from)
    }

    fn add_option(&mut self, flag: &Flag, from: Origin) -> Result<(), WrapError> {
        let text = flag.text();
        let odd = |why: &str| {
            Err(WrapError::Refused { option: format!("-o {text}"), why: why.to_owned() })
        };
        if flag.value.as_deref().is_none_or(|v| v.to_str().is_none())
            || text.contains(['\n', '\r', '\0'])
        {
            return odd("it is not a plain line of text");
        }
        let Some((keyword, value)) = options::split_option(&text) else {
            return odd("it is not of the form Keyword=value");
        };
        let Some(treatment) = options::keyword(&keyword) else {
            return odd("expacti does not know this option; leave it out");
        };
        if keyword == "forkafterauthentication" && value.trim_matches('"') == "yes" {
            self.background = true;
        }
        self.ciphers |= keyword == "ciphers";
        self.macs |= keyword == "macs";
        self.overrides_hostname |= keyword == "hostname" || keyword.starts_with("canonical");
        self.overrides_names |= self.overrides_hostname || keyword == "hostkeyalias";
        let off = options::is_off(value);
        let treatment = match treatment {
            // Switching off a proxy of the configuration is honoured.
            Treatment::RefuseUnlessOff(_) if off && keyword == "proxycommand" => {
                Treatment::ResolveOnly
            }
            Treatment::RefuseUnlessOff(_) | Treatment::Sharing(_) if off => Treatment::Drop,
            Treatment::RefuseUnlessOff(_)
                if keyword == "proxycommand" && options::is_mosh(value) =>
            {
                Treatment::Refuse(options::MOSH)
            }
            Treatment::RefuseUnlessOff(why) => Treatment::Refuse(why),
            other => other,
        };
        self.apply(treatment, format!("-o {text}"), flag, from)
    }

    fn apply(
        &mut self,
        treatment: Treatment,
        name: String,
        flag: &Flag,
        from: Origin,
    ) -> Result<(), WrapError> {
        match treatment {
            Treatment::ClientOnly => flag.push_to(&mut self.client_args),
            Treatment::Both => {
                flag.push_to(&mut self.client_args);
                flag.push_to(&mut self.resolve_args);
            }
            Treatment::ResolveOnly => flag.push_to(&mut self.resolve_args),
            Treatment::Drop | Treatment::InfoOnly => {}
            Treatment::Sharing(_) if from == Origin::Program => {
                self.left_out
                    .push(format!("{name} left out: the gate keeps connections open itself"));
            }
            Treatment::Sharing(why) | Treatment::Refuse(why) | Treatment::RefuseUnlessOff(why) => {
                return Err(WrapError::Refused { option: name, why: why.to_owned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
