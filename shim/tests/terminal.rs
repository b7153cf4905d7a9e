//! `wrap` in a terminal: the program has one of its own, and the outer one comes back as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use expacti_protocol::ancestry;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, tcgetattr};
use support::{World, until, until_or};

struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn std::io::Write + Send>,
    shown: Arc<Mutex<String>>,
    child: Box<dyn Child + Send + Sync>,
    /// Kept open, so that the settings can be read after the end.
    slave: File,
    before: Termios,
}

impl Terminal {
    /// `shim -- sh -c SCRIPT` in a terminal of 80 by 24.
    fn run(world: &World, script: &str) -> Self {
        Self::run_program(world, &["sh", "-c", script])
    }

    fn run_program(world: &World, program: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let slave =
            File::options().read(true).write(true).open(pair.master.tty_name().unwrap()).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut command = CommandBuilder::new(support::shim());
        command.arg("--");
        command.args(program);
        command.env("EXPACTI_HOME", world.path());
        command.cwd(world.path());
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let into = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, shown, child, slave, before }
    }

    fn shows(&self, what: &str) {
        let shown = Arc::clone(&self.shown);
        until(&format!("{what:?} in the terminal"), || {
            shown.lock().unwrap().contains(what).then_some(())
        });
    }

    fn types(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.slave).unwrap().local_modes.contains(rustix::termios::LocalModes::ICANON)
    }

    fn is_restored(&self) -> bool {
        let now = tcgetattr(&self.slave).unwrap();
        now.local_modes == self.before.local_modes
            && now.input_modes == self.before.input_modes
            && now.output_modes == self.before.output_modes
            && now.control_modes == self.before.control_modes
    }

    fn ends(&mut self) -> u32 {
        let shown = Arc::clone(&self.shown);
        let status = until_or(
            || format!("the end of the wrap, which shows {:?}", shown.lock().unwrap()),
            || self.child.try_wait().unwrap(),
        );
        assert!(self.is_restored());
        status.exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn a_terminal_its_size_and_its_status() {
    let world = World::new();
    let mut terminal = Terminal::run(
        &world,
        "test -t 0 && test -t 1 && test -t 2 && stty size && pwd; \
         trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; test -e stop && exit 9; done",
    );
    terminal.shows("24 80\r\n");
    terminal.shows(world.path().to_str().unwrap());
    terminal.shows("ready\r\n");
    assert!(terminal.is_raw());
    let size = PtySize { rows: 33, cols: 111, ..PtySize::default() };
    terminal.master.resize(size).unwrap();
    terminal.shows("33 111\r\n");
    std::fs::write(world.path().join("stop"), "").unwrap();
    assert_eq!(terminal.ends(), 9);
    // No shim directory is left, and the guard went too.
    assert_eq!(std::fs::read_dir(world.path().join("wraps")).unwrap().count(), 0);
}

#[test]
fn keys_reach_the_program_as_they_are() {
    let world = World::new();
    let mut terminal = Terminal::run(
        &world,
        "read line; echo \"got <$line>\"; stty raw -echo; echo R; dd bs=1 count=3 2>/dev/null | od -An -tx1",
    );
    terminal.types("a b\x7fc\r");
    terminal.shows("got <a c>\r\n");
    terminal.shows("R\n");
    terminal.types("\x03\x1a\x11");
    terminal.shows("03 1a 11");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn interrupt_goes_to_the_program_only() {
    let world = World::new();
    let mut terminal = Terminal::run(
        &world,
        "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.01; done",
    );
    terminal.shows("ready");
    terminal.types("\x03");
    terminal.shows("caught");
    assert_eq!(terminal.ends(), 4);
    // Death by a signal has the status that shells give it.
    let mut terminal = Terminal::run(&world, "echo ready; exec sleep 100");
    terminal.shows("ready");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 128 + 2);
}

#[test]
fn the_terminal_comes_back_after_any_death() {
    let world = World::new();
    // Of the program.
    let mut terminal = Terminal::run(&world, "stty raw -echo; kill -9 $$");
    assert_eq!(terminal.ends(), 128 + 9);
    // Of the wrap, by the signals that it hands on.
    for (signal, status) in [(Signal::TERM, 128 + 15), (Signal::HUP, 128 + 1)] {
        let mut terminal = Terminal::run(&world, "echo ready; exec sleep 100");
        terminal.shows("ready");
        until("raw mode", || terminal.is_raw().then_some(()));
        kill_process(terminal.pid(), signal).unwrap();
        assert_eq!(terminal.ends(), status);
    }
    // Of the wrap, by the signal that nobody can catch.
    let mut terminal = Terminal::run(
        &world,
        "sh -c 'echo $$ > daemon; trap \"\" HUP; exec setsid sleep 100' & echo $$ > program; \
         while ! test -s daemon; do sleep 0.01; done; echo ready; exec sleep 100",
    );
    terminal.shows("ready");
    until("raw mode", || terminal.is_raw().then_some(()));
    kill_process(terminal.pid(), Signal::KILL).unwrap();
    let _ = terminal.child.wait();
    until("the guard restores the terminal", || terminal.is_restored().then_some(()));
    for name in ["program", "daemon"] {
        let pid = std::fs::read_to_string(world.path().join(name)).unwrap();
        let pid: u32 = pid.trim().parse().unwrap();
        until("the program ends with it", || match ancestry::stat(pid) {
            Ok(stat) => (stat.state == 'Z').then_some(()),
            Err(_) => Some(()),
        });
    }
    let wraps = world.path().join("wraps");
    until("the guard removes the shim directory", || {
        (std::fs::read_dir(&wraps).unwrap().count() == 0).then_some(())
    });
}

#[test]
fn stopped_and_continued_as_a_job() {
    let world = World::new();
    let mut terminal = Terminal::run(&world, "echo ready; read line; echo \"got <$line>\"; exit 3");
    terminal.shows("ready");
    until("raw mode", || terminal.is_raw().then_some(()));
    terminal.types("\x1a");
    let pid = terminal.child.process_id().unwrap();
    until("the wrap stops", || (ancestry::stat(pid).ok()?.state == 'T').then_some(()));
    assert!(terminal.is_restored());
    kill_process(terminal.pid(), Signal::CONT).unwrap();
    until("raw mode again", || terminal.is_raw().then_some(()));
    terminal.types("x\r");
    terminal.shows("got <x>");
    assert_eq!(terminal.ends(), 3);
}

#[test]
fn a_shell_has_job_control() {
    let world = World::new();
    let mut terminal = Terminal::run_program(&world, &["bash", "--norc", "-i"]);
    // What is typed before the prompt is there would be the outer terminal's.
    terminal.shows("# ");
    terminal.types("sh -c 'echo started; exec sleep 100'\r");
    terminal.shows("\rstarted\r\n");
    terminal.types("\x1a");
    terminal.shows("Stopped");
    // The first is answered with "There are stopped jobs".
    terminal.types("exit 7\rexit 7\r");
    assert_eq!(terminal.ends(), 7);
    assert!(!terminal.shown.lock().unwrap().contains("no job control"));
}

#[test]
fn ssh_in_a_terminal() {
    let world = World::new();
    let mut terminal =
        Terminal::run_program(&world, &["ssh", "-tt", "-F", "none", "h", "echo there; exit 5"]);
    terminal.shows("there");
    assert_eq!(terminal.ends(), 5);
    assert!(world.headers.lock().unwrap()[0].status_line);
}
