//! Steps that upload: a whole body, a wrong one, or one half of it and later (or never) the rest.

use std::time::Instant;

use crate::accounting::MAX_UPLOAD;
use crate::harness::{Answer, Disconnect, RawClient, TIMEOUT, chunk, digest_field, eventually};
use crate::model_fixture::{ModelFixture, PendingUpload};

fn length(body: &[u8]) -> u64 {
    body.len() as u64
}

impl ModelFixture {
    /// Returns the status that the model expects for a whole upload of known length.
    fn predict_known(&mut self, system: usize, tag: u64, body: &[u8], wrong: bool) -> u16 {
        if length(body) > MAX_UPLOAD {
            return if self.accounting.systems[system].state == crate::accounting::State::Active {
                413
            } else {
                401
            };
        }
        let admitted = self.accounting.admit(system, tag, length(body));
        match (admitted, wrong) {
            (201, false) => self.accounting.commit(system, tag, length(body)),
            (201, true) => {
                self.accounting.abort(system, tag);
                400
            }
            (refused, _) => refused,
        }
    }

    /// Returns the status that the model expects for a whole chunked upload. It first reserves the largest size
    /// that it may have, then what arrives. `None`: the answer depends on the pieces in which the body arrives.
    fn predict_chunked(&mut self, system: usize, tag: u64, body: &[u8]) -> Option<u16> {
        let admitted = self.admit_chunked(system, tag);
        if admitted != 201 {
            return Some(admitted);
        }
        let granted = self.feed_chunked(system, tag, length(body))?;
        if granted {
            return Some(self.accounting.commit(system, tag, length(body)));
        }
        self.accounting.abort(system, tag);
        Some(413)
    }

    fn admit_chunked(&mut self, system: usize, tag: u64) -> u16 {
        match self.accounting.admit(system, tag, MAX_UPLOAD) {
            413 => {
                self.note_refused(system);
                self.accounting.admit(system, tag, 1)
            }
            answer => answer,
        }
    }

    /// Whether a chunked upload may have `count` bytes so far.
    fn feed_chunked(&mut self, system: usize, tag: u64, count: u64) -> Option<bool> {
        let upload = self.accounting.systems[system].open.iter().find(|upload| upload.tag == tag);
        let want = upload.map_or(0, |upload| upload.want);
        if count > MAX_UPLOAD {
            return Some(false);
        }
        if count <= want || self.accounting.grow(system, tag, MAX_UPLOAD) {
            return Some(true);
        }
        self.note_refused(system);
        self.accounting.grow_in_steps(system, tag, count)
    }

    fn note_refused(&mut self, system: usize) {
        self.refused.insert(system, Instant::now());
    }

    pub fn upload(&mut self) {
        let system = self.some_system();
        let (size, tag) = (self.some_size(system), self.tag());
        let body = self.random.bytes(size);
        let (chunked, wrong) = (self.random.below(3) == 0, self.random.below(12) == 0);
        println!("upload {tag} of {size} to {system}, chunked: {chunked}, wrong: {wrong}");
        let before = self.accounting.clone();
        let remembers = self.remembers_refusal(system);
        let predicted = if chunked {
            self.predict_chunked(system, tag, &body)
        } else {
            Some(self.predict_known(system, tag, &body, wrong))
        };
        let send = || {
            let request = self.server.upload(&self.systems[system]);
            match (chunked, wrong) {
                (true, _) => request.chunked(body.clone()),
                (false, true) => request.header("content-digest", digest_field(b"x")).body(body.clone()),
                (false, false) => request.body(body.clone()),
            }
            .send()
        };
        let mut answer = send();
        if answer.status == 413 && predicted.is_some_and(|status| status != 413) && remembers {
            // Another step has freed space, and the process still remembers its refusal, for up to a second.
            eventually(TIMEOUT, || {
                answer = send();
                answer.status != 413
            });
        }
        if let Some(predicted) = predicted {
            assert_eq!(answer.status, predicted, "{answer}");
        } else {
            self.accounting = before;
            let admitted = self.admit_chunked(system, tag);
            assert_eq!(admitted, 201);
            if answer.status == 201 {
                assert!(self.accounting.grow(system, tag, length(&body)));
                assert_eq!(self.accounting.commit(system, tag, length(&body)), 201);
            } else {
                assert_eq!(answer.status, 413, "{answer}");
                self.accounting.abort(system, tag);
            }
        }
        self.record_answer(&answer, tag, system, body);
    }

    fn record_answer(&mut self, answer: &Answer, tag: u64, system: usize, body: Vec<u8>) {
        if answer.status == 413 {
            self.note_refused(system);
        }
        // 401: the credential is right, but the system is suspended, which shows when it is resumed.
        if [400, 401, 413, 429].contains(&answer.status) {
            self.accounting.refuse(system, tag);
        }
        if answer.status == 201 {
            self.record_upload(tag, answer.id(), system, body);
        }
    }

    /// Sends the first half of an upload. The accounting shows whether it was admitted.
    pub fn begin(&mut self) {
        // Prefers a system with an upload under way: two uploads may then compete for the same backup to
        // replace.
        let near = self.pending.first().map(|pending| pending.system).filter(|of| self.is_predictable(*of));
        let system = near
            .filter(|_| self.random.below(3) > 0)
            .or_else(|| self.some_system_without_remembered_refusal());
        let Some(system) = system.filter(|_| self.pending.len() < 6) else {
            println!("nothing");
            return;
        };
        let most = usize::try_from(MAX_UPLOAD).expect("a small number");
        let size = self.some_size(system).clamp(4, most);
        let (tag, chunked) = (self.tag(), self.random.below(3) == 0);
        let body = self.random.bytes(size);
        let sent = (size / 2).min(4000);
        println!("begin {tag} of {size} to {system}, chunked: {chunked}");
        let line =
            if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {size}") };
        let mut raw = RawClient::upload(&self.server, &self.systems[system], &[&line]);
        let mut predicted = if chunked {
            self.admit_chunked(system, tag)
        } else {
            self.accounting.admit(system, tag, length(&body))
        };
        let first = if chunked { chunk(&body[..sent]) } else { body[..sent].to_vec() };
        let _ = raw.try_send(first);
        if chunked && predicted == 201 {
            let granted = self.feed_chunked(system, tag, sent as u64);
            // Few bytes arrive in one piece, so the answer is certain.
            if granted != Some(true) {
                self.accounting.abort(system, tag);
                predicted = 413;
            }
        }
        if predicted != 201 {
            let answer = raw.answer().status(predicted);
            self.record_answer(&answer, tag, system, Vec::new());
            return;
        }
        self.pending.push(PendingUpload { tag, system, raw, body, sent, chunked });
    }

    pub fn finish_pending(&mut self) {
        if self.pending.is_empty() {
            println!("nothing");
            return;
        }
        let index = self.random.below(self.pending.len());
        if self.random.below(3) == 0 {
            self.disconnect_pending(index);
        } else {
            self.finish(index);
        }
    }

    pub fn disconnect_pending(&mut self, index: usize) {
        let PendingUpload { tag, system, raw, .. } = self.pending.swap_remove(index);
        println!("break {tag} off");
        self.accounting.abort(system, tag);
        raw.disconnect(if self.random.below(2) == 0 { Disconnect::Fin } else { Disconnect::Rst });
    }

    fn finish(&mut self, index: usize) {
        let PendingUpload { tag, system, mut raw, body, sent, chunked } = self.pending.swap_remove(index);
        println!("finish {tag}");
        let rest = &body[sent..];
        let _ = raw.try_send(if chunked { [chunk(rest), chunk(b"")].concat() } else { rest.to_vec() });
        let answer = raw.answer();
        let open = self.accounting.systems[system].open.iter().any(|upload| upload.tag == tag);
        let predicted = if chunked && open {
            match self.feed_chunked(system, tag, length(&body)) {
                Some(true) => self.accounting.commit(system, tag, length(&body)),
                // The answer depends on the pieces: the model follows the server's.
                None if answer.status == 201 => {
                    assert!(self.accounting.grow(system, tag, length(&body)));
                    self.accounting.commit(system, tag, length(&body))
                }
                _ => {
                    self.accounting.abort(system, tag);
                    413
                }
            }
        } else {
            self.accounting.commit(system, tag, length(&body))
        };
        assert_eq!(answer.status, predicted, "{answer}");
        self.record_answer(&answer, tag, system, body);
    }
}
