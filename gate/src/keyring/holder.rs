//! The process that holds the keys: for each login it reads the files that are named, says what is in them,
//! and signs as an ssh-agent until the gate hangs up. It signs what the gate asks for, and does nothing else:
//! it writes to no file, starts nothing, and ends with the gate.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::{Decode as _, Encode as _};
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Certificate, Signature};
use russh::keys::{HashAlg, PrivateKey};

use super::wire::{Found, HOLDER, Wanted, receive};
use crate::keys::{load_identity, load_private_key};

/// Logins at a time; more are hung up on.
const MOST: usize = 512;
/// How long a login may leave the holder waiting.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest message of the agent protocol, as OpenSSH has it.
const MAX_MESSAGE: usize = 256 * 1024;

/// Messages of the agent protocol.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// Flags of a request to sign with an RSA key.
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// Is the holder of a gate's keys, if that is what these arguments ask for: over the socket that is its
/// standard input, until that is closed. Returns the exit status.
pub fn run_key_holder(args: &[OsString]) -> Option<u8> {
    if args.first()? != HOLDER {
        return None;
    }
    expacti_protocol::hidden::hide_for_good();
    Some(u8::from(serve(rustix::stdio::stdin()).is_err()))
}

/// Serves logins until the gate has gone.
pub(super) fn serve(control: impl AsFd) -> std::io::Result<()> {
    let logins = Arc::new(AtomicUsize::new(0));
    while let Some((line, socket)) = receive(&control)? {
        let Ok(wanted) = serde_json::from_slice::<Wanted>(&line) else { continue };
        if logins.fetch_add(1, Ordering::AcqRel) >= MOST {
            logins.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let count = Arc::clone(&logins);
        std::thread::spawn(move || {
            // The gate hears of it by the end of the connection.
            login(socket, &wanted).ok();
            count.fetch_sub(1, Ordering::AcqRel);
        });
    }
    Ok(())
}

fn login(socket: OwnedFd, wanted: &Wanted) -> std::io::Result<()> {
    let mut stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut keys, mut found) = (Vec::new(), Vec::new());
    for file in &wanted.files {
        found.push(match read(file, wanted.own) {
            Ok(key) => {
                let public = key.public_key().to_openssh().unwrap_or_default();
                keys.push(key);
                Found::Key(public)
            }
            Err(found) => found,
        });
    }
    let mut answer = serde_json::to_vec(&found)?;
    answer.push(b'\n');
    stream.write_all(&answer)?;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(std::io::Error::other("the message is too long"));
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message)?;
        let reply = answer_to(&message, &keys).unwrap_or_else(|| vec![FAILURE]);
        let length = u32::try_from(reply.len()).unwrap_or(0);
        stream.write_all(&[length.to_be_bytes().as_slice(), &reply].concat())?;
    }
}

fn read(file: &Path, own: bool) -> Result<PrivateKey, Found> {
    if own {
        return load_identity(file).map_err(|error| Found::Unusable(error.to_string()));
    }
    load_private_key(file).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => Found::Encrypted,
        error => Found::Unusable(error.to_string()),
    })
}

/// The answer to a message; `None` is a failure.
fn answer_to(message: &[u8], keys: &[PrivateKey]) -> Option<Vec<u8>> {
    let (kind, mut rest) = message.split_first()?;
    match *kind {
        REQUEST_IDENTITIES => {
            let mut answer = vec![IDENTITIES_ANSWER];
            u32::try_from(keys.len()).ok()?.encode(&mut answer).ok()?;
            for key in keys {
                blob(key.public_key().key_data())?.encode(&mut answer).ok()?;
                "".encode(&mut answer).ok()?;
            }
            Some(answer)
        }
        SIGN_REQUEST => {
            let wanted = Vec::<u8>::decode(&mut rest).ok()?;
            let data = Vec::<u8>::decode(&mut rest).ok()?;
            let flags = u32::decode(&mut rest).ok()?;
            // A certificate stands for its key.
            let certified = Certificate::from_bytes(&wanted).ok();
            let is_it = |key: &&PrivateKey| match &certified {
                Some(certificate) => certificate.public_key() == key.public_key().key_data(),
                None => blob(key.public_key().key_data()).as_ref() == Some(&wanted),
            };
            let signature = sign(keys.iter().find(is_it)?, &data, flags)?;
            let mut inner = Vec::new();
            signature.encode(&mut inner).ok()?;
            let mut answer = vec![SIGN_RESPONSE];
            inner.encode(&mut answer).ok()?;
            Some(answer)
        }
        _ => None,
    }
}

fn blob(key: &KeyData) -> Option<Vec<u8>> {
    let mut blob = Vec::new();
    key.encode(&mut blob).ok()?;
    Some(blob)
}

fn sign(key: &PrivateKey, data: &[u8], flags: u32) -> Option<Signature> {
    let KeypairData::Rsa(pair) = key.key_data() else { return key.try_sign(data).ok() };
    let hash = match flags {
        RSA_SHA2_256 => HashAlg::Sha256,
        RSA_SHA2_512 => HashAlg::Sha512,
        // SHA-1 never is.
        _ => return None,
    };
    (pair, Some(hash)).try_sign(data).ok()
}
