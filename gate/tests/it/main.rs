//! The gate between a real OpenSSH client and a real sshd, with a scripted broker.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod approval;
mod approval_attack;
mod broker;
mod exec;
mod hostile;
mod jump;
mod latency;
mod library;
mod log_watch;
mod login;
mod machine;
mod mux;
mod names;
mod push;
mod raw;
mod reads;
mod request_matrix;
mod requests;
mod scp;
mod sftp;
mod sftp_raw;
mod shell;
mod shell_attack;
mod shell_contexts;
mod shell_diff;
mod shell_fuzz;
mod shell_held;
mod shell_hostile;
mod shell_lines;
mod shell_session;
mod stdin;
mod target;
mod team;
mod trial;
mod uplink;
