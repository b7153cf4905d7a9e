//! What the editor does, key by key, and what must hold for any keys.
