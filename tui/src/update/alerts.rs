//! Telling people of new requests. It must never tell more than once in three seconds, nor put a
//! command's secrets into a notification.

use expacti_engine::Level;

use crate::model::{Clock, Effect, Item, Model, Notice, Reviewer};
use crate::quiet::QuietHours;
use crate::text::{clean, fit};

/// Bell and notification for requests nobody was told of.
pub(super) fn announce(model: &mut Model, effects: &mut Vec<Effect>) {
    let now = model.clock.now;
    let rested = model.alerts.next_at().is_none_or(|next| now >= next);
    if model.alerts.unannounced.is_empty() || !rested || !model.connection.is_synced() {
        return;
    }
    let unannounced = std::mem::take(&mut model.alerts.unannounced);
    let open: Vec<&Item> = unannounced
        .iter()
        .filter_map(|id| model.requests.items.get(id))
        .filter(|i| i.closed_since.is_none())
        .collect();
    let Some(notice) = notice(&open, &model.reviewer) else { return };
    let alerts = &mut model.alerts;
    // Also when nobody is disturbed: what came while it was quiet is not made up for.
    alerts.announced_at = Some(now);
    if alerts.muted || alerts.quiet.is_some_and(|hours| is_quiet(hours, &model.clock)) {
        return;
    }
    if alerts.bell {
        effects.push(Effect::Bell);
    }
    if alerts.desktop {
        effects.push(Effect::Notify(notice));
    }
}

/// One notice for all of them, with the worst of them.
fn notice(open: &[&Item], reviewer: &Reviewer) -> Option<Notice> {
    let worst = open.iter().max_by_key(|i| i.view().risk_score)?;
    let level = worst.level();
    let masked = worst.view().masked.as_deref();
    let line = masked.map_or_else(|| worst.headline.clone(), |m| clean(m, 200));
    let (agent, target) = (&worst.card.agent, &worst.card.target_name);
    let (title, body) = match open.len() {
        1 => (format!("{level}: {agent} on {target}"), line),
        n => (format!("{n} requests wait, the worst is {level}"), format!("{target}: {line}")),
    };
    Some(Notice {
        id: Some(worst.id().clone()),
        // A group is looked at first: one of it is not all of it.
        deny: open.len() == 1 && reviewer.role.may_decide(),
        title,
        body: fit(&body, 160, false),
        urgent: level >= Level::High,
    })
}

/// Whether it is one of the quiet hours where the reviewer is.
fn is_quiet(hours: QuietHours, clock: &Clock) -> bool {
    let Ok(now) = jiff::Timestamp::from_millisecond(clock.broker_now()) else { return false };
    let now = now.to_zoned(clock.zone.clone());
    let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
    hours.contains(u16::try_from(minute).unwrap_or(0))
}
