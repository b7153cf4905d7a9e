//! The database: SQLite in WAL mode, `synchronous=FULL`, one writer.
//!
//! A batch of writes is one transaction: when [`Store::write`] returns, all of it is on disk, or
//! none of it.

use std::collections::HashMap;
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use expacti_audit::Chain;
use expacti_protocol::command::CommandView;
use expacti_protocol::http::PrincipalView;
use expacti_protocol::session::SessionView;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::state::{Kept, Loaded, Write};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// What failed in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It holds something this version cannot read.
    #[error("the database holds a {what} this version cannot read: {why}")]
    Content {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// It is older or newer than this version, and could not be migrated.
    #[error("failed to bring the database up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A compare-and-set found another state than memory has.
    #[error("the database disagrees about command {0}: another broker is writing to it")]
    Raced(String),
    /// The database failed.
    #[error("the database failed: {0}")]
    Sql(#[from] sqlx::Error),
}

fn options(path: &Path) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::from_str("sqlite://")?
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true))
}

/// Makes the database readable by its owner only. SQLite gives its other files the same mode.
fn private_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// The writing end; there is one.
pub(crate) struct Store {
    conn: SqliteConnection,
    options: SqliteConnectOptions,
}

/// The reading end.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pool: SqlitePool,
}

impl Store {
    /// Opens (and creates or migrates) the database.
    pub(crate) async fn open(path: &Path) -> Result<(Self, Reader), StoreError> {
        private_file(path).map_err(sqlx::Error::Io)?;
        let options = options(path)?;
        let mut conn = SqliteConnection::connect_with(&options).await?;
        MIGRATIONS.run(&mut conn).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(options.clone().create_if_missing(false).read_only(true));
        Ok((Self { conn, options }, Reader { pool }))
    }

    /// Writes a batch in one transaction.
    pub(crate) async fn write(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let result = self.write_all(writes).await;
        if matches!(result, Err(StoreError::Sql(_))) {
            // The connection may be in any state after a failed disk: begin with a new one.
            if let Ok(conn) = SqliteConnection::connect_with(&self.options).await {
                self.conn = conn;
            }
        }
        result
    }

    async fn write_all(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut tx = self.conn.begin().await?;
        let mut head = None;
        for write in writes {
            write_one(&mut tx, write).await?;
            if let Write::Audit { seq, hash, .. } = write {
                head = Some((*seq, hash));
            }
        }
        // In the same transaction as the entries: a log that was cut off later does not fit its head.
        if let Some((seq, hash)) = head {
            sqlx::query(
                "INSERT INTO audit_head (one, seq, hash) VALUES (1, $1, $2) \
                 ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            )
            .bind(number(seq))
            .bind(hash)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What the broker needs in memory.
    pub(crate) async fn load(&mut self) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        let last = sqlx::query("SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut self.conn)
            .await?;
        if let Some(row) = last {
            let seq: i64 = row.try_get(0)?;
            let line: String = row.try_get(1)?;
            loaded.ends_in_checkpoint = serde_json::from_str::<serde_json::Value>(&line)
                .is_ok_and(|v| v.get("kind").is_some_and(|k| k == "checkpoint"));
            loaded.chain = Chain::after(u64::try_from(seq).unwrap_or(0), line.as_bytes());
        }
        for text in self
            .column("SELECT view FROM commands WHERE state IN ('pending', 'allowed', 'released')")
            .await?
        {
            loaded.open_commands.push(parse("command", &text)?);
        }
        for text in self.column("SELECT view FROM sessions WHERE closed_at IS NULL").await? {
            loaded.open_sessions.push(parse("session", &text)?);
        }
        for text in self.column("SELECT body FROM rules").await? {
            loaded.rules.push(parse("rule", &text)?);
        }
        loaded.earlier_rules = self.column("SELECT id FROM earlier_rules").await?;
        for text in self.column("SELECT body FROM policies").await? {
            loaded.policies.push(parse("policy", &text)?);
        }
        for text in self.column("SELECT body FROM changes").await? {
            loaded.changes.push(parse("change", &text)?);
        }
        for text in self.column("SELECT body FROM principals").await? {
            loaded.principals.push(parse("principal", &text)?);
        }
        for text in self.column("SELECT body FROM targets").await? {
            loaded.targets.push(parse("target", &text)?);
        }
        for text in self.column("SELECT body FROM rulebook").await? {
            loaded.signed_rulebook = Some(parse("signed rulebook", &text)?);
        }
        for text in self.column("SELECT body FROM former_agents").await? {
            loaded.former_agents.push(parse("former agent", &text)?);
        }
        for text in self.column("SELECT body FROM reviewers").await? {
            loaded.reviewers.push(parse("reviewer", &text)?);
        }
        for text in self.column("SELECT body FROM signing_keys").await? {
            loaded.signing_keys.push(parse("signing key", &text)?);
        }
        for text in self.column("SELECT body FROM taints").await? {
            loaded.taints.push(parse("taint", &text)?);
        }
        let mut baselines = HashMap::new();
        for row in
            sqlx::query("SELECT agent, body FROM baselines").fetch_all(&mut self.conn).await?
        {
            let body: String = row.try_get(1)?;
            baselines.insert(row.try_get(0)?, parse("baseline", &body)?);
        }
        loaded.baselines = baselines;
        Ok(loaded)
    }

    async fn column(&mut self, sql: &'static str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(sql).fetch_all(&mut self.conn).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn read_head(row: sqlx::sqlite::SqliteRow) -> Result<(u64, String), StoreError> {
    let seq: i64 = row.try_get(0)?;
    Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn parse<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Content { what, why: e.to_string() })
}

async fn write_one(tx: &mut SqliteConnection, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Audit { seq, line, .. } => {
            sqlx::query("INSERT INTO audit (seq, line) VALUES ($1, $2)")
                .bind(number(*seq))
                .bind(line)
                .execute(tx)
                .await?;
        }
        Write::Baseline { agent, body } => {
            upsert(tx, "INSERT INTO baselines (agent, body) VALUES ($1, $2) ON CONFLICT (agent) DO UPDATE SET body = excluded.body", agent, body).await?;
        }
        Write::Change { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO changes (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Change { id, body: None } => {
            delete(tx, "DELETE FROM changes WHERE id = $1", id).await?
        }
        Write::Command { id, session, from: None, to, submitted_at, view } => {
            sqlx::query("INSERT INTO commands (id, session_id, state, submitted_at, view) VALUES ($1, $2, $3, $4, $5)")
                .bind(id.as_str())
                .bind(session.as_str())
                .bind(to.as_str())
                .bind(submitted_at)
                .bind(view.as_str())
                .execute(tx)
                .await?;
        }
        Write::Command { id, from: Some(from), to, view, .. } => {
            let done = sqlx::query(
                "UPDATE commands SET state = $1, view = $2 WHERE id = $3 AND state = $4",
            )
            .bind(to.as_str())
            .bind(view.as_str())
            .bind(id.as_str())
            .bind(from.as_str())
            .execute(tx)
            .await?;
            // The compare-and-set of memory once more, on disk: whoever else wrote to this row won,
            // and the whole batch does not happen.
            if done.rows_affected() != 1 {
                return Err(StoreError::Raced(id.to_string()));
            }
        }
        Write::EarlierRule { id } => {
            delete(tx, "DELETE FROM earlier_rules WHERE id = $1", id).await?;
        }
        Write::Policy { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO policies (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Policy { id, body: None } => {
            delete(tx, "DELETE FROM policies WHERE id = $1", id).await?
        }
        Write::FormerAgent { id, body } => {
            upsert(tx, "INSERT INTO former_agents (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Principal { id, row: Some(row) } => {
            sqlx::query("INSERT INTO principals (id, name, role, token_hash, public_key, body) VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(id)
                .bind(&row.name)
                .bind(row.role.as_str())
                .bind(&row.token_hash)
                .bind(&row.public_key)
                .bind(row.body.as_str())
                .execute(tx)
                .await?;
        }
        Write::Principal { id, row: None } => {
            delete(tx, "DELETE FROM principals WHERE id = $1", id).await?
        }
        Write::Reviewer { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO reviewers (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Reviewer { id, body: None } => {
            delete(tx, "DELETE FROM reviewers WHERE id = $1", id).await?
        }
        Write::Rule { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO rules (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Rule { id, body: None } => delete(tx, "DELETE FROM rules WHERE id = $1", id).await?,
        Write::Session { id, opened_at, closed_at, view } => {
            sqlx::query("INSERT INTO sessions (id, opened_at, closed_at, view) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET closed_at = excluded.closed_at, view = excluded.view")
                .bind(id.as_str())
                .bind(opened_at)
                .bind(closed_at)
                .bind(view.as_str())
                .execute(tx)
                .await?;
        }
        Write::Rulebook { body } => {
            upsert(tx, "INSERT INTO rulebook (one, body) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET body = excluded.body", "1", body).await?;
        }
        Write::SigningKey { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO signing_keys (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::SigningKey { id, body: None } => {
            delete(tx, "DELETE FROM signing_keys WHERE id = $1", id).await?
        }
        Write::Taint { id, body: Some(body) } => {
            upsert(tx, "INSERT INTO taints (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, body).await?;
        }
        Write::Taint { id, body: None } => {
            delete(tx, "DELETE FROM taints WHERE id = $1", id).await?
        }
        Write::Target { name, body: Some(body) } => {
            upsert(tx, "INSERT INTO targets (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", name, body).await?;
        }
        Write::Target { name, body: None } => {
            delete(tx, "DELETE FROM targets WHERE name = $1", name).await?
        }
    }
    Ok(())
}

async fn upsert(
    tx: &mut SqliteConnection,
    sql: &'static str,
    key: &str,
    body: &Kept,
) -> Result<(), StoreError> {
    sqlx::query(sql).bind(key).bind(body.as_str()).execute(tx).await?;
    Ok(())
}

async fn delete(tx: &mut SqliteConnection, sql: &'static str, key: &str) -> Result<(), StoreError> {
    sqlx::query(sql).bind(key).execute(tx).await?;
    Ok(())
}

impl Reader {
    /// The lines of the log after `after`, at most `limit`.
    pub(crate) async fn audit(
        &self,
        after: u64,
        limit: u64,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = sqlx::query("SELECT seq, line FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(number(after))
            .bind(number(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let seq: i64 = row.try_get(0)?;
                Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
            })
            .collect()
    }

    /// The lines of the log about one command, up to entry `last`.
    pub(crate) async fn audit_about(
        &self,
        command: &str,
        last: u64,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        // Within a text of the entry the quotes are escaped, so only a field looks like this.
        let rows = sqlx::query(
            "SELECT seq, line FROM audit WHERE seq <= $1 AND instr(line, $2) > 0 ORDER BY seq",
        )
        .bind(number(last))
        .bind(format!("\"command_id\":\"{command}\""))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let seq: i64 = row.try_get(0)?;
                Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
            })
            .collect()
    }

    /// All lines of the log and its head as they were at one moment: it may grow meanwhile.
    pub(crate) async fn audit_whole(
        &self,
    ) -> Result<(Vec<String>, Option<(u64, String)>), StoreError> {
        let mut moment = self.pool.begin().await?;
        let head = sqlx::query("SELECT seq, hash FROM audit_head")
            .fetch_optional(&mut *moment)
            .await?
            .map(read_head)
            .transpose()?;
        let lines = sqlx::query_scalar("SELECT line FROM audit ORDER BY seq")
            .fetch_all(&mut *moment)
            .await?;
        moment.rollback().await?;
        Ok((lines, head))
    }

    /// The head as it was last written beside the log.
    pub(crate) async fn audit_head(&self) -> Result<Option<(u64, String)>, StoreError> {
        let row =
            sqlx::query("SELECT seq, hash FROM audit_head").fetch_optional(&self.pool).await?;
        row.map(read_head).transpose()
    }

    /// One command.
    pub(crate) async fn command(&self, id: &str) -> Result<Option<CommandView>, StoreError> {
        let row = sqlx::query("SELECT view FROM commands WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| parse("command", row.try_get(0)?)).transpose()
    }

    /// The latest commands, newest first, of one session or of all.
    pub(crate) async fn commands(
        &self,
        session: Option<&str>,
        limit: u64,
    ) -> Result<Vec<CommandView>, StoreError> {
        let rows = sqlx::query(
            "SELECT view FROM commands WHERE $1 IS NULL OR session_id = $1 \
             ORDER BY submitted_at DESC, id DESC LIMIT $2",
        )
        .bind(session)
        .bind(number(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| parse("command", row.try_get(0)?)).collect()
    }

    /// Ids of commands that begin or end like that, at most three.
    pub(crate) async fn command_ids(&self, like: &[String]) -> Result<Vec<String>, StoreError> {
        self.ids(
            "SELECT id FROM commands WHERE id LIKE $1 ESCAPE '\\' ORDER BY id DESC LIMIT 3",
            like,
        )
        .await
    }

    /// Ids of sessions that begin or end like that, at most three.
    pub(crate) async fn session_ids(&self, like: &[String]) -> Result<Vec<String>, StoreError> {
        self.ids(
            "SELECT id FROM sessions WHERE id LIKE $1 ESCAPE '\\' ORDER BY id DESC LIMIT 3",
            like,
        )
        .await
    }

    async fn ids(&self, sql: &'static str, like: &[String]) -> Result<Vec<String>, StoreError> {
        let mut all = Vec::new();
        for pattern in like {
            for row in sqlx::query(sql).bind(pattern).fetch_all(&self.pool).await? {
                all.push(row.try_get(0)?);
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The latest sessions, newest first.
    pub(crate) async fn sessions(&self, limit: u64) -> Result<Vec<SessionView>, StoreError> {
        let rows =
            sqlx::query("SELECT view FROM sessions ORDER BY opened_at DESC, id DESC LIMIT $1")
                .bind(number(limit))
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(|row| parse("session", row.try_get(0)?)).collect()
    }

    /// One session.
    pub(crate) async fn session(&self, id: &str) -> Result<Option<SessionView>, StoreError> {
        let row = sqlx::query("SELECT view FROM sessions WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| parse("session", row.try_get(0)?)).transpose()
    }

    /// Whose token has that hash.
    pub(crate) async fn principal_of(
        &self,
        token_hash: &str,
    ) -> Result<Option<PrincipalView>, StoreError> {
        let row = sqlx::query("SELECT body FROM principals WHERE token_hash = $1")
            .bind(token_hash)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| parse("principal", row.try_get(0)?)).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rules_of_before_are_told_from_later_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("broker.db");
        let mut conn = SqliteConnection::connect_with(&options(&path).unwrap()).await.unwrap();
        let before = MIGRATIONS.iter().filter(|migration| migration.version < 4).cloned();
        let before = sqlx::migrate::Migrator {
            migrations: before.collect(),
            ..sqlx::migrate::Migrator::DEFAULT
        };
        before.run(&mut conn).await.unwrap();
        let add = |id: &str| {
            let body = serde_json::json!({
                "id": id, "kind": "exact", "pattern": "uptime", "effect": "allow"
            });
            sqlx::query("INSERT INTO rules (id, body) VALUES ($1, $2)")
                .bind(id.to_owned())
                .bind(body.to_string())
        };
        add("before").execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let (mut store, _) = Store::open(&path).await.unwrap();
        add("later").execute(&mut store.conn).await.unwrap();
        let loaded = store.load().await.unwrap();
        assert_eq!((loaded.rules.len(), loaded.earlier_rules), (2, vec!["before".to_owned()]));
        let told = Write::EarlierRule { id: "before".to_owned() };
        store.write(&[told]).await.unwrap();
        let (mut store, _) = Store::open(&path).await.unwrap();
        assert!(store.load().await.unwrap().earlier_rules.is_empty());
    }
}
