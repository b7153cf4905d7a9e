//! Proofs of requests to the broker: by the reviewer's key, and by the PIN that the screen asks for.

use std::sync::Arc;

use expacti_protocol::proof::{Pin, Proof, ProofNeeded, ProvenRequest, Prover};
use expacti_signing::SigningKey;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

/// Where the PIN goes that was asked for; none if the reviewer does not give it.
pub(crate) type PinAsked = oneshot::Sender<Option<Pin>>;

/// Asks the reviewer's key, and the reviewer.
#[derive(Debug)]
pub(crate) struct ScreenProver {
    pub(crate) key: Option<Arc<SigningKey>>,
    pub(crate) screen: mpsc::Sender<PinAsked>,
}

impl ScreenProver {
    async fn pin(&self) -> Option<Pin> {
        let (give, given) = oneshot::channel();
        self.screen.send(give).await.ok()?;
        given.await.ok().flatten()
    }
}

impl Prover for ScreenProver {
    fn prove<'a>(
        &'a self,
        needed: &'a ProofNeeded,
        request: &'a ProvenRequest,
    ) -> BoxFuture<'a, Result<Proof, String>> {
        async move {
            let mut proof = Proof::default();
            if needed.pin {
                proof.pin = Some(self.pin().await.ok_or("no PIN was given")?);
            }
            if needed.signature {
                let key = self.key.as_ref().ok_or_else(|| {
                    format!("{} signs what they change, and no key is set here", needed.person)
                })?;
                proof.signed = Some(expacti_signing::prove(key, needed, request).await?);
            }
            Ok(proof)
        }
        .boxed()
    }
}
