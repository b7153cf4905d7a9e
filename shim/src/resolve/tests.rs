//! Resolves targets with the real client and a configuration of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::args::{Invocation, Origin, read};
use crate::options::LETTERS;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Self { dir };
        let config = config.replace("DIR", files.path(""));
        std::fs::write(files.path("config"), config).unwrap();
        files
    }

    fn path(&self, name: &str) -> &'static str {
        let path = self.dir.path().join(name);
        // A test's few bytes may stay.
        Box::leak(path.to_str().unwrap().trim_end_matches('/').to_owned().into_boxed_str())
    }

    fn touch(&self, name: &str) -> &'static str {
        std::fs::write(self.path(name), "").unwrap();
        self.path(name)
    }

    /// The file that the jump hosts are given.
    fn jump_config(&self, transport: &str) -> String {
        let (_, file) = transport.split_once(" -F ").unwrap();
        let file = file.split(' ').next().unwrap().to_owned();
        assert!(file.starts_with(self.path("jump-")), "{file}");
        file
    }

    /// Resolves `ssh -F config LINE`; `-F` is left out of what the agent is known to have said.
    fn resolve(&self, line: &str) -> Result<TargetRoute, String> {
        self.resolve_as(line, false)
    }

    fn resolve_as(&self, line: &str, agent_gave_f: bool) -> Result<TargetRoute, String> {
        let line = format!("-F {} {}", self.path("config"), line.replace("DIR", self.path("")));
        let args: Vec<OsString> =
            shell_words::split(&line).unwrap().into_iter().map(OsString::from).collect();
        let Invocation::Connect(mut request) = read(LETTERS, &args, Origin::User).unwrap() else {
            panic!("{line}");
        };
        if !agent_gave_f {
            request.config_is_users = true;
        }
        let var = |name: &str| match name {
            "SSH_AUTH_SOCK" => Some("/run/agent".to_owned()),
            "WORK_SOCK" => Some("/run/work".to_owned()),
            _ => None,
        };
        let cwd = self.dir.path().to_owned();
        let env = ResolveEnv {
            ssh: Path::new("/usr/bin/ssh"),
            dir: self.dir.path(),
            wrap_pid: 7,
            var: &var,
            cwd: &cwd,
            fixed: None,
        };
        resolve(&request, &env).map(|r| r.route).map_err(|e| e.to_string())
    }
}

#[test]
fn lists_of_paths_and_aliases() {
    assert_eq!(paths("/a /b c /d"), ["/a", "/b c", "/d"]);
    assert!(paths("none").is_empty() && paths("").is_empty());
    assert_eq!(host_of("u@h"), "h");
    assert_eq!(host_of("a@b@h"), "h");
    assert_eq!(host_of("::1"), "::1");
    assert_eq!(host_of("ssh://u@h:22"), "h");
    assert_eq!(host_of("ssh://[::1]:22"), "::1");
}

#[test]
fn everything_the_gate_needs() {
    let files = Files::new(
        "Host web-*\n\
         HostName %h.example\n Port 2200\n User deploy\n IdentitiesOnly yes\n\
         IdentityFile DIR/id_%n_%r\n IdentityFile DIR/absent\n CertificateFile DIR/%h.pub\n\
         UserKnownHostsFile DIR/known_%p \"DIR/with space\"\n GlobalKnownHostsFile none\n\
         HostKeyAlias alias-of-web\n HashKnownHosts yes\n StrictHostKeyChecking accept-new\n\
         ConnectTimeout 9\n AddressFamily inet\n ServerAliveInterval 30\n\
         HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\n\
         LocalForward 8080 localhost:80\n ControlMaster auto\n ControlPath DIR/c\n ForwardAgent yes\n",
    );
    let id = files.touch("id_web-1_deploy");
    let cert = files.touch("id_web-1_deploy-cert.pub");
    let named = files.touch("web-1.example.pub");
    let known = files.path("known_2200");
    let route = files.resolve("web-1 uptime").unwrap();
    assert_eq!(
        route,
        TargetRoute {
            alias: "web-1".into(),
            host: "web-1.example".into(),
            port: 2200,
            user: "deploy".into(),
            identity_files: vec![id.into()],
            certificate_files: vec![named.into(), cert.into()],
            identities_only: true,
            identity_agent: Some("/run/agent".into()),
            known_hosts_files: vec![known.into(), files.path("with space").into()],
            known_hosts_add: Some(known.into()),
            host_key_checking: HostKeyChecking::AcceptNew,
            host_key_alias: Some("alias-of-web".into()),
            hash_known_hosts: true,
            host_key_algorithms: vec!["ssh-ed25519".into(), "rsa-sha2-512".into()],
            connect_timeout: Some(9),
            address_family: Some("inet".into()),
            transport: None,
            server_alive_interval: Some(30),
        }
    );
    // What is typed comes first.
    files.touch("key");
    let route = files.resolve("-p 1 -l root -i key -o StrictHostKeyChecking=no web-1").unwrap();
    assert_eq!((route.port, route.user.as_str()), (1, "root"));
    assert_eq!(route.identity_files, [files.path("key")]);
    assert_eq!(route.host_key_checking, HostKeyChecking::Off);
}

#[test]
fn a_name_stands_for_the_users_machine_only() {
    let files = Files::new("Host staging\n HostName 10.0.0.2\n");
    let alias = |line: &str| files.resolve(line).unwrap().alias;
    assert_eq!(alias("staging"), "staging");
    assert_eq!(alias("-o HostName=prod staging"), "prod");
    assert_eq!(alias("-o CanonicalizeHostname=no staging"), "10.0.0.2");
    assert_eq!(files.resolve_as("staging", true).unwrap().alias, "10.0.0.2");
}

#[test]
fn a_proxy_command_gets_no_shell_code_from_the_command_line() {
    let files = Files::new("Host web\n ProxyCommand nc %h %p\nHost jump\n ProxyJump j\n");
    assert!(files.resolve("web").is_ok());
    for bad in ["x;id", "$(id)", "`id`", "x y", "-x", "a|b", "a&b", "a>b", "a\"b"] {
        let line = format!("-o 'HostName={bad}' web");
        let e = files.resolve(&line).unwrap_err();
        assert!(e.contains("ProxyCommand") || e.contains("ssh -G"), "{bad}: {e}");
    }
}

#[test]
fn without_a_configuration() {
    let files = Files::new("");
    let route = files.resolve("-o UserKnownHostsFile=/dev/null ssh://u@h:99").unwrap();
    assert_eq!((route.host.as_str(), route.port, route.user.as_str()), ("h", 99, "u"));
    assert_eq!(route.host_key_checking, HostKeyChecking::Strict);
    assert_eq!(route.known_hosts_add, None);
    assert!(route.host_key_algorithms.is_empty() && route.transport.is_none());
    assert_eq!((route.connect_timeout, route.server_alive_interval), (None, None));
}

#[test]
fn agents() {
    let files = Files::new(
        "Host none\n IdentityAgent none\nHost env\n IdentityAgent SSH_AUTH_SOCK\n\
         Host var\n IdentityAgent $WORK_SOCK\nHost unset\n IdentityAgent $NOT_SET\n\
         Host path\n IdentityAgent DIR/%n.sock\n",
    );
    let agent = |host: &str| files.resolve(host).unwrap().identity_agent;
    assert_eq!(agent("none"), None);
    assert_eq!(agent("env").as_deref(), Some("/run/agent"));
    assert_eq!(agent("var").as_deref(), Some("/run/work"));
    assert_eq!(agent("unset"), None);
    assert_eq!(agent("path").as_deref(), Some(files.path("path.sock")));
    assert_eq!(agent("other").as_deref(), Some("/run/agent"));
}

#[test]
fn ways_to_the_target() {
    let files = Files::new(
        "Host one\n ProxyJump bastion\nHost two\n HostName 10.0.0.2\n Port 2200\n ProxyJump a@j1:22,b@[::1]:23\n\
         Host proxy\n Port 23\n ProxyCommand nc -X '%%' %h %p %r %n\n User u\n\
         Host fd\n ProxyCommand x\n ProxyUseFdpass yes\nHost odd\n ProxyCommand x %z\n",
    );
    let way = |line: &str| files.resolve(line).map(|r| r.transport.map(|t| t.join(" ")));
    let prefix = "/usr/bin/env EXPACTI_WRAP=7 EXPACTI_RESOLVING=1 SSH_AUTH_SOCK=/run/agent ";
    let config = files.jump_config(&way("one").unwrap().unwrap());
    let ssh = format!(
        "{prefix}/usr/bin/ssh -oBatchMode=yes -oPermitLocalCommand=no -oControlMaster=no \
         -oControlPath=none -F {config} "
    );
    assert_eq!(way("one").unwrap().unwrap(), format!("{ssh}-W [one]:22 bastion"));
    assert_eq!(
        way("two").unwrap().unwrap(),
        format!("{ssh}-J a@j1:22 -W [10.0.0.2]:2200 -l b -p 23 ::1")
    );
    assert_eq!(way("-J x two").unwrap().unwrap(), format!("{ssh}-W [10.0.0.2]:2200 x"));
    assert_eq!(way("-J none two").unwrap(), None);
    assert_eq!(
        way("proxy").unwrap().unwrap(),
        format!("{prefix}/bin/sh -c exec nc -X '%' proxy 23 u proxy")
    );
    assert_eq!(way("-o ProxyCommand=none proxy").unwrap(), None);
    assert!(way("fd").unwrap_err().contains("ProxyUseFdpass"));
    assert!(way("odd").is_err());
    // A configuration that the agent names may have jump hosts, but no proxy command.
    let route = files.resolve_as("one", true).unwrap();
    let config = files.jump_config(&route.transport.unwrap().join(" "));
    // Of what is on the way, too: the client gives its own jump hosts this file.
    let text = std::fs::read_to_string(config).unwrap();
    let included = format!("\nInclude \"{}\"\n", files.path("config"));
    assert!(text.starts_with("ControlMaster no\n") && text.ends_with(&included), "{text}");
    let plain = files.resolve("-F none -J a,b h").unwrap().transport.unwrap().join(" ");
    assert!(plain.contains("-F none -J a -W"), "{plain}");
    assert!(files.resolve_as("proxy", true).unwrap_err().contains("the file of -F"));
}

#[test]
fn what_cannot_be_followed_is_an_error() {
    let files = Files::new("Host revoked\n RevokedHostKeys DIR/revoked\n");
    assert!(files.resolve("revoked").unwrap_err().contains("RevokedHostKeys"));
    let e = files.resolve("-p 0 h").unwrap_err();
    assert!(e.starts_with("failed to resolve the target: ssh -G says: "), "{e}");
}
