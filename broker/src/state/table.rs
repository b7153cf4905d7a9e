//! A map that can take back what was done to it since the last commit, so that memory never says
//! more than the disk.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key, with an undo log of two levels: one job, and the batch of jobs that is
/// committed together.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    now: HashMap<K, V>,
    before_job: HashMap<K, Option<V>>,
    before_batch: HashMap<K, Option<V>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { now: HashMap::new(), before_job: HashMap::new(), before_batch: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Table<K, V> {
    /// The value of `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.now.get(key)
    }

    /// The value of `key`, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.now.get_mut(key)?;
        self.before_job.entry(key.clone()).or_insert_with(|| Some(value.clone()));
        Some(value)
    }

    /// Adds or replaces a value.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let old = self.now.insert(key.clone(), value);
        self.before_job.entry(key).or_insert(old);
    }

    /// Removes a value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.now.remove(key)?;
        self.before_job.entry(key.clone()).or_insert_with(|| Some(old.clone()));
        Some(old)
    }

    /// All values.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.now.values()
    }

    /// All keys and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.now.iter()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.now.len()
    }

    /// The present job is done; its changes stand or fall with the batch.
    pub(crate) fn keep_job(&mut self) {
        for (key, old) in self.before_job.drain() {
            self.before_batch.entry(key).or_insert(old);
        }
    }

    /// The present job did not happen.
    pub(crate) fn undo_job(&mut self) {
        let undo: Vec<_> = self.before_job.drain().collect();
        self.restore(undo);
    }

    /// What was done is on disk.
    pub(crate) fn commit(&mut self) {
        self.before_job.clear();
        self.before_batch.clear();
    }

    /// What was done since the last commit did not happen.
    pub(crate) fn rollback(&mut self) {
        self.undo_job();
        let undo: Vec<_> = self.before_batch.drain().collect();
        self.restore(undo);
    }

    fn restore(&mut self, undo: Vec<(K, Option<V>)>) {
        for (key, old) in undo {
            match old {
                Some(value) => self.now.insert(key, value),
                None => self.now.remove(&key),
            };
        }
    }
}

/// What every table can do, whatever it holds.
pub(crate) trait Undo {
    fn keep_job(&mut self);
    fn undo_job(&mut self);
    fn commit(&mut self);
    fn rollback(&mut self);
}

impl<K: Eq + std::hash::Hash + Clone, V: Clone> Undo for Table<K, V> {
    fn keep_job(&mut self) {
        Table::keep_job(self);
    }
    fn undo_job(&mut self) {
        Table::undo_job(self);
    }
    fn commit(&mut self) {
        Table::commit(self);
    }
    fn rollback(&mut self) {
        Table::rollback(self);
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn rollback_restores_every_kind_of_change() {
        let mut t = Table::default();
        t.insert("kept", 1);
        t.insert("changed", 1);
        t.insert("removed", 1);
        t.commit();
        t.insert("new", 2);
        t.insert("new", 3);
        if let Some(v) = t.get_mut(&"changed") {
            *v = 2;
        }
        t.insert("changed", 5);
        t.remove(&"removed");
        t.insert("removed", 9);
        t.rollback();
        let mut all: Vec<_> = t.iter().map(|(k, v)| (*k, *v)).collect();
        all.sort_unstable();
        assert_eq!(all, [("changed", 1), ("kept", 1), ("removed", 1)]);
        t.rollback();
        assert_eq!(t.len(), 3);
        t.insert("job one", 1);
        t.keep_job();
        t.insert("job one", 2);
        t.insert("job two", 2);
        t.undo_job();
        assert_eq!((t.get(&"job one"), t.get(&"job two")), (Some(&1), None));
        t.rollback();
        assert_eq!(t.len(), 3);
    }
}
