//! The line that a shim writes before it speaks SSH. It chooses a target and is shown to the
//! reviewer; it can approve nothing.

use bytes::{Bytes, BytesMut};
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::uplink::{MAX_UPLINK, Uplink, UplinkReply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Reads the header and answers it. Returns the header and the bytes that followed it; `None` when
/// the connection cannot go on, which the peer was told.
pub(crate) async fn read(stream: &mut UnixStream) -> Option<(Uplink, Bytes)> {
    let mut buffer = BytesMut::with_capacity(4096);
    let result = loop {
        if let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            break parse(buffer.get(..end).unwrap_or_default()).map(|uplink| (uplink, end));
        }
        if buffer.len() >= MAX_UPLINK {
            break Err(format!("the head is longer than {MAX_UPLINK} bytes"));
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    };
    let (reply, result) = match result {
        Ok((uplink, end)) => {
            let _header = buffer.split_to(end + 1);
            (UplinkReply { ok: true, error: None }, Some((uplink, buffer.freeze())))
        }
        Err(error) => (UplinkReply { ok: false, error: Some(error) }, None),
    };
    let mut line = serde_json::to_vec(&reply).ok()?;
    line.push(b'\n');
    stream.write_all(&line).await.ok()?;
    result
}

fn parse(header: &[u8]) -> Result<Uplink, String> {
    let uplink: Uplink =
        serde_json::from_slice(header).map_err(|e| format!("the head cannot be read: {e}"))?;
    if uplink.protocol != PROTOCOL_VERSION {
        return Err(format!(
            "wrap speaks protocol {}, the gate {PROTOCOL_VERSION}: run `expacti down`, then try \
             again",
            uplink.protocol
        ));
    }
    if uplink.route.host.is_empty() || uplink.route.user.is_empty() {
        return Err("the head names no host or no user".to_owned());
    }
    if [&uplink.route.host, &uplink.route.user].iter().any(|s| s.chars().any(char::is_control)) {
        return Err("the host or user name holds control characters".to_owned());
    }
    Ok(uplink)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::uplink::TargetRoute;

    use super::*;

    async fn exchange(header: Vec<u8>) -> (Option<(Uplink, Bytes)>, String) {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let writer = tokio::spawn(async move {
            theirs.write_all(&header).await.ok();
            theirs.shutdown().await.ok();
            let mut answer = String::new();
            theirs.read_to_string(&mut answer).await.ok();
            answer
        });
        let got = read(&mut ours).await;
        drop(ours);
        (got, writer.await.unwrap())
    }

    #[tokio::test]
    async fn a_header_and_what_follows() {
        let route =
            TargetRoute { host: "h".to_owned(), user: "u".to_owned(), ..TargetRoute::default() };
        let uplink = Uplink { protocol: PROTOCOL_VERSION, route, ..Uplink::default() };
        let mut header = serde_json::to_vec(&uplink).unwrap();
        header.extend_from_slice(b"\nSSH-2.0-x\r\n");
        let (got, answer) = exchange(header).await;
        let (read, rest) = got.unwrap();
        assert_eq!(read, uplink);
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
        let hostless = Uplink { protocol: PROTOCOL_VERSION, ..Uplink::default() };
        let mut line = serde_json::to_vec(&hostless).unwrap();
        line.push(b'\n');
        let (_, answer) = exchange(line).await;
        assert!(answer.contains("the head names no host or no user"), "{answer}");
        let (got, _) = exchange(b"no newline".to_vec()).await;
        assert!(got.is_none());
    }
}
