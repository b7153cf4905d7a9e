//! Wire messages, ids, digests and the broker client: what the parts of expacti say to each other.
//!
//! `docs/PROTOCOL.md` describes the same format for programs in other languages. This crate has no
//! server code and never decides anything.

pub mod ancestry;
pub mod client;
pub mod command;
pub mod digest;
pub mod exit;
pub mod gate;
pub mod hidden;
pub mod home;
pub mod http;
pub mod ids;
pub mod input;
pub mod inside;
pub mod principal;
pub mod private;
pub mod proof;
pub mod reads;
pub mod reviewer;
pub mod session;
pub mod shell;
pub mod signed;
pub mod socket;
pub mod taint;
pub mod uplink;

/// Version of the wire format; a peer with another major number is refused.
pub const PROTOCOL_VERSION: u32 = 1;

/// The message an agent reads when its command was denied, without the newline.
///
/// A comment is shown on one line, so that it cannot imitate further output of ours.
pub fn denied_message(comment: Option<&str>) -> String {
    let comment = comment.map(one_line).unwrap_or_default();
    if comment.is_empty() {
        "expacti: command denied".to_owned()
    } else {
        format!("expacti: command denied — {comment}")
    }
}

/// The message an agent reads when nobody decided in time, without the newline.
pub const TIMED_OUT_MESSAGE: &str = "expacti: command timed out — no reviewer responded";

/// Why the gate denied by itself when it cannot reach the broker.
pub const BROKER_UNREACHABLE: &str = "broker unreachable";

/// `text` with every control character (line breaks too) replaced by a space, trimmed.
pub fn one_line(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.trim().to_owned()
}

/// Now, in microseconds since the Unix epoch (the unit of every stored time).
pub fn now_micros() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
