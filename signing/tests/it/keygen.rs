//! Keys, certificates and signatures of `ssh-keygen`, in a directory of their own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expacti_harness::prerequisites;
use expacti_signing::{AllowedSigners, Revoked, Signed, SignerFault, Signers, Verified};

pub const NAMESPACE: &str = "expacti-decision";
/// A security key in software, from Debian's openssh-tests. It signs at once.
const SK_DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// Where the security key in software is. Without it the test is to return at once.
pub fn sk_dummy() -> Option<&'static Path> {
    let there = Path::new(SK_DUMMY).is_file();
    if !there {
        prerequisites::missing(SK_DUMMY, &prerequisites::install(SK_DUMMY));
    }
    there.then(|| Path::new(SK_DUMMY))
}

pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// `ssh-keygen` in this directory, with some standard input.
    pub fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("ssh-keygen")
            .args(args)
            .current_dir(self.0.path())
            .env_remove("SSH_AUTH_SOCK")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", "/bin/echo")
            .env("SSH_SK_PROVIDER", SK_DUMMY)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    pub fn ok(&self, args: &[&str], input: &[u8]) -> String {
        let output = self.run(args, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ssh-keygen {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a key with these options, `-t ed25519`.
    pub fn key(&self, name: &str, options: &[&str]) -> PathBuf {
        let args = [&["-q", "-N", "", "-C", name, "-f", name], options].concat();
        self.ok(&args, b"");
        self.path(name)
    }

    /// The public key, as in a list of signers.
    pub fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        text.trim_end().to_owned()
    }

    /// A signature by `ssh-keygen -Y sign`.
    pub fn sign(&self, key: &str, namespace: &str, message: &[u8]) -> String {
        self.ok(&["-Y", "sign", "-f", key, "-n", namespace], message)
    }

    /// Whether `ssh-keygen -Y verify` takes a signature.
    pub fn verifies(
        &self,
        list: &str,
        person: &str,
        signature: &str,
        message: &[u8],
        options: &[&str],
    ) -> bool {
        self.write("list", list);
        self.write("signature", signature);
        let args = ["-Y", "verify", "-f", "list", "-I", person, "-n", NAMESPACE, "-s", "signature"];
        self.run(&[&args, options].concat(), message).status.success()
    }
}

pub fn signers(list: &str) -> Signers {
    signers_without(list, "")
}

pub fn signers_without(list: &str, revoked: &str) -> Signers {
    let allowed = AllowedSigners::parse_in(list, &jiff::tz::TimeZone::UTC);
    Signers {
        allowed: allowed.unwrap_or_else(|faults| panic!("{list}: {faults:?}")),
        revoked: Revoked::parse(revoked).unwrap(),
    }
}

pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub fn verified(signature: &str, message: &[u8]) -> Verified {
    Signed::parse(signature).unwrap().verify(NAMESPACE, message).unwrap()
}

/// Whose signature it is, by a list.
pub fn person(list: &str, signature: &str, message: &[u8]) -> Result<String, SignerFault> {
    let verified = verified(signature, message);
    signers(list).person(&verified, NAMESPACE, now()).map(|person| person.name)
}

/// The bytes in an armoured signature.
pub fn unarmor(signature: &str) -> Vec<u8> {
    let lines: Vec<&str> = signature.lines().collect();
    STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap()
}

/// An armour as `ssh-keygen` makes it.
pub fn armor(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

/// A field of the SSH protocol: its length and its bytes.
pub fn field(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// The fields of an SSHSIG behind its version.
pub fn fields(envelope: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &envelope[10..];
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        fields.push(rest[4..4 + length].to_vec());
        rest = &rest[4 + length..];
    }
    fields
}

/// An SSHSIG of these fields.
pub fn envelope(version: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    let fields: Vec<u8> = fields.iter().flat_map(|bytes| field(bytes)).collect();
    [&b"SSHSIG"[..], &version.to_be_bytes(), &fields].concat()
}
