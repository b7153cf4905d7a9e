//! Says in one plain sentence what a line does, for who must decide on it: `reads /etc/nginx; changes
//! nothing`. It must never say it of a line of which anything is not understood.

use std::collections::BTreeSet;

use super::model::{Effects, Touched};
use super::walk::{Performance, Performed};

/// How many paths are named.
const NAMED: usize = 3;

/// What a line does, in one plain sentence; `None` where any of it is not understood.
pub(crate) fn sentence(line: &Performance, terminal: bool) -> Option<String> {
    let commands = &line.commands;
    let known = |command: &Performed| {
        let effects = &command.effects;
        effects.closed && effects.network != "unknown" && effects.stdin != "unknown"
    };
    if commands.is_empty() || !commands.iter().all(known) {
        return None;
    }
    let all = |of: fn(&Effects) -> &Vec<Touched>| commands.iter().flat_map(move |c| of(&c.effects));
    let any = |has: fn(&Effects) -> bool| commands.iter().any(|command| has(&command.effects));
    let mut parts: Vec<String> = Vec::new();
    let mut add = |what: &str, paths: Option<String>| {
        parts.extend(paths.map(|paths| format!("{what} {paths}")));
    };
    add("deletes", named(all(|effects| &effects.deletes)));
    add("writes", named(all(|effects| &effects.writes)));
    add("reads", named(all(|effects| &effects.reads)));
    add("lists", named(all(|effects| &effects.lists)));
    let changed: BTreeSet<&str> = commands
        .iter()
        .flat_map(|command| &command.effects.changes)
        .map(|what| plural(what))
        .collect();
    let changed: Vec<&str> = changed.into_iter().collect();
    add("changes", (!changed.is_empty()).then(|| changed.join(" and ")));
    let mut say = |holds: bool, what: &str| parts.extend(holds.then(|| what.to_owned()));
    say(any(|effects| effects.runs_unseen), "runs code that is not on the line");
    let unfed = |command: &Performed| !command.fed && command.effects.stdin == "code";
    say(commands.iter().any(unfed), "runs its standard input");
    say(any(|effects| effects.private), "reads what may hold secrets");
    say(any(|effects| effects.network == "hosts"), "reaches other hosts");
    say(any(|effects| effects.network == "service"), "asks a service");
    say(any(|effects| effects.network == "loopback"), "asks this machine's own addresses");
    say(any(|effects| effects.redefines), "changes what later words mean");
    let shows = |effects: &Effects| !matches!(effects.terminal.as_str(), "plain" | "");
    say(terminal && any(shows), "may go on in a pager, a prompt or an editor");
    let changes = !changed.is_empty()
        || any(|e| e.runs_unseen || e.redefines || !e.writes.is_empty() || !e.deletes.is_empty())
        || commands.iter().any(unfed);
    if !changes {
        let configured = any(|effects| effects.configured_by.contains("cwd"));
        let unless =
            if configured { " unless files in the working directory configure it to" } else { "" };
        parts.push(format!("changes nothing{unless}"));
    }
    Some(parts.join("; "))
}

/// The first of some paths, `None` if there are none. A directory with all that lies in it ends in `/**`.
fn named<'a>(touched: impl Iterator<Item = &'a Touched>) -> Option<String> {
    let mut paths: Vec<String> = Vec::new();
    for one in touched {
        let path = match one.path.as_str() {
            // The engine's words for what it does not know.
            "somewhere" | "**" => "files that the line does not name".to_owned(),
            path if one.deep && !path.ends_with("**") => {
                format!("{}/**", path.trim_end_matches('/'))
            }
            path => path.to_owned(),
        };
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let more = paths.len().saturating_sub(NAMED);
    paths.truncate(NAMED);
    let and = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!paths.is_empty()).then(|| format!("{}{and}", paths.join(", ")))
}

fn plural(what: &str) -> &str {
    match what {
        "cluster" => "a cluster",
        "cloud" => "a cloud",
        "database" => "a database",
        "container" => "containers",
        "device" => "a device",
        "network" => "the network",
        "schedule" => "a schedule",
        "package" => "packages",
        "permission" => "permissions",
        "process" => "processes",
        "repository" => "a repository",
        "service" => "services",
        "system" => "the system",
        "user" => "users",
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use crate::{Context, ItemSyntax, Reading, Snapshot};

    #[test]
    fn a_line_that_is_understood_is_told_in_a_sentence() {
        let context = Context {
            cwd: Some("/srv/app".to_owned()),
            shell: Some("bash".to_owned()),
            ..Context::default()
        };
        let snapshot = Snapshot::default();
        let told = |line: &str, context: &Context| {
            Reading::of(&snapshot, ItemSyntax::Command, line.as_bytes(), context).sentence()
        };
        let say = |line: &str| told(line, &context);
        for (line, sentence) in [
            ("cat /etc/hosts | grep x", "reads /etc/hosts; changes nothing"),
            ("cd /var/log && ls -la | head -20", "lists /var/log; changes nothing"),
            ("uptime", "changes nothing"),
            ("rm -rf build", "deletes /srv/app/build/**"),
            ("rm a b c d e", "deletes /srv/app/a, /srv/app/b, /srv/app/c and 2 more"),
            ("cp a b", "writes /srv/app/b; reads /srv/app/a"),
            ("echo hi > /etc/motd", "writes /etc/motd"),
            ("systemctl restart nginx", "changes services"),
            ("chmod 777 x; kill 12", "writes /srv/app/x; changes permissions and processes"),
            ("env", "reads what may hold secrets; changes nothing"),
            ("curl -s http://localhost:80/", "asks this machine's own addresses; changes nothing"),
            ("kubectl get pods", "asks a service; changes nothing"),
            ("git status", "changes nothing unless files in the working directory configure it to"),
            ("grep -r x", "reads /srv/app/**; changes nothing"),
            (
                "apt-get install -y nginx",
                "writes files that the line does not name; changes packages; runs code that is not on the \
                 line; runs its standard input; reaches other hosts",
            ),
        ] {
            assert_eq!(say(line).as_deref(), Some(sentence), "{line}");
        }
        for line in
            ["./deploy.sh", "foo", "ls; foo", "ls --colour-me", "python3 x.py", "echo 'x", "$x", ""]
        {
            let said = say(line);
            assert!(
                said.as_deref().is_none_or(|said| said.contains("runs code")),
                "{line}: {said:?}"
            );
        }
        // Where the shell is not known, what all of them read alike is told.
        let anywhere = Context { shell: None, ..context.clone() };
        assert_eq!(told("cat > a", &anywhere).as_deref(), Some("writes /srv/app/a"));
        assert_eq!(told("cat > \"$a\"", &anywhere), None);
        // In a terminal, what only looks may go on in a pager.
        let terminal = Context { pty: true, ..context.clone() };
        let said = told("journalctl -u x", &terminal).unwrap();
        assert_eq!(said, "may go on in a pager, a prompt or an editor; changes nothing");
    }
}
