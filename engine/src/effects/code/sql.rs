//! SQL that only asks.

use super::{Doubt, no};

/// Functions that compute and do nothing else.
const FUNCTIONS: &[&str] = &[
    "abs",
    "age",
    "array_agg",
    "array_length",
    "avg",
    "cast",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "count",
    "current_date",
    "current_timestamp",
    "date",
    "date_part",
    "date_trunc",
    "datetime",
    "exists",
    "extract",
    "floor",
    "format_type",
    "greatest",
    "group_concat",
    "hex",
    "ifnull",
    "in",
    "instr",
    "json_extract",
    "julianday",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "now",
    "nullif",
    "over",
    "pg_database_size",
    "pg_indexes_size",
    "pg_relation_size",
    "pg_size_pretty",
    "pg_table_size",
    "pg_total_relation_size",
    "position",
    "printf",
    "quote",
    "rank",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "rtrim",
    "sqlite_version",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "to_char",
    "total",
    "trim",
    "typeof",
    "upper",
    "values",
    "version",
    "and",
    "or",
    "not",
    "on",
    "using",
    "from",
    "where",
    "by",
    "select",
    "as",
    "any",
    "all",
    "when",
    "then",
    "else",
    "case",
    "having",
    "distinct",
    "like",
    "between",
    "union",
    "except",
    "intersect",
    "numeric",
    "varchar",
    "char",
    "decimal",
    "filter",
    "within",
    "group",
    "order",
    "limit",
    "offset",
    "current_database",
    "current_schema",
    "current_user",
    "pg_is_in_recovery",
    "pg_postmaster_start_time",
    "pragma_table_info",
];

/// SQL that only asks: one or more queries, with functions that are known.
pub(super) fn check(text: &str) -> Result<(), Doubt> {
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut first, mut last) = (0, true, String::new());
    let mut depth = 0_usize;
    while i < bytes.len() {
        match at(i) {
            b'\'' | b'"' => {
                let mark = at(i);
                i += 1;
                while at(i) != mark {
                    if i >= bytes.len() || at(i) == b'\\' {
                        return no("a text that is not read");
                    }
                    i += 1;
                }
                // A name in quotes may be a function's.
                "a name in quotes".clone_into(&mut last);
            }
            b'-' if at(i + 1) == b'-' => return no("a comment"),
            b'/' if at(i + 1) == b'*' => return no("a comment"),
            b';' => {
                first = true;
                last.clear();
            }
            b'(' => {
                depth += 1;
                if !last.is_empty() && !FUNCTIONS.contains(&last.as_str()) {
                    return Err(format!("the function {last} is not known"));
                }
                last.clear();
            }
            b')' => {
                depth = depth.saturating_sub(1);
                last.clear();
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let from = i;
                while at(i).is_ascii_alphanumeric() || matches!(at(i), b'_' | b'.') {
                    i += 1;
                }
                let word = lower.get(from..i).unwrap_or("");
                if first && !matches!(word, "select" | "show" | "explain" | "values" | "describe") {
                    return no("a statement that does not only ask");
                }
                first = false;
                if matches!(
                    word,
                    "into"
                        | "outfile"
                        | "dumpfile"
                        | "load_file"
                        | "update"
                        | "insert"
                        | "delete"
                        | "drop"
                        | "create"
                        | "alter"
                        | "grant"
                        | "revoke"
                        | "truncate"
                        | "copy"
                        | "call"
                        | "do"
                        | "execute"
                        | "set"
                        | "reset"
                        | "lock"
                        | "vacuum"
                        | "analyze"
                        | "attach"
                        | "detach"
                        | "pragma"
                        | "load_extension"
                        | "nextval"
                        | "returning"
                        | "merge"
                        | "replace"
                        | "pg_shadow"
                        | "pg_authid"
                        | "pg_user_mapping"
                        | "mysql.user"
                        // Tables of sqlite's that are files and directories.
                        | "fsdir"
                        | "zipfile"
                        | "sqlite_dbpage"
                        | "sqlite_dbdata"
                        | "sqlite_dbptr"
                        | "csv"
                        | "readfile"
                        | "writefile"
                ) && !(word == "replace" && at(i) == b'(')
                {
                    return Err(format!("`{word}`"));
                }
                last = word.to_owned();
                continue;
            }
            b' ' | b'\n' | b'\t' => {}
            c if c.is_ascii_digit() || b"*,=<>!.+-/%|:".contains(&c) => last.clear(),
            _ => return no("a character that is not read"),
        }
        i += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn sql_that_only_asks() {
        for text in [
            "select count(*) from t where a in ('x', 'y') and b like '%(x)%'",
            "SELECT max(a), \"b\" FROM t GROUP BY \"b\"; select 1",
            "explain select 1",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in [
            "select writefile('f', 'x')",
            "select \"writefile\"('f', 'x')",
            "select 'writefile'('f', 'x')",
            "select data from fsdir where path = '/etc'",
            "select load_extension('x')",
            "select 1;\n.shell id",
            "select * from t; drop table t",
            "with x as (select 1) delete from t",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
