//! The channels of one client connection: the state of each, and what the client may still ask of
//! it. It must never start two things on one channel.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use russh::server::Msg;
use russh::{ChannelId, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::boundary::{Environment, Size, Terminal};
use crate::client::channel::Control;
use crate::client::input::ChannelInput;
use crate::transport::backpressure::{Backpressure, OpenChannel};

/// Signals and sizes that may queue for one channel while its target does not take them.
const CONTROLS: usize = 256;

/// A session channel whose request has not come yet.
pub(super) struct Opening {
    pub(super) half: ChannelWriteHalf<Msg>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) terminal: Option<Terminal>,
    pub(super) environment: Environment,
    pub(super) open: OpenChannel,
}

/// What a channel is at the moment.
enum ChannelState {
    /// A session channel whose request has not come yet.
    Opening(Box<Opening>),
    /// Its request was refused; all that is left is to close it.
    Refused,
    /// A task serves its request.
    Running {
        /// It has a terminal.
        terminal: bool,
    },
    /// It carries another SSH connection, which has its own channels.
    Tunnel,
}

/// One channel.
struct Entry {
    input: Arc<ChannelInput>,
    control: mpsc::Sender<Control>,
    gone: CancellationToken,
    /// The client was told that agent forwarding is refused; once is enough.
    explained: bool,
    state: ChannelState,
}

/// What the task of a channel gets.
pub(super) struct Started {
    pub(super) input: Arc<ChannelInput>,
    pub(super) gone: CancellationToken,
    pub(super) opening: Opening,
}

/// What a new channel is made of.
pub(super) struct NewChannel {
    pub(super) input: Arc<ChannelInput>,
    pub(super) gone: CancellationToken,
    pub(super) control: mpsc::Receiver<Control>,
    sender: mpsc::Sender<Control>,
}

/// What happened to data for a channel.
pub(super) enum Received {
    /// It was kept, or dropped because nobody wants it.
    Done,
    /// It was more than the channel may keep: the channel must be closed.
    Overflow {
        /// It is a tunnel, whose peer does not expect text.
        tunnel: bool,
    },
}

/// The channels of one client connection.
#[derive(Default)]
pub(super) struct Registry {
    channels: HashMap<ChannelId, Entry>,
}

impl Registry {
    /// Makes room for a new channel, unless there are `limit` already.
    pub(super) fn reserve(
        &mut self,
        limit: usize,
        backpressure: &Arc<Backpressure>,
        connection: &CancellationToken,
    ) -> Option<NewChannel> {
        // russh does not report the end of a channel that the gate closed first.
        self.channels.retain(|_, entry| !entry.control.is_closed());
        if self.channels.len() >= limit {
            return None;
        }
        let (sender, control) = mpsc::channel(CONTROLS);
        let input = Arc::new(ChannelInput::new(Arc::clone(backpressure)));
        Some(NewChannel { input, gone: connection.child_token(), control, sender })
    }

    /// Adds a session channel that waits for its request.
    pub(super) fn open(
        &mut self,
        id: ChannelId,
        new: NewChannel,
        half: ChannelWriteHalf<Msg>,
        open: OpenChannel,
    ) {
        let NewChannel { input, gone, control, sender } = new;
        let opening =
            Opening { half, control, terminal: None, environment: Environment::default(), open };
        let state = ChannelState::Opening(Box::new(opening));
        self.channels.insert(id, Entry { input, control: sender, gone, explained: false, state });
    }

    /// Adds a channel that carries a connection. The task that serves it keeps the receiver.
    pub(super) fn tunnel(&mut self, id: ChannelId, new: NewChannel) -> mpsc::Receiver<Control> {
        let NewChannel { input, gone, control, sender } = new;
        let state = ChannelState::Tunnel;
        self.channels.insert(id, Entry { input, control: sender, gone, explained: false, state });
        control
    }

    /// The channel, while its request has not come.
    pub(super) fn opening(&mut self, id: ChannelId) -> Option<&mut Opening> {
        match &mut self.channels.get_mut(&id)?.state {
            ChannelState::Opening(opening) => Some(opening),
            ChannelState::Refused | ChannelState::Running { .. } | ChannelState::Tunnel => None,
        }
    }

    /// The channel's request has come. Only the first request starts anything.
    pub(super) fn start(&mut self, id: ChannelId) -> Option<Started> {
        let entry = self.channels.get_mut(&id)?;
        let terminal = match &entry.state {
            ChannelState::Opening(opening) => opening.terminal.is_some(),
            _ => return None,
        };
        let running = ChannelState::Running { terminal };
        match std::mem::replace(&mut entry.state, running) {
            ChannelState::Opening(opening) => Some(Started {
                input: Arc::clone(&entry.input),
                gone: entry.gone.clone(),
                opening: *opening,
            }),
            other => {
                entry.state = other;
                None
            }
        }
    }

    /// Marks the channel's request as refused. False when it is too late for that.
    pub(super) fn refuse(&mut self, id: ChannelId) -> bool {
        match self.channels.get_mut(&id) {
            Some(entry) if matches!(entry.state, ChannelState::Opening(_)) => {
                entry.state = ChannelState::Refused;
                true
            }
            _ => false,
        }
    }

    /// Whether the channel has a terminal or has asked for one.
    pub(super) fn has_terminal(&self, id: ChannelId) -> bool {
        match self.channels.get(&id).map(|entry| &entry.state) {
            Some(ChannelState::Opening(opening)) => opening.terminal.is_some(),
            Some(ChannelState::Running { terminal }) => *terminal,
            Some(ChannelState::Refused | ChannelState::Tunnel) | None => false,
        }
    }

    /// Whether the channel's request has come.
    pub(super) fn has_started(&self, id: ChannelId) -> bool {
        let state = self.channels.get(&id).map(|entry| &entry.state);
        state.is_some_and(|state| !matches!(state, ChannelState::Opening(_)))
    }

    /// True the first time it is called for a channel.
    pub(super) fn explain_once(&mut self, id: ChannelId) -> bool {
        let entry = self.channels.get_mut(&id);
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.explained, true))
    }

    /// Data from the client.
    pub(super) fn receive(&mut self, id: ChannelId, data: Bytes) -> Received {
        let Some(entry) = self.channels.get(&id) else { return Received::Done };
        if entry.input.push(data) {
            return Received::Done;
        }
        // Over its limits: close it, forward nothing.
        entry.gone.cancel();
        entry.input.discard();
        Received::Overflow { tunnel: matches!(entry.state, ChannelState::Tunnel) }
    }

    /// The client sends no more data.
    pub(super) fn eof(&self, id: ChannelId) {
        if let Some(entry) = self.channels.get(&id) {
            entry.input.push_eof();
        }
    }

    /// A new size of the client's terminal.
    pub(super) fn resize(&mut self, id: ChannelId, size: Size) {
        match self.opening(id) {
            Some(opening) => {
                if let Some(terminal) = &mut opening.terminal {
                    terminal.resized(size);
                }
            }
            None => self.control(id, Control::Resize(size)),
        }
    }

    /// A signal or size for the task of a channel.
    pub(super) fn control(&self, id: ChannelId, asked: Control) {
        if let Some(entry) = self.channels.get(&id) {
            // A full queue means that nobody is listening.
            entry.control.try_send(asked).ok();
        }
    }

    /// The client has closed the channel.
    pub(super) fn forget(&mut self, id: ChannelId) {
        if let Some(entry) = self.channels.remove(&id) {
            entry.gone.cancel();
        }
    }
}
