//! Real agents, unchanged, with a scripted model: what they run on a server is held, whatever
//! sandbox of their own they run it in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

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
        let answer = last.rfind("function_call_output").or(last.rfind("tool_result")).unwrap_or(0);
        let answer: String = last.get(answer..).unwrap_or_default().chars().take(800).collect();
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

/// A sandbox of the agent's own that forbids it to connect to anything, the gate too: nothing runs,
/// and the agent is told what to allow. (If there is a way through such a sandbox, it is held.)
fn held_or_told(t: &Ordinary, agent: impl Fn(&Model) -> Result<Launch>) -> Result<()> {
    let marker = t.marker("sandboxed");
    let command = format!("ssh target 'touch {}'", marker.path().display());
    let model = Model::start(t, "sandboxed", &command)?;
    let mut run = agent(&model)?.limit(LIMIT).spawn()?;
    if t.wait_pending(&mut run).is_ok() {
        ensure!(!marker.exists(), "the command ran before it was decided");
        t.decide_all(&mut run, "deny")?;
        drop(run);
        return held(t, agent);
    }
    let outcome = run.wait()?;
    ensure!(!marker.exists(), "it ran undecided: {}", outcome.describe());
    let said = model.asked();
    ensure!(
        said.contains("exited with code 79") && said.contains("network_access=true"),
        "the agent was not told what to allow: {}",
        outcome.describe()
    );
    Ok(())
}

/// Starts Codex with these options and the scripted model.
fn codex(t: &Ordinary, model: &Model, program: &Path, options: &[&str]) -> Result<Launch> {
    let program = program.display().to_string();
    t.write(
        ".codex/config.toml",
        &format!(
            "model = \"scripted\"\nmodel_provider = \"local\"\n\
                 [model_providers.local]\nname = \"local\"\nwire_api = \"responses\"\n\
                 base_url = \"http://127.0.0.1:{}/v1\"\n",
            model.port
        ),
    )?;
    let start = [&*program, "exec", "--skip-git-repo-check"];
    Ok(t.wrap(&[&start[..], options, &["do it"]].concat()))
}

#[test]
fn codex_without_a_sandbox() -> Result<()> {
    let Some(program) = prerequisites::npm("@openai/codex", "codex") else { return Ok(()) };
    let t = ordinary!();
    held(&t, |model| codex(&t, model, &program, &["-s", "danger-full-access"]))
}

#[test]
fn codex_workspace_write_with_network() -> Result<()> {
    let Some(program) = prerequisites::npm("@openai/codex", "codex") else { return Ok(()) };
    let t = ordinary!();
    held(&t, |model| {
        codex(
            &t,
            model,
            &program,
            &["-s", "workspace-write", "-c", "sandbox_workspace_write.network_access=true"],
        )
    })
}

#[test]
fn codex_workspace_write() -> Result<()> {
    let Some(program) = prerequisites::npm("@openai/codex", "codex") else { return Ok(()) };
    let t = ordinary!();
    held_or_told(&t, |model| codex(&t, model, &program, &["-s", "workspace-write"]))
}

#[test]
fn codex_read_only() -> Result<()> {
    let Some(program) = prerequisites::npm("@openai/codex", "codex") else { return Ok(()) };
    let t = ordinary!();
    held_or_told(&t, |model| codex(&t, model, &program, &["-s", "read-only"]))
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
