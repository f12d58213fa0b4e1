//! `strongroom request SYSTEM`: requests a backup of a system and, with `--wait`, waits for it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use uuid::Uuid;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::{list, time};
use super::say::say;
use super::system_arg::SystemArg;
use crate::db::backup_requests::{self, BackupRequest, Cancellation, Creation, NewBackupRequest};
use crate::db::systems::SystemSummary;
use crate::domain::backup_request::BackupRequestState;
use crate::domain::duration;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    strongroom request fw-01\n  \
    strongroom request fw-01 --wait 10m\n  \
    strongroom request fw-01 --list")]
pub struct BackupRequestArgs {
    #[command(flatten)]
    system: SystemArg,
    /// Wait until the backup is stored, at most TIME: seconds, or a time such as 10m or 1h [default: until the backup request
    /// expires, 24 hours after it was last asked for]
    #[expect(clippy::option_option, reason = "clap's type of an option with an optional value")]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_or_seconds, conflicts_with_all = ["list", "cancel"])]
    wait: Option<Option<Duration>>,
    /// List the backup requests for the system, newest first, instead of making one
    #[arg(long, conflicts_with = "cancel")]
    list: bool,
    /// Cancel this backup request instead of making one
    #[arg(long, value_name = "REQUEST")]
    cancel: Option<Uuid>,
}

/// The most requests that are listed, as in the API.
const MAX_LISTED: i64 = 100;
/// The pause between two checks whether the backup is stored.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
const OPERATOR: &str = "operator";

impl BackupRequestArgs {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let system = self.system.find(context)?;
        if self.list {
            let found = backup_requests::of_system(&mut context.conn, system.id, MAX_LISTED)?;
            context.output.print(&found, |found| describe(found))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(id) = self.cancel {
            return cancel(context, &system, id);
        }
        let request = create(context, &system)?;
        match self.wait {
            None => {
                let human = |r: &BackupRequest| format!("requested {}, until {}", r.id, time(r.expires_at));
                context.output.print(&request, human)?;
                Ok(ExitCode::SUCCESS)
            }
            Some(timeout) => wait(context, &system, request, timeout),
        }
    }
}

fn create(context: &mut Context, system: &SystemSummary) -> Result<BackupRequest, Failure> {
    let new = NewBackupRequest {
        id: Uuid::from_bytes(uuidv7::create_raw()),
        system_id: system.id,
        org: None,
        requested_by: OPERATOR.to_owned(),
        remote_addr: None,
    };
    match backup_requests::create(&mut context.conn, &new)? {
        Creation::Request(request) => Ok(request),
        Creation::Suspended => Err(Failure::Refused(format!("system {} is suspended", system.system_key))),
        Creation::NoSystem => {
            Err(Failure::Refused(format!("system {} is being destroyed", system.system_key)))
        }
    }
}

/// Waits until the request has ended. Exit code 0: the backup is stored; 1: the request ended without a backup, or the time is
/// over.
fn wait(
    context: &mut Context,
    system: &SystemSummary,
    mut request: BackupRequest,
    timeout: Option<Duration>,
) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    // The spinner is shown on a terminal only.
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(200));
    while request.state.is_open() && timeout.is_none_or(|timeout| started.elapsed() < timeout) {
        let step =
            if request.state == BackupRequestState::Seen { "seen, not answered yet" } else { "not seen yet" };
        progress.set_message(format!("{}: {step} ({} s)", system.system_key, started.elapsed().as_secs()));
        sleep(POLL_INTERVAL);
        let found = backup_requests::find(&mut context.conn, system.id, request.id)?;
        request = found.ok_or_else(|| Failure::Refused("the system is gone".to_owned()))?;
    }
    progress.finish_and_clear();
    let arrived = request.backup_id.map(|id| id.to_string());
    if context.output.json || arrived.is_some() {
        context.output.print(&request, |_| arrived.unwrap_or_default())?;
    } else {
        let stays = if request.state.is_open() {
            format!(", until {}", time(request.expires_at))
        } else {
            String::new()
        };
        say(&format!("no backup: the backup request {} is {}{stays}", request.id, request.state));
    }
    Ok(ExitCode::from(u8::from(request.state != BackupRequestState::Fulfilled)))
}

fn cancel(context: &mut Context, system: &SystemSummary, id: Uuid) -> Result<ExitCode, Failure> {
    match backup_requests::cancel(&mut context.conn, system.id, id, OPERATOR, None)? {
        Cancellation::Done => {}
        Cancellation::NotFound => {
            return Err(Failure::Refused(format!(
                "no backup request {id} of system {}: --list shows them",
                system.system_key
            )));
        }
        Cancellation::Ended(state) => {
            return Err(Failure::Refused(format!("backup request {id} is {state} already")));
        }
    }
    let request = backup_requests::find(&mut context.conn, system.id, id)?;
    context.output.print(&request, |_| format!("cancelled {id}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns a table of backup requests, with how each has ended, or until when it is open.
fn describe(requests: &[BackupRequest]) -> String {
    let row = |request: &BackupRequest| {
        let result = match request.backup_id {
            Some(backup) => backup.to_string(),
            None if request.state.is_open() => format!("until {}", time(request.expires_at)),
            None => String::new(),
        };
        [
            time(request.requested_at),
            request.requested_by.clone(),
            request.state.to_string(),
            request.id.to_string(),
            result,
        ]
    };
    list("no backup requests", ["REQUESTED", "BY", "STATE", "REQUEST", "BACKUP"], requests.iter().map(row))
}
