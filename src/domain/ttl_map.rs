//! A map with expiring entries and a maximum number of entries.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

pub struct TtlMap<K, V> {
    entries: HashMap<K, (Instant, V)>,
    ttl: Duration,
    max_entries: usize,
    /// When expired entries were last removed. To search for them at each insertion into a full map would cost as much as the
    /// maximum is meant to prevent.
    cleared: Option<Instant>,
}

/// How many times during one `ttl` expired entries are removed from a full map.
const CLEARINGS: u32 = 8;

impl<K: Hash + Eq, V> TtlMap<K, V> {
    /// Makes a map whose entries expire after `ttl`, and which never has more than `max_entries`.
    pub fn new(ttl: Duration, max_entries: usize) -> Self {
        Self { entries: HashMap::new(), ttl, max_entries, cleared: None }
    }

    pub fn get<Q>(&self, key: &Q, now: Instant) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (at, value) = self.entries.get(key)?;
        (now.saturating_duration_since(*at) < self.ttl).then_some(value)
    }

    /// Inserts or replaces an entry. A new entry is not inserted if the map is full of entries that have not expired.
    pub fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.entries.contains_key(&key) || self.has_space(now) {
            self.entries.insert(key, (now, value));
        }
    }

    /// Returns the value of this key. If there is none, or it has expired, inserts a default. `None` if the map is full.
    pub fn entry(&mut self, key: K, now: Instant) -> Option<&mut V>
    where
        V: Default,
    {
        if self.get(&key, now).is_none() {
            if !self.entries.contains_key(&key) && !self.has_space(now) {
                return None;
            }
            return Some(&mut self.entries.entry(key).insert_entry((now, V::default())).into_mut().1);
        }
        self.get_mut(&key, now)
    }

    pub fn get_mut<Q>(&mut self, key: &Q, now: Instant) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let ttl = self.ttl;
        let (at, value) = self.entries.get_mut(key)?;
        (now.saturating_duration_since(*at) < ttl).then_some(value)
    }

    pub fn remove<Q>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.remove(key);
    }

    /// Whether a new entry fits. Removes expired entries from a full map, unless that was done a moment ago.
    fn has_space(&mut self, now: Instant) -> bool {
        let pause = self.ttl / CLEARINGS;
        let lately = |at: Instant| now.saturating_duration_since(at) < pause;
        if self.entries.len() >= self.max_entries && !self.cleared.is_some_and(lately) {
            self.cleared = Some(now);
            let ttl = self.ttl;
            self.entries.retain(|_, (at, _)| now.saturating_duration_since(*at) < ttl);
        }
        self.entries.len() < self.max_entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_and_never_grows_beyond_its_bound() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut map = TtlMap::new(Duration::from_secs(10), 2);
        map.insert("a", 1, at(0));
        map.insert("b", 2, at(5));
        map.insert("c", 3, at(6));
        assert_eq!((map.get("a", at(9)), map.get("c", at(9))), (Some(&1), None), "it was full");
        assert!(map.entry("c", at(9)).is_none());
        map.insert("a", 4, at(9));
        assert_eq!(map.get("a", at(18)), Some(&4), "what is there is replaced");
        assert_eq!(map.get("b", at(15)), None, "old");
        *map.entry("c", at(15)).expect("space, because b has expired") += 5;
        *map.entry("c", at(16)).expect("it is there") += 5;
        assert_eq!(map.get("c", at(16)), Some(&10));
        assert_eq!(map.entry("c", at(25)), Some(&mut 0), "a new entry");
        assert!(map.entries.len() <= 2);
    }
}
