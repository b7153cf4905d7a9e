//! What keeps a wrapped program from going round the gate on this machine, for a person to read.

use std::path::PathBuf;

use serde::Serialize;

use crate::context::Context;
use crate::error::WrapError;
use crate::executable::{find, search_path};
use crate::line::Wanted;
use crate::wrap::WrapOptions;
use crate::{canary, line, shim_dir};

/// What holds on this machine.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Programs get namespaces of their own.
    pub isolated: bool,
    /// Why they do not, or why they count as not isolated although they do.
    pub reason: Option<String>,
    /// Not there inside: keys, agents, sockets.
    pub hidden: Vec<PathBuf>,
    /// New and empty inside.
    pub own: Vec<PathBuf>,
    /// There, and cannot be changed inside.
    pub read_only: Vec<PathBuf>,
    /// The `ssh` of the gate, or a message, is in their place.
    pub replaced: Vec<PathBuf>,
    /// Private keys in the user's files that are there inside, too.
    pub exposed: Vec<PathBuf>,
    /// How a program would get past the gate without namespaces.
    pub gaps: Vec<String>,
}

/// Looks at this machine. Nothing is started but shells that ask for the configuration of a host.
///
/// # Errors
/// When it cannot be looked at.
pub fn explain(options: &WrapOptions) -> Result<Explanation, WrapError> {
    let dir = shim_dir::create(&options.home)?;
    let context = Context {
        agent: String::new(),
        reason: None,
        program: Vec::new(),
        wrap_pid: std::process::id(),
        gate: options.home.gate_socket(),
        known_hosts: options.home.gate_known_hosts(),
        expacti: options.expacti.clone(),
        ssh: find("ssh".as_ref(), &search_path()),
        dir: dir.path().to_owned(),
        json: options.json,
    };
    context.store()?;
    let mut explanation = Explanation {
        isolated: false,
        reason: None,
        hidden: Vec::new(),
        own: Vec::new(),
        read_only: Vec::new(),
        replaced: Vec::new(),
        exposed: Vec::new(),
        gaps: canary::gaps(&context),
    };
    match options.wanted {
        Wanted::PathOnly => explanation.reason = Some("--path-only was given".to_owned()),
        Wanted::NoNamespaces => explanation.reason = Some("--no-isolate was given".to_owned()),
        Wanted::Namespaces => explanation.reason = line::obstacle(&context)?,
    }
    #[cfg(target_os = "linux")]
    if explanation.reason.is_none() {
        isolated(&mut explanation, options, &context)?;
    }
    Ok(explanation)
}

#[cfg(target_os = "linux")]
fn isolated(
    explanation: &mut Explanation,
    options: &WrapOptions,
    context: &Context,
) -> Result<(), WrapError> {
    use crate::isolate::plan::Step;
    let isolate = crate::wrap::prepare_isolation(options, context, context.expacti.as_path())?;
    let open = line::open_abstract_sockets();
    explanation.isolated = open.is_empty();
    if !open.is_empty() {
        explanation.reason = Some(format!(
            "abstract sockets can be reached: @{} (Linux 6.12 keeps them out)",
            expacti_protocol::one_line(&open.join(", @"))
        ));
    }
    let nothing = context.dir.join(crate::isolate::plan::NOTHING);
    for step in &isolate.plan.steps {
        let at = step.at().to_owned();
        if at.starts_with(&context.dir) {
            continue;
        }
        match step {
            Step::Directory { read_only: true, .. } => explanation.hidden.push(at),
            Step::Bind { from, .. } if *from == nothing => explanation.hidden.push(at),
            Step::Bind { from, .. } if from.starts_with(&context.dir) => {
                explanation.replaced.push(at);
            }
            Step::Overlay { with, .. } => {
                let names = std::fs::read_dir(with).into_iter().flatten().flatten();
                explanation.replaced.extend(names.map(|entry| at.join(entry.file_name())));
            }
            Step::Bind { from, read_only: true, .. } if *from == at => {
                explanation.read_only.push(at);
            }
            Step::ReadOnly { .. } => explanation.read_only.push(at),
            Step::Directory { .. } | Step::Processes { .. } | Step::Terminals { .. } => {
                explanation.own.push(at);
            }
            Step::Bind { from, .. } if *from != at => explanation.own.push(at),
            // Held fast in its place, and otherwise as it is.
            Step::Bind { .. } => {}
        }
    }
    let homes = crate::isolate::prepare::homes();
    explanation.exposed = crate::isolate::exposed::keys(&homes, &explanation.hidden);
    Ok(())
}
