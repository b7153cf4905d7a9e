//! `expacti wrap --explain`, and the part of `doctor` that says the same.

use std::path::Path;

use expacti_shim::{Explanation, WrapOptions};

use crate::failure::{Failure, Outcome};
use crate::print;

/// Prints what holds on this machine.
pub(super) fn run(options: &WrapOptions, json: bool) -> Outcome {
    let explanation =
        expacti_shim::explain(options).map_err(|e| Failure::new(e.exit_status(), e.to_string()))?;
    if json {
        print::json(&explanation)?;
        return Ok(0);
    }
    print::line(&headline(&explanation))?;
    for (name, paths) in [
        ("hidden", &explanation.hidden),
        ("replaced", &explanation.replaced),
        ("read-only", &explanation.read_only),
        ("its own", &explanation.own),
        ("not hidden", &explanation.exposed),
    ] {
        table(name, &paths.iter().map(|path| shown(path)).collect::<Vec<_>>())?;
    }
    if !explanation.gaps.is_empty() {
        let gaps: Vec<String> = explanation.gaps.iter().map(|gap| print::safe(gap)).collect();
        table("without it", &gaps)?;
    }
    print::line(
        "\nA wrapped program still reaches the network and this machine's loopback addresses, copies of \
         keys\nthat lie elsewhere in your files, and whatever you start later that it has changed \
         (SECURITY.md).",
    )?;
    Ok(0)
}

/// What holds, in one line.
pub(super) fn headline(explanation: &Explanation) -> String {
    let reason = explanation.reason.as_deref().map(print::safe);
    match (explanation.isolated, reason) {
        (true, _) => {
            "Wrapped programs are isolated: inside there is no ssh but the gate's, and your keys in \
             ~/.ssh and in your ssh configuration, agents and other terminals are out of reach."
                .to_owned()
        }
        (false, Some(reason)) if explanation.gaps.is_empty() => format!(
            "Wrapped programs are not isolated: {reason}.\nEvery way of starting ssh that was tried \
             leads to the gate, but a program that means to can go round it."
        ),
        (false, reason) => format!(
            "Wrapped programs are not isolated: {}.\nThey do not start, unless --path-only accepts \
             that they can go round the gate.",
            reason.unwrap_or_else(|| "it was not asked for".to_owned())
        ),
    }
}

fn shown(path: &Path) -> String {
    print::safe(&path.display().to_string())
}

fn table(name: &str, values: &[String]) -> std::io::Result<()> {
    for (number, value) in values.iter().enumerate() {
        print::line(&format!("  {:<11} {value}", if number == 0 { name } else { "" }))?;
    }
    Ok(())
}
