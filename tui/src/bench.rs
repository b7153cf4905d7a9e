//! What `benches/tui.rs` measures, made from what the screen is made of. It must never be part of
//! a build for use.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::command::CommandView;
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::SessionView;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{ConnectionId, LinkMsg, Model, Msg};
use crate::player::Player;
use crate::recording::Recording;
use crate::theme::Theme;
use crate::update::update;
use crate::view::view;

/// The reviewer's screen on a terminal in memory.
pub struct Screen {
    model: Model,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    /// A screen of that size, connected, with nothing on it.
    pub fn new(cols: u16, rows: u16) -> Self {
        let model = Model::new(Theme { colour: true, ascii: false }, "broker");
        let terminal = Terminal::new(TestBackend::new(cols, rows)).expect("a terminal in memory");
        let mut screen = Self { model, terminal };
        screen.apply(Msg::Link(LinkMsg::Up(ConnectionId(1))));
        screen.event(ReviewerEvent::Synced);
        screen
    }

    fn apply(&mut self, msg: Msg) {
        update(&mut self.model, msg);
    }

    fn event(&mut self, event: ReviewerEvent) {
        self.apply(Msg::Link(LinkMsg::Event(Box::new(event))));
    }

    /// A session is opened.
    pub fn session(&mut self, view: SessionView) {
        self.event(ReviewerEvent::SessionOpened(Box::new(view)));
    }

    /// A request arrives.
    pub fn request(&mut self, view: CommandView) {
        self.event(ReviewerEvent::PendingCommand(Box::new(view)));
    }

    /// Time passes.
    pub fn tick(&mut self, by: u64) {
        self.apply(Msg::Now(self.model.clock.now + by));
    }

    /// Draws a frame.
    pub fn frame(&mut self) {
        let (model, mut drawn) = (&self.model, None);
        self.terminal.draw(|frame| drawn = Some(view(model, frame))).expect("a frame in memory");
        if let Some(drawn) = drawn {
            self.apply(Msg::Drawn(drawn));
        }
    }
}

/// A recording that is played.
pub struct Replay(Player);

impl Replay {
    /// Reads it, up to its first frame.
    pub fn open(bytes: &[u8]) -> Self {
        let recording = Recording::parse(bytes).expect("a recording");
        let mut player = Player::new(Arc::new(recording), "bench", 1.0, None, 0);
        player.tick(100);
        Self(player)
    }

    /// Waits until every keyframe is there.
    pub fn index(&self) {
        while !self.0.indexed() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// To a moment, in seconds.
    pub fn seek(&mut self, time: f64) {
        self.0.seek(time);
    }

    /// To a moment before the keyframes are there: until it is on the screen.
    pub fn seek_early(&mut self, time: f64) {
        self.0.playing = false;
        self.0.seek(time);
        let mut now = 100;
        while self.0.waits() {
            std::thread::park_timeout(Duration::from_millis(1));
            now += 1;
            self.0.tick(now);
        }
    }
}
