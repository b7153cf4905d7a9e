//! What a rule says, in words. It must never leave out a part of where a rule holds.

use expacti_engine::Rule;

/// How long a rule still holds.
pub(super) fn expiry(rule: &Rule, now_us: i64) -> String {
    match rule.expires_at {
        None => "no expiry".to_owned(),
        Some(at) if at <= now_us => "expired".to_owned(),
        Some(at) => {
            let hours = (at - now_us) / 3_600_000_000;
            if hours >= 48 { format!("{} d left", hours / 24) } else { format!("{hours} h left") }
        }
    }
}

/// Where a rule holds, not clean.
pub(super) fn scope_of(rule: &Rule) -> String {
    let scope: Vec<String> = [
        ("agent", &rule.scope.agent),
        ("target", &rule.scope.target),
        ("user", &rule.scope.user),
        ("cwd", &rule.scope.cwd),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
    .collect();
    if scope.is_empty() { "everywhere".to_owned() } else { scope.join(", ") }
}
