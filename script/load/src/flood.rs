//! Clients that each send their next request when the previous answer has arrived.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::Instant;
use std::{process, thread};

use crate::answer;
use crate::figures::Figures;
use crate::plan::{Plan, Until};

/// Bytes of a client's stack: there may be ten thousand clients.
const STACK: usize = 128 << 10;
/// How many broken connections a client accepts before it ends.
const BREAKS: u64 = 20;

pub fn run(plan: &Plan) -> String {
    // All clients are connected before the first request is sent.
    let together = Barrier::new(plan.clients + 1);
    let (figures, started) = thread::scope(|scope| {
        let start = |number| {
            let together = &together;
            let client = move || {
                let stream = plan.connect();
                together.wait();
                Client { plan, number, sent: 0, buffer: vec![], figures: Figures::default() }.work(stream)
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, client).unwrap_or_else(|error| {
                // Otherwise the others would wait for this one forever.
                eprintln!("load: client {number}: {error}");
                process::exit(1)
            })
        };
        let clients: Vec<_> = (0..plan.clients).map(start).collect();
        together.wait();
        let started = Instant::now();
        let mut all = Figures::default();
        for client in clients {
            match client.join() {
                Ok(figures) => all.add(figures),
                Err(_) => all.broken += 1,
            }
        }
        (all, started)
    });
    let elapsed = match plan.until {
        Until::Seconds(seconds) => seconds,
        Until::Requests(_) => started.elapsed(),
    };
    figures.json(plan.clients, elapsed)
}

struct Client<'a> {
    plan: &'a Plan,
    number: usize,
    sent: u64,
    buffer: Vec<u8>,
    figures: Figures,
}

impl Client<'_> {
    fn work(mut self, first: io::Result<TcpStream>) -> Figures {
        let started = Instant::now();
        let mut stream = first;
        while self.figures.broken <= BREAKS && !self.done(started) {
            let Ok(open) = &mut stream else {
                self.figures.broken += 1;
                stream = self.plan.connect();
                continue;
            };
            let asked = Instant::now();
            match self.ask(open) {
                Ok(head) => {
                    // The request that is under way at the end is completed and not counted.
                    if !matches!(self.plan.until, Until::Seconds(_)) || !self.done(started) {
                        self.figures.answered(head.status, asked.elapsed());
                    }
                    if head.closes {
                        stream = self.plan.connect();
                    }
                }
                Err(error) => stream = Err(error),
            }
        }
        self.figures
    }

    fn done(&self, started: Instant) -> bool {
        match self.plan.until {
            Until::Seconds(seconds) => started.elapsed() >= seconds,
            Until::Requests(count) => self.sent >= count,
        }
    }

    fn ask(&mut self, stream: &mut TcpStream) -> io::Result<answer::Head> {
        self.buffer.clear();
        self.buffer.extend_from_slice(self.plan.head(self.number, self.sent).as_bytes());
        self.buffer.extend_from_slice(&self.plan.body);
        self.sent += 1;
        stream.write_all(&self.buffer)?;
        answer::read(stream, &mut self.buffer)
    }
}
