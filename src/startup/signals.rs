//! The signals that the service handles, and its notifications of systemd.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::{LAST_TASKS_TIMEOUT, StartError};
use crate::http::{Certificates, ListenerDrain};

pub(super) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, StartError> {
        let listen = |kind| {
            signal(kind).map_err(|source| StartError::Io { doing: "listen for signals".to_owned(), source })
        };
        Ok(Self {
            term: listen(SignalKind::terminate())?,
            int: listen(SignalKind::interrupt())?,
            hup: listen(SignalKind::hangup())?,
        })
    }
}

/// Runs the servers until a signal ends them, or one of them ends by itself.
///
/// * SIGTERM: requests under way may finish within `grace`. `stopping` ends the requests that would not end by themselves.
/// * SIGINT, or a second SIGTERM: requests under way are cut off.
/// * SIGHUP: the certificate is read again.
pub(super) async fn run_until_signal(
    servers: Vec<(Server, ListenerDrain)>,
    signals: &mut Signals,
    certificates: Option<Arc<Certificates>>,
    grace: Duration,
    stopping: impl FnOnce(),
) -> Result<(), StartError> {
    let (servers, drains): (Vec<_>, Vec<_>) = servers.into_iter().unzip();
    let handles: Vec<_> = servers.iter().map(Server::handle).collect();
    let mut running: FuturesUnordered<_> = servers.into_iter().map(actix_web::rt::spawn).collect();
    loop {
        tokio::select! {
            _ = signals.term.recv() => break,
            _ = signals.int.recv() => return stop_at_once(&handles).await,
            _ = signals.hup.recv() => reload(certificates.as_deref()),
            Some(ended) = running.next() => {
                let failed = |e: std::io::Error| StartError::Io { doing: "serve".to_owned(), source: e };
                // The outer error is a panic of the server.
                return ended.map_err(std::io::Error::other).flatten().map_err(failed);
            }
        }
    }
    log::info!("stopping: uploads and downloads under way have up to {} s (SHUTDOWN_GRACE)", grace.as_secs());
    notify_systemd(&[sd_notify::NotifyState::Stopping]);
    let stopped = async {
        join_all(drains.into_iter().map(ListenerDrain::run)).await;
        stopping();
        join_all(handles.iter().map(|handle| handle.stop(true))).await;
    };
    tokio::select! {
        () = stopped => Ok(()),
        _ = signals.term.recv() => stop_at_once(&handles).await,
        _ = signals.int.recv() => stop_at_once(&handles).await,
    }
}

/// Cuts off the requests under way; their uploads are aborted.
async fn stop_at_once(handles: &[ServerHandle]) -> Result<(), StartError> {
    log::info!("stopping at once");
    notify_systemd(&[sd_notify::NotifyState::Stopping]);
    let stopping = join_all(handles.iter().map(|handle| handle.stop(false)));
    let _ = timeout(LAST_TASKS_TIMEOUT, stopping).await;
    Ok(())
}

fn reload(certificates: Option<&Certificates>) {
    let Some(certificates) = certificates else {
        log::info!("SIGHUP: no certificate to reload");
        return;
    };
    let states =
        sd_notify::NotifyState::monotonic_usec_now().map(|now| [sd_notify::NotifyState::Reloading, now]);
    if let Ok(states) = states {
        notify_systemd(&states);
    }
    // `systemctl status` shows the status: a signal can't make `systemctl reload` fail.
    let report = match certificates.reload() {
        Ok(()) => {
            log::info!("certificate reloaded");
            String::new()
        }
        Err(error) => {
            let line = format!("certificate not reloaded, the old one is kept: {error}");
            log::error!("{line}");
            line
        }
    };
    notify_systemd(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&report)]);
}

/// Sends these states to systemd. Does nothing without it.
pub(super) fn notify_systemd(states: &[sd_notify::NotifyState]) {
    if let Err(error) = super::systemd::notify(states) {
        log::warn!("could not notify systemd (NOTIFY_SOCKET): {error}");
    }
}
