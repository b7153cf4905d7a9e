//! `expacti rules list`, `export`.

use expacti_engine::Rule;
use expacti_protocol::http::EarlierRule;
use expacti_protocol::now_micros;

use super::rule::describe;
use crate::broker::Link;
use crate::failure::Failure;
use crate::print;

/// Prints every rule.
pub(super) async fn list(link: &Link, json: bool) -> Result<(), Failure> {
    let all: Vec<Rule> = link.client.get("/v1/rules").await?;
    if json {
        return Ok(print::json(&all)?);
    }
    if all.is_empty() {
        print::note("there are no rules: every command is reviewed");
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|r| {
            let scope: Vec<String> = [
                ("agent", &r.scope.agent),
                ("target", &r.scope.target),
                ("user", &r.scope.user),
                ("cwd", &r.scope.cwd),
            ]
            .iter()
            .filter_map(|(n, v)| v.as_ref().map(|v| format!("{n}={}", print::safe(v))))
            .collect();
            vec![
                r.id.clone(),
                r.hits.to_string(),
                r.expires_at.map_or_else(
                    || "never".to_owned(),
                    |t| print::span((t - now_micros()) / 1_000_000),
                ),
                if scope.is_empty() { "all".to_owned() } else { scope.join(" ") },
                print::safe(&r.author),
                describe(r),
            ]
        })
        .collect();
    print::table(&["ID", "HITS", "ENDS", "SCOPE", "AUTHOR", "RULE"], &rows)?;
    name_earlier(link).await
}

/// Names the rules of before that cover less now, once.
async fn name_earlier(link: &Link) -> Result<(), Failure> {
    let all: Vec<EarlierRule> = link.client.get("/v1/rules/earlier").await?;
    if all.is_empty() {
        return Ok(());
    }
    print::note(
        "a rule now covers a terminal and standard input only if it says so. Of these rules, which \
         allowed them before, give back what is needed; this is said once:",
    );
    for EarlierRule { rule, options } in &all {
        print::line(&format!("  expacti rules cover {} {options}  # {}", rule.id, describe(rule)))?;
    }
    // Whoever may not change them does not count as told.
    let told: Result<(), _> = link.client.post("/v1/rules/earlier/told", &()).await;
    drop(told);
    Ok(())
}
