//! Finds the client's address behind proxies (`X-Forwarded-For`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Returns the address of the client. Walks `X-Forwarded-For` from the right while the writer of the element is trusted.
/// `lines` are all lines of the header, which count as one list.
///
/// Each proxy appends the address of its peer, so an element is as trustworthy as the address to its right. The client
/// itself may have invented what is left of an untrusted address. The same is true for what is left of an element that is
/// not an address (`unknown`, `_hidden`, `unix:`); then the proxy that wrote the element counts as the client. Empty
/// elements are skipped (RFC 9110, 5.6.1).
#[must_use]
pub fn client(peer: IpAddr, lines: &[&[u8]], trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let elements = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    for element in elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()) {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        match address(element) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// Parses an element in the forms that proxies write: bare, with a port (Azure, IIS, AWS if configured), in brackets, with
/// a zone, in quotes. An IPv4-mapped IPv6 address becomes the IPv4 address.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(())?;
            IpAddr::V6(without_zone(address).parse::<Ipv6Addr>().ok()?)
        }
        // With more than one colon it is an IPv6 address.
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => {
                is_port(port).then_some(())?;
                IpAddr::V4(address.parse::<Ipv4Addr>().ok()?)
            }
            _ => without_zone(text).parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Removes the zone (`%eth0`). It names a network interface of the proxy and has no meaning here.
fn without_zone(address: &str) -> &str {
    match address.split_once('%') {
        Some((v6, _)) if v6.contains(':') => v6,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn trusted() -> Vec<IpNet> {
        ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec()
    }

    fn of(peer: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        client(peer.parse().unwrap(), &lines, &trusted()).to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        for (peer, lines, expected) in [
            ("192.0.2.9", &["203.0.113.5"][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5", "10.0.0.2"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5:1, fd00::2, [fd00::3]:80"], "203.0.113.5"),
            ("::ffff:10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.5:1234, 10.0.0.2:99"], "203.0.113.5"),
        ] {
            assert_eq!(of(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_address_is_read_as_proxies_write_it() {
        for (element, expected) in [
            ("203.0.113.5:1234", "203.0.113.5"),
            ("\"203.0.113.5:1234\"", "203.0.113.5"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("[::ffff:203.0.113.5]:80", "203.0.113.5"),
            ("203.0.113.5,", "203.0.113.5"),
            (" ,, 203.0.113.5 ,\t, ", "203.0.113.5"),
        ] {
            assert_eq!(of("10.0.0.1", &[element]), expected, "{element:?}");
        }
    }

    #[test]
    fn what_stands_left_of_something_that_is_no_address_is_not_believed() {
        for element in [
            "unknown",
            "_hidden",
            "unix:",
            "garbage",
            "203.0.113",
            "203.0.113.5:",
            "203.0.113.5:x",
            "203.0.113.5:99999",
            "203.0.113.5:+1",
            "[203.0.113.5]:80",
            "[2001:db8::1",
            "[2001:db8::1]x",
            "[2001:db8::1]:",
            "2001:db8::1]",
            "\"203.0.113.5",
            "203.0.113.5%eth0",
            "for=203.0.113.5",
            "1",
        ] {
            assert_eq!(of("10.0.0.1", &[&format!("1.1.1.1, {element}")]), "10.0.0.1", "{element:?}");
        }
    }

    #[test]
    fn a_client_can_not_hide_behind_bytes_that_are_no_text() {
        let line = b"\xff\xfe, 203.0.113.5";
        assert_eq!(client("10.0.0.1".parse().unwrap(), &[line], &trusted()).to_string(), "203.0.113.5");
        let lines: [&[u8]; 2] = [b"203.0.113.5, \xff", b"10.0.0.7"];
        assert_eq!(client("10.0.0.1".parse().unwrap(), &lines, &trusted()).to_string(), "10.0.0.7");
    }

    /// An address, and a way in which some proxy writes it.
    fn written() -> impl Strategy<Value = (IpAddr, String)> {
        let address = prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()),
            (0..256_u32).prop_map(|last| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | last))),
        ];
        (address, any::<u16>(), 0..4).prop_map(|(address, port, form)| {
            let text = match (address, form) {
                (_, 0) => address.to_string(),
                (_, 1) => format!("\"{}\"", SocketAddr::new(address, port)),
                (IpAddr::V6(v6), 2) => format!("[{v6}]"),
                (IpAddr::V6(v6), 3) => format!("{v6}%eth0"),
                _ => SocketAddr::new(address, port).to_string(),
            };
            (address, text)
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4),
        ) {
            let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
            let _ = client(IpAddr::V4(Ipv4Addr::LOCALHOST), &lines, &["0.0.0.0/0".parse().unwrap()]);
        }

        #[test]
        fn no_address_left_of_an_untrusted_one_is_taken(
            elements in proptest::collection::vec(written(), 1..6),
            peer in 0..256_u32,
            invented in "[0-9a-f.:%\\[\\]\", ]{0,40}",
        ) {
            let peer = IpAddr::V4(Ipv4Addr::from_bits(0x0a01_0000 | peer));
            let is_trusted = |address: &IpAddr| trusted().iter().any(|network| network.contains(address));
            let list = elements.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>().join(", ");
            let last_untrusted = elements.iter().rev().find(|(address, _)| !is_trusted(address));
            let Some((expected, _)) = last_untrusted else { return Ok(()) };
            // The untrusted client may have put anything in front.
            let line = format!("{invented},{list}");
            prop_assert_eq!(client(peer, &[line.as_bytes()], &trusted()), *expected);
            prop_assert_eq!(client(peer, &[invented.as_bytes(), list.as_bytes()], &trusted()), *expected);
        }
    }
}
