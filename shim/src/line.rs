//! What keeps a program from going round the gate on this machine: namespaces; where there are none, its
//! `PATH` and the user's ssh configuration; or nothing that holds, and then it does not start.

use expacti_protocol::uplink::Isolation;

use crate::canary;
use crate::context::Context;
use crate::error::WrapError;
use crate::notice;

/// What is to keep the program from going round the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Namespaces of its own.
    #[default]
    Namespaces,
    /// No namespaces (`--no-isolate`): only where no launcher would get past.
    NoNamespaces,
    /// Only its `PATH` and its environment (`--path-only`).
    PathOnly,
}

/// The line that holds for one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// It gets namespaces of its own.
    pub(crate) namespaces: bool,
    /// What reviewers are told.
    pub(crate) isolation: Isolation,
}

const PATH_ONLY: Line = Line { namespaces: false, isolation: Isolation::PathOnly };

/// Chooses the line for a program.
///
/// # Errors
/// Without namespaces, when a launcher would get past.
pub(crate) fn choose(
    is_program: bool,
    wanted: Wanted,
    context: &Context,
) -> Result<Line, WrapError> {
    if !is_program {
        return Ok(Line { namespaces: false, isolation: Isolation::Client });
    }
    let reason = match wanted {
        Wanted::PathOnly => return Ok(PATH_ONLY),
        Wanted::NoNamespaces => None,
        Wanted::Namespaces => match obstacle(context)? {
            None => return Ok(namespaces()),
            Some(reason) => Some(reason),
        },
    };
    // The shims must be there to be found; they are written again if need be.
    context.store()?;
    let gaps = canary::gaps(context);
    if gaps.is_empty() {
        if let Some(reason) = reason {
            notice::print(&format!(
                "the program is not isolated, which every reviewer sees: {reason}"
            ));
        }
        return Ok(PATH_ONLY);
    }
    Err(WrapError::NotHeld { reason, gaps: gaps.join(", ") })
}

/// Namespaces, and whether they are enough: an abstract socket has no path that could be covered.
#[cfg(target_os = "linux")]
fn namespaces() -> Line {
    let open = open_abstract_sockets();
    if open.is_empty() {
        return Line { namespaces: true, isolation: Isolation::Namespace };
    }
    notice::print(&format!(
        "the program can reach abstract sockets, and counts as not isolated: @{} (Linux 6.12 keeps \
         them out)",
        expacti_protocol::one_line(&open.join(", @"))
    ));
    Line { namespaces: true, isolation: Isolation::PathOnly }
}

/// The abstract sockets that a program in namespaces of its own could reach.
#[cfg(target_os = "linux")]
pub(crate) fn open_abstract_sockets() -> Vec<String> {
    if crate::isolate::lockdown::has_scopes() {
        return Vec::new();
    }
    match std::fs::read("/proc/net/unix") {
        Ok(text) => crate::isolate::sockets::abstract_names(&text).into_iter().collect(),
        Err(e) => vec![format!("(/proc/net/unix cannot be read: {e})")],
    }
}

#[cfg(not(target_os = "linux"))]
fn namespaces() -> Line {
    PATH_ONLY
}

/// Why there are no namespaces; `None` when there are.
#[cfg(target_os = "linux")]
pub(crate) fn obstacle(context: &Context) -> Result<Option<String>, WrapError> {
    crate::isolate::probe::obstacle(&context.expacti)
}

/// Why there are no namespaces.
#[cfg(not(target_os = "linux"))]
pub(crate) fn obstacle(_context: &Context) -> Result<Option<String>, WrapError> {
    Ok(Some("this system has no user namespaces".to_owned()))
}
