//! `expacti rules sign`: what is in force is shown as it differs from what was signed last, and signed.

use std::collections::BTreeMap;

use expacti_protocol::exit;
use expacti_protocol::http::RulebookView;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Place, RULES_NAMESPACE, Rulebook, SigningKey};

use super::rule::describe;
use crate::broker::Link;
use crate::failure::Failure;
use crate::print;

/// Signs the rules, policies and owners in force.
pub(super) async fn sign(
    link: &Link,
    key: Option<SigningKey>,
    yes: bool,
    json: bool,
) -> Result<(), Failure> {
    let key = key.ok_or_else(|| {
        Failure::usage(
            "sign with --key FILE, or set signing_key in the configuration: a private key file, or a .pub \
             whose key the ssh-agent has",
        )
    })?;
    let view: RulebookView = link.client.get("/v1/rulebook").await?;
    // What is signed already and says the same gets one more signature, unless that is getting old.
    let read = |text: &str| {
        Rulebook::parse(text)
            .map_err(|error| Failure::failed(format!("the broker's rules: {error}")))
    };
    let proposed = read(&view.proposed)?;
    let last = view.signed.as_ref().map(|signed| read(&signed.statement)).transpose()?;
    let changes = changes(last.as_ref(), &proposed);
    for line in &changes {
        print::note(line);
    }
    if changes.is_empty() {
        print::note("nothing has changed since it was signed last: it is signed as of now");
    }
    if !yes && !crate::ask::agreed("Sign this?")? {
        return Err(Failure::new(exit::REFUSED, "nothing was signed"));
    }
    if key.needs_touch() {
        print::note("touch your key");
    }
    let signature = key
        .sign(RULES_NAMESPACE, view.proposed.as_bytes())
        .await
        .map_err(|error| Failure::new(exit::REFUSED, format!("not signed: {error}")))?;
    let signed = SignedText { statement: view.proposed, signature };
    let view: RulebookView = link.client.post("/v1/rulebook", &signed).await?;
    if json {
        print::json(&view)?;
    } else {
        print::line(&format!(
            "signed: rules number {}, {} rules, {} policies",
            proposed.epoch,
            proposed.rules.len(),
            proposed.policies.len()
        ))?;
    }
    Ok(())
}

/// Says so where what is in force is not what people have signed.
pub(crate) async fn note_unsigned(link: &Link) {
    let view: Result<RulebookView, _> = link.client.get("/v1/rulebook").await;
    if view.is_ok_and(|view| view.signed.is_some() && !view.same) {
        print::note(
            "gates that ask for signed rules go by the old ones until somebody signs: expacti rules sign",
        );
    }
}

/// The lines of one part of a rulebook, by what they are about.
type Part = dyn Fn(&Rulebook) -> BTreeMap<String, String>;

/// What is different from what was signed last, line by line.
fn changes(last: Option<&Rulebook>, now: &Rulebook) -> Vec<String> {
    let rules = |book: &Rulebook| -> BTreeMap<String, String> {
        let line = |rule: &expacti_engine::Rule| {
            (rule.id.clone(), format!("rule {}: {}", rule.id, describe(rule)))
        };
        book.rules.iter().map(line).collect()
    };
    let policies = |book: &Rulebook| -> BTreeMap<String, String> {
        let line = |policy: &expacti_engine::Policy| {
            let text = print::safe(&serde_json::to_string(policy).unwrap_or_default());
            (policy.id.clone(), format!("policy {}: {text}", policy.id))
        };
        book.policies.iter().map(line).collect()
    };
    let agents = |book: &Rulebook| -> BTreeMap<String, String> {
        let line = |(agent, owner): (&String, &Option<String>)| {
            let owner = owner.as_deref().map_or_else(|| "nobody".to_owned(), print::safe);
            (agent.clone(), format!("agent {}: {owner} answers for it", print::safe(agent)))
        };
        book.agents.iter().map(line).collect()
    };
    let people = |book: &Rulebook| -> BTreeMap<String, String> {
        let line = |(name, role): (&String, &String)| {
            (name.clone(), format!("{}: {}", print::safe(name), print::safe(role)))
        };
        book.people.iter().map(line).collect()
    };
    let targets = |book: &Rulebook| -> BTreeMap<String, String> {
        let line = |(name, place): (&String, &Place)| {
            let (host, tags) = (print::safe(&place.host), print::safe(&place.tags.join(", ")));
            let keys: String = place.host_keys.iter().map(|key| format!(" {key}")).collect();
            (
                name.clone(),
                format!("target {}: {host}:{} {tags}{keys}", print::safe(name), place.port),
            )
        };
        book.targets.iter().map(line).collect()
    };
    let mut out = Vec::new();
    let parts: [&Part; 5] = [&rules, &policies, &agents, &people, &targets];
    for part in parts {
        let (old, new) = (last.map(part).unwrap_or_default(), part(now));
        out.extend(
            old.iter()
                .filter(|(id, line)| new.get(*id) != Some(*line))
                .map(|(_, line)| format!("- {line}")),
        );
        out.extend(
            new.iter()
                .filter(|(id, line)| old.get(*id) != Some(*line))
                .map(|(_, line)| format!("+ {line}")),
        );
    }
    // What one line does not tell has still changed.
    if out.is_empty() && last.is_some_and(|last| !last.says_the_same(now)) {
        out.push(
            "a rule or a policy has changed in a detail: see `expacti rules list --json`"
                .to_owned(),
        );
    }
    out
}
