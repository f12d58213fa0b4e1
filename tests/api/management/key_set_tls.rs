//! The key set of a provider over TLS: which certificates are trusted, and that keys from other servers are not
//! used.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::harness::{Authority, Provider, Server, SigningKey, System, TIMEOUT, assert_eventually, claims};

/// A provider over TLS, the authority of its certificate, and the file of trusted authorities.
struct TlsProviderFixture {
    authority: Authority,
    provider: Provider,
    key: SigningKey,
    folder: TempDir,
}

impl TlsProviderFixture {
    fn new() -> Self {
        let key = SigningKey::ec();
        let fixture = Self {
            authority: Authority::new("The operator's own"),
            provider: Provider::new(&[&key]),
            key,
            folder: TempDir::with_prefix("strongroom-trust-").expect("make a folder"),
        };
        fixture.provider.present(fixture.authority.server("127.0.0.1"));
        fixture
    }

    fn trusted(&self) -> PathBuf {
        self.folder.path().join("trusted.pem")
    }

    fn server(&self) -> Server {
        let builder = self.provider.settings(Server::builder());
        let server = builder.set("SSL_CERT_FILE", self.trusted().display()).start();
        assert_eventually("the first fetch has ended", TIMEOUT, || server.log().contains("token keys: "));
        server
    }
}

/// Returns the status of a request with a token of this key.
fn status(server: &Server, system: &System, key: &SigningKey) -> u16 {
    let token = key.sign(&claims(&system.org, "backup:view"));
    server.manage("GET", &format!("/api/systems/{}/backups", system.id)).bearer(token).send().status
}

/// Returns the log lines about failed fetches.
fn failed_fetches(server: &Server) -> Vec<String> {
    let log = server.log();
    log.lines().filter(|line| line.contains("token keys: read https://")).map(str::to_owned).collect()
}

#[test]
fn keys_are_accepted_from_a_provider_trusted_by_the_ca_file() {
    let fixture = TlsProviderFixture::new();
    fixture.authority.write_to(&fixture.trusted());
    let server = fixture.server();
    let system = server.system();
    assert_eq!(status(&server, &system, &fixture.key), 200, "{}", server.log());
    assert!(failed_fetches(&server).is_empty());
}

#[test]
fn keys_of_an_untrusted_provider_are_refused_until_it_is_trusted() {
    let fixture = TlsProviderFixture::new();
    Authority::new("Somebody else").write_to(&fixture.trusted());
    let server = fixture.server();
    let system = server.system();
    let told = failed_fetches(&server);
    assert!(told.len() == 1 && told[0].contains("certificate verify failed"), "{told:?}");
    assert!(told[0].contains("SSL_CERT_FILE"), "the line names the setting: {told:?}");
    assert_eq!(status(&server, &system, &fixture.key), 503);
    assert_eq!(fixture.provider.fetches(), 0, "an untrusted server gets no request");
    // The service must not need a restart.
    fixture.authority.write_to(&fixture.trusted());
    assert_eventually("the keys are accepted", TIMEOUT, || status(&server, &system, &fixture.key) == 200);
}

#[test]
fn provider_with_a_certificate_for_another_name_is_refused() {
    let fixture = TlsProviderFixture::new();
    fixture.authority.write_to(&fixture.trusted());
    fixture.provider.present(fixture.authority.server("login.example.org"));
    let server = fixture.server();
    let system = server.system();
    let told = failed_fetches(&server);
    assert!(told.len() == 1 && told[0].contains("certificate verify failed"), "{told:?}");
    assert_eq!(status(&server, &system, &fixture.key), 503);
    assert_eq!(fixture.provider.fetches(), 0);
    fixture.provider.present(fixture.authority.server("127.0.0.1"));
    assert_eventually("the keys are accepted", TIMEOUT, || status(&server, &system, &fixture.key) == 200);
}

#[test]
fn keys_stay_when_the_provider_is_no_longer_trusted() {
    let fixture = TlsProviderFixture::new();
    fixture.authority.write_to(&fixture.trusted());
    let server = fixture.server();
    let system = server.system();
    assert_eq!(status(&server, &system, &fixture.key), 200);
    let forged = SigningKey::ec();
    fixture.provider.publish(&[&forged]);
    fixture.provider.present(Authority::new("The operator's own").server("127.0.0.1"));
    assert_eq!(
        status(&server, &system, &forged),
        401,
        "the keys are fetched again, and the new ones are not accepted"
    );
    assert_eventually("the log has the warning", TIMEOUT, || failed_fetches(&server).len() == 1);
    assert_eq!(status(&server, &system, &fixture.key), 200);
}
