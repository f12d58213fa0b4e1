//! Clients that send requests over HTTP/1.1 keep-alive as fast as the answers come, or uploads that
//! trickle in. Prints one JSON object.
//!
//!     load --url http://127.0.0.1:8081/a/{client}-{turn} [--method POST] [--clients 64] [--size 65536]
//!         [--credentials FILE] (--seconds 5 | --requests 11) [--trickle BYTES_A_SECOND]
//!
//! `{client}` and `{turn}` (0 to 9, round and round) make names of their own. FILE has the base64 of
//! a `key:secret` in each line; client n takes line n, from the top again after the last. With
//! `--trickle` each client sends the head of one request and so much of its body, for that many
//! seconds; then it hangs up.
//!
//!     load fleet --address HOST:PORT --credentials FILE --tight COUNT
//!
//! The other thing that it does, for script/scale-out: appliances that upload, list, download, check and
//! delete until standard input ends; `fleet` says more.
//!
//! One thread and one blocking socket a client: what the load costs is little beside what it asks for, and
//! the same for every server that it is put on.

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
