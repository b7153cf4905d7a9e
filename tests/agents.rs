//! Real agents, unchanged, with a scripted model: what they run on a server is held, whatever
//! sandbox of their own they run it in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Launch, Marker, Ordinary, Run, ordinary, prerequisites, until};

/// An agent may think long about the few words it gets.
const LIMIT: Duration = Duration::from_secs(120);

/// The model's server; ends with the test.
struct Model {
    port: u16,
    log: PathBuf,
    _server: Run,
}

impl Model {
    /// Starts one that has the agent run `command`.
    fn start(t: &Ordinary, name: &str, command: &str) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model_server.py");
        let file = t.dir().join(name);
        let args: Vec<OsString> = vec![script.into(), file.clone().into(), command.into()];
        let server = Launch::of("python3", &args).spawn()?;
        let port = until("the model's port", || Ok(fs::read_to_string(&file).ok()))?;
        let log = file.with_extension("log");
        Ok(Self { port: port.parse().context("not a port")?, log, _server: server })
    }

    /// What the agent sent.
    fn asked(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Starts an agent that runs a command on the target; gives it when that is held.
fn start(
    t: &Ordinary,
    name: &str,
    agent: impl Fn(&Model) -> Result<Launch>,
) -> Result<(Run, Marker, Model)> {
    let marker = t.marker(name);
    let model = Model::start(t, name, &format!("ssh target 'touch {}'", marker.path().display()))?;
    let mut run = agent(&model)?.limit(LIMIT).spawn()?;
    if let Err(error) = t.wait_pending(&mut run) {
        let ran = if marker.exists() { "ran undecided" } else { "did not run" };
        let said = if run.running()? { String::new() } else { run.wait()?.describe() };
        let asked = model.asked();
        let last = asked.lines().last().unwrap_or_default();
        let answer = last.rfind("_output").or(last.rfind("tool_result")).unwrap_or(0);
        let answer = last.get(answer..).unwrap_or_default();
        return Err(error).with_context(|| format!("the command {ran}: {said}; it saw {answer}"));
    }
    ensure!(!marker.exists(), "the command ran before it was decided");
    Ok((run, marker, model))
}

/// Allowed it runs, denied it never does and the agent is told.
fn held(t: &Ordinary, agent: impl Fn(&Model) -> Result<Launch>) -> Result<()> {
    let (mut run, marker, _model) = start(t, "allowed", &agent)?;
    t.decide_all(&mut run, "allow")?;
    let outcome = run.wait()?;
    outcome.expect_code(0)?;
    ensure!(marker.exists(), "it was allowed and did not run: {}", outcome.describe());

    let (mut run, marker, model) = start(t, "denied", &agent)?;
    t.decide_all(&mut run, "deny")?;
    let outcome = run.wait()?;
    ensure!(!marker.exists(), "it was denied and ran: {}", outcome.describe());
    ensure!(model.asked().contains("expacti: command denied"), "the agent was not told");
    Ok(())
}

fn codex(mode: &str) -> Result<()> {
    let Some(program) = prerequisites::npm("@openai/codex", "codex") else { return Ok(()) };
    let program = program.display().to_string();
    let t = ordinary!();
    held(&t, |model| {
        t.write(
            ".codex/config.toml",
            &format!(
                "model = \"scripted\"\nmodel_provider = \"local\"\n\
                 [model_providers.local]\nname = \"local\"\nwire_api = \"responses\"\n\
                 base_url = \"http://127.0.0.1:{}/v1\"\n",
                model.port
            ),
        )?;
        Ok(t.wrap(&[&program, "exec", "--skip-git-repo-check", "-s", mode, "do it"]))
    })
}

#[test]
fn codex_read_only() -> Result<()> {
    codex("read-only")
}

#[test]
fn codex_workspace_write() -> Result<()> {
    codex("workspace-write")
}

#[test]
fn codex_without_a_sandbox() -> Result<()> {
    codex("danger-full-access")
}

#[test]
fn claude_code() -> Result<()> {
    let Some(program) = prerequisites::npm("@anthropic-ai/claude-code", "claude") else {
        return Ok(());
    };
    let program = program.display().to_string();
    let t = ordinary!();
    held(&t, |model| {
        Ok(t.wrap(&[&program, "-p", "--dangerously-skip-permissions", "do it"])
            .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", model.port))
            .env("ANTHROPIC_API_KEY", "scripted")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"))
    })
}
