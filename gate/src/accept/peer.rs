//! Where the process at the other end of the Unix socket lives. Only one of the gate's own user
//! namespace may name a target: a wrapped program lives in another, whatever it knows.

use std::io;

use tokio::net::UnixStream;

/// What a peer from elsewhere is told.
pub(super) const FOREIGN: &str = "this process lives in another user namespace (a wrapped \
     program, a container, a toolbox), and the gate takes connections only from its own: start \
     ssh through `expacti wrap`, outside of it";

/// The user namespace of this gate.
#[derive(Debug)]
pub(super) struct Home {
    #[cfg(target_os = "linux")]
    own: expacti_kernel::UserNamespace,
}

#[cfg(target_os = "linux")]
impl Home {
    pub(super) fn find() -> io::Result<Self> {
        Ok(Self { own: expacti_kernel::UserNamespace::own()? })
    }

    /// Whether the peer lives here. One that is gone, or cannot be looked at, does not; nor does any
    /// on a kernel before 6.5, which cannot tell.
    pub(super) fn is_home_of(&self, stream: &UnixStream) -> bool {
        match expacti_kernel::peer_user_namespace(stream) {
            Ok(namespace) => namespace.id() == self.own.id(),
            Err(error) => {
                tracing::warn!(%error, "it cannot be told in which user namespace a peer lives");
                false
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Home {
    pub(super) fn find() -> io::Result<Self> {
        Ok(Self {})
    }

    /// This system has no user namespaces.
    pub(super) fn is_home_of(&self, _stream: &UnixStream) -> bool {
        true
    }
}
