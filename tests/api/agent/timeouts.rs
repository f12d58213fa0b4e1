//! The pauses of the appliance's agent between attempts, and its timeouts. The tests do not wait: its `sleep`
//! only records its argument, and where the timeouts of its `curl` are tested, their minutes are shortened.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use crate::harness::{Appliance, Server, System, TIMEOUT, assert_eventually};

/// Records its argument. The twelfth call really sleeps: the test has seen enough by then.
const SLEEP: &str = r#"#!/bin/sh
home=${0%/bin/sleep} PATH=${PATH#*:}
echo "$1" >>"$home/slept"
[ "$(wc -l <"$home/slept")" -lt 12 ] || exec sleep 600
"#;

/// Calls the real curl with each minute of its timeouts shortened, and records its arguments.
const CURL: &str = r#"#!/bin/sh
home=${0%/bin/curl} PATH=${PATH#*:}
echo "$*" >>"$home/asked"
last='' left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    case $last in --max-time | --speed-time) word=$((word * MINUTE / 60)) ;; esac
    set -- "$@" "$word"
    last=$word left=$((left - 1))
done
exec curl "$@"
"#;

fn appliance(server: &Server, system: &System) -> Appliance {
    let appliance = Appliance::of(server, system);
    appliance.tool("sleep", SLEEP);
    appliance
}

/// From now on a minute of the timeouts of its `curl` has this many seconds.
fn shorten_minutes(appliance: &Appliance, minute: u64) {
    appliance.tool("curl", &CURL.replace("MINUTE", &minute.to_string()));
}

/// Returns the pauses so far, in seconds.
fn pauses(appliance: &Appliance) -> Vec<u64> {
    let text = fs::read_to_string(appliance.path("slept")).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("whole seconds")).collect()
}

/// Returns the permitted pauses: up to seven seconds longer, so that a fleet does not come at once.
fn about(seconds: u64) -> RangeInclusive<u64> {
    seconds..=seconds + 7
}

#[track_caller]
fn assert_pauses(pauses: &[u64], expected: &[u64]) {
    let right = pauses.len() >= expected.len()
        && pauses.iter().zip(expected).all(|(pause, &wanted)| about(wanted).contains(pause));
    assert!(right, "{pauses:?}, and not about {expected:?}");
}

/// Returns the pauses of an agent that waits for requests, when there are this many.
fn pauses_of_waiting(appliance: &Appliance, count: usize) -> Vec<u64> {
    let waiting = appliance.start(&["wait"]);
    assert_eventually("the agent tries again and again", TIMEOUT * 4, || pauses(appliance).len() >= count);
    drop(waiting);
    pauses(appliance)
}

const EMPTY: &str = r#"{"code":200,"message":"requests listed","data":{"requests":[]}}"#;

fn answer(status: &str, lines: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{lines}\r\n{body}", body.len())
}

/// The heads of the requests to such a server.
type Asked = Arc<Mutex<Vec<String>>>;

/// Sends these answers in turn, and the last one again and again. Keeps each connection open: an answer that is
/// shorter than its length never ends.
fn answers_in_turn(answers: Vec<String>) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Asked::default();
    let own = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut open: Vec<TcpStream> = vec![];
        for client in listener.incoming() {
            let mut client = client.expect("a connection");
            let mut head = vec![0; 64 << 10];
            let read = client.read(&mut head).unwrap_or(0);
            let mut asked = own.lock().expect("not poisoned");
            let _ = client.write_all(answers[asked.len().min(answers.len() - 1)].as_bytes());
            asked.push(String::from_utf8_lossy(&head[..read]).into_owned());
            open.push(client);
        }
    });
    (url, asked)
}

#[test]
fn agent_polls_again_with_pauses_that_grow_to_a_quarter_of_an_hour() {
    let server = Server::start();
    let appliance = appliance(&server, &server.system());
    // A port that refuses connections.
    appliance.set("URL=http://127.0.0.1:1");
    let pauses = pauses_of_waiting(&appliance, 12);
    assert_pauses(&pauses, &[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
}

#[test]
fn an_answer_resets_the_agents_pauses() {
    let server = Server::start();
    let appliance = appliance(&server, &server.system());
    let (down, up) = (answer("503 Down", "", "{}"), answer("200 OK", "", EMPTY));
    let answers = [&down, &down, &down, &up, &down, &down].map(String::clone).to_vec();
    appliance.set(&format!("URL={}", answers_in_turn(answers).0));
    assert_pauses(&pauses_of_waiting(&appliance, 6), &[2, 4, 8, 2, 2, 4]);
}

#[test]
fn agent_pauses_between_polls_that_are_answered_at_once() {
    let server = Server::start();
    let appliance = appliance(&server, &server.system());
    appliance.set(&format!("URL={}", answers_in_turn(vec![answer("200 OK", "", EMPTY)]).0));
    assert_pauses(&pauses_of_waiting(&appliance, 12), &[2; 12]);
}

#[test]
fn retry_after_replaces_the_agents_own_pause() {
    let server = Server::start();
    let appliance = appliance(&server, &server.system());
    let busy = answer("503 Down", "Retry-After: 100\r\n", "{}");
    appliance.set(&format!("URL={}", answers_in_turn(vec![busy]).0));
    assert_pauses(&pauses_of_waiting(&appliance, 3), &[100; 3]);
}

#[test]
fn agent_retries_an_upload_with_growing_pauses_and_a_limit() {
    let server = Server::start();
    let appliance = appliance(&server, &server.system());
    let (url, asked) = answers_in_turn(vec![answer("503 Down", "", "{}")]);
    appliance.set(&format!("URL={url}\nATTEMPTS=4"));
    appliance.run(&["backup"]).exits(1, "not stored: status 503");
    let pauses = pauses(&appliance);
    assert_pauses(&pauses, &[30, 60, 90]);
    assert_eq!((pauses.len(), asked.lock().expect("not poisoned").len()), (3, 4));
    appliance.left_nothing_behind();
}

#[test]
fn failed_packing_is_retried_at_most_once_a_minute() {
    let server = Server::start();
    let system = server.system();
    let appliance = appliance(&server, &system);
    appliance.set("PATHS=/nonexistent/path");
    server.request_backup(&system);
    let pauses = pauses_of_waiting(&appliance, 7);
    assert_eq!(pauses[..5], [60; 5], "{pauses:?}");
    assert_pauses(&pauses[5..], &[64, 128]);
}

/// The agent ends by itself and fails with these words.
#[track_caller]
fn fails_with(appliance: &Appliance, arguments: &[&str], words: &str) {
    let mut agent = appliance.start(arguments);
    assert_eq!(agent.ends(), 1);
    assert!(agent.says(words), "no {words:?} after {arguments:?}");
}

#[test]
fn every_call_of_the_agent_has_a_timeout() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = appliance(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    shorten_minutes(&appliance, 1);
    // A server that accepts every connection and never answers.
    let (url, asked) = answers_in_turn(vec![String::new()]);
    appliance.set(&format!("URL={url}\nATTEMPTS=1"));
    fails_with(&appliance, &["list"], "can't list the backups: no answer from");
    fails_with(&appliance, &["backup"], "can't list the backups: no answer from");
    fails_with(&appliance, &["backup", "--force"], "not stored: no answer from");
    let waiting = appliance.start(&["wait"]);
    assert_eventually("the agent's poll times out", TIMEOUT * 3, || waiting.says("no answer from"));
    drop(waiting);
    assert!(asked.lock().expect("not poisoned").len() >= 4);
    // Connecting has a timeout, too.
    let calls = fs::read_to_string(appliance.path("asked")).expect("calls");
    assert!(calls.lines().all(|call| call.contains("--connect-timeout 30 ")), "{calls}");
    appliance.left_nothing_behind();
}

#[test]
fn stalled_download_of_the_agent_is_resumed_where_it_stopped() {
    let server = Server::unlimited();
    let appliance = appliance(&server, &server.system());
    // Two answers stall; the minute is long enough that the others do not seem to.
    shorten_minutes(&appliance, 6);
    let entry = format!(
        r#"{{"id":"a.gpg","filename":"a.gpg","size":10,"sha256":"{}","uploaded_at":"now"}}"#,
        crate::harness::sha256_hex(b"helloworld")
    );
    let list = answer("200 OK", "", &format!(r#"{{"data":{{"backups":[{entry}]}}}}"#));
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned();
    let stuck = "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n".to_owned();
    let rest = format!("{stuck}world");
    let (url, asked) = answers_in_turn(vec![list, half, stuck, rest]);
    appliance.set(&format!("URL={url}"));
    let file = appliance.path("fetched");
    let mut agent = appliance.start(&["fetch", "-o", &file.to_string_lossy()]);
    assert_eq!(agent.ends(), 0);
    assert!(agent.says("its SHA-256 is right"));
    assert_eq!(fs::read(file).expect("the file"), b"helloworld");
    assert_eq!(pauses(&appliance), [5, 10]);
    let asked = asked.lock().expect("not poisoned");
    let ranges: Vec<_> = asked.iter().map(|head| head.to_lowercase().contains("range: bytes=5-")).collect();
    assert_eq!(ranges, [false, false, true, true]);
}
