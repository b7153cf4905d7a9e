//! The triggers that keep the log from being changed in the database. They stop accidents, and who takes them
//! away is named: they are put back, and the log says so.

use sqlx::{Row as _, SqliteConnection};

/// Each by its name, as the database was made with it.
const GUARDS: [(&str, &str); 2] = [
    (
        "audit_is_never_updated",
        "CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit\n\
         BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    ),
    (
        "audit_is_never_deleted",
        "CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit\n\
         BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    ),
];

/// Puts back what is missing or was changed; the names of those.
pub(crate) async fn restore(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut restored = Vec::new();
    for (name, sql) in GUARDS {
        let found =
            sqlx::query("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = $1")
                .bind(name)
                .fetch_optional(&mut *conn)
                .await?;
        let found: Option<String> = found.map(|row| row.try_get(0)).transpose()?;
        if found.as_deref() == Some(sql) {
            continue;
        }
        if found.is_some() {
            sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {name}")))
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query(sql).execute(&mut *conn).await?;
        restored.push(name.to_owned());
    }
    Ok(restored)
}
