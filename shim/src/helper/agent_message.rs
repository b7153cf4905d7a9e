//! The messages of the ssh-agent protocol (draft-ietf-sshm-ssh-agent) that are served inside a wrap,
//! and the two kinds of data that are to be signed. Keys and signatures stay the bytes they are: nothing
//! here needs to understand them.

use std::io::{Read, Write};

/// The longest message in bytes, as OpenSSH's agent has it.
const MAX: usize = 256 * 1024;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// `SSH_MSG_USERAUTH_REQUEST`.
const USERAUTH_REQUEST: u8 = 50;

/// The flags of a request that are known: RSA with SHA-256 and SHA-512.
const KNOWN_FLAGS: u32 = 2 | 4;

/// The most identities.
const MAX_IDENTITIES: u32 = 2048;

/// What is asked of an agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// Which keys it has.
    Identities,
    /// A signature.
    Sign {
        /// The key.
        key: &'a [u8],
        /// What is to be signed.
        data: &'a [u8],
    },
    /// Something else, or nothing that makes sense.
    Other,
}

/// A key of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The public key.
    pub(super) key: Vec<u8>,
    /// Its comment.
    pub(super) comment: Vec<u8>,
}

/// Data that `ssh-keygen -Y sign` has signed (PROTOCOL.sshsig).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SshSig<'a> {
    pub(super) namespace: &'a str,
    pub(super) hash_algorithm: &'a str,
    pub(super) hash: &'a [u8],
}

/// Reads the fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }

    /// Nothing may follow.
    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn put(message: &mut Vec<u8>, string: &[u8]) {
    // Longer than a message may be: the reader refuses it.
    let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(string);
}

/// What a message asks.
pub(super) fn request(message: &[u8]) -> Request<'_> {
    match message.split_first() {
        Some((&REQUEST_IDENTITIES, [])) => Request::Identities,
        Some((&SIGN_REQUEST, rest)) => sign_request(rest).unwrap_or(Request::Other),
        _ => Request::Other,
    }
}

fn sign_request(rest: &[u8]) -> Option<Request<'_>> {
    let mut fields = Fields(rest);
    let (key, data, flags) = (fields.string()?, fields.string()?, fields.number()?);
    fields.end()?;
    (flags & !KNOWN_FLAGS == 0).then_some(Request::Sign { key, data })
}

/// The question for the keys.
pub(super) fn identities_request() -> Vec<u8> {
    vec![REQUEST_IDENTITIES]
}

/// The keys in an agent's answer.
pub(super) fn identities(answer: &[u8]) -> Option<Vec<Identity>> {
    let mut fields = Fields(answer);
    if fields.byte()? != IDENTITIES_ANSWER {
        return None;
    }
    let count = fields.number().filter(|count| *count <= MAX_IDENTITIES)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let (key, comment) = (fields.string()?, fields.string()?);
        found.push(Identity { key: key.to_owned(), comment: comment.to_owned() });
    }
    fields.end()?;
    Some(found)
}

/// The answer with these keys.
pub(super) fn identities_answer(identities: &[Identity]) -> Vec<u8> {
    let mut message = vec![IDENTITIES_ANSWER];
    message.extend_from_slice(&u32::try_from(identities.len()).unwrap_or(0).to_be_bytes());
    for identity in identities {
        put(&mut message, &identity.key);
        put(&mut message, &identity.comment);
    }
    message
}

/// Whether an agent has signed.
pub(super) fn is_signature(answer: &[u8]) -> bool {
    let signature = |rest| {
        let mut fields = Fields(rest);
        fields.string()?;
        fields.end()
    };
    answer
        .split_first()
        .is_some_and(|(kind, rest)| *kind == SIGN_RESPONSE && signature(rest).is_some())
}

/// No.
pub(super) fn failure() -> Vec<u8> {
    vec![FAILURE]
}

/// The data as those of `ssh-keygen -Y sign`, if they are exactly that.
pub(super) fn sshsig(data: &[u8]) -> Option<SshSig<'_>> {
    let mut fields = Fields(data.strip_prefix(b"SSHSIG")?);
    let (namespace, reserved) = (fields.text()?, fields.string()?);
    let (hash_algorithm, hash) = (fields.text()?, fields.string()?);
    fields.end()?;
    let length = match hash_algorithm {
        "sha256" => 32,
        "sha512" => 64,
        _ => return None,
    };
    (reserved.is_empty() && hash.len() == length).then_some(SshSig {
        namespace,
        hash_algorithm,
        hash,
    })
}

/// Who is to be logged in with the data, if they are those of a login (RFC 4252, 7).
pub(super) fn login(data: &[u8]) -> Option<&str> {
    let mut fields = Fields(data);
    let _session = fields.string()?;
    (fields.byte()? == USERAUTH_REQUEST).then_some(())?;
    fields.text()
}

/// Reads a message; `None` at the end.
pub(super) fn read(from: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 || length > MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

/// Writes a message.
pub(super) fn write(to: &mut impl Write, message: &[u8]) -> std::io::Result<()> {
    let mut framed = Vec::new();
    put(&mut framed, message);
    to.write_all(&framed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(strings: &[&[u8]]) -> Vec<u8> {
        let mut message = Vec::new();
        strings.iter().for_each(|string| put(&mut message, string));
        message
    }

    fn signed(namespace: &str, reserved: &[u8], algorithm: &str, hash: &[u8]) -> Vec<u8> {
        let rest = strings(&[namespace.as_bytes(), reserved, algorithm.as_bytes(), hash]);
        [b"SSHSIG".as_slice(), &rest].concat()
    }

    #[test]
    fn a_signature_of_ssh_keygen_is_read_whole_or_not_at_all() {
        let hash = [7; 64];
        let whole = signed("git", b"", "sha512", &hash);
        let read = SshSig { namespace: "git", hash_algorithm: "sha512", hash: &hash };
        assert_eq!(sshsig(&whole), Some(read));
        assert!(sshsig(&signed("git", b"", "sha256", &hash[..32])).is_some());
        for odd in [
            whole[..whole.len() - 1].to_vec(),
            [whole.as_slice(), b"x"].concat(),
            signed("git", b"x", "sha512", &hash),
            signed("git", b"", "sha512", &hash[..32]),
            signed("git", b"", "sha1", &hash[..20]),
            whole[1..].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(sshsig(&odd), None);
        }
    }

    #[test]
    fn a_login_is_known_by_its_user() {
        let mut data = strings(&[&[1; 32]]);
        data.push(USERAUTH_REQUEST);
        data.extend(strings(&[b"deploy", b"ssh-connection", b"publickey"]));
        assert_eq!(login(&data), Some("deploy"));
        assert_eq!(sshsig(&data), None);
        assert_eq!(login(&signed("git", b"", "sha512", &[7; 64])), None);
    }

    #[test]
    fn a_request_is_one_of_two_or_something_else() {
        let sign = |flags: u32| {
            let mut message = vec![SIGN_REQUEST];
            message.extend(strings(&[b"key", b"data"]));
            message.extend(flags.to_be_bytes());
            message
        };
        assert_eq!(request(&[REQUEST_IDENTITIES]), Request::Identities);
        assert_eq!(request(&sign(4)), Request::Sign { key: b"key", data: b"data" });
        let trailing = [sign(0), vec![0]].concat();
        // Adding, removing, locking, extensions.
        for other in
            [&[17][..], &[18], &[19], &[22], &[25], &[27], &[11, 0], &[], &sign(8), &trailing]
        {
            assert_eq!(request(other), Request::Other, "{other:?}");
        }
    }

    #[test]
    fn what_is_framed_is_read_again() {
        let mut framed = Vec::new();
        write(&mut framed, b"one").unwrap();
        write(&mut framed, b"two").unwrap();
        let mut from = framed.as_slice();
        assert_eq!(read(&mut from).unwrap().unwrap(), b"one");
        assert_eq!(read(&mut from).unwrap().unwrap(), b"two");
        assert!(read(&mut from).unwrap().is_none());
        for odd in [&[0, 0, 0, 0][..], &[0, 4, 0, 1], &[255, 255, 255, 255], &[0, 0, 0, 2, 1]] {
            assert!(read(&mut &*odd).is_err(), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_come_through_as_they_are(keys: Vec<(Vec<u8>, Vec<u8>)>) {
            let keys: Vec<Identity> =
                keys.into_iter().map(|(key, comment)| Identity { key, comment }).collect();
            prop_assert_eq!(identities(&identities_answer(&keys)), Some(keys));
        }

        #[test]
        fn nothing_that_is_sent_ends_it(message: Vec<u8>) {
            request(&message);
            identities(&message);
            is_signature(&message);
            sshsig(&message);
            login(&message);
        }
    }
}
