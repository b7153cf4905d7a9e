//! `expacti watch`: the live output of a session, as its agent sees it.

use std::io::{IsTerminal as _, Write as _};

use expacti_protocol::client::{ClientError, connect};
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};
use expacti_protocol::session::SessionView;

use crate::broker::Link;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{print, segment};

/// Shows a session until it ends. On a terminal only its text is shown: the target's output could
/// otherwise set the reviewer's title or clipboard, or answer for the keyboard. When
/// redirected, the bytes pass unchanged. `expacti review` draws the screen itself, with colours.
pub(crate) async fn run(config: &Config, session: &str) -> Outcome {
    let link = Link::running(config)?;
    let view: SessionView =
        link.client.get(&format!("/v1/sessions/{}", segment::id(session)?)).await?;
    if view.closed_at.is_some() {
        return Err(Failure::new(
            expacti_protocol::exit::REFUSED,
            format!("session {} is over; see: expacti replay {}", view.id, view.id),
        ));
    }
    let endpoint = config.endpoint()?;
    let (mut sender, mut receiver) =
        connect::<ReviewerRequest, ReviewerEvent>(&endpoint, "/v1/ws/reviewer").await?;
    sender.send(&ReviewerRequest::Watch { r#ref: Some(1), session_id: view.id.clone() }).await?;
    print::note(&format!("watching {}; stop with ^C", view.id));
    let terminal = std::io::stdout().is_terminal();
    let mut strip = anstream::adapter::StripBytes::new();
    while let Some(event) = receiver.recv().await {
        match event? {
            ReviewerEvent::SessionOutput { session_id, data, .. } if session_id == view.id => {
                let bytes = decode(&data)?;
                let mut out = std::io::stdout().lock();
                if terminal {
                    for text in strip.strip_next(&bytes) {
                        out.write_all(text)?;
                    }
                } else {
                    out.write_all(&bytes)?;
                }
                out.flush()?;
            }
            ReviewerEvent::SessionClosed(closed) if closed.id == view.id => {
                print::note("the session ended");
                return Ok(0);
            }
            ReviewerEvent::Error { code, message, .. } => {
                return Err(ClientError::Refused { code, message }.into());
            }
            _ => {}
        }
    }
    Err(Failure::new(expacti_protocol::exit::UNREACHABLE, "the broker closed the connection"))
}

fn decode(data: &str) -> Result<Vec<u8>, Failure> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(data)
        .map_err(|_| Failure::failed("the broker sent output that is not base64"))
}
