//! Unusable certificates and keys: the right reason, at the start and on SIGHUP, without the files' content.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Certificate, RawClient, Server, TIMEOUT, assert_eventually, head, plain_command, run};

/// A valid pair, and variants that `openssl` makes of it.
struct CertificateWriter {
    folder: TempDir,
    cert: String,
    key: String,
}

impl CertificateWriter {
    fn new() -> Self {
        let folder = TempDir::with_prefix("strongroom-pem-").expect("make a folder");
        let this = Self { folder, cert: String::new(), key: String::new() };
        let key = this.make("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
        let cert = this.certificate(&key, "-days 30");
        Self { cert, key, ..this }
    }

    /// Returns the standard output of `openssl` with these arguments.
    fn make(&self, arguments: &str) -> String {
        let mut command = Command::new("openssl");
        let made = run(command.args(arguments.split(' ')).current_dir(self.folder.path())).exits(0);
        made.stdout
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("write a file");
    }

    fn certificate(&self, key: &str, options: &str) -> String {
        self.write("key", key);
        self.make(&format!("req -new -x509 -key key -subj /CN=localhost {options}"))
    }

    /// Returns a certificate of version 1, as `openssl x509 -req` makes it without extensions.
    fn version_1(&self) -> String {
        self.write("key", &self.key);
        let request = self.make("req -new -key key -subj /CN=localhost");
        self.write("request", &request);
        self.make("x509 -req -in request -signkey key -days 30")
    }
}

/// The content of the two files, and the expected message.
struct Case {
    cert: String,
    key: String,
    variable: &'static str,
    reason: &'static str,
}

fn cases() -> Vec<Case> {
    let shop = CertificateWriter::new();
    let CertificateWriter { cert, key, .. } = &shop;
    let of_key = |key: &str, reason| {
        let (cert, key) = (cert.clone(), key.to_owned());
        Case { cert, key, variable: "TLS_KEY_FILE", reason }
    };
    let of_cert = |cert: &str, reason| {
        let (cert, key) = (cert.to_owned(), key.clone());
        Case { cert, key, variable: "TLS_CERT_FILE", reason }
    };
    shop.write("key", key);
    let encrypted = shop.make("pkcs8 -topk8 -in key -passout pass:hunter2");
    let encrypted_before = shop.make("ec -in key -aes128 -passout pass:hunter2");
    let sec1 = shop.make("ec -in key");
    let parameters = shop.make("ecparam -name prime256v1");
    let public = shop.make("pkey -in key -pubout");
    let request = shop.make("req -new -key key -subj /CN=localhost");
    let other = shop.make("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let ed448 = shop.make("genpkey -algorithm ED448");
    let secp256k1 = shop.make("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1");
    let short = shop.make("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    shop.write("dsa", &shop.make("genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024"));
    let dsa = shop.make("genpkey -paramfile dsa");
    let of_other = shop.certificate(&other, "-days 30");
    vec![
        of_key(&key.replace('\n', ""), "line breaks are missing"),
        of_key(&key.replace('\n', " "), "line breaks are missing"),
        of_key(&key.replace('\n', "\\n"), "written as \\n"),
        of_key(&format!("\"{}\"", key.replace('\n', "\\n")), "written as \\n"),
        of_key(&key.lines().skip(1).collect::<String>(), "-----BEGIN"),
        of_key(key.trim_end().rsplit_once('\n').expect("lines").0, "cut off"),
        of_key(&key[..key.len() / 2], "cut off"),
        of_key(&key.replacen("MIG", "M!G", 1), "damaged"),
        of_key(&key.replacen("MIG", "AAA", 1), "damaged"),
        of_key("", "empty"),
        of_key(&encrypted, "encrypted"),
        of_key(&encrypted_before, "encrypted"),
        of_key(cert, "exchanged"),
        of_key(&public, "public key"),
        of_key(&parameters, "no private key"),
        of_key(&ed448, "Ed448"),
        of_key(&dsa, "DSA"),
        of_key(&secp256k1, "secp256k1"),
        of_key(&short, "not supported"),
        of_key(&other, "does not belong"),
        of_cert(&cert.replace('\n', ""), "line breaks are missing"),
        of_cert(&cert.replace('\n', "\\n"), "written as \\n"),
        of_cert(cert.trim_end().rsplit_once('\n').expect("lines").0, "cut off"),
        of_cert(&cert.replacen("MII", "M!I", 1), "damaged"),
        of_cert(&cert.replacen("MII", "AAA", 1), "damaged"),
        of_cert("", "empty"),
        of_cert("nothing of the kind", "not PEM"),
        of_cert(key, "exchanged"),
        of_cert(&encrypted, "exchanged"),
        of_cert(&request, "CSR"),
        of_cert(&public, "no certificate"),
        of_cert(&shop.version_1(), "version 1"),
        of_cert(&format!("{of_other}{cert}"), "has to be the first"),
        Case { key: sec1.replace('\n', ""), ..of_key("", "line breaks are missing") },
    ]
}

/// Returns valid pairs, as various editors save them; some cause a warning.
fn valid_pairs() -> Vec<(String, String, Option<&'static str>)> {
    let shop = CertificateWriter::new();
    let (cert, key) = (shop.cert.clone(), shop.key.clone());
    shop.write("key", &key);
    let sec1 = format!("{}{}", shop.make("ecparam -name prime256v1"), shop.make("ec -in key"));
    let (old, new) = (Certificate::pem_valid_in(2001, 2002), Certificate::pem_valid_in(2049, 2051));
    vec![
        (cert.clone(), key.clone(), None),
        (cert.clone(), sec1, None),
        (cert.replace('\n', "\r\n"), key.replace('\n', "\r\n"), None),
        (format!("\u{feff}{cert}"), format!("\u{feff}{key}"), None),
        (format!("{cert}{key}"), format!("{cert}{key}"), None),
        (old.0, old.1, Some("expired at 2002-01-01T00:00:00Z")),
        (new.0, new.1, Some("not valid before 2049-01-01T00:00:00Z")),
    ]
}

/// Checks that the output contains no line of the file that is long enough to be a secret, neither as text nor
/// as the numbers of its bytes.
#[track_caller]
fn shows_no_content(said: &str, file: &str) {
    let secrets =
        file.split(['\n', '\r', ' ', '\\']).filter(|line| !line.contains("-----") && line.len() >= 16);
    for line in secrets {
        for part in line.as_bytes().chunks_exact(8) {
            let text = String::from_utf8_lossy(part).into_owned();
            let numbers = format!("{part:?}");
            let numbers = numbers.trim_matches(['[', ']']);
            assert!(!said.contains(&text) && !said.contains(numbers), "a part of the file: {said}");
        }
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn unusable_pair_stops_the_start_with_the_reason_and_without_its_content() {
    let files = Certificate::new();
    for case in cases() {
        files.put(&case.cert, &case.key);
        let mut command = plain_command();
        command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
        command.env("TLS_CERT_FILE", files.cert_file()).env("TLS_KEY_FILE", files.key_file());
        let said = run(&mut command).exits(2).stderr;
        let expected = format!("strongroom: {}: ", case.variable);
        assert!(said.starts_with(&expected) && said.contains(case.reason), "not {:?}: {said}", case.reason);
        assert_eq!(said.lines().count(), 1, "{said}");
        shows_no_content(&said, &case.key);
        shows_no_content(&said, &case.cert);
    }
}

#[test]
fn unusable_pair_on_sighup_is_logged_without_its_content_and_the_old_one_is_kept() {
    let files = Certificate::new();
    let server = Server::builder().tls(&files).set("RUST_LOG", "debug").start();
    let system = server.system();
    for case in cases() {
        let before = server.log().len();
        files.put(&case.cert, &case.key);
        server.signal(libc::SIGHUP);
        let said = || server.log()[before..].to_owned();
        assert_eventually("the log says that the pair was refused", TIMEOUT, || {
            said().lines().any(|line| line.contains("the old one is kept"))
        });
        let said = said();
        let line = said.lines().find(|line| line.contains("the old one is kept")).expect("a line");
        assert!(line.contains(case.variable) && line.contains(case.reason), "not {:?}: {line}", case.reason);
        shows_no_content(&said, &case.key);
        shows_no_content(&said, &case.cert);
    }
    let mut raw = RawClient::to(&server);
    raw.send(head("GET", "/api/health", &system, &[]));
    raw.answer().status(200);
}

#[test]
fn valid_pair_is_accepted_in_every_form() {
    let files = Certificate::new();
    let server = Server::builder().tls(&files).start();
    server.system();
    for (cert, key, warning) in valid_pairs() {
        let before = server.log().len();
        files.put(&cert, &key);
        server.signal(libc::SIGHUP);
        let said = || server.log()[before..].to_owned();
        assert_eventually("the pair is used", TIMEOUT, || said().contains("certificate reloaded"));
        match warning {
            Some(warning) => assert!(said().contains(warning), "not {warning:?}: {}", said()),
            None => assert!(!said().contains("WARN"), "{}", said()),
        }
    }
}

#[test]
fn unreadable_file_is_named_and_a_key_in_place_of_a_name_is_not_repeated() {
    let files = Certificate::new();
    let shop = CertificateWriter::new();
    let start = |cert: &str, key: &str| {
        let mut command = plain_command();
        command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        run(command.env("TLS_CERT_FILE", cert).env("TLS_KEY_FILE", key)).exits(2).stderr
    };
    let cert = files.cert_file().display().to_string();
    let said = start(&cert, "/nonexistent/key.pem");
    assert!(said.contains("TLS_KEY_FILE: /nonexistent/key.pem: it can't be read"), "{said}");
    let said = start(&cert, &shop.key);
    assert!(said.contains("TLS_KEY_FILE: it has to be the name of a file"), "{said}");
    shows_no_content(&said, &shop.key);
}
