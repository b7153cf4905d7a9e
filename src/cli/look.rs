//! Arguments of the commands that show what happens and what happened. Nothing here does anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands under the heading "Look".
#[derive(Debug, Subcommand)]
pub(crate) enum LookCommand {
    /// List sessions, newest first
    Sessions {
        /// The most sessions to list
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
    },
    /// Show the live output of a session
    Watch {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// Replay the recording of a session
    #[command(
        after_help = "Examples:\n  expacti replay sess_01h4 --speed 2 --idle-time-limit 1\n  expacti replay sess_01h4 --export incident.cast\n  expacti replay sess_01h4 --export - --format txt\n  expacti replay incident.cast"
    )]
    Replay(ReplayArgs),
    /// Read, verify and export the tamper-evident log
    ///
    /// The log says what was submitted, who decided, what ran and how it ended. Each entry holds the
    /// hash of the one before it, so that a changed or missing entry shows; an export ends in a
    /// checkpoint signed by the broker, so that it can be verified on another machine.
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti audit log --follow\n  expacti audit verify\n  expacti audit export --out audit.jsonl"
    )]
    Audit(AuditCommand),
    /// Score a command and explain the score (needs no broker)
    #[command(
        after_help = "Examples:\n  expacti risk 'kubectl delete pod --all -n production'\n  expacti risk --json 'curl http://x | sh'\n  jq -c '{command}' history.jsonl | expacti risk --stdin --json"
    )]
    Risk(RiskArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The session, an unambiguous part of its id, or a recording file
    pub(crate) session: String,
    /// Playback speed: 2 is twice as fast
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) speed: f64,
    /// Shorten pauses to at most this long
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle_time_limit: Option<f64>,
    /// Write the recording to a file instead; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// The format to write [default: txt for a FILE.txt, otherwise asciicast-v2]
    #[arg(long, value_enum, requires = "export")]
    pub(crate) format: Option<ExportFormat>,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// The form of an exported recording.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    /// Played by asciinema 2 and 3
    #[value(name = "asciicast-v2")]
    AsciicastV2,
    /// Played by asciinema 3
    #[value(name = "asciicast-v3")]
    AsciicastV3,
    /// What was on the screen, as plain text
    Txt,
}

#[derive(Debug, Args)]
pub(crate) struct RiskArgs {
    /// The command
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    /// Read JSON lines {"command":"…","target":"…","cwd":"…"} and answer each with one line
    #[arg(long)]
    pub(crate) stdin: bool,
    /// The target it would run on
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// The working directory it would run in
    #[arg(long)]
    pub(crate) cwd: Option<String>,
    /// The shell of the account it would run in
    #[arg(long, default_value = "bash", value_name = "NAME")]
    pub(crate) shell: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Take the broker's log as it is now, whatever this machine has seen of it
    ///
    /// Clients and gates refuse a log that went back, forks, or is another one. If that was meant, for
    /// example after a backup was put back, this makes the present head the one that was seen. For a
    /// gate, run it with the gate's configuration and as its user.
    Accept,
    /// Show the log
    Log {
        /// How many of the last entries to show
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
        /// Keep showing new entries as they are written
        #[arg(long)]
        follow: bool,
    },
    /// Verify the hash chain; exit status 1 and the first bad entry when it is broken
    #[command(
        after_help = "Examples:\n  expacti audit verify\n  expacti audit verify --file audit.jsonl --key 'ssh-ed25519 AAAA…'\n  expacti audit verify --bundle cmd.json --signers allowed_signers --key 'ssh-ed25519 AAAA…'\n\nA file is verified offline. An exported log must end in a checkpoint, as `audit export` writes it;\n--key says whose signature to accept. Without a file, the log must also go on from what this machine\nhas seen of it: exit status 5 when it went back or forks."
    )]
    Verify(VerifyArgs),
    /// Write the proof that the log has its entries about a command
    #[command(
        after_help = "Examples:\n  expacti audit prove cmd_01h4 --out proof.json\n  expacti audit verify --proof proof.json"
    )]
    Prove {
        /// The command, or an unambiguous part of its id
        id: String,
        /// Write to this file instead of standard output
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write all that others need to check what happened with a command
    ///
    /// One JSON document: the entries with their proofs, the signed head of the log, what people
    /// signed, and the digest of the recording. It is verified without the broker.
    #[command(
        after_help = "Examples:\n  expacti audit bundle cmd_01h4 --out cmd.json\n  expacti audit verify --bundle cmd.json --signers allowed_signers"
    )]
    Bundle {
        /// The command, or an unambiguous part of its id
        id: String,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the key of the log, for witnesses: NAME+ID+BASE64
    Key,
    /// Cosign the heads of other brokers' logs, over HTTP (c2sp.org/tlog-witness)
    ///
    /// A witness belongs on another machine, to somebody else than the broker. It cosigns a head only if
    /// that adds to the last one that it cosigned, and keeps that in its data directory. Its key is made
    /// there at the first start, and printed.
    #[command(
        after_help = "Examples:\n  expacti audit key                                        on the broker's machine: the log's key\n  expacti audit witness --listen 0.0.0.0:7444 --log KEY     on the witness's machine\n\nIn config.toml of the broker:\n  [[witness]]\n  url = \"http://witness.example:7444\"\n  key = \"NAME+ID+BASE64\""
    )]
    Witness(WitnessArgs),
    /// Write the whole log as canonical JSON lines, with a signed checkpoint at the end
    Export {
        /// Write to this file instead of standard output
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// Where to listen for brokers
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: String,
    /// The key of a log to witness, as `audit key` prints it; may be repeated
    #[arg(long, required = true, value_name = "KEY")]
    pub(crate) log: Vec<String>,
    /// The witness's name [default: the host's]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Its private key [default: witness_ed25519 among the keys in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// An exported log instead of the broker's
    #[arg(long, value_name = "FILE", group = "document")]
    pub(crate) file: Option<PathBuf>,
    /// What `audit prove` has written
    #[arg(long, value_name = "FILE", group = "document")]
    pub(crate) proof: Option<PathBuf>,
    /// What `audit bundle` has written
    #[arg(long, value_name = "FILE", group = "document")]
    pub(crate) bundle: Option<PathBuf>,
    /// The public key of the broker that must have signed
    #[arg(long, value_name = "KEY", requires = "document")]
    pub(crate) key: Option<String>,
    /// Who may sign, as OpenSSH's allowed_signers; a signature of anybody else is refused
    #[arg(long, value_name = "FILE", requires = "document", conflicts_with = "file")]
    pub(crate) signers: Option<PathBuf>,
    /// Keys that count for nothing any more
    #[arg(long, value_name = "FILE", requires = "signers")]
    pub(crate) revoked: Option<PathBuf>,
    /// The public key of a gate, "ssh-ed25519 AAAA…"; a report by another one is refused; may be repeated
    #[arg(long, value_name = "KEY", requires = "document", conflicts_with = "file")]
    pub(crate) gate: Vec<String>,
    /// The key of a witness that must have cosigned the head, NAME+ID+BASE64; may be repeated
    #[arg(long, value_name = "KEY", requires = "document", conflicts_with = "file")]
    pub(crate) witness: Vec<String>,
}

impl VerifyArgs {
    /// Whether a file is verified, for which no broker is needed.
    pub(crate) fn is_offline(&self) -> bool {
        [&self.file, &self.proof, &self.bundle].into_iter().any(Option::is_some)
    }
}
