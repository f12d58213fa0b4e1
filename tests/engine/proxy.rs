//! A link to the engine that the test can spoil. Each connection carries one request, so that a fault hits
//! exactly the calls that it is meant for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::closable_port::ClosablePort;
use super::messages::{copy, drain, list_of, read_head, say};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens.
    Refused,
    /// The connection is reset once the request's head has come.
    Reset,
    /// Nothing is read any more, and nothing answered.
    BlackHole,
    /// The same, for good on those connections: also after the mend nobody is told.
    PacketsLost,
    /// 500 without reading the body, for the first call only.
    Error500Once,
    /// 500 without reading the body.
    Error500,
    /// Everything moves on by one byte a second.
    Trickle,
    /// The engine does it, and its answer is lost.
    AnswerLost,
    /// The engine hears of it once the test changes something.
    RequestHeld,
    /// The engine does it, and its answer comes once the test changes something.
    AnswerHeld,
    /// The answer is cut in the middle of its body.
    CutAnswer,
    /// 200, and an error in the body; the engine does nothing.
    ErrorIn200,
    /// 200 with something that is not S3.
    Garbage,
    /// A list that shows the one key that it was asked about, as if it were there.
    ListedAllTheSame,
}

/// Which requests it hits, by what their first line contains.
pub type Hits = fn(&str) -> bool;

struct State {
    fault: Option<(Fault, Hits)>,
    hits: usize,
    /// Calls that wait for the next change.
    held: usize,
    /// Counts changes: what hangs is let go by the next one.
    epoch: u64,
    /// The first lines of the calls that go through unharmed.
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
    /// To an engine at `http://HOST:PORT`.
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

    /// Returns when what was under way is cut off, too.
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

    /// How many calls the fault has hit so far.
    pub fn hits(&self) -> usize {
        lock(&self.state).hits
    }

    /// How many calls wait to be let go by the next change.
    pub fn held(&self) -> usize {
        lock(&self.state).held
    }

    /// Returns how many calls the fault has hit.
    pub fn repair(&self) -> usize {
        let mut state = lock(&self.state);
        state.change(None);
        let hits = state.hits;
        drop(state);
        self.port.set_open(true);
        hits
    }
}

/// Waits until the test changes something.
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

/// A call that goes through unharmed, until it is dropped.
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
