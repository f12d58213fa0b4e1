//! Parses a list of addresses and networks.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Parses addresses and networks, separated by commas or white space. The result is in the form in which the peers of
/// connections are compared: networks without host bits, and IPv4-mapped IPv6 networks as IPv4.
///
/// # Errors
/// A line about what is wrong with the list, and what to write instead.
pub fn parse(list: &str) -> Result<Vec<IpNet>, String> {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let networks: Vec<IpNet> = entries.map(network).collect::<Result<_, _>>()?;
    // Networks may add up to all addresses, such as 0.0.0.0/1 and 128.0.0.0/1.
    if let Some(all) = IpNet::aggregate(&networks).iter().find(|network| network.prefix_len() == 0) {
        return Err(format!(
            "{all} trusts everybody, so that any client may claim any address: name the proxies"
        ));
    }
    Ok(networks)
}

fn network(entry: &str) -> Result<IpNet, String> {
    let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| {
        format!(
            "{entry:?} is neither an address nor a network like 10.0.0.0/8 or 2001:db8::/32 (without a name, port, \
             brackets or zone)"
        )
    })?;
    let network = canonical(network.trunc());
    if network.prefix_len() == network.max_prefix_len() && network.addr().is_unspecified() {
        return Err(format!("{entry:?} is nobody's address: name the proxies"));
    }
    Ok(network)
}

/// Returns an IPv4-mapped IPv6 network as IPv4, because a peer's address is converted in the same way before it is compared.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok()).map_or(network, IpNet::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_the_network_that_peers_are_matched_with() {
        for (list, networks) in [
            ("", &[][..]),
            (" , ", &[]),
            ("10.0.0.1", &["10.0.0.1/32"]),
            ("10.0.0.1/8", &["10.0.0.0/8"]),
            (
                "10.0.0.0/8,192.0.2.1 2001:db8::5/32 ::1",
                &["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::1/128"],
            ),
            ("::ffff:10.0.0.0/104", &["10.0.0.0/8"]),
            ("::ffff:10.0.0.1/104", &["10.0.0.0/8"]),
            ("::ffff:10.0.0.1", &["10.0.0.1/32"]),
            ("::ffff:0:0/97,10.0.0.0/8", &["0.0.0.0/1", "10.0.0.0/8"]),
        ] {
            let expected: Vec<IpNet> = networks.iter().map(|network| network.parse().unwrap()).collect();
            assert_eq!(parse(list), Ok(expected), "{list:?}");
        }
    }

    #[test]
    fn list_that_cannot_be_meant_is_refused_in_one_line() {
        for list in [
            "proxy.example",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/255.0.0.0",
            "10.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "fe80::1%eth0",
            "fe80::%eth0/10",
            "10.0.0.1;10.0.0.2",
            "10.0.0",
            "10.0.0.0-10.0.0.9",
            "*",
            "0.0.0.0",
            "::",
            "::ffff:0.0.0.0",
            "0.0.0.0/0",
            "10.0.0.1, ::/0",
            "::ffff:0:0/96",
            "0.0.0.0/1,128.0.0.0/1",
            "::/1 8000::/1",
        ] {
            let problem = parse(list).unwrap_err();
            assert_eq!(problem.lines().count(), 1, "{list:?}: {problem}");
        }
    }
}
