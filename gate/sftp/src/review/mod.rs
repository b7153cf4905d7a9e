//! What a reviewer reads of a change: its text, a preview of its content, and which paths deserve
//! a warning. It must never give two different changes the same text.

mod change;
mod preview;
mod sensitive;
mod size;
mod text;

pub use change::{Change, Content, Present, Upload};
pub use preview::{MAX_DIFF, MAX_PREVIEW, preview};
pub use sensitive::{is_secret, why_sensitive};
pub use size::size;
pub use text::text_of;
