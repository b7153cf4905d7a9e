//! Proofs of requests to the broker: by the key of the configuration, and by the PIN, typed at the
//! terminal.

use std::path::PathBuf;

use expacti_protocol::proof::{Pin, Proof, ProofNeeded, ProvenRequest, Prover};
use expacti_signing::SigningKey;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::print;

/// Asks whoever sits at the terminal, and their key.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) key: Option<PathBuf>,
}

impl Prover for Terminal {
    fn prove<'a>(
        &'a self,
        needed: &'a ProofNeeded,
        request: &'a ProvenRequest,
    ) -> BoxFuture<'a, Result<Proof, String>> {
        async move {
            let mut proof = Proof::default();
            if needed.pin {
                proof.pin = Some(ask(&format!("PIN of {}: ", print::safe(&needed.person))).await?);
            }
            if needed.signature {
                let path = self.key.as_ref().ok_or_else(|| {
                    format!(
                        "{} signs what they change; name the key in config.toml: signing_key = \"FILE\"",
                        print::safe(&needed.person)
                    )
                })?;
                let key = SigningKey::load(path).map_err(|error| error.to_string())?;
                if key.needs_touch() {
                    print::note(&format!("touch your key: {} {}", request.method, request.path));
                }
                proof.signed = Some(expacti_signing::prove(&key, needed, request).await?);
            }
            Ok(proof)
        }
        .boxed()
    }
}

/// A PIN from the terminal itself, whatever standard input is; it is not shown.
pub(crate) async fn ask(prompt: &str) -> Result<Pin, String> {
    let prompt = prompt.to_owned();
    let asked = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt)).await;
    let typed = asked.map_err(|e| e.to_string())?;
    let typed = typed
        .map_err(|e| format!("the PIN is typed at a terminal, which cannot be opened: {e}"))?;
    Ok(Pin::new(&typed))
}
