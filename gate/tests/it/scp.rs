//! Legacy scp through the gate with clients that speak it: what they upload is shown before any
//! of it goes out.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use expacti_harness::prerequisites;
use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::Digest;
use tokio::process::{Child, Command};

use crate::broker::{Item, Mode};
use crate::sftp::trial;
use crate::trial::{Trial, finish, text};

/// `scp -O` with ssh's options of the trial.
fn scp(t: &Trial, args: &[&str]) -> Child {
    let ssh = t.ssh(&[]);
    Command::new("scp")
        .arg("-O")
        .args(ssh.as_std().get_args())
        .args(args)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn ok(out: &Output) {
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
}

fn path(t: &Trial, name: &str) -> String {
    t.path(name).canonicalize().unwrap_or_else(|_| t.path(name)).display().to_string()
}

fn to(t: &Trial, name: &str) -> String {
    format!("target:{}", path(t, name))
}

/// The command's own item, allowed; then the item with what is uploaded.
async fn shown(t: &Trial, n: usize) -> Item {
    let command = t.broker.item(n).await;
    assert_eq!(command.submission.kind, ItemKind::Exec);
    assert!(command.submission.notes.iter().any(|note| note.contains("receives files")));
    t.broker.allow(&command);
    let item = t.broker.item(n + 1).await;
    assert_eq!(item.submission.kind, ItemKind::File);
    assert_eq!(item.submission.parent.as_ref(), Some(&command.id));
    item
}

fn command(item: &Item) -> &str {
    &item.submission.text.command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_shown_and_then_written() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "hello\n").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &to(&t, "copy")]);
    let item = shown(&t, 0).await;
    let hash = Digest::of(b"hello\n");
    let target = path(&t, "copy");
    assert_eq!(
        command(&item),
        format!("sftp write {target}: 6 B, sha256 {hash}, new file mode 0644")
    );
    assert_eq!(item.submission.preview.as_deref(), Some("hello\n"));
    assert!(!t.path("copy").exists());
    t.broker.allow(&item);
    let out = finish(child).await;
    ok(&out);
    let told = format!("expacti: waiting for review: sftp write {target}: 6 B\n");
    assert_eq!(text(&out.stderr).replace(&told, ""), "");
    assert_eq!(std::fs::read(t.path("copy")).unwrap(), b"hello\n");
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.exit_status, Some(0));
    // Over what is there: a diff; into a directory: its name; through a link: the real place.
    std::fs::write(t.path("new"), "hallo\n").unwrap();
    let child = scp(&t, &["-p", &path(&t, "new"), &to(&t, "copy")]);
    let item = shown(&t, 2).await;
    assert!(command(&item).contains(", replaces 6 B mode 0644, then sets mode 0644, atime "));
    let preview = item.submission.preview.clone().unwrap();
    assert!(preview.contains("-hello\n+hallo\n"), "{preview}");
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("copy")).unwrap(), b"hallo\n");
    std::fs::create_dir(t.path(".ssh")).unwrap();
    std::os::unix::fs::symlink(t.path(".ssh"), t.path("docs")).unwrap();
    let child = scp(&t, &[&path(&t, "new"), &format!("target:{}", t.path("docs").display())]);
    let item = shown(&t, 4).await;
    assert!(command(&item).starts_with(&format!("sftp write {}/new: 6 B", path(&t, ".ssh"))));
    let notes = item.submission.notes.join("\n");
    assert!(notes.contains("decide who may log in"), "{notes}");
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert!(t.path(".ssh/new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_file_is_not_written_and_every_client_knows() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "hello\n").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &to(&t, "copy")]);
    let item = shown(&t, 0).await;
    t.broker.deny(&item, "not there");
    let out = finish(child).await;
    assert!(!out.status.success());
    let said = text(&out.stderr);
    assert!(said.contains("expacti: command denied — not there\n"), "{said}");
    assert!(!t.path("copy").exists());
    // Several sources are one item.
    std::fs::create_dir(t.path("dir")).unwrap();
    std::fs::write(t.path("more"), "more\n").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &path(&t, "more"), &to(&t, "dir")]);
    let item = shown(&t, 2).await;
    let dir = path(&t, "dir");
    assert!(
        command(&item).starts_with(&format!("scp upload 2 files, 11 B, to {dir}\nsftp write "))
    );
    assert_eq!(command(&item).lines().count(), 3);
    t.broker.deny(&item, "not there");
    let out = finish(child).await;
    assert!(!out.status.success());
    let said = text(&out.stderr);
    assert!(said.contains("expacti: command denied — not there\n"), "{said}");
    assert_eq!(std::fs::read_dir(t.path("dir")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_one_item() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::create_dir_all(t.path("tree/deep/er")).unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(t.path("tree/large"), &large).unwrap();
    std::fs::write(t.path("tree/deep/empty"), "").unwrap();
    std::fs::write(t.path("tree/deep/er/a b"), "x").unwrap();
    std::fs::set_permissions(t.path("tree/large"), std::fs::Permissions::from_mode(0o750)).unwrap();
    std::fs::create_dir(t.path("to")).unwrap();
    let child = scp(&t, &["-r", &path(&t, "tree"), &to(&t, "to")]);
    let item = shown(&t, 0).await;
    let base = path(&t, "to");
    let all = command(&item).to_owned();
    let mut lines: Vec<_> = all.lines().collect();
    assert_eq!(
        lines.remove(0),
        format!("scp upload 3 files and 3 directories, 2.8 MiB, to {base}")
    );
    lines.sort_unstable();
    assert_eq!(lines[0], format!("sftp mkdir {base}/tree/deep/er: mode 0755"));
    assert_eq!(lines.len(), 6, "{all}");
    assert!(
        lines.iter().any(|l| l.starts_with(&format!("sftp write \"{base}/tree/deep/er/a b\"")))
    );
    assert_eq!(std::fs::read_dir(t.path("to")).unwrap().count(), 0);
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("to/tree/large")).unwrap(), large);
    assert_eq!(std::fs::read(t.path("to/tree/deep/empty")).unwrap(), b"");
    assert_eq!(std::fs::read(t.path("to/tree/deep/er/a b")).unwrap(), b"x");
    let mode = std::fs::metadata(t.path("to/tree/large")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_sftp_is_taken_at_the_clients_word() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "hello\n").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &to(&t, "copy")]);
    let item = shown(&t, 0).await;
    let target = path(&t, "copy");
    let expected = format!("scp write {target}/new (or {target}): 6 B, sha256 ");
    assert!(command(&item).starts_with(&expected), "{}", command(&item));
    assert!(item.submission.notes.join("\n").contains("no SFTP server"));
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("copy")).unwrap(), b"hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_review_and_delivery_stops_it() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "hello\n").unwrap();
    std::fs::create_dir(t.path("a")).unwrap();
    std::fs::create_dir(t.path("b")).unwrap();
    std::os::unix::fs::symlink(t.path("a"), t.path("link")).unwrap();
    let child = scp(&t, &[&path(&t, "new"), &format!("target:{}", t.path("link").display())]);
    let item = shown(&t, 0).await;
    std::fs::remove_file(t.path("link")).unwrap();
    std::os::unix::fs::symlink(t.path("b"), t.path("link")).unwrap();
    t.broker.allow(&item);
    let out = finish(child).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("has changed since the review"), "{}", text(&out.stderr));
    assert!(!t.path("a/new").exists() && !t.path("b/new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_target_refuses_the_client_hears() {
    let Some(t) = trial(Mode::Auto).await else { return };
    std::fs::write(t.path("new"), "hello\n").unwrap();
    // A directory where the file should go; and no directory where one has to be.
    std::fs::create_dir_all(t.path("dir/new")).unwrap();
    let out = finish(scp(&t, &[&path(&t, "new"), &to(&t, "dir")])).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("Is a directory"), "{}", text(&out.stderr));
    std::fs::write(t.path("more"), "more\n").unwrap();
    let out = finish(scp(&t, &[&path(&t, "new"), &path(&t, "more"), &to(&t, "dir")])).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("Is a directory"), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(t.path("dir/more")).unwrap(), b"more\n", "the other one is written");
    let out = finish(scp(&t, &[&path(&t, "new"), &path(&t, "more"), &to(&t, "new")])).await;
    assert!(!out.status.success());
    let said = text(&out.stderr);
    assert!(said.to_lowercase().contains("not a directory"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_uploads_reach_nothing() {
    let Some(t) = trial(Mode::Auto).await else { return };
    let dir = path(&t, ".");
    for (stream, why) in [
        (&b"C0644 2 ../x\nhi\0"[..], "leads elsewhere"),
        (b"C0644 2 a/b\nhi\0", "leads elsewhere"),
        (b"D0755 0 x\n", "without having asked for `-r`"),
        (b"C0644 -2 x\nhi\0", "not as scp writes it"),
        (b"C0644 2 x\nhi\0touch p\n", "not an upload of scp"),
        (b"C0644 2 x\nhi", "ended in the middle"),
        (b"C0644 2000000000 x\n", "limited to 1.0 GiB"),
        (b"touch p\n", "not an upload of scp"),
    ] {
        let out = t.run_with(&["target", "scp -t", &dir], stream).await;
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(79), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!t.path("p").exists());
    }
    let files = t.broker.items().into_iter().filter(|i| i.submission.kind == ItemKind::File);
    // The one whole file in front of the nonsense was a source of its own.
    assert_eq!(files.count(), 1);
    // Where it would go cannot be told; a terminal in between.
    for command in ["scp -t $HOME/x", "sudo scp -t /etc/x", "sh -c 'scp -t x'"] {
        let before = t.broker.items().len();
        let out = t.run_with(&["target", command], b"C0644 2 x\nhi\0").await;
        assert_eq!(out.status.code(), Some(79));
        assert!(text(&out.stderr).contains("write its path out"), "{}", text(&out.stderr));
        assert_eq!(t.broker.items().len(), before, "nobody is asked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_flow() {
    let Some(t) = trial(Mode::Auto).await else { return };
    std::fs::write(t.path("there"), "data").unwrap();
    let out = finish(scp(&t, &[&to(&t, "there"), t.path("got").to_str().unwrap()])).await;
    ok(&out);
    assert_eq!(std::fs::read(t.path("got")).unwrap(), b"data");
    assert_eq!(t.broker.items().len(), 1);
}

/// Clients that do not look at the exit status, through a gate of a team: what they report is true.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_not_openssh() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let (port, _gate, _guard) = crate::team::serve(&t).await;
    let me = crate::trial::user();
    std::fs::write(t.path("one"), "1\n").unwrap();
    std::fs::write(t.path("two"), "22\n").unwrap();
    std::fs::create_dir(t.path("dir")).unwrap();
    let dir = path(&t, "dir");
    let run = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .env("HOME", t.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    };
    let curl = match prerequisites::command("curl") {
        Some(_) => text(&finish(run("curl", &["-V"]).unwrap()).await.stdout),
        None => String::new(),
    };
    if !curl.is_empty() && !curl.contains(" scp ") {
        prerequisites::missing("scp in curl", "install a curl with libssh2, such as Debian's");
    }
    if curl.contains(" scp ") {
        let url = format!("scp://{me}@127.0.0.1:{port}{dir}/one");
        let (key, public) = (path(&t, "agent"), path(&t, "agent.pub"));
        let file = path(&t, "one");
        let args = ["-sS", "-k", "--key", &key, "--pubkey", &public, "-T", &file, &url];
        // It looks at no answer behind the content: it is answered before.
        let child = run("curl", &args).unwrap();
        let item = shown(&t, 0).await;
        let line = format!("scp write {dir}/one: 2 B, content not seen, new file mode 0644");
        assert_eq!(command(&item), line);
        assert!(item.submission.notes.iter().any(|note| note.contains("nobody sees it")));
        t.broker.deny(&item, "not that");
        let out = finish(child).await;
        assert!(!out.status.success(), "curl reports success: {}", text(&out.stderr));
        assert!(!t.path("dir/one").exists());
        let child = run("curl", &args).unwrap();
        let item = shown(&t, 2).await;
        assert!(!t.path("dir/one").exists());
        t.broker.allow(&item);
        ok(&finish(child).await);
        assert_eq!(std::fs::read(t.path("dir/one")).unwrap(), b"1\n");
        std::fs::remove_file(t.path("dir/one")).unwrap();
    }
    let n = t.broker.items().len();
    if prerequisites::command("puttygen").is_none() {
        return;
    }
    let child = run("puttygen", &[&path(&t, "agent"), "-o", &format!("{dir}.ppk")]).unwrap();
    ok(&finish(child).await);
    let lines = run("ssh-keygen", &["-lf", &path(&t, "gate_known_hosts")]).unwrap();
    let lines = text(&finish(lines).await.stdout);
    let print = lines.split_whitespace().nth(1).unwrap().to_owned();
    let (port, to) = (port.to_string(), format!("{me}@127.0.0.1:{dir}"));
    let (key, one, two) = (format!("{dir}.ppk"), path(&t, "one"), path(&t, "two"));
    let pscp = || {
        let args = ["-scp", "-batch", "-P", &port, "-i", &key, "-hostkey", &print, &one, &two, &to];
        run("pscp", &args).unwrap()
    };
    // Two sources: each is decided on, and each answer is the truth.
    let child = pscp();
    let first = shown(&t, n).await;
    assert!(command(&first).starts_with(&format!("sftp write {dir}/one: 2 B, ")));
    assert!(!t.path("dir/one").exists());
    t.broker.allow(&first);
    let second = t.broker.item(n + 2).await;
    assert_eq!(std::fs::read(t.path("dir/one")).unwrap(), b"1\n");
    t.broker.deny(&second, "not that");
    let out = finish(child).await;
    assert!(!out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    assert!(text(&out.stderr).contains("not that"), "{}", text(&out.stderr));
    assert!(!t.path("dir/two").exists());
    let child = pscp();
    t.broker.allow(&shown(&t, n + 3).await);
    t.broker.allow(&t.broker.item(n + 5).await);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("dir/two")).unwrap(), b"22\n");
}
