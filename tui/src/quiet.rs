//! Hours of the day in which nobody is to be disturbed. They must never keep a request from the
//! screen: only bell, sound and notifications rest.

use std::str::FromStr;

/// A part of the local day, `22:00-07:00`: from (inclusive) to (exclusive); it may wrap round
/// midnight. From and to the same: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes since midnight.
    from: u16,
    to: u16,
}

/// Quiet hours that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no part of a day: write it as 22:00-07:00")]
pub struct QuietHoursError(String);

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once(['-', '–']).unwrap_or((text, ""));
        match (minutes(from), minutes(to)) {
            (Some(from), Some(to)) => Ok(Self { from, to }),
            _ => Err(QuietHoursError(text.to_owned())),
        }
    }
}

/// `22:00` or `22`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let text = text.trim();
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let digits = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= 24 * 60).then_some(whole % (24 * 60))
}

impl QuietHours {
    /// Whether that minute of the day, 0 to 1439, is one of them.
    pub fn contains(self, minute: u16) -> bool {
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_day() {
        let hours = |text: &str| text.parse::<QuietHours>().unwrap();
        let at = |h: u16, m: u16| h * 60 + m;
        let night = hours("22:30-07:00");
        assert!(night.contains(at(22, 30)) && night.contains(0) && night.contains(at(6, 59)));
        assert!(!night.contains(at(22, 29)) && !night.contains(at(7, 0)));
        let lunch = hours(" 12 - 13:15 ");
        assert!(lunch.contains(at(13, 14)) && !lunch.contains(at(13, 15)));
        assert!(hours("18:00-24:00").contains(at(23, 59)));
        assert!(!hours("0:00-0:00").contains(0));
        for wrong in ["", "22:00", "22:00-", "25:00-07:00", "22:60-07:00", "22:0-7", "a-b", "-1-2"]
        {
            let error = wrong.parse::<QuietHours>().unwrap_err().to_string();
            assert!(error.contains("22:00-07:00"), "{error}");
        }
    }
}
