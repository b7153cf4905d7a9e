//! The limits on what one gate takes on. Reaching one must never let a command through.

use std::time::Duration;

/// Limits on what one gate takes on. The defaults suit both modes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Simultaneous connections; more are closed at once.
    pub connections: usize,
    /// Simultaneous TCP connections that have not logged in; more are closed at once.
    pub preauth: usize,
    /// The same per address (per /64 for IPv6).
    pub preauth_each: usize,
    /// Session channels open at the same time on one connection.
    pub channels: usize,
    /// How long a client may take to log in.
    pub login: Duration,
    /// How long a client may take to send its uplink header on the Unix socket.
    pub uplink_header: Duration,
    /// How long connecting to a target and its key exchange may take, unless `ConnectTimeout`
    /// says otherwise.
    pub connect: Duration,
    /// How long the login on a target may take (a security key may want to be touched).
    pub target_login: Duration,
    /// How long a command waits for the link to the broker before it is denied.
    pub link_wait: Duration,
    /// How long the broker may take to answer one request of the gate.
    pub answer: Duration,
    /// How often the gate looks at the head of the broker's log.
    pub look_at_log: Duration,
    /// How much longer than the broker's own deadline the gate waits for a decision.
    pub deadline_grace: Duration,
    /// The longest script on standard input that one item may hold, in bytes.
    pub script: usize,
    /// Silence after which code on standard input becomes an item although no EOF came.
    pub script_idle: Duration,
    /// Input of one connection that is kept in memory before the gate stops reading from the
    /// client, in bytes.
    pub buffered: usize,
    /// Input of one channel that may wait in a temporary file where pausing would stall something
    /// else, in bytes; beyond it the channel is closed.
    pub spilled: u64,
    /// How much of one file may be read without a decision, in bytes.
    pub free_file: u64,
    /// How much may be read without a decision on one connection, in bytes; after that files are asked
    /// about.
    pub free_bytes: u64,
    /// How long a file may stay open for reading.
    pub open_file: Duration,
    /// Files read on one connection that have an entry of their own in the log; of more there are only
    /// summaries.
    pub listed_reads: u64,
    /// Output of a command without a terminal that is recorded, per stream, in bytes.
    pub recorded: u64,
    /// How long the recording may lag before the session's commands are denied.
    pub recording_lag: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            preauth: 128,
            preauth_each: 32,
            channels: 64,
            login: Duration::from_secs(20),
            uplink_header: Duration::from_secs(10),
            connect: Duration::from_secs(30),
            target_login: Duration::from_secs(60),
            link_wait: Duration::from_secs(3),
            answer: Duration::from_secs(15),
            look_at_log: Duration::from_secs(60),
            deadline_grace: Duration::from_secs(3),
            script: 1024 * 1024,
            script_idle: Duration::from_secs(2),
            buffered: 1024 * 1024,
            spilled: 4 << 30,
            free_file: 1 << 30,
            free_bytes: 8 << 30,
            open_file: Duration::from_secs(3600),
            listed_reads: 1000,
            recorded: 1024 * 1024,
            recording_lag: Duration::from_secs(10),
        }
    }
}
