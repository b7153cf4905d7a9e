//! Sequences of keys against real shells through the gate: whatever is typed, in whatever pieces,
//! at whatever reads it, nothing happens on the target that the broker did not allow.
//!
//! `scripts/fuzz-shell 20000` runs so many; the tests run a bounded sample.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::broker::Mode;
use crate::shell_lines::{Rng, env_or};
use crate::shell_session::Session;
use crate::trial::Trial;

/// What reads the keys: a line that is allowed first, and what it shows then.
const PLACES: &[(&str, &str)] = &[
    ("", "ready> "),
    ("", "ready> "),
    ("", "ready> "),
    ("", "ready> "),
    ("PS1='inner> ' bash --norc", "inner> "),
    ("PS1='inner> ' zsh -f", "inner> "),
    ("PS1='inner> ' sh", "inner> "),
    ("echo go-$((40+2)); cat > /dev/null", "go-42"),
    ("echo go-$((40+2)); sleep 1000", "go-42"),
    ("echo go-$((40+2)); read -rs x", "go-42"),
    ("stty -echo; PS1='inner> ' sh", "inner> "),
    ("set -o vi; PS1='vi> '", "vi> "),
    ("python3 -q -i -c 'import sys; sys.ps1 = \"py%s> \" % 3'", "py3>"),
    ("stty raw -echo; echo go-$((40+2)); head -c 2000 > /dev/null; stty sane", "go-42"),
    ("less /etc/passwd", "root:"),
];

/// Sequences in a row at the same place.
const ROUND: usize = 20;

/// `%` stands for the marker's path.
const PIECES: &[&str] = &[
    "touch %",
    "touch %",
    "touch %",
    "touch %\r",
    "touch %\n",
    ";touch %",
    "$(touch %)",
    "`touch %`",
    "\ntouch %\n",
    "$(touch %)\t",
    "!touch %",
    "!!",
    "!t",
    "!!\r",
    "^a^touch^",
    "echo a",
    "echo 'a",
    "\"",
    "'",
    "(",
    ")",
    "{",
    "}",
    "<<E\n",
    "\nE\n",
    "\\\r",
    "\\",
    "#",
    "&",
    "|",
    ";",
    " ",
    "if true\r",
    "fi\r",
    "true\r",
    "true\n",
    "a",
    "ä",
    "漢",
    "e\u{301}",
    "\u{202e}",
    "\u{200b}",
    "\u{85}",
    "\u{2028}",
    "\x1b[200~",
    "\x1b[201~",
    "\x1b[200~touch %\x1b[201~",
    "\x1b[200~touch %\n\x1b[201~",
    "\x1b[200~a\r\x1b[201~",
    "\x1b[201~\r",
    "\x1b[20",
    "0~",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[H",
    "\x1b[F",
    "\x1b[3~",
    "\x1b[1;5D",
    "\x1bOA",
    "\x1bOB",
    "\x1bOM",
    "\x1bOP",
    "\x1b[24;80R",
    "\x1b[?1;2c",
    "\x1b]0;touch %\x07",
    "\x1b]0;touch %\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x1b_x\x1b\\",
    "\x1b^x\x1b\\",
    "\x1bX",
    "\x1b[M\r\r\r",
    "\x1b[<0;1;1M",
    "\x1b[[A",
    "\x1b",
    "\x1b\r",
    "\x1b\n",
    "\x1b\x1b",
    "\x1bb",
    "\x1bf",
    "\x1b.",
    "\x1b_",
    "\x1b*",
    "\x1b\x08",
    "\x1b\x7f",
    "\x1b#",
    "\x1b1",
    "\u{9b}",
    "\r",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\t\t",
    "\x00",
    "\x01",
    "\x02",
    "\x03",
    "\x03\r",
    "\x05",
    "\x06",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x0f",
    "\x10",
    "\x11",
    "\x12",
    "\x12t\r",
    "\x13",
    "\x14",
    "\x15",
    "\x16",
    "\x16\r",
    "\x16\x03",
    "\x17",
    "\x18",
    "\x18\x05",
    "\x18\x1f",
    "\x18\x18",
    "\x18*",
    "\x18\x0e",
    "\x19",
    "\x1a",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x7f",
    "\x7f\x7f\x7f\x7f",
];

fn sequence(rng: &mut Rng, marker: &str) -> Vec<u8> {
    let mut keys = Vec::new();
    for _ in 0..1 + rng.below(8) {
        match rng.below(12) {
            // Any byte, C1 controls and broken UTF-8 among them.
            0 => keys.push(u8::try_from(rng.below(256)).unwrap()),
            1 => {
                let kind = rng.of(&["\x1b[", "\x1bO", "\x1b[?", "\x1b[<", "\x1b]"]);
                let end = char::from(u8::try_from(0x40 + rng.below(0x3f)).unwrap());
                keys.extend(format!("{kind}{}{end}", rng.below(300)).into_bytes());
            }
            _ => keys.extend(rng.of(PIECES).replace('%', marker).into_bytes()),
        }
    }
    keys
}

/// Ends what may be open: a paste, a string.
const CLOSE: &str = "\x1b[201~\x07\x1b\\";

/// What was typed is taken in: the line behind it is held, by itself or at the end of an unclosed
/// one. A construct that is still open is thrown away, as with it whatever still waits.
async fn settle(trial: &Trial, session: &mut Session, end: &str, patience: Duration) -> bool {
    session.type_in(format!("{CLOSE}\r{end}\r")).await;
    if trial.broker.submitted(end, Duration::from_millis(200)).await {
        return true;
    }
    // A delivery that was given up throws away what was typed ahead, too.
    let begun = Instant::now();
    while begun.elapsed() < patience {
        session.type_in(format!("{CLOSE}\x03{CLOSE}{end}\r")).await;
        let wait = patience.min(Duration::from_secs(3));
        if trial.broker.submitted(end, wait).await {
            return true;
        }
    }
    false
}

async fn begin(trial: &Trial, (line, shown): (&str, &str)) -> Session {
    let mut session = Session::gated(trial);
    session.rests_at("ready> ").await;
    if !line.is_empty() {
        session.type_in(format!("{line}\r")).await;
        session.sees(shown).await;
    }
    session
}

async fn fuzz(shell: &str, mode: Mode) {
    let Some(trial) = Trial::with_shell(Mode::Auto, shell).await else { return };
    let seed = env_or("EXPACTI_FUZZ_SEED", 1) ^ shell.len() as u64 ^ ((mode as u64) << 8);
    let wanted = usize::try_from(env_or("EXPACTI_FUZZ_SHELL", 100)).unwrap();
    let mut rng = Rng::new(seed);
    let dir = trial.path("markers");
    std::fs::create_dir(&dir).unwrap();
    let mut done = 0;
    let mut held = 0;
    while done < wanted {
        let place = PLACES[if done == 0 { 0 } else { rng.below(PLACES.len()) }];
        trial.broker.set_mode(Mode::Auto);
        let mut session = begin(&trial, place).await;
        trial.broker.set_mode(mode);
        let before = trial.broker.items().len();
        // A program may read on without an end, but not the shell.
        let patience = Duration::from_millis(if place.0.is_empty() { 20_000 } else { 300 });
        let mut typed = Vec::new();
        for n in 0..ROUND.min(wanted - done) {
            let marker = dir.join(format!("m{}", done + n)).display().to_string();
            let keys = sequence(&mut rng, &marker);
            if rng.below(3) == 0 {
                for byte in &keys {
                    session.type_in([*byte]).await;
                }
            } else {
                let cut = rng.below(keys.len() + 1);
                session.type_in(&keys[..cut]).await;
                tokio::task::yield_now().await;
                session.type_in(&keys[cut..]).await;
            }
            typed.push(String::from_utf8_lossy(&keys).into_owned());
            let end = format!("true end-{}-{}", done + n, shell.len());
            let settled = settle(&trial, &mut session, &end, patience).await;
            assert!(
                settled || !place.0.is_empty(),
                "{shell} {mode:?} seed {seed}: {end} never came after {typed:#?}\n{}",
                session.screen()
            );
            if !settled {
                break;
            }
        }
        done += typed.len();
        session.leave().await;
        trial.broker.sessions_closed().await;
        held += trial.broker.items().len() - before;
        let found: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(
            found.is_empty(),
            "{shell} {mode:?} seed {seed} at {place:?}: {found:?} after {typed:#?}"
        );
    }
    assert!(held > wanted, "{shell} {mode:?} seed {seed}: only {held} items of {wanted} sequences");
    // The markers would have been seen.
    trial.broker.set_mode(Mode::Auto);
    let mut session = begin(&trial, PLACES[0]).await;
    let n = trial.broker.items().len();
    session.type_in(format!("touch {}\r", dir.join("m").display())).await;
    let item = trial.broker.item(n).await;
    trial.broker.outcome(&item.id).await;
    assert!(Path::new(&dir.join("m")).exists());
    session.leave().await;
}

#[tokio::test]
async fn nothing_happens_when_all_is_denied_bash() {
    fuzz("/bin/bash", Mode::Deny).await;
}

#[tokio::test]
async fn nothing_happens_when_all_is_denied_zsh() {
    fuzz("/usr/bin/zsh", Mode::Deny).await;
}

/// Whatever does not say `touch` is allowed: nothing that says it slips through beside it.
#[tokio::test]
async fn nothing_happens_beside_what_is_allowed_bash() {
    fuzz("/bin/bash", Mode::Sift).await;
}

#[tokio::test]
async fn nothing_happens_beside_what_is_allowed_zsh() {
    fuzz("/usr/bin/zsh", Mode::Sift).await;
}
