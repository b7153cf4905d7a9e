//! The event loop: keys, the broker and one timer meet here, and effects are carried out. It must
//! never decide anything: that is `update`'s.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use crossterm::event::{Event, EventStream};
use expacti_protocol::client::{Client, Endpoint};
use expacti_protocol::command::CommandView;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::DecisionMessage;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Limits, SigningKey};
use futures_util::StreamExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::keymap::KeyMap;
use crate::link::Link;
use crate::model::{
    Answer, Confirm, ConnectionId, Effect, Fetch, LinkMsg, Model, Msg, Notice, NoticeAction,
};
use crate::notify::Notifier;
use crate::prover::{PinAsked, ScreenProver};
use crate::quiet::QuietHours;
use crate::terminal::{Tty, restore};
use crate::theme::Theme;
use crate::time::Millis;
use crate::update::update;
use crate::view::view;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(10);
/// Writing a frame takes less than this, in milliseconds, unless the terminal does not read.
const SLOW: u64 = 100;
/// Messages taken in before the next frame.
const DRAIN: usize = 512;
/// The longest text put on the clipboard, in bytes: terminals drop more.
const CLIPBOARD: usize = 74_000;

/// What `review` needs to know.
#[derive(Debug, Clone)]
pub struct ReviewOptions {
    /// Which broker, as whom.
    pub broker: Endpoint,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// Use no colours.
    pub no_color: bool,
    /// Show desktop notifications.
    pub notify: bool,
    /// Ring the terminal's bell.
    pub bell: bool,
    /// Let the desktop play a sound with its notifications.
    pub sound: bool,
    /// Hours of the local day without bell, sound and notifications.
    pub quiet_hours: Option<QuietHours>,
    /// One line of guidance at the top.
    pub banner: Option<String>,
    /// The keys.
    pub keymap: KeyMap,
    /// What follows `a`, by level.
    pub confirm: Confirm,
    /// The key that signs what is allowed.
    pub key: Option<Arc<SigningKey>>,
    /// Ends the screen from outside.
    pub quit_when: Option<CancellationToken>,
}

impl ReviewOptions {
    /// The defaults for that broker.
    pub fn new(broker: Endpoint) -> Self {
        Self {
            broker,
            ascii: false,
            no_color: false,
            notify: true,
            bell: true,
            sound: true,
            quiet_hours: None,
            banner: None,
            keymap: KeyMap::default(),
            confirm: Confirm::default(),
            key: None,
            quit_when: None,
        }
    }
}

/// Shows the reviewer's screen until the reviewer quits.
///
/// # Errors
/// Without a terminal; when the broker refuses or cannot be reached at the start (the error is
/// then a [`expacti_protocol::client::ClientError`]); when the terminal fails.
pub async fn review(options: ReviewOptions) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!(
            "expacti review needs a terminal; without one use `expacti pending`, `expacti allow ID` and `expacti deny ID`"
        );
    }
    let link = Link::open(options.broker.clone()).await?;
    let signals = Signals::listen()?;
    let tty = Tty::take().context("failed to take the terminal")?;
    let mut model = Model::new(
        Theme { colour: !options.no_color, ascii: options.ascii },
        // Which socket it is tells a reviewer nothing; errors name it.
        match options.broker.display().as_str() {
            unix if unix.starts_with("unix:") => "this machine",
            remote => remote,
        },
    );
    model.clock.zone = jiff::tz::TimeZone::system();
    model.settings.keymap = options.keymap;
    model.settings.confirm = options.confirm;
    model.settings.banner = options.banner.map(|b| crate::text::clean(&b, 300));
    model.settings.signs = options.key.as_ref().map(|key| key.needs_touch());
    model.alerts.desktop = options.notify;
    model.alerts.bell = options.bell;
    model.alerts.quiet = options.quiet_hours;
    let (answers, answered) = mpsc::channel(16);
    let (clicks, clicked) = mpsc::channel(16);
    let (signed, has_signed) = mpsc::channel(16);
    let (screen, pins_wanted) = mpsc::channel(1);
    let prover = Arc::new(ScreenProver { key: options.key.clone(), screen });
    let over_ssh = std::env::var_os("SSH_TTY").is_some();
    let mut event_loop = EventLoop {
        model,
        tty,
        link,
        connection: None,
        notifier: Notifier::start(options.notify && !over_ssh, options.sound, clicks),
        clicked,
        known_delay: 0,
        over_ssh,
        client: Client::new(options.broker).ok().map(|client| client.with_prover(prover)),
        answers,
        answered,
        key: options.key,
        signed,
        has_signed,
        signing: HashMap::new(),
        pins_wanted,
        pin_wanted: None,
        began: Instant::now(),
        dirty: true,
        suspended: false,
        quit: false,
    };
    let quit = options.quit_when.unwrap_or_default();
    event_loop.run(&quit, signals).await
}

/// The signals that end or continue the screen. Heard before the terminal is taken: one that comes
/// in between must not end the process with the terminal raw.
struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
    cont: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            cont: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// An allow, and what the key has signed for it or why not.
type Signed = (Box<DecisionMessage>, Result<SignedText, String>);

/// What the keyboard, the mouse or the window says.
type Key = std::io::Result<Event>;

/// Reads the keyboard in a task of its own: [`EventStream`] wakes only who was the first to find
/// nothing, so that whoever merely looks whether there is something would leave all others waiting.
fn keyboard() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(DRAIN);
    tokio::spawn(async move {
        let mut keys = EventStream::new();
        loop {
            tokio::select! {
                event = keys.next() => {
                    let Some(event) = event else { break };
                    if sender.send(event).await.is_err() {
                        break;
                    }
                }
                () = sender.closed() => break,
            }
        }
    });
    receiver
}

struct EventLoop {
    model: Model,
    tty: Tty,
    link: Link,
    /// The connection that the model knows of: what it decides is meant for this one.
    connection: Option<ConnectionId>,
    notifier: Notifier,
    clicked: mpsc::Receiver<(CommandId, NoticeAction)>,
    over_ssh: bool,
    /// How long a byte took to the reviewer's terminal and back when the screen began.
    known_delay: Millis,
    client: Option<Client>,
    answers: mpsc::Sender<(Fetch, Result<Answer, String>)>,
    answered: mpsc::Receiver<(Fetch, Result<Answer, String>)>,
    /// The reviewer's key.
    key: Option<Arc<SigningKey>>,
    signed: mpsc::Sender<Signed>,
    has_signed: mpsc::Receiver<Signed>,
    /// What it is asked for.
    signing: HashMap<CommandId, AbortHandle>,
    /// Requests that need the reviewer's PIN, and the one that it is asked for.
    pins_wanted: mpsc::Receiver<PinAsked>,
    pin_wanted: Option<PinAsked>,
    began: Instant,
    /// Something changed since the last frame.
    dirty: bool,
    /// To be stopped, when the loop comes round.
    suspended: bool,
    quit: bool,
}

impl EventLoop {
    async fn run(&mut self, quit: &CancellationToken, signals: Signals) -> anyhow::Result<()> {
        let Signals { mut term, mut hup, mut int, mut cont } = signals;
        self.known_delay = if self.over_ssh { crate::terminal::delay() } else { 0 };
        self.apply(Msg::TerminalDelay(self.known_delay))?;
        let mut keys = keyboard();
        let mut drawn_at: Option<Instant> = None;
        while !self.quit {
            let now = Instant::now();
            let due = drawn_at.map_or(now, |at| at + FRAME);
            if self.dirty && due <= now {
                self.draw()?;
                drawn_at = Some(Instant::now());
            }
            let wake = if self.dirty {
                due
            } else {
                let at = self.model.next_wake().unwrap_or(self.model.clock.now + 60_000);
                self.began + Duration::from_millis(at)
            };
            tokio::select! {
                event = keys.recv() => match event {
                    Some(Ok(event)) => self.event(event)?,
                    Some(Err(error)) => return Err(error).context("failed to read the keyboard"),
                    None => self.quit = true,
                },
                Some(news) = self.link.incoming.recv() => self.link_msg(news)?,
                Some((what, answer)) = self.answered.recv() => {
                    self.handle(Msg::Fetched(what, answer))?;
                }
                Some((message, answer)) = self.has_signed.recv() => {
                    self.signing.remove(&message.id);
                    self.handle(Msg::Signed(message, answer))?;
                }
                Some(asked) = self.pins_wanted.recv() => {
                    self.pin_wanted = Some(asked);
                    self.handle(Msg::PinWanted)?;
                }
                Some((id, click)) = self.clicked.recv() => self.handle(Msg::Clicked(id, click))?,
                () = sleep_until(wake) => self.tick()?,
                _ = term.recv() => self.quit = true,
                _ = hup.recv() => self.quit = true,
                _ = int.recv() => self.quit = true,
                () = quit.cancelled() => self.quit = true,
                _ = cont.recv() => {
                    // Somebody else stopped us, and the shell had the terminal since.
                    restore();
                    self.tty.retake()?;
                    self.dirty = true;
                }
            }
            self.drain(&mut keys)?;
            if std::mem::take(&mut self.suspended) {
                self.suspend(&mut cont).await?;
            }
        }
        Ok(())
    }

    /// Takes in what is there already, so that a burst costs one frame.
    fn drain(&mut self, keys: &mut mpsc::Receiver<Key>) -> anyhow::Result<()> {
        for _ in 0..DRAIN {
            let mut any = false;
            if let Ok(event) = keys.try_recv() {
                any = true;
                self.event(event.context("failed to read the keyboard")?)?;
            }
            if let Ok(news) = self.link.incoming.try_recv() {
                any = true;
                self.link_msg(news)?;
            }
            if !any || self.quit {
                break;
            }
        }
        Ok(())
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        self.dirty = false;
        let model = &self.model;
        let began = Instant::now();
        let drawn = self.tty.draw(|frame| view(model, frame)).context("failed to draw")?;
        // A terminal that takes its time to read shows it later still.
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let slow = if took > SLOW { took.min(crate::terminal::MOST_DELAY) } else { 0 };
        self.apply(Msg::TerminalDelay(self.known_delay.max(slow)))?;
        // Only now was it on the screen: the time goes on before the drawing counts as seen. What
        // follows from that shows in the next frame.
        self.tick()?;
        let changes = drawn != self.model.drawn;
        self.apply(Msg::Drawn(drawn))?;
        self.dirty |= changes;
        Ok(())
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        let woke = self.model.next_wake().is_some_and(|at| at <= now);
        let effects = update(&mut self.model, Msg::Now(now));
        self.dirty |= woke || !effects.is_empty();
        for effect in effects {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn handle(&mut self, msg: Msg) -> anyhow::Result<()> {
        self.tick()?;
        self.dirty = true;
        self.apply(msg)
    }

    /// Changes the model by a message, and carries out what follows from it.
    fn apply(&mut self, msg: Msg) -> anyhow::Result<()> {
        for effect in update(&mut self.model, msg) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Key(key) => self.handle(Msg::Key(key)),
            Event::Paste(text) => self.handle(Msg::Paste(text)),
            Event::Mouse(mouse) => {
                use crossterm::event::MouseEventKind as Kind;
                if matches!(mouse.kind, Kind::Moved | Kind::Drag(_) | Kind::Up(_)) {
                    return Ok(());
                }
                self.handle(Msg::Mouse(mouse))
            }
            Event::Resize(..) => self.handle(Msg::Resized),
            Event::FocusGained => self.handle(Msg::Focus(true)),
            Event::FocusLost => self.handle(Msg::Focus(false)),
        }
    }

    fn link_msg(&mut self, news: LinkMsg) -> anyhow::Result<()> {
        if let LinkMsg::Up(connection) = news {
            self.connection = Some(connection);
        }
        self.handle(Msg::Link(news))
    }

    fn carry_out(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Send(request) => {
                if let Some(connection) = self.connection {
                    self.link.send(connection, request);
                }
            }
            Effect::Sign(message, view) => self.sign(message, *view),
            Effect::StopSigning(id) => {
                if let Some(task) = self.signing.remove(&id) {
                    task.abort();
                }
            }
            Effect::GivePin(pin) => {
                if let Some(asked) = self.pin_wanted.take() {
                    // Whoever asked may have given up.
                    let _ = asked.send(pin);
                }
            }
            Effect::Fetch(what) => self.fetch(what),
            Effect::Notify(notice) => self.notify(notice)?,
            Effect::Bell => self.tty.write(b"\x07")?,
            Effect::Copy(text) => {
                let mut cut = text.len().min(CLIPBOARD);
                while !text.is_char_boundary(cut) {
                    cut -= 1;
                }
                let text = text.get(..cut).unwrap_or_default();
                let text = base64::engine::general_purpose::STANDARD.encode(text);
                self.tty.write(format!("\x1b]52;c;{text}\x07").as_bytes())?;
            }
            Effect::Redraw => self.tty.clear()?,
            Effect::Suspend => self.suspended = true,
            Effect::Quit => self.quit = true,
        }
        Ok(())
    }

    /// On the desktop; over SSH through the terminal, which is where the reviewer is.
    fn notify(&mut self, notice: Notice) -> anyhow::Result<()> {
        if !self.over_ssh {
            self.notifier.show(notice);
            return Ok(());
        }
        let (title, body) = (osc_text(&notice.title), osc_text(&notice.body));
        let rxvt =
            std::env::var("TERM").is_ok_and(|t| t.starts_with("rxvt") || t.starts_with("foot"));
        let sequence = if rxvt {
            format!("\x1b]777;notify;{title};{body}\x07")
        } else {
            format!("\x1b]9;{title}: {body}\x07")
        };
        let sequence = match std::env::var_os("TMUX") {
            Some(_) => through_tmux(&sequence),
            None => sequence,
        };
        Ok(self.tty.write(sequence.as_bytes())?)
    }

    fn fetch(&mut self, what: Fetch) {
        let Some(client) = self.client.clone() else { return };
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let answer = crate::fetch::fetch(&client, &what).await;
            let _ = answers.send((what, answer)).await;
        });
    }

    /// Has the reviewer's key sign an allow; the screen goes on meanwhile.
    fn sign(&mut self, message: Box<DecisionMessage>, view: CommandView) {
        let (key, signed) = (self.key.clone(), self.signed.clone());
        let id = message.id.clone();
        let task = tokio::spawn(async move {
            let answer = match key {
                Some(key) => {
                    let limits = Limits {
                        grant: message.grant,
                        input: message.input,
                        input_grant: message.input_grant,
                    };
                    expacti_signing::allow(&key, &limits, &view).await
                }
                None => Err("there is no key".to_owned()),
            };
            let _ = signed.send((message, answer)).await;
        });
        if let Some(earlier) = self.signing.insert(id, task.abort_handle()) {
            earlier.abort();
        }
    }

    /// To the shell, until it lets us go on.
    async fn suspend(&mut self, cont: &mut Signal) -> anyhow::Result<()> {
        restore();
        // The whole job, as the terminal's own ^Z would. Without a shell that could continue it,
        // the system ignores this.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        // Another thread may be the one that stops; until then nothing may touch the terminal.
        let _ = tokio::time::timeout(Duration::from_millis(300), cont.recv()).await;
        self.tty.retake()?;
        self.dirty = true;
        self.apply(Msg::Resumed)
    }
}

/// As tmux hands it on to the terminal it is in, where it is configured to (`allow-passthrough`).
fn through_tmux(sequence: &str) -> String {
    format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
}

/// Text inside an escape sequence of our own: nothing that could end it.
fn osc_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == ';' { ' ' } else { c }).collect()
}
