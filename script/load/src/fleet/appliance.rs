//! One appliance: a system that does one thing after another.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::books::{Books, Promised};
use super::ledger::{Ledger, Outcome};
use super::wire::{self, Answer, Body};

const BACKUPS: &str = "/api/systems/backups";
/// Between two requests: a fleet, not a flood.
const PAUSE: Duration = Duration::from_millis(20);
/// After a failure.
const LONGER: Duration = Duration::from_millis(300);

pub struct Appliance<'a> {
    address: &'a str,
    credential: &'a str,
    /// Its organization has little room: it may be told so.
    tight: bool,
    ledger: &'a Ledger,
    books: Books,
    sent: u64,
    dice: u64,
}

impl<'a> Appliance<'a> {
    pub fn new(
        address: &'a str,
        credential: &'a str,
        number: usize,
        tight: bool,
        ledger: &'a Ledger,
    ) -> Self {
        let dice = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
        Self { address, credential, tight, ledger, books: Books::default(), sent: 0, dice }
    }

    pub fn work(&mut self, done: &AtomicBool) {
        while !done.load(Ordering::Relaxed) {
            let good = match self.roll(20) {
                _ if self.ledger.now().is_none() => true,
                0..10 => self.upload(),
                10..14 => self.list(),
                14..18 => self.download_one(),
                _ => self.delete(),
            };
            thread::sleep(if good { PAUSE } else { LONGER });
        }
    }

    /// All that was promised is listed, and can be had.
    pub fn look_at_all(&mut self) {
        if !self.list() {
            self.ledger.promise_broken("a system can't be listed in the end".to_owned());
        }
        let promised: Vec<_> = self.books.promised().map(|(_, backup)| backup.clone()).collect();
        for backup in promised {
            if !self.download(&backup) {
                self.ledger.promise_broken(format!("backup {} can't be had in the end", backup.id));
            }
        }
    }

    fn upload(&mut self) -> bool {
        self.sent += 1;
        let (number, bytes, chunked) = (self.sent, self.bytes(), self.roll(2) == 0);
        let sha256 = hex(&Sha256::digest(&bytes));
        let what = format!("upload of {} bytes{}", bytes.len(), if chunked { ", chunked" } else { "" });
        let body = Body { bytes: &bytes, chunked };
        let tight = self.tight;
        let answer = self.ask(&format!("POST {BACKUPS}"), &what, Some(&body), |status| {
            status == 201 || (status == 413 && tight)
        });
        match answer {
            Some(Answer { status: 201, body }) => match wire::backups(&body).pop() {
                Some(backup) if backup.sha256 == sha256 => self.books.stored(number, backup),
                _ => self.ledger.promise_broken(format!("{what} was stored with another hash")),
            },
            Some(Answer { status: 413, .. }) => {
                self.delete();
            }
            // 503: nothing is kept.
            Some(Answer { status: 503, .. }) => return false,
            _ => {
                self.books.perhaps_stored(number, sha256, self.tight);
                return false;
            }
        }
        true
    }

    fn list(&mut self) -> bool {
        let answer = self.ask(&format!("GET {BACKUPS}"), "list", None, |status| status == 200);
        let Some(Answer { status: 200, body }) = answer else { return false };
        if let Err(what) = self.books.check(&wire::backups(&body)) {
            self.ledger.promise_broken(what);
        }
        true
    }

    fn download_one(&mut self) -> bool {
        let dice = self.roll(1 << 20);
        self.books.pick(dice).is_none_or(|(_, backup)| self.download(&backup))
    }

    fn download(&mut self, backup: &Promised) -> bool {
        let request = format!("GET {BACKUPS}/{}", backup.id);
        let answer = self.ask(&request, "download", None, |status| status == 200 || status == 404);
        match answer {
            Some(Answer { status: 200, body }) if hex(&Sha256::digest(&body)) == backup.sha256 => true,
            Some(Answer { status: 200, .. }) => {
                self.ledger.promise_broken(format!("backup {} came back with other bytes", backup.id));
                true
            }
            Some(Answer { status: 404, .. }) => {
                self.ledger.promise_broken(format!("backup {} was not found", backup.id));
                true
            }
            _ => false,
        }
    }

    fn delete(&mut self) -> bool {
        let dice = self.roll(1 << 20);
        let Some((number, backup)) = self.books.pick(dice) else { return true };
        let request = format!("DELETE {BACKUPS}/{}", backup.id);
        let answer = self.ask(&request, "deletion", None, |status| status == 200);
        let done = answer.is_some_and(|answer| answer.status == 200);
        if done {
            self.books.deleted(number);
        } else {
            self.books.perhaps_deleted(number);
        }
        done
    }

    /// Sends it, and counts what became of it. Nothing: the connection broke.
    fn ask(
        &mut self,
        request: &str,
        what: &str,
        body: Option<&Body<'_>>,
        expected: impl Fn(u16) -> bool,
    ) -> Option<Answer> {
        let (began, start) = (self.ledger.now()?, Instant::now());
        let answer = wire::ask(self.address, self.credential, request, body);
        let outcome = match &answer {
            Ok(Answer { status: 201, .. }) => Outcome::Stored,
            Ok(Answer { status, .. }) if expected(*status) => Outcome::Fine,
            Ok(Answer { status: 503, .. }) => Outcome::Unavailable,
            Ok(Answer { status, .. }) => Outcome::Failed(format!("answered {status}")),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        self.ledger.count(began, start.elapsed(), what, outcome);
        answer.ok()
    }

    /// Mostly small, some of a few MB; never the same twice.
    fn bytes(&mut self) -> Vec<u8> {
        let most = match self.roll(10) {
            0..6 => 64 << 10,
            6..9 => 1 << 20,
            _ => 6 << 20,
        };
        let most = if self.tight { most.min(2 << 20) } else { most };
        let length = usize::try_from(self.roll(most)).unwrap_or(0) + 1;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// xorshift
    fn next(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    fn roll(&mut self, sides: u64) -> u64 {
        (self.next() >> 20) % sides
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
