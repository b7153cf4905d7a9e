//! What is known of the remote side.
