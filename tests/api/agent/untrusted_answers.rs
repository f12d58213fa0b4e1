//! The appliance's agent with answers that are forged or lost, and backups that were never encrypted.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Appliance, Server};

/// Reads one request completely: closing a connection with unread bytes may lose the answer. Returns its head,
/// in lower case, and all of it; `None` if the client has disconnected.
fn whole_request(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut request, mut piece) = (vec![], [0; 8192]);
    let mut head = None;
    loop {
        let read = client.read(&mut piece).ok().filter(|&read| read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else { continue };
        let head: &String =
            head.get_or_insert_with(|| String::from_utf8_lossy(&request[..end]).to_ascii_lowercase());
        let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest);
        let length: usize = length.lines().next().unwrap_or("0").parse().expect("a length");
        if request.len() >= end + 4 + length {
            return Some((head.clone(), request));
        }
    }
}

/// Answers every request with this status and body, in which `SHA256` is replaced by the digest of the request.
fn answers(status: &'static str, body: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let Some((_, request)) = whole_request(&mut stream) else { continue };
            let request = String::from_utf8_lossy(&request);
            let digest = request.split_once("sha-256=:").and_then(|(_, rest)| rest.split_once(':'));
            let bytes = digest.map(|(digest, _)| STANDARD.decode(digest).expect("base64"));
            let body = body.replace("SHA256", &hex::encode(bytes.unwrap_or_default()));
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn forged_answers_are_never_run_by_the_agents_shell() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let conf = fs::read_to_string(appliance.path("agent.conf")).expect("the configuration");
    let at = |url: &str| {
        let conf = format!("{conf}URL={url}\nATTEMPTS=1\n");
        fs::write(appliance.path("agent.conf"), conf).expect("write it");
    };
    let mark = appliance.path("owned");
    let id = format!("x'; touch {}; : 'y", mark.display());
    at(&answers("201 Created", format!(r#"{{"data":{{"id":"{id}","sha256":"SHA256"}}}}"#)));
    for _ in 0..2 {
        appliance.run(&["backup"]).exits(1, "not an answer from Strongroom");
        assert!(!mark.exists());
    }
    // Such a list is not accepted either.
    let entry = format!(r#"{{"id":"{id}","filename":"a","size":1,"sha256":"x","uploaded_at":"y"}}"#);
    at(&answers("200 OK", format!(r#"{{"data":{{"backups":[{entry}]}}}}"#)));
    let to = appliance.path("restored");
    appliance.run(&["restore", "--to", &to.to_string_lossy()]).exits(1, "not a list from Strongroom");
    assert!(!mark.exists() && !to.exists());
}

#[test]
fn agent_refuses_to_restore_an_unencrypted_backup() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let (tar, forged) = (appliance.path("forged.tar.gz"), appliance.path("forged.gpg"));
    let packed =
        Command::new("tar").arg("-czf").arg(&tar).arg("-C").arg(appliance.path("")).arg("etc").status();
    assert!(packed.expect("run tar").success());
    let mut gpg = Command::new("gpg");
    gpg.arg("--homedir").arg(appliance.path("")).args(["--batch", "--quiet", "--output"]).arg(&forged);
    assert!(gpg.arg("--store").arg(&tar).status().expect("run gpg").success());
    server.store(&system, &fs::read(&forged).expect("the file"));
    let to = appliance.path("restored");
    appliance.run(&["restore", "--to", &to.to_string_lossy()]).exits(1, "never encrypted");
    assert!(fs::read_dir(&to).map_or(true, |mut entries| entries.next().is_none()), "nothing was unpacked");
}

#[test]
fn agent_excludes_its_state_and_credential_from_backups() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let conf = fs::read_to_string(appliance.path("agent.conf")).expect("the configuration");
    let home = appliance.path("").display().to_string();
    fs::write(appliance.path("agent.conf"), format!("{conf}PATHS={home}\n")).expect("write it");
    appliance.run(&["backup"]).done("stored ");
    appliance.run(&["backup"]).done("unchanged since ");
    let to = tempfile::TempDir::new().expect("a folder");
    appliance.run(&["restore", "--to", &to.path().to_string_lossy()]).done("unpacked below");
    let there = to.path().join(home.trim_start_matches('/'));
    assert!(there.join("etc/large").exists() && there.join("agent.conf").exists());
    assert!(!there.join("credential").exists() && !there.join("state").exists());
}

/// A proxy that forwards everything, and answers uploads with 504 although they were stored.
fn forgetful_proxy(to: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a connection");
            let Some((head, mut request)) = whole_request(&mut client) else { continue };
            let line = request.windows(2).position(|two| two == b"\r\n").expect("a line") + 2;
            request.splice(line..line, *b"Connection: close\r\n");
            let mut server = TcpStream::connect(&to).expect("the server");
            server.write_all(&request).expect("pass it on");
            let mut answer = vec![];
            server.read_to_end(&mut answer).expect("its answer");
            if head.starts_with("post ") {
                answer =
                    b"HTTP/1.1 504 Late\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .to_vec();
            }
            let _ = client.write_all(&answer);
        }
    });
    url
}

#[test]
fn upload_whose_answer_a_proxy_lost_is_not_stored_twice() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let conf = fs::read_to_string(appliance.path("agent.conf")).expect("the configuration");
    let url = forgetful_proxy(server.address().to_owned());
    fs::write(appliance.path("agent.conf"), format!("{conf}URL={url}\n")).expect("write it");
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.ids(&system).len(), 1);
}
