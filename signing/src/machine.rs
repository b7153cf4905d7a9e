//! Which names are one machine: by its address, or by a host key.

use std::collections::BTreeMap;

use expacti_engine::TargetName;

use crate::rulebook::Place;

/// Where a session is, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Whereabouts<'a> {
    /// The target as the agent named it.
    pub target: &'a str,
    /// The host the gate connects to.
    pub host: &'a str,
    /// The port there.
    pub port: u16,
    /// The fingerprint of the host key that it showed.
    pub host_key: Option<&'a str>,
}

/// What else the machine of a session is called: every registered target with its address or its host key,
/// with those of what it is registered as, or with those of one that is the same machine by that.
#[must_use]
pub fn other_names(targets: &BTreeMap<String, Place>, here: &Whereabouts<'_>) -> Vec<TargetName> {
    let is_here = |place: &Place| {
        is_same_host(&place.host, here.host) && place.port == here.port
            || here.host_key.is_some_and(|key| place.host_keys.iter().any(|known| known == key))
    };
    let mut found: Vec<(&String, &Place)> = Vec::new();
    let mut left: Vec<(&String, &Place)> = targets.iter().collect();
    loop {
        let same = |(name, place): &(&String, &Place)| {
            *name == here.target
                || is_here(place)
                || found.iter().any(|(_, known)| is_same(known, place))
        };
        let (more, others): (Vec<_>, Vec<_>) = left.into_iter().partition(same);
        if more.is_empty() {
            break;
        }
        found.extend(more);
        left = others;
    }
    found.retain(|(name, _)| *name != here.target);
    let names = found.into_iter();
    names
        .map(|(name, place)| TargetName { target: name.clone(), tags: place.tags.clone() })
        .collect()
}

/// Names of hosts do not differ in capital letters, nor by the dot at their end.
fn is_same_host(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

fn is_same(one: &Place, other: &Place) -> bool {
    is_same_host(&one.host, &other.host) && one.port == other.port
        || one.host_keys.iter().any(|key| other.host_keys.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: u16, keys: &[&str]) -> Place {
        let host_keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Place { host: host.to_owned(), host_keys, port, tags: vec![format!("tag-{host}")] }
    }

    fn names(targets: &[(&str, Place)], here: &Whereabouts<'_>) -> Vec<String> {
        let targets = targets.iter().map(|(n, place)| ((*n).to_owned(), place.clone())).collect();
        let mut names: Vec<_> =
            other_names(&targets, here).into_iter().map(|name| name.target).collect();
        names.sort();
        names
    }

    #[test]
    fn a_machine_is_its_address_or_its_key() {
        let targets = [
            ("prod", place("db.example", 22, &["K1", "K2"])),
            ("alias", place("10.0.0.1", 22, &["K2"])),
            ("again", place("10.0.0.1", 22, &["K3"])),
            ("other", place("db.example", 2222, &["K4"])),
        ];
        let here = |target, host, port, host_key| Whereabouts { target, host, port, host_key };
        // By the registration of the name alone, and from there on.
        let of = |here: Whereabouts<'_>| names(&targets, &here);
        assert_eq!(of(here("alias", "10.0.0.1", 22, None)), ["again", "prod"]);
        assert_eq!(of(here("prod", "db.example", 22, None)), ["again", "alias"]);
        assert_eq!(of(here("other", "db.example", 2222, None)), Vec::<String>::new());
        // A name that nobody registered: by the address that it leads to, and by the key that it shows.
        assert_eq!(of(here("x", "DB.Example.", 22, None)), ["again", "alias", "prod"]);
        assert_eq!(of(here("x", "10.9.9.9", 22, Some("K1"))), ["again", "alias", "prod"]);
        assert_eq!(of(here("x", "10.9.9.9", 22, Some("K9"))), Vec::<String>::new());
    }
}
