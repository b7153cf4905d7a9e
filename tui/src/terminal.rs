//! Takes the terminal and gives it back. It must never leave a terminal behind that the shell
//! cannot use, however the program ends.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;

/// The name of threads of ours in the background: their panics do not concern the screen.
pub(crate) const BACKGROUND_THREAD: &str = "expacti-notify";

static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// The terminal, taken.
pub(crate) struct Tty {
    terminal: ratatui::Terminal<Backend>,
}

impl Drop for Tty {
    fn drop(&mut self) {
        restore();
    }
}

/// The longest delay that is waited for, in milliseconds.
pub(crate) const MOST_DELAY: u64 = 5_000;

/// How long it takes the terminal to answer a question, in milliseconds: the way there and back.
/// Before anything else reads the keyboard.
pub(crate) fn delay() -> u64 {
    let began = std::time::Instant::now();
    // One that never answers is waited for no longer than the library does (2 s).
    let answered = cursor::position().is_ok();
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if answered { took.min(MOST_DELAY) } else { 0 }
}

/// Gives the terminal back. May be called any number of times, from anywhere.
pub(crate) fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            DisableFocusChange,
            DisableBracketedPaste,
            DisableMouseCapture,
            LeaveAlternateScreen,
            cursor::Show
        );
        let _ = disable_raw_mode();
    }
}

fn take() -> io::Result<()> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        EnableFocusChange,
        cursor::Hide
    )
}

impl Tty {
    /// Takes the terminal.
    pub(crate) fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if std::thread::current().name() == Some(BACKGROUND_THREAD) {
                    return;
                }
                restore();
                before(info);
            }));
        });
        let taken = take().and_then(|()| {
            let out = BufWriter::with_capacity(1 << 16, io::stdout());
            Ok(Self { terminal: ratatui::Terminal::new(CrosstermBackend::new(out))? })
        });
        if taken.is_err() {
            restore();
        }
        taken
    }

    /// Draws one frame; nothing of it is visible before all of it is.
    pub(crate) fn draw<T>(&mut self, view: impl FnOnce(&mut Frame<'_>) -> T) -> io::Result<T> {
        if !TAKEN.load(Ordering::SeqCst) {
            // A panic elsewhere gave the terminal back while the screen lives on.
            self.retake()?;
        }
        let mut result = None;
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| result = Some(view(frame)))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        result.ok_or_else(|| io::Error::other("nothing was drawn"))
    }

    /// Writes a sequence of our own.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(bytes)?;
        Write::flush(out)
    }

    /// Takes the terminal again, and draws everything afresh.
    pub(crate) fn retake(&mut self) -> io::Result<()> {
        take()?;
        self.clear()
    }

    /// Draws everything afresh.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        // `Terminal::clear` asks the terminal where its cursor is and waits for an answer, which
        // the key reader takes away. Resizing to the present size clears without asking.
        let size = self.terminal.size()?;
        self.terminal.resize(ratatui::layout::Rect::new(0, 0, size.width, size.height))
    }
}
