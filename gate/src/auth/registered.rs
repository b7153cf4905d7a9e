//! The targets of a gate that serves a whole machine. Of what a wrap says of its target only the name counts,
//! by which one of those that an administrator has registered is found: address, host keys and the users to
//! log in as are the registration's, and the keys are the gate's own.

use expacti_protocol::http::Target as TargetRecord;
use expacti_protocol::uplink::{TargetRoute, WrapRegistration};

use super::agents::{resolve, targets};
use crate::shared::Shared;
use crate::upstream::route::Target;

/// The port of a route that names none.
const SSH_PORT: u16 = 22;

/// A registered target that a wrap asks for.
pub(crate) struct Registered {
    record: TargetRecord,
    /// As which user, if the wrap's client said so.
    login: Option<String>,
}

impl Registered {
    /// Finds it.
    ///
    /// # Errors
    /// What to do where there is none.
    pub(crate) async fn find(
        shared: &Shared,
        route: &TargetRoute,
        wrap: &WrapRegistration,
    ) -> Result<Self, String> {
        let all = targets(shared).await.ok_or("the broker does not say which targets there are")?;
        let user = wrap.unix_user.as_deref();
        choose(all, route, user).ok_or_else(|| unregistered(route, user))
    }

    /// How to reach it as the user that the client named, or as the registered one. A library names its user
    /// later.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn target(&self, shared: &Shared, is_library: bool) -> Result<Target, String> {
        let login = self.login.as_deref().filter(|_| !is_library);
        resolve(shared, self.record.clone(), login)
    }

    /// The same as another user.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn target_as(&self, shared: &Shared, user: &str) -> Result<Target, String> {
        resolve(shared, self.record.clone(), Some(user))
    }
}

/// The target that a route means: that of its host and port, or the one with the name that the client gave and
/// that no configuration made into another. `unix_user` is whose wrap it is: `ssh` names that user where its
/// user names none.
fn choose(
    all: Vec<TargetRecord>,
    route: &TargetRoute,
    unix_user: Option<&str>,
) -> Option<Registered> {
    let port = if route.port == 0 { SSH_PORT } else { route.port };
    let is_there = |t: &TargetRecord| t.host.eq_ignore_ascii_case(&route.host) && t.port == port;
    let is_named = |t: &TargetRecord| {
        t.name.eq_ignore_ascii_case(&route.host) && [SSH_PORT, t.port].contains(&port)
    };
    let lists = |t: &TargetRecord| t.logins.contains(&route.user);
    // One machine can be registered under several names, for different users.
    let rank = |t: &TargetRecord| (t.name != route.alias, !lists(t));
    let mut fitting: Vec<_> = all.into_iter().filter(|t| is_there(t) || is_named(t)).collect();
    fitting.sort_by_key(rank);
    let record = fitting.into_iter().next()?;
    let is_default = unix_user == Some(route.user.as_str()) && !lists(&record);
    let login = (!is_default).then(|| route.user.clone());
    Some(Registered { record, login })
}

fn unregistered(route: &TargetRoute, unix_user: Option<&str>) -> String {
    let short =
        |text: &str| -> String { expacti_protocol::one_line(text).chars().take(64).collect() };
    let named = Some(route.user.as_str()).filter(|user| unix_user != Some(*user));
    let (host, user) = (short(&route.host), short(named.unwrap_or("USER")));
    let port = if [0, SSH_PORT].contains(&route.port) {
        String::new()
    } else {
        format!(":{}", route.port)
    };
    format!(
        "{host}{port} is not registered with the service of this machine, which knows its host key and has the \
         key to it; an administrator adds it: sudo expacti target add NAME {user}@{host}{port} --host-key \
         \"KEY\" (as ssh-keyscan shows it)"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(name: &str, host: &str, port: u16, user: &str, logins: &[&str]) -> TargetRecord {
        TargetRecord {
            name: name.to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            host_keys: Vec::new(),
            tags: Vec::new(),
            logins: logins.iter().map(|l| (*l).to_owned()).collect(),
        }
    }

    #[test]
    fn a_route_only_chooses() {
        let all = || {
            vec![
                record("db", "10.0.0.8", 22, "postgres", &["postgres"]),
                record("web", "10.0.0.7", 2222, "deploy", &[]),
                record("web-root", "10.0.0.7", 2222, "root", &["root"]),
            ]
        };
        let ask = |alias: &str, host: &str, port: u16, user: &str| {
            let route = TargetRoute {
                alias: alias.to_owned(),
                host: host.to_owned(),
                port,
                user: user.to_owned(),
                known_hosts_files: vec!["/home/bob/.ssh/known_hosts".to_owned()],
                transport: Some(vec!["nc".to_owned()]),
                ..TargetRoute::default()
            };
            choose(all(), &route, Some("bob")).map(|r| (r.record.name, r.login))
        };
        let some =
            |name: &str, login: Option<&str>| Some((name.to_owned(), login.map(str::to_owned)));
        // By its address, whatever the client calls it.
        assert_eq!(ask("x", "10.0.0.8", 22, "postgres"), some("db", Some("postgres")));
        assert_eq!(ask("x", "10.0.0.7", 2222, "root"), some("web-root", Some("root")));
        assert_eq!(ask("web", "10.0.0.7", 2222, "root"), some("web", Some("root")));
        // By its name.
        assert_eq!(ask("web", "web", 22, "deploy"), some("web", Some("deploy")));
        assert_eq!(ask("WEB", "web", 2222, "deploy"), some("web", Some("deploy")));
        // As nobody in particular.
        assert_eq!(ask("web", "web", 22, "bob"), some("web", None));
        assert_eq!(ask("x", "10.0.0.8", 22, "bob"), some("db", None));
        // Another port is another target, and an alias alone means none.
        assert_eq!(ask("db", "10.0.0.8", 2222, "postgres"), None);
        assert_eq!(ask("db", "10.0.0.9", 22, "postgres"), None);
        assert_eq!(ask("web", "web", 23, "deploy"), None);
    }

    #[test]
    fn what_is_not_registered_is_told_how_to_be() {
        let route = TargetRoute {
            host: "10.0.0.9\u{1b}[2J".to_owned(),
            port: 2222,
            user: "root".to_owned(),
            ..TargetRoute::default()
        };
        let said = unregistered(&route, Some("root"));
        assert!(said.contains("sudo expacti target add NAME USER@10.0.0.9"), "{said}");
        let said = unregistered(&route, Some("bob"));
        assert!(said.contains("sudo expacti target add NAME root@10.0.0.9"), "{said}");
        assert!(said.contains(":2222 ") && !said.contains('\u{1b}'), "{said}");
    }
}
