//! One appliance: a system that sends one request after another.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::expected_backups::{ExpectedBackups, Promised};
use super::http::{self, Answer, Body};
use super::phases::{Outcome, Phases};

const BACKUPS: &str = "/api/systems/backups";
/// The pause between two requests: a fleet, not a flood.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause after a failure.
const LONGER: Duration = Duration::from_millis(300);

pub struct Appliance<'a> {
    address: &'a str,
    credential: &'a str,
    /// Its organization has a tight quota: 413 is an expected answer.
    tight: bool,
    phases: &'a Phases,
    expected: ExpectedBackups,
    sent: u64,
    random: u64,
}

impl<'a> Appliance<'a> {
    pub fn new(
        address: &'a str,
        credential: &'a str,
        number: usize,
        tight: bool,
        phases: &'a Phases,
    ) -> Self {
        let random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
        Self { address, credential, tight, phases, expected: ExpectedBackups::default(), sent: 0, random }
    }

    pub fn work(&mut self, done: &AtomicBool) {
        while !done.load(Ordering::Relaxed) {
            let good = match self.random_below(20) {
                _ if self.phases.current().is_none() => true,
                0..10 => self.upload(),
                10..14 => self.list(),
                14..18 => self.download_one(),
                _ => self.delete(),
            };
            thread::sleep(if good { PAUSE } else { LONGER });
        }
    }

    /// Checks that all promised backups are listed, and can be downloaded.
    pub fn check_all(&mut self) {
        if !self.list() {
            self.phases.promise_broken("a system can't be listed in the end".to_owned());
        }
        let promised: Vec<_> = self.expected.promised().map(|(_, backup)| backup.clone()).collect();
        for backup in promised {
            if !self.download(&backup) {
                self.phases.promise_broken(format!("backup {} can't be had in the end", backup.id));
            }
        }
    }

    fn upload(&mut self) -> bool {
        self.sent += 1;
        let (number, bytes, chunked) = (self.sent, self.bytes(), self.random_below(2) == 0);
        let sha256 = hex(&Sha256::digest(&bytes));
        let what = format!("upload of {} bytes{}", bytes.len(), if chunked { ", chunked" } else { "" });
        let body = Body { bytes: &bytes, chunked };
        let tight = self.tight;
        let answer = self.ask(&format!("POST {BACKUPS}"), &what, Some(&body), |status| {
            status == 201 || (status == 413 && tight)
        });
        match answer {
            Some(Answer { status: 201, body }) => match http::backups(&body).pop() {
                Some(backup) if backup.sha256 == sha256 => self.expected.stored(number, backup),
                _ => self.phases.promise_broken(format!("{what} was stored with another hash")),
            },
            Some(Answer { status: 413, .. }) => {
                self.delete();
            }
            // After a 503 nothing is stored.
            Some(Answer { status: 503, .. }) => return false,
            _ => {
                self.expected.perhaps_stored(number, sha256, self.tight);
                return false;
            }
        }
        true
    }

    fn list(&mut self) -> bool {
        let answer = self.ask(&format!("GET {BACKUPS}"), "list", None, |status| status == 200);
        let Some(Answer { status: 200, body }) = answer else { return false };
        if let Err(what) = self.expected.check(&http::backups(&body)) {
            self.phases.promise_broken(what);
        }
        true
    }

    fn download_one(&mut self) -> bool {
        let random = self.random_below(1 << 20);
        self.expected.pick(random).is_none_or(|(_, backup)| self.download(&backup))
    }

    fn download(&mut self, backup: &Promised) -> bool {
        let request = format!("GET {BACKUPS}/{}", backup.id);
        let answer = self.ask(&request, "download", None, |status| status == 200 || status == 404);
        match answer {
            Some(Answer { status: 200, body }) if hex(&Sha256::digest(&body)) == backup.sha256 => true,
            Some(Answer { status: 200, .. }) => {
                self.phases.promise_broken(format!("backup {} came back with other bytes", backup.id));
                true
            }
            Some(Answer { status: 404, .. }) => {
                self.phases.promise_broken(format!("backup {} was not found", backup.id));
                true
            }
            _ => false,
        }
    }

    fn delete(&mut self) -> bool {
        let random = self.random_below(1 << 20);
        let Some((number, backup)) = self.expected.pick(random) else { return true };
        let request = format!("DELETE {BACKUPS}/{}", backup.id);
        let answer = self.ask(&request, "deletion", None, |status| status == 200);
        let done = answer.is_some_and(|answer| answer.status == 200);
        if done {
            self.expected.deleted(number);
        } else {
            self.expected.perhaps_deleted(number);
        }
        done
    }

    /// Sends a request, and counts its outcome. `None`: the connection broke.
    fn ask(
        &mut self,
        request: &str,
        what: &str,
        body: Option<&Body<'_>>,
        expected: impl Fn(u16) -> bool,
    ) -> Option<Answer> {
        let (began, start) = (self.phases.current()?, Instant::now());
        let answer = http::ask(self.address, self.credential, request, body);
        let outcome = match &answer {
            Ok(Answer { status: 201, .. }) => Outcome::Stored,
            Ok(Answer { status, .. }) if expected(*status) => Outcome::Fine,
            Ok(Answer { status: 503, .. }) => Outcome::Unavailable,
            Ok(Answer { status, .. }) => Outcome::Failed(format!("answered {status}")),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        self.phases.count(began, start.elapsed(), what, outcome);
        answer.ok()
    }

    /// Returns a new body: mostly small, sometimes a few MB.
    fn bytes(&mut self) -> Vec<u8> {
        let most = match self.random_below(10) {
            0..6 => 64 << 10,
            6..9 => 1 << 20,
            _ => 6 << 20,
        };
        let most = if self.tight { most.min(2 << 20) } else { most };
        let length = usize::try_from(self.random_below(most)).unwrap_or(0) + 1;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// xorshift
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn random_below(&mut self, end: u64) -> u64 {
        (self.next() >> 20) % end
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
