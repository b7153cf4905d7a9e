//! What a hostile agent or target would try with the line gate: to use an approval, a grant or keys
//! for something else than they were given for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_line::Const;
use expacti_line::editor::History;
use expacti_line::remote::{Nonce, Probe};
use expacti_line::session::{Effect, Label, LineGate, Submission, Unsent, Verdict};

struct Play {
    gate: LineGate,
    now: Duration,
}

fn submissions(effects: &[Effect]) -> Vec<&Submission> {
    let mut submissions = Vec::new();
    for effect in effects {
        if let Effect::Submit(submission) = effect {
            submissions.push(&**submission);
        }
    }
    submissions
}

fn typed(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Type(_) | Effect::TypeItem | Effect::Keys(_)))
}

impl Play {
    /// At the first prompt of a bash.
    fn new() -> Self {
        let gate = LineGate::new(Nonce::new([7; 16]), 80, 24, History::default(), Duration::ZERO);
        let mut play = Self { gate, now: Duration::ZERO };
        play.target("<H;bash;5.2;/dev/pts/3;99;check><D;0>\x1b[?2004h<A>$ <B>");
        play
    }

    /// Feeds text in which `<A>` stands for a marker.
    fn target(&mut self, text: &str) -> Vec<Effect> {
        let marker = format!("\x1b]133;{};", "07".repeat(16));
        let text = text.replace('<', &marker).replace('>', "\x07");
        let mut out = Vec::new();
        self.gate.target(text.as_bytes(), self.now, &mut out);
        out
    }

    fn agent(&mut self, keys: &str) -> Vec<Effect> {
        let mut out = Vec::new();
        self.gate.agent(keys.as_bytes(), self.now, &mut out);
        out
    }

    fn verdict(&mut self, verdict: Verdict) -> Vec<Effect> {
        let mut out = Vec::new();
        self.gate.verdict(verdict, self.now, &mut out);
        out
    }

    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now += Duration::from_millis(ms);
        let mut out = Vec::new();
        self.gate.tick(self.now, &mut out);
        out
    }

    fn probed(&mut self, program: &str, echo: bool, canonical: bool) -> Vec<Effect> {
        let probe = Probe {
            echo,
            canonical,
            foreground: Some(program.to_owned()),
            pid: Some(7),
            ..Probe::default()
        };
        self.saw(probe)
    }

    /// A setuid program of the system that asks.
    fn asked(&mut self, program: &str) -> Vec<Effect> {
        self.saw(Probe {
            canonical: true,
            foreground: Some(program.to_owned()),
            name: program.split(' ').next().map(str::to_owned),
            pid: Some(7),
            uid: Some(1000),
            euid: Some(0),
            alone: true,
            ..Probe::default()
        })
    }

    fn saw(&mut self, probe: Probe) -> Vec<Effect> {
        let mut out = Vec::new();
        self.gate.probed(Some(probe), self.now, &mut out);
        out
    }

    /// Has a line typed and accepted by the shell, and the shell leave its editor.
    fn run(&mut self, line: &str, grant: bool) -> Vec<Effect> {
        assert_eq!(submissions(&self.agent(&format!("{line}\r"))).len(), 1);
        self.verdict(Verdict::Approved { grant });
        let mut out = self.target(&format!("<K;-U;{line}>"));
        assert!(out.contains(&Effect::Type(Const::Return)), "{out:?}");
        out.extend(self.target("\r\n\x1b[?2004l"));
        self.wait(400);
        out
    }
}

#[test]
fn a_grant_that_came_with_an_unfinished_line_ends_at_the_continuation_prompt() {
    let mut play = Play::new();
    play.run("vim", true);
    assert!(typed(&play.agent("i")), "the grant lasts");
    assert!(play.target("<P>dquote <Q>").contains(&Effect::GrantOver));
    assert!(!typed(&play.agent("x")));
}

#[test]
fn keys_for_a_program_are_not_keys_for_the_prompt_behind_it() {
    let mut play = Play::new();
    play.run("less x", false);
    play.target("<C>\x1b[?1049h");
    play.agent("!");
    play.probed("less x", false, false);
    let mut out = play.target("\x1b[?1049l<D;0>\x1b[?2004h<A>$ <B>");
    out.extend(play.wait(1_000));
    assert!(submissions(&out).is_empty(), "{out:?}");
    // What is typed now is a line.
    let out = play.agent("ls\r");
    assert_eq!(submissions(&out)[0].bytes, b"ls");
}

#[test]
fn a_password_whose_program_has_gone_is_no_command() {
    let mut play = Play::new();
    play.run("sudo ls", false);
    play.target("<C>Password: ");
    let mut out = play.agent("hunter2\u{200b}\r");
    out.extend(play.asked("sudo ls"));
    let held = submissions(&out)[0];
    assert!(held.secret && held.notes.is_empty(), "{held:?}");
    play.target("\r\nsudo: timed out\r\n<D;1>\x1b[?2004h<A>$ <B>");
    let out = play.verdict(Verdict::Changed);
    assert!(submissions(&out).is_empty() && !typed(&out), "{out:?}");
    assert!(!format!("{out:?}").contains("hunter2"));
    let out = play.agent("ls\r");
    assert!(!submissions(&out)[0].secret);
}

#[test]
fn what_a_shell_reads_without_echo_is_shown_and_marked() {
    for (program, row) in [
        ("sh", "Password: "),
        ("sh", "token> "),
        ("sh", "$ "),
        ("python3", ">>> "),
        ("mine", "Password: "),
        ("sudo sh", "[sudo] password for bob: "),
    ] {
        let mut play = Play::new();
        play.run("x", false);
        play.target(&format!("<C>{row}"));
        let mut out = play.agent("rm -rf /srv\r");
        out.extend(play.probed(program, false, true));
        let held = submissions(&out)[0];
        assert_eq!((held.secret, held.label), (false, Label::NoEcho), "{program} {row}");
        assert!(held.notes.iter().any(|note| note.contains("without echo")), "{:?}", held.notes);
        // What it was typed for has gone: it is no command for the prompt.
        play.target("\r\n<D;1>\x1b[?2004h<A>$ <B>");
        let out = play.verdict(Verdict::Changed);
        assert!(submissions(&out).is_empty() && !typed(&out), "{out:?}");
    }
}

#[test]
fn a_process_asks_for_a_few_passwords_only() {
    let mut play = Play::new();
    play.run("sudo ls", false);
    play.target("<C>");
    for round in 0..6 {
        play.target("Password: ");
        let mut out = play.agent("hunter2\r");
        out.extend(play.asked("sudo ls"));
        assert_eq!(submissions(&out)[0].secret, round < 4, "{round}");
        play.verdict(Verdict::Approved { grant: false });
        play.asked("sudo ls");
        play.target("\r\n");
        play.wait(1_000);
    }
}

#[test]
fn an_approval_that_lay_around_is_void() {
    let mut play = Play::new();
    play.agent("ls\r");
    let out = play.verdict(Verdict::Late);
    assert!(!typed(&out), "{out:?}");
    assert!(out.iter().any(|effect| matches!(effect, Effect::Unsent(_))));
    let again = submissions(&out)[0];
    assert_eq!(again.bytes, b"ls");
    assert!(again.notes[0].contains("context changed"), "{again:?}");
    // A second one, for nothing, changes nothing.
    play.verdict(Verdict::Withdrawn);
    assert!(matches!(play.verdict(Verdict::Late)[..], [Effect::Unsent(_)]));
}

/// A program with a line editor that does not take `^C` for an end of its line.
#[test]
fn what_an_interrupt_left_behind_is_not_completed_by_the_next_line() {
    let mut play = Play::new();
    play.run("repl", false);
    play.target("<C>\x1b[?2004hrepl: ");
    let mut out = play.agent("wipe \r");
    out.extend(play.probed("repl", false, false));
    assert_eq!(submissions(&out)[0].bytes, b"wipe ");
    assert!(typed(&play.verdict(Verdict::Approved { grant: false })));
    // Its echo shows something else, so it is taken back; but it stays where it is.
    play.target("wip");
    assert!(play.wait(2_000).contains(&Effect::Type(Const::Interrupt)));
    play.target("e ");
    play.wait(2_000);
    let out = play.wait(2_000);
    assert!(out.iter().any(|effect| matches!(effect, Effect::Aborted(_))), "{out:?}");

    for next in ["disk", ""] {
        let mut out = play.agent(&format!("{next}\r"));
        out.extend(play.probed("repl", false, false));
        assert_eq!(submissions(&out)[0].bytes, next.as_bytes());
        let out = play.verdict(Verdict::Approved { grant: false });
        assert!(!typed(&out), "{out:?}");
        assert!(out.iter().any(|effect| matches!(effect, Effect::Unsent(_))), "{out:?}");
    }

    // A new row is a new line.
    play.target("\r\nrepl: ");
    let mut out = play.agent("disk\r");
    out.extend(play.probed("repl", false, false));
    assert!(typed(&play.verdict(Verdict::Approved { grant: false })), "{out:?}");
}

/// A line for `cat`, whose context was checked before it was released.
fn released(play: &mut Play, release_ms: u64) -> Vec<Effect> {
    play.run("cat", false);
    play.target("<C>");
    let mut out = play.agent("ls\r");
    out.extend(play.probed("cat", true, true));
    assert_eq!(submissions(&out)[0].bytes, b"ls");
    play.wait(5_000);
    let mut out = Vec::new();
    play.gate.check(play.now, &mut out);
    assert_eq!(out, [Effect::Probe]);
    assert!(play.probed("cat", true, true).contains(&Effect::ContextHolds(true)));
    play.wait(release_ms);
    play.verdict(Verdict::Approved { grant: false })
}

#[test]
fn after_a_slow_release_the_program_is_looked_at_again_before_anything_is_typed() {
    assert!(typed(&released(&mut Play::new(), 50)), "a look just now is enough");

    let mut play = Play::new();
    let out = released(&mut play, 900);
    assert!(!typed(&out) && out.contains(&Effect::Probe), "{out:?}");
    assert!(typed(&play.probed("cat", true, true)));

    // Another process by the same name is another program.
    let mut play = Play::new();
    released(&mut play, 900);
    let other = Probe {
        echo: true,
        canonical: true,
        foreground: Some("cat".to_owned()),
        pid: Some(8),
        ..Probe::default()
    };
    let mut out = Vec::new();
    play.gate.probed(Some(other), play.now, &mut out);
    assert!(!typed(&out), "{out:?}");
    assert!(out.contains(&Effect::Unsent(Unsent::ContextChanged)), "{out:?}");
    assert!(submissions(&out)[0].notes[0].contains("context changed"), "{out:?}");

    // No answer is no yes.
    let mut play = Play::new();
    released(&mut play, 900);
    let out = play.wait(2_000);
    assert!(!typed(&out), "{out:?}");
    assert!(out.contains(&Effect::Unsent(Unsent::ContextChanged)), "{out:?}");
}

#[test]
fn an_interrupt_takes_a_released_item_back_until_it_is_typed() {
    let mut play = Play::new();
    released(&mut play, 900);
    let out = play.agent("\x03");
    assert!(out.contains(&Effect::Unsent(Unsent::Interrupted)), "{out:?}");
    assert!(!typed(&out), "{out:?}");
    assert!(!typed(&play.probed("cat", true, true)));
}

#[test]
fn a_shell_that_does_not_answer_the_check_key_is_delivered_to_by_its_echo() {
    let mut play = Play::new();
    play.agent("ls\r");
    assert!(typed(&play.verdict(Verdict::Approved { grant: false })));
    assert!(play.wait(2_000).contains(&Effect::Type(Const::Interrupt)));
    let out = play.target("^C\r\n\x1b[?2004l<D;130>\x1b[?2004h<A>$ <B>");
    assert!(out.iter().any(|effect| matches!(effect, Effect::Aborted(_))), "{out:?}");

    // The reviewer is told, and `!` might be expanded.
    let out = play.agent("ls\r");
    assert_eq!(submissions(&out)[0].label, expacti_line::session::Label::Unverified);
    let out = play.verdict(Verdict::Approved { grant: false });
    assert!(out.contains(&Effect::TypeItem), "{out:?}");
    assert!(!out.contains(&Effect::Type(Const::CheckKey)), "{out:?}");
    assert!(play.target("ls").contains(&Effect::Type(Const::Return)));
    play.target("\r\n\x1b[?2004l<C>x\r\n<D;0>\x1b[?2004h<A>$ <B>");
    play.agent("echo !!\r");
    let out = play.verdict(Verdict::Approved { grant: false });
    assert!(!typed(&out), "{out:?}");

    // Its answer, should one come, is believed again.
    play.target("<K;-U;>");
    play.agent("echo !!\r");
    let out = play.verdict(Verdict::Approved { grant: false });
    assert!(out.contains(&Effect::Type(Const::CheckKey)), "{out:?}");
}

/// A dash whose prompt was changed.
#[test]
fn a_prompt_that_lost_its_markers_takes_lines_whose_end_is_estimated() {
    let gate = LineGate::new(Nonce::new([7; 16]), 80, 24, History::default(), Duration::ZERO);
    let mut play = Play { gate, now: Duration::ZERO };
    play.target("<H;dash;;/dev/pts/3;99;echo><D;0><A>$ <B>");
    let own = || Some(Probe { echo: true, canonical: true, pid: Some(9), ..Probe::default() });
    for (line, verified) in [("PS1='new$ '", true), ("echo hi!", false)] {
        let mut out = play.agent(&format!("{line}\r"));
        play.gate.probed(own(), play.now, &mut out);
        let submission = submissions(&out)[0];
        assert_eq!(submission.kind, expacti_line::session::Kind::Line, "{out:?}");
        assert_eq!(submission.label == expacti_line::session::Label::Verified, verified);
        let mut out = play.verdict(Verdict::Approved { grant: false });
        play.gate.probed(own(), play.now, &mut out);
        // What is in the terminal already goes first.
        let at = |what| out.iter().position(|effect| *effect == what);
        let (kill, item) = (at(Effect::Type(Const::KillLine)), at(Effect::TypeItem));
        assert!(kill.is_some() && kill < item, "{out:?}");
        let out = play.target(line);
        assert!(out.contains(&Effect::Type(Const::Return)), "{out:?}");
        let out = play.target("\r\nnew$ ");
        assert!(!out.iter().any(|effect| matches!(effect, Effect::Ended(_))));
        let mut out = play.wait(400);
        assert!(out.contains(&Effect::Probe), "{out:?}");
        play.gate.probed(own(), play.now, &mut out);
        assert!(out.contains(&Effect::Ended(None)), "{line}: {out:?}");
    }
}

#[test]
fn while_nothing_happens_nothing_is_due() {
    // No hello; a hello and no prompt; a prompt.
    for said in ["", "<H;bash;5.2;/dev/pts/3;99;check>", "<H;dash;;/dev/pts/3;9;echo><A>$ <B>"] {
        let gate = LineGate::new(Nonce::new([7; 16]), 80, 24, History::default(), Duration::ZERO);
        let mut play = Play { gate, now: Duration::ZERO };
        play.target(said);
        let mut ticks = 0;
        while let Some(at) = play.gate.deadline() {
            play.now = play.now.max(at);
            play.gate.tick(play.now, &mut Vec::new());
            ticks += 1;
            assert!(ticks < 10, "{said}: it spins");
        }
    }
}

#[test]
fn what_was_typed_under_a_grant_without_return_is_told() {
    let mut play = Play::new();
    play.run("cat", true);
    play.target("<C>");
    play.wait(1_000);
    play.probed("cat", true, true);
    assert!(typed(&play.agent("one\rtouch x;")));
    play.gate.end_grant(&mut Vec::new());
    let mut out = play.agent("ls\r");
    out.extend(play.probed("cat", true, true));
    let notes = &submissions(&out)[0].notes;
    assert!(notes.iter().any(|note| note.starts_with("8 bytes typed")), "{notes:?}");
    // Said once: Return ends it.
    play.verdict(Verdict::Approved { grant: false });
    play.wait(400);
    let mut out = play.agent("ls\r");
    out.extend(play.probed("cat", true, true));
    assert!(submissions(&out)[0].notes.is_empty(), "{out:?}");
}

/// An approved line took the markers away.
#[test]
fn the_end_of_a_line_is_estimated_where_the_line_editor_is_back_without_a_marker() {
    let editing = || Some(Probe { pid: Some(99), ..Probe::default() });
    let mut play = Play::new();
    play.run("unset PROMPT_COMMAND", false);
    // A program that asks for a key is no end.
    let out = play.target("key? ");
    assert!(!out.contains(&Effect::Probe) && !play.wait(1_000).contains(&Effect::Probe));
    play.target("\r\n\x1b[?2004h$ ");
    let mut out = play.wait(400);
    assert!(out.contains(&Effect::Probe), "{out:?}");
    play.gate.probed(editing(), play.now, &mut out);
    assert!(out.contains(&Effect::Ended(None)), "{out:?}");
    let mut out = play.agent("ls\r");
    play.gate.probed(editing(), play.now, &mut out);
    assert_eq!(submissions(&out)[0].bytes, b"ls");
}

/// Its prompt goes to a file.
#[test]
fn a_status_without_a_prompt_ends_a_line() {
    let mut play = Play::new();
    play.run("exec 2&-", false);
    play.target("<C><D;3>");
    let mut out = play.wait(400);
    assert!(out.contains(&Effect::Probe), "{out:?}");
    play.gate.probed(Some(Probe { pid: Some(99), ..Probe::default() }), play.now, &mut out);
    assert!(out.contains(&Effect::Ended(Some(3))), "{out:?}");
}
