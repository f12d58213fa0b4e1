//! Steps that do not upload: deletions and requests for missing backups by appliances, an operator's commands, a
//! crash.

use crate::accounting::State;
use crate::harness::{BACKUPS, TIMEOUT, assert_eventually, run};
use crate::model_fixture::ModelFixture;

impl ModelFixture {
    /// Returns a random stored backup of any system.
    fn some_stored(&mut self) -> Option<(usize, u64)> {
        let all: Vec<_> = (0..self.systems.len())
            .flat_map(|system| {
                self.accounting.systems[system].stored.iter().map(move |backup| (system, backup.tag))
            })
            .collect();
        (!all.is_empty()).then(|| all[self.random.below(all.len())])
    }

    /// Deletes a backup, as its system or as an operator.
    pub fn delete(&mut self) {
        let Some((system, tag)) = self.some_stored() else {
            println!("nothing");
            return;
        };
        let id = self.uploaded[&tag].id.clone();
        let by_hand = self.random.below(6) == 0;
        println!("delete {tag}, by hand: {by_hand}");
        if by_hand {
            self.server.cli(["backup", "delete", &id, "--yes"]).exits(0);
        } else if self.state(system) == State::Active {
            self.server.delete(&self.systems[system], &id).status(200);
        } else {
            self.server.delete(&self.systems[system], &id).is_invalid_token();
            return;
        }
        self.accounting.delete(system, tag);
    }

    /// A backup that is deleted or belongs to another system is not found, by any method.
    pub fn request_missing_backup(&mut self) {
        let system = self.some_system();
        let stored = &self.accounting.systems[system].stored;
        let others: Vec<_> =
            self.uploaded.iter().filter(|(tag, _)| !stored.iter().any(|b| b.tag == **tag)).collect();
        if others.is_empty() || self.state(system) != State::Active {
            println!("nothing");
            return;
        }
        let (tag, uploaded) = others[self.random.below(others.len())];
        println!("look for {tag} (of {}) as {system}", uploaded.system);
        self.server.fetch(&self.systems[system], &uploaded.id).send().is_not_found();
        self.server.delete(&self.systems[system], &uploaded.id).is_not_found();
        let path = format!("{BACKUPS}/{}", uploaded.id);
        assert_eq!(self.server.request("HEAD", &path).user(&self.systems[system]).send().status, 404);
    }

    pub fn set_quota(&mut self) {
        let org = self.random.below(self.orgs.len());
        let total = self.accounting.total(org);
        let quota = match self.random.below(6) {
            0 => None,
            1 => Some(total.max(1)),
            2 => Some((total / 2).max(1)),
            3 => Some(self.accounting.stored(org).max(1)),
            _ => Some(50_000 + self.random.below(150_000) as u64),
        };
        println!("quota of {org}: {quota:?}");
        let text = quota.map_or_else(|| "none".to_owned(), |quota| quota.to_string());
        self.server.cli(["org", "set-quota", &self.orgs[org], &text]).exits(0);
        self.accounting.quotas[org] = quota;
    }

    pub fn suspend_or_resume(&mut self) {
        let system = self.some_system();
        let (word, state, status) = match self.state(system) {
            State::Suspended => ("resume", State::Active, 200),
            _ => ("suspend", State::Suspended, 401),
        };
        println!("{word} {system}");
        self.server.cli(["system", word, &self.systems[system].key]).exits(0);
        self.accounting.systems[system].state = state;
        self.seen(system, status);
    }

    /// Waits until the system gets this status: the service caches a credential for a second.
    fn seen(&self, system: usize, status: u16) {
        assert_eventually("the process has read the change", TIMEOUT, || {
            self.server.get(BACKUPS).user(&self.systems[system]).send().status == status
        });
    }

    /// Destroys a system; a new one replaces it.
    pub fn destroy(&mut self) {
        let system = self.some_system();
        println!("destroy {system}");
        self.server.cli(["system", "destroy", &self.systems[system].key, "--yes"]).exits(0);
        self.accounting.destroy(system);
        self.dead.retain(|(of, _)| *of != system);
        self.seen(system, 401);
        self.add_system(self.accounting.systems[system].org);
    }

    /// Kills the process. Its uploads under way count until they are swept.
    pub fn crash(&mut self) {
        println!("crash");
        self.server.kill();
        for pending in self.pending.drain(..) {
            if self.accounting.systems[pending.system].open.iter().any(|upload| upload.tag == pending.tag) {
                self.dead.insert((pending.system, pending.tag));
            }
        }
        // The lease is long; let it be over.
        self.server.db.execute("UPDATE writers SET lease_expires_at = clock_timestamp() - interval '1 hour'");
        self.server.db.execute(
            "UPDATE backups SET purge_started_at = purge_started_at - interval '1 minute' WHERE state = 'retired'",
        );
        self.server.skip_audit();
        self.server = self.server.sibling();
        self.refused.clear();
    }

    /// Runs the command with a lease so short that killed processes are recognized; the running one has renewed
    /// its own.
    pub fn sweep(&mut self) {
        println!("sweep");
        let young = "EXISTS (SELECT FROM backups JOIN writers ON process_id = writer WHERE state = 'receiving'
            AND lease_expires_at < clock_timestamp() AND admitted_at > clock_timestamp() - interval '1 second')";
        assert_eventually("uploads of killed processes are old enough", TIMEOUT, || {
            !self.server.db.holds(young)
        });
        run(self.server.command(["sweep"]).env("BACKUP_LEASE", "1")).exits(0);
        for (system, tag) in std::mem::take(&mut self.dead) {
            self.accounting.abort(system, tag);
        }
    }
}
