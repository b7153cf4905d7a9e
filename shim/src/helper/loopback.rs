//! Whose process is at the other end of a TCP connection on this machine. The loopback interface is
//! shared by all users and by all wraps of one user, so a port there is nobody's own.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::process;

/// `TCP_ESTABLISHED`.
const ESTABLISHED: &str = "01";

/// How often a table is read that changes meanwhile: a row may be missed.
const READS: usize = 3;

/// Whether the socket at `client`, connected to `server`, belongs to this user and to a process below
/// `root`. In doubt it does not.
pub(super) fn is_below(root: u32, client: SocketAddrV4, server: SocketAddrV4) -> bool {
    let uid = rustix::process::geteuid().as_raw();
    for _ in 0..READS {
        let text = ["tcp", "tcp6"]
            .map(|name| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default())
            .concat();
        let owners = owners(&text, client, server);
        if let Some(inodes) = inodes_of(&owners, uid) {
            return is_held_below(root, &inodes);
        }
        if !owners.is_empty() {
            return false;
        }
    }
    false
}

/// A row of `/proc/net/tcp`: whose socket it is, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    uid: u32,
    inode: u64,
}

/// The numbers of the sockets, if there are any and all of them are this user's.
fn inodes_of(owners: &[Owner], uid: u32) -> Option<BTreeSet<u64>> {
    let ours = |owner: &Owner| owner.uid == uid && owner.inode != 0;
    (!owners.is_empty() && owners.iter().all(ours))
        .then(|| owners.iter().map(|owner| owner.inode).collect())
}

/// The established sockets with exactly these two addresses. A client that speaks IPv6 and IPv4 (Java)
/// stands in the other table, with mapped addresses.
fn owners(text: &str, client: SocketAddrV4, server: SocketAddrV4) -> Vec<Owner> {
    let (local, remote) = (written(client), written(server));
    text.lines()
        .filter_map(|line| {
            // sl local rem st tx:rx tr:tm retrnsmt uid timeout inode …
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, from, to, state, _, _, _, uid, _, inode, ..] = *words.as_slice() else {
                return None;
            };
            let fits = local.iter().zip(&remote).any(|(l, r)| l == from && r == to);
            let owner = Owner { uid: uid.parse().ok()?, inode: inode.parse().ok()? };
            (fits && state == ESTABLISHED).then_some(owner)
        })
        .collect()
}

/// How the kernel writes an address: as IPv4, and mapped to IPv6.
fn written(address: SocketAddrV4) -> [String; 2] {
    let words = |bytes: &[u8]| -> String {
        bytes
            .chunks_exact(4)
            .filter_map(|word| <[u8; 4]>::try_from(word).ok())
            // In the order of this machine.
            .map(|word| format!("{:08X}", u32::from_ne_bytes(word)))
            .collect()
    };
    let ip: &Ipv4Addr = address.ip();
    let port = address.port();
    [words(&ip.octets()), words(&ip.to_ipv6_mapped().octets())].map(|ip| format!("{ip}:{port:04X}"))
}

/// Whether a process below `root` has one of these sockets open.
fn is_held_below(root: u32, inodes: &BTreeSet<u64>) -> bool {
    let names: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let Ok(root) = i32::try_from(root) else { return false };
    process::below(root, &[]).into_iter().any(|pid| {
        let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())) else {
            return false;
        };
        open.flatten().any(|entry| {
            std::fs::read_link(entry.path())
                .is_ok_and(|to| to.to_str().is_some_and(|to| names.contains(to)))
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20  0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1001        0 71 1 0 20 4 30 10 -1\n\
        \x20  1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 72 1 0 20 4 30 10 -1\n\
        \x20  2: 0100007F:C351 0100007F:1F90 04 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n\
        \x20  3: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 73 1 0\n\
        \x20  4: garbled\n";

    fn at(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_row_is_that_of_both_addresses_and_of_an_open_connection() {
        let owner = |client| owners(TABLE, at(client), at(8080));
        assert_eq!(owner(50000), [Owner { uid: 1000, inode: 72 }]);
        assert_eq!(owner(50002), [Owner { uid: 1000, inode: 73 }]);
        // Closing, or none at all.
        assert!(owner(50001).is_empty() && owner(50003).is_empty());
        assert!(owners(TABLE, at(50000), at(8081)).is_empty());
    }

    #[test]
    fn in_doubt_nobody_is_this_user() {
        let (mine, other) = (Owner { uid: 1, inode: 5 }, Owner { uid: 2, inode: 6 });
        assert_eq!(inodes_of(&[mine], 1), Some(BTreeSet::from([5])));
        for doubtful in [&[][..], &[other], &[mine, other], &[Owner { uid: 1, inode: 0 }]] {
            assert_eq!(inodes_of(doubtful, 1), None, "{doubtful:?}");
        }
    }

    #[test]
    fn a_connection_of_this_process_is_below_its_parent_and_not_below_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_accepted, _) = listener.accept().unwrap();
        let v4 = |address| match address {
            std::net::SocketAddr::V4(address) => address,
            std::net::SocketAddr::V6(_) => unreachable!(),
        };
        let client = v4(stream.local_addr().unwrap());
        let server = v4(stream.peer_addr().unwrap());
        let parent = rustix::process::getppid().unwrap().as_raw_pid().unsigned_abs();
        assert!(is_below(parent, client, server));
        assert!(!is_below(std::process::id(), client, server));
        drop(stream);
        assert!(!is_below(parent, client, server));
    }
}
