//! Reads SQL, Redis and MongoDB statements for what they do. It must never take an unknown statement
//! for a reading one.

use crate::Category;
use crate::tables::Effect;

/// An effect and where in the text it is.
pub(crate) type Found = (Effect, (usize, usize));

/// What statements do, and a category where it differs.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) effects: Vec<Found>,
    pub(crate) category: Option<Category>,
    /// Every statement only reads.
    pub(crate) reads: bool,
}

impl Statements {
    fn add(&mut self, effect: Effect, at: (usize, usize)) {
        self.effects.push((effect, at));
    }
}

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

/// Whether a line is a statement typed at a database's own prompt.
pub(crate) fn looks_like_statement(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().take(8).map(str::to_ascii_lowercase).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let object = matches!(
        word(1).trim_end_matches(';'),
        "table"
            | "database"
            | "schema"
            | "index"
            | "view"
            | "role"
            | "user"
            | "column"
            | "function"
            | "sequence"
            | "trigger"
            | "extension"
            | "type"
            | "keyspace"
            | "tablespace"
            | "procedure"
            | "materialized"
            | "collection"
            | "policy"
            | "domain"
            | "owned"
            | "event"
            | "constraint"
            | "publication"
            | "subscription"
            | "server"
            | "warehouse"
            | "measurement"
            | "series"
            | "retention"
            | "shard"
            | "bucket"
            | "dictionary"
            | "login"
            | "foreign"
            | "unique"
    );
    match word(0) {
        "drop" | "alter" | "create" => object,
        // The program is written small, and cuts files to the size it is given.
        "truncate" => word(1) == "table" || text.starts_with("TRUNCATE "),
        "rename" => matches!(word(1), "table" | "user"),
        "purge" => matches!(word(1), "binary" | "master"),
        "reset" => matches!(word(1), "master" | "slave" | "replica"),
        "stop" => matches!(word(1), "slave" | "replica" | "group_replication"),
        "flush" => matches!(word(1), "privileges" | "tables" | "logs" | "hosts"),
        "copy" => words.iter().any(|word| word == "program"),
        "delete" => word(1) == "from",
        "insert" => word(1) == "into",
        "update" => words.iter().any(|word| word == "set"),
        "grant" | "revoke" => {
            words.iter().any(|word| word == "on" || word == "to" || word == "from")
        }
        _ => looks_like_redis(text),
    }
}

/// Whether a line is a command typed at the prompt of Redis. Most of its words are common ones, so
/// that only what its manual writes in capitals, or a pair no program has, is taken for one.
pub(crate) fn looks_like_redis(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or("");
    let second = words.next().unwrap_or("").to_ascii_lowercase();
    let lower = first.to_ascii_lowercase();
    match lower.as_str() {
        "flushall" | "flushdb" => words.next().is_none(),
        "config" => matches!(second.as_str(), "set" | "resetstat" | "rewrite"),
        "debug" => matches!(second.as_str(), "segfault" | "sleep" | "reload" | "loadaof" | "panic"),
        "script" => first == "SCRIPT" && matches!(second.as_str(), "flush" | "kill"),
        "cluster" => matches!(second.as_str(), "reset" | "failover" | "forget" | "flushslots"),
        "client" => matches!(second.as_str(), "kill" | "pause"),
        "acl" => matches!(second.as_str(), "setuser" | "deluser" | "load" | "save"),
        "shutdown" => first == "SHUTDOWN" && matches!(second.as_str(), "" | "save" | "nosave"),
        "slaveof" | "replicaof" | "swapdb" | "bgrewriteaof" | "unlink" | "del" | "module"
        | "function" | "failover" | "migrate" => first.bytes().all(|b| b.is_ascii_uppercase()),
        _ => false,
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

/// Reads Redis commands, one a line.
pub(crate) fn redis(text: &str) -> Statements {
    let mut out = Statements { reads: true, ..Statements::default() };
    let mut offset = 0;
    let mut any = false;
    for line in text.split('\n') {
        let span = (offset, offset + line.len());
        offset += line.len() + 1;
        let words: Vec<String> =
            line.split_whitespace().take(8).map(str::to_ascii_uppercase).collect();
        let Some(first) = words.first() else { continue };
        any = true;
        let second = words.get(1).map_or("", String::as_str);
        let mut read = false;
        match first.as_str() {
            "FLUSHALL" | "FLUSHDB" | "SWAPDB" => {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
                if first == "FLUSHALL" {
                    out.add(Effect::Critical, span);
                }
            }
            "DEL" | "UNLINK" | "HDEL" | "LTRIM" | "ZREM" | "SREM" | "EXPIRE" | "XTRIM"
            | "RENAME" | "MIGRATE" | "MOVE" | "GETDEL" | "LREM" | "LPOP" | "RPOP" | "SPOP"
            | "XDEL" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "RENAMENX" | "RESTORE"
            | "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" | "ZREMRANGEBYLEX" | "ZPOPMIN" | "ZPOPMAX" => {
                out.add(Effect::Destructive, span);
            }
            "SENTINEL" if matches!(second, "FAILOVER" | "RESET" | "REMOVE" | "SET") => {
                out.add(Effect::Destructive, span);
            }
            "SLOWLOG" | "LATENCY" | "MEMORY" if matches!(second, "RESET" | "PURGE") => {
                out.add(Effect::Safety, span);
            }
            "SHUTDOWN" | "FAILOVER" | "RESET" => {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
            }
            "CONFIG" if second == "GET" => read = true,
            "CONFIG" => {
                out.add(Effect::Safety, span);
                out.add(Effect::High, span);
                if words.iter().any(|w| {
                    matches!(w.as_str(), "DIR" | "DBFILENAME" | "REQUIREPASS" | "PROTECTED-MODE")
                }) {
                    out.add(Effect::Hijack, span);
                }
            }
            "EVAL" | "EVALSHA" | "SCRIPT" | "FCALL" | "FUNCTION" | "MODULE" | "SLAVEOF"
            | "REPLICAOF" => {
                out.add(Effect::Exec, span);
                if matches!(first.as_str(), "MODULE" | "SLAVEOF" | "REPLICAOF") {
                    out.add(Effect::Hijack, span);
                }
                if second == "FLUSH" {
                    out.add(Effect::Destructive, span);
                }
            }
            "ACL" if !matches!(second, "LIST" | "WHOAMI" | "USERS" | "GETUSER" | "CAT") => {
                out.category = Some(Category::Identity);
                out.add(Effect::Privilege, span)
            }
            "CLUSTER"
                if matches!(
                    second,
                    "RESET" | "FORGET" | "FAILOVER" | "DELSLOTS" | "FLUSHSLOTS"
                ) =>
            {
                out.add(Effect::Destructive, span);
                out.add(Effect::Wide, span);
            }
            "CLIENT" if matches!(second, "KILL" | "PAUSE") => out.add(Effect::Destructive, span),
            "DEBUG" => out.add(Effect::Destructive, span),
            "GET" | "MGET" | "KEYS" | "SCAN" | "INFO" | "PING" | "TTL" | "PTTL" | "TYPE"
            | "EXISTS" | "HGET" | "HGETALL" | "HKEYS" | "LRANGE" | "LLEN" | "SMEMBERS"
            | "SCARD" | "ZRANGE" | "ZCARD" | "DBSIZE" | "CLIENT" | "CLUSTER" | "MONITOR"
            | "SLOWLOG" | "MEMORY" | "TIME" | "ECHO" | "COMMAND" | "STRLEN" | "ROLE" | "XRANGE"
            | "XLEN" | "XINFO" | "LASTSAVE" | "ACL" | "RANDOMKEY" | "OBJECT" => {
                read = true;
            }
            _ => {}
        }
        out.reads &= read;
    }
    out.reads &= any;
    out
}

/// Reads JavaScript for the MongoDB shell.
pub(crate) fn mongo(text: &str) -> Statements {
    let mut out = Statements::default();
    let compact: String = text.split_whitespace().collect();
    let lower = compact.to_ascii_lowercase();
    let at = (0, text.len());
    let has = |needle: &str| compact.contains(needle);
    if lower.contains("dropdatabase") {
        out.add(Effect::Destructive, at);
        out.add(Effect::Wide, at);
        out.add(Effect::Critical, at);
    }
    if has(".drop(") || has("deleteMany({})") || has("remove({})") || has("dropIndexes(") {
        out.add(Effect::Destructive, at);
        out.add(Effect::Wide, at);
    }
    // Also as a field of a command: `{drop: "x"}`, `{delete: "x"}`.
    if lower.contains("delete")
        || has("remove(")
        || has("removeShard")
        || lower.contains("drop")
        || has("replaceOne")
        || has("renameCollection")
        || has("$unset")
        || has("rs.remove(")
    {
        out.add(Effect::Destructive, at);
    }
    if has("updateMany({}") || has("update({}") {
        out.add(Effect::Destructive, at);
        out.add(Effect::Wide, at);
    }
    if has("shutdownServer")
        || has("fsyncLock")
        || has("replSetStepDown")
        || has("rs.stepDown")
        || has("killOp")
        || has("rs.reconfig")
        || has("replSetReconfig")
        || has("shutdown:")
        || has("\"shutdown\"")
        || has("moveChunk")
        || has("stopBalancer")
    {
        out.add(Effect::Destructive, at);
    }
    if has("createUser") || has("grantRoles") || has("updateUser") || has("changeUserPassword") {
        out.category = Some(Category::Identity);
        out.add(Effect::Persist, at);
    }
    if has("child_process") || has("require(") || has("runProgram") || has("load(") {
        out.add(Effect::Exec, at);
    }
    let read = [
        "find(",
        "findOne(",
        "count",
        "show",
        "stats(",
        "getCollectionNames",
        "aggregate(",
        "serverStatus",
        "rs.status",
        "listCollections",
        "getIndexes",
        "distinct(",
        "version(",
    ];
    out.reads = out.effects.is_empty()
        && !has("insert")
        && !has("update")
        && !has("$out")
        && !has("$merge")
        && read.iter().any(|verb| has(verb));
    out
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
        assert!(redis("GET a").reads && !redis("FLUSHALL").reads);
        assert!(mongo("db.x.find({})").reads && !mongo("db.dropDatabase()").reads);
    }
}
