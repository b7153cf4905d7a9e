//! Holds an item until the broker has released it or its review has ended.

mod beneath;
pub(crate) mod collect;
mod compare;
pub(crate) mod hold;
pub(crate) mod item;
mod joining;
mod lifecycle;
pub(crate) mod status_line;
