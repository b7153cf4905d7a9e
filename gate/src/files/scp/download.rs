//! Takes down what a client downloads by legacy scp (`scp -f`): which files, how much of each, and
//! their digests. It changes nothing of what passes, and must never leave content out: what it
//! cannot read as scp is taken down as one file.

use std::sync::Arc;

use bytes::Bytes;
use expacti_engine::scp_source;
use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use expacti_protocol::reads::FileRead;
use expacti_sftp::RemotePath;
use expacti_sftp::scp::{Event, Parser, Record};

use crate::broker::event::OpenSession;
use crate::client::channel::Channel;
use crate::client::read_log::ReadLog;
use crate::client::recorder::Watch;
use crate::review::item::ReviewItem;

/// One download.
pub(crate) struct Download {
    /// Told by `Drop`.
    log: ReadLog,
    session: OpenSession,
    files: Files,
}

impl Download {
    /// The download that a command is, if it is one.
    pub(crate) fn of(channel: &Channel, session: &OpenSession, item: &ReviewItem) -> Option<Self> {
        if item.kind != ItemKind::Exec {
            return None;
        }
        let source = scp_source(&item.bytes)?;
        let log = ReadLog::new(Arc::clone(&channel.connection));
        let files = Files::new(source.path, source.recursive);
        Some(Self { log, session: session.clone(), files })
    }
}

impl Watch for Download {
    fn stdout(&mut self, bytes: &[u8]) {
        self.files.take(bytes);
        if let Some(read) = self.files.done.pop() {
            let mut batch = std::mem::take(&mut self.files.done);
            batch.push(read);
            self.log.list(&self.session, batch);
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let last = self.files.end();
        self.log.list(&self.session, last);
    }
}

/// What is known of the files.
struct Files {
    /// What was asked for, if that is known.
    base: Option<String>,
    /// `None`: from here on it is not understood.
    parser: Option<Parser>,
    /// The directories that are open, by their names.
    directories: Vec<RemotePath>,
    open: Option<(String, u64, StreamDigest)>,
    /// What is not understood.
    rest: StreamDigest,
    done: Vec<FileRead>,
}

impl Files {
    fn new(path: Option<String>, recursive: bool) -> Self {
        let base = path.map(|path| match path.strip_prefix("./") {
            _ if path.starts_with('/') => path.clone(),
            Some(rest) => format!("~/{rest}"),
            None if path == "." => "~".to_owned(),
            None => format!("~/{path}"),
        });
        Self {
            base,
            parser: Some(Parser::new(recursive)),
            directories: Vec::new(),
            open: None,
            rest: StreamDigest::default(),
            done: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut input = Bytes::copy_from_slice(bytes);
        while let Some(parser) = &mut self.parser {
            let before = input.clone();
            match parser.next(&mut input) {
                Ok(Some(event)) => self.event(event),
                Ok(None) if input.is_empty() => return,
                Ok(None) => {}
                Err(_) => {
                    self.parser = None;
                    self.finish();
                    input = before;
                }
            }
        }
        self.rest.update(&input);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Record(Record::File { size, name, .. }) => {
                self.open = Some((self.path(&name), size, StreamDigest::default()));
                if size == 0 {
                    self.finish();
                }
            }
            Event::Record(Record::Directory { name, .. }) => self.directories.push(name),
            Event::Record(Record::End) => drop(self.directories.pop()),
            Event::Record(Record::Times { .. }) | Event::Complaint(_) => {}
            Event::Content(content) => {
                if let Some((_, _, digest)) = &mut self.open {
                    digest.update(&content);
                }
            }
            Event::Done => self.finish(),
        }
    }

    /// Where a file lies. The first name is that of what was asked for, whatever it is called there.
    fn path(&self, name: &RemotePath) -> String {
        let asked = |known: &String| RemotePath::new(known.clone().into_bytes()).ok();
        let mut path = self.base.as_ref().and_then(asked);
        let names = self.directories.iter().chain([name]);
        for name in names.skip(usize::from(path.is_some())) {
            path = match path {
                Some(path) => path.join(name).ok(),
                None => Some(name.clone()),
            };
        }
        path.as_ref().unwrap_or(name).to_string()
    }

    /// The file is over, or no more of it comes.
    fn finish(&mut self) {
        let Some((path, size, digest)) = self.open.take() else { return };
        let StreamSummary { bytes, sha256 } = digest.summary();
        let size = Some(size);
        self.done.push(FileRead { path, size, bytes, sha256, scattered: false, command_id: None });
    }

    /// What is left at the end.
    fn end(&mut self) -> Vec<FileRead> {
        self.finish();
        let mut last = std::mem::take(&mut self.done);
        let rest = self.rest.summary();
        if rest.bytes > 0 {
            last.push(FileRead {
                path: self.base.clone().unwrap_or_else(|| "?".to_owned()),
                size: None,
                bytes: rest.bytes,
                sha256: rest.sha256,
                scattered: false,
                command_id: None,
            });
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use expacti_protocol::digest::Digest;

    use super::*;

    fn read(path: Option<&str>, pieces: &[&[u8]]) -> Vec<(String, u64, Digest)> {
        let mut files = Files::new(path.map(str::to_owned), true);
        pieces.iter().for_each(|piece| files.take(piece));
        files.end().into_iter().map(|read| (read.path, read.bytes, read.sha256)).collect()
    }

    #[test]
    fn every_file_is_taken_down() {
        let tree =
            b"D0755 0 app\nC0644 5 a b\nhello\0C0600 0 empty\n\0D0755 0 sub\nC0644 2 x\nhi\0E\nE\n";
        let expected = vec![
            ("\"/srv/app/a b\"".to_owned(), 5, Digest::of(b"hello")),
            ("/srv/app/empty".to_owned(), 0, Digest::of(b"")),
            ("/srv/app/sub/x".to_owned(), 2, Digest::of(b"hi")),
        ];
        assert_eq!(read(Some("/srv/app"), &[tree]), expected);
        let bytes: Vec<_> = tree.chunks(1).collect();
        assert_eq!(read(Some("/srv/app"), &bytes), expected);
        let one = b"C0644 2 dump.sql\nhi\0";
        assert_eq!(
            read(Some("dump.sql"), &[one]),
            [("\"~/dump.sql\"".to_owned(), 2, Digest::of(b"hi"))]
        );
        assert_eq!(read(None, &[one]), [("dump.sql".to_owned(), 2, Digest::of(b"hi"))]);
    }

    #[test]
    fn what_is_cut_off_or_not_understood_counts_as_well() {
        let cut = read(Some("/srv/x"), &[b"C0644 5 x\nhel"]);
        assert_eq!(cut, [("/srv/x".to_owned(), 3, Digest::of(b"hel"))]);
        let odd = read(Some("/srv/x"), &[b"something else\n", b"more"]);
        assert_eq!(odd, [("/srv/x".to_owned(), 19, Digest::of(b"something else\nmore"))]);
        let complained = read(Some("/srv/x"), &[b"\x01scp: /srv/x: No such file\n"]);
        assert_eq!(complained, []);
    }
}
