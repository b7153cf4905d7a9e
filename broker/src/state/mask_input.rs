//! Masks standard input, and what tells of it, in what is shown and kept.

use expacti_protocol::command::{CommandView, ItemKind};
use expacti_protocol::digest::Digest;
use expacti_protocol::input::CommandInput;

use super::content;
use super::shown::Secrets;

/// Stands in the place of bytes that are not kept.
const NOT_KEPT: &str = "not kept: the input holds secrets";

/// Masks the standard input of a view, and what tells of it.
pub(super) fn mask(view: &mut CommandView, secrets: &Secrets) {
    let is_item = view.kind == ItemKind::Stdin;
    let item_masked = is_item && view.masked.is_some();
    let Some(input) = view.input.as_deref_mut() else { return };
    let secret = input.secret || item_masked || secrets.input().is_some();
    if let Some(came) = input.came.as_mut() {
        if came.text.is_some()
            && let Some(masked) = secrets.input()
        {
            came.text = Some(masked.to_owned());
        }
        if secret && came.kind == content::BINARY {
            came.preview = vec![NOT_KEPT.to_owned()];
        }
    }
    // An item may be told of with what came before it.
    if !secret && !is_item {
        return;
    }
    for term in &mut view.terms {
        term.why = secrets.quoted(&term.why);
    }
    for anomaly in &mut view.anomalies {
        anomaly.evidence = secrets.quoted(&anomaly.evidence);
    }
    let told = view.notes.iter_mut().chain([&mut view.rule_why]).chain(&mut view.taints);
    for text in told {
        *text = secrets.quoted(text);
    }
}

/// The same for somebody who may never see them, of a view that holds them all.
pub(super) fn mask_for_viewer(view: &mut CommandView) {
    let secret = view.input.as_deref().is_some_and(|input| input.secret);
    let item = view.kind == ItemKind::Stdin && view.masked.is_some();
    if view.kind == ItemKind::Stdin {
        // It may quote what came before, of which nothing is known here.
        view.notes.clear();
    }
    if !secret && !item {
        return;
    }
    let nothing = Digest::of(view.id.as_str().as_bytes());
    if let Some(input) = view.input.as_deref_mut() {
        hide(input, nothing);
    }
    if item {
        view.sha256 = nothing;
    }
    for term in &mut view.terms {
        NOT_KEPT.clone_into(&mut term.why);
    }
    for anomaly in &mut view.anomalies {
        NOT_KEPT.clone_into(&mut anomaly.evidence);
    }
    view.notes.clear();
}

fn hide(input: &mut CommandInput, digest: Digest) {
    if let Some(came) = input.came.as_mut() {
        came.given.sha256 = digest;
        came.text = came.text.is_some().then(|| NOT_KEPT.to_owned());
        came.preview.clear();
    }
    if let Some(approved) = input.approved.as_mut() {
        approved.sha256 = digest;
    }
}
