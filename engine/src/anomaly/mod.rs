//! What is unusual about a command, with evidence. It must never allow or deny, nor read a clock.

mod detect;
mod history;
mod recon;
mod types;

pub use detect::detect;
pub use history::{Event, History};
pub use types::Anomaly;
