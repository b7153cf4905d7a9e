//! A connection that breaks after every possible message: nothing is lost, nothing doubled.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use expacti_protocol::client::Endpoint;
use expacti_protocol::command::CommandState;
use expacti_protocol::reviewer::ReviewerRequest;

use super::{TestScreen, request, support};
use crate::link::Link;
use crate::model::{Effect, LinkMsg, Msg};
use support::broker::FakeBroker;

/// Commands that wait when the first connection is made.
const WAITING: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_after_every_message() {
    // Nothing is said to a broker in a directory that others may enter.
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir()
        .unwrap();
    let socket = dir.path().join("broker.sock");
    let broker = FakeBroker::listen(&socket);
    {
        let mut state = broker.state.lock().unwrap();
        state.sessions = vec![support::session("7c1a", "fixbot", "web-1")];
        let now = expacti_protocol::now_micros() / 1000;
        for i in 0..WAITING {
            let mut view = request(&format!("{i:04}"), 10);
            view.deadline_ms = now + 600_000;
            state.commands.push(view);
        }
        state.breaks_after = 1;
    }
    let mut link = Link::open_with(Endpoint::unix(&socket), (2, 4)).await.unwrap();
    let mut b = TestScreen::new(120, 35);
    b.msg(Msg::Link(LinkMsg::Down { why: "begin".into(), retry_in: 1 }));
    let mut connection = None;
    let mut pressed: HashMap<String, usize> = HashMap::new();
    let began = Instant::now();
    let mut done_at = None;
    // Until everything is decided.
    while done_at.is_none() {
        assert!(began.elapsed() < Duration::from_secs(30), "stuck:\n{}", b.text());
        let news = tokio::time::timeout(Duration::from_millis(20), link.incoming.recv()).await;
        b.msg(Msg::Now(u64::try_from(began.elapsed().as_millis()).unwrap() * 20));
        if let Ok(Some(news)) = news {
            if let LinkMsg::Up(new) = news {
                connection = Some(new);
            }
            b.msg(Msg::Link(news));
        }
        // A reviewer who denies what is on the screen, whenever that is possible.
        if b.model.connection.is_synced() && crate::update::deny_lock(&b.model).is_none() {
            *pressed.entry(b.selected().to_owned()).or_default() += 1;
            b.keys("d");
        } else if b.model.requests.current().is_none_or(|i| i.closed_since.is_some()) {
            b.keys("n");
        }
        for effect in b.effects.drain(..) {
            if let Effect::Send(request) = effect {
                assert!(!matches!(&request, ReviewerRequest::Decision(d) if d.allow));
                // Before the first connection there is nobody to send to.
                if let Some(connection) = connection {
                    link.send(connection, request);
                }
            }
        }
        let open = |c: &&expacti_protocol::command::CommandView| c.state == CommandState::Pending;
        let state = broker.state.lock().unwrap();
        if done_at.is_none() && state.commands.iter().filter(open).count() == 0 {
            done_at = Some(state.connections);
        }
    }
    {
        let state = broker.state.lock().unwrap();
        assert!(state.connections > WAITING + 3, "{} connections", state.connections);
        for command in &state.commands {
            let id = command.id.short();
            let heard = state.decisions.iter().filter(|d| d.id == command.id).count();
            assert!(heard >= 1, "{id} was lost");
            // What was not confirmed is sent again by hand, never by itself.
            assert!(heard <= pressed[id], "{id}: {heard} messages, {} keys", pressed[id]);
        }
    }
    // The screen ends up with what the broker has.
    broker.state.lock().unwrap().breaks_after = 0;
    broker.disconnect_all();
    while !b.model.connection.is_synced() || b.model.requests.pending().count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "stuck:\n{}", b.text());
        if let Some(news) = link.incoming.recv().await {
            b.msg(Msg::Link(news));
        }
    }
    assert_eq!(b.model.sessions.all.len(), 1);
}
