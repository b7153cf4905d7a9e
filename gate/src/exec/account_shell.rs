//! Finds out which shell reads a command, before it is submitted: by what is known already, or by
//! asking the target. It delays a command by a bounded moment at most, and whatever goes wrong means
//! that the shell is not known.

use std::time::Duration;

use expacti_protocol::shell::PosixShell;

use crate::boundary::TargetChannel;
use crate::broker::event::OpenSession;
use crate::client::channel::{Channel, unless_gone};
use crate::client::end::Stopped;
use crate::upstream::account_shell::read_answer;
use crate::upstream::pool::Lease;
use crate::upstream::shells::{Asking, Known, Shells, answered};

/// How long a command waits for the answer. A target on the same continent answers in a tenth of it;
/// an answer that comes later is for the next command.
const WAIT: Duration = Duration::from_millis(700);

/// The shell that reads the commands of this account, where it is known or can be found out. A target
/// is asked only about a command to which it matters, and with the broker's consent.
pub(crate) async fn account_shell(
    channel: &Channel,
    session: &OpenSession,
    lease: &Lease,
    command: &[u8],
) -> Result<Option<PosixShell>, Stopped> {
    let Some(shells) = &channel.connection.shared.shells else { return Ok(None) };
    let finding = async {
        if let Some(answer) = shells.asked(lease.account()) {
            return answered(answer).await;
        }
        let matters = session.ask_shell
            && channel.terminal.is_none()
            && !expacti_engine::means_the_same_everywhere(command);
        if matters { ask(channel, shells, session, lease, command).await } else { None }
    };
    let found = tokio::time::timeout(WAIT, finding);
    Ok(unless_gone(&channel.gone, found).await?.ok().flatten())
}

async fn ask(
    channel: &Channel,
    shells: &Shells,
    session: &OpenSession,
    lease: &Lease,
    command: &[u8],
) -> Option<PosixShell> {
    let shared = &channel.connection.shared;
    if !shared.link.may_ask_shell(session, command).await {
        return None;
    }
    let asking = match shells.ask(lease.account()) {
        Known::Asked(answer) => return answered(answer).await,
        Known::Ask(asking) => asking,
    };
    let answer = asking.result();
    // The command's own channel is open already: a target that allows only one refuses this one.
    let side = lease.side_channel().await?;
    let (link, session) = (shared.link.clone(), session.clone());
    shared.tasks.spawn(async move {
        let label = put(side, asking).await;
        link.marker(&session, label).await;
    });
    answered(answer).await
}

/// Puts the question to the target. Returns what the recording says of it.
async fn put(side: TargetChannel, asking: Asking) -> String {
    let (shell, heard) = match side.which_shell().await {
        Ok(answer) => match read_answer(&answer) {
            Some(shell) => (Some(shell), shell.as_str()),
            None => (None, "the answer is none of a shell that is read here"),
        },
        Err(why) => {
            tracing::debug!(why = why.as_str(), "the account's shell is not known");
            (None, why.as_str())
        }
    };
    asking.answer(shell);
    match shell {
        Some(_) => format!("the gate asked for the account's shell: {heard}"),
        None => format!("the gate asked for the account's shell: not known ({heard})"),
    }
}
