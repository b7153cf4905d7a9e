//! The look on a real directory tree, without a network: the same questions, answered by this machine's
//! file system.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use expacti_sftp::Attrs;

use super::*;

/// Answers as an SFTP server would.
struct Here {
    home: PathBuf,
}

fn path_of(path: &RemotePath) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(path.as_bytes()).into_owned())
}

impl Answers for Here {
    async fn answer(&self, query: &Query) -> Option<Reply> {
        let missing = || Reply::status(StatusCode::NoSuchFile, "No such file");
        Some(match query {
            Query::Realpath { path } => match self.home.join(path_of(path)).canonicalize() {
                Ok(real) => {
                    let bytes = Bytes::from(real.to_string_lossy().into_owned());
                    Reply::Name { first: RemotePath::new(bytes).ok(), raw: Bytes::new() }
                }
                Err(_) => missing(),
            },
            Query::Lstat { path } => match path_of(path).symlink_metadata() {
                Ok(found) => Reply::Attrs(Attrs { mode: Some(found.mode()), ..Attrs::default() }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing(),
                Err(_) => Reply::status(StatusCode::Failure, "Failure"),
            },
            _ => return None,
        })
    }
}

async fn looked(home: &Path, directory: &str, path: &str) -> Result<(), NotBeneath> {
    let here = Here { home: home.to_owned() };
    let beneath = Beneath { directory: directory.to_owned(), paths: vec![path.to_owned()] };
    Looker { target: &here, looked: 0 }.all(&[beneath]).await
}

#[tokio::test]
async fn a_path_is_followed_to_where_it_leads() {
    // The usual name would begin with a dot.
    let root = tempfile::Builder::new().prefix("beneath").tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let (home, app, other) = (root.join("home"), root.join("app"), root.join("other"));
    for directory in [&home, &app.join("d/e"), &app.join(".git/hooks"), &other.join("d")] {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(app.join("file"), "x").unwrap();
    std::fs::write(other.join("file"), "x").unwrap();
    symlink(&other, app.join("out")).unwrap();
    symlink(other.join("file"), app.join("outfile")).unwrap();
    symlink(other.join("new"), app.join("nowhere")).unwrap();
    symlink("d", app.join("in")).unwrap();
    symlink("../..", app.join("d/up")).unwrap();
    symlink(app.join(".git"), app.join("git")).unwrap();
    symlink(&app, home.join("app")).unwrap();
    symlink(&home, root.join("tohome")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, app.join("fifo"), rustix::fs::Mode::RUSR).unwrap();
    let directory = app.to_str().unwrap();

    for good in ["file", "new", "d", "d/e/new", "d/e/a/b/c", "in/new", "in/e/x", "file/x", ""] {
        let path = format!("{directory}/{good}");
        assert_eq!(looked(&home, directory, path.trim_end_matches('/')).await, Ok(()), "{good}");
        let tilde = format!("~/app/{good}");
        assert_eq!(looked(&home, "~/app", tilde.trim_end_matches('/')).await, Ok(()), "{good}");
    }
    for bad in [
        "out",
        "out/x",
        "out/d/new",
        "outfile",
        "nowhere",
        "in/up/x",
        "d/up/other/x",
        "git/x",
        "git/hooks/pre-commit",
        "fifo",
        "d/../../other/x",
    ] {
        let path = format!("{directory}/{bad}");
        let found = looked(&home, directory, &path).await;
        // Of a link that leads to nothing some servers say no more than that.
        let told = bad == "nowhere" && matches!(found, Err(NotBeneath::Unknown(_)));
        assert!(told || matches!(found, Err(NotBeneath::Elsewhere(_))), "{bad}: {found:?}");
    }
    let outside = other.join("file");
    let found = looked(&home, directory, outside.to_str().unwrap()).await;
    assert!(matches!(found, Err(NotBeneath::Elsewhere(_))), "{found:?}");

    // The directory itself.
    let to_home = root.join("tohome");
    let to_home = to_home.to_str().unwrap();
    let found = looked(&home, to_home, &format!("{to_home}/x")).await;
    assert!(matches!(found, Err(NotBeneath::Elsewhere(_))), "{found:?}");
    for missing in [root.join("gone"), app.join("file")] {
        let missing = missing.to_str().unwrap();
        let found = looked(&home, missing, &format!("{missing}/x")).await;
        assert!(matches!(found, Err(NotBeneath::Unknown(_))), "{found:?}");
    }
}

#[tokio::test]
async fn without_answers_it_is_no() {
    struct Silent;
    impl Answers for Silent {
        async fn answer(&self, _: &Query) -> Option<Reply> {
            None
        }
    }
    let beneath =
        Beneath { directory: "/srv/app".to_owned(), paths: vec!["/srv/app/x".to_owned()] };
    let found = Looker { target: &Silent, looked: 0 }.all(&[beneath]).await;
    assert!(matches!(found, Err(NotBeneath::Unknown(_))), "{found:?}");
}
