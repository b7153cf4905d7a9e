//! What is written down instead of the digests of secret standard input: nobody can guess the input by it.

use std::fmt;

use expacti_audit::Entry;
use expacti_protocol::command::CommandView;
use expacti_protocol::digest::{Digest, StreamSummary};

use super::ports::Refusal;

/// The fields of an entry that are digests of standard input.
const DIGESTS: [&str; 2] = ["input_sha256", "stdin_sha256"];

/// The key to the digests of one command's standard input that are written down. It is kept nowhere: equal
/// input of this command has equal digests, and that is all that they tell.
#[derive(Clone)]
pub(crate) struct DigestKey {
    key: [u8; 32],
    /// What is in the view comes from the disk, and has been through another key.
    recovered: bool,
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

impl DigestKey {
    pub(super) fn new(recovered: bool) -> Result<Self, Refusal> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|e| Refusal::failed(format!("no random bytes to hide a secret with: {e}")))?;
        Ok(Self { key, recovered })
    }

    /// For a command from the disk.
    pub(super) fn recovered(view: &CommandView) -> Option<Self> {
        let secret = view.input.as_deref().is_some_and(|input| input.secret);
        // Without random bytes its digests say nothing at all.
        secret.then(|| Self::new(true).unwrap_or(Self { key: [0; 32], recovered: true }))
    }

    fn digest(&self, plain: &Digest) -> Digest {
        let keyed = [self.key.as_slice(), plain.as_bytes()].concat();
        Digest::of(&keyed)
    }

    /// Puts other digests into a view.
    pub(super) fn cover(&self, view: &mut CommandView) {
        if !self.recovered
            && let Some(input) = view.input.as_deref_mut()
        {
            let came = input.came.as_mut().map(|came| &mut came.given);
            for given in came.into_iter().chain(&mut input.approved) {
                given.sha256 = self.digest(&given.sha256);
            }
        }
        if let Some(outcome) = &mut view.outcome {
            let stdin = outcome.stdin.map(|stdin| stdin.sha256);
            let same = |stream: &&mut StreamSummary| Some(stream.sha256) == stdin;
            let streams = [&mut outcome.stdin, &mut outcome.stdout, &mut outcome.stderr];
            for stream in streams.into_iter().flatten().filter(same) {
                stream.sha256 = self.digest(&stream.sha256);
            }
        }
    }

    /// Puts other digests into an entry for the log.
    pub(super) fn cover_entry(&self, entry: &Entry) -> Entry {
        let plain = |field: &str| entry.text(field).map(str::to_owned);
        let secret: Vec<String> = DIGESTS.iter().filter_map(|field| plain(field)).collect();
        if secret.is_empty() {
            return entry.clone();
        }
        let covered = entry.clone().map(|field, value| {
            let digest = value.as_str().filter(|text| secret.iter().any(|one| one == text));
            if field.ends_with("_sha256")
                && let Some(Ok(plain)) = digest.map(str::parse::<Digest>)
            {
                *value = self.digest(&plain).to_string().into();
            }
        });
        covered.with("input_secret", true)
    }
}
