//! What a use of a program does besides what its operands say, as the grammars name it.

/// One thing that a program or an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    /// Changes the state that it names: `changes:service`.
    Changes(Change),
    /// A file there can make it run or reach something.
    ConfiguredBy(Place),
    /// Deletes files that its operands do not name.
    Deletes,
    /// The operands that are read are written as well.
    InPlace,
    /// Alone, it makes the program tell of itself and do nothing else, whatever it does otherwise.
    Info,
    Network(Network),
    /// It is not understood what it does.
    Opaque,
    /// Reads what may hold secrets: environments, arguments of processes, stored configuration.
    Private,
    /// What the shell does with later words may be another.
    Redefines,
    /// Directories among the operands are read with all that is in them.
    Recursive,
    /// Runs code that nobody sees here: a script, a hook, a configuration.
    Runs,
    /// The first operand is not there: an option has said it.
    Skip,
    Stdin(Stdin),
    Terminal(Terminal),
    /// Writes, deletes or changes files that its operands do not name.
    Writes,
    /// Writes other files in the place of those that its operands delete; none where it has none.
    Beside,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub(crate) enum Change {
    Cloud,
    Cluster,
    Container,
    Database,
    Device,
    Network,
    Package,
    Permission,
    Process,
    Repository,
    Schedule,
    Service,
    System,
    User,
}

impl Change {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Cloud, "cloud"),
        (Self::Cluster, "cluster"),
        (Self::Container, "container"),
        (Self::Database, "database"),
        (Self::Device, "device"),
        (Self::Network, "network"),
        (Self::Package, "package"),
        (Self::Permission, "permission"),
        (Self::Process, "process"),
        (Self::Repository, "repository"),
        (Self::Schedule, "schedule"),
        (Self::Service, "service"),
        (Self::System, "system"),
        (Self::User, "user"),
    ];

    /// Whether something of this name can be changed.
    pub(super) fn is_name(name: &str) -> bool {
        Self::ALL.iter().any(|(_, known)| *known == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(change, _)| *change == self).map_or("", |(_, name)| name)
    }
}

/// Where a configuration lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Home,
    Service,
    WorkingDirectory,
}

/// What is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Network {
    Loopback,
    Service,
    Hosts,
}

/// What a program does with its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stdin {
    Archive,
    Code,
    File,
    Filter,
    /// As a filter, unless a file is named.
    FilterWithoutInput,
    Names,
    /// The client's side of a protocol, to which the program answers.
    Protocol,
    Unused,
}

/// What a program does when it has a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Terminal {
    Editor,
    Pager,
    Plain,
    Prompts,
    Screen,
    Shell,
}

impl Act {
    fn parse(text: &str) -> Result<Self, String> {
        let changed = |name: &str| {
            Change::ALL.iter().find(|(_, known)| *known == name).map(|(change, _)| *change)
        };
        Ok(match text.split_once(':') {
            Some(("changes", name)) => Self::Changes(
                changed(name).ok_or_else(|| format!("{name:?} is nothing to change"))?,
            ),
            Some(("configured", "home")) => Self::ConfiguredBy(Place::Home),
            Some(("configured", "service")) => Self::ConfiguredBy(Place::Service),
            Some(("configured", "cwd")) => Self::ConfiguredBy(Place::WorkingDirectory),
            Some(("network", "loopback")) => Self::Network(Network::Loopback),
            Some(("network", "service")) => Self::Network(Network::Service),
            Some(("network", "hosts")) => Self::Network(Network::Hosts),
            Some(("stdin", "archive")) => Self::Stdin(Stdin::Archive),
            Some(("stdin", "code")) => Self::Stdin(Stdin::Code),
            Some(("stdin", "file")) => Self::Stdin(Stdin::File),
            Some(("stdin", "filter")) => Self::Stdin(Stdin::Filter),
            Some(("stdin", "filter?")) => Self::Stdin(Stdin::FilterWithoutInput),
            Some(("stdin", "names")) => Self::Stdin(Stdin::Names),
            Some(("stdin", "protocol")) => Self::Stdin(Stdin::Protocol),
            Some(("stdin", "unused")) => Self::Stdin(Stdin::Unused),
            Some(("terminal", "editor")) => Self::Terminal(Terminal::Editor),
            Some(("terminal", "pager")) => Self::Terminal(Terminal::Pager),
            Some(("terminal", "plain")) => Self::Terminal(Terminal::Plain),
            Some(("terminal", "prompts")) => Self::Terminal(Terminal::Prompts),
            Some(("terminal", "screen")) => Self::Terminal(Terminal::Screen),
            Some(("terminal", "shell")) => Self::Terminal(Terminal::Shell),
            None => match text {
                "deletes" => Self::Deletes,
                "info" => Self::Info,
                "inplace" => Self::InPlace,
                "opaque" => Self::Opaque,
                "private" => Self::Private,
                "recursive" => Self::Recursive,
                "redefines" => Self::Redefines,
                "runs" => Self::Runs,
                "skip" => Self::Skip,
                "beside" => Self::Beside,
                "writes" => Self::Writes,
                _ => return Err(format!("{text:?} is nothing a program does")),
            },
            Some(_) => return Err(format!("{text:?} is nothing a program does")),
        })
    }
}

/// What a program or an option does, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acts(Vec<Act>);

impl Acts {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(Act::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Only telling of itself.
    pub(super) fn info() -> Self {
        Self(vec![Act::Info])
    }

    /// Going through directories.
    pub(crate) fn recursive() -> Self {
        Self(vec![Act::Recursive])
    }

    /// What of it is done with a terminal.
    pub(crate) fn terminal(&self) -> Self {
        Self(self.0.iter().filter(|act| matches!(act, Act::Terminal(_))).copied().collect())
    }

    pub(crate) fn has(&self, act: Act) -> bool {
        self.0.contains(&act)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Act> {
        self.0.iter().copied()
    }

    /// Both; what `other` says of standard input and of a terminal takes the place of what was said.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        for act in &other.0 {
            match act {
                Act::Stdin(_) => self.0.retain(|old| !matches!(old, Act::Stdin(_))),
                Act::Terminal(_) => self.0.retain(|old| !matches!(old, Act::Terminal(_))),
                _ => {}
            }
            if !self.0.contains(act) {
                self.0.push(*act);
            }
        }
        self
    }
}
