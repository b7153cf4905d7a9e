//! The bodies of requests that were refused before they were read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::response::Response;
use axum::middleware::Next;
use futures_util::StreamExt as _;
use http_body::{Frame, SizeHint};

/// The largest body of a request in bytes.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;

/// How much of a body that nobody wants is read, in bytes, and for how long.
const MAX_LEFT: usize = 4 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(2);

/// A body that can be had back from whoever reads it.
struct Lent(Arc<Mutex<Body>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// Answers only when the client has sent its whole request. The server closes a connection with an
/// unread body, and a client that is still writing then hears of a broken pipe, not why it was refused.
pub(super) async fn read_what_is_left(request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let body = Arc::new(Mutex::new(body));
    let lent = Body::new(Lent(Arc::clone(&body)));
    let answer = next.run(Request::from_parts(parts, lent)).await;
    if let Some(body) = Arc::into_inner(body) {
        let left = body.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Too much or too slow: the connection is closed, as without this.
        let _ = tokio::time::timeout(MAX_TIME, discard(left)).await;
    }
    answer
}

async fn discard(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut read = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        read += chunk.len();
        if read > MAX_LEFT {
            return;
        }
    }
}
