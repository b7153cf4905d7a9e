//! What agents have read of files, for the log: one entry a file, told when it is closed.

use expacti_audit::Entry;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reads::{FileRead, MoreRead};

use super::model::State;
use super::ports::{GateId, Now, Refusal};
use super::sessions::session_entry;

impl State {
    /// Takes down what was read. A session that has ended is named only: its gate reports what it could
    /// not report while there was no link.
    pub(crate) fn files_read(
        &mut self,
        gate: GateId,
        id: &SessionId,
        files: &[FileRead],
        more: Option<&MoreRead>,
        now: Now,
    ) -> Result<(), Refusal> {
        if files.len() > GateRequest::MOST_READ {
            let most = GateRequest::MOST_READ;
            return Err(Refusal::invalid(format!("more than {most} files in one message")));
        }
        let begun = |kind: &str| match self.sessions.get(id) {
            Some(session) if session.gate != gate => {
                Err(Refusal::not_entitled("the session belongs to another gate"))
            }
            Some(session) => Ok(session_entry(kind, &session.view, now)),
            None => Ok(Entry::new(kind, &now.rfc3339())
                .with("session_id", id.as_str())
                .with("late", true)),
        };
        let (file, rest) = (begun("file_read")?, begun("files_read")?);
        for read in files {
            let entry = file
                .clone()
                .with("path", read.path.as_str())
                .with_some("size", read.size)
                .with("bytes", read.bytes)
                .with("sha256", read.sha256.to_string())
                .with_some("scattered", read.scattered.then_some(true))
                .with_some("command_id", read.command_id.as_ref().map(|id| id.as_str().to_owned()));
            self.audit(&entry)?;
        }
        if let Some(more) = more {
            let entry = rest
                .with("files", more.files)
                .with("bytes", more.bytes)
                .with("list_sha256", more.sha256.to_string());
            self.audit(&entry)?;
        }
        Ok(())
    }
}
