//! Appliances, one thread each, that use everything an appliance may use, and remember which backups must exist.
//!
//! Standard input controls the run: `strict NAME` or `loose NAME` begins a phase; its end ends the work. Then
//! each appliance lists and downloads all that it must still have. Prints a table of the phases. The exit code
//! is 1 if a promise was broken at any time, if anything failed in a strict phase, or if nothing was stored in a
//! phase.

mod appliance;
mod expected_backups;
mod http;
mod phases;

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use appliance::Appliance;
use phases::Phases;

/// The arguments.
struct Plan {
    /// `host:port`.
    address: String,
    /// The base64 of a `key:secret` for each appliance.
    credentials: Vec<String>,
    /// How many of the first appliances are in organizations with a tight quota.
    tight: usize,
}

pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    match Plan::from_args(args) {
        Ok(plan) if run(&plan) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self { address: String::new(), credentials: vec![], tight: 0 };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--address" => plan.address = value,
                "--credentials" => plan.credentials = crate::plan::read_lines(&value)?,
                "--tight" => {
                    plan.tight = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
                }
                _ => return Err(format!("what is {name}?")),
            }
        }
        let complete = !plan.address.is_empty() && !plan.credentials.is_empty();
        if complete { Ok(plan) } else { Err("--address and --credentials are needed".to_owned()) }
    }
}

/// Runs the appliances; returns whether every condition was met.
fn run(plan: &Plan) -> bool {
    let (phases, done) = (Phases::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for (number, credential) in plan.credentials.iter().enumerate() {
            let (phases, done) = (&phases, &done);
            scope.spawn(move || {
                let tight = number < plan.tight;
                let mut appliance = Appliance::new(&plan.address, credential, number, tight, phases);
                appliance.work(done);
                appliance.check_all();
            });
        }
        for line in io::stdin().lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("strict", name)) => phases.begin(name, true),
                Some(("loose", name)) => phases.begin(name, false),
                _ => eprintln!("load fleet: what is {line}?"),
            }
        }
        phases.begin("the final check", true);
        done.store(true, Ordering::Relaxed);
    });
    phases.report()
}
