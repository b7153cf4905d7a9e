//! A target that writes down everything that reaches it: the boundary seen from the other side.

use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::gate::GateRequest;
use russh::keys::PrivateKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, PublicKeyOffer, Session,
    VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId, Pty, Sig};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::Mode;
use crate::raw::{connect, drain};
use crate::trial::{Trial, text};

#[derive(Clone)]
pub struct Recording {
    port: u16,
    seen: watch::Sender<Vec<String>>,
    handle: watch::Sender<Option<(Handle, ChannelId)>>,
}

struct Target(Recording);

impl Target {
    fn saw(&self, what: String) {
        self.0.seen.send_modify(|seen| seen.push(what));
    }
}

impl Handler for Target {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        _offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("session".to_owned());
        self.0.handle.send_replace(Some((session.handle(), channel.id())));
        reply.accept().await;
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("data {}", text(data)));
        if data == b"end" {
            session.exit_status_request(channel, 0)?;
            session.eof(channel)?;
            session.close(channel)?;
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("eof".to_owned());
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        cols: u32,
        rows: u32,
        _pix_width: u32,
        _pix_height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let erase = modes.iter().find(|(mode, _)| *mode == Pty::VERASE).map(|(_, v)| *v);
        self.saw(format!("pty {term} {cols}x{rows} erase {erase:?}"));
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        _channel: ChannelId,
        name: &str,
        value: &str,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("env {name}={value}"));
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("exec {}", text(data)));
        session.channel_success(channel)?;
        if data == b"matrix" { session.data(channel, &b"running"[..]) } else { Ok(()) }
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("subsystem {name}"));
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _x11_auth_protocol: &str,
        _x11_auth_cookie: &str,
        _x11_screen_number: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("x11".to_owned());
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        self.saw("agent".to_owned());
        Ok(false)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("direct-tcpip {host}:{port}"));
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("direct-streamlocal {path}"));
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        self.saw(format!("tcpip-forward {address}:{port}"));
        Ok(false)
    }

    async fn streamlocal_forward(
        &mut self,
        path: &str,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        self.saw(format!("streamlocal-forward {path}"));
        Ok(false)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("shell".to_owned());
        session.channel_success(channel)
    }

    async fn signal(
        &mut self,
        _channel: ChannelId,
        signal: Sig,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("signal {signal:?}"));
        Ok(())
    }

    async fn window_change_request(
        &mut self,
        _channel: ChannelId,
        cols: u32,
        rows: u32,
        _pix_width: u32,
        _pix_height: u32,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw(format!("size {cols}x{rows}"));
        Ok(())
    }
}

impl Recording {
    pub async fn start(t: &Trial) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, handle) = (watch::channel(Vec::new()).0, watch::channel(None).0);
        let recording = Self { port, seen, handle };
        let key = std::fs::read_to_string(t.path("host_ed25519")).unwrap();
        let config = Arc::new(Config {
            keys: vec![PrivateKey::from_openssh(key).unwrap()],
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let serving = recording.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let target = Target(serving.clone());
                tokio::spawn(run_stream(Arc::clone(&config), stream, target));
            }
        });
        let public = std::fs::read_to_string(t.path("host_ed25519.pub")).unwrap();
        std::fs::write(t.path("known_target"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        t.uplink_header(|u| {
            u.route.port = port;
            u.route.known_hosts_files = vec![t.path("known_target").display().to_string()];
        });
        recording
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }

    pub async fn until(&self, last: &str) -> Vec<String> {
        let mut seen = self.seen.subscribe();
        let wait = seen.wait_for(|seen| seen.last().is_some_and(|l| l == last));
        let found = tokio::time::timeout(Duration::from_secs(20), wait).await;
        found.unwrap_or_else(|_| panic!("never saw {last}: {:?}", self.seen())).unwrap().clone()
    }

    /// Waits until it was seen so often.
    pub async fn count(&self, what: &str, times: usize) {
        let mut seen = self.seen.subscribe();
        let wait = seen.wait_for(|seen| seen.iter().filter(|s| *s == what).count() >= times);
        let found = tokio::time::timeout(Duration::from_secs(20), wait).await;
        found.unwrap_or_else(|_| panic!("{what} not {times} times: {:?}", self.seen())).unwrap();
    }

    fn target(&self) -> (Handle, ChannelId) {
        self.handle.borrow().clone().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_arrives_before_the_release_and_then_exactly_what_was_approved() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let recording = Recording::start(&t).await;
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.set_env(true, "LANG", "C.UTF-8").await.unwrap();
    channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await.unwrap();
    let modes = [(Pty::VERASE, 115)];
    channel.request_pty(true, "../evil", 100, 5000, 0, 0, &modes).await.unwrap();
    channel.data_bytes(&b"early "[..]).await.unwrap();
    channel.exec(true, &b"cat \xff; id"[..]).await.unwrap();
    channel.data_bytes(&b"input"[..]).await.unwrap();
    channel.window_change(120, 40, 0, 0).await.unwrap();
    channel.signal(Sig::USR1).await.unwrap();
    channel.eof().await.unwrap();
    let item = t.broker.item(0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(recording.seen(), ["session"]);
    let (target, id) = recording.target();
    t.broker.allow(&item);
    t.broker.heard("release", |r| matches!(r, GateRequest::Release { .. }).then_some(())).await;
    recording.count("size 120x40", 1).await;
    // The gate's own question, which terminal the command has, is on a channel of its own.
    recording.count("eof", 1).await;
    let of_the_command = |seen: Vec<String>| -> Vec<String> {
        let mut seen = seen;
        let question = seen.iter().position(|s| s.starts_with("exec exec /bin/sh")).unwrap();
        assert_eq!(seen.remove(question - 1), "session");
        assert_eq!(seen.remove(question), "eof");
        seen.remove(question - 1);
        seen
    };
    // What was typed is in the gate's editor: with a terminal nothing is data.
    assert_eq!(
        of_the_command(recording.seen()),
        [
            "session",
            "env LANG=C.UTF-8",
            "pty xterm-256color 100x1000 erase Some(127)",
            "exec cat \u{fffd}; id",
            "size 120x40",
        ]
    );
    assert_eq!(item.submission.text.bytes().unwrap(), b"cat \xff; id");
    // It runs now: signals and sizes pass, names of one's own do not.
    channel.signal(Sig::Custom("USR1; id".to_owned())).await.unwrap();
    channel.signal(Sig::TERM).await.unwrap();
    recording.until("signal TERM").await;
    channel.window_change(u32::MAX, 7, 0, 0).await.unwrap();
    recording.until("size 1000x7").await;
    assert_eq!(of_the_command(recording.seen()).len(), 7);

    // EOF first, the status a moment later: the client must get both.
    target.data(id, &b"bye"[..]).await.unwrap();
    target.eof(id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    target.exit_status_request(id, 42).await.unwrap();
    target.close(id).await.unwrap();
    let seen = drain(&mut channel).await;
    assert!(text(&seen.out).contains("bye"), "{}", text(&seen.out));
    assert_eq!(seen.status, Some(42));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_command_leaves_no_trace_and_a_target_opens_nothing() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let recording = Recording::start(&t).await;
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "rm -rf /srv").await.unwrap();
    channel.data_bytes(&b"y\n"[..]).await.unwrap();
    let item = t.broker.item(0).await;
    let (target, _) = recording.target();
    assert!(target.channel_open_session().await.is_err());
    assert!(target.channel_open_agent().await.is_err());
    assert!(target.channel_open_forwarded_tcpip("a", 1, "b", 2).await.is_err());
    assert!(target.channel_open_direct_tcpip("a", 1, "b", 2).await.is_err());
    assert!(target.channel_open_direct_streamlocal("/x").await.is_err());
    assert!(target.channel_open_forwarded_streamlocal("/x").await.is_err());
    assert!(target.channel_open_x11("a", 1).await.is_err());
    t.broker.deny(&item, "no");
    assert_eq!(drain(&mut channel).await.status, Some(77));
    drop((handle, channel));
    t.broker
        .heard("close_session", |r| matches!(r, GateRequest::CloseSession { .. }).then_some(()))
        .await;
    assert_eq!(recording.seen(), ["session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_vanishes_while_held_withdraws() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let recording = Recording::start(&t).await;
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "true").await.unwrap();
    let item = t.broker.item(0).await;
    let (target, _) = recording.target();
    target
        .disconnect(russh::Disconnect::ByApplication, String::new(), String::new())
        .await
        .unwrap();
    let seen = drain(&mut channel).await;
    assert_eq!(seen.status, Some(255));
    assert!(text(&seen.err).contains("before the command was sent"), "{}", text(&seen.err));
    t.broker.allow(&item);
    assert_eq!(recording.seen(), ["session"]);
}
