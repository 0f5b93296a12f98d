//! Which process of this machine listens on an address, so that a broker
//! started by someone else on the same machine can be observed too.

use std::collections::BTreeSet;
use std::fs;
use std::net::ToSocketAddrs as _;

/// The processes that listen on the ports of those of `addresses` that are
/// loopback addresses. Only what this user may see is found.
pub fn local_listeners(addresses: &[String]) -> Vec<u32> {
    let ports: BTreeSet<u16> = addresses
        .iter()
        .filter_map(|address| address.to_socket_addrs().ok())
        .flatten()
        .filter(|address| address.ip().is_loopback())
        .map(|address| address.port())
        .collect();
    if ports.is_empty() {
        return Vec::new();
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: BTreeSet<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, &ports))
        .collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| owns_any(*pid, &inodes))
        .collect()
}

/// Inodes of the sockets of a `/proc/net/tcp` table that listen on `ports`.
fn listening_inodes(table: &str, ports: &BTreeSet<u16>) -> Vec<String> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let listens = *fields.get(3)? == LISTEN && ports.contains(&port);
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn owns_any(pid: u32, inodes: &BTreeSet<String>) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| {
            let inode = target
                .to_str()
                .and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']'));
            inode.is_some_and(|inode| inodes.contains(inode))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found_to_be_ours() {
        let Ok(listener) = std::net::TcpListener::bind("127.0.0.1:0") else {
            panic!("a loopback port is free");
        };
        let address = listener
            .local_addr()
            .map(|a| a.to_string())
            .unwrap_or_default();
        assert_eq!(local_listeners(&[address]), [std::process::id()]);
        assert!(local_listeners(&["192.0.2.1:9092".to_owned()]).is_empty());
    }

    #[test]
    fn only_listening_sockets_of_the_ports_count() {
        let table = "  sl  local_address rem_address   st ...\n\
            0: 0100007F:2384 00000000:0000 0A 0:0 0:0 0 0 0 777 1\n\
            1: 0100007F:2384 0100007F:9999 01 0:0 0:0 0 0 0 778 1\n\
            2: 0100007F:2385 00000000:0000 0A 0:0 0:0 0 0 0 779 1\n\
            broken";
        let ports = BTreeSet::from([0x2384]);
        assert_eq!(listening_inodes(table, &ports), ["777"]);
    }
}
