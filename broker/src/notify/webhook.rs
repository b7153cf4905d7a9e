//! Sends notices over HTTP: signed, retried for a while, and given up. It must never follow a
//! redirect with a secret, nor log an address that is one.

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::hmac;
use backon::{ExponentialBuilder, Retryable as _};
use expacti_engine::Level;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::message;
use super::notice::{Event, Notice, test_notice};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the body is made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A Discord webhook.
    Discord,
    /// A JSON document, signed when there is a secret.
    #[default]
    Json,
    /// A topic of an ntfy server; the secret is an access token.
    Ntfy,
    /// A Slack (or Mattermost) incoming webhook.
    Slack,
    /// A Telegram bot; the secret is its token.
    Telegram,
}

/// One receiver, as `[[webhook]]` of the configuration describes it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What `expacti webhook test` and the log call it.
    #[serde(default)]
    pub name: Option<String>,
    /// Where to send. For Telegram `https://api.telegram.org`.
    #[serde(default)]
    pub url: Option<String>,
    /// A file that holds the address, where that is a secret (Slack, Discord).
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What the body is made for.
    #[serde(default)]
    pub format: Format,
    /// A file that holds the secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// The chat of a Telegram bot.
    #[serde(default)]
    pub chat: Option<String>,
    /// Only from this level on.
    #[serde(default)]
    pub min_level: Option<Level>,
    /// Of what; what waits, unless said otherwise.
    #[serde(default = "pending")]
    pub events: Vec<Event>,
}

fn pending() -> Vec<Event> {
    vec![Event::Pending]
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Why a webhook cannot be used, or a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The configuration says what cannot be.
    #[error("{0}")]
    Config(String),
    /// The receiver refused for good.
    #[error("the receiver answered {0}")]
    Refused(StatusCode),
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
}

/// A webhook ready to send.
struct Sender {
    hook: Webhook,
    url: Url,
    secret: Option<String>,
    review: Option<String>,
    http: reqwest::Client,
}

impl Webhook {
    /// Its name, or its host: the rest of an address may be a secret.
    #[must_use]
    pub fn label(&self) -> String {
        let host = || {
            let url = Url::parse(self.url.as_deref()?).ok()?;
            url.host_str().map(str::to_owned)
        };
        self.name
            .clone()
            .or_else(host)
            .unwrap_or_else(|| format!("{:?}", self.format).to_lowercase())
    }

    /// Whether it can be used: address, secret and what its format needs are there.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check(&self) -> Result<(), WebhookError> {
        self.ready(None).map(drop)
    }

    /// Sends a test message, once; `review_url` as in the configuration.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn test(&self, review_url: Option<&str>) -> Result<(), WebhookError> {
        let sender = self.ready(review_url)?;
        sender.deliver(&test_notice(), &delivery_id()?).await
    }

    fn ready(&self, review_url: Option<&str>) -> Result<Sender, WebhookError> {
        let wrong =
            |what: String| WebhookError::Config(format!("webhook {}: {what}", self.label()));
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path)
                .map_err(|e| wrong(format!("failed to read {}: {e}", path.display())))?;
            let text = text.trim().to_owned();
            if text.is_empty() {
                Err(wrong(format!("{} is empty", path.display())))
            } else {
                Ok(text)
            }
        };
        let url = match (&self.url, &self.url_file) {
            (Some(url), None) => url.clone(),
            (None, Some(path)) => read(path)?,
            _ => return Err(wrong("one of url and url_file is needed".to_owned())),
        };
        let mut url = Url::parse(&url).map_err(|e| wrong(format!("its address: {e}")))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let loopback = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(wrong("its address must begin with https://".to_owned()));
        }
        let secret = match (&self.secret_file, &self.secret_env) {
            (Some(path), None) => Some(read(path)?),
            (None, Some(name)) => Some(
                std::env::var(name)
                    .ok()
                    .filter(|value| !value.trim().is_empty())
                    .ok_or_else(|| wrong(format!("the variable {name} is not set")))?
                    .trim()
                    .to_owned(),
            ),
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(wrong("secret_file and secret_env: one is enough".to_owned()));
            }
        };
        if self.format == Format::Telegram {
            let token = secret.as_deref().ok_or_else(|| {
                wrong("telegram needs the bot's token in secret_file or secret_env".to_owned())
            })?;
            if self.chat.is_none() {
                return Err(wrong("telegram needs chat, the id of a chat".to_owned()));
            }
            let path = format!("{}/bot{token}/sendMessage", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("expacti/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| wrong(format!("no HTTP client: {}", e.without_url())))?;
        Ok(Sender { hook: self.clone(), url, secret, review: review_url.map(str::to_owned), http })
    }

    fn wants(&self, notice: &Notice) -> bool {
        self.events.contains(&notice.event)
            && self.min_level.is_none_or(|level| notice.command.level >= level)
    }
}

/// Sends what comes, one after the other, until the other end is gone.
pub(super) async fn serve(
    hook: Webhook,
    review: Option<String>,
    mut notices: mpsc::Receiver<Notice>,
) {
    let sender = match hook.ready(review.as_deref()) {
        Ok(sender) => sender,
        Err(e) => {
            warn!("{e}: nothing is sent to it");
            return;
        }
    };
    while let Some(notice) = notices.recv().await {
        if !hook.wants(&notice) || sender.is_stale(&notice) {
            continue;
        }
        if let Err(e) = sender.deliver_with_patience(&notice).await {
            warn!("the webhook {} did not take a message: {e}", hook.label());
        }
    }
}

fn delivery_id() -> Result<String, WebhookError> {
    let mut raw = [0_u8; 16];
    getrandom::fill(&mut raw).map_err(|e| WebhookError::Unavailable(e.to_string()))?;
    Ok(hex::encode(raw))
}

impl Sender {
    /// A request for a decision nobody can make any more.
    fn is_stale(&self, notice: &Notice) -> bool {
        notice.event == Event::Pending
            && notice.command.deadline_ms <= expacti_protocol::now_micros() / 1000
    }

    async fn deliver_with_patience(&self, notice: &Notice) -> Result<(), WebhookError> {
        let id = delivery_id()?;
        (|| self.deliver(notice, &id))
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(Duration::from_millis(500))
                    .with_max_delay(Duration::from_secs(30))
                    .with_max_times(6)
                    .with_jitter(),
            )
            .when(|e| matches!(e, WebhookError::Unavailable(_)) && !self.is_stale(notice))
            .notify(|e, wait| {
                info!("the webhook {} is tried again in {wait:?}: {e}", self.hook.label());
            })
            .await
    }

    /// One attempt; the same `id` for every attempt of one notice.
    async fn deliver(&self, notice: &Notice, id: &str) -> Result<(), WebhookError> {
        let request = self.request(notice, id)?;
        let answer = request
            .send()
            .await
            .map_err(|e| WebhookError::Unavailable(e.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else if status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        {
            Err(WebhookError::Unavailable(format!("the receiver answered {status}")))
        } else {
            Err(WebhookError::Refused(status))
        }
    }

    fn request(&self, notice: &Notice, id: &str) -> Result<RequestBuilder, WebhookError> {
        let review = self.review.as_deref();
        let post = self.http.post(self.url.clone());
        let now = expacti_protocol::now_micros().div_euclid(1_000_000);
        Ok(match self.hook.format {
            Format::Json => {
                let body = message::generic(notice, review, now).to_string();
                let event = serde_json::to_value(notice.event).unwrap_or_default();
                let mut post = post
                    .header("content-type", "application/json")
                    .header("x-expacti-event", event.as_str().unwrap_or_default())
                    .header("x-expacti-delivery", id);
                if let Some(secret) = &self.secret {
                    post = post.header("x-expacti-signature", signature(secret, now, &body));
                }
                post.body(body)
            }
            Format::Slack => post.json(&message::slack(notice, review)),
            Format::Discord => post.json(&message::discord(notice, review)),
            Format::Telegram => {
                let chat = self.hook.chat.as_deref().unwrap_or_default();
                post.json(&message::telegram(notice, review, chat))
            }
            Format::Ntfy => {
                let urgent = notice.command.level >= Level::High && notice.event == Event::Pending;
                let mut post = post
                    .header("title", "expacti")
                    .header("priority", if urgent { "high" } else { "default" })
                    .header("tags", if urgent { "warning" } else { "lock" });
                if let Some(secret) = &self.secret {
                    post = post.bearer_auth(secret);
                }
                if let Some(url) = review.filter(|url| url.starts_with("https://")) {
                    post = post.header("click", url.replace("{id}", notice.command.id.as_str()));
                }
                post.body(message::text(notice, review))
            }
        })
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`.
fn signature(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    format!("t={at},v1={}", hex::encode(tag.as_ref()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
