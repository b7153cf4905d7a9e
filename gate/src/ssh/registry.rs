//! The channels of one client connection: what each is at the moment, and what the client may still
//! ask of it. It must never start two things on one channel.

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

/// Signals and sizes of one channel that may wait while its target does not take them.
const CONTROLS: usize = 256;

/// A session channel whose request is still to come.
pub(super) struct Opening {
    pub(super) half: ChannelWriteHalf<Msg>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) terminal: Option<Terminal>,
    pub(super) environment: Environment,
    pub(super) open: OpenChannel,
}

/// What a channel is at the moment.
enum ChannelState {
    /// A session channel whose request is still to come.
    Opening(Box<Opening>),
    /// Its request was refused; it only has to be closed.
    Refused,
    /// A task serves its request.
    Running {
        /// It has a terminal.
        terminal: bool,
    },
    /// It carries a connection of its own, which has its own channels.
    Tunnel,
}

/// One channel.
struct Entry {
    input: Arc<ChannelInput>,
    control: mpsc::Sender<Control>,
    gone: CancellationToken,
    /// It was told that agent forwarding is refused: once is enough.
    explained: bool,
    state: ChannelState,
}

/// What the task of a channel gets.
pub(super) struct Started {
    pub(super) input: Arc<ChannelInput>,
    pub(super) gone: CancellationToken,
    pub(super) opening: Opening,
}

/// A place for a new channel.
pub(super) struct NewChannel {
    pub(super) input: Arc<ChannelInput>,
    pub(super) gone: CancellationToken,
    pub(super) control: mpsc::Receiver<Control>,
    sender: mpsc::Sender<Control>,
}

/// What became of data for a channel.
pub(super) enum Received {
    /// It is kept, or nobody wants it.
    Done,
    /// It is more than the channel may keep: the channel has to be closed.
    Overflow {
        /// It is a tunnel: its peer reads no text.
        tunnel: bool,
    },
}

/// The channels of one client connection.
#[derive(Default)]
pub(super) struct Registry {
    channels: HashMap<ChannelId, Entry>,
}

impl Registry {
    /// A place for a new channel, unless there are `limit` already.
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

    /// A session channel that waits for its request.
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

    /// A channel that carries a connection. Gives what the task that ends it is to keep.
    pub(super) fn tunnel(&mut self, id: ChannelId, new: NewChannel) -> mpsc::Receiver<Control> {
        let NewChannel { input, gone, control, sender } = new;
        let state = ChannelState::Tunnel;
        self.channels.insert(id, Entry { input, control: sender, gone, explained: false, state });
        control
    }

    /// The channel, while its request is still to come.
    pub(super) fn opening(&mut self, id: ChannelId) -> Option<&mut Opening> {
        match &mut self.channels.get_mut(&id)?.state {
            ChannelState::Opening(opening) => Some(opening),
            ChannelState::Refused | ChannelState::Running { .. } | ChannelState::Tunnel => None,
        }
    }

    /// The channel's request has come. Only the first one starts anything.
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

    /// The channel's request was refused. False when it is too late for that.
    pub(super) fn refuse(&mut self, id: ChannelId) -> bool {
        match self.channels.get_mut(&id) {
            Some(entry) if matches!(entry.state, ChannelState::Opening(_)) => {
                entry.state = ChannelState::Refused;
                true
            }
            _ => false,
        }
    }

    /// Whether the channel has, or is to get, a terminal.
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

    /// Whether the channel was told already; from now on it was.
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
        // Past its bounds: close it, forward nothing.
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
            // Past the bound nobody is listening.
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
