//! The standard input of a running command. Data passes under the grant that came with the
//! command's approval; code is submitted piece by piece and approved. It must never pass anything
//! else to the target.

use bytes::Bytes;
use expacti_engine::GivenInput;
use expacti_protocol::command::ItemKind;
use expacti_protocol::ids::CommandId;
use tokio::sync::Mutex;

use super::git_push::RefPreamble;
use crate::approval::Fed;
use crate::boundary::{GateConst, ItemWriter, RawGrant, Stdin, TargetWriter, Terminal};
use crate::broker::event::OpenSession;
use crate::client::end::Stopped;
use crate::client::input::Taken;
use crate::client::writer::ClientWriter;
use crate::files::scp::command::ScpUpload;
use crate::review::collect::collect;
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult};
use crate::review::status_line;

/// How to feed a command's standard input.
pub(crate) enum Feed {
    /// It receives a push, which the sentence describes.
    GitPush(String),
    /// As the client sends it.
    Plain {
        /// The client has already sent EOF.
        eof: bool,
    },
    /// It receives files by scp.
    ScpUpload(ScpUpload),
}

/// Feeds one command. Every function returns `Ok` when there is nothing more to feed, or the target
/// has gone: that ends the output as well, and the output's end is what counts.
pub(crate) struct StdinFeed<'a> {
    pub(crate) review: Review<'a>,
    pub(crate) client: &'a ClientWriter,
    pub(crate) writer: &'a TargetWriter,
    pub(crate) session: &'a OpenSession,
    pub(crate) command: &'a CommandId,
    /// Items that were delivered: they end with the command.
    pub(crate) items: &'a Mutex<Vec<CommandId>>,
}

impl StdinFeed<'_> {
    /// Feeds the command until EOF; an error ends the command.
    pub(crate) async fn run(
        &self,
        stdin: Stdin,
        push: Option<&str>,
        eof: bool,
        terminal: &Option<Terminal>,
    ) -> Result<(), Stopped> {
        let Stdin { initial, grant, dropped, items, held } = stdin;
        let mut given = Some(GivenInput::default());
        if let Some(approved) = initial {
            let ended = approved.ended();
            if let Some(given) = &mut given {
                given.push(approved.text());
            }
            if items.initial(approved).await.is_err() {
                return Ok(());
            }
            if ended || eof {
                return self.eof().await;
            }
        }
        if dropped {
            return self.nothing().await;
        }
        if grant.is_some() {
            // What flows is not seen.
            given = None;
        }
        let over = match (grant, push) {
            (Some(grant), Some(sentence)) => self.push(sentence, &grant).await?,
            (Some(grant), None) => self.data(&grant).await,
            (None, _) => false,
        };
        if over {
            return Ok(());
        }
        let fed = held.map(|command| Fed { command, given });
        self.code(&items, fed, terminal).await
    }

    /// Drops what comes: nothing reads it.
    async fn nothing(&self) -> Result<(), Stopped> {
        while let Taken::Bytes(_) = self.review.input.next().await {}
        self.eof().await
    }

    /// Tells the target that no more input follows.
    async fn eof(&self) -> Result<(), Stopped> {
        self.writer.constant(GateConst::Eof).await.ok();
        Ok(())
    }

    /// Passes data on as it comes. False if the grant ended before the data did: what is left is asked
    /// about.
    async fn data(&self, grant: &RawGrant) -> bool {
        loop {
            match self.review.input.next().await {
                Taken::Bytes(bytes) => match grant.pass(bytes).await {
                    Err(_) => return true,
                    Ok(rest) if rest.is_empty() => {}
                    Ok(rest) => {
                        self.review.input.give_back(rest);
                        let line =
                            "the grant of standard input is over: what follows is asked about";
                        self.review.connection.note(line).await;
                        return false;
                    }
                },
                Taken::Eof => {
                    self.eof().await.ok();
                    return true;
                }
            }
        }
    }

    /// Passes a push on, after reading what it would do.
    async fn push(&self, sentence: &str, grant: &RawGrant) -> Result<bool, Stopped> {
        let preamble = RefPreamble::read(self.review.input).await;
        for line in preamble.lines() {
            self.review.connection.note(&line).await;
        }
        if let Some(text) = preamble.to_decide(sentence)? {
            self.decide(text).await?;
        }
        if !preamble.bytes.is_empty() {
            match grant.pass(preamble.bytes).await {
                Err(_) => return Ok(true),
                Ok(rest) => self.review.input.give_back(rest),
            }
        }
        if preamble.eof {
            self.eof().await?;
            return Ok(true);
        }
        Ok(self.data(grant).await)
    }

    /// Asks for one more decision about data that was approved together with its command.
    async fn decide(&self, text: String) -> Result<(), Stopped> {
        let mut item = ReviewItem::new(ItemKind::File, Bytes::from(text));
        item.parent = Some(self.command.clone());
        match self.review.run(self.session, item, &mut None, AlsoWatched::default()).await {
            ReviewResult::Approved(id, _) => {
                self.items.lock().await.push(id);
                Ok(())
            }
            ReviewResult::Refused(refusal) => Err(Stopped::Refused(refusal)),
            ReviewResult::Gone | ReviewResult::Changed | ReviewResult::Withdrawn => {
                Err(Stopped::Gone)
            }
        }
    }

    /// Submits code: each piece that the client sends before it falls silent is an item.
    async fn code(
        &self,
        writer: &ItemWriter,
        mut fed: Option<Fed>,
        terminal: &Option<Terminal>,
    ) -> Result<(), Stopped> {
        loop {
            let (bytes, eof) = collect(self.review.input, self.review.connection).await;
            if !bytes.is_empty() {
                let item = ReviewItem::stdin(self.command.clone(), bytes.clone(), fed.clone());
                let mut terminal = terminal.clone();
                let held =
                    self.review.run(self.session, item, &mut terminal, AlsoWatched::default());
                // Only if standard error is a terminal: otherwise a program may read it.
                let told = async {
                    if self.review.connection.status_line {
                        let line = status_line::waiting("what is on standard input");
                        self.client.send_text(&self.client.line(&line)).await.ok();
                    }
                };
                match status_line::with_notice(held, told).await {
                    ReviewResult::Refused(refusal) => return Err(Stopped::Refused(refusal)),
                    ReviewResult::Gone | ReviewResult::Changed | ReviewResult::Withdrawn => {
                        return Ok(());
                    }
                    ReviewResult::Approved(id, approved) => {
                        self.items.lock().await.push(id);
                        if let Some(Fed { given: Some(given), .. }) = &mut fed {
                            given.push(&bytes);
                        }
                        match writer.item(*approved).await {
                            Err(_) => return Ok(()),
                            Ok(Some(grant)) if !eof => {
                                if let Some(fed) = &mut fed {
                                    fed.given = None;
                                }
                                if self.data(&grant).await {
                                    return Ok(());
                                }
                            }
                            Ok(_) => {}
                        }
                    }
                }
            }
            if eof {
                return self.eof().await;
            }
        }
    }
}
