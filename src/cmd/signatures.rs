//! What the settings of a gate ask for of every command.

use expacti_signing::Settings;

/// What is asked for before something is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    /// Nothing, or not for everything.
    NotForAll,
    /// A signature for everything.
    ForAll,
    /// By a key that is touched.
    Touched,
}

/// What settings of a gate ask for of every command.
pub(super) fn asked_for(text: &str) -> Signatures {
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut approval =
        table.get("approval").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    if approval.remove("signers").is_none() {
        return Signatures::NotForAll;
    }
    approval.remove("revoked");
    let Ok(settings) = toml::Value::Table(approval.clone()).try_into::<Settings>() else {
        return Signatures::NotForAll;
    };
    drop(settings);
    let requirements = approval.get("require").and_then(toml::Value::as_array);
    let for_all = |require: &&toml::Value| {
        let limits = ["level", "targets", "tags", "users", "effects"];
        require.as_table().is_some_and(|r| limits.iter().all(|limit| !r.contains_key(*limit)))
    };
    let touched = |require: &toml::Value| {
        let says = |key| require.get(key).and_then(toml::Value::as_bool) == Some(true);
        says("touch") || says("verify")
    };
    let for_all: Vec<_> = requirements.into_iter().flatten().filter(for_all).collect();
    if for_all.is_empty() {
        Signatures::NotForAll
    } else if for_all.into_iter().any(touched) {
        Signatures::Touched
    } else {
        Signatures::ForAll
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_every_command() {
        let ask = |rest: &str| asked_for(&format!("[approval]\nsigners = 's'\n{rest}"));
        let require = "[[approval.require]]\n";
        assert_eq!(asked_for(""), Signatures::NotForAll);
        assert_eq!(
            asked_for("[approval]\n[[approval.require]]\nsignatures = 1"),
            Signatures::NotForAll
        );
        assert_eq!(ask(""), Signatures::NotForAll);
        assert_eq!(ask(&format!("{require}signatures = 1")), Signatures::ForAll);
        assert_eq!(ask(&format!("{require}signatures = 1\nlevel = 'HIGH'")), Signatures::NotForAll);
        assert_eq!(
            ask(&format!("{require}touch = true\ntargets = ['web']")),
            Signatures::NotForAll
        );
        assert_eq!(ask(&format!("{require}touch = true")), Signatures::Touched);
        let both = format!("{require}signatures = 1\n{require}level = 'HIGH'\ntouch = true");
        assert_eq!(ask(&both), Signatures::ForAll);
        assert_eq!(ask(&format!("{require}nonsense = 1")), Signatures::NotForAll);
    }
}
