//! Holding an item until the broker has released it, or until it is over.

pub(crate) mod collect;
pub(crate) mod hold;
mod lifecycle;
pub(crate) mod status_line;
