//! Uploads whose bodies arrive slowly, all at once. None of them ends.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::answer;
use crate::plan::{Plan, Until};

const TICK: Duration = Duration::from_millis(250);
const TICKS_A_SECOND: usize = 4;

pub fn run(plan: &Plan, rate: usize) -> Result<String, String> {
    let Until::Seconds(lasting) = plan.until else { return Err("--trickle needs --seconds".to_owned()) };
    let mut streams = vec![];
    for client in 0..plan.clients {
        let mut stream = plan.connect().map_err(|e| format!("connection {client}: {e}"))?;
        stream.write_all(plan.head(client, 0).as_bytes()).map_err(|e| format!("head {client}: {e}"))?;
        streams.push(stream);
    }
    let started = Instant::now();
    let step = (rate / TICKS_A_SECOND).max(1);
    let mut sent = 0;
    let mut tick = 0;
    while started.elapsed() < lasting {
        let chunk = &plan.body[sent.min(plan.body.len())..(sent + step).min(plan.body.len())];
        for stream in &mut streams {
            // Whether the server has disconnected is checked at the end.
            let _ = stream.write_all(chunk);
        }
        sent += chunk.len();
        tick += 1;
        thread::sleep((TICK * tick).saturating_sub(started.elapsed()));
    }
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let (mut open, mut broken) = (0_u64, 0_u64);
    for stream in &mut streams {
        match state(stream) {
            State::Open => open += 1,
            State::Answered(status) => *statuses.entry(status).or_default() += 1,
            State::Broken => broken += 1,
        }
    }
    let statuses: Vec<_> = statuses.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
    Ok(format!(
        "{{\"clients\":{},\"seconds\":{:.3},\"bytes_each\":{sent},\"open\":{open},\"broken\":{broken},\
         \"statuses\":{{{}}}}}",
        plan.clients,
        started.elapsed().as_secs_f64(),
        statuses.join(",")
    ))
}

/// The state of an upload that has not ended.
enum State {
    Open,
    Answered(u16),
    Broken,
}

fn state(stream: &mut TcpStream) -> State {
    let mut buffer = [0; 4096];
    if stream.set_nonblocking(true).is_err() {
        return State::Broken;
    }
    match stream.read(&mut buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => State::Open,
        Ok(count) => match answer::parse(&buffer[..count]) {
            Ok(Some(head)) => State::Answered(head.status),
            _ => State::Broken,
        },
        Err(_) => State::Broken,
    }
}
