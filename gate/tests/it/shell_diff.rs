//! The same lines through the gate, with everything allowed, and in a direct session on the same
//! server: the same output, the same status, the same files, and for single lines the same screen.
//!
//! `EXPACTI_SHELL_LINES=5000 EXPACTI_SHELL_SEED=7 cargo test -p expacti-gate --test it shell_diff`
//! tries more of them than the bounded sample.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use expacti_harness::prerequisites;

use crate::broker::Mode;
use crate::shell_lines::{Case, Rng, env_or, generated, written};
use crate::shell_session::{Screen, Session};
use crate::trial::Trial;

const BASHRC: &str = "\
HISTFILE=\nset +H\nPS1='[$?] $__n ready> '\nPS2='> '\nPS0='<<run>>\\n'\nPROMPT_COMMAND='((++__n))'\n";
const ZSHRC: &str = "\
HISTFILE=\nsetopt prompt_subst nobanghist\nPS1='[%?] $__n ready> '\n\
preexec() { print '<<run>>' }\nprecmd() { ((++__n)) }\n";

/// Sessions at the same time per shell.
const WORKERS: usize = 2;

struct Worker {
    session: Session,
    prompts: u64,
    /// The prompt as it stands now.
    prompt: String,
}

/// What one line led to.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    screen: Vec<String>,
    status: u32,
}

/// `[status] count ready> `
fn prompt(row: &str) -> Option<(u32, u64)> {
    let row = row.strip_suffix(" ready> ")?;
    let (_, row) = row.rsplit_once('[')?;
    let (status, count) = row.split_once("] ")?;
    Some((status.parse().ok()?, count.parse().ok()?))
}

impl Worker {
    async fn new(session: Session, dir: &Path) -> Self {
        let mut worker = Self { session, prompts: 0, prompt: String::new() };
        worker.settle("the first prompt").await.unwrap();
        let line = format!("stty rows 24 cols 80; cd {}", dir.display());
        worker.line(&Case::typed(line)).await.unwrap();
        worker
    }

    /// Waits for the next prompt; leaves an empty screen with it.
    async fn settle(&mut self, what: &str) -> Result<Seen, String> {
        let before = self.prompts;
        let next = |screen: &Screen| {
            let row = screen.before_cursor();
            let (status, count) = prompt(&row)?;
            let rows = (count > before).then(|| screen.rows())?;
            (rows.last()?.as_str() == row.trim_end()).then_some((status, count, row, rows))
        };
        let (status, count, row, screen) =
            tokio::time::timeout(Duration::from_secs(30), self.session.until(next))
                .await
                .map_err(|_| format!("{what}: no prompt in time"))?
                .map_err(|screen| format!("{what}: no prompt in:\n{screen}"))?;
        self.prompts = count;
        self.prompt = row.get(row.rfind('[').unwrap()..).unwrap().to_owned();
        self.session.wipe(&self.prompt);
        Ok(Seen { screen, status })
    }

    async fn line(&mut self, case: &Case) -> Result<Seen, String> {
        self.session.type_in(case.keys()).await;
        self.settle(&format!("{case:?}")).await
    }
}

/// Numbers of processes differ; the rest is compared as it is.
fn tidy(rows: &[String], own: &str) -> Vec<String> {
    let number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let tidy = |row: &String| {
        let row = row.replace(own, "/DIR");
        match row.split_once(' ') {
            Some((job, pid)) if job.starts_with('[') && job.ends_with(']') && number(pid) => {
                format!("{job} PID")
            }
            _ => row,
        }
    };
    rows.iter().map(tidy).collect()
}

/// So many rows that a person reads them.
fn few(rows: &[String]) -> Vec<String> {
    let (head, tail) = rows.split_at(rows.len().min(6));
    let tail = &tail[tail.len().saturating_sub(6)..];
    head.iter().chain(tail).cloned().collect()
}

/// zsh leaves an empty row behind a line that ends with the row.
fn fills_its_row(rows: &[String]) -> bool {
    let echo = rows.iter().take_while(|row| *row != "<<run>>").last();
    echo.is_some_and(|row| row.chars().count() >= 79)
}

/// What the lines printed: behind the mark that the shell puts before the first of them runs.
fn printed(rows: &[String]) -> &[String] {
    match rows.iter().position(|row| row == "<<run>>") {
        Some(at) => &rows[at + 1..],
        None => &rows[rows.len() - 1..],
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                todo.push(path);
            } else {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Runs the cases in two fresh sessions and returns what differs.
async fn compare(trial: &Trial, shell: &str, dir: &Path, cases: &[Case]) -> Vec<String> {
    let (a, b) = (dir.join("a"), dir.join("b"));
    for work in [&a, &b] {
        std::fs::create_dir_all(work).unwrap();
    }
    let name = shell.rsplit('/').next().unwrap();
    let direct = Session::direct(trial, &format!("exec {shell} -c 'exec -a -{name} {shell}'"));
    let (mut gated, mut direct) =
        tokio::join!(Worker::new(Session::gated(trial), &a), Worker::new(direct, &b));
    let mut wrong = Vec::new();
    for case in cases {
        let (left, right) = tokio::join!(gated.line(case), direct.line(case));
        let (left, right) = match (left, right) {
            (Ok(left), Ok(right)) => (left, right),
            (left, right) => {
                let state = |seen: Result<Seen, String>| match seen {
                    Ok(seen) => format!("{:#?}", few(&seen.screen)),
                    Err(error) => error,
                };
                wrong.push(format!(
                    "{case:?}\nstuck: through the gate: {}\ndirect: {}",
                    state(left),
                    state(right)
                ));
                break;
            }
        };
        let (a, b) = (
            tidy(&left.screen, &a.display().to_string()),
            tidy(&right.screen, &b.display().to_string()),
        );
        let same = if case.is_one_line() && !fills_its_row(&a) {
            a == b
        } else {
            printed(&a) == printed(&b)
        };
        if !same || left.status != right.status {
            wrong.push(format!(
                "{case:?}\nthrough the gate: {:#?}\ndirect: {:#?}",
                few(&a),
                few(&b)
            ));
        }
    }
    for worker in [gated, direct] {
        worker.session.leave().await;
    }
    if files(&a) != files(&b) {
        let (a, b) = (files(&a), files(&b));
        let text = |files: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>| {
            files
                .iter()
                .filter(|(name, bytes)| other.get(*name) != Some(bytes))
                .map(|(name, bytes)| format!("{name}: {:?}", String::from_utf8_lossy(bytes)))
                .collect::<Vec<_>>()
        };
        wrong.push(format!("files: gate {:#?}\ndirect {:#?}", text(&a, &b), text(&b, &a)));
    }
    wrong
}

async fn differential(shell: &str) {
    if !prerequisites::program(shell) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".profile"), BASHRC).unwrap();
    std::fs::write(home.path().join(".bashrc"), BASHRC).unwrap();
    std::fs::write(home.path().join(".zshrc"), ZSHRC).unwrap();
    // The direct session is no login shell for sshd, which sets HOME from the account.
    let environment = format!(
        "SetEnv HOME={h} SHELL={shell} SHLVL=1 ZDOTDIR={h} LC_ALL=C.UTF-8",
        h = home.path().display()
    );
    let trial = Trial::with(Mode::Auto, expacti_gate::Limits::default(), &environment).await;
    let Some(trial) = trial else { return };
    let seed = env_or("EXPACTI_SHELL_SEED", 1);
    let wanted = usize::try_from(env_or("EXPACTI_SHELL_LINES", 300)).unwrap();
    let zsh = shell.ends_with("zsh");
    let mut cases = written(zsh);
    let mut rng = Rng::new(seed);
    while cases.len() < wanted {
        cases.push(generated(&mut rng));
    }
    let share = cases.len().div_ceil(WORKERS);
    let work = tempfile::tempdir().unwrap();
    let compared = cases.chunks(share).enumerate().map(|(n, cases)| {
        let dir = work.path().join(n.to_string());
        let trial = &trial;
        async move { compare(trial, shell, &dir, cases).await }
    });
    let wrong = futures_util::future::join_all(compared).await.concat();
    assert!(
        wrong.is_empty(),
        "{shell}, seed {seed}: {} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
    // Each went through review, as one item, as it was typed.
    let items = trial.broker.items();
    let held = items.iter().map(|item| item.submission.text.command.as_str());
    let held: Vec<&str> = held.filter(|line| !line.starts_with("stty rows 24")).collect();
    let other: Vec<&&str> =
        held.iter().filter(|line| !cases.iter().any(|case| case.text() == **line)).collect();
    assert!(other.is_empty(), "{shell}: nobody typed {other:#?}");
    assert_eq!(held.len(), cases.len(), "{shell}");
}

#[tokio::test]
async fn bash_runs_lines_as_it_does_without_the_gate() {
    differential("/bin/bash").await;
}

#[tokio::test]
async fn zsh_runs_lines_as_it_does_without_the_gate() {
    differential("/usr/bin/zsh").await;
}
