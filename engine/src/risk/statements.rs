//! What statements for a database do, whatever their language. It must never take a statement that it
//! does not know for one that only reads.

use crate::Category;
use crate::tables::Effect;

/// An effect and where in the text it is.
pub(crate) type Found = (Effect, (usize, usize));

/// What statements do, and a category where it differs.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) effects: Vec<Found>,
    pub(crate) category: Option<Category>,
    /// Every statement only reads.
    pub(crate) reads: bool,
}

impl Statements {
    pub(super) fn add(&mut self, effect: Effect, at: (usize, usize)) {
        self.effects.push((effect, at));
    }
}
