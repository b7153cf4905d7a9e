//! What statements for a database do, whatever their language. It must never treat an
//! unknown statement as one that only reads.

use crate::Category;
use crate::tables::Effect;

/// What statements do, and a category where it differs.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) effects: Vec<Effect>,
    pub(crate) category: Option<Category>,
    /// Every statement only reads.
    pub(crate) reads: bool,
}

impl Statements {
    pub(super) fn add(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn add_all(&mut self, effects: &[Effect]) {
        self.effects.extend_from_slice(effects);
    }
}
