//! The model: stored backups, uploads under way and the rules, as simple as possible. It keeps no sums: every
//! total is computed when it is needed.

pub const SLOTS: usize = 3;
pub const SYSTEM_BYTES: u64 = 50_000;
pub const MAX_UPLOAD: u64 = 60_000;
/// The most uploads that a system may have under way.
const OPEN: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Suspended,
    Destroyed,
}

/// Whether the last upload that a system has sent was refused, or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    No,
    /// This upload was.
    Last(u64),
    /// Of two uploads at once, this one and the one before it, only one was.
    Unknown(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The upload that made the backup.
    pub tag: u64,
    pub size: u64,
    pub pledged_to: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub tag: u64,
    pub want: u64,
}

/// A system; both lists are sorted from old to new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub org: usize,
    pub state: State,
    pub stored: Vec<Stored>,
    pub open: Vec<Open>,
    pub refused: Refused,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    pub quotas: Vec<Option<u64>>,
    pub systems: Vec<Tenant>,
}

/// Returns how many of the oldest backups retention removes.
fn prune(sizes: &[u64]) -> usize {
    let mut gone = 0;
    while sizes.len() - gone > 1
        && (sizes.len() - gone > SLOTS || sizes[gone..].iter().sum::<u64>() > SYSTEM_BYTES)
    {
        gone += 1;
    }
    gone
}

impl Tenant {
    fn reservation(&self, upload: &Open) -> u64 {
        let pledged = self.stored.iter().filter(|b| b.pledged_to == Some(upload.tag)).map(|b| b.size);
        upload.want.saturating_sub(pledged.sum())
    }

    fn close(&mut self, tag: u64) {
        self.open.retain(|upload| upload.tag != tag);
        self.stored.iter_mut().filter(|b| b.pledged_to == Some(tag)).for_each(|b| b.pledged_to = None);
    }
}

impl Accounting {
    pub fn stored(&self, org: usize) -> u64 {
        let systems = self.systems.iter().filter(|system| system.org == org);
        systems.flat_map(|system| &system.stored).map(|backup| backup.size).sum()
    }

    pub fn reserved(&self, org: usize) -> u64 {
        let systems = self.systems.iter().filter(|system| system.org == org);
        systems.flat_map(|system| system.open.iter().map(|upload| system.reservation(upload))).sum()
    }

    pub fn total(&self, org: usize) -> u64 {
        self.stored(org) + self.reserved(org)
    }

    /// Returns 201 if the upload is admitted, and otherwise the status of the refusal.
    pub fn admit(&mut self, system: usize, tag: u64, want: u64) -> u16 {
        let tenant = &mut self.systems[system];
        if tenant.state != State::Active {
            return 401;
        }
        if tenant.open.len() >= OPEN {
            return 429;
        }
        tenant.open.push(Open { tag, want: 0 });
        if self.grow(system, tag, want) {
            return 201;
        }
        self.systems[system].close(tag);
        413
    }

    /// Whether the upload may have `want` bytes.
    pub fn grow(&mut self, system: usize, tag: u64, want: u64) -> bool {
        let before = self.clone();
        let tenant = &mut self.systems[system];
        let org = tenant.org;
        let Some(upload) = tenant.open.iter_mut().find(|upload| upload.tag == tag) else { return false };
        upload.want = upload.want.max(want);
        let want = upload.want;
        let others = tenant.open.iter().filter(|upload| upload.tag != tag).map(|upload| upload.want);
        let mut free: Vec<_> =
            tenant.stored.iter_mut().filter(|b| b.pledged_to.is_none_or(|to| to == tag)).collect();
        let sizes: Vec<u64> = free.iter().map(|b| b.size).chain(others).chain([want]).collect();
        for backup in free.iter_mut().take(prune(&sizes)) {
            backup.pledged_to = Some(tag);
        }
        let total = self.total(org);
        let granted = self.quotas[org].is_none_or(|quota| total <= quota) || total <= before.total(org);
        if !granted {
            *self = before;
        }
        granted
    }

    /// Returns the status of the answer when all bytes are stored.
    pub fn commit(&mut self, system: usize, tag: u64, size: u64) -> u16 {
        let before = self.clone();
        let tenant = &mut self.systems[system];
        if !tenant.open.iter().any(|upload| upload.tag == tag) {
            return if tenant.state == State::Active { 503 } else { 401 };
        }
        if tenant.state != State::Active {
            tenant.close(tag);
            return 401;
        }
        let org = tenant.org;
        let sizes: Vec<u64> = tenant.stored.iter().map(|b| b.size).chain([size]).collect();
        let mut stay = tenant.stored.split_off(prune(&sizes));
        let losers: Vec<u64> =
            tenant.stored.iter().filter_map(|b| b.pledged_to).filter(|to| *to != tag).collect();
        let mut handed_over = Vec::new();
        for loser in losers {
            if let Some(backup) = stay.iter_mut().find(|b| b.pledged_to == Some(tag)) {
                backup.pledged_to = Some(loser);
                handed_over.push(backup.tag);
            }
        }
        let spare: Vec<u64> = stay.iter().filter(|b| b.pledged_to == Some(tag)).map(|b| b.tag).collect();
        tenant.stored = stay;
        tenant.close(tag);
        if !matches!(tenant.refused, Refused::Last(last) | Refused::Unknown(last) if last > tag) {
            tenant.refused = Refused::No;
        }
        tenant.stored.push(Stored { tag, size, pledged_to: None });
        let most = self.quotas[org].map_or(u64::MAX, |quota| quota.max(before.total(org)));
        for called_in in spare.into_iter().chain(handed_over) {
            if self.total(org) > most {
                self.systems[system].stored.retain(|b| b.tag != called_in);
            }
        }
        if self.quotas[org].is_some_and(|quota| self.stored(org) > quota.max(before.stored(org))) {
            *self = before;
            self.abort(system, tag);
            return 413;
        }
        201
    }

    pub fn abort(&mut self, system: usize, tag: u64) {
        self.systems[system].close(tag);
        self.refuse(system, tag);
    }

    /// The upload was refused, or has failed. Tags are in the order in which uploads are sent.
    pub fn refuse(&mut self, system: usize, tag: u64) {
        let tenant = &mut self.systems[system];
        let is_stored_since = tenant.stored.last().is_some_and(|newest| newest.tag > tag);
        let is_known = matches!(tenant.refused, Refused::Last(last) | Refused::Unknown(last) if last > tag);
        if !is_stored_since && !is_known {
            tenant.refused = Refused::Last(tag);
        }
    }

    pub fn delete(&mut self, system: usize, tag: u64) {
        self.systems[system].stored.retain(|backup| backup.tag != tag);
    }

    pub fn destroy(&mut self, system: usize) {
        let tenant = &mut self.systems[system];
        tenant.state = State::Destroyed;
        tenant.stored.clear();
        tenant.open.clear();
    }

    /// Whether a body that grows to `size` step by step is admitted; `None`: it depends on the steps.
    pub fn grow_in_steps(&mut self, system: usize, tag: u64, size: u64) -> Option<bool> {
        let tenant = &self.systems[system];
        let free = tenant.stored.iter().filter(|b| b.pledged_to.is_none_or(|to| to == tag));
        let all: Vec<u64> = free.map(|b| b.size).collect();
        let others: u64 = tenant.open.iter().filter(|u| u.tag != tag).map(|u| u.want).sum();
        // For each number of backups that retention may remove: the largest size at which that number is enough.
        let edges: Vec<u64> = (0..all.len())
            .map(|from| SYSTEM_BYTES.saturating_sub(all[from..].iter().sum::<u64>() + others))
            .filter(|edge| (1..size).contains(edge))
            .collect();
        let on_the_way = edges.into_iter().all(|edge| self.clone().grow(system, tag, edge));
        let in_the_end = self.clone().grow(system, tag, size);
        if in_the_end && !on_the_way {
            return None;
        }
        Some(in_the_end && self.grow(system, tag, size))
    }
}
