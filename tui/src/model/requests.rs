//! The requests, and the one that the reviewer looks at. It must never move the selection from one
//! request to another.

use std::collections::{BTreeMap, HashMap};

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;

use super::filter::Filter;
use super::item::{Item, Stage};

/// What waits, and what is still on the screen of what does not.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Requests: open ones, and closed ones that are still on the screen.
    pub items: BTreeMap<CommandId, Item>,
    /// The request the reviewer looks at. It changes by the reviewer's keys only, or from none.
    pub selected: Option<CommandId>,
    /// The secret the reviewer asked to see.
    pub revealed: Option<CommandId>,
    /// The filter of the queue.
    pub filter: String,
}

/// A row of the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueRow<'a> {
    /// The request that is shown.
    pub item: &'a Item,
    /// How many identical ones the row stands for, this one included.
    pub count: usize,
}

impl Requests {
    /// The selected request.
    pub(crate) fn current(&self) -> Option<&Item> {
        self.items.get(self.selected.as_ref()?)
    }

    /// Whether the request is the selected one.
    pub(crate) fn is_selected(&self, id: &CommandId) -> bool {
        self.selected.as_ref() == Some(id)
    }

    /// Whether the request is shown masked.
    pub(crate) fn masked(&self, item: &Item) -> bool {
        item.is_secret() && self.revealed.as_ref() != Some(item.id())
    }

    /// Requests that wait for a decision.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|i| i.state() == CommandState::Pending)
    }

    /// Whether an allow is held here, unsent.
    pub(crate) fn any_held(&self) -> bool {
        self.items.values().any(|i| matches!(i.stage, Stage::Held { .. }))
    }

    /// Whether any request is still open.
    pub(crate) fn any_open(&self) -> bool {
        self.items.values().any(|i| i.closed_since.is_none())
    }

    /// The rows of the queue: one for each group of identical requests, by deadline. The selected
    /// request is the one shown for its group.
    pub(crate) fn rows(&self) -> Vec<QueueRow<'_>> {
        let filter = Filter::parse(&self.filter);
        let mut items: Vec<&Item> = self.items.values().filter(|i| filter.matches(i)).collect();
        items.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut rows: Vec<QueueRow<'_>> = Vec::with_capacity(items.len());
        let mut groups = HashMap::new();
        for item in items {
            if item.state() != CommandState::Pending || item.stage != Stage::Open {
                rows.push(QueueRow { item, count: 1 });
                continue;
            }
            match groups.get(&item.group).and_then(|i: &usize| rows.get_mut(*i)) {
                Some(row) => {
                    row.count += 1;
                    if self.is_selected(item.id()) {
                        row.item = item;
                    }
                }
                None => {
                    groups.insert(item.group, rows.len());
                    rows.push(QueueRow { item, count: 1 });
                }
            }
        }
        rows
    }
}
