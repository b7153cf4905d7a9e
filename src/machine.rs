//! The service of this machine, where `expacti setup` has made one: broker and gate run as a user of their
//! own, and the commands of every account talk to them.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use expacti_protocol::home::{Home, SERVICE_CONFIG};

use crate::failure::Failure;

/// The user of the service.
pub(crate) const SERVICE_USER: &str = "expacti";

/// What leads the commands of every account to the service.
pub(crate) fn client_file() -> PathBuf {
    Path::new(SERVICE_CONFIG).join("client.toml")
}

/// What is in a file of root's that nobody else can write; `None` if there is none.
///
/// # Errors
/// When it cannot be read, or others than root decide what it says.
pub(crate) fn read_roots(file: &Path) -> Result<Option<String>, Failure> {
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to read {}: {e}", file.display()));
    let mut opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    let about = opened.metadata().map_err(fail)?;
    let above = file.parent().map(std::fs::metadata).transpose().map_err(fail)?;
    // Where root is nobody, as inside of a wrap, its files are nobody's. Nothing can be asked for from there.
    let roots = if root_is_nobody() { vec![0, NOBODY] } else { vec![0] };
    for about in [Some(about), above].into_iter().flatten() {
        if !roots.contains(&about.uid()) || about.mode() & 0o022 != 0 {
            return Err(Failure::failed(format!(
                "{} can be changed by others than root, so nothing goes by it: sudo chown root:root it and \
                 its directory, and sudo chmod go-w both",
                file.display()
            )));
        }
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(fail)?;
    Ok(Some(text))
}

/// The user to whom files of users belong that a user namespace does not know (`overflowuid` in proc(5)).
const NOBODY: u32 = 65_534;

/// Whether this process lives in a user namespace that does not know the machine's root.
fn root_is_nobody() -> bool {
    let knows_root = |line: &str| {
        // First user inside, first user outside, how many.
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("0") && words.next() == Some("0")
    };
    std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| !map.is_empty() && !map.lines().any(knows_root))
}

/// Whether this process runs as the user of the service.
pub(crate) fn is_service_user() -> bool {
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    own.is_some_and(|own| own.name == SERVICE_USER)
}

/// Writes a file for everybody to read, whole or not at all.
pub(crate) fn publish(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to write {}: {e}", path.display()));
    let partial = path.with_extension("partial");
    let _ = std::fs::remove_file(&partial);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    std::fs::rename(&partial, path).map_err(fail)
}

/// The key by which the service's gate logs in to targets, as a line of `authorized_keys`.
pub(crate) fn target_key(home: &Home) -> Result<String, Failure> {
    if home.is_service() {
        crate::installation::restrict_umask();
        let key = expacti_gate::load_or_create_host_key(&home.target_key())
            .map_err(|e| Failure::failed(e.to_string()))?;
        let mut public = key.public_key().clone();
        public.set_comment("expacti");
        let line = public.to_openssh().map_err(|e| Failure::failed(e.to_string()))?;
        return Ok(line.trim_end().to_owned());
    }
    if home.service().is_none() {
        return Err(Failure::usage(
            "only the service of a machine has a key of its own (`sudo expacti setup` makes one); on a machine \
             without it the gate uses your keys, and a team's gate is given some with --identity",
        ));
    }
    let path = home.target_public_key();
    let line = std::fs::read_to_string(&path).map_err(|e| {
        Failure::failed(format!(
            "failed to read {}: {e}; the service writes it when it starts",
            path.display()
        ))
    })?;
    Ok(line.trim_end().to_owned())
}

/// Why the service does not answer, and what to do.
pub(crate) fn silent() -> Failure {
    let start = if Path::new("/run/systemd/system").is_dir() {
        "start it: sudo systemctl start expacti"
    } else {
        "start it: `sudo expacti setup` shows how"
    };
    Failure::new(
        expacti_protocol::exit::UNREACHABLE,
        format!(
            "broker unreachable: the service of this machine does not run; {start} (to do without it: service = \
             false in your config.toml, or EXPACTI_HOME)"
        ),
    )
}
