//! One request of a client that must be answered once, and the queue of answers to the client. A
//! reply that is dropped unanswered leaves its client waiting: that is only for channels that end.

use bytes::Bytes;
use expacti_sftp::Reply;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// What goes to the client.
pub(crate) enum Out {
    /// A packet, and the permit of its request, which is freed once the packet is sent.
    Packet(Bytes, Option<OwnedSemaphorePermit>),
    /// A line on standard error.
    Text(String),
}

/// See the module.
pub(crate) struct PendingReply {
    id: u32,
    out: mpsc::Sender<Out>,
    permit: OwnedSemaphorePermit,
}

impl PendingReply {
    /// The reply to the request with that id.
    pub(crate) fn new(id: u32, out: mpsc::Sender<Out>, permit: OwnedSemaphorePermit) -> Self {
        Self { id, out, permit }
    }

    /// Answers; waits until there is room in the queue.
    pub(crate) async fn answer(self, reply: &Reply) {
        let packet = reply.encode(self.id);
        self.out.send(Out::Packet(packet, Some(self.permit))).await.ok();
    }
}
