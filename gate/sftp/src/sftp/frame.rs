//! Cuts a stream of bytes into packets. Of an incomplete packet it must never hold more than the
//! longest one has.

use bytes::{Buf as _, Bytes, BytesMut};

/// Longest packet, in bytes after its length field; OpenSSH's own bound (`SFTP_MAX_MSG_LENGTH`).
pub const MAX_PACKET: usize = 256 * 1024;

/// A packet longer than [`MAX_PACKET`], or an empty one: the rest of the stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {0} bytes cannot be one of SFTP")]
pub struct TooLong(pub u32);

/// One packet: its type and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Everything after the type.
    pub body: Bytes,
}

/// Cuts a stream into packets.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
}

impl Framer {
    /// Takes in the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet, if there is one.
    ///
    /// # Errors
    /// When the stream cannot be SFTP; nothing that follows can be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TooLong> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head);
        let size = length as usize;
        if size == 0 || size > MAX_PACKET {
            return Err(TooLong(length));
        }
        if self.buffer.len() < size + 4 {
            return Ok(None);
        }
        self.buffer.advance(4);
        let mut body = self.buffer.split_to(size).freeze();
        let kind = body.get_u8();
        Ok(Some(Frame { kind, body }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_out_of_bounds_end_the_stream() {
        for head in [[0, 0, 0, 0], [0, 4, 0, 1], [0xff; 4]] {
            let mut framer = Framer::default();
            framer.push(&head);
            assert!(framer.next_frame().is_err());
        }
    }

    proptest! {
        /// However the stream is cut, the packets are the same.
        #[test]
        fn any_split(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..20),
            cuts in proptest::collection::vec(1usize..40, 1..200),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
                stream.extend_from_slice(body);
            }
            let mut framer = Framer::default();
            let mut got = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                framer.push(piece);
                while let Some(frame) = framer.next_frame().unwrap() {
                    let mut body = vec![frame.kind];
                    body.extend_from_slice(&frame.body);
                    got.push(body);
                }
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, bodies);
        }
    }
}
