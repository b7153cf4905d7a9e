//! `expacti audit witness`, `audit key`: others that cosign the heads of a log.

use expacti_audit::NoteKey;
use expacti_broker::serve_witness;
use expacti_gate::load_or_create_host_key;
use expacti_heads::{HeadMemory, Witness, read_ed25519};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::broker::Link;
use crate::cli::WitnessArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{daemon, print};

/// `expacti audit key`.
pub(super) async fn key(link: &Link, json: bool) -> Outcome {
    let head = HeadMemory::present(&link.client).await?;
    let head = head.ok_or_else(|| {
        Failure::failed("the log has no entry yet, and with it no name: it gets one with the first session or rule")
    })?;
    let public = read_ed25519(&head.key);
    let public = public.ok_or_else(|| Failure::failed("the broker's key is no Ed25519 key"))?;
    let key = NoteKey::of_log(&head.origin, public).text();
    if json {
        print::json(
            &serde_json::json!({"key": key, "origin": head.origin, "public_key": head.key}),
        )?;
    } else {
        print::line(&key)?;
    }
    Ok(0)
}

/// `expacti audit witness`.
pub(super) async fn serve(config: &Config, args: WitnessArgs) -> Outcome {
    let read = |text: &String| {
        NoteKey::parse(text.trim()).filter(|key| !key.is_witness()).ok_or_else(|| {
            Failure::usage(format!(
                "{text:?} is no key of a log: take what `expacti audit key` prints"
            ))
        })
    };
    let logs = args.log.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    crate::runtime::log_to_stderr();
    crate::installation::create_dirs(&config.home)?;
    let path = args.key.unwrap_or_else(|| config.home.keys().join("witness_ed25519"));
    let key = load_or_create_host_key(&path).map_err(|e| Failure::failed(e.to_string()))?;
    let name = args.name.unwrap_or_else(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim().to_owned()
    });
    let witness = Witness::new(&name, key, logs, config.home.heads_cosigned())
        .map_err(|e| Failure::failed(format!("failed to be a witness: {e}")))?;
    let listen = &args.listen;
    let failed = |e: std::io::Error| Failure::failed(format!("failed to listen on {listen}: {e}"));
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr()?;
    print::line(&witness.key().text())?;
    print::note(&format!("the witness listens on http://{address}; its key is printed above"));
    let stop = CancellationToken::new();
    let serving = serve_witness(witness, listener, stop.clone());
    tokio::select! {
        served = serving => served.map_err(|e| Failure::failed(format!("failed to serve: {e}")))?,
        () = daemon::wait_for_stop(&stop) => {}
    }
    Ok(0)
}
