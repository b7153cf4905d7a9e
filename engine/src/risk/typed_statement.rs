//! Statements for a database that are typed where a command should be. It must never take the name of
//! a program for the beginning of one.

use super::redis::redis;
use super::sql::sql;
use super::statements::Statements;

/// Reads a line as a statement typed at a database's own prompt, if it looks like one.
pub(crate) fn read(line: &str) -> Option<Statements> {
    if !looks_like_statement(line) {
        return None;
    }
    Some(if looks_like_redis(line) { redis(line) } else { sql(line) })
}

/// Whether a line is a statement typed at a database's own prompt.
fn looks_like_statement(text: &str) -> bool {
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
        // The program of this name is written in lower case, and cuts files to a given size.
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

/// Whether a line is a command typed at the prompt of Redis. Most of its words are common, so
/// only what its manual writes in capitals, or a pair of words that no program has, counts as one.
fn looks_like_redis(text: &str) -> bool {
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
