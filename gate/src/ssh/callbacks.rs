//! russh's callbacks on the server side. They must never wait for a decision. Every request that
//! russh would otherwise answer itself is answered here, and refused by default.

use std::sync::Arc;

use bytes::Bytes;
use russh::keys::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};

use super::handler::GateHandler;
use super::jump::{self, JumpRequest};
use crate::auth::agents::Wanted;
use crate::boundary::{Signal, Size, Terminal};
use crate::client::channel::Control;
use crate::files::scp::command::ClientKind;
use crate::files::sftp::serve::sends_openssh_symlink;
use crate::session::dispatch::ChannelRequest;

const REFUSED: ChannelOpenFailure = ChannelOpenFailure::AdministrativelyProhibited;

impl Handler for GateHandler {
    type Error = russh::Error;

    // ---- login

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        let admission = self.authenticator.none(&self.shared, user);
        Ok(self.admit(admission))
    }

    async fn auth_password(&mut self, user: &str, _password: &str) -> Result<Auth, Self::Error> {
        let admission = self.authenticator.unproved(&self.shared, user);
        Ok(self.admit(admission))
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(match self.authenticator.offered(&self.shared, offer.public_key).await {
            true => Auth::Accept,
            false => Auth::reject(),
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let admission = self.authenticator.key(&self.shared, user, key.public_key).await;
        Ok(self.admit(admission))
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let admission =
            self.authenticator.certificate(&self.shared, user, certificate, self.peer).await;
        Ok(self.admit(admission))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        _response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let admission = self.authenticator.unproved(&self.shared, user);
        Ok(self.admit(admission))
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        self.logged_in.cancel();
        if !matches!(self.wanted, Some(Wanted::Default(_))) {
            self.begin(session);
        }
        Ok(())
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.authenticator.banner())
    }

    // ---- channels

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if matches!(self.wanted, Some(Wanted::Default(_))) {
            self.begin(session);
        }
        if self.connection.is_none() && self.wanted.is_none() {
            reply.reject(REFUSED).await;
            return Ok(());
        }
        let Some(new) = self.reserve() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let id = channel.id();
        // The reading half is dropped: input comes through `data` below, where nothing waits.
        let (_, half) = channel.split();
        self.channels.open(id, new, half, self.backpressure.channel());
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.reject(REFUSED).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host_to_connect: &str,
        port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let identity = self.identity.clone().filter(|_| self.authenticator.may_jump());
        let Some(identity) = identity else {
            reply.reject(REFUSED).await;
            return Ok(());
        };
        let Some(new) = self.reserve() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let id = channel.id();
        let (_, half) = channel.split();
        let (input, gone) = (Arc::clone(&new.input), new.gone.clone());
        let request = JumpRequest {
            shared: Arc::clone(&self.shared),
            identity,
            host: host_to_connect.to_owned(),
            port: port_to_connect,
            half,
            input,
            backpressure: Arc::clone(&self.backpressure),
            gone,
            peer: self.peer,
            open: self.backpressure.channel(),
            control: self.channels.tunnel(id, new),
        };
        self.shared.tasks.spawn(jump::run(request, reply));
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.reject(REFUSED).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.reject(REFUSED).await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.forget(channel);
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.eof(channel);
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.receive(channel, data, session)
    }

    async fn extended_data(
        &mut self,
        _channel: ChannelId,
        _code: u32,
        _data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // No client needs it; it is dropped.
        Ok(())
    }

    // ---- requests on a channel

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        col_width: u32,
        row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let permitted = self.identity.as_ref().is_none_or(|identity| identity.terms.terminal);
        match self.channels.opening(channel) {
            Some(opening) if permitted && opening.terminal.is_none() => {
                opening.terminal = Some(Terminal::new(term, col_width, row_height));
            }
            _ => return session.channel_failure(channel),
        }
        session.channel_success(channel)
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
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        variable_name: &str,
        variable_value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let opening = self.channels.opening(channel);
        let kept = opening.is_some_and(|o| o.environment.add(variable_name, variable_value));
        if kept { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start(channel, ChannelRequest::Shell, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let client = ClientKind::of(session.remote_sshid());
        self.start(channel, ChannelRequest::Exec(Bytes::copy_from_slice(data), client), session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "sftp" {
            let openssh_symlink = sends_openssh_symlink(session.remote_sshid());
            return self.start(channel, ChannelRequest::Sftp { openssh_symlink }, session);
        }
        // Quoted, so that invisible characters in it are shown.
        let shown: String = name.chars().take(64).collect();
        self.end(channel, &format!("the subsystem {shown:?} is refused"), session)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        col_width: u32,
        row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Without a terminal, its size means nothing to the target.
        if !self.channels.has_terminal(channel) {
            return session.channel_failure(channel);
        }
        self.channels.resize(channel, Size::clamped(col_width, row_height));
        session.channel_success(channel)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<bool, Self::Error> {
        // Only once: the text stays in memory if the client does not read it.
        if self.channels.explain_once(channel) {
            Self::explain(channel, "agent forwarding is refused", session)?;
        }
        Ok(false)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let started = self.channels.has_started(channel);
        match Signal::parse(&signal).filter(|_| started) {
            Some(signal) => {
                self.channels.control(channel, Control::Signal(signal));
                session.channel_success(channel)
            }
            None => session.channel_failure(channel),
        }
    }

    // ---- forwarding

    async fn tcpip_forward(
        &mut self,
        _address: &str,
        _port: &mut u32,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        _address: &str,
        _port: u32,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    async fn streamlocal_forward(
        &mut self,
        _socket_path: &str,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    async fn cancel_streamlocal_forward(
        &mut self,
        _socket_path: &str,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }
}
