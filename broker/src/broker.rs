//! A running broker: what starts it, what it is asked in the same process, and its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use expacti_audit::{Fault, Note, NoteSignature, Summary, Tail};
use expacti_engine::{Policy, RiskTables, Rule};
use expacti_protocol::home::Home;
use expacti_protocol::http::{
    Changed, EarlierRule, NewPrincipal, PrincipalAdded, PrincipalCreated, RuleView,
};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::uplink::WrapRegistration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::dispatcher::{Dispatcher, Handle};
use crate::files::private_dir;
use crate::keys::{self, KeyError, check_checkpoint};
use crate::notify::{Notifier, Webhook};
use crate::proofs::{Proofs, UpToHead};
use crate::recordings::Recordings;
use crate::server::Shared;
use crate::state::{Now, Peer, Refusal, State};
use crate::store::{Reader, Store, StoreError};
use crate::tokens::{new_token, token_hash};
use crate::users::owner_name;
use crate::witnesses::{WitnessConfig, Witnesses};

/// How often witnesses are asked, where the log has grown.
const WITNESSED: Duration = Duration::from_secs(60);

/// What a broker is started with.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The SQLite database.
    pub database: PathBuf,
    /// The directory of recordings.
    pub recordings: PathBuf,
    /// The checkpoint key.
    pub checkpoint_key: PathBuf,
    /// Time to decide where no policy says otherwise, 5 s to 24 h.
    pub default_timeout: Duration,
    /// Changes to the risk tables.
    pub tables: RiskTables,
    /// Who is told over HTTP.
    pub webhooks: Vec<Webhook>,
    /// Who cosigns the heads of the log.
    pub witnesses: Vec<WitnessConfig>,
    /// Where people decide, for messages; `{id}` stands for the command. `expacti review` when none.
    pub review_url: Option<String>,
    /// Show a desktop notification when something waits and no reviewer is connected.
    pub desktop: bool,
}

impl BrokerConfig {
    /// The usual places of one installation.
    pub fn of_home(home: &Home) -> Self {
        Self {
            database: home.database(),
            recordings: home.recordings(),
            checkpoint_key: home.keys().join("checkpoint_ed25519"),
            default_timeout: Duration::from_secs(60),
            tables: RiskTables::default(),
            webhooks: Vec::new(),
            witnesses: Vec::new(),
            review_url: None,
            desktop: false,
        }
    }
}

/// Why a broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory or file.
    #[error("failed to open {path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The checkpoint key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What the database holds is not consistent.
    #[error("the database cannot be taken up: {0}")]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A witness that cannot be asked.
    #[error("{0}")]
    Witness(String),
}

/// What the verification of the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVerdict {
    /// It was altered, or an entry is missing.
    Broken(Fault),
    /// It is whole.
    Whole(Summary),
}

/// A running broker; clones are the same one.
#[derive(Clone)]
pub struct Broker {
    pub(crate) handle: Handle,
    pub(crate) reader: Reader,
    pub(crate) recordings: Recordings,
    pub(crate) proofs: Arc<Proofs>,
    pub(crate) shared: Arc<Shared>,
    witnesses: Arc<Witnesses>,
    done: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl Broker {
    /// Opens the data directory. The caller holds the lock that keeps a second broker out.
    pub async fn open(config: BrokerConfig) -> Result<Self, OpenError> {
        for path in [&config.database, &config.checkpoint_key] {
            if let Some(dir) = path.parent() {
                private_dir(dir).map_err(|error| OpenError::Io { path: dir.to_owned(), error })?;
            }
        }
        let recordings = Recordings::new(&config.recordings)
            .map_err(|error| OpenError::Io { path: config.recordings.clone(), error })?;
        let witnesses = Witnesses::new(&config.witnesses).map_err(OpenError::Witness)?;
        let witnesses = Arc::new(witnesses);
        let signer = Arc::new(keys::CheckpointKey::open(&config.checkpoint_key)?);
        let proofs = Arc::new(Proofs::new(Arc::clone(&signer)));
        let (mut store, reader) = Store::open(&config.database).await?;
        let loaded = store.load().await?;
        let restored = loaded.restored_guards.join(", ");
        let state = State::new(
            loaded,
            config.tables,
            Box::new(recordings.clone()),
            Box::new(signer),
            config.default_timeout,
            owner_name(),
            Now::read(),
        )?;
        let notifier =
            Notifier::start(config.webhooks, config.review_url.as_deref(), config.desktop);
        let earlier = state.earlier_rules();
        let stop = CancellationToken::new();
        let (dispatcher, handle) = Dispatcher::new(state, store, notifier, stop.clone()).await?;
        let (finished, done) = watch::channel(false);
        tokio::spawn(async move {
            dispatcher.serve().await;
            let _ = finished.send(true);
        });
        let shared = Arc::default();
        let broker = Self { handle, reader, recordings, proofs, shared, witnesses, done, stop };
        broker.tell_of_earlier_rules(&earlier);
        if !restored.is_empty() {
            let warning = format!(
                "somebody has taken protection of the log out of the database ({restored}), and may have \
                 changed it: it is put back; see expacti audit verify"
            );
            tracing::warn!("{warning}");
            broker.warn(warning);
        }
        if !broker.witnesses.is_empty() {
            tokio::spawn(broker.clone().keep_cosigned());
        }
        Ok(broker)
    }

    /// Rules of before no longer allow what they do not say; until a person has seen them all by
    /// `expacti rules list`, each start says so.
    fn tell_of_earlier_rules(&self, rules: &[EarlierRule]) {
        for EarlierRule { rule, options } in rules {
            let (id, pattern) = (&rule.id, &rule.pattern);
            tracing::warn!(
                "rule {id} ({pattern}) no longer covers what it does not say: to give it back, \
                 expacti rules cover {id} {options}"
            );
        }
        if !rules.is_empty() {
            self.warn(format!(
                "{} rules no longer cover a terminal or standard input: expacti rules list names \
                 them, and what gives it back",
                rules.len()
            ));
        }
    }

    /// Denies what waits, takes nothing new, and gives gates a moment to tell their agents.
    pub async fn drain(&self) {
        if self.handle.run(|state, _, now| state.drain(now)).await.is_err() {
            return;
        }
        let idle = async {
            while self.handle.run(|state, _, _| Ok(state.sessions.len())).await.is_ok_and(|n| n > 0)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), idle).await;
    }

    /// Stops the broker: what waits is denied, and everything is written when this returns.
    pub async fn close(self) {
        let Self { stop, mut done, .. } = self;
        stop.cancel();
        let wait = async { while !*done.borrow() && done.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_secs(10), wait).await;
    }

    /// Forgets keys and PIN of somebody who has lost them. Whoever can call this owns the data.
    pub async fn reset_reviewer(&self, person: &str) -> Result<(), Refusal> {
        let person = person.to_owned();
        self.handle.run(move |state, _, now| state.reset_reviewer(&person, now)).await
    }

    /// Adds a rule.
    pub async fn add_rule(&self, by: Peer, rule: Rule) -> Result<RuleView, Refusal> {
        self.handle.run(move |state, _, now| state.add_rule(&by, rule, now)).await
    }

    /// Removes a rule by its id.
    pub async fn remove_rule(&self, by: Peer, id: String) -> Result<Changed<Rule>, Refusal> {
        self.handle.run(move |state, _, now| state.remove_rule(&by, &id, now)).await
    }

    /// The rules, oldest first.
    pub async fn rules(&self) -> Result<Vec<RuleView>, Refusal> {
        self.handle.run(|state, _, _| Ok(state.rule_list())).await
    }

    /// Adds a policy.
    pub async fn add_policy(&self, by: Peer, policy: Policy) -> Result<Changed<Policy>, Refusal> {
        self.handle.run(move |state, _, now| state.add_policy(&by, policy, now)).await
    }

    /// Removes a policy by its id.
    pub async fn remove_policy(&self, by: Peer, id: String) -> Result<Changed<Policy>, Refusal> {
        self.handle.run(move |state, _, now| state.remove_policy(&by, &id, now)).await
    }

    /// The policies, by id.
    pub async fn policies(&self) -> Result<Vec<Policy>, Refusal> {
        self.handle.run(|state, _, _| Ok(state.policy_list())).await
    }

    /// Adds a principal; its token is in the answer and nowhere else. Where others have to approve
    /// it first, the token opens nothing until they have.
    pub async fn add_principal(
        &self,
        by: Peer,
        new: NewPrincipal,
    ) -> Result<PrincipalAdded, Refusal> {
        // An agent logs in with a key, and a user of the machine is known as such.
        let none = new.role == Role::Agent || new.unix_user.is_some();
        let token = if none { None } else { Some(new_token()?) };
        let hash = token.as_deref().map(token_hash);
        let added =
            self.handle.run(move |state, _, now| state.add_principal(&by, new, hash, now)).await?;
        Ok(match added {
            Changed::Done(principal) => PrincipalAdded::Done(PrincipalCreated { principal, token }),
            Changed::Waiting { change } => PrincipalAdded::Waiting { change, token },
        })
    }

    /// A gate that lives in the same process: its token is kept in memory only and ends with it.
    pub fn local_gate_token(&self) -> Result<String, Refusal> {
        let token = new_token()?;
        self.shared.add_local_gate(token_hash(&token));
        Ok(token)
    }

    /// A token for connections to the gate of an agent that lives in the same process.
    ///
    /// # Errors
    /// When the registration is too long, or the system gives no random numbers.
    pub fn local_wrap_token(&self, about: WrapRegistration) -> Result<String, Refusal> {
        Ok(self.shared.wraps.register_own(about)?.token)
    }

    /// The log up to its present head.
    pub(crate) async fn up_to_head(&self) -> Result<UpToHead<'_>, Refusal> {
        let head = |state: &State| (state.chain.len(), state.chain.head().to_owned());
        let (size, head) = self.handle.run(move |state, _, _| Ok(head(state))).await?;
        self.proofs.up_to(&self.reader, size, &head).await
    }

    /// Has the witnesses cosign a signed head.
    pub(crate) async fn cosign(&self, size: u64, checkpoint: &str) {
        let Ok(note) = Note::parse(checkpoint) else { return };
        let log = self.proofs.for_witnesses(size, checkpoint.to_owned());
        let wrong = self.witnesses.ask(&note.body, &log).await;
        self.shared.set_witnessed(wrong);
    }

    /// What witnesses have said of a signed head.
    pub(crate) fn cosignatures(&self, checkpoint: &str) -> Vec<NoteSignature> {
        Note::parse(checkpoint).map(|note| self.witnesses.of(&note.body)).unwrap_or_default()
    }

    /// Has the witnesses cosign each head that is new for some time.
    async fn keep_cosigned(self) {
        let mut last = 0;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(WITNESSED) => {}
            }
            let head = match self.up_to_head().await {
                Ok(mut log) if log.size() != last => {
                    log.checkpoint().map(|note| (log.size(), note))
                }
                Ok(_) | Err(Refusal { code: ErrorCode::NotFound, .. }) => continue,
                Err(refusal) => Err(refusal),
            };
            match head {
                Ok((size, checkpoint)) => {
                    self.cosign(size, &checkpoint).await;
                    last = size;
                }
                Err(refusal) => tracing::warn!("no head for the witnesses: {refusal}"),
            }
        }
    }

    /// Signs a checkpoint.
    pub async fn checkpoint(&self) -> Result<(), Refusal> {
        self.handle.run(|state, _, now| state.checkpoint(now)).await
    }

    /// The lines of the log after entry `after`, at most `limit`.
    pub async fn audit_lines(
        &self,
        after: u64,
        limit: u64,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        self.reader.audit(after, limit).await
    }

    /// Verifies the whole log in the database.
    pub async fn verify_audit(&self) -> Result<LogVerdict, StoreError> {
        let (lines, head) = self.reader.audit_whole().await?;
        let (seq, hash) = head.unwrap_or((0, expacti_audit::GENESIS.to_owned()));
        let tail = Tail::Head { seq, hash: &hash };
        Ok(match expacti_audit::verify(lines, tail, &check_checkpoint) {
            Ok(summary) => LogVerdict::Whole(summary),
            Err(fault) => LogVerdict::Broken(fault),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use expacti_audit::Entry;
    use expacti_protocol::command::CommandState;
    use expacti_protocol::digest::Digest;
    use expacti_protocol::gate::GateEvent;
    use expacti_protocol::session::SessionInfo;
    use sqlx::Connection as _;

    use super::*;
    use crate::state::GateId;

    async fn entries(broker: &Broker) -> u64 {
        match broker.verify_audit().await.unwrap() {
            LogVerdict::Whole(summary) => summary.entries,
            LogVerdict::Broken(fault) => panic!("{fault:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_grows_while_it_is_verified_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::of_home(&Home::at(dir.path().to_owned()));
        config.desktop = false;
        let broker = Broker::open(config).await.unwrap();
        let writer = broker.clone();
        let growing = tokio::spawn(async move {
            for _ in 0..100 {
                let entry = |now: Now| Entry::new("growing", &now.rfc3339());
                writer.handle.run(move |state, _, now| state.audit(&entry(now))).await.unwrap();
            }
        });
        let mut last = 0;
        while !growing.is_finished() {
            let entries = entries(&broker).await;
            assert!(entries >= last);
            last = entries;
        }
        growing.await.unwrap();
        assert!(entries(&broker).await >= 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_command_that_the_disk_disagrees_about_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::of_home(&Home::at(dir.path().to_owned()));
        config.default_timeout = Duration::from_secs(1);
        let database = config.database.clone();
        let broker = Broker::open(config).await.unwrap();
        let gate = GateId(1);
        let opened =
            move |state: &mut State, now| state.open_session(gate, SessionInfo::default(), now);
        let session = broker.handle.run(move |state, _, now| opened(state, now)).await.unwrap();
        broker.recordings.open(&session, SessionInfo::default());
        let submit = async |command: &str| {
            let submission = serde_json::json!({
                "session_id": session, "kind": "exec", "command": command, "cwd": "~",
                "sha256": Digest::of(command.as_bytes()),
            });
            let submission = serde_json::from_value(submission).unwrap();
            let job = move |state: &mut State, now| state.submit(gate, 1, submission, now);
            match broker.handle.run(move |state, _, now| job(state, now)).await.unwrap() {
                GateEvent::Submitted { id, .. } => id,
                other => panic!("{other:?}"),
            }
        };
        let (bad, other) = (submit("id").await, submit("w").await);
        let url = format!("sqlite://{}", database.display());
        let mut intruder = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("UPDATE commands SET state = 'allowed' WHERE id = $1")
            .bind(bad.as_str())
            .execute(&mut intruder)
            .await
            .unwrap();
        let expired = async {
            while broker.reader.command(other.as_str()).await.unwrap().unwrap().state
                != CommandState::Expired
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), expired).await.expect("it never expired");
    }
}
