//! The router as a whole: what every endpoint has in common.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use expacti_protocol::home::Home;
use tower::ServiceExt as _;

use super::super::shared::Conn;
use crate::broker::{Broker, BrokerConfig};

/// Every endpoint: its path, and its methods.
pub(super) fn routes() -> Vec<(&'static str, Vec<Method>)> {
    let methods = [
        ("any(", Method::GET),
        ("delete(", Method::DELETE),
        ("get(", Method::GET),
        ("post(", Method::POST),
        ("put(", Method::PUT),
        ("patch(", Method::PATCH),
    ];
    let routes = include_str!("../router.rs").split(".route(").skip(1).map(|rest| {
        let path = rest.split('"').nth(1).unwrap();
        let handlers = rest.split('\n').next().unwrap();
        let methods = methods.iter().filter(|(word, _)| handlers.contains(word));
        let methods: Vec<_> = methods.map(|(_, method)| method.clone()).collect();
        assert!(!methods.is_empty(), "{path}: {handlers}");
        (path, methods)
    });
    routes.collect()
}

#[test]
fn the_openapi_document_names_every_endpoint() {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    let mut described: Vec<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut routed: Vec<&str> =
        routes().into_iter().map(|(p, _)| p).filter(|p| !p.starts_with("/v1/ws/")).collect();
    described.sort_unstable();
    routed.sort_unstable();
    assert_eq!(described, routed);
}

/// One request from a peer.
pub(super) async fn ask(
    broker: &Broker,
    conn: &Conn,
    method: &Method,
    path: &str,
    token: Option<&str>,
) -> (StatusCode, String) {
    let path = path.replace("{id}", "cmd_1").replace("{name}", "bob");
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request
        .header("content-type", "application/json")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")
        .extension(ConnectInfo(conn.clone()))
        .body(Body::from(r#"{"token":"x","pid":1}"#))
        .unwrap();
    let answer = broker.router().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

pub(super) async fn broker(dir: &tempfile::TempDir) -> Broker {
    Broker::open(BrokerConfig::of_home(&Home::at(dir.path().to_owned()))).await.unwrap()
}

/// A token for every role that has one, and one that is none.
pub(super) async fn tokens(broker: &Broker) -> Vec<Option<String>> {
    use expacti_protocol::http::{NewPrincipal, PrincipalAdded};
    use expacti_protocol::principal::Role;
    let owner = crate::Peer { name: "root".to_owned(), role: Role::Owner, inside_wrap: false };
    let mut tokens = vec![None, Some("nobody's".to_owned())];
    for role in [Role::Admin, Role::Reviewer, Role::Viewer, Role::Gate] {
        let new = NewPrincipal {
            name: format!("a-{role}"),
            role,
            public_key: None,
            owner: None,
            unix_user: None,
        };
        match broker.add_principal(owner.clone(), new).await.unwrap() {
            PrincipalAdded::Done(created) => tokens.push(created.token),
            PrincipalAdded::Waiting { .. } => unreachable!("no policy asks for approval"),
        }
    }
    tokens.push(Some(broker.local_gate_token().unwrap()));
    tokens
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn every_endpoint_but_four_is_refused_to_those_inside() {
    use std::sync::Arc;

    use crate::wraps::PeerProcess;
    use crate::wraps::tests::{Waiting, about};

    let dir = tempfile::tempdir().unwrap();
    let broker = broker(&dir).await;
    let tokens = tokens(&broker).await;
    let uid = Some(rustix::process::geteuid().as_raw());
    let (wrap, outside) = (Waiting::start(0).unwrap(), Waiting::start(0).unwrap());
    let (Some(inside), Some(foreign)) = (Waiting::start(1), Waiting::start(1)) else { return };
    let wraps = &broker.shared.wraps;
    let grant = wraps.register(&wrap.peer(), about(wrap.pid())).unwrap();
    wraps.set_namespace(&grant.token, inside.pid()).unwrap();
    let conn = |peer| Conn::Local { uid, process: Arc::new(peer) };
    let gone = Waiting::start(0).unwrap().peer();
    let refused = [
        (conn(inside.peer()), "inside a wrap"),
        (conn(foreign.peer()), "another user namespace"),
        (conn(gone), "has ended"),
    ];
    let open = ["/healthz", "/readyz", "/v1/openapi.json", "/v1/status"];
    let mut seen = 0;
    for (path, methods) in routes() {
        for method in &methods {
            for token in &tokens {
                let token = token.as_deref();
                for (conn, why) in &refused {
                    let (status, said) = ask(&broker, conn, method, path, token).await;
                    if open.contains(&path) {
                        assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}: {said}");
                        continue;
                    }
                    assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {said}");
                    assert!(said.contains(why), "{method} {path}: {said}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 40 * refused.len(), "{seen}");
    // An endpoint that there is not, too.
    let (status, _) = ask(&broker, &refused[0].0, &Method::GET, "/v1/other", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // And it is not because everybody is refused.
    let outside = conn(outside.peer());
    let (status, said) = ask(&broker, &outside, &Method::GET, "/v1/pending", None).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    // The token of the gate in this process opens nothing to another process.
    let gate = tokens.last().unwrap().as_deref();
    let path = "/v1/gate/authorities";
    let (status, said) = ask(&broker, &outside, &Method::GET, path, gate).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{said}");
    let this = conn(PeerProcess::of_pid(std::process::id()));
    let (status, said) = ask(&broker, &this, &Method::GET, path, gate).await;
    assert_eq!(status, StatusCode::OK, "{said}");
}

#[tokio::test]
async fn the_network_has_no_local_reviewers() {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(&dir).await;
    let local_gate = broker.local_gate_token().unwrap();
    let open = ["/healthz", "/readyz", "/v1/openapi.json"];
    for (path, methods) in routes() {
        for method in &methods {
            for token in [None, Some("nobody's"), Some(local_gate.as_str())] {
                let (status, said) = ask(&broker, &Conn::Remote, method, path, token).await;
                if open.contains(&path) {
                    assert_eq!(status, StatusCode::OK, "{path}");
                } else if path == "/v1/wraps/namespace" {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {said}");
                } else {
                    assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_connection_from_this_machine_over_tcp_is_one_from_the_network() {
    use expacti_protocol::client::{Client, ClientError, Endpoint, Token};
    use tokio_util::sync::CancellationToken;

    let dir = tempfile::tempdir().unwrap();
    let broker = broker(&dir).await;
    let gate = broker.local_gate_token().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (serving, stop) = (broker.clone(), CancellationToken::new());
    let inner = stop.clone();
    let serving = tokio::spawn(async move { serving.serve_tcp(listener, inner).await });
    // The same user, and even the same process.
    for token in [None, Some(Token::new(&gate))] {
        let client = Client::new(Endpoint::parse(&url).unwrap().with_token(token)).unwrap();
        for path in ["/v1/pending", "/v1/status", "/v1/gate/authorities"] {
            let answer = client.get::<serde_json::Value>(path).await;
            assert!(matches!(answer, Err(ClientError::Refused { .. })), "{path}: {answer:?}");
        }
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_is_refused_may_finish_speaking() {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(&dir).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let chunks = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let request = Request::post("/v1/rules")
        .extension(ConnectInfo(Conn::Remote))
        .body(Body::from_stream(chunks))
        .unwrap();
    let answer = tokio::spawn(broker.router().oneshot(request));
    for _ in 0..100 {
        sender.send(Ok::<_, std::io::Error>(vec![b' '; 1000])).await.unwrap();
    }
    drop(sender);
    assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
}
