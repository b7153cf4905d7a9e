//! The connection to the broker, kept up. It must never send on one connection what was meant for
//! another: a decision is for the broker that was connected when it was made, or for nobody.

use std::time::Duration;

use expacti_protocol::client::{Client, ClientError, Endpoint, WsReceiver, WsSender, connect};
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::model::{ConnectionId, LinkMsg};
use crate::time::Millis;

const PATH: &str = "/v1/ws/reviewer";
/// The broker sends a ping every 15 s; after three without anything it is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long handing a message to the system may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// First and longest pause before connecting again.
const BACKOFF: (Millis, Millis) = (500, 10_000);
/// A connection that lasted this long was a good one: the next pause is the first again.
const STABLE: Duration = Duration::from_secs(10);
/// How often the round trip is measured.
const MEASURE: Duration = Duration::from_secs(20);

type Socket = (WsSender<ReviewerRequest>, WsReceiver<ReviewerEvent>);

/// The ends that the event loop holds.
pub(crate) struct Link {
    /// What the connections bring, one after the other.
    pub(crate) incoming: mpsc::Receiver<LinkMsg>,
    outgoing: mpsc::Sender<(ConnectionId, ReviewerRequest)>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Link {
    /// Connects once, so that a broker that is not there is an error and not an empty screen, and
    /// keeps connected from then on.
    pub(crate) async fn open(endpoint: Endpoint) -> Result<Self, ClientError> {
        Self::open_with(endpoint, BACKOFF).await
    }

    /// As `open`, with other pauses before connecting again: the first and the longest.
    pub(crate) async fn open_with(
        endpoint: Endpoint,
        pauses: (Millis, Millis),
    ) -> Result<Self, ClientError> {
        let first: Socket = connect(&endpoint, PATH).await?;
        let (to_loop, incoming) = mpsc::channel(1024);
        let (outgoing, from_loop) = mpsc::channel(256);
        let measuring = tokio::spawn(measure(endpoint.clone(), to_loop.clone()));
        let keeping = tokio::spawn(keep_connected(endpoint, pauses, first, to_loop, from_loop));
        Ok(Self { incoming, outgoing, tasks: vec![measuring, keeping] })
    }

    /// Sends on that connection, or nowhere. Whether it arrived, only its answer tells.
    pub(crate) fn send(&self, connection: ConnectionId, request: ReviewerRequest) {
        // A full queue means that the broker takes nothing: the answer stays out, and is missed.
        let _ = self.outgoing.try_send((connection, request));
    }
}

/// One connection after the other, until the event loop is gone.
async fn keep_connected(
    endpoint: Endpoint,
    pauses: (Millis, Millis),
    first: Socket,
    incoming: mpsc::Sender<LinkMsg>,
    mut outgoing: mpsc::Receiver<(ConnectionId, ReviewerRequest)>,
) {
    let mut socket = Ok(first);
    let mut pause = pauses.0;
    for connection in (1..).map(ConnectionId) {
        let why = match socket {
            Ok(socket) => {
                // Before anything that comes over it: the event loop must not send on a connection
                // whose beginning it has not seen.
                if incoming.send(LinkMsg::Up(connection)).await.is_err() {
                    return;
                }
                let began = Instant::now();
                let why = serve(connection, socket, &incoming, &mut outgoing).await;
                if began.elapsed() > STABLE {
                    pause = pauses.0;
                }
                why
            }
            Err(error) => Some(ClientError::to_string(&error)),
        };
        let Some(why) = why else { return };
        let retry_in = pause + jitter(pause);
        if incoming.send(LinkMsg::Down { why, retry_in }).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(retry_in)).await;
        pause = (pause * 2).min(pauses.1);
        socket = connect(&endpoint, PATH).await;
    }
}

/// One connection until it breaks; says why, or nothing when the event loop is gone.
async fn serve(
    connection: ConnectionId,
    (mut tx, mut rx): Socket,
    incoming: &mpsc::Sender<LinkMsg>,
    outgoing: &mut mpsc::Receiver<(ConnectionId, ReviewerRequest)>,
) -> Option<String> {
    loop {
        tokio::select! {
            received = timeout(SILENCE, rx.recv()) => match received {
                Ok(Some(Ok(event))) => {
                    incoming.send(LinkMsg::Event(Box::new(event))).await.ok()?;
                }
                Ok(Some(Err(error))) => return Some(error.to_string()),
                Ok(None) => return Some("the broker closed the connection".to_owned()),
                Err(_) => return Some(format!("nothing heard for {} s", SILENCE.as_secs())),
            },
            request = outgoing.recv() => {
                let (meant_for, request) = request?;
                // Made on a connection that has broken since: a decision is not carried over.
                if meant_for != connection {
                    continue;
                }
                match timeout(SEND_TIMEOUT, tx.send(&request)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Some(error.to_string()),
                    Err(_) => return Some("the broker takes no messages".to_owned()),
                }
            }
        }
    }
}

/// Up to a quarter more, so that many reviewers do not come back in one instant.
fn jitter(pause: Millis) -> Millis {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| u64::from(d.subsec_nanos()));
    nanos % (pause / 4).max(1)
}

/// Measures round trips over HTTP. A broker that does not answer is the connection's business.
async fn measure(endpoint: Endpoint, incoming: mpsc::Sender<LinkMsg>) {
    let Ok(client) = Client::new(endpoint) else { return };
    // The first request opens the connection and measures that instead.
    let _ = client.get_bytes("/healthz").await;
    loop {
        let began = Instant::now();
        if client.get_bytes("/healthz").await.is_ok() {
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            if incoming.send(LinkMsg::Latency(ms)).await.is_err() {
                return;
            }
        }
        sleep(MEASURE).await;
    }
}
