//! Tests of the whole screen: messages in, what is drawn and sent out.

mod arming;
mod decisions;
mod drops;
mod hostile;
mod items;
mod pictures;
mod random_input;
mod screens;
mod signing;
mod steps;
#[path = "../../tests/support/mod.rs"]
mod support;
mod typing;
mod upkeep;
mod votes;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerEvent, ReviewerRequest};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{ConnectionId, Effect, LinkMsg, Model, Msg};
use crate::theme::Theme;
use crate::update::update;
use crate::view::view;

/// A model with a screen, driven by hand. Every step draws, unless `blind`.
pub(crate) struct TestScreen {
    pub(crate) model: Model,
    pub(crate) terminal: Terminal<TestBackend>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) blind: bool,
}

impl TestScreen {
    pub(crate) fn new(cols: u16, rows: u16) -> Self {
        Self::with(cols, rows, Theme { colour: true, ascii: false })
    }

    pub(crate) fn with(cols: u16, rows: u16, theme: Theme) -> Self {
        let mut bench = Self {
            model: Model::new(theme, "broker.prod"),
            terminal: Terminal::new(TestBackend::new(cols, rows)).unwrap(),
            effects: Vec::new(),
            blind: false,
        };
        bench.connect();
        bench.event(ReviewerEvent::Synced);
        bench
    }

    pub(crate) fn connect(&mut self) {
        self.msg(Msg::Link(LinkMsg::Up(ConnectionId(1))));
        let now_ms = support::T0 + i64::try_from(self.model.clock.now).unwrap();
        self.event(ReviewerEvent::Hello {
            protocol: 1,
            version: "test".into(),
            principal: "mara".into(),
            role: Role::Reviewer,
            now_ms,
            warnings: Vec::new(),
            pin: false,
        });
    }

    pub(crate) fn msg(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        if effects.contains(&Effect::Redraw) {
            self.terminal.clear().unwrap();
        }
        self.effects.extend(effects);
        if !self.blind {
            self.draw();
        }
    }

    pub(crate) fn draw(&mut self) {
        let mut drawn = None;
        let model = &self.model;
        self.terminal.draw(|frame| drawn = Some(view(model, frame))).unwrap();
        self.effects.extend(update(&mut self.model, Msg::Drawn(drawn.unwrap())));
    }

    /// Time passes, in steps in which the screen would have been drawn.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = self.model.clock.now + ms;
        while self.model.clock.now < end {
            let to = (self.model.clock.now + 100).min(end);
            self.msg(Msg::Now(to));
        }
    }

    pub(crate) fn event(&mut self, event: ReviewerEvent) {
        self.msg(Msg::Link(LinkMsg::Event(Box::new(event))));
    }

    pub(crate) fn pending(&mut self, view: &CommandView) {
        self.event(ReviewerEvent::PendingCommand(Box::new(view.clone())));
    }

    pub(crate) fn updated(&mut self, view: &CommandView) {
        self.event(ReviewerEvent::CommandUpdated(Box::new(view.clone())));
    }

    pub(crate) fn ended(&mut self, view: &CommandView, state: CommandState) {
        let mut view = view.clone();
        view.state = state;
        view.revision += 1;
        view.decided_by = Some("system:timeout".into());
        self.updated(&view);
    }

    pub(crate) fn code(&mut self, code: KeyCode) {
        self.msg(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    /// Presses each character as a key.
    pub(crate) fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            self.code(if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) });
        }
    }

    /// Decisions sent so far.
    pub(crate) fn decisions(&self) -> Vec<&DecisionMessage> {
        self.effects
            .iter()
            .filter_map(|e| match e {
                Effect::Send(ReviewerRequest::Decision(d)) => Some(&**d),
                _ => None,
            })
            .collect()
    }

    /// Last letters of the commands that were allowed.
    pub(crate) fn allowed(&self) -> Vec<&str> {
        self.decisions().into_iter().filter(|d| d.allow).map(|d| d.id.short()).collect()
    }

    /// Last letters of the commands that were denied.
    pub(crate) fn denied(&self) -> Vec<&str> {
        self.decisions().into_iter().filter(|d| !d.allow).map(|d| d.id.short()).collect()
    }

    pub(crate) fn selected(&self) -> &str {
        self.model.requests.selected.as_ref().map_or("", |id| id.short())
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = crate::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    pub(crate) fn shows(&self, part: &str) -> bool {
        self.text().contains(part)
    }
}

/// A request of a level by its score.
pub(crate) fn request(id: &str, score: u8) -> CommandView {
    let web = support::session("7c1a", "fixbot", "web-1");
    support::request(id, &web, &format!("systemctl restart app-{id}"), score, 60)
}
