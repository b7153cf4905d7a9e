//! Reads SQL and the commands that database shells add to it. It must never treat an unknown statement
//! as one that only reads.

use crate::Category;
use crate::tables::Effect;

use super::statements::Statements;

/// Reads SQL text.
pub(crate) fn sql(text: &str) -> Statements {
    let mut out = Statements { reads: true, ..Statements::default() };
    let mut any = false;
    for part in text.split(';') {
        let Some(statement) = Statement::of(part) else { continue };
        any = true;
        out.reads &= read(&statement, &mut out);
    }
    out.reads &= any;
    out
}

/// One statement, as far as it is looked at.
struct Statement {
    /// The text without comments.
    clean: String,
    /// In capitals, without punctuation; the first word is apart.
    first: String,
    rest: Vec<String>,
}

impl Statement {
    fn of(text: &str) -> Option<Self> {
        let clean = strip_comments(text);
        let mut words = clean
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\\' | '!' | '.' | '*')))
            .filter(|word| !word.is_empty())
            .take(400)
            .map(str::to_ascii_uppercase);
        let first = words.next()?;
        let rest = words.collect();
        Some(Self { clean, first, rest })
    }

    fn second(&self) -> &str {
        self.rest.first().map_or("", String::as_str)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first).chain(&self.rest).map(String::as_str)
    }

    fn has(&self, wanted: &str) -> bool {
        self.words().any(|word| word == wanted)
    }

    fn has_any(&self, wanted: &[&str]) -> bool {
        self.words().any(|word| wanted.contains(&word))
    }

    /// Whether it applies to every row.
    fn takes_all_rows(&self) -> bool {
        !self.has("WHERE") || tautology(&self.clean)
    }
}

/// Adds what one statement does; returns whether it only reads. An unknown statement does not.
fn read(statement: &Statement, out: &mut Statements) -> bool {
    use Effect::{Destructive, Exec, Hijack, Persist, Privilege, Safety, Wide};
    let has_any = |words: &[&str]| statement.has_any(words);
    match statement.first.as_str() {
        "SELECT" | "WITH" | "SHOW" | "EXPLAIN" | "DESCRIBE" | "DESC" | "VALUES" | "TABLE"
        | "USE" | "ANALYZE" | "PRAGMA" | "HELP" | "STATUS" => return query(statement, out),
        "DROP" => drop_object(statement, out),
        "TRUNCATE" => out.add_all(&[Destructive, Wide]),
        "DELETE" => {
            out.add(Destructive);
            if statement.takes_all_rows() {
                out.add(Wide);
            }
        }
        "UPDATE" if statement.takes_all_rows() => out.add_all(&[Destructive, Wide]),
        "ALTER" => alter(statement, out),
        "GRANT" | "REVOKE" | "DENY" | "REASSIGN" => {
            out.category = Some(Category::Identity);
            out.add(Privilege);
            if has_any(&["ALL", "SUPERUSER"]) {
                out.add(Wide);
            }
        }
        "CREATE" if matches!(statement.second(), "USER" | "ROLE" | "LOGIN") => {
            out.category = Some(Category::Identity);
            out.add(Persist);
        }
        "CREATE" if has_any(&["FUNCTION", "PROCEDURE", "EXTENSION", "TRIGGER", "LANGUAGE"]) => {
            out.add(Exec);
        }
        "COPY" if statement.has("PROGRAM") => out.add_all(&[Exec, Hijack]),
        "INSTALL" | "UNINSTALL" => out.add_all(&[Exec, Hijack]),
        // Stops or redirects replication, or takes away names that programs rely on.
        "STOP" | "CHANGE" | "RENAME" | "DETACH" | "REPLACE" | ".RESTORE" => {
            out.add(Destructive);
        }
        "MATCH" | "REMOVE" | "FOREACH" if has_any(&["DELETE", "DETACH", "REMOVE"]) => {
            out.add_all(&[Destructive, Wide]);
        }
        ".IMPORT" | ".LOAD" | ".OUTPUT" | ".ONCE" | ".SAVE" | ".CLONE" | "\\O" | "\\G" => {
            out.add(Exec);
        }
        "VACUUM" if statement.has("FULL") => out.add(Safety),
        "LOCK" => out.add(Safety),
        "KILL" => out.add(Destructive),
        "SHUTDOWN" | "RESET" | "PURGE" | "FLUSH" => out.add_all(&[Destructive, Wide]),
        "DO" | "CALL" | "EXEC" | "EXECUTE" | "XP_CMDSHELL" | "LOAD" | "SOURCE" | "\\."
        | ".READ" | "\\I" | "ATTACH" => {
            out.add(Exec);
            if statement.has("XP_CMDSHELL") {
                out.add(Hijack);
            }
        }
        "SET" if has_any(&["GLOBAL", "PASSWORD", "SUPER_READ_ONLY", "SQL_LOG_BIN"]) => {
            set_global(statement, out);
        }
        "SET" | "BEGIN" | "COMMIT" | "ROLLBACK" | "START" => {}
        // What the client runs in a shell of its own.
        client if client.starts_with("\\!") || SHELLS.contains(&client) => {
            out.add_all(&[Exec, Hijack]);
        }
        client => return client.starts_with("\\D") || SHOWS.contains(&client),
    }
    false
}

/// What a client of a database runs in a shell.
const SHELLS: [&str; 3] = ["SYSTEM", ".SHELL", ".SYSTEM"];
/// What a client of a database only shows or sets for itself.
const SHOWS: [&str; 19] = [
    "\\L",
    "\\CONNINFO",
    "\\X",
    "\\TIMING",
    "\\S",
    "\\Q",
    "\\C",
    "\\PSET",
    "\\T",
    ".TABLES",
    ".SCHEMA",
    ".HEADERS",
    ".MODE",
    ".DATABASES",
    ".INDEXES",
    ".DUMP",
    ".HELP",
    ".EXIT",
    ".QUIT",
];
/// Functions and tables that give secrets away.
const SECRETS: [&str; 9] = [
    "PG_READ_FILE",
    "PG_READ_BINARY_FILE",
    "LOAD_FILE",
    "LO_IMPORT",
    "READFILE",
    "PG_LS_DIR",
    "PG_SHADOW",
    "PG_AUTHID",
    "MYSQL.USER",
];
/// Functions that run programs or write files on the server.
const ESCAPES: [&str; 7] =
    ["SYS_EXEC", "SYS_EVAL", "DBLINK_EXEC", "LO_EXPORT", "LOAD_EXTENSION", "WRITEFILE", "EDIT"];

/// `SELECT` and other queries: they only read, unless something in them does more.
fn query(statement: &Statement, out: &mut Statements) -> bool {
    let to_file = statement.has_any(&["OUTFILE", "DUMPFILE"]);
    let mut reads =
        !statement.has("INTO") || statement.has("FROM") && !to_file && statement.first == "SHOW";
    if statement.has_any(&["DELETE", "UPDATE", "INSERT", "DROP"]) {
        reads = false;
        out.add(Effect::Destructive);
    }
    if to_file {
        out.add(Effect::Hijack);
    }
    for (words, effect) in [(&SECRETS[..], Effect::Secret), (&ESCAPES[..], Effect::Hijack)] {
        for _ in words.iter().filter(|word| statement.has(word)) {
            reads = false;
            out.add(effect);
        }
    }
    if statement.words().any(changes_when_selected) {
        reads = false;
        out.add(Effect::Destructive);
    }
    reads
}

/// Functions that change something although they are selected.
fn changes_when_selected(word: &str) -> bool {
    ["PG_TERMINATE", "PG_CANCEL", "PG_DROP", "PG_STAT_RESET", "LO_UNLINK"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
        || matches!(
            word,
            "PG_PROMOTE"
                | "PG_RELOAD_CONF"
                | "PG_ROTATE_LOGFILE"
                | "PG_SWITCH_WAL"
                | "PG_WAL_REPLAY_PAUSE"
                | "SETVAL"
                | "SET_CONFIG"
        )
}

fn drop_object(statement: &Statement, out: &mut Statements) {
    out.add(Effect::Destructive);
    match statement.second() {
        "DATABASE" | "SCHEMA" | "KEYSPACE" | "TABLESPACE" | "CATALOG" => {
            out.add_all(&[Effect::Wide, Effect::Critical]);
        }
        "TABLE" | "COLLECTION" | "MATERIALIZED" | "TYPE" => out.add(Effect::Wide),
        "USER" | "ROLE" => out.category = Some(Category::Identity),
        _ => {}
    }
    if statement.has("CASCADE") {
        out.add(Effect::Recursive);
    }
}

fn alter(statement: &Statement, out: &mut Statements) {
    let second = statement.second();
    if matches!(second, "USER" | "ROLE" | "LOGIN") {
        out.category = Some(Category::Identity);
        out.add(Effect::Privilege);
    } else if statement.has_any(&["DROP", "DISCARD", "TRUNCATE", "DELETE"]) {
        out.add(Effect::Destructive);
        if statement.has_any(&["TRUNCATE", "DELETE"]) {
            out.add(Effect::Wide);
        }
    } else if statement.has_any(&["DISABLE", "OWNER"]) || second == "SYSTEM" {
        out.add_all(&[Effect::Safety, Effect::High]);
    } else if statement.has("RENAME") || second == "DATABASE" {
        out.add(Effect::Safety);
    }
}

/// `SET GLOBAL`, a password, the log, read-only mode.
fn set_global(statement: &Statement, out: &mut Statements) {
    out.add(Effect::Safety);
    if statement.has("PASSWORD") {
        out.category = Some(Category::Identity);
        out.add(Effect::Persist);
    }
    if statement.words().any(|word| word.contains("LOG") || word.contains("AUDIT")) {
        out.add(Effect::Tamper);
    }
    if statement.has_any(&["READ_ONLY", "SUPER_READ_ONLY"]) {
        out.add(Effect::High);
    }
}

/// `WHERE 1=1` and its kind select everything.
fn tautology(statement: &str) -> bool {
    let compact: String = statement.to_ascii_lowercase().split_whitespace().collect();
    ["where1=1", "wheretrue", "where1", "where'1'='1'", "where1<2", "or1=1"]
        .iter()
        .any(|t| compact.ends_with(t))
}

fn strip_comments(statement: &str) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(at) = rest.find("/*") {
        out.push_str(rest.get(..at).unwrap_or(""));
        out.push(' ');
        let after = rest.get(at + 2..).unwrap_or("");
        rest = after.find("*/").and_then(|end| after.get(end + 2..)).unwrap_or("");
    }
    out.push_str(rest);
    out.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Statements) -> Vec<Effect> {
        found.effects.clone()
    }

    #[test]
    fn statements_are_told_apart() {
        assert!(sql("select * from t").reads);
        assert!(sql("SHOW TABLES; \\dt").reads);
        assert!(!sql("").reads && !sql("VACUUM").reads);
        assert!(names(&sql("drop/**/database x")).contains(&Effect::Critical));
        assert!(names(&sql("select 1; DELETE FROM t")).contains(&Effect::Wide));
        assert!(!names(&sql("delete from t where id=3")).contains(&Effect::Wide));
        assert!(names(&sql("delete from t where 1 = 1")).contains(&Effect::Wide));
        assert!(names(&sql("copy t from program 'sh'")).contains(&Effect::Hijack));
        assert!(!sql("with x as (delete from t returning *) select * from x").reads);
    }
}
