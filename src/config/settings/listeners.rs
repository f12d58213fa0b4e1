use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::setting::{
    About,
    Default::{Is, Unset},
    Group, Kind, Setting, settings,
};
use crate::config::{check, networks, origins};

settings! {
    "Listeners";

    /// IP address and port of the collect API.
    ///
    /// An IPv6 address stands in brackets: [::]:8081.
    LISTEN_ADDRESS: SocketAddr { Is("127.0.0.1:8081"), Kind::Address, check::address }

    /// IP address and port of the management API, for portals and automation. With a certificate it speaks TLS,
    /// unless it is on loopback.
    MANAGEMENT_LISTEN_ADDRESS: SocketAddr { Is("127.0.0.1:8082"), Kind::Address, check::address }

    /// The address at which clients reach the collect API, `https://HOST[:PORT]`. Download links begin with it.
    ///
    /// Default: the host that a request was sent to.
    PUBLIC_URL: String {
        Unset { means: "the request's host", example: "https://collect.example.net" }, Kind::Url, check::base_url
    }

    /// The address at which clients reach the management API, `https://HOST[:PORT]`. The addresses of pages about errors
    /// begin with it.
    ///
    /// Default: the host that a request was sent to.
    MANAGEMENT_PUBLIC_URL: String {
        Unset { means: "the request's host", example: "https://backups.example.net" }, Kind::Url, check::base_url
    }

    /// The web origins whose pages may call the management API in a browser: `https://HOST[:PORT]`, separated by commas.
    ///
    /// Only for a portal whose pages call Strongroom themselves: a program needs no entry, and neither does a portal
    /// whose server calls Strongroom. Every origin is named: `*` is refused.
    MANAGEMENT_CORS_ORIGINS: Vec<String> {
        Unset { means: "none", example: "https://portal.example.net" }, Kind::Url, origins::parse
    }

    /// For HTTPS, a PEM file with the certificate and its chain; unset: plain HTTP. Read again on SIGHUP.
    ///
    /// Plain HTTP is for a proxy in front on the same machine or a trusted network. Set this and
    /// TLS_KEY_FILE, or neither. Both files have to be readable for the account `strongroom` (chgrp
    /// strongroom, chmod 640). `systemctl reload strongroom` reads both again; a pair that does not fit
    /// is refused, and the old one stays.
    TLS_CERT_FILE: PathBuf {
        Unset { means: "unset", example: "/etc/strongroom/tls/fullchain.pem" }, Kind::Path, check::path
    }

    /// A PEM file with the private key of the certificate.
    TLS_KEY_FILE: PathBuf {
        Unset { means: "unset", example: "/etc/strongroom/tls/privkey.pem" }, Kind::Path, check::path
    }

    /// The proxies whose `X-Forwarded-For` is believed: addresses or networks, separated by commas.
    ///
    /// Only those that set the header themselves: a listed client can claim any address. Unset: the
    /// address that is recorded is the peer's. A list that trusts everybody (0.0.0.0/0) is refused.
    TRUSTED_PROXIES: Vec<IpNet> {
        Unset { means: "none", example: "127.0.0.1,::1,192.0.2.0/24" }, Kind::Networks, networks::parse
    }
}
