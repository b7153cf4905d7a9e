//! Reads SQL and what database shells add to it. It must never take an unknown statement for one that
//! reads.

use crate::Category;
use crate::tables::Effect;

use super::statements::Statements;

/// Reads SQL text.
pub(crate) fn sql(text: &str) -> Statements {
    let mut out = Statements { reads: true, ..Statements::default() };
    let mut any = false;
    let mut offset = 0;
    for statement in text.split(';') {
        let start = offset;
        offset += statement.len() + 1;
        let clean = strip_comments(statement);
        let words: Vec<String> = clean
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\\' | '!' | '.' | '*')))
            .filter(|word| !word.is_empty())
            .take(400)
            .map(str::to_ascii_uppercase)
            .collect();
        let Some(first) = words.first() else { continue };
        any = true;
        let span = (start, (start + statement.len()).min(text.len()));
        let second = words.get(1).map_or("", String::as_str);
        let has = |word: &str| words.iter().any(|w| w == word);
        let mut read = false;
        match first.as_str() {
            "SELECT" | "WITH" | "SHOW" | "EXPLAIN" | "DESCRIBE" | "DESC" | "VALUES" | "TABLE"
            | "USE" | "ANALYZE" | "PRAGMA" | "HELP" | "STATUS" => {
                read = !has("INTO")
                    || has("FROM") && !has("OUTFILE") && !has("DUMPFILE") && first == "SHOW";
                if has("DELETE") || has("UPDATE") || has("INSERT") || has("DROP") {
                    read = false;
                    out.add(Effect::Destructive, span);
                }
                if has("OUTFILE") || has("DUMPFILE") {
                    out.add(Effect::Hijack, span);
                }
                for word in [
                    "PG_READ_FILE",
                    "PG_READ_BINARY_FILE",
                    "LOAD_FILE",
                    "LO_IMPORT",
                    "READFILE",
                    "PG_LS_DIR",
                    "PG_SHADOW",
                    "PG_AUTHID",
                    "MYSQL.USER",
                ] {
                    if has(word) {
                        read = false;
                        out.add(Effect::Secret, span);
                    }
                }
                for word in [
                    "SYS_EXEC",
                    "SYS_EVAL",
                    "DBLINK_EXEC",
                    "LO_EXPORT",
                    "LOAD_EXTENSION",
                    "WRITEFILE",
                    "EDIT",
                ] {
                    if has(word) {
                        read = false;
                        out.add(Effect::Hijack, span);
                    }
                }
                // Functions that change something although they are selected.
                let changes = |word: &String| {
                    ["PG_TERMINATE", "PG_CANCEL", "PG_DROP", "PG_STAT_RESET", "LO_UNLINK"]
                        .iter()
                        .any(|prefix| word.starts_with(prefix))
                        || matches!(
                            word.as_str(),
                            "PG_PROMOTE"
                                | "PG_RELOAD_CONF"
                                | "PG_ROTATE_LOGFILE"
                                | "PG_SWITCH_WAL"
                                | "PG_WAL_REPLAY_PAUSE"
                                | "SETVAL"
                                | "SET_CONFIG"
                        )
                };
                if words.iter().any(changes) {
                    read = false;
                    out.add(Effect::Destructive, span);
                }
            }
            "DROP" => {
                out.add(Effect::Destructive, span);
                match second {
                    "DATABASE" | "SCHEMA" | "KEYSPACE" | "TABLESPACE" | "CATALOG" => {
                        out.add(Effect::Wide, span);
                        out.add(Effect::Critical, span);
                    }
                    "TABLE" | "COLLECTION" | "MATERIALIZED" | "TYPE" => out.add(Effect::Wide, span),
                    "USER" | "ROLE" => out.category = Some(Category::Identity),
                    _ => {}
                }
                if has("CASCADE") {
                    out.add(Effect::Recursive, span);
                }
            }
            "TRUNCATE" => {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
            }
            "DELETE" => {
                out.add(Effect::Destructive, span);
                if !has("WHERE") || tautology(&clean) {
                    out.add(Effect::Wide, span);
                }
            }
            "UPDATE" if !has("WHERE") || tautology(&clean) => {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
            }
            "ALTER" => {
                if matches!(second, "USER" | "ROLE" | "LOGIN") {
                    out.category = Some(Category::Identity);
                    out.add(Effect::Privilege, span);
                } else if has("DROP") || has("DISCARD") || has("TRUNCATE") || has("DELETE") {
                    out.add(Effect::Destructive, span);
                    if has("TRUNCATE") || has("DELETE") {
                        out.add(Effect::Wide, span);
                    }
                } else if has("DISABLE") || has("OWNER") || second == "SYSTEM" {
                    out.add(Effect::Safety, span);
                    out.add(Effect::High, span);
                } else if has("RENAME") || second == "DATABASE" {
                    out.add(Effect::Safety, span);
                }
            }
            "GRANT" | "REVOKE" | "DENY" | "REASSIGN" => {
                out.category = Some(Category::Identity);
                out.add(Effect::Privilege, span);
                if has("ALL") || has("SUPERUSER") {
                    out.add(Effect::Wide, span);
                }
            }
            "CREATE" if matches!(second, "USER" | "ROLE" | "LOGIN") => {
                out.category = Some(Category::Identity);
                out.add(Effect::Persist, span);
            }
            "CREATE"
                if has("FUNCTION")
                    || has("PROCEDURE")
                    || has("EXTENSION")
                    || has("TRIGGER")
                    || has("LANGUAGE") =>
            {
                out.add(Effect::Exec, span);
            }
            "COPY" if has("PROGRAM") => {
                out.add(Effect::Exec, span);
                out.add(Effect::Hijack, span);
            }
            "INSTALL" | "UNINSTALL" => {
                out.add(Effect::Exec, span);
                out.add(Effect::Hijack, span);
            }
            // Replication that is stopped or led elsewhere, names that programs no longer find.
            "STOP" | "CHANGE" | "RENAME" | "DETACH" | "REPLACE" | ".RESTORE" => {
                out.add(Effect::Destructive, span);
            }
            "MATCH" | "REMOVE" | "FOREACH" if has("DELETE") || has("DETACH") || has("REMOVE") => {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
            }
            ".IMPORT" | ".LOAD" | ".OUTPUT" | ".ONCE" | ".SAVE" | ".CLONE" | "\\O" | "\\G" => {
                out.add(Effect::Exec, span);
            }
            "VACUUM" if has("FULL") => out.add(Effect::Safety, span),
            "LOCK" => out.add(Effect::Safety, span),
            "KILL" | "SHUTDOWN" | "RESET" | "PURGE" | "FLUSH" => {
                out.add(Effect::Destructive, span);
                if first != "KILL" {
                    out.add(Effect::Wide, span);
                }
            }
            "DO" | "CALL" | "EXEC" | "EXECUTE" | "XP_CMDSHELL" | "LOAD" | "SOURCE" | "\\."
            | ".READ" | "\\I" | "ATTACH" => {
                out.add(Effect::Exec, span);
                if has("XP_CMDSHELL") {
                    out.add(Effect::Hijack, span);
                }
            }
            "SET"
                if has("GLOBAL")
                    || has("PASSWORD")
                    || has("SUPER_READ_ONLY")
                    || has("SQL_LOG_BIN") =>
            {
                out.add(Effect::Safety, span);
                if has("PASSWORD") {
                    out.category = Some(Category::Identity);
                    out.add(Effect::Persist, span);
                }
                if words.iter().any(|word| word.contains("LOG") || word.contains("AUDIT")) {
                    out.add(Effect::Tamper, span);
                }
                if has("READ_ONLY") || has("SUPER_READ_ONLY") {
                    out.add(Effect::High, span);
                }
            }
            "SET" | "BEGIN" | "COMMIT" | "ROLLBACK" | "START" => {}
            meta if meta.starts_with("\\!")
                || meta == "SYSTEM"
                || meta == ".SHELL"
                || meta == ".SYSTEM" =>
            {
                out.add(Effect::Exec, span);
                out.add(Effect::Hijack, span);
            }
            meta if meta.starts_with("\\D")
                || matches!(
                    meta,
                    "\\L"
                        | "\\CONNINFO"
                        | "\\X"
                        | "\\TIMING"
                        | "\\S"
                        | "\\Q"
                        | "\\C"
                        | "\\PSET"
                        | "\\T"
                        | ".TABLES"
                        | ".SCHEMA"
                        | ".HEADERS"
                        | ".MODE"
                        | ".DATABASES"
                        | ".INDEXES"
                        | ".DUMP"
                        | ".HELP"
                        | ".EXIT"
                        | ".QUIT"
                ) =>
            {
                read = true;
            }
            _ => {}
        }
        out.reads &= read;
    }
    out.reads &= any;
    out
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
        found.effects.iter().map(|(effect, _)| *effect).collect()
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
