//! One client connection: its target, its session at the broker, its limits. It must never let a
//! command be submitted in a session that the broker has closed, or after the recording failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use expacti_protocol::gate::Stream;
use expacti_protocol::session::SessionInfo;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::refusal::Refusal;
use crate::boundary::ReadCounts;
use crate::broker::event::OpenSession;
use crate::broker::queue::LinkError;
use crate::shared::Shared;
use crate::upstream::pool::Pool;
use crate::upstream::route::Target;

/// What the channels of one client connection share.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    /// Ends the connection: cancelled by the client's disconnect, a reviewer's kill, or the gate's
    /// end.
    pub(crate) cancel: CancellationToken,
    pub(crate) pool: Arc<Pool>,
    /// The broker could be asked whose connection this is. If not, nothing is opened for it.
    known: bool,
    /// The agent's standard error is a terminal.
    pub(crate) status_line: bool,
    /// The agent reads JSON.
    pub(crate) json: bool,
    info: SessionInfo,
    current: Mutex<Option<OpenSession>>,
    lagging: AtomicBool,
    /// What was read on it.
    pub(crate) reads: Arc<ReadCounts>,
}

impl Connection {
    /// Starts connecting to the target.
    pub(crate) fn new(
        shared: Arc<Shared>,
        cancel: CancellationToken,
        target: Target,
        info: SessionInfo,
        (status_line, json): (bool, bool),
    ) -> Arc<Self> {
        let pool = Pool::new(Arc::new(target), cancel.clone());
        Arc::new(Self {
            shared,
            cancel,
            pool,
            known: true,
            status_line,
            json,
            info,
            current: Mutex::new(None),
            lagging: AtomicBool::new(false),
            reads: Arc::default(),
        })
    }

    /// A connection of which nobody can say whose it is, since the broker cannot be reached: it is
    /// told so, and leads nowhere.
    pub(crate) fn unknown(shared: Arc<Shared>, cancel: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            shared,
            pool: Pool::closed(cancel.clone()),
            cancel,
            known: false,
            status_line: false,
            json: false,
            info: SessionInfo::default(),
            current: Mutex::new(None),
            lagging: AtomicBool::new(false),
            reads: Arc::default(),
        })
    }

    /// A connection that leads to no target: something else than a command is asked for on it.
    pub(crate) fn without_target(
        shared: Arc<Shared>,
        cancel: CancellationToken,
        info: SessionInfo,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared,
            pool: Pool::closed(cancel.clone()),
            cancel,
            known: true,
            status_line: false,
            json: false,
            info,
            current: Mutex::new(None),
            lagging: AtomicBool::new(false),
            reads: Arc::default(),
        })
    }

    /// The pool of connections to the target.
    pub(crate) fn target(&self) -> Result<Arc<Pool>, Refusal> {
        if self.known { Ok(Arc::clone(&self.pool)) } else { Err(Refusal::unreachable()) }
    }

    /// The session to submit in; opened if there is none.
    pub(crate) async fn current(&self) -> Result<OpenSession, Refusal> {
        if !self.known {
            return Err(Refusal::unreachable());
        }
        let mut current = self.current.lock().await;
        if self.lagging.load(Ordering::Acquire) {
            return Err(Refusal::undecided("the session's recording failed"));
        }
        let link = &self.shared.link;
        if let Some(open) = &*current
            && link.is_current(open.epoch)
        {
            return Ok(open.clone());
        }
        let mut info = self.info.clone();
        let checked = self.pool.checked().await.ok();
        info.host_key_sha256 = checked.as_ref().map(|checked| checked.fingerprint.clone());
        info.host_key = checked.map(|checked| checked.host_key);
        let opened = link.open(info, self.cancel.clone()).await.map_err(|error| match error {
            LinkError::Down => Refusal::unreachable(),
            LinkError::OtherLog | LinkError::Timeout => Refusal::undecided(&error.to_string()),
            LinkError::Refused(why) => Refusal::undecided(&why),
        })?;
        if current.is_some() {
            let label = "the link to the broker was lost; output in between is not recorded";
            link.marker(&opened, label.to_owned()).await;
        }
        *current = Some(opened.clone());
        Ok(opened)
    }

    /// Who is connected, and to which target.
    pub(crate) fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// A person allows something there that may change the account: what is known of its shell is
    /// void.
    pub(crate) fn account_may_change(&self) {
        if let (Some(shells), Some(target)) = (&self.shared.shells, self.pool.target()) {
            shells.forget(&target.host, &target.user);
        }
    }

    /// Records a message of the gate to the agent.
    pub(crate) async fn note(&self, message: &str) {
        let current = self.current.lock().await.clone();
        if let Some(open) = current.filter(|open| self.shared.link.is_current(open.epoch)) {
            let text = format!("{message}\r\n");
            let lag = self.shared.limits.recording_lag;
            let queued = self.shared.link.output(&open, Stream::Stdout, text.as_bytes());
            if tokio::time::timeout(lag, queued).await.is_err() {
                self.recording_failed();
            }
        }
    }

    /// The recording cannot keep up: no more commands of this session are allowed.
    pub(crate) fn recording_failed(&self) {
        if !self.lagging.swap(true, Ordering::AcqRel) {
            tracing::error!("the recording of a session does not keep up: its commands are denied");
        }
    }

    /// Ends the connection and closes its session.
    pub(crate) async fn close(&self) {
        self.cancel.cancel();
        let open = self.current.lock().await.take();
        if let Some(open) = open {
            self.shared.link.close(open).await;
        }
    }
}
