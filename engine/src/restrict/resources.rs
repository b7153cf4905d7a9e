//! The names of what lies in a cluster: `po`, `pods` and `pod/x` are one kind of thing.

use crate::subject::Heard;

/// Each kind with its other names.
const KINDS: &[(&str, &[&str])] = &[
    ("pod", &["po", "pods"]),
    ("namespace", &["ns", "namespaces"]),
    ("deployment", &["deploy", "deployments"]),
    ("service", &["svc", "services"]),
    ("configmap", &["cm", "configmaps"]),
    ("secret", &["secrets"]),
    ("node", &["no", "nodes"]),
    ("persistentvolume", &["pv", "persistentvolumes"]),
    ("persistentvolumeclaim", &["pvc", "persistentvolumeclaims"]),
    ("statefulset", &["sts", "statefulsets"]),
    ("daemonset", &["ds", "daemonsets"]),
    ("replicaset", &["rs", "replicasets"]),
    ("ingress", &["ing", "ingresses"]),
    ("job", &["jobs"]),
    ("cronjob", &["cj", "cronjobs"]),
    ("serviceaccount", &["sa", "serviceaccounts"]),
    ("networkpolicy", &["netpol", "networkpolicies"]),
    ("customresourcedefinition", &["crd", "crds", "customresourcedefinitions"]),
    ("horizontalpodautoscaler", &["hpa", "horizontalpodautoscalers"]),
    ("storageclass", &["sc", "storageclasses"]),
    ("role", &["roles"]),
    ("rolebinding", &["rolebindings"]),
    ("clusterrole", &["clusterroles"]),
    ("clusterrolebinding", &["clusterrolebindings"]),
    ("replicationcontroller", &["rc", "replicationcontrollers"]),
];

/// The full name of a kind; any other word is itself.
pub(super) fn name(word: &str) -> &str {
    let lower = word.to_ascii_lowercase();
    let bare = lower.split('.').next().unwrap_or(&lower);
    let kind = KINDS.iter().find(|(name, others)| *name == bare || others.contains(&bare));
    kind.map_or(word, |(name, _)| *name)
}

/// The words with each kind under its full name: `po/x` is `pod x`, and `deploy,po` two words.
pub(super) fn spelled_out(words: &[Heard]) -> Vec<Heard> {
    let mut out = Vec::new();
    for word in words {
        if !word.known || word.text.starts_with('-') {
            out.push(word.clone());
            continue;
        }
        let (kinds, named) = match word.text.split_once('/') {
            Some((kinds, named)) => (kinds, Some(named)),
            None => (word.text.as_str(), None),
        };
        let heard = |text: &str| Heard { text: text.to_owned(), known: true };
        out.extend(kinds.split(',').map(|kind| heard(name(kind))));
        out.extend(named.map(heard));
    }
    out
}

/// Whether a command may mean things that it does not name: `all`, a selector, a file.
pub(super) fn may_select<'w>(words: impl IntoIterator<Item = &'w Heard>) -> bool {
    words.into_iter().any(|word| {
        let option = word.text.split('=').next().unwrap_or("");
        word.text == "all"
            || matches!(
                option,
                "--all"
                    | "-A"
                    | "--all-namespaces"
                    | "-l"
                    | "--selector"
                    | "--field-selector"
                    | "-f"
                    | "--filename"
                    | "-k"
                    | "--kustomize"
                    | "--raw"
                    | "--prune"
            )
    })
}
