//! A proxy in front of the engine that injects faults. Each connection carries one request, so that a fault
//! affects exactly the calls that it is meant for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::closable_port::ClosablePort;
use super::messages::{copy, drain, list_of, read_head, say};

/// The fault that the proxy injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Connections are refused.
    Refused,
    /// The connection is reset when the request's head has arrived.
    Reset,
    /// Nothing is read or answered any more.
    BlackHole,
    /// Nothing is read or answered, and those connections stay silent also after the repair.
    PacketsLost,
    /// 500 without reading the body, for the first call only.
    Error500Once,
    /// 500 without reading the body.
    Error500,
    /// Both directions transfer one byte a second.
    Trickle,
    /// The engine executes the call; its response is lost.
    AnswerLost,
    /// The engine receives the request when the test changes the fault.
    RequestHeld,
    /// The engine executes the call; its response arrives when the test changes the fault.
    AnswerHeld,
    /// The response is cut off in the middle of its body.
    CutAnswer,
    /// 200 with an error in the body; the engine does nothing.
    ErrorIn200,
    /// 200 with a body that is not S3's.
    Garbage,
    /// A list shows the one key that was requested, whether it exists or not.
    ListedAllTheSame,
}

/// Selects the affected requests by their first line.
pub type Hits = fn(&str) -> bool;

struct State {
    fault: Option<(Fault, Hits)>,
    hits: usize,
    /// The number of calls that wait for the next change.
    held: usize,
    /// The number of changes: each one releases the calls that wait.
    epoch: u64,
    /// The first lines of the unaffected calls under way.
    under_way: Vec<String>,
}

impl State {
    fn change(&mut self, fault: Option<(Fault, Hits)>) {
        self.fault = fault;
        self.epoch += 1;
    }
}

pub struct Proxy {
    port: ClosablePort,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy to an engine at `http://HOST:PORT`.
    pub fn new(engine: &str) -> Self {
        let engine: SocketAddr =
            engine.trim_start_matches("http://").parse().expect("an engine behind plain HTTP");
        let state =
            Arc::new(Mutex::new(State { fault: None, hits: 0, held: 0, epoch: 0, under_way: vec![] }));
        let own = Arc::clone(&state);
        let port = ClosablePort::open(move |client| serve(client, engine, Arc::clone(&own)));
        Self { port, state }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Sets the fault. Also cuts off the affected calls under way before it returns.
    pub fn inject(&self, fault: Fault, hits: Hits) {
        let mut state = lock(&self.state);
        (state.hits, state.held) = (0, 0);
        state.change(Some((fault, hits)));
        drop(state);
        self.port.set_open(fault != Fault::Refused);
        while lock(&self.state).under_way.iter().any(|line| hits(line)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns how many calls the fault has affected so far.
    pub fn hits(&self) -> usize {
        lock(&self.state).hits
    }

    /// Returns how many calls wait for the next change.
    pub fn held(&self) -> usize {
        lock(&self.state).held
    }

    /// Ends the fault, and returns how many calls it has affected.
    pub fn repair(&self) -> usize {
        let mut state = lock(&self.state);
        state.change(None);
        let hits = state.hits;
        drop(state);
        self.port.set_open(true);
        hits
    }
}

/// Waits until the test changes the fault.
async fn changed(state: &Mutex<State>, epoch: u64) {
    while lock(state).epoch == epoch {
        sleep(Duration::from_millis(20)).await;
    }
}

async fn hold(state: &Mutex<State>) {
    let epoch = {
        let mut state = lock(state);
        state.held += 1;
        state.epoch
    };
    timeout(Duration::from_secs(120), changed(state, epoch)).await.ok();
}

async fn fault_on(state: &Mutex<State>, line: &str, epoch: u64) {
    loop {
        {
            let state = lock(state);
            if state.epoch != epoch && state.fault.is_some_and(|(_, hits)| hits(line)) {
                return;
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Registers an unaffected call until it is dropped.
struct UnderWay<'a> {
    state: &'a Mutex<State>,
    line: &'a str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.state);
        if let Some(at) = state.under_way.iter().position(|line| line == self.line) {
            state.under_way.swap_remove(at);
        }
    }
}

async fn serve(mut client: TcpStream, engine: SocketAddr, state: Arc<Mutex<State>>) {
    let Some((head, rest)) = read_head(&mut client).await else { return };
    let line = head.lines().next().unwrap_or_default().to_owned();
    let (fault, epoch) = {
        let mut state = lock(&state);
        let hit = state.fault.filter(|(_, hits)| hits(&line)).map(|(fault, _)| fault);
        state.hits += usize::from(hit.is_some());
        let spent = hit == Some(Fault::Error500Once) && state.hits > 1;
        let fault = hit.filter(|_| !spent);
        if fault.is_none() {
            state.under_way.push(line.clone());
        }
        (fault, state.epoch)
    };
    match fault {
        None => {
            let _under_way = UnderWay { state: &state, line: &line };
            tokio::select! {
                () = forward(client, engine, &head, &rest, None, &state) => {}
                () = fault_on(&state, &line, epoch) => {}
            }
        }
        Some(Fault::Refused) => {}
        Some(Fault::Reset) => {
            let _ = client.set_zero_linger();
        }
        Some(Fault::BlackHole) => {
            timeout(Duration::from_secs(120), changed(&state, epoch)).await.ok();
        }
        Some(Fault::PacketsLost) => {
            let mut lost = vec![0; 64 << 10];
            while client.read(&mut lost).await.is_ok_and(|n| n > 0) {}
        }
        Some(Fault::Error500Once | Fault::Error500) => {
            say(&mut client, 500, "<Error><Code>InternalError</Code><Message>no</Message></Error>").await;
        }
        Some(Fault::ErrorIn200) => {
            drain(&mut client, &head, rest.len()).await;
            say(&mut client, 200, "<Error><Code>InternalError</Code><Message>no</Message></Error>").await;
        }
        Some(Fault::Garbage) => {
            drain(&mut client, &head, rest.len()).await;
            say(&mut client, 200, "<html>this is not S3").await;
        }
        Some(Fault::ListedAllTheSame) => say(&mut client, 200, &list_of(&line)).await,
        Some(Fault::RequestHeld) => {
            hold(&state).await;
            forward(client, engine, &head, &rest, None, &state).await;
        }
        Some(Fault::AnswerHeld) => {
            forward(client, engine, &head, &rest, Some(Fault::AnswerHeld), &state).await;
        }
        Some(fault @ (Fault::Trickle | Fault::AnswerLost | Fault::CutAnswer)) => {
            let work = forward(client, engine, &head, &rest, Some(fault), &state);
            tokio::select! {
                () = work => {}
                () = changed(&state, epoch), if fault == Fault::Trickle => {}
            }
        }
    }
}

async fn forward(
    client: TcpStream,
    engine: SocketAddr,
    head: &str,
    rest: &[u8],
    fault: Option<Fault>,
    state: &Mutex<State>,
) {
    let Ok(engine) = TcpStream::connect(engine).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = engine.into_split();
    let head = format!("{}Connection: close\r\n\r\n", head.trim_end_matches("\r\n").to_owned() + "\r\n");
    let up = async {
        to_engine.write_all(head.as_bytes()).await.ok()?;
        to_engine.write_all(rest).await.ok()?;
        copy(&mut from_client, &mut to_engine, fault == Some(Fault::Trickle)).await;
        to_engine.shutdown().await.ok()
    };
    let down = async {
        match fault {
            Some(Fault::AnswerLost) => {
                let mut lost = Vec::new();
                let _ = from_engine.read_to_end(&mut lost).await;
            }
            Some(Fault::AnswerHeld) => {
                let mut answer = Vec::new();
                let _ = from_engine.read_to_end(&mut answer).await;
                hold(state).await;
                let _ = to_client.write_all(&answer).await;
            }
            Some(Fault::CutAnswer) => {
                let mut answer = Vec::new();
                let _ = from_engine.read_to_end(&mut answer).await;
                let body = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
                let half = body + (answer.len() - body) / 2;
                let _ = to_client.write_all(&answer[..half]).await;
            }
            fault => copy(&mut from_engine, &mut to_client, fault == Some(Fault::Trickle)).await,
        }
    };
    tokio::select! {
        () = down => {}
        None = up => {}
    }
}
