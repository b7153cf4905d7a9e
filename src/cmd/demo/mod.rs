//! `expacti demo`: the whole pipeline in one terminal. Broker, gate and reviewer's screen are the
//! real ones; the agents are scripted, and the target is simulated. Everything lives in one
//! temporary directory and in this process, and ends with it.

mod agent;
mod failed;
mod script;
mod target;

use std::sync::Arc;
use std::time::Duration;

use expacti_broker::{Broker, BrokerConfig, LogVerdict, Peer};
use expacti_engine::{Effect, MatchKind, Rule};
use expacti_gate::{Gate, GateConfig, load_or_create_host_key};
use expacti_protocol::client::{Client, Endpoint, Token};
use expacti_protocol::home::Home;
use expacti_protocol::http::DecisionBody;
use expacti_protocol::principal::Role;
use expacti_protocol::uplink::{Isolation, WrapRegistration};
use expacti_tui::ReviewOptions;
use tokio_util::sync::CancellationToken;

use self::failed::failed;
use crate::failure::{Failure, Outcome};
use crate::{installation, print};

/// The text at the top of the screen.
const BANNER: &str = "demo · two scripted agents, a simulated target · a allow · d deny · ? keys · \
                      q quit and leave nothing behind";

/// Runs the demo until the reviewer quits.
pub(crate) fn run(unattended: bool) -> Outcome {
    use std::io::IsTerminal as _;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !unattended && !terminal {
        return Err(Failure::usage("the demo needs a terminal to show the reviewer's screen in"));
    }
    installation::restrict_umask();
    let dir = tempfile::Builder::new()
        .prefix("expacti-demo-")
        .tempdir()
        .map_err(failed("make a temporary directory"))?;
    let result = crate::runtime::start()?.block_on(play(&Home::at(dir.path()), unattended));
    dir.close().map_err(failed("remove its temporary directory"))?;
    result
}

async fn play(home: &Home, unattended: bool) -> Outcome {
    installation::create_dirs(home)?;
    let stop = CancellationToken::new();
    let broker =
        Broker::open(BrokerConfig::of_home(home)).await.map_err(failed("start the broker"))?;
    for (kind, pattern) in script::RULES {
        broker.add_rule(owner(), rule(*kind, pattern)).await.map_err(failed("add a rule"))?;
    }
    let broker_socket = installation::bind(&home.broker_socket(), installation::For::Owner)?;
    let gate_socket = installation::bind(&home.gate_socket(), installation::For::Owner)?;
    let (serving, inner) = (broker.clone(), stop.clone());
    tokio::spawn(async move { serving.serve_unix(broker_socket, inner).await });

    let host_key =
        load_or_create_host_key(&home.keys().join("gate_ed25519")).map_err(failed("make a key"))?;
    let gate_key = host_key.public_key().clone();
    let token = broker.local_gate_token().map_err(failed("start the gate"))?;
    let endpoint = Endpoint::unix(home.broker_socket());
    let gate =
        Gate::new(GateConfig::new(host_key, endpoint.clone().with_token(Some(Token::new(&token)))))
            .map_err(failed("start the gate"))?;
    let inner = stop.clone();
    let gating = tokio::spawn(async move {
        let _ = gate.serve_unix(gate_socket, inner).await;
    });

    let target = Arc::new(target::start(home, stop.clone()).await?);
    let mut working = tokio::task::JoinSet::new();
    for script in script::AGENTS {
        // The agents live in this process and run nothing.
        let wrap = WrapRegistration {
            agent: script.agent.to_owned(),
            isolation: Isolation::Client,
            ..WrapRegistration::default()
        };
        let token = broker.local_wrap_token(wrap).map_err(failed("announce an agent"))?;
        let (uplink, gate_key) = (target.uplink(script, token), gate_key.clone());
        let (socket, stop) = (home.gate_socket(), stop.clone());
        working.spawn(agent::play(socket, gate_key, uplink, script, stop, unattended));
    }

    let result = if unattended {
        tokio::select! {
            result = decide(&endpoint) => result,
            () = async { while working.join_next().await.is_some() {} } => {
                let sound = broker.verify_audit().await.map_err(failed("read the log"))?;
                match sound {
                    LogVerdict::Whole(summary) => print::line(&format!("{} entries in a whole log", summary.entries)).map_err(Into::into),
                    LogVerdict::Broken(fault) => Err(failed("keep its log")(fault)),
                }
            }
        }
    } else {
        let options = ReviewOptions {
            banner: Some(BANNER.to_owned()),
            notify: false,
            no_color: std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
            ..ReviewOptions::new(endpoint)
        };
        expacti_tui::review(options).await.map_err(Failure::from)
    };
    stop.cancel();
    working.shutdown().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), gating).await;
    broker.close().await;
    result.map(|()| 0)
}

fn owner() -> Peer {
    Peer { name: "demo".to_owned(), role: Role::Owner, inside_wrap: false }
}

fn rule(kind: MatchKind, pattern: &str) -> Rule {
    Rule { reason: Some("only looks".to_owned()), ..Rule::new("", kind, pattern, Effect::Allow) }
}

/// A scripted reviewer, for trying the demo without a person: allows below HIGH, denies the rest.
async fn decide(endpoint: &Endpoint) -> Result<(), Failure> {
    let client = Client::new(endpoint.clone())?;
    loop {
        let pending: Vec<expacti_protocol::command::CommandView> =
            client.get("/v1/pending").await?;
        for command in pending {
            let allow = command.level < expacti_engine::Level::High;
            let comment = (!allow).then(|| "too risky for the demo".to_owned());
            let body = DecisionBody {
                allow,
                comment,
                sha256: Some(command.sha256),
                grant: None,
                input: None,
                input_grant: None,
                trust: false,
                statement: None,
                signature: None,
                pin: None,
            };
            let path = format!("/v1/commands/{}/decision", command.id);
            let _: serde_json::Value = client.post(&path, &body).await?;
            print::line(&format!(
                "{:5} {:3} {}  {}",
                if allow { "allow" } else { "deny" },
                command.risk_score,
                print::level(command.level),
                print::safe(&command.text.command)
            ))?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
