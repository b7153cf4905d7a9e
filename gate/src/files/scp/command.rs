//! Recognises commands that receive an upload by legacy scp, and how their client learns the
//! result. It must never take a command for an upload whose destination cannot be shown.

use expacti_engine::{ScpSink, scp_sink};
use expacti_sftp::RemotePath;

use crate::client::refusal::Refusal;

/// The client, by how it learns the result of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    /// Reads the exit status.
    OpenSsh,
    /// Reads nothing after it has sent a file's content, so it is answered before that.
    Libssh2,
    /// Reads the answer to each file.
    Other,
}

impl ClientKind {
    /// From the client's identification.
    pub(crate) fn of(identification: &[u8]) -> Self {
        let software = identification.strip_prefix(b"SSH-2.0-").unwrap_or_default();
        if software.starts_with(b"OpenSSH") {
            Self::OpenSsh
        } else if software.to_ascii_lowercase().starts_with(b"libssh2") {
            Self::Libssh2
        } else {
            Self::Other
        }
    }
}

/// An upload that a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScpUpload {
    pub(super) path: RemotePath,
    pub(super) recursive: bool,
    pub(super) preserve: bool,
    /// The answers can be short, since the same person reads standard error.
    pub(super) short: bool,
    /// Each source gets its last answer only after its decision. Otherwise all sources are one
    /// item, and the client learns the result from the exit status.
    pub(super) each: bool,
    /// Files are decided on as they are announced, without their content.
    pub(super) announced: bool,
}

/// The note on the command's own item.
pub(crate) const NOTE: &str =
    "receives files: they are shown in an item of their own before anything is written";

impl ScpUpload {
    /// Reads a command. Refused when what it would write cannot be shown, or not honestly.
    pub(crate) fn of(
        command: &[u8],
        client: ClientKind,
        terminal: bool,
    ) -> Result<Option<Self>, Refusal> {
        let refuse = |why: &str| Err(Refusal::unsupported(why));
        match scp_sink(command) {
            ScpSink::No => Ok(None),
            ScpSink::Unclear => refuse(
                "this scp would write where cannot be told for certain: write its path out in \
                 plain characters, or use sftp (scp without -O)",
            ),
            ScpSink::Plain { .. } if terminal => refuse("an upload by scp needs no terminal"),
            ScpSink::Plain { recursive: true, .. } if client == ClientKind::Libssh2 => {
                refuse("this client uploads directories by sftp only")
            }
            ScpSink::Plain { path, recursive, directory, preserve } => {
                let Ok(path) = RemotePath::new(path.into_bytes()) else {
                    return refuse("the path of the upload is too long");
                };
                let each = !(directory && client == ClientKind::OpenSsh);
                let short = client == ClientKind::OpenSsh;
                let announced = client == ClientKind::Libssh2;
                Ok(Some(Self { path, recursive, preserve, short, each, announced }))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn clients_learn_the_truth_each_in_their_way() {
        for (id, kind) in [
            (&b"SSH-2.0-OpenSSH_9.2p1 Debian"[..], ClientKind::OpenSsh),
            (b"SSH-2.0-libssh2_1.10.0", ClientKind::Libssh2),
            (b"SSH-2.0-PuTTY_Release_0.78", ClientKind::Other),
            (b"", ClientKind::Other),
        ] {
            assert_eq!(ClientKind::of(id), kind);
        }
        let each = |command: &str, kind| {
            ScpUpload::of(command.as_bytes(), kind, false).map(|sink| sink.map(|sink| sink.each))
        };
        assert_eq!(each("scp -t x", ClientKind::OpenSsh), Ok(Some(true)));
        assert_eq!(each("scp -d -t x", ClientKind::OpenSsh), Ok(Some(false)));
        assert_eq!(each("scp -d -t x", ClientKind::Other), Ok(Some(true)));
        assert_eq!(each("scp -f x", ClientKind::Libssh2), Ok(None));
        let libssh2 = |command: &[u8]| ScpUpload::of(command, ClientKind::Libssh2, false);
        assert!(libssh2(b"scp -t x").unwrap().unwrap().announced);
        assert!(!ScpUpload::of(b"scp -t x", ClientKind::Other, false).unwrap().unwrap().announced);
        assert!(libssh2(b"scp -r -t x").is_err());
        assert!(each("scp -t $x", ClientKind::OpenSsh).is_err());
        assert!(ScpUpload::of(b"scp -t x", ClientKind::OpenSsh, true).is_err());
    }
}
