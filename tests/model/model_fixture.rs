//! The real server, its model, and what the test knows about both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::accounting::{Accounting, MAX_UPLOAD, Refused, SLOTS, SYSTEM_BYTES, State, Tenant};
use crate::harness::{Random, RawClient, Server, System, sha256_hex};

/// How long a process may repeat a quota refusal from memory after another process has freed space.
pub const REFUSAL_MEMORY: Duration = Duration::from_millis(1200);

/// A backup whose upload was answered 201.
#[derive(Clone)]
pub struct UploadedBackup {
    pub id: String,
    pub system: usize,
    pub body: Vec<u8>,
}

impl UploadedBackup {
    /// The backup as a list shows it.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.id, self.body.len(), sha256_hex(&self.body))
    }
}

/// An upload of which only the first half was sent.
pub struct PendingUpload {
    pub tag: u64,
    pub system: usize,
    pub raw: RawClient,
    pub body: Vec<u8>,
    pub sent: usize,
    pub chunked: bool,
}

pub struct ModelFixture {
    pub server: Server,
    pub random: Random,
    pub accounting: Accounting,
    pub orgs: Vec<String>,
    pub systems: Vec<System>,
    pub uploaded: BTreeMap<u64, UploadedBackup>,
    pub pending: Vec<PendingUpload>,
    /// Uploads of killed processes that are not swept yet.
    pub dead: BTreeSet<(usize, u64)>,
    /// When a system was last refused because of the quota.
    pub refused: BTreeMap<usize, Instant>,
    /// When the last step began.
    pub began: Instant,
    next_tag: u64,
}

impl ModelFixture {
    pub fn new(random: Random) -> Self {
        // Only the purge runs by itself: sweeps are steps.
        let server = Server::builder()
            .no_rate_limit()
            .set("BACKUP_MAX_PER_SYSTEM", SLOTS)
            .set("BACKUP_MAX_SIZE_PER_SYSTEM", SYSTEM_BYTES)
            .set("BACKUP_MAX_UPLOAD_SIZE", MAX_UPLOAD)
            .set("BACKUP_BODY_IDLE_TIMEOUT", 3600)
            .set("BACKUP_BODY_MIN_RATE", 0)
            .set("BACKUP_LEASE", 3600)
            .set("BACKUP_SWEEP_INTERVAL", 3600)
            .start();
        let mut fixture = Self {
            server,
            random,
            accounting: Accounting::default(),
            orgs: Vec::new(),
            systems: Vec::new(),
            uploaded: BTreeMap::new(),
            pending: Vec::new(),
            dead: BTreeSet::new(),
            refused: BTreeMap::new(),
            began: Instant::now(),
            next_tag: 0,
        };
        for (org, quota) in [("acme", Some(150_000)), ("emca", None)] {
            fixture.server.add_org(org, quota);
            fixture.orgs.push(org.to_owned());
            fixture.accounting.quotas.push(quota);
        }
        for org in [0, 0, 1] {
            fixture.add_system(org);
        }
        fixture
    }

    pub fn add_system(&mut self, org: usize) {
        let system = self.server.add_system(&self.orgs[org], &format!("fw-{}", self.systems.len()));
        self.systems.push(system);
        self.accounting.systems.push(Tenant {
            org,
            state: State::Active,
            stored: vec![],
            open: vec![],
            refused: Refused::No,
        });
    }

    pub fn tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    pub fn state(&self, system: usize) -> State {
        self.accounting.systems[system].state
    }

    /// Returns a random system that is not destroyed.
    pub fn some_system(&mut self) -> usize {
        let there: Vec<_> =
            (0..self.systems.len()).filter(|system| self.state(*system) != State::Destroyed).collect();
        there[self.random.below(there.len())]
    }

    /// Returns a random active system whose process remembers no refusal, if there is one.
    pub fn some_system_without_remembered_refusal(&mut self) -> Option<usize> {
        let fit: Vec<_> = (0..self.systems.len()).filter(|of| self.is_predictable(*of)).collect();
        (!fit.is_empty()).then(|| fit[self.random.below(fit.len())])
    }

    /// Whether the accounting alone determines the answers to this system.
    pub fn is_predictable(&self, system: usize) -> bool {
        self.state(system) == State::Active && !self.remembers_refusal(system)
    }

    pub fn remembers_refusal(&self, system: usize) -> bool {
        self.refused.get(&system).is_some_and(|at| at.elapsed() < REFUSAL_MEMORY)
    }

    pub fn record_upload(&mut self, tag: u64, id: String, system: usize, body: Vec<u8>) {
        self.uploaded.insert(tag, UploadedBackup { id, system, body });
    }

    /// Returns a random size, the largest one, or one at the limit of the organization's free bytes.
    pub fn some_size(&mut self, system: usize) -> usize {
        let tenant = &self.accounting.systems[system];
        let room = self.accounting.quotas[tenant.org]
            .map_or(MAX_UPLOAD, |quota| quota.saturating_sub(self.accounting.total(tenant.org)));
        let oldest = tenant.stored.first().map_or(0, |backup| backup.size);
        let newer: u64 = tenant.stored.iter().skip(1).map(|backup| backup.size).sum();
        let size = match self.random.below(16) {
            0 => MAX_UPLOAD + self.random.below(2) as u64,
            1 => room,
            2 => room + 1,
            3 => room + oldest,
            4 => room + oldest + 1,
            5 => oldest,
            6 => oldest + 1,
            7 => SYSTEM_BYTES.saturating_sub(newer + oldest),
            8 => SYSTEM_BYTES.saturating_sub(newer + oldest) + 1,
            9 => SYSTEM_BYTES.saturating_sub(newer),
            10 => SYSTEM_BYTES.saturating_sub(newer) + 1,
            _ => 1 + self.random.below(25_000) as u64,
        };
        usize::try_from(size.clamp(1, MAX_UPLOAD + 1)).expect("a small number")
    }

    pub fn step(&mut self) {
        self.began = Instant::now();
        match self.random.below(100) {
            0..28 => self.upload(),
            28..48 => self.begin(),
            48..60 => self.finish_pending(),
            60..72 => self.delete(),
            72..82 => self.pair(),
            82..88 => self.request_missing_backup(),
            88..93 => self.set_quota(),
            93..95 => self.suspend_or_resume(),
            95..96 => self.destroy(),
            96..98 => self.crash(),
            _ => self.sweep(),
        }
    }

    /// Breaks off the uploads under way; only stored backups may be left.
    pub fn end(mut self) {
        while !self.pending.is_empty() {
            self.disconnect_pending(0);
        }
        self.sweep();
        self.check();
    }
}
