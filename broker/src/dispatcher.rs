//! One task owns the state of every command. Jobs that are waiting are done together: they run one
//! after the other in memory, are written in one transaction, and only then are answered. When the
//! transaction fails, none of them happened, and each caller is told so.

use std::collections::HashMap;
use std::time::Duration;

use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::ReviewerEvent;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::notify::Notifier;
use crate::state::{GateId, Now, Outgoing, Refusal, State};
use crate::store::{Store, StoreError};

/// Jobs that may wait before whoever brings the next one has to.
const QUEUE: usize = 4096;

/// Jobs written in one transaction.
const BATCH: usize = 256;

/// Events a slow reviewer may be behind before it is disconnected (it then starts afresh).
pub(crate) const REVIEWER_QUEUE: usize = 4096;

/// Events a gate may be behind before it is disconnected, which denies all it holds.
pub(crate) const GATE_QUEUE: usize = 4096;

/// How long a failed write of what is due waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

type Finish = Box<dyn FnOnce(Result<(), Refusal>) + Send>;
type Run = Box<dyn FnOnce(&mut State, &mut Clients, Now) -> Finish + Send>;

/// One connection to which news is sent.
pub(crate) struct Watcher {
    pub(crate) sender: mpsc::Sender<ReviewerEvent>,
    /// Whether this person decides; others do not see secrets.
    pub(crate) decides: bool,
}

/// Who listens.
#[derive(Default)]
pub(crate) struct Clients {
    next: u64,
    pub(crate) gates: HashMap<GateId, mpsc::Sender<GateEvent>>,
    pub(crate) reviewers: HashMap<u64, Watcher>,
    /// Who is told without being connected.
    pub(crate) notifier: Notifier,
    /// As whom each of them is connected.
    pub(crate) names: HashMap<u64, String>,
}

impl Clients {
    /// A number no other connection has.
    pub(crate) fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// Ends every connection of a principal: without its sender a connection closes.
    pub(crate) fn disconnect(&mut self, name: &str) {
        let names = &self.names;
        let other = |number: &u64| names.get(number).is_none_or(|n| n != name);
        self.reviewers.retain(|number, _| other(number));
        self.gates.retain(|gate, _| other(&gate.0));
    }

    /// Connected people who may decide.
    pub(crate) fn deciders(&self) -> usize {
        self.reviewers.values().filter(|watcher| watcher.decides).count()
    }

    fn send(&mut self, out: Outgoing) {
        match out {
            Outgoing::Gate(id, event) => {
                if let Some(gate) = self.gates.get(&id)
                    && gate.try_send(*event).is_err()
                {
                    // Dropping the sender ends the connection.
                    warn!(gate = id.0, "a gate does not read its events: disconnected");
                    self.gates.remove(&id);
                }
            }
            Outgoing::Gates(event) => {
                self.gates.retain(|id, gate| {
                    let sent = gate.try_send((*event).clone()).is_ok();
                    if !sent {
                        warn!(gate = id.0, "a gate does not read its events: disconnected");
                    }
                    sent
                });
            }
            Outgoing::Review(news) => {
                let attended = self.deciders() > 0;
                self.notifier.tell(&news.shown, attended);
                self.reviewers.retain(|_, watcher| {
                    watcher.sender.try_send(news.event(watcher.decides)).is_ok()
                });
            }
        }
    }
}

/// Brings jobs to the dispatcher.
#[derive(Clone)]
pub(crate) struct Handle {
    jobs: mpsc::Sender<Run>,
}

impl Handle {
    /// Runs a job; its answer comes when its effect is on disk.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut State, &mut Clients, Now) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, wait) = oneshot::channel();
        self.run_then(job, move |result| {
            let _ = answer.send(result);
        })
        .await?;
        wait.await.map_err(|_| stopped())?
    }

    /// Runs a job and hands its result to `then` before anybody is told of its effects.
    pub(crate) async fn run_then<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut State, &mut Clients, Now) -> Result<T, Refusal> + Send + 'static,
        then: impl FnOnce(Result<T, Refusal>) + Send + 'static,
    ) -> Result<(), Refusal> {
        let run: Run = Box::new(move |state, clients, now| {
            let result = state.job(|state| job(state, clients, now));
            Box::new(move |written| then(written.and(result)))
        });
        self.jobs.send(run).await.map_err(|_| stopped())
    }
}

fn stopped() -> Refusal {
    Refusal::failed("the broker is stopping")
}

/// What is due about one command, as a job: a refusal concerns no other command.
fn end_due(id: CommandId) -> Run {
    Box::new(move |state, _, now| {
        if let Err(refusal) = state.end_due(&id, now) {
            error!("what is due for command {id} failed and is put off: {refusal}");
        }
        Box::new(|_| ())
    })
}

/// A job of the dispatcher's own, which nobody waits for.
fn logged(
    what: &'static str,
    job: impl FnOnce(&mut State, Now) -> Result<(), Refusal> + Send + 'static,
) -> Run {
    Box::new(move |state, _, now| {
        if let Err(refusal) = state.job(|state| job(state, now)) {
            error!("{what} was refused: {refusal}");
        }
        Box::new(|_| ())
    })
}

/// The dispatcher: run [`Dispatcher::serve`] as a task.
pub(crate) struct Dispatcher {
    state: State,
    store: Store,
    clients: Clients,
    jobs: mpsc::Receiver<Run>,
    stop: CancellationToken,
    entries_at_start: u64,
}

impl Dispatcher {
    /// Starts with what is loaded; what the loading itself changed is written at once.
    pub(crate) async fn new(
        mut state: State,
        mut store: Store,
        notifier: Notifier,
        stop: CancellationToken,
    ) -> Result<(Self, Handle), StoreError> {
        let entries_at_start = state.committed_entries();
        store.write(&state.writes).await?;
        state.writes.clear();
        state.outgoing.clear();
        state.commit();
        let (sender, jobs) = mpsc::channel(QUEUE);
        Ok((
            Self {
                state,
                store,
                clients: Clients { notifier, ..Clients::default() },
                jobs,
                stop,
                entries_at_start,
            },
            Handle { jobs: sender },
        ))
    }

    /// Works until every handle is gone or it is stopped.
    pub(crate) async fn serve(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut retry_tick = None;
        loop {
            let deadline = match (self.state.next_deadline(), retry_tick) {
                // After a failed write of an expiry, try again in a moment rather than at once.
                (Some(_), Some(retry)) => Some(retry),
                (deadline, _) => deadline,
            };
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                count = self.jobs.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    // Each of the jobs has been told.
                    let _ = self.work(batch.drain(..)).await;
                }
                () = timer => {
                    let written = self.tick().await;
                    retry_tick = (!written).then(|| std::time::Instant::now() + RETRY);
                }
            }
        }
        self.end().await;
    }

    /// Does what is due; whether the disk took it.
    async fn tick(&mut self) -> bool {
        let due = self.state.due(Now::read());
        match self.work(due.iter().cloned().map(end_due)).await {
            Ok(()) => true,
            // The disk has another state of one of them: the others must not wait for that one.
            Err(StoreError::Raced(_)) => {
                for id in due {
                    if self.work([end_due(id.clone())]).await.is_err() {
                        self.state.put_off(&id, Now::read());
                    }
                }
                true
            }
            Err(_) => false,
        }
    }

    /// Denies what waits, and signs a last checkpoint, so that the log of a clean stop has a
    /// proven end.
    async fn end(&mut self) {
        let _ = self.work([logged("the end of what is open", State::end)]).await;
        if self.state.chain.len() > self.entries_at_start {
            let _ = self.work([logged("the last checkpoint", State::checkpoint)]).await;
        }
    }

    /// Runs jobs one after the other, writes what they did in one transaction, and only then
    /// answers. When the transaction fails, none of them happened.
    async fn work(&mut self, jobs: impl IntoIterator<Item = Run>) -> Result<(), StoreError> {
        let now = Now::read();
        self.state.reviewers = self.clients.deciders();
        let mut finished = Vec::new();
        for job in jobs {
            let before = self.state.outgoing.len();
            let finish = job(&mut self.state, &mut self.clients, now);
            let outgoing = self.state.outgoing.split_off(before);
            finished.push((finish, outgoing));
        }
        let writes = std::mem::take(&mut self.state.writes);
        let written = if writes.is_empty() { Ok(()) } else { self.store.write(&writes).await };
        match written {
            // On disk before anybody hears of it: the order of these three is the promise.
            Ok(()) => {
                self.state.commit();
                for (finish, outgoing) in finished {
                    finish(Ok(()));
                    for out in outgoing {
                        self.clients.send(out);
                    }
                }
                Ok(())
            }
            Err(e) => {
                error!("nothing of this batch happened: {e}");
                self.state.rollback();
                for (finish, _) in finished {
                    finish(Err(Refusal::failed(e.to_string())));
                }
                Err(e)
            }
        }
    }
}
