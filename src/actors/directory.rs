//! The directory: the organizations that have a running actor.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::{Actor, Addr};

use crate::domain::ids::OrgId;

/// The running actors by organization.
pub(super) struct Directory<A: Actor>(Mutex<HashMap<OrgId, Addr<A>>>);

impl<A: Actor> Default for Directory<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Actor> Directory<A> {
    /// Returns the organization's actor. `start` starts one if there is none, or if it has stopped.
    pub fn get_or_start(&self, org: &OrgId, start: impl FnOnce() -> Addr<A>) -> Addr<A> {
        let mut actors = self.lock();
        if let Some(actor) = actors.get(org).filter(|actor| actor.connected()) {
            return actor.clone();
        }
        let actor = start();
        actors.insert(org.clone(), actor.clone());
        actor
    }

    /// Returns all actors.
    pub fn all(&self) -> Vec<Addr<A>> {
        self.lock().values().cloned().collect()
    }

    /// Removes an actor that is about to stop, unless another one has taken its place.
    pub fn remove(&self, org: &OrgId, actor: &Addr<A>) {
        let mut actors = self.lock();
        if actors.get(org) == Some(actor) {
            actors.remove(org);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Addr<A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
