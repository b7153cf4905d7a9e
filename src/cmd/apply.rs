//! `expacti apply`: targets, agents, policies and rules as a file says, as one change.

use std::path::Path;

use expacti_engine::{Policy, Rule};
use expacti_protocol::http::{
    Applied, Changed, PrincipalView, RuleView, Target, Wanted, WantedAgent,
};
use expacti_protocol::principal::Role;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::policy;
use crate::broker::Link;
use crate::cli::ApplyArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// What a thing of each kind may say.
const TARGET: &[&str] = &["name", "address", "host_keys", "tags", "logins"];
const AGENT: &[&str] = &["name", "key", "owner"];
const POLICY: &[&str] = &[
    "type",
    "min",
    "group",
    "role",
    "match",
    "effects",
    "target",
    "user",
    "tags",
    "min_level",
    "hours",
    "timeout_seconds",
    "escalate_after_seconds",
    "escalate_to",
];
const RULE: &[&str] = &[
    "exact", "glob", "regex", "deny", "target", "agent", "user", "cwd", "reason", "until",
    "terminal", "stdin",
];

/// Applies a file, or prints what there is in the form of one.
pub(crate) async fn run(config: &Config, args: ApplyArgs, json: bool) -> Outcome {
    // Read before anything is asked.
    let wanted = args.file.as_deref().map(read).transpose()?;
    let changes = wanted.is_some() && !args.dry_run;
    let link = Link::running_or_offline(config).await?;
    let result = match wanted {
        None => current(&link).await,
        Some(wanted) => {
            let wanted = Wanted { prune: args.prune, dry_run: args.dry_run, ..wanted };
            apply(&link, &wanted, json).await
        }
    };
    if result.is_ok() && changes {
        super::rules::note_unsigned(&link).await;
    }
    link.close().await;
    result.map(|()| 0)
}

async fn apply(link: &Link, wanted: &Wanted, json: bool) -> Result<(), Failure> {
    let answer: Changed<Applied> = link.client.post("/v1/apply", wanted).await?;
    if json {
        return Ok(print::json(&answer)?);
    }
    match answer {
        Changed::Waiting { change } => print::line(&policy::waiting(&change))?,
        Changed::Done(applied) if applied.steps.is_empty() => {
            print::note("everything is as the file says");
        }
        Changed::Done(applied) => {
            for step in &applied.steps {
                print::line(&policy::say(step))?;
            }
            for why in &applied.needs {
                print::note(&format!("would need: {}", print::safe(why)));
            }
            if !applied.may_approve.is_empty() {
                let people = print::safe(&applied.may_approve.join(", "));
                print::note(&format!("whose approval would count: {people}"));
            }
            if wanted.dry_run {
                print::note("nothing was done");
            }
        }
    }
    Ok(())
}

/// Reads a file.
fn read(path: &Path) -> Result<Wanted, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::failed(format!("failed to read {}: {e}", path.display())))?;
    parse(&text).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))
}

fn parse(text: &str) -> Result<Wanted, String> {
    let file: toml::Table = toml::from_str(text).map_err(|e| e.to_string())?;
    let mut wanted = Wanted::default();
    for (kind, things) in &file {
        match kind.as_str() {
            "target" => wanted.targets = Some(each(kind, things, target)?),
            "agent" => wanted.agents = Some(each(kind, things, agent)?),
            "policy" => wanted.policies = Some(each(kind, things, policy_of)?),
            "rule" => wanted.rules = Some(each(kind, things, rule)?),
            other => {
                return Err(format!(
                    "{other:?} is not known: write [[target]], [[agent]], [[policy]] or [[rule]]"
                ));
            }
        }
    }
    Ok(wanted)
}

/// Reads every thing of a kind.
fn each<T>(
    kind: &str,
    things: &toml::Value,
    read: impl Fn(&mut Map<String, Value>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let things =
        things.as_array().ok_or_else(|| format!("write [[{kind}]] before each of them"))?;
    let mut all = Vec::new();
    for (at, thing) in things.iter().enumerate() {
        let number = at.saturating_add(1);
        let value = serde_json::to_value(thing).map_err(|e| format!("{kind} {number}: {e}"))?;
        let Value::Object(mut fields) = value else {
            return Err(format!("{kind} {number} is no table"));
        };
        all.push(read(&mut fields).map_err(|why| format!("{kind} {number}: {why}"))?);
    }
    Ok(all)
}

/// Refuses a key that is not known, and names the nearest one.
fn check_keys(fields: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    let Some(odd) = fields.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let near = known.iter().min_by_key(|key| strsim::levenshtein(key, odd)).copied();
    Err(format!("{odd:?} is not known; is it {:?}?", near.unwrap_or_default()))
}

fn of_fields<T: DeserializeOwned>(fields: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(fields.clone())).map_err(|e| e.to_string())
}

/// Takes a text out of a table.
fn text(fields: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match fields.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{key} is a text, and not {other}")),
    }
}

fn needed(fields: &mut Map<String, Value>, key: &str) -> Result<String, String> {
    text(fields, key)?.ok_or_else(|| format!("{key} is missing"))
}

fn list(fields: &mut Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    match fields.remove(key) {
        None => Ok(Vec::new()),
        Some(value) => {
            serde_json::from_value(value).map_err(|_| format!("{key} is a list of texts"))
        }
    }
}

fn target(fields: &mut Map<String, Value>) -> Result<Target, String> {
    check_keys(fields, TARGET)?;
    let (name, address) = (needed(fields, "name")?, needed(fields, "address")?);
    let (keys, tags) = (list(fields, "host_keys")?, list(fields, "tags")?);
    let target = super::admin::target_of(name, &address, keys, tags).map_err(|e| e.to_string())?;
    Ok(Target { logins: list(fields, "logins")?, ..target })
}

fn agent(fields: &mut Map<String, Value>) -> Result<WantedAgent, String> {
    check_keys(fields, AGENT)?;
    Ok(WantedAgent {
        name: needed(fields, "name")?,
        public_key: needed(fields, "key")?,
        owner: needed(fields, "owner")?,
    })
}

fn policy_of(fields: &mut Map<String, Value>) -> Result<Policy, String> {
    check_keys(fields, POLICY)?;
    let pattern = text(fields, "match")?.unwrap_or_else(|| "*".to_owned());
    fields.insert("pattern".to_owned(), pattern.into());
    fields.insert("id".to_owned(), "".into());
    of_fields(fields)
}

fn rule(fields: &mut Map<String, Value>) -> Result<Rule, String> {
    check_keys(fields, RULE)?;
    let mut patterns = Vec::new();
    for kind in ["exact", "glob", "regex"] {
        patterns.extend(text(fields, kind)?.map(|pattern| (kind, pattern)));
    }
    let [(kind, pattern)] = patterns.as_slice() else {
        return Err("write one of exact, glob, regex".to_owned());
    };
    let deny = match fields.remove("deny") {
        None => false,
        Some(Value::Bool(deny)) => deny,
        Some(other) => return Err(format!("deny is true or false, and not {other}")),
    };
    if let Some(until) = text(fields, "until")? {
        let time: jiff::Timestamp = until
            .parse()
            .map_err(|e| format!("until {until:?}: {e}; write 2027-01-31T12:00:00Z"))?;
        fields.insert("expires_at".to_owned(), time.as_microsecond().into());
    }
    fields.insert("id".to_owned(), "".into());
    fields.insert("kind".to_owned(), (*kind).into());
    fields.insert("pattern".to_owned(), pattern.as_str().into());
    fields.insert("effect".to_owned(), if deny { "deny" } else { "allow" }.into());
    of_fields(fields)
}

/// Prints what there is, in the form of a file.
async fn current(link: &Link) -> Result<(), Failure> {
    let targets: Vec<Target> = link.client.get("/v1/targets").await?;
    let people: Vec<PrincipalView> = link.client.get("/v1/principals").await?;
    let policies: Vec<Policy> = link.client.get("/v1/policies").await?;
    let rules: Vec<RuleView> = link.client.get("/v1/rules").await?;
    let agents = people.iter().filter(|person| person.role == Role::Agent);
    let policies = policies.iter().map(policy_table).collect::<Result<Vec<_>, _>>()?;
    let rules = rules.iter().map(|view| rule_table(&view.rule)).collect::<Result<Vec<_>, _>>()?;
    let odd = rules.iter().filter(|rule| rule.is_none()).count();
    let mut file = toml::Table::new();
    for (kind, all) in [
        ("target", targets.iter().map(target_table).collect::<Vec<_>>()),
        ("agent", agents.map(agent_table).collect()),
        ("policy", policies),
        ("rule", rules.into_iter().flatten().collect()),
    ] {
        if !all.is_empty() {
            let all = all.into_iter().map(toml::Value::Table).collect();
            file.insert(kind.to_owned(), toml::Value::Array(all));
        }
    }
    let text = toml::to_string(&file).map_err(|e| Failure::failed(e.to_string()))?;
    print::line(text.trim_end())?;
    if odd > 0 {
        print::note(&format!(
            "{odd} rules for what only looks, for working in a directory, or that have ended are left \
             out; `expacti rules export` has them"
        ));
    }
    Ok(())
}

fn texts(all: &[String]) -> toml::Value {
    toml::Value::Array(all.iter().cloned().map(toml::Value::String).collect())
}

fn target_table(target: &Target) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), target.name.clone().into());
    let host = match target.host.contains(':') {
        true => format!("[{}]", target.host),
        false => target.host.clone(),
    };
    table.insert("address".to_owned(), format!("{}@{host}:{}", target.user, target.port).into());
    for (key, all) in
        [("host_keys", &target.host_keys), ("tags", &target.tags), ("logins", &target.logins)]
    {
        if !all.is_empty() {
            table.insert(key.to_owned(), texts(all));
        }
    }
    table
}

fn agent_table(agent: &PrincipalView) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), agent.name.clone().into());
    table.insert("key".to_owned(), agent.public_key.clone().unwrap_or_default().into());
    table.insert("owner".to_owned(), agent.owner.clone().unwrap_or_default().into());
    table
}

/// As the broker says it, without what is empty.
fn fields_of(value: &impl serde::Serialize) -> Result<toml::Table, Failure> {
    let value = serde_json::to_value(value).map_err(|e| Failure::failed(e.to_string()))?;
    let Value::Object(fields) = value else { return Ok(toml::Table::new()) };
    let said = fields.into_iter().filter(|(_, value)| {
        !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty())
    });
    let said: Map<String, Value> = said.collect();
    toml::Table::try_from(said).map_err(|e| Failure::failed(e.to_string()))
}

fn policy_table(policy: &Policy) -> Result<toml::Table, Failure> {
    let mut table = fields_of(policy)?;
    table.remove("id");
    if let Some(pattern) = table.remove("pattern") {
        table.insert("match".to_owned(), pattern);
    }
    Ok(table)
}

/// None for a rule of a kind that a file does not have, or that has ended.
fn rule_table(rule: &Rule) -> Result<Option<toml::Table>, Failure> {
    let mut table = fields_of(rule)?;
    let kind = table.remove("kind");
    let kind = kind.as_ref().and_then(toml::Value::as_str).unwrap_or_default();
    let until = rule.expires_at.map(jiff::Timestamp::from_microsecond);
    let until = until.transpose().map_err(|e| Failure::failed(e.to_string()))?;
    if !["exact", "glob", "regex"].contains(&kind)
        || until.is_some_and(|until| until <= jiff::Timestamp::now())
    {
        return Ok(None);
    }
    for key in ["id", "author", "created_at", "hits", "expires_at"] {
        table.remove(key);
    }
    if let Some(pattern) = table.remove("pattern") {
        table.insert(kind.to_owned(), pattern);
    }
    if table.remove("effect").as_ref().and_then(toml::Value::as_str) == Some("deny") {
        table.insert("deny".to_owned(), true.into());
    }
    if let Some(until) = until {
        table.insert("until".to_owned(), until.to_string().into());
    }
    Ok(Some(table))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[target]]
        name = "web-1"
        address = "deploy@10.0.0.5:2222"
        host_keys = ["ssh-ed25519 AAAA"]
        tags = ["production"]

        [[policy]]
        type = "quorum"
        min = 2
        group = ["alice", "bob", "carol"]
        match = "kubectl delete **"
        tags = ["production"]

        [[rule]]
        glob = "systemctl restart nginx"
        target = "web-*"
        until = "2099-01-31T12:00:00Z"

        [[rule]]
        exact = "reboot"
        deny = true
    "#;

    #[test]
    fn a_file_is_read_and_written_alike() {
        let first = parse(FILE).unwrap();
        let (targets, policies) =
            (first.targets.as_ref().unwrap(), first.policies.as_ref().unwrap());
        assert_eq!((targets[0].host.as_str(), targets[0].port), ("10.0.0.5", 2222));
        let put = |all: Vec<toml::Table>| {
            toml::Value::Array(all.into_iter().map(toml::Value::Table).collect())
        };
        let rules = first.rules.as_ref().unwrap().iter();
        let rules = rules.map(|rule| rule_table(rule).unwrap().unwrap()).collect();
        let mut file = toml::Table::new();
        file.insert("target".to_owned(), put(vec![target_table(&targets[0])]));
        file.insert("policy".to_owned(), put(vec![policy_table(&policies[0]).unwrap()]));
        file.insert("rule".to_owned(), put(rules));
        assert_eq!(parse(&toml::to_string(&file).unwrap()).unwrap(), first);
        assert!(first.agents.is_none(), "what is not named is left as it is");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("targets = 1", "\"targets\" is not known"),
            ("[target]\nname = \"x\"", "write [[target]]"),
            ("[[target]]\nname = \"x\"", "target 1: address is missing"),
            ("[[target]]\nname = \"x\"\nadress = \"a@b\"", "is it \"address\"?"),
            ("[[rule]]\nglob = \"a\"\nexact = \"b\"", "rule 1: write one of"),
            ("[[rule]]\nglob = \"a\"\nuntil = \"soon\"", "until \"soon\""),
            ("[[policy]]\ntype = \"most\"", "policy 1: "),
            ("[[agent]]\nname = \"a\"\nkey = \"k\"", "agent 1: owner is missing"),
        ];
        for (text, why) in table {
            let said = parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
