//! News to people who are not looking: webhooks, and the desktop of the broker's machine. It must
//! never delay or decide anything, nor carry a secret: what cannot be sent is dropped and logged.

mod desktop;
mod message;
mod notice;
mod notifier;
mod webhook;

pub use notice::Event;
pub(crate) use notifier::Notifier;
pub use webhook::{Format, Webhook, WebhookError};
