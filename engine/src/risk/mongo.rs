//! Reads JavaScript for the MongoDB shell. It must never treat an unknown call as one that
//! only reads.

use crate::Category;
use crate::tables::Effect;

use super::statements::Statements;

/// Reads JavaScript for the MongoDB shell.
pub(crate) fn mongo(text: &str) -> Statements {
    let mut out = Statements::default();
    let compact: String = text.split_whitespace().collect();
    let lower = compact.to_ascii_lowercase();
    let has = |needle: &str| compact.contains(needle);
    if lower.contains("dropdatabase") {
        out.add(Effect::Destructive);
        out.add(Effect::Wide);
        out.add(Effect::Critical);
    }
    if has(".drop(") || has("deleteMany({})") || has("remove({})") || has("dropIndexes(") {
        out.add(Effect::Destructive);
        out.add(Effect::Wide);
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
        out.add(Effect::Destructive);
    }
    if has("updateMany({}") || has("update({}") {
        out.add(Effect::Destructive);
        out.add(Effect::Wide);
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
        out.add(Effect::Destructive);
    }
    if has("createUser") || has("grantRoles") || has("updateUser") || has("changeUserPassword") {
        out.category = Some(Category::Identity);
        out.add(Effect::Persist);
    }
    if has("child_process") || has("require(") || has("runProgram") || has("load(") {
        out.add(Effect::Exec);
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

    #[test]
    fn calls_are_told_apart() {
        assert!(mongo("db.x.find({})").reads && !mongo("db.dropDatabase()").reads);
    }
}
