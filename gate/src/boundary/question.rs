//! The one question that the gate asks an account by itself: which shell reads the commands of `exec`
//! requests. It is asked as one more `exec` request, for nothing else is read by that shell. Its text
//! is a constant; nothing of an agent's is near it.

use std::time::Duration;

use bytes::Bytes;

use super::channel::{TargetChannel, TargetLost};
use super::reader::{Ended, Exit, TargetEvent, TargetReader};

/// The question. It changes nothing, and a shell that is not of the Bourne family finds no command in
/// it. bash and zsh are told by what only they have (`BASH_VERSINFO` is an array, which no environment
/// can hold; `emulate` says `zsh`) and say how they are set to read; of any other shell, Linux says
/// which program it is.
pub(crate) const WHICH_SHELL: &str = concat!(
    r#"if test "${BASH_VERSION-}"; then "#,
    r#"eval 'set -- bash "${BASH_VERSINFO[0]}" "$SHELLOPTS" "$BASHOPTS"'; "#,
    r#"elif test "${ZSH_VERSION-}"; then "#,
    r#"eval 'set -- $(emulate) ${#galiases} ${#saliases} $(setopt)'; "#,
    r#"else set -- sh "${HUSH_VERSION-}" "$-"; fi; "#,
    r#"printf 'expacti-shell/1 %s %s\n' "$*" "$(readlink /proc/$$/exe)""#,
);

/// The longest answer, in bytes.
const LONGEST: usize = 1024;

/// How long the target may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Why there is no answer that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection broke, or the target closed the channel without a status.
    Lost,
    /// Something was written to standard error.
    Noise,
    /// The target refused.
    Refused,
    /// The status was not 0.
    Status,
    /// More than an answer came.
    TooLong,
    /// Nothing came in time.
    TooLate,
}

impl NoAnswer {
    /// In words, for the recording.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "the target closed the channel",
            Self::Noise => "there was something on standard error",
            Self::Refused => "the target refused to run it",
            Self::Status => "it failed there",
            Self::TooLong => "the answer was too long",
            Self::TooLate => "no answer in time",
        }
    }
}

impl TargetChannel {
    /// Asks, and returns all that came on standard output, if nothing else did. The channel is closed
    /// in any case.
    pub(crate) async fn which_shell(self) -> Result<Vec<u8>, NoAnswer> {
        let Self { reader, half } = self;
        let mut reader = TargetReader::new(reader, false);
        let asking = async {
            half.exec(true, WHICH_SHELL).await?;
            half.eof().await?;
            Ok::<_, TargetLost>(heard(&mut reader).await)
        };
        let answer = match tokio::time::timeout(ANSWER, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(TargetLost)) => Err(NoAnswer::Lost),
            Err(_) => Err(NoAnswer::TooLate),
        };
        half.close().await.ok();
        answer
    }
}

async fn heard(reader: &mut TargetReader) -> Result<Vec<u8>, NoAnswer> {
    let mut answer = Vec::new();
    loop {
        match reader.next().await {
            TargetEvent::Stdout(bytes) => add(&mut answer, &bytes)?,
            TargetEvent::Stderr(_) => return Err(NoAnswer::Noise),
            TargetEvent::NoTerminal | TargetEvent::Ended(Ended::Refused) => {
                return Err(NoAnswer::Refused);
            }
            TargetEvent::Ended(Ended::Exited(Exit::Status(0))) => return Ok(answer),
            TargetEvent::Ended(Ended::Exited(_)) => return Err(NoAnswer::Status),
            TargetEvent::Ended(Ended::Closed | Ended::Lost) => return Err(NoAnswer::Lost),
        }
    }
}

fn add(answer: &mut Vec<u8>, bytes: &Bytes) -> Result<(), NoAnswer> {
    if answer.len() + bytes.len() > LONGEST {
        return Err(NoAnswer::TooLong);
    }
    answer.extend_from_slice(bytes);
    Ok(())
}
