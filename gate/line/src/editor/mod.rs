//! The line editor that the agent types at.
