//! Looks on the target where paths lead, for a line that a rule allows only if they lie beneath a
//! directory. It asks the target's SFTP server and changes nothing there. Whatever cannot be told is no.
//!
//! Between this look and the line's own use of the paths somebody else can put a link there: see
//! SECURITY.md.

use std::sync::Arc;
use std::time::Duration;

use expacti_engine::Beneath;
use expacti_protocol::one_line;
use expacti_sftp::{Query, RemotePath, Reply, StatusCode};

use crate::boundary::{NoSftp, Replies, TargetSftp};
use crate::client::refusal::Refusal;
use crate::upstream::pool::Lease;

/// How long the target may take for all of it.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// The most names that are looked at for one line.
const MOST: usize = 512;

/// Why the line does not run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotBeneath {
    /// A path leads elsewhere.
    Elsewhere(String),
    /// The target has no SFTP server.
    NoServer,
    /// It could not be told.
    Unknown(String),
}

impl NotBeneath {
    /// What the agent and the log are told.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Elsewhere(why) => why.clone(),
            Self::NoServer => {
                "the rule for working in a directory needs the target's SFTP server, and \
                               there is none: a reviewer will be asked the next time"
                    .to_owned()
            }
            Self::Unknown(why) => {
                format!("where its paths lead on the target could not be told: {why}")
            }
        }
    }

    /// How the channel ends.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Elsewhere(why) => Refusal::denied(why),
            Self::NoServer | Self::Unknown(_) => Refusal::undecided(&self.why()),
        }
    }
}

/// Whether every path lies beneath its directory, links followed.
pub(crate) async fn look(lease: &Lease, all: Vec<Beneath>) -> Result<(), NotBeneath> {
    let unknown = |why: &str| NotBeneath::Unknown(why.to_owned());
    let looking = async {
        let channel = lease.side_channel().await;
        let channel = channel.ok_or_else(|| unknown("it opens no second channel"))?;
        let (sftp, mut replies) = match channel.sftp().await {
            Ok(opened) => opened,
            Err(NoSftp::Refused) => return Err(NotBeneath::NoServer),
            Err(NoSftp::Lost(_)) => return Err(unknown("the connection was lost")),
        };
        let found = ask(&sftp, &mut replies, &all).await;
        sftp.close();
        found
    };
    tokio::time::timeout(LOOK, looking).await.unwrap_or_else(|_| Err(unknown("no answer in time")))
}

async fn ask(
    sftp: &Arc<TargetSftp>,
    replies: &mut Replies,
    all: &[Beneath],
) -> Result<(), NotBeneath> {
    let mut looker = Looker { target: sftp.as_ref(), looked: 0 };
    tokio::select! {
        found = looker.all(all) => found,
        _ = replies.run(sftp) => Err(NotBeneath::Unknown("its SFTP server went away".to_owned())),
    }
}

/// Who answers questions about paths.
trait Answers {
    /// The target's answer; `None` when there will be none.
    async fn answer(&self, query: &Query) -> Option<Reply>;
}

impl Answers for TargetSftp {
    async fn answer(&self, query: &Query) -> Option<Reply> {
        self.ask(query).await.ok()
    }
}

/// What is at a path, itself.
enum There {
    Directory,
    File,
    Link,
    Nothing,
}

struct Looker<'a, T> {
    target: &'a T,
    looked: usize,
}

impl<T: Answers> Looker<'_, T> {
    async fn all(&mut self, all: &[Beneath]) -> Result<(), NotBeneath> {
        let home = self.real(".").await?;
        for beneath in all {
            let directory = self.real(&absolute(&beneath.directory, &home)).await?;
            if let Some(why) = beneath.refuses_directory(&directory, &home) {
                return Err(NotBeneath::Elsewhere(why));
            }
            if !matches!(self.there(&directory).await?, There::Directory) {
                return Err(NotBeneath::Unknown(format!("{directory} is no directory")));
            }
            for path in &beneath.paths {
                self.one(beneath, path, &directory).await?;
            }
        }
        Ok(())
    }

    /// Follows one path from the directory down.
    async fn one(
        &mut self,
        beneath: &Beneath,
        path: &str,
        directory: &str,
    ) -> Result<(), NotBeneath> {
        let elsewhere = |real: &str| match beneath.refuses_path(path, real, directory) {
            Some(why) => Err(NotBeneath::Elsewhere(why)),
            None => Ok(()),
        };
        let rest = path.strip_prefix(beneath.directory.as_str());
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
            return Err(NotBeneath::Elsewhere(format!(
                "{path} is not named beneath its directory"
            )));
        };
        let mut real = directory.to_owned();
        let mut missing = false;
        for name in rest.split('/').filter(|name| !name.is_empty()) {
            if matches!(name, "." | "..") {
                return Err(NotBeneath::Elsewhere(format!("{path} may lead elsewhere")));
            }
            real = format!("{}/{name}", real.trim_end_matches('/'));
            if missing {
                continue;
            }
            match self.there(&real).await? {
                There::Directory => {}
                // Nothing lies in a file: what is asked of the rest of the path fails on the target.
                There::File | There::Nothing => missing = true,
                There::Link => {
                    real = self.real(&real).await?;
                    elsewhere(&real)?;
                    match self.there(&real).await? {
                        There::Directory => {}
                        There::File => missing = true,
                        There::Link | There::Nothing => {
                            let why = format!("{path} leads through a link to nowhere");
                            return Err(NotBeneath::Elsewhere(why));
                        }
                    }
                }
            }
        }
        elsewhere(&real)
    }

    async fn question(&mut self, query: &Query) -> Result<Reply, NotBeneath> {
        self.looked += 1;
        if self.looked > MOST {
            return Err(NotBeneath::Unknown("there are too many paths".to_owned()));
        }
        let answer = self.target.answer(query).await;
        answer.ok_or_else(|| NotBeneath::Unknown("the connection was lost".to_owned()))
    }

    /// Where a path really lies.
    async fn real(&mut self, path: &str) -> Result<String, NotBeneath> {
        let why = |answer: &str| NotBeneath::Unknown(format!("{path}: {}", one_line(answer)));
        match self.question(&Query::Realpath { path: remote(path)? }).await? {
            Reply::Name { first: Some(real), .. } if real.is_absolute() => {
                let text = std::str::from_utf8(real.as_bytes());
                text.map(str::to_owned).map_err(|_| why("a name that is no text"))
            }
            Reply::Status(code, message) if code != StatusCode::Ok => Err(why(&message)),
            _ => Err(why("an answer that is not understood")),
        }
    }

    async fn there(&mut self, path: &str) -> Result<There, NotBeneath> {
        match self.question(&Query::Lstat { path: remote(path)? }).await? {
            Reply::Attrs(attrs) if attrs.is_directory() => Ok(There::Directory),
            Reply::Attrs(attrs) if attrs.is_file() => Ok(There::File),
            Reply::Attrs(attrs) if attrs.is_link() => Ok(There::Link),
            Reply::Attrs(_) => {
                Err(NotBeneath::Elsewhere(format!("{path} is neither a file nor a directory")))
            }
            reply if reply.is_missing() => Ok(There::Nothing),
            Reply::Status(_, message) => {
                Err(NotBeneath::Unknown(format!("{path}: {}", one_line(&message))))
            }
            _ => Err(NotBeneath::Unknown(format!("{path}: an answer that is not understood"))),
        }
    }
}

fn remote(path: &str) -> Result<RemotePath, NotBeneath> {
    RemotePath::new(path.as_bytes().to_vec())
        .map_err(|_| NotBeneath::Unknown("a path is too long".to_owned()))
}

/// A path that may begin with `~`.
fn absolute(path: &str, home: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) => format!("{}{rest}", home.trim_end_matches('/')),
        None => path.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
