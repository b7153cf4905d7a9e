//! What does not change while the screen is open, but for the PIN, which the broker tells when it is
//! connected. It must never be changed by any other message.

use super::confirm::Confirm;
use crate::keymap::KeyMap;
use crate::theme::Theme;

/// How the screen looks and what its keys do.
#[derive(Debug)]
pub(crate) struct Settings {
    /// How it looks.
    pub theme: Theme,
    /// The keys.
    pub keymap: KeyMap,
    /// What follows the key for an allow.
    pub confirm: Confirm,
    /// The reviewer has a key that signs allows, and whether it wants to be touched for each.
    pub signs: Option<bool>,
    /// The reviewer has a PIN, which every allow needs.
    pub pin: bool,
    /// One line of guidance, clean.
    pub banner: Option<String>,
}
