//! Clients that send requests over HTTP/1.1 keep-alive as fast as the answers come, or uploads that
//! trickle in. Prints one JSON object.
//!
//!     load --url http://127.0.0.1:8081/a/{client}-{turn} [--method POST] [--clients 64] [--size 65536]
//!         [--credentials FILE] (--seconds 5 | --requests 11) [--trickle BYTES_A_SECOND]
//!
//! `{client}` and `{turn}` (0 to 9, again and again) make unique names. FILE has the base64 of a `key:secret` in
//! each line; client n uses line n, from the first again after the last. With `--trickle` each client sends the
//! head of one request and this many bytes of its body a second, for that many seconds; then it disconnects.
//!
//!     load fleet --address HOST:PORT --credentials FILE --tight COUNT
//!
//! The other mode, for script/scale-out: appliances that upload, list, download, check and delete until standard
//! input ends; see `fleet`.
//!
//! One thread and one blocking socket for each client: the load costs little compared with the requests it
//! makes, and the same for every server under test.

mod answer;
mod figures;
mod fleet;
mod flood;
mod plan;
mod trickle;

use std::process::ExitCode;

use plan::Plan;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|first| first == "fleet").is_some() {
        return fleet::main(args);
    }
    let result = Plan::from_args(args).and_then(|plan| match plan.trickle {
        Some(rate) => trickle::run(&plan, rate),
        None => Ok(flood::run(&plan)),
    });
    match result {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
