//! Connections to Postgres notice a peer that disappears without closing.

use crate::harness::{Server, TIMEOUT, assert_eventually, bytes};

/// Returns the kernel's timers of the connections to this port: their kind, and their hundredths of a second.
fn timers(port: u16) -> Vec<(u8, u64)> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's connections");
    let remote = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row[2].ends_with(&remote) && row[3] == "01");
    ours.map(|row| {
        let (timer, when) = row[5].split_once(':').expect("a timer");
        let number = |hex| u64::from_str_radix(hex, 16).expect("hexadecimal");
        (u8::try_from(number(timer)).expect("a small number"), number(when))
    })
    .collect()
}

#[test]
fn database_connections_have_keepalive_timers() {
    const KEEPALIVE: u8 = 2;
    let (link, server) = Server::on_a_link();
    let system = server.system();
    server.store(&system, &bytes(1000));
    assert_eventually("every connection has a keepalive timer", TIMEOUT, || {
        let timers = timers(link.port());
        timers.len() >= 2 && timers.iter().all(|&(timer, when)| timer == KEEPALIVE && when <= 500)
    });
}
