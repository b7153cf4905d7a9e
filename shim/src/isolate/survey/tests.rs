//! Plans for homes that were made up, and what counts as a secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::symlink;

use super::*;
use crate::isolate::secret_files::holds_a_private_key;

/// A home with the directories of one wrap beside it.
struct World {
    dir: tempfile::TempDir,
    own: Home,
    secrets: Vec<PathBuf>,
    cwd: Option<PathBuf>,
    fixed: Vec<PathBuf>,
    with: Vec<String>,
    gnupg: Option<PathBuf>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        for name in ["home/.ssh", "x", "wrap", "tmp"] {
            std::fs::create_dir_all(at.join(name)).unwrap();
        }
        for name in ["wrap/ssh", "wrap/refused", "wrap/nothing", "expacti"] {
            std::fs::write(at.join(name), "").unwrap();
        }
        let (own, gnupg) = (Home::at(at.join("x")), None);
        Self {
            dir,
            own,
            secrets: Vec::new(),
            cwd: None,
            fixed: Vec::new(),
            with: Vec::new(),
            gnupg,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn try_plan(&self) -> Result<Plan, WrapError> {
        let survey = Survey {
            // Not root, of whom more is asked.
            uid: rustix::process::getuid().as_raw().max(1),
            homes: vec![self.path("home")],
            own: &self.own,
            expacti: &self.path("expacti"),
            client: None,
            dir: &self.path("wrap"),
            path: OsString::new(),
            program: Path::new("/bin/true"),
            cwd: self.cwd.clone().unwrap_or_else(|| self.path("home")),
            runtime: None,
            gnupg: self.gnupg.clone(),
            config: None,
            data: None,
            tmpdir: None,
            secrets: self.secrets.clone(),
            fixed: self.fixed.clone(),
            with: &self.with,
        };
        let plan = survey.plan(&self.path("tmp"));
        // For the next one.
        for entry in std::fs::read_dir(self.path("wrap")).unwrap().flatten() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
        plan
    }

    fn plan(&self) -> Plan {
        self.try_plan().unwrap()
    }
}

/// What is mounted at a place, if anything: the last step counts.
fn step<'a>(plan: &'a Plan, at: &Path) -> Option<&'a Step> {
    plan.steps.iter().rfind(|step| step.at() == at)
}

fn number(plan: &Plan, at: &Path) -> usize {
    plan.steps.iter().rposition(|step| step.at() == at).unwrap()
}

/// The files that are seen in a directory of its own, and that it is read-only.
fn seen(plan: &Plan, at: &Path) -> Vec<String> {
    let Some(Step::Directory { read_only: true, content, .. }) = step(plan, at) else {
        panic!("{} is {:?}", at.display(), step(plan, at));
    };
    let files = content.iter().filter(|item| !matches!(item.kind, ItemKind::Directory { .. }));
    let mut names: Vec<String> = files.map(|item| item.path.display().to_string()).collect();
    names.sort();
    names
}

/// Whether a file is empty inside.
fn is_hidden(plan: &Plan, at: &Path) -> bool {
    matches!(step(plan, at), Some(Step::Bind { from, read_only: true, .. }) if from.ends_with(NOTHING))
}

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";

#[test]
fn of_the_keys_directory_only_what_is_no_secret_is_seen() {
    let mut world = World::new();
    for (name, text) in [
        ("config", "Include conf.d/*\n"),
        ("known_hosts", ""),
        ("known_hosts.old", ""),
        ("id_a.pub", "ssh-ed25519 AAAA"),
        ("authorized_keys", ""),
        ("allowed_signers", ""),
        ("id_a", KEY),
        ("work", KEY),
        ("password", "x"),
        ("key.der", "x"),
        ("renamed.pub", KEY),
        ("conf.d/work.conf", ""),
        ("conf.d/work", "x"),
        ("sub/deeper/known_hosts2", ""),
        ("sub/authorized_keys", "x"),
        ("sub/key.der", "x"),
    ] {
        world.write(&format!("home/.ssh/{name}"), text);
    }
    let ssh = world.path("home/.ssh");
    let expected = [
        "allowed_signers",
        "authorized_keys",
        "conf.d/work.conf",
        "config",
        "id_a.pub",
        "known_hosts",
        "known_hosts.old",
        "sub/deeper/known_hosts2",
    ];
    assert_eq!(seen(&world.plan(), &ssh), expected);
    // To be included alone makes nothing public.
    world.fixed = vec![ssh.join("conf.d/work"), ssh.join("key.der"), ssh.join("id_a")];
    assert_eq!(seen(&world.plan(), &ssh), expected);
}

#[test]
fn where_there_is_no_directory_of_keys_one_is_made() {
    let world = World::new();
    let ssh = world.path("home/.ssh");
    std::fs::remove_dir(&ssh).unwrap();
    assert!(seen(&world.plan(), &ssh).is_empty());
    assert!(ssh.is_dir());
}

#[test]
fn keys_elsewhere_are_hidden_by_each_of_their_names() {
    let mut world = World::new();
    let key = world.write("home/keys/deploy", KEY);
    // Not a directory of keys.
    world.write("home/keys/notes", "x");
    let (second, other) = (world.path("home/notes/old.txt"), world.write("home/keys/other", KEY));
    std::fs::create_dir_all(second.parent().unwrap()).unwrap();
    std::fs::hard_link(&key, &second).unwrap();
    symlink(&key, world.path("home/link")).unwrap();
    let gone = world.path("home/gone");
    world.secrets = vec![world.path("home/link"), gone.clone(), "/".into(), world.path("home")];
    let plan = world.plan();
    assert!(is_hidden(&plan, &key) && is_hidden(&plan, &second));
    for untouched in [&other, &gone, &world.path("home"), &PathBuf::from("/")] {
        assert!(!is_hidden(&plan, untouched), "{}", untouched.display());
    }
    // What lies above it can be renamed, so it is mounted on itself first.
    let above = world.path("home/keys");
    assert!(number(&plan, &above) < number(&plan, &key));
    let mask = plan.mask();
    assert!([&key, &second, &above].iter().all(|at| mask.contains(at)), "{mask:?}");
}

#[test]
fn a_directory_of_nothing_but_keys_is_hidden_as_a_whole() {
    let mut world = World::new();
    let key = world.write("home/keys/deploy.der", "x");
    world.write("home/keys/other", KEY);
    world.write("home/keys/deploy.pub", "ssh-ed25519 AAAA");
    world.secrets = vec![key];
    let keys = world.path("home/keys");
    assert_eq!(seen(&world.plan(), &keys), ["deploy.pub"]);
    assert!(world.plan().hidden().contains(&keys));
    // Where the program works, only the keys are; also where there is something else, or a directory.
    world.cwd = Some(keys.clone());
    assert!(is_hidden(&world.plan(), &world.path("home/keys/deploy.der")));
    world.cwd = None;
    std::fs::create_dir(world.path("home/keys/sub")).unwrap();
    let plan = world.plan();
    assert!(is_hidden(&plan, &world.path("home/keys/deploy.der")));
    assert!(!is_hidden(&plan, &world.path("home/keys/other")));
}

#[test]
fn what_a_link_leads_to_is_copied_only_where_it_is_not_hidden() {
    let mut world = World::new();
    world.write("home/dot/a.conf", "Host a\n");
    let token = world.write("x/token", "t");
    for (name, to) in [("a.conf", world.path("home/dot/a.conf")), ("b.conf", token)] {
        symlink(to, world.path("home/.ssh").join(name)).unwrap();
    }
    assert_eq!(seen(&world.plan(), &world.path("home/.ssh")), ["a.conf"]);
    // What the configuration includes is held fast.
    world.fixed = vec![world.path("home/dot/a.conf"), world.path("home/.config/ssh.d/*")];
    world.write("home/.config/ssh.d/x", "");
    let pinned = world.plan().pinned();
    for held in ["home/dot/a.conf", "home/.config/ssh.d"] {
        assert!(pinned.contains(&world.path(held)), "{held}: {pinned:?}");
    }
}

#[test]
fn agents_and_other_clients_are_hidden() {
    let world = World::new();
    world.write("home/.putty/sessions/x", "x");
    world.write("home/.Xauthority", "x");
    let plan = world.plan();
    assert!(seen(&plan, &world.path("home/.putty")).is_empty());
    assert!(is_hidden(&plan, &world.path("home/.Xauthority")));
}

#[test]
fn of_gnupg_only_what_checks_signatures_is_seen() {
    let mut world = World::new();
    for dir in ["home/.gnupg", "home/elsewhere"] {
        for name in
            ["pubring.kbx", "trustdb.gpg", "private-keys-v1.d/0.key", "secring.gpg", "x.pub"]
        {
            world.write(&format!("{dir}/{name}"), "x");
        }
    }
    world.gnupg = Some(world.path("home/elsewhere"));
    let plan = world.plan();
    for dir in ["home/.gnupg", "home/elsewhere"] {
        assert_eq!(seen(&plan, &world.path(dir)), ["pubring.kbx", "trustdb.gpg"], "{dir}");
    }
    world.with = vec!["gpg".to_owned()];
    let plan = world.plan();
    assert!(step(&plan, &world.path("home/.gnupg")).is_none());
    assert!(step(&plan, &world.path("home/elsewhere")).is_none());
}

#[test]
fn a_key_is_hidden_whatever_is_let_in() {
    let mut world = World::new();
    let key = world.write("home/keys/deploy", KEY);
    world.write("home/keys/notes", "x");
    world.secrets = vec![key.clone()];
    assert!(is_hidden(&world.plan(), &key));
    world.with = vec![world.path("home/keys").display().to_string()];
    assert!(is_hidden(&world.plan(), &key));
}

#[test]
fn what_starts_later_is_read_only_and_the_wraps_own_is_seen() {
    let world = World::new();
    let plan = world.plan();
    let pinned = plan.pinned();
    for name in ["home/.config/systemd", "home/.config/autostart", "expacti", "wrap", "home/.ssh"] {
        assert!(pinned.contains(&world.path(name)), "{name}: {pinned:?}");
    }
    assert!(!pinned.contains(&world.path("home")));
    // Of expacti's own directory nothing but a sign, by which a process knows where it is.
    assert_eq!(seen(&plan, &world.path("x")), [INSIDE]);
    assert!(number(&plan, &world.path("x")) < number(&plan, &world.path("wrap")));
    assert_eq!(plan.cwd, world.path("home"));
    assert!(!plan.read_only);
}

#[test]
fn a_link_that_could_be_replaced_is_refused() {
    let world = World::new();
    let ssh = world.path("home/.ssh");
    assert!(refuse_replaceable(&ssh, 1).is_ok());
    std::fs::rename(&ssh, world.path("home/dotfiles")).unwrap();
    symlink("dotfiles", &ssh).unwrap();
    let said = world.try_plan().unwrap_err().to_string();
    assert!(
        said.contains("home/.ssh is a symbolic link") && said.contains("--no-isolate"),
        "{said}"
    );
    // Also above it, and where it leads nowhere.
    std::fs::create_dir(world.path("real")).unwrap();
    symlink(world.path("real"), world.path("linked")).unwrap();
    assert!(refuse_replaceable(&world.path("linked/.ssh"), 1).is_err());
    symlink("nowhere", world.path("broken")).unwrap();
    assert!(refuse_replaceable(&world.path("broken"), 1).is_err());
    assert!(refuse_replaceable(&world.path("not/there"), 1).is_ok());
}

#[test]
fn a_cover_swallows_those_below_it() {
    let cover = |at: &str| Step::ReadOnly { at: at.into() };
    let mut covers = Vec::new();
    for at in ["/a/b/c", "/a/bc", "/a/b", "/a/b/d", "/a/b"] {
        push(&mut covers, cover(at));
    }
    let at: Vec<&Path> = covers.iter().map(Step::at).collect();
    assert_eq!(at, [Path::new("/a/bc"), Path::new("/a/b")]);
}

#[test]
fn private_keys_are_known_by_their_first_line() {
    for text in [
        KEY,
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n-----BEGIN PRIVATE KEY-----",
        "PuTTY-User-Key-File-3: ssh-ed25519\n",
        "SSH PRIVATE KEY FILE FORMAT 1.1\n",
        "\0\u{1}openssh-key-v1\0",
        "# a comment\nHost x\n-----BEGIN PRIVATE KEY-----\n",
    ] {
        assert!(holds_a_private_key(text.as_bytes()), "{text:?}");
    }
    for text in [
        "",
        "ssh-ed25519 AAAAC3Nz me@here\n",
        "-----BEGIN PUBLIC KEY-----\n",
        "Host x\n IdentityFile ~/.ssh/id_rsa\n",
        "PRIVATE KEY",
    ] {
        assert!(!holds_a_private_key(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn secrets_are_told_by_name_and_content() {
    let world = World::new();
    for (name, text, at_the_top, below) in [
        ("config", "Host x\n", true, true),
        ("known_hosts", "", true, true),
        ("known_hosts2", "", true, true),
        ("a.pub", "ssh-rsa A", true, true),
        ("work.conf", "", true, true),
        ("authorized_keys", "", true, false),
        ("allowed_signers", "", true, false),
        ("id_a", "", false, false),
        ("id_a.pub", "ssh-rsa A", true, true),
        ("rc", "", false, false),
        ("environment", "", false, false),
        ("key.pem", "", false, false),
        ("config.d", "", false, false),
        ("config", KEY, false, false),
        ("a.pub", KEY, false, false),
        ("known_hosts", "PuTTY-User-Key-File-2: ssh-rsa", false, false),
    ] {
        let path = world.write(&format!("table/{name}"), text);
        assert_eq!(is_no_secret(&path, true), at_the_top, "{name} {text:?}");
        assert_eq!(is_no_secret(&path, false), below, "{name} {text:?}");
    }
    assert!(!is_no_secret(&world.path("not-there.pub"), true));
}
