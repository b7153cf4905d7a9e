//! Where what a wrapped program must not see, or may only read, lies on a system.

use std::path::Path;

/// Directories that are made new in them, and cannot be brought back.
pub(super) const SPECIAL: &[&str] = &["/dev/pts", "/dev/shm", "/run/user", "/run/lock"];

/// What of `/run` is seen inside: places of services that take no commands (the journal, name lookups,
/// databases with accounts of their own), and of files.
pub(super) const RUN: &[&str] = &[
    "NetworkManager/resolv.conf",
    "avahi-daemon/socket",
    "current-system",
    "booted-system",
    "memcached",
    "mysqld",
    "nscd",
    "opengl-driver",
    "opengl-driver-32",
    "postgresql",
    "redis",
    "resolvconf",
    "systemd/journal/dev-log",
    "systemd/journal/socket",
    "systemd/journal/stdout",
    "systemd/resolve",
    "systemd/userdb",
    "systemd/machine-id",
    "udev/data",
    "utmp",
];

/// What of `/dev` is seen inside: files that lead to no other terminal, no keyboard and no disk.
pub(super) const DEVICES: &[&str] = &[
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "fuse",
    "kvm",
    "dri",
    "snd",
    "net",
    "hugepages",
    "nvidia0",
    "nvidia1",
    "nvidia2",
    "nvidia3",
    "nvidia4",
    "nvidia5",
    "nvidia6",
    "nvidia7",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
    "kfd",
    "dxg",
];

/// Files and directories of a home that can be used to log in, to type into another window, or to
/// answer for the user. Those of virtual machines count: the home is mounted in them.
pub(super) const SECRETS: &[&str] = &[
    ".ICEauthority",
    ".Xauthority",
    ".colima/_lima/_config",
    ".config/code-server",
    ".config/putty",
    ".config/tigervnc/passwd",
    ".docker/machine",
    ".dropbear",
    ".lima/_config",
    ".local/share/containers/podman/machine",
    ".minikube/machines",
    ".orbstack/ssh",
    ".putty",
    ".serverauth",
    ".step/ssh",
    ".tsh",
    ".vagrant.d/insecure_private_key",
    ".vagrant.d/insecure_private_keys",
    ".vnc/passwd",
];

/// Where programs of the user's outside leave by what they are asked to run something, and where the
/// wrapped program leaves the same of its own.
pub(super) const OWN: &[&str] =
    &[".config/emacs/server", ".emacs.d/server", ".local/share/jupyter/runtime"];

/// Directories from which the user's session starts programs outside, below that of settings and below
/// that of data.
pub(super) const STARTERS: &[&str] = &["autostart", "environment.d", "systemd"];
pub(super) const STARTERS_OF_DATA: &[&str] = &["dbus-1", "systemd"];

/// Files of a home by which programs outside run something without being asked, where they are used.
pub(super) const STARTER_FILES: &[&str] = &[".forward", ".mailfilter", ".procmailrc"];

/// Where a container engine listens: whoever may ask it has every file of the machine.
pub(crate) const ENGINES: &[&str] = &[
    "/run/containerd",
    "/run/crio",
    "/run/docker",
    "/run/docker.sock",
    "/run/incus",
    "/run/libvirt",
    "/run/lxd",
    "/run/podman",
];

/// Directories that are never covered as a whole.
pub(super) fn is_broad(dir: &Path) -> bool {
    [
        "/", "/dev", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var",
        "/var/lib", "/var/tmp",
    ]
    .iter()
    .any(|broad| dir == Path::new(broad))
}

/// Broad directories that root works in.
pub(super) fn is_own_of_root(dir: &Path) -> bool {
    dir == Path::new("/root") || dir == Path::new("/var/tmp")
}
