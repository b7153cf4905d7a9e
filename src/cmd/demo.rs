//! `expacti demo`.
use crate::failure::{Failure, Outcome};
pub(crate) fn run(_unattended: bool) -> Outcome {
    Err(Failure::new(1, "not yet"))
}
