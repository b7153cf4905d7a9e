//! Configurations in a directory of their own, and who could change what. The tests run as whoever
//! runs them: what belongs to nobody here is what belongs to another number than the one asked about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::commands;
use super::*;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("home/.ssh")).unwrap();
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text.replace("DIR", self.path("").to_str().unwrap())).unwrap();
        path
    }

    fn places(&self) -> Places {
        Places {
            home: self.path("home"),
            system: self.path("etc"),
            user: "me".to_owned(),
            uid: rustix::process::geteuid().as_raw(),
            path: "/usr/bin:/bin".into(),
        }
    }

    fn closure(&self) -> Closure {
        Closure::read(&Config::Usual, &self.places())
    }

    fn fixed(&self, pinned: &[&str], compare: bool) -> Fixed {
        let pinned = pinned.iter().map(|name| self.path(name)).collect();
        Fixed::new(self.places(), Config::Usual, pinned, compare, vec![])
    }
}

/// Everything below a temporary directory that is not of this user, but for `name`.
fn pins(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn includes_are_followed_wherever_they_stand() {
    let files = Files::new();
    files.write(
        "home/.ssh/config",
        "Host x\n Include one ~/two DIR/three\nMatch host y\n include = conf.d/*\n",
    );
    files.write("etc/ssh_config", "Include four\n");
    files.write("home/.ssh/one", "Include config\nIdentityFile ~/.ssh/k-%u\nIdentityFile k-%h\n");
    files.write("home/.ssh/conf.d/a", "UserKnownHostsFile \"~/known a\" /b\n");
    files.write("etc/four", "ProxyCommand nc %h\nProxyCommand none\nMatch exec \"x y\"\n");
    let closure = files.closure();
    assert_eq!(closure.problems, Vec::<String>::new());
    let names: Vec<PathBuf> = closure.files.clone();
    for name in [
        "home/.ssh/config",
        "home/.ssh/one",
        "home/two",
        "three",
        "home/.ssh/conf.d/*",
        "home/.ssh/conf.d/a",
        "etc/ssh_config",
        "etc/four",
    ] {
        assert!(names.contains(&files.path(name)), "{name}: {names:?}");
    }
    assert_eq!(closure.identities, [files.path("home/.ssh/k-me")]);
    assert_eq!(closure.known_hosts, [files.path("home/known a"), "/b".into()]);
    let code: Vec<_> =
        closure.code.iter().map(|c| (c.keyword.as_str(), c.command.as_str())).collect();
    assert_eq!(code, [("proxycommand", "nc %h"), ("match exec", "x y")]);
}

#[test]
fn keys_and_shared_connections_of_any_host_are_known_by_patterns() {
    let files = Files::new();
    let set = glob::Pattern::escape(&std::env::var("PATH").unwrap());
    let home = files.path("home").display().to_string();
    for (line, expected) in [
        ("IdentityFile ~/keys/%n-key", Some(format!("{home}/keys/*-key"))),
        ("IdentityFile %d/%h/%r", Some(format!("{home}/*/*"))),
        ("CertificateFile /a/%%/%h-cert.pub", Some("/a/%/*-cert.pub".to_owned())),
        ("IdentityFile /a/[b]*%h?", Some("/a/[[]b[]][*]*[?]".to_owned())),
        // Variables with their value, those that have none with any.
        ("IdentityFile \"${PATH}/%h\"", Some(format!("{set}/*"))),
        ("IdentityFile /a/${EXPACTI_NOT_SET}/k", Some("/a/*/k".to_owned())),
        ("IdentityFile ~root/%h", Some("/root/*".to_owned())),
        // Of nobody, everything there is, or unfinished.
        ("IdentityFile ~nobody-of-this-name/%h", None),
        ("IdentityFile /%h", None),
        ("IdentityFile /a/b%", None),
    ] {
        files.write("home/.ssh/config", &format!("Host x\n {line}\n"));
        let closure = files.closure();
        assert_eq!(closure.patterns, expected.into_iter().collect::<Vec<_>>(), "{line}");
    }
    for (line, expected) in [
        ("ControlPath ~/.mux/%C", Some(format!("{home}/.mux/*"))),
        ("ControlPath \"/tmp/a b/%r@%h:%p\"", Some("/tmp/a b/*@*:*".to_owned())),
        ("ControlPath /run/fixed", Some("/run/fixed".to_owned())),
        ("ControlPath mux-%C", Some("mux-%C".to_owned())),
        ("ControlPath none", None),
    ] {
        files.write("home/.ssh/config", &format!("Host x\n {line}\n"));
        assert!(files.closure().sharing.is_empty(), "{line}");
        files.write("home/.ssh/config", &format!("Host x\n {line}\nControlMaster auto\n"));
        let closure = files.closure();
        assert_eq!(closure.sharing, expected.into_iter().collect::<Vec<_>>(), "{line}");
    }
    // A relative one is looked for in the home directory and in this one.
    files.write("home/.ssh/config", "IdentityFile keys/%h ~/a\\ b\n");
    let closure = files.closure();
    assert!(closure.patterns.contains(&format!("{home}/keys/*")), "{:?}", closure.patterns);
    assert!(closure.identities.contains(&files.path("home/a b")), "{:?}", closure.identities);
    // What can be told needs no pattern.
    files.write("home/.ssh/config", "IdentityFile ~/.ssh/%u %d/%i\n");
    let uid = rustix::process::geteuid().as_raw();
    let closure = files.closure();
    assert!(closure.patterns.is_empty());
    let known = [files.path("home/.ssh/me"), files.path(&format!("home/{uid}"))];
    assert_eq!(closure.identities, known);
}

#[test]
fn what_cannot_be_followed_is_a_problem() {
    let files = Files::new();
    for config in [
        "Include %d/x",
        "Include ${HOME}/x",
        "Include ~root/x",
        "Include a\\*b",
        "Match exec",
        "Match host a,\"exec x\"",
        "Include DIR/home",
        "Include [",
    ] {
        files.write("home/.ssh/config", config);
        assert!(!files.closure().problems.is_empty(), "{config}");
        assert!(
            files.fixed(&["home/.ssh", "etc"], true).check(&Config::Usual).is_err(),
            "{config}"
        );
    }
    // In circles there is nothing new, deep and long there is too much.
    files.write("home/.ssh/config", "Include config\nInclude other\n");
    files.write("home/.ssh/other", "Include config\n");
    assert_eq!(files.closure().problems, Vec::<String>::new());
    for n in 0..20 {
        files.write(&format!("home/.ssh/d{n}"), &format!("Include d{}\n", n + 1));
    }
    files.write("home/.ssh/config", "Include d0\n");
    assert!(!files.closure().problems.is_empty());
    files.write("home/.ssh/config", &"# \n".repeat(2 << 20));
    assert!(!files.closure().problems.is_empty());
}

#[test]
fn what_is_pinned_holds_and_what_leads_out_of_it_does_not() {
    let files = Files::new();
    files.write("home/.ssh/config", "Host x\n");
    let all = ["home/.ssh", "etc"];
    assert!(files.fixed(&all, false).check(&Config::Usual).is_ok());
    assert!(files.fixed(&["home/.ssh"], false).check(&Config::Usual).is_err());
    // A file beside: it could be made, even if it is not there yet.
    for beside in ["Include DIR/beside", "Include DIR/conf.d/*"] {
        files.write("home/.ssh/config", beside);
        let error = files.fixed(&all, false).check(&Config::Usual).unwrap_err();
        assert!(matches!(error, FixedError::File { .. }), "{error}");
    }
    // A link leads out; a pinned target leads back in.
    let target = files.write("dotfiles/config", "Host y\n");
    std::fs::remove_file(files.path("home/.ssh/config")).unwrap();
    symlink("../../dotfiles/config", files.path("home/.ssh/config")).unwrap();
    assert!(files.fixed(&all, false).check(&Config::Usual).is_err());
    assert!(files.fixed(&["home/.ssh", "etc", "dotfiles"], false).check(&Config::Usual).is_ok());
    // A second name of the file.
    std::fs::remove_file(files.path("home/.ssh/config")).unwrap();
    std::fs::hard_link(target, files.path("home/.ssh/config")).unwrap();
    let error = files.fixed(&all, false).check(&Config::Usual).unwrap_err();
    assert!(error.to_string().contains("hard link"), "{error}");
    // A loop ends.
    std::fs::remove_file(files.path("home/.ssh/config")).unwrap();
    symlink("config", files.path("home/.ssh/config")).unwrap();
    assert!(files.fixed(&all, false).check(&Config::Usual).is_err());
}

#[test]
fn where_nothing_is_pinned_what_was_there_at_the_start_holds() {
    let files = Files::new();
    let config = "Match exec \"/bin/sh DIR/program\"\nInclude DIR/conf.d/*\n";
    files.write("home/.ssh/config", config);
    files.write("program", "true");
    let fixed = files.fixed(&[], true);
    assert!(fixed.check(&Config::Usual).is_ok());
    files.write("program", "false");
    let error = fixed.check(&Config::Usual).unwrap_err();
    assert!(error.to_string().contains("program"), "{error}");
    files.write("program", "true");
    files.write("etc/ssh_config", "Host *\n");
    assert!(fixed.check(&Config::Usual).is_err());
    std::fs::remove_file(files.path("etc/ssh_config")).unwrap();
    assert!(fixed.check(&Config::Usual).is_ok());
    files.write("conf.d/new", "Host *\n");
    assert!(fixed.check(&Config::Usual).is_err());
    std::fs::remove_file(files.path("conf.d/new")).unwrap();
    files.write("home/.ssh/config", &format!("{config}\nHost x\n"));
    assert!(fixed.check(&Config::Usual).is_err());
    assert!(fixed.check(&Config::File(files.path("other"))).is_err());
    assert!(fixed.check(&Config::None).is_ok());
}

/// The files of a command line, or why they cannot be told.
fn files_of(command: &str) -> Result<Vec<String>, String> {
    let files = Files::new();
    let found = commands::files(command, &files.places(), "/usr/bin:/bin".as_ref())?;
    let home = files.path("home").display().to_string();
    Ok(found.iter().map(|f| f.display().to_string().replace(&home, "~")).collect())
}

#[test]
fn programs_and_scripts_of_command_lines() {
    for (command, names) in [
        ("/opt/proxy %h %p", vec!["/opt/proxy"]),
        ("~/bin/proxy %h", vec!["~/bin/proxy"]),
        ("$HOME/bin/a && ${HOME}/bin/b", vec!["~/bin/a", "~/bin/b"]),
        ("%d/bin/proxy", vec!["~/bin/proxy"]),
        ("exec env A=b /opt/x", vec!["/opt/x"]),
        ("! /opt/x || /opt/y; (/opt/z)", vec!["/opt/x", "/opt/y", "/opt/z"]),
        ("/opt/x --config=/etc/passwd", vec!["/opt/x", "/etc/passwd"]),
        ("/opt/x /etc/passwd", vec!["/opt/x", "/etc/passwd"]),
        ("/opt/x \"a /etc/passwd\"", vec!["/opt/x", "/etc/passwd"]),
        ("/bin/sh -c '/opt/x; /opt/y'", vec!["/bin/sh", "/opt/x", "/opt/y"]),
        ("bin/x", vec!["/bin/x"]),
        ("test -f /etc/passwd 2>/dev/null", vec!["/usr/bin/test", "/etc/passwd", "/dev/null"]),
    ] {
        assert_eq!(
            files_of(command).as_deref(),
            Ok(names.as_slice().iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice()),
            "{command}"
        );
    }
    for unclear in [
        "$PROXY %h",
        "%h",
        "`x`",
        "$(x) y",
        "/opt/x \"$(y)\"",
        "no-such-program-here %h",
        "eval x",
        ". /opt/x",
        "sudo /opt/x",
        "'",
        "/bin/sh -c 'no-such-program-here x'",
    ] {
        assert!(files_of(unclear).is_err(), "{unclear}");
    }
}

#[test]
fn what_a_program_leads_on_to_is_looked_at() {
    for (command, names) in [
        ("timeout 20 /opt/x %h", vec!["/opt/x"]),
        ("sh -c /opt/x", vec!["/usr/bin/sh", "/opt/x"]),
        ("bash -ec '/opt/x;/opt/y'", vec!["/usr/bin/bash", "/opt/x", "/opt/y"]),
        ("bash ~/bin/not-there %h %p", vec!["/usr/bin/bash", "~/bin/not-there"]),
        ("bash ~/bin/%h", vec!["/usr/bin/bash", "~/bin/"]),
        ("PATH=~/bin:/bin /opt/x", vec!["~/bin", "/bin", "/opt/x"]),
        ("test -f ~/not-there", vec!["/usr/bin/test"]),
        ("nc %h %p >/dev/null 2>&1", vec!["/usr/bin/nc", "/dev/null"]),
        ("nc -X connect -x proxy:3128 %h %p", vec!["/usr/bin/nc"]),
        ("ssh -q -W %h:%p -i ~/.ssh/x jump", vec!["/usr/bin/ssh"]),
        ("ssh -S none -oControlMaster=no -oControlPath=none -W %h:%p j", vec!["/usr/bin/ssh"]),
    ] {
        let found = files_of(command);
        assert!(found.is_ok(), "{command}: {found:?}");
        let found: Vec<String> =
            found.unwrap().into_iter().map(|f| f.replace("/usr/bin/", "/bin/")).collect();
        let names: Vec<String> = names.iter().map(|n| n.replace("/usr/bin/", "/bin/")).collect();
        assert_eq!(found, names, "{command}");
    }
    for unclear in [
        "bash -lc 'nc %h %p'",
        "bash --login -c true",
        "bash -c -l true",
        "bash -ic true",
        "bash -rcfile /x -c true",
        "sh -lc true",
        "sh -c 'bash -l'",
        "sh -c no-such-program-here",
        "sh -c -e no-such-program-here",
        "timeout 20 no-such-program-here",
        "timeout -s KILL 20 /opt/x",
        "nc -e /bin/sh %h",
        "ssh -o ProxyCommand=/opt/x -W %h:%p jump",
        "ssh -F /opt/config jump",
        "ssh -S ~/x jump",
        "ssh -M -W %h:%p jump",
        "ssh -oControlPath=~/x -W %h:%p jump",
        "~root/bin/x",
        "cd /opt; ./x",
        "bash $X/x",
    ] {
        assert!(files_of(unclear).is_err(), "{unclear}");
    }
}

#[test]
fn bare_names_are_looked_for_only_where_nothing_can_be_put() {
    let files = Files::new();
    files.write("home/bin/x", "");
    let mut places = files.places();
    places.path = format!("{}:/usr/bin:relative", files.path("home/bin").display()).into();
    // As another user, to whom /usr/bin does not belong.
    places.uid = 77;
    let fixed = Fixed::new(places.clone(), Config::Usual, vec![], false, vec![]);
    let kept = fixed.search_path();
    assert!(!kept.to_string_lossy().contains("relative"), "{kept:?}");
    let compared = Fixed::new(places.clone(), Config::Usual, vec![], true, vec![]);
    assert_eq!(compared.search_path(), places.path);
}

#[test]
fn a_path_is_told_by_what_leads_to_it() {
    let files = Files::new();
    files.write("a/b/c", "");
    let mine = rustix::process::geteuid().as_raw();
    let ask = |name: &str, pinned: &[&str]| {
        let pinned: Vec<PathBuf> = pins(pinned).iter().map(|name| files.path(name)).collect();
        changeable::changeable(&files.path(name), &pinned, mine) == Changeable::No
    };
    assert!(!ask("a/b/c", &[]));
    assert!(ask("a/b/c", &["a"]) && ask("a/b/c", &["a/b"]) && ask("a/b/c", &["a/b/c"]));
    assert!(ask("a/b/new", &["a/b"]));
    assert!(!ask("a/new", &["a/b"]) && !ask("new", &["a/b"]) && !ask("a/bc", &["a/b"]));
    assert!(!ask("a/b/../x", &["a/b"]));
    symlink("../../new", files.path("a/b/out")).unwrap();
    assert!(!ask("a/b/out", &["a/b"]));
    assert_ne!(changeable::changeable(Path::new("x"), &[], mine), Changeable::No);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    /// Whatever a configuration holds: reading it ends, and an `Include` is never overlooked.
    #[test]
    fn reading_ends(text in "([ -~\n\t\"']{0,20}(Include|Match|exec|ProxyCommand)?[ =]?){0,8}") {
        let files = Files::new();
        files.write("home/.ssh/config", &text.replace("DIR", ""));
        let closure = files.closure();
        for line in text.lines().filter_map(line::Line::parse) {
            if line.keyword == "include" {
                for word in line.words() {
                    let seen = closure.files.iter().any(|f| f.ends_with(word.trim_start_matches("~/")))
                        || !closure.problems.is_empty() || word.is_empty() || word.contains(['*', '?', '[']);
                    prop_assert!(seen, "{word}: {:?}", closure.files);
                }
            }
        }
    }

    #[test]
    fn commands_never_panic(text in "[ -~\n]{0,60}") {
        let _ = files_of(&text);
    }
}
