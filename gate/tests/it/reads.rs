//! What is read through the gate: what flows, what is held, and what the log gets.

use std::path::Path;
use std::time::Duration;

use expacti_gate::{GateConfig, Limits, ReadPolicy};
use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::reads::{FileRead, MoreRead};

use crate::broker::Mode;
use crate::sftp::{ok, path, recorded, scp, sftp, trial};
use crate::sftp_raw::{CLOSE, Conversation, OPEN, READ, packet, string};
use crate::trial::{Trial, finish, text};

/// A file system's worth of names that hold secrets, each under a directory of the trial.
const SECRETS: &str = "
    prod.env .env .env.production staging.env.bak .prod.env.swp prod.env.2026-05-01 shadow.bak shadow-
    etc/shadow wg0.conf wg0.conf.old etc/wireguard/wg0.conf dump.sql dump.sql.gz db/nightly.sql.zst
    backups/home.tgz backup-2026.tar.gz pg_dump.2026-01-01 dump db.sqlite3 app.db dump.rdb
    export-users.csv site.pem SITE.KEY cert.p12 k.pfx .ssh/id_rsa .ssh/config id_ed25519 id_work.old
    deploy_rsa github_ed25519 ssh_host_ed25519_key .pgpass .pgpass.bak .my.cnf .netrc .aws/credentials
    credentials credentials.csv credentials.json.old safe.kdbx safe.kdbx.bak .bash_history .psql_history
    .config/gh/hosts.yml .docker/config.json .kube/config kubeconfig prod.kubeconfig database.yml
    master.key wp-config.php wp-config.php.bak wp-config.php~ terraform.tfstate terraform.tfstate.backup
    prod.tfvars vault.yml secrets.yaml api_keys.txt passwords.xlsx sssd.conf wpa_supplicant.conf
    chap-secrets krb5.keytab wallet.dat .mozilla/logins.json .gnupg/secring.gpg mail.ovpn putty.ppk
    .htpasswd tomcat-users.xml gcp-key.json";

async fn with(mode: Mode, configure: impl FnOnce(&mut GateConfig)) -> Option<Trial> {
    Trial::configured(mode, configure, "Subsystem sftp internal-sftp").await
}

fn make(t: &Trial, name: &str, content: &[u8]) {
    let path = t.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// What the broker was told was read, once there is this much of it.
async fn told(t: &Trial, files: usize) -> (Vec<FileRead>, Vec<MoreRead>) {
    let all = |log: Vec<GateRequest>| {
        let (mut list, mut more) = (Vec::new(), Vec::new());
        for request in log {
            if let GateRequest::FilesRead { files, more: rest, .. } = request {
                list.extend(files);
                more.extend(rest);
            }
        }
        (list, more)
    };
    let enough = async {
        loop {
            let (list, more) = all(t.broker.log());
            if list.len() + more.len() >= files {
                return (list, more);
            }
            t.broker
                .heard("a read", |r| matches!(r, GateRequest::FilesRead { .. }).then_some(()))
                .await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), enough).await.expect("the reads are told")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_flows() {
    let Some(t) = trial(Mode::Deny).await else { return };
    let names: Vec<_> = SECRETS.split_whitespace().collect();
    assert!(names.len() >= 60);
    std::fs::create_dir(t.path("got")).unwrap();
    let mut batch = String::new();
    for (n, name) in names.iter().enumerate() {
        make(&t, &format!("there/{name}"), b"SECRET");
        let (from, to) = (t.path(&format!("there/{name}")), t.path(&format!("got/{n}")));
        // A dash: the batch goes on after a refusal.
        batch.push_str(&format!("-get {} {}\n", from.display(), to.display()));
    }
    let out = finish(sftp(&t, &batch).await).await;
    let flowed: Vec<_> = names
        .iter()
        .enumerate()
        .filter(|(n, _)| {
            std::fs::read(t.path(&format!("got/{n}"))).is_ok_and(|got| !got.is_empty())
        })
        .map(|(_, name)| name)
        .collect();
    assert!(flowed.is_empty(), "{flowed:?}");
    assert_eq!(t.broker.items().len(), names.len(), "{}", text(&out.stderr));
    let last = t.broker.items().pop().unwrap().submission;
    assert_eq!(last.kind, ItemKind::File);
    assert!(last.text.command.starts_with("sftp read "), "{}", last.text.command);
    let (list, more) = told(&t, 0).await;
    assert!(list.is_empty() && more.is_empty(), "what was denied was not read: {list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_is_read_is_told_once() {
    let Some(t) = trial(Mode::Deny).await else { return };
    let large: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    make(&t, "large.bin", &large);
    make(&t, "notes.txt", b"hello\n");
    make(&t, "empty.txt", b"");
    let mut batch = String::new();
    for name in ["large.bin", "notes.txt", "empty.txt"] {
        batch.push_str(&format!(
            "get {} {}\n",
            path(&t, name),
            t.path(&format!("got-{name}")).display()
        ));
    }
    ok(&finish(sftp(&t, &batch).await).await);
    assert_eq!(std::fs::read(t.path("got-large.bin")).unwrap(), large);
    assert!(t.broker.items().is_empty());
    let (list, more) = told(&t, 3).await;
    let of = |name: &str, content: &[u8]| FileRead {
        path: path(&t, name),
        size: Some(content.len() as u64),
        bytes: content.len() as u64,
        sha256: Digest::of(content),
        scattered: false,
        command_id: None,
    };
    assert_eq!(list, [of("large.bin", &large), of("notes.txt", b"hello\n"), of("empty.txt", b"")]);
    assert!(more.is_empty());
    let shown = recorded(&t);
    let line =
        format!("read {}: 6 bytes, sha256 {}", path(&t, "notes.txt"), Digest::of(b"hello\n"));
    assert!(shown.contains(&line), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_read_names_its_item() {
    let Some(t) = trial(Mode::Manual).await else { return };
    make(&t, "prod.env", b"A=1\n");
    let child =
        scp(&t, &[&format!("target:{}", path(&t, "prod.env")), t.path("got").to_str().unwrap()]);
    let item = t.broker.item(0).await;
    t.broker.allow(&item);
    ok(&finish(child).await);
    let (list, _) = told(&t, 1).await;
    assert_eq!(list[0].command_id.as_ref(), Some(&item.id));
    assert_eq!((list[0].bytes, list[0].sha256), (4, Digest::of(b"A=1\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_files_are_told_as_a_number_and_a_digest() {
    let limits = Limits { listed_reads: 2, ..Limits::default() };
    let Some(t) = with(Mode::Deny, |config| config.limits = limits).await else { return };
    for n in 0..5 {
        make(&t, &format!("tree/{n}.txt"), n.to_string().as_bytes());
    }
    let from = format!("target:{}", path(&t, "tree"));
    ok(&finish(scp(&t, &["-r", &from, t.path("got").to_str().unwrap()])).await);
    let (list, more) = told(&t, 3).await;
    assert_eq!(list.len(), 2, "{list:?}");
    let mut unlisted = Vec::new();
    for n in 0..5 {
        let name = path(&t, &format!("tree/{n}.txt"));
        if !list.iter().any(|read| read.path == name) {
            unlisted.push(format!("{} 1 {name}\n", Digest::of(n.to_string().as_bytes())));
        }
    }
    // The client lists the directory in an order of its own: that of the recording.
    let shown = recorded(&t);
    let at = |line: &String| shown.find(line.rsplit(' ').next().unwrap().trim_end());
    unlisted.sort_by_key(at);
    let expected =
        MoreRead { files: 3, bytes: 3, sha256: Digest::of(unlisted.concat().as_bytes()) };
    assert_eq!(more, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_what_is_free() {
    let root = tempfile::tempdir().unwrap();
    let real = root.path().canonicalize().unwrap();
    let policy = ReadPolicy::beneath(vec![real.display().to_string()]).unwrap();
    let Some(t) = with(Mode::Deny, |config| config.reads = policy).await else { return };
    std::fs::write(real.join("a.txt"), "a").unwrap();
    std::fs::write(real.join(".env"), "a").unwrap();
    make(&t, "b.txt", b"b");
    std::os::unix::fs::symlink(t.path("b.txt"), real.join("link.txt")).unwrap();
    let fetch = async |t: &Trial, from: &Path| {
        let from = format!("target:{}", from.display());
        finish(scp(t, &[&from, t.path("got").to_str().unwrap()])).await.status.success()
    };
    assert!(fetch(&t, &real.join("a.txt")).await);
    for asked in [real.join(".env"), real.join("link.txt"), t.path("b.txt")] {
        assert!(!fetch(&t, &asked).await, "{}", asked.display());
    }
    let asked: Vec<_> =
        t.broker.items().into_iter().map(|item| item.submission.notes.join("; ")).collect();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0], "a path of secrets");
    assert_eq!(asked[1], "outside of what may be read without a decision");

    let Some(t) = with(Mode::Deny, |config| config.reads = ReadPolicy::Nothing).await else {
        return;
    };
    make(&t, "b.txt", b"b");
    assert!(!fetch(&t, &t.path("b.txt")).await);
    // Names and attributes flow.
    let listed = finish(sftp(&t, &format!("ls -l {}\n", t.dir.path().display())).await).await;
    ok(&listed);
    assert!(text(&listed.stdout).contains("b.txt"));
    assert_eq!(t.broker.items().len(), 1);
}

fn open(id: u32, path: &str) -> Vec<u8> {
    packet(OPEN, id, &[&string(path.as_bytes()), &1u32.to_be_bytes(), &[0; 4]])
}

fn read(id: u32, handle: &[u8], offset: u64, length: u32) -> Vec<u8> {
    packet(READ, id, &[&string(handle), &offset.to_be_bytes(), &length.to_be_bytes()])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_than_was_shown() {
    let Some(t) = trial(Mode::Manual).await else { return };
    make(&t, "app.db", b"12345");
    let (_connection, mut conversation) = Conversation::begin(&t).await;
    conversation.say(&open(1, &path(&t, "app.db"))).await;
    let item = t.broker.item(0).await;
    assert!(item.submission.text.command.contains(": 5 B"), "{}", item.submission.text.command);
    // It grows while it is reviewed, and again once it is open.
    make(&t, "app.db", b"1234567");
    t.broker.allow(&item);
    let handle = conversation.handle(1).await;
    make(&t, "app.db", b"123456789");
    conversation.say(&read(2, &handle, 3, 100)).await;
    let (kind, _, body) = conversation.hear().await;
    assert_eq!((kind, &body[4..]), (103, &b"45"[..]));
    conversation.say(&read(3, &handle, 5, 100)).await;
    assert_eq!(conversation.status(3).await.0, 1, "the end of the file");
    conversation.say(&packet(CLOSE, 4, &[&string(&handle)])).await;
    assert_eq!(conversation.status(4).await.0, 0);
    let (list, _) = told(&t, 1).await;
    assert_eq!((list[0].bytes, list[0].scattered), (2, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_in_its_place_is_not_what_was_reviewed() {
    let Some(t) = trial(Mode::Manual).await else { return };
    make(&t, "app.db", b"12345");
    make(&t, "other", b"1");
    let (_connection, mut conversation) = Conversation::begin(&t).await;
    conversation.say(&open(1, &path(&t, "app.db"))).await;
    let item = t.broker.item(0).await;
    std::fs::remove_file(t.path("app.db")).unwrap();
    std::os::unix::fs::symlink(t.path("other"), t.path("app.db")).unwrap();
    t.broker.allow(&item);
    let (code, message) = conversation.status(1).await;
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("has changed since the review"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_that_the_broker_cannot_take_down() {
    let Some(t) = trial(Mode::Deny).await else { return };
    make(&t, "notes.txt", b"hello\n");
    let (_connection, mut conversation) = Conversation::begin(&t).await;
    conversation.say(&open(1, &path(&t, "notes.txt"))).await;
    let handle = conversation.handle(1).await;
    conversation.say(&read(2, &handle, 0, 3)).await;
    assert_eq!(conversation.hear().await.0, 103);
    t.broker.cut(false);
    // The gate links again, but the session in which the file was opened is over.
    let mut id = 3;
    let refused = async {
        loop {
            conversation.say(&read(id, &handle, 3, 1)).await;
            let (kind, _, body) = conversation.hear().await;
            if kind == 101 {
                return text(&body);
            }
            id += 1;
        }
    };
    let message = tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    assert!(message.contains("the broker cannot be reached"), "{message}");
    conversation.say(&packet(CLOSE, 999, &[&string(&handle)])).await;
    assert_eq!(conversation.status(999).await.0, 0);
    // What was read before reaches it all the same.
    let (list, _) = told(&t, 1).await;
    assert!(list[0].bytes >= 3, "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_what_is_free() {
    let limits = Limits { free_file: 10, free_bytes: 12, ..Limits::default() };
    let Some(t) = with(Mode::Deny, |config| config.limits = limits).await else { return };
    make(&t, "a.txt", b"0123456789abcdef");
    let (_connection, mut conversation) = Conversation::begin(&t).await;
    conversation.say(&open(1, &path(&t, "a.txt"))).await;
    let handle = conversation.handle(1).await;
    for (id, bytes) in [(2, 10), (3, 10)] {
        conversation.say(&read(id, &handle, 0, 100)).await;
        let (kind, _, body) = conversation.hear().await;
        assert_eq!((kind, body.len()), (103, 4 + bytes));
    }
    conversation.say(&read(4, &handle, 0, 1)).await;
    assert_eq!(conversation.status(4).await.0, 3, "permission denied");
    // From now on every file is asked about.
    conversation.say(&open(5, &path(&t, "a.txt"))).await;
    assert_eq!(conversation.status(5).await.0, 3);
    assert_eq!(t.broker.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_by_legacy_scp_is_an_item_and_is_told() {
    let Some(t) = trial(Mode::Manual).await else { return };
    make(&t, "dump.sql", b"insert;\n");
    let from = format!("target:{}", path(&t, "dump.sql"));
    let child = scp(&t, &["-O", &from, t.path("got").to_str().unwrap()]);
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.kind, ItemKind::Exec);
    assert_eq!(item.submission.text.command, format!("scp -f {}", path(&t, "dump.sql")));
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("got")).unwrap(), b"insert;\n");
    let (list, _) = told(&t, 1).await;
    assert_eq!((list[0].path.clone(), list[0].bytes), (path(&t, "dump.sql"), 8));
    assert_eq!(list[0].sha256, Digest::of(b"insert;\n"));
}
