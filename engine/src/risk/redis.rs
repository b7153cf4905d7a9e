//! Reads Redis commands for what they do. It must never treat an unknown one as one that
//! only reads.

use crate::Category;
use crate::tables::Effect;

use super::statements::Statements;

/// Reads Redis commands, one a line.
pub(crate) fn redis(text: &str) -> Statements {
    let mut out = Statements { reads: true, ..Statements::default() };
    let mut any = false;
    for line in text.split('\n') {
        let words: Vec<String> =
            line.split_whitespace().take(8).map(str::to_ascii_uppercase).collect();
        let Some(first) = words.first() else { continue };
        any = true;
        let second = words.get(1).map_or("", String::as_str);
        let mut read = false;
        match first.as_str() {
            "FLUSHALL" | "FLUSHDB" | "SWAPDB" => {
                out.add(Effect::Destructive);
                out.add(Effect::Wide);
                if first == "FLUSHALL" {
                    out.add(Effect::Critical);
                }
            }
            "DEL" | "UNLINK" | "HDEL" | "LTRIM" | "ZREM" | "SREM" | "EXPIRE" | "XTRIM"
            | "RENAME" | "MIGRATE" | "MOVE" | "GETDEL" | "LREM" | "LPOP" | "RPOP" | "SPOP"
            | "XDEL" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "RENAMENX" | "RESTORE"
            | "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" | "ZREMRANGEBYLEX" | "ZPOPMIN" | "ZPOPMAX" => {
                out.add(Effect::Destructive);
            }
            "SENTINEL" if matches!(second, "FAILOVER" | "RESET" | "REMOVE" | "SET") => {
                out.add(Effect::Destructive);
            }
            "SLOWLOG" | "LATENCY" | "MEMORY" if matches!(second, "RESET" | "PURGE") => {
                out.add(Effect::Safety);
            }
            "SHUTDOWN" | "FAILOVER" | "RESET" => {
                out.add(Effect::Destructive);
                out.add(Effect::Wide);
            }
            "CONFIG" if second == "GET" => read = true,
            "CONFIG" => {
                out.add(Effect::Safety);
                out.add(Effect::High);
                if words.iter().any(|w| {
                    matches!(w.as_str(), "DIR" | "DBFILENAME" | "REQUIREPASS" | "PROTECTED-MODE")
                }) {
                    out.add(Effect::Hijack);
                }
            }
            "EVAL" | "EVALSHA" | "SCRIPT" | "FCALL" | "FUNCTION" | "MODULE" | "SLAVEOF"
            | "REPLICAOF" => {
                out.add(Effect::Exec);
                if matches!(first.as_str(), "MODULE" | "SLAVEOF" | "REPLICAOF") {
                    out.add(Effect::Hijack);
                }
                if second == "FLUSH" {
                    out.add(Effect::Destructive);
                }
            }
            "ACL" if !matches!(second, "LIST" | "WHOAMI" | "USERS" | "GETUSER" | "CAT") => {
                out.category = Some(Category::Identity);
                out.add(Effect::Privilege)
            }
            "CLUSTER"
                if matches!(
                    second,
                    "RESET" | "FORGET" | "FAILOVER" | "DELSLOTS" | "FLUSHSLOTS"
                ) =>
            {
                out.add(Effect::Destructive);
                out.add(Effect::Wide);
            }
            "CLIENT" if matches!(second, "KILL" | "PAUSE") => out.add(Effect::Destructive),
            "DEBUG" => out.add(Effect::Destructive),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        assert!(redis("GET a").reads && !redis("FLUSHALL").reads);
    }
}
