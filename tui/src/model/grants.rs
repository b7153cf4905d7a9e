//! Permissions to pass keys unreviewed: being filled in, and in force. It must never show more time
//! or bytes left than there are.

use expacti_protocol::command::{CommandState, CommandView, Grant};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputGrant;
use tui_input::Input;

use crate::text::clean;

/// Seconds and bytes that are proposed.
const PROPOSED: (&str, &str) = ("5m", "1M");

/// The same for standard input.
const PROPOSED_INPUT: (&str, &str) = ("1h", "1G");

/// A field of the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantField {
    /// How long.
    Seconds,
    /// How much.
    Bytes,
    /// The target's name, which confirms.
    Name,
}

impl GrantField {
    /// The field after it, round to the first.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Seconds => Self::Bytes,
            Self::Bytes => Self::Name,
            Self::Name => Self::Seconds,
        }
    }

    /// The field before it, round to the last.
    pub(crate) fn previous(self) -> Self {
        match self {
            Self::Seconds => Self::Name,
            Self::Bytes => Self::Seconds,
            Self::Name => Self::Bytes,
        }
    }
}

/// The dialog of an allow with a grant; bound to exactly what was shown.
#[derive(Debug)]
pub(crate) struct GrantForm {
    /// Which command.
    pub id: CommandId,
    /// The revision that was shown.
    pub revision: u64,
    /// What must be typed.
    pub expected: String,
    /// The field that takes the keys.
    pub field: GrantField,
    /// How long, as typed.
    pub seconds: Input,
    /// How much, as typed.
    pub bytes: Input,
    /// The name, as typed.
    pub name: Input,
    /// It is for standard input, and not for keys.
    pub input: bool,
}

impl GrantForm {
    /// An empty dialog.
    pub(crate) fn new(id: CommandId, revision: u64, expected: String) -> Self {
        Self {
            id,
            revision,
            expected,
            field: GrantField::Name,
            seconds: Input::new(PROPOSED.0.to_owned()),
            bytes: Input::new(PROPOSED.1.to_owned()),
            name: Input::default(),
            input: false,
        }
    }

    /// An empty dialog for standard input.
    pub(crate) fn of_input(id: CommandId, revision: u64, expected: String) -> Self {
        let (seconds, bytes) = PROPOSED_INPUT;
        Self {
            seconds: Input::new(seconds.to_owned()),
            bytes: Input::new(bytes.to_owned()),
            input: true,
            ..Self::new(id, revision, expected)
        }
    }

    /// The field that takes the keys.
    pub(crate) fn input(&mut self) -> &mut Input {
        match self.field {
            GrantField::Seconds => &mut self.seconds,
            GrantField::Bytes => &mut self.bytes,
            GrantField::Name => &mut self.name,
        }
    }

    /// What was typed, as a grant; what is wrong with it otherwise.
    ///
    /// # Errors
    /// Names the field that is not within its bounds.
    pub(crate) fn grant(&self) -> Result<Grant, &'static str> {
        let seconds = amount(self.seconds.value(), &[("s", 1), ("m", 60), ("h", 3_600)]);
        let (longest, most, time, size) = if self.input {
            (
                InputGrant::MAX_SECONDS,
                InputGrant::MAX_BYTES,
                "the time must be 1s to 24h, such as 5m or 1h",
                "the size must be 1 to 1024G bytes, such as 64k, 100M or 1G",
            )
        } else {
            (
                Grant::MAX_SECONDS,
                Grant::MAX_BYTES,
                "the time must be 1s to 1h, such as 90s or 5m",
                "the size must be 1 to 16M bytes, such as 500, 64k or 1M",
            )
        };
        let seconds = seconds.filter(|n| (1..=longest).contains(n)).ok_or(time)?;
        let units = [
            ("k", 1 << 10),
            ("kib", 1 << 10),
            ("m", 1 << 20),
            ("mib", 1 << 20),
            ("g", 1 << 30),
            ("gib", 1 << 30),
        ];
        let bytes =
            amount(self.bytes.value(), &units).filter(|n| (1..=most).contains(n)).ok_or(size)?;
        Ok(Grant { seconds, bytes })
    }
}

/// `90`, `5m`: a whole number with one of the units.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let times = match unit.trim() {
        "" => 1,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(times)
}

/// A grant in words: `5 minutes or 1 MiB`.
pub(crate) fn words(grant: Grant) -> String {
    let s = |n: u64| if n == 1 { "" } else { "s" };
    let time = match grant.seconds {
        n if n % 3_600 == 0 => format!("{} hour{}", n / 3_600, s(n / 3_600)),
        n if n % 60 == 0 => format!("{} minute{}", n / 60, s(n / 60)),
        n => format!("{n} second{}", s(n)),
    };
    format!("{time} or {}", size(grant.bytes))
}

/// A number of bytes, rounded down.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n >= 1 << 20 => format!("{:.1} MiB", ((n * 10) >> 20) as f64 / 10.0),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        1 => "1 byte".to_owned(),
        n => format!("{n} bytes"),
    }
}

/// A grant in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActiveGrant {
    /// Where.
    pub session: SessionId,
    /// Which agent on which target, clean.
    pub who: String,
    /// The limits.
    pub grant: Grant,
    /// It began at, broker's time in milliseconds.
    pub since_ms: i64,
    /// Bytes that the agent was seen to type since.
    pub used: u64,
    /// This reviewer gave it.
    pub ours: bool,
}

impl ActiveGrant {
    /// What that command says of a grant in force, if there is one.
    pub(crate) fn of(view: &CommandView, me: &str) -> Option<Self> {
        let grant = view.grant?;
        if !matches!(view.state, CommandState::Allowed | CommandState::Released) {
            return None;
        }
        let by = view.decided_by.as_deref().map(|by| clean(by, 40)).unwrap_or_default();
        let voted = view.votes.iter().any(|v| v.allow && clean(&v.by, 40) == me);
        Some(Self {
            session: view.session_id.clone(),
            who: clean(&format!("{} on {}", view.session.agent, view.session.target), 100),
            grant,
            since_ms: view.decided_at.unwrap_or(view.timestamp).saturating_mul(1000),
            used: 0,
            ours: voted || by == me,
        })
    }

    /// What is left of the bytes, in words. As long as no usage was reported, only the limit is
    /// known.
    pub(crate) fn bytes_words(&self) -> String {
        match self.used {
            0 => format!("at most {} in all", size(self.grant.bytes)),
            used => format!("{} left", size(self.grant.bytes.saturating_sub(used))),
        }
    }

    /// What is left: seconds and bytes.
    pub(crate) fn left(&self, now_ms: i64) -> (i64, u64) {
        let whole = i64::try_from(self.grant.seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let left = self.since_ms.saturating_add(whole).saturating_sub(now_ms);
        (left.max(0) / 1000, self.grant.bytes.saturating_sub(self.used))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let grant = |seconds: &str, bytes: &str| {
            let id = "cmd_01h455vb4pex5vsknk084s0001".parse().unwrap();
            let mut g = GrantForm::new(id, 1, "web-1".into());
            (g.seconds, g.bytes) = (Input::new(seconds.into()), Input::new(bytes.into()));
            g.grant()
        };
        assert_eq!(grant("5m", "1M"), Ok(Grant { seconds: 300, bytes: 1 << 20 }));
        assert_eq!(grant("90", " 64 kib "), Ok(Grant { seconds: 90, bytes: 65_536 }));
        assert_eq!(grant("1h", "16M"), Ok(Grant { seconds: 3_600, bytes: 16 << 20 }));
        for (seconds, bytes) in [
            ("0", "1"),
            ("61m", "1"),
            ("-1", "1"),
            ("", "1"),
            ("5x", "1"),
            ("99999999999999999999", "1"),
            ("999999999999999999h", "1"),
            ("1", "0"),
            ("1", "17M"),
            ("1", "1.5M"),
            ("1", "é"),
        ] {
            assert!(grant(seconds, bytes).is_err(), "{seconds} {bytes}");
        }
    }

    #[test]
    fn in_words() {
        assert_eq!(words(Grant { seconds: 300, bytes: 1 << 20 }), "5 minutes or 1 MiB");
        assert_eq!(words(Grant { seconds: 3_600, bytes: 1 }), "1 hour or 1 byte");
        assert_eq!(words(Grant { seconds: 61, bytes: 1_500_000 }), "61 seconds or 1.4 MiB");
        assert_eq!(size(2_047), "1 KiB");
    }
}
