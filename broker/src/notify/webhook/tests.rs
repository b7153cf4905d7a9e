use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;

use super::super::notice::notice;
use super::*;

#[derive(Clone, Default)]
struct Seen {
    requests: Arc<Mutex<Vec<(String, HeaderMap, String)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    arrived: Arc<tokio::sync::Notify>,
}

impl Seen {
    fn all(&self) -> Vec<(String, HeaderMap, String)> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    async fn wait(&self, count: usize) {
        let wait = async {
            while self.all().len() < count {
                self.arrived.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    }
}

async fn take(State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
    seen.requests.lock().unwrap().push((uri.to_string(), headers, body));
    seen.arrived.notify_one();
    let status = seen.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

/// A receiver on the loopback that answers with these, then with 200; it ends with the test.
async fn receiver(answers: &[u16]) -> (Seen, String) {
    let seen = Seen::default();
    seen.answers.lock().unwrap().extend(answers);
    let app = Router::new().fallback(take).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (seen, url)
}

fn hook(toml: &str) -> Webhook {
    toml::from_str(toml).unwrap()
}

#[tokio::test]
async fn a_message_is_signed_and_holds_no_secret() {
    let (seen, url) = receiver(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "s3cret\n").unwrap();
    let hook = hook(&format!("url = '{url}'\nsecret_file = '{}'", file.display()));
    let sender = hook.ready(Some("https://review.example/{id}")).unwrap();
    let notice = notice("mysql -u root -phunter22 -e 'drop database shop'\x1b[2K");
    sender.deliver(&notice, "d1").await.unwrap();
    let (path, headers, body) = seen.all().remove(0);
    assert_eq!(path, "/hook");
    assert!(!body.contains("hunter22") && !body.contains("s3cret"), "{body}");
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = header("x-expacti-signature");
    let (at, tag) = signed.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
    let message = format!("{at}.{body}");
    hmac::verify(&key, message.as_bytes(), &hex::decode(tag).unwrap()).unwrap();
    assert_eq!(
        (header("x-expacti-event"), header("x-expacti-delivery")),
        ("pending".into(), "d1".into())
    );
    let value: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["command"]["level"], "CRITICAL");
    assert_eq!(value["review"], format!("https://review.example/{}", notice.command.id));
    assert!(value["command"]["command"].as_str().unwrap().contains("⟨U+001B⟩"));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_what_is_refused_is_not() {
    let (seen, url) = receiver(&[503, 429]).await;
    let (queue, notices) = mpsc::channel(8);
    let events = "events = ['pending', 'decided']";
    let task = tokio::spawn(serve(hook(&format!("url = '{url}'\n{events}")), None, notices));
    queue.send(notice("ls")).await.unwrap();
    seen.wait(3).await;
    let id = |n: usize| seen.all()[n].1["x-expacti-delivery"].clone();
    assert!(id(0) == id(1) && id(1) == id(2), "one delivery");
    // Refused for good: the next one is not kept waiting.
    seen.answers.lock().unwrap().extend([400, 302]);
    for _ in 0..3 {
        queue.send(notice("id")).await.unwrap();
    }
    seen.wait(6).await;
    // What nobody can decide any more is not told, what was not asked for neither.
    let mut stale = notice("stale");
    Arc::make_mut(&mut stale.command).deadline_ms = 0;
    let other = Notice { event: Event::Expired, ..notice("other") };
    for notice in [stale, other, notice("last")] {
        queue.send(notice).await.unwrap();
    }
    drop(queue);
    task.await.unwrap();
    let all = seen.all();
    assert_eq!(all.len(), 7);
    assert!(all[6].2.contains("last"));
}

#[tokio::test]
async fn every_format_says_what_its_receiver_understands() {
    let (seen, url) = receiver(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "42:abc").unwrap();
    let secret = format!("secret_file = '{}'", file.display());
    let base = url.trim_end_matches("/hook");
    let hooks = [
        format!("url = '{url}'\nformat = 'slack'"),
        format!("url = '{url}'\nformat = 'discord'"),
        format!("url = '{url}'\nformat = 'ntfy'\n{secret}"),
        format!("url = '{base}'\nformat = 'telegram'\nchat = '-100'\n{secret}"),
    ];
    let hostile = notice("echo '<!channel> @everyone ``` &'");
    for toml in &hooks {
        hook(toml).ready(None).unwrap().deliver(&hostile, "d").await.unwrap();
    }
    let all = seen.all();
    let json = |n: usize| serde_json::from_str::<Value>(&all[n].2).unwrap();
    let slack = json(0)["text"].as_str().unwrap().to_owned();
    assert!(slack.contains("&lt;!channel&gt;") && slack.contains("expacti review"), "{slack}");
    let discord = json(1);
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
    assert_eq!(discord["content"].as_str().unwrap().matches("```").count(), 2);
    assert_eq!(all[2].1["authorization"], "Bearer 42:abc");
    assert!(all[2].2.contains("test asks on nobody@nowhere"), "{}", all[2].2);
    assert_eq!(all[3].0, "/bot42:abc/sendMessage");
    assert_eq!(json(3)["chat_id"], "-100");
}

#[test]
fn what_cannot_work_is_said_at_once() {
    for (toml, wrong) in [
        ("name = 'x'", "one of url and url_file is needed"),
        ("url = 'http://example.com/'", "must begin with https://"),
        ("url = 'https://example.com/'\nformat = 'telegram'", "telegram needs the bot's token"),
        (
            "url = 'https://example.com/'\nsecret_env = 'EXPACTI_NO_SUCH'",
            "EXPACTI_NO_SUCH is not set",
        ),
        ("url = 'https://example.com/'\nsecret_file = '/no/such'", "failed to read /no/such"),
    ] {
        let error = hook(toml).check().unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
    assert!(toml::from_str::<Webhook>("url = 'https://x/'\nevent = ['pending']").is_err());
    assert!(toml::from_str::<Webhook>("url = 'https://x/'\nevents = ['all']").is_err());
    let label = hook("url = 'https://hooks.example/T0/B0/key'").label();
    assert_eq!(label, "hooks.example", "the path may be a secret");
}
