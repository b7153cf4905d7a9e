//! `expacti replay`: a player with the whole terminal. It must never need a broker.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use expacti_protocol::command::CommandView;

use super::keys::Outcome;
use super::playback::Player;
use super::view::draw;
use crate::recording::{Kind, Recording};
use crate::terminal::Tty;
use crate::theme::Theme;

/// What `replay` needs to know.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Times as fast as it was recorded.
    pub speed: f64,
    /// Pauses longer than this, in seconds, are cut to it; the recording's own limit when unset.
    pub idle_time_limit: Option<f64>,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// Use no colours.
    pub no_color: bool,
    /// What is shown above the terminal; the recording's title when unset.
    pub title: Option<String>,
    /// What the broker knows of the commands in it, for how dangerous they were.
    pub commands: Vec<CommandView>,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            speed: 1.0,
            idle_time_limit: None,
            ascii: false,
            no_color: false,
            title: None,
            commands: Vec::new(),
        }
    }
}

/// Plays a recording in the terminal; when standard output is not one, writes what was output,
/// at once.
///
/// # Errors
/// When the terminal, or writing, fails.
pub async fn replay(recording: Recording, options: ReplayOptions) -> anyhow::Result<()> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let mut out = std::io::stdout().lock();
        for event in recording.events.iter().filter(|e| e.kind == Kind::Output) {
            out.write_all(recording.data(event).as_bytes())
                .context("failed to write the output")?;
        }
        return out.flush().context("failed to write the output");
    }
    let title = options.title.or_else(|| recording.header.title.clone()).unwrap_or_default();
    let theme = Theme { colour: !options.no_color, ascii: options.ascii };
    let began = Instant::now();
    let now = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut player =
        Player::new(Arc::new(recording), &title, options.speed, options.idle_time_limit, now());
    player.add_levels(&options.commands);
    let mut tty = Tty::take().context("failed to take the terminal")?;
    let mut keys = EventStream::new();
    let mut term = signal(SignalKind::terminate())?;
    let mut hup = signal(SignalKind::hangup())?;
    loop {
        player.tick(now());
        tty.draw(|frame| draw(&player, theme, frame, frame.area())).context("failed to draw")?;
        let wake = player.next_wake().unwrap_or_else(|| now() + 60_000);
        tokio::select! {
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) => {
                    player.tick(now());
                    if player.key(key) == Outcome::Leaves {
                        return Ok(());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("failed to read the keyboard"),
                None => return Ok(()),
            },
            () = sleep_until(began + Duration::from_millis(wake)) => {}
            _ = term.recv() => return Ok(()),
            _ = hup.recv() => return Ok(()),
        }
    }
}
