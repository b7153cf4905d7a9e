//! The broker's word for the wrap: the token, and that the wrapped program's namespace is known.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use expacti_protocol::client::{Client, ClientError, Endpoint};
use expacti_protocol::uplink::{WrapGrant, WrapNamespace, WrapRegistration};

use crate::error::WrapError;

/// The wrap as the broker knows it.
pub(crate) struct Registered {
    broker: PathBuf,
    registration: WrapRegistration,
    state: Mutex<State>,
}

struct State {
    token: String,
    /// A process in the wrapped program's namespace.
    inside: Option<u32>,
}

impl Registered {
    /// Announces the wrap.
    pub(crate) fn new(broker: PathBuf, registration: WrapRegistration) -> Result<Self, WrapError> {
        let token = register(&broker, &registration)?;
        Ok(Self { broker, registration, state: Mutex::new(State { token, inside: None }) })
    }

    /// The token now.
    pub(crate) fn token(&self) -> String {
        self.lock().token.clone()
    }

    /// Announces the wrap again to a broker that does not know `token` any more: it was started
    /// anew. Returns the new token.
    pub(crate) fn renew(&self, token: &str) -> Result<String, WrapError> {
        let mut state = self.lock();
        // Another connection may have done so in between.
        if state.token == token {
            let new = register(&self.broker, &self.registration)?;
            if let Some(pid) = state.inside {
                let namespace = WrapNamespace { token: new.clone(), pid };
                let _: serde_json::Value = post(&self.broker, "/v1/wraps/namespace", &namespace)?;
            }
            state.token = new;
        }
        Ok(state.token.clone())
    }

    /// Makes the namespace of `pid` known, once. False when one is known already.
    pub(crate) fn enter(&self, pid: u32) -> Result<bool, WrapError> {
        let mut state = self.lock();
        if state.inside.is_some() {
            return Ok(false);
        }
        let namespace = WrapNamespace { token: state.token.clone(), pid };
        let _: serde_json::Value = post(&self.broker, "/v1/wraps/namespace", &namespace)?;
        state.inside = Some(pid);
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register(broker: &std::path::Path, wrap: &WrapRegistration) -> Result<String, WrapError> {
    let grant: WrapGrant = post(broker, "/v1/wraps", wrap)?;
    Ok(grant.token)
}

fn post<T: serde::de::DeserializeOwned>(
    broker: &std::path::Path,
    path: &str,
    body: &impl serde::Serialize,
) -> Result<T, WrapError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(WrapError::io("start the runtime"))?;
    let answer: Result<T, ClientError> = runtime.block_on(async {
        // No token: on this socket the broker knows its owner by the uid.
        Client::new(Endpoint::unix(broker))?.post(path, body).await
    });
    Ok(answer?)
}
