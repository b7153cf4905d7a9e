//! What the demo says when it fails.

use std::fmt::Display;

use crate::failure::Failure;

/// The demo failed to do `what`.
pub(super) fn failed<E: Display>(what: &'static str) -> impl Fn(E) -> Failure {
    move |e| Failure::failed(format!("the demo failed to {what}: {e}"))
}
