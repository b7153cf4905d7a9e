//! The line that the helper of a wrap writes before it speaks SSH. It chooses a target and is shown to
//! the reviewer; it can approve nothing. Nothing of it is used before the broker has said whose
//! token it carries.

use bytes::{Bytes, BytesMut};
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::uplink::{MAX_UPLINK, Uplink, UplinkReply, WrapRegistration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::session::signature;
use crate::upstream::known_hosts::is_plain_name;

/// What a connection without a token is told.
const NO_TOKEN: &str =
    "the connection carries no token of a wrap: start ssh through `expacti wrap`";

/// Why a connection is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// For the agent.
    pub(super) why: String,
    /// See [`UplinkReply::unknown_token`].
    pub(super) unknown_token: bool,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, unknown_token: false }
    }
}

/// What a connection turned out to be: its header, whose it is (`None` when the broker cannot be reached),
/// and what its target is.
pub(super) type Admitted<T> = (Uplink, Option<WrapRegistration>, T);

/// Reads the header and answers it. Returns the header, whose it is according to `whose` (which asks
/// the broker about the token), its target according to `leads`, and the bytes that followed it; `None` when
/// the connection cannot go on, which the peer was told.
pub(super) async fn read<T>(
    stream: &mut UnixStream,
    whose: impl AsyncFnOnce(&str) -> Result<Option<WrapRegistration>, Refusal>,
    leads: impl AsyncFnOnce(&Uplink, Option<&WrapRegistration>) -> Result<T, String>,
) -> Option<(Admitted<T>, Bytes)> {
    let mut buffer = BytesMut::with_capacity(4096);
    let end = loop {
        if let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            break Ok(end);
        }
        if buffer.len() >= MAX_UPLINK {
            break Err(format!("the head is longer than {MAX_UPLINK} bytes").into());
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    };
    let checked = match end {
        Ok(end) => {
            let header = buffer.split_to(end + 1);
            admit(&header, whose, leads).await
        }
        Err(refusal) => Err(refusal),
    };
    match checked {
        Ok(admitted) => {
            answer(stream, &UplinkReply { ok: true, ..UplinkReply::default() }).await?;
            Some((admitted, buffer.freeze()))
        }
        Err(refusal) => {
            refuse(stream, refusal).await;
            None
        }
    }
}

/// Tells the peer that the connection ends here.
pub(super) async fn refuse(stream: &mut UnixStream, refusal: Refusal) {
    let Refusal { why, unknown_token } = refusal;
    answer(stream, &UplinkReply { ok: false, error: Some(why), unknown_token }).await;
}

async fn answer(stream: &mut UnixStream, reply: &UplinkReply) -> Option<()> {
    let mut line = serde_json::to_vec(reply).ok()?;
    line.push(b'\n');
    stream.write_all(&line).await.ok()
}

async fn admit<T>(
    header: &[u8],
    whose: impl AsyncFnOnce(&str) -> Result<Option<WrapRegistration>, Refusal>,
    leads: impl AsyncFnOnce(&Uplink, Option<&WrapRegistration>) -> Result<T, String>,
) -> Result<Admitted<T>, Refusal> {
    let uplink: Uplink =
        serde_json::from_slice(header).map_err(|e| format!("the head cannot be read: {e}"))?;
    if uplink.protocol != PROTOCOL_VERSION {
        return Err(format!(
            "wrap speaks protocol {}, the gate {PROTOCOL_VERSION}: run `expacti down`, then try \
             again",
            uplink.protocol
        )
        .into());
    }
    if uplink.token.is_empty() {
        return Err(NO_TOKEN.to_owned().into());
    }
    let wrap = whose(&uplink.token).await?;
    check(&uplink)?;
    let target = leads(&uplink, wrap.as_ref()).await?;
    Ok((uplink, wrap, target))
}

/// The helper has checked the route; the gate does so once more.
fn check(uplink: &Uplink) -> Result<(), String> {
    if let Some(request) = &uplink.signature {
        return signature::check(request);
    }
    let route = &uplink.route;
    if route.host.is_empty() || route.user.is_empty() {
        return Err("the head names no host or no user".to_owned());
    }
    if [&route.host, &route.user].iter().any(|s| s.chars().any(char::is_control)) {
        return Err("the host or user name holds control characters".to_owned());
    }
    if let Some(alias) = route.host_key_alias.as_ref().filter(|alias| !is_plain_name(alias)) {
        return Err(format!(
            "the HostKeyAlias {alias:?} is refused: in known_hosts it could stand for other hosts \
             or other lines; use letters, digits and .-_:[]"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::uplink::TargetRoute;

    use super::*;

    async fn exchange(
        header: Vec<u8>,
    ) -> (Option<(Uplink, Option<WrapRegistration>, Bytes)>, String) {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let writer = tokio::spawn(async move {
            theirs.write_all(&header).await.ok();
            theirs.shutdown().await.ok();
            let mut answer = String::new();
            theirs.read_to_string(&mut answer).await.ok();
            answer
        });
        let whose = async |token: &str| match token {
            "t" => {
                Ok(Some(WrapRegistration { agent: "a".to_owned(), ..WrapRegistration::default() }))
            }
            _ => Err(Refusal { why: "unknown".to_owned(), unknown_token: true }),
        };
        let leads = async |uplink: &Uplink, _: Option<&WrapRegistration>| {
            let known = uplink.route.host != "elsewhere";
            known.then_some(()).ok_or_else(|| "it is not registered".to_owned())
        };
        let got = read(&mut ours, whose, leads).await;
        drop(ours);
        let got = got.map(|((uplink, wrap, ()), rest)| (uplink, wrap, rest));
        (got, writer.await.unwrap())
    }

    fn plain() -> Uplink {
        let route =
            TargetRoute { host: "h".to_owned(), user: "u".to_owned(), ..TargetRoute::default() };
        let token = "t".to_owned();
        Uplink { protocol: PROTOCOL_VERSION, token, route, ..Uplink::default() }
    }

    fn line(uplink: &Uplink) -> Vec<u8> {
        let mut line = serde_json::to_vec(uplink).unwrap();
        line.push(b'\n');
        line
    }

    #[tokio::test]
    async fn without_a_token_that_the_broker_knows_nothing_is_looked_at() {
        for (token, answer) in [("", "expacti wrap"), ("x", "\"unknown_token\":true")] {
            let uplink = Uplink { token: token.to_owned(), ..plain() };
            let (got, said) = exchange(line(&uplink)).await;
            assert!(got.is_none() && said.contains(answer), "{said}");
            // Not even to say what is wrong with it.
            let hostless = Uplink { route: TargetRoute::default(), ..uplink };
            assert_eq!(exchange(line(&hostless)).await.1, said);
        }
    }

    #[tokio::test]
    async fn an_alias_stands_for_one_host() {
        for alias in ["*", "a,b", "a b", "!a", "@revoked", "|1|x|y", "#a", "a\nb", "", "h%x"] {
            let mut uplink = plain();
            uplink.route.host_key_alias = Some(alias.to_owned());
            let (got, said) = exchange(line(&uplink)).await;
            assert!(got.is_none() && said.contains("HostKeyAlias"), "{alias:?}: {said}");
        }
        let mut uplink = plain();
        uplink.route.host_key_alias = Some("[web_1.example-x]:22".to_owned());
        assert!(exchange(line(&uplink)).await.0.is_some());
    }

    #[tokio::test]
    async fn a_header_and_what_follows() {
        let uplink = plain();
        let mut header = serde_json::to_vec(&uplink).unwrap();
        header.extend_from_slice(b"\nSSH-2.0-x\r\n");
        let (got, answer) = exchange(header).await;
        let (read, wrap, rest) = got.unwrap();
        assert_eq!((read, wrap.unwrap().agent.as_str()), (uplink, "a"));
        assert_eq!(rest.as_ref(), b"SSH-2.0-x\r\n");
        assert_eq!(answer, "{\"ok\":true}\n");
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        for header in [
            &b"{}\n"[..],
            b"SSH-2.0-OpenSSH\r\n",
            b"{\"protocol\":1}\n",
            b"{\"protocol\":1,\"route\":{\"host\":\"h\\n\",\"user\":\"u\"}}\n",
        ] {
            let (got, answer) = exchange(header.to_vec()).await;
            assert!(got.is_none());
            assert!(answer.contains("\"ok\":false"), "{answer}");
        }
        let (got, answer) = exchange(vec![b'x'; MAX_UPLINK]).await;
        // These words reach the agent, and stay as they are.
        assert!(got.is_none() && answer.contains("the head is longer than"), "{answer}");
        let (_, answer) = exchange(b"nonsense\n".to_vec()).await;
        assert!(answer.contains("the head cannot be read"), "{answer}");
        let hostless = Uplink { route: TargetRoute::default(), ..plain() };
        let (_, answer) = exchange(line(&hostless)).await;
        assert!(answer.contains("the head names no host or no user"), "{answer}");
        let mut elsewhere = plain();
        elsewhere.route.host = "elsewhere".to_owned();
        let (got, answer) = exchange(line(&elsewhere)).await;
        assert!(got.is_none() && answer.contains("it is not registered"), "{answer}");
        let (got, _) = exchange(b"no newline".to_vec()).await;
        assert!(got.is_none());
    }
}
