//! Reads the payload of one marker. It must never fail on what a target sends: a payload without
//! meaning is ignored.

use super::event::{Check, Hello};
use super::probe::valid_tty;

/// What a marker says. The letters are those of OSC 133, and some of our own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// `K`: the answer to the check key.
    Check(Check),
    /// `D` from the shell's hook, `d` from the prompt itself where no hook could be installed: the
    /// last command has ended.
    CommandEnd { status: Option<u32>, hook_ran: bool },
    /// `C`: the shell begins to run a command.
    CommandStart,
    /// `Q`: the prompt of a further line has been printed.
    ContinuationEnd,
    /// `P`: the prompt of a further line (PS2) begins.
    ContinuationStart,
    /// `W` percent-encoded, `w` as it is: the shell's directory.
    Directory(String),
    /// `H`: the shell was provisioned.
    Hello(Hello),
    /// `U`: this shell cannot mark its prompts.
    NoPromptMarkers,
    /// `B`: the prompt has been printed.
    PromptEnd,
    /// `A`: the prompt begins.
    PromptStart,
}

impl Marker {
    /// Reads what follows the nonce: a letter, and fields after a semicolon.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let (kind, fields) = match payload {
            [kind, b';', fields @ ..] => (*kind, fields),
            [kind] => (*kind, [].as_slice()),
            _ => return None,
        };
        Some(match kind {
            b'A' => Self::PromptStart,
            b'B' => Self::PromptEnd,
            b'C' => Self::CommandStart,
            b'D' | b'd' => {
                Self::CommandEnd { status: text(fields).parse().ok(), hook_ran: kind == b'D' }
            }
            b'H' => Self::Hello(hello(fields)),
            b'K' => Self::Check(check(fields)?),
            b'P' => Self::ContinuationStart,
            b'Q' => Self::ContinuationEnd,
            b'U' => Self::NoPromptMarkers,
            b'W' => Self::Directory(text(&percent_decoded(fields))),
            b'w' => Self::Directory(text(fields)),
            _ => return None,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `shell;version;tty;pid;check`
fn hello(fields: &[u8]) -> Hello {
    let text = text(fields);
    let mut fields = text.split(';');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    Hello {
        shell: next(),
        version: next(),
        tty: Some(next()).filter(|tty| valid_tty(tty)),
        pid: next().parse().ok(),
        reports_buffer: next() == "check",
    }
}

/// `flags;buffer`, with newlines as 0x1e and tabs as 0x1f. A buffer with any other control
/// character is not reported, only flagged.
fn check(fields: &[u8]) -> Option<Check> {
    let separator = fields.iter().position(|b| *b == b';')?;
    let (flags, buffer) = fields.split_at(separator);
    let foreign = flags.contains(&b'X');
    let buffer = buffer.get(1..).filter(|_| !foreign).unwrap_or_default();
    Some(Check {
        buffer: buffer
            .iter()
            .map(|b| match b {
                0x1e => b'\n',
                0x1f => b'\t',
                other => *other,
            })
            .collect(),
        continued: flags.contains(&b'P'),
        foreign,
        history_expansion: flags.contains(&b'H'),
        unready: flags.contains(&b'E'),
        vi: flags.contains(&b'V'),
        utf8: flags.contains(&b'U'),
    })
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let mut pair = [0];
        match after.get(..2).map(|digits| hex::decode_to_slice(digits, &mut pair)) {
            Some(Ok(())) if first == b'%' => {
                out.extend(pair);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}
