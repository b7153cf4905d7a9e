//! Hash tables for what the tables, the rules and the policies say, in which the words of a line are
//! looked up. What a line says itself is kept in the tables of the standard library, whose hash nobody
//! can make collide.

use foldhash::fast::RandomState;

/// A map that does not grow with what an agent sends.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set that does not grow with what an agent sends.
pub(crate) type HashSet<T> = std::collections::HashSet<T, RandomState>;
