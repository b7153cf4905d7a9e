//! Witnesses that are asked to cosign the log's head. Whatever they answer, commands do not wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use expacti_audit::{Note, NoteKey, NoteSignature};
use expacti_heads::{AddCheckpoint, check_ed25519};
use futures_util::future::join_all;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tracing::{info, warn};

/// How long a witness may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A witness, as `[[witness]]` of the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Where it is: what stands before `/add-checkpoint`.
    pub url: String,
    /// Its key, `NAME+ID+BASE64`.
    pub key: String,
}

/// All witnesses.
pub(crate) struct Witnesses {
    all: Vec<Asked>,
    /// The head that was cosigned last, and the lines.
    cosigned: Mutex<Option<(String, Vec<NoteSignature>)>>,
}

struct Asked {
    url: Url,
    key: NoteKey,
    http: reqwest::Client,
    /// How many entries the head has that it cosigned last, as far as is known.
    size: Mutex<u64>,
}

/// A head to be cosigned, and how it adds to an earlier one.
pub(crate) trait Proving {
    /// The request that goes on from so many entries; `None` where the log has fewer.
    fn from(&self, old: u64) -> impl Future<Output = Option<AddCheckpoint>> + Send;
}

impl WitnessConfig {
    fn ready(&self) -> Result<Asked, String> {
        let wrong = |what: &str| format!("witness {}: {what}", self.url);
        let key = NoteKey::parse(self.key.trim()).filter(NoteKey::is_witness);
        let key = key.ok_or_else(|| wrong("its key is not NAME+ID+BASE64"))?;
        let url = format!("{}/add-checkpoint", self.url.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its address must begin with https:// or http://"));
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("expacti/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| wrong(&e.without_url().to_string()))?;
        Ok(Asked { url, key, http, size: Mutex::new(0) })
    }

    /// Whether it can be asked.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        self.ready().map(drop)
    }
}

impl Witnesses {
    /// Those that are named.
    ///
    /// # Errors
    /// When one cannot be asked.
    pub(crate) fn new(all: &[WitnessConfig]) -> Result<Self, String> {
        let all = all.iter().map(WitnessConfig::ready).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { all, cosigned: Mutex::default() })
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The cosignatures of a head, as far as they are there.
    pub(crate) fn of(&self, body: &str) -> Vec<NoteSignature> {
        let cosigned = lock(&self.cosigned);
        let known = cosigned.as_ref().filter(|(of, _)| of == body);
        known.map(|(_, lines)| lines.clone()).unwrap_or_default()
    }

    /// Asks those that have not cosigned this head yet, all at once. Returns what they found wrong.
    pub(crate) async fn ask(&self, body: &str, log: &(impl Proving + Sync)) -> Vec<String> {
        let known = self.of(body);
        let missing = self.all.iter().filter(|asked| {
            let note = Note { body: body.to_owned(), signatures: known.clone() };
            !note.is_signed_by(&asked.key, &check_ed25519)
        });
        let answers =
            join_all(missing.map(|asked| async move { (asked, asked.ask(body, log).await) }));
        let (mut lines, mut refused) = (known, Vec::new());
        for (asked, answer) in answers.await {
            match answer {
                Ok(line) => lines.push(line),
                Err(Failed::Refused(why)) => {
                    let name = asked.key.name();
                    warn!("the witness {name} does not cosign the log: {why}");
                    refused.push(format!("the witness {name} does not cosign the log: {why}"));
                }
                Err(Failed::Unavailable(why)) => {
                    info!("the witness {} cannot be asked: {why}", asked.key.name());
                }
            }
        }
        *lock(&self.cosigned) = Some((body.to_owned(), lines));
        refused
    }
}

enum Failed {
    /// It has looked, and does not.
    Refused(String),
    /// It may, later.
    Unavailable(String),
}

impl Asked {
    async fn ask(&self, body: &str, log: &impl Proving) -> Result<NoteSignature, Failed> {
        let known = *lock(&self.size);
        match self.post(body, log, known).await? {
            Answer::Cosigned(line, size) => {
                *lock(&self.size) = size;
                Ok(line)
            }
            // It has cosigned another head last than was known.
            Answer::Other(size) => match self.post(body, log, size).await? {
                Answer::Cosigned(line, now) => {
                    *lock(&self.size) = now;
                    Ok(line)
                }
                Answer::Other(size) => {
                    Err(Failed::Unavailable(format!("it cosigns another head meanwhile ({size})")))
                }
            },
        }
    }

    async fn post(&self, body: &str, log: &impl Proving, old: u64) -> Result<Answer, Failed> {
        let Some(request) = log.from(old).await else {
            return Err(Failed::Refused(format!(
                "it has seen a head with {old} entries, and the log has fewer: it went back"
            )));
        };
        let unavailable = |e: reqwest::Error| Failed::Unavailable(e.without_url().to_string());
        let sent = self.http.post(self.url.clone()).body(request.text()).send();
        let mut answer = sent.await.map_err(unavailable)?;
        let status = answer.status();
        let is_size = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes() == b"text/x.tlog.size");
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_ANSWER {
                return Err(Failed::Unavailable("its answer is too long".to_owned()));
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        match status {
            StatusCode::OK => match self.line(body, &text) {
                Some(line) => Ok(Answer::Cosigned(line, size_of(body))),
                None => {
                    Err(Failed::Unavailable("its answer is no cosignature by its key".to_owned()))
                }
            },
            StatusCode::CONFLICT if is_size => {
                let size = text.strip_suffix('\n').and_then(|size| size.parse().ok());
                size.map(Answer::Other)
                    .ok_or_else(|| Failed::Unavailable("its answer is no size".to_owned()))
            }
            StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND => {
                let why: String = expacti_protocol::one_line(&text).chars().take(400).collect();
                Err(Failed::Refused(why))
            }
            other => Err(Failed::Unavailable(format!("HTTP status {other}"))),
        }
    }

    /// The line by its key, if that fits the head.
    fn line(&self, body: &str, text: &str) -> Option<NoteSignature> {
        let lines = text.strip_suffix('\n')?.split('\n').map(NoteSignature::parse);
        lines.filter_map(Result::ok).find(|line| {
            let note = Note { body: body.to_owned(), signatures: vec![line.clone()] };
            note.is_signed_by(&self.key, &check_ed25519)
        })
    }
}

enum Answer {
    Cosigned(NoteSignature, u64),
    Other(u64),
}

fn size_of(body: &str) -> u64 {
    body.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
