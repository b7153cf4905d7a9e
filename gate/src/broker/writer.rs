//! The writing half of the link. What is known of a command's end must go out before its session is closed.

use std::sync::Arc;

use expacti_protocol::client::WsSender;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::ids::CommandId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::queue::{LinkState, OrderedMessage};

/// Sends what is queued, requests before recordings, until the connection breaks.
pub(super) async fn write(
    mut sender: WsSender<GateRequest>,
    mut out: mpsc::UnboundedReceiver<GateRequest>,
    mut ordered: mpsc::Receiver<OrderedMessage>,
    state: Arc<LinkState>,
    epoch: u64,
    broken: CancellationToken,
) -> mpsc::Receiver<OrderedMessage> {
    loop {
        let request = tokio::select! {
            biased;
            () = broken.cancelled() => break,
            request = out.recv() => match request {
                Some(request) => request,
                None => break,
            },
            item = ordered.recv() => match item {
                Some(OrderedMessage::Barrier(sent)) => {
                    sent.send(()).ok();
                    continue;
                }
                Some(OrderedMessage::Recording { epoch: e, message }) if e == epoch => *message,
                Some(OrderedMessage::Recording { .. }) => continue,
                Some(OrderedMessage::Finished(id)) => match finished(&state, id) {
                    Some(request) => request,
                    None => continue,
                },
                None => break,
            },
        };
        // A known outcome must reach the broker before the session is closed: closing would make it
        // unknown.
        let before = match &request {
            GateRequest::CloseSession { .. } => unreported(&state),
            _ => Vec::new(),
        };
        let sent = tokio::select! {
            sent = send_all(&mut sender, before, &request) => sent,
            () = broken.cancelled() => false,
        };
        if !sent {
            break;
        }
    }
    broken.cancel();
    ordered
}

/// Sends some reports and then a request. Returns whether everything went out.
async fn send_all(
    sender: &mut WsSender<GateRequest>,
    before: Vec<GateRequest>,
    request: &GateRequest,
) -> bool {
    for report in &before {
        if sender.send(report).await.is_err() {
            return false;
        }
    }
    sender.send(request).await.is_ok()
}

/// Reports for all outcomes and reads that have not been sent on this connection.
fn unreported(state: &LinkState) -> Vec<GateRequest> {
    let mut finished = state.finished();
    let unsent = finished.iter_mut().filter(|(_, ended)| ended.sent.is_none());
    let mut all: Vec<_> =
        unsent.map(|(id, ended)| ended.request(state.next_ref(), id, &state.reporter)).collect();
    drop(finished);
    let mut reads = state.reads();
    let unsent = reads.values_mut().filter(|report| report.sent.is_none());
    all.extend(unsent.map(|report| report.request(state.next_ref())));
    all
}

/// The report of an outcome, unless it has been sent on this connection.
fn finished(state: &LinkState, id: CommandId) -> Option<GateRequest> {
    let r#ref = state.next_ref();
    let mut finished = state.finished();
    let ended = finished.get_mut(&id).filter(|ended| ended.sent.is_none())?;
    Some(ended.request(r#ref, &id, &state.reporter))
}
