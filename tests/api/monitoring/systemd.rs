//! Notifications to systemd, and the units.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tempfile::TempDir;

use crate::harness::{Certificate, Server, TIMEOUT, unique};

/// Starts, reloads and stops a service that has this notification socket.
fn is_notified(server_side: &UnixDatagram, name: &str) {
    server_side.set_read_timeout(Some(TIMEOUT)).expect("set a time-out");
    let hear = || {
        let mut buffer = [0; 4096];
        let length = server_side.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let certificate = Certificate::new();
    let server = Server::builder().tls(&certificate).set("NOTIFY_SOCKET", name).start();
    assert_eq!(hear(), "READY=1\n");
    let reload = || {
        server.signal(libc::SIGHUP);
        let reloading = hear();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading:?}");
        hear()
    };
    assert_eq!(reload(), "READY=1\nSTATUS=\n");
    certificate.corrupt();
    let refused = reload();
    let status = "READY=1\nSTATUS=certificate not reloaded, the old one is kept: TLS_KEY_FILE: ";
    assert!(refused.starts_with(status), "{refused:?}");
    certificate.renew();
    assert_eq!(reload(), "READY=1\nSTATUS=\n");
    assert!(server.stop_gracefully().success());
    assert_eq!(hear(), "STOPPING=1\n");
    assert!(!server.log().contains("NOTIFY_SOCKET"), "{}", server.log());
}

#[test]
fn systemd_is_notified_through_a_socket_path() {
    let folder = TempDir::with_prefix("strongroom-notify-").expect("make a folder");
    let path = folder.path().join("socket");
    is_notified(&UnixDatagram::bind(&path).expect("a socket"), path.to_str().expect("a name"));
}

#[test]
fn systemd_is_notified_through_an_abstract_socket() {
    let name = format!("strongroom-test/{}/{}", std::process::id(), unique());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    is_notified(&UnixDatagram::bind_addr(&address).expect("a socket"), &format!("@{name}"));
}

/// Returns the lines of the service's unit that set this.
fn settings_of_the_unit(name: &str) -> Vec<String> {
    let path = crate::common::repository().join("deploy/systemd/strongroom.service");
    let unit = std::fs::read_to_string(path).expect("the unit");
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned).collect()
}

#[test]
fn reload_checks_the_files_before_the_service_reads_them() {
    let reload = settings_of_the_unit("ExecReload");
    // The check is no main process: systemd hides the unit's credentials from it, and names their place all the same.
    let credentials = "CREDENTIALS_DIRECTORY=/proc/${MAINPID}/root/run/credentials/%n";
    let check = format!("/usr/bin/env {credentials} /usr/bin/strongroom serve --check");
    assert_eq!(reload, [check.as_str(), "/bin/kill -HUP $MAINPID"]);
    assert_eq!(settings_of_the_unit("SyslogIdentifier"), ["strongroom"]);
}

#[test]
fn systemd_units_disable_core_dumps() {
    let mut units = 0;
    for folder in ["deploy/systemd", "deploy/appliance"] {
        for entry in std::fs::read_dir(crate::common::repository().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "service") {
                units += 1;
                let unit = std::fs::read_to_string(&path).expect("a unit");
                assert!(unit.lines().any(|line| line == "LimitCORE=0"), "{}", path.display());
            }
        }
    }
    assert!(units >= 4, "{units} units");
}

fn unit(name: &str) -> String {
    let path = crate::common::repository().join("deploy/systemd").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn audit_unit_has_the_account_the_settings_and_the_sandbox_of_the_service() {
    let own = ["Type=", "Exec", "Timeout", "KillSignal=", "Restart", "LimitNOFILE=", "SyslogIdentifier="];
    let settings = |name| {
        let unit = unit(name);
        let (_, service) = unit.split_once("[Service]\n").expect("a section");
        let (service, _) = service.split_once("\n[").unwrap_or((service, ""));
        let lines = service.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .filter(|line| !own.iter().any(|start| line.starts_with(start)))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let service = settings("strongroom.service");
    assert!(service.len() > 25, "{service:?}");
    assert_eq!(settings("strongroom-audit.service"), service);
}

#[test]
fn systemd_accepts_the_units() {
    let folder = TempDir::with_prefix("strongroom-units-").expect("make a folder");
    let names = ["strongroom.service", "strongroom-audit.service", "strongroom-audit.timer"];
    for name in names {
        // systemd-analyze looks for the program.
        let unit = unit(name).replace("/usr/bin/strongroom ", concat!(env!("CARGO_BIN_EXE_strongroom"), " "));
        std::fs::write(folder.path().join(name), unit).expect("write a unit");
    }
    let mut verify = std::process::Command::new("systemd-analyze");
    verify
        .arg("verify")
        .args(["--man=no", "--recursive-errors=no"])
        .args(names.map(|name| folder.path().join(name)));
    let verified = match verify.output() {
        Ok(verified) => verified,
        Err(error) => {
            println!("skipped: systemd-analyze: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{}: {said}", verified.status);
}
