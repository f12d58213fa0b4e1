//! Steps that upload: whole, wrong, half and later the rest, or never.

use std::time::Instant;

use crate::books::MAX_UPLOAD;
use crate::harness::{Answer, PATIENCE, Vanish, Wire, chunk, digest_field, eventually};
use crate::model_fixture::{Half, ModelFixture};

fn length(body: &[u8]) -> u64 {
    body.len() as u64
}

impl ModelFixture {
    /// What the model makes of a whole upload of known length.
    fn predict_known(&mut self, system: usize, tag: u64, body: &[u8], wrong: bool) -> u16 {
        if length(body) > MAX_UPLOAD {
            return if self.books.systems[system].state == crate::books::State::Active { 413 } else { 401 };
        }
        let admitted = self.books.admit(system, tag, length(body));
        match (admitted, wrong) {
            (201, false) => self.books.commit(system, tag, length(body)),
            (201, true) => {
                self.books.abort(system, tag);
                400
            }
            (refused, _) => refused,
        }
    }

    /// The same for a chunked one. First the most that it may become is asked for, then what comes. `None`: it depends
    /// on the pieces in which it comes.
    fn predict_chunked(&mut self, system: usize, tag: u64, body: &[u8]) -> Option<u16> {
        let admitted = self.admit_chunked(system, tag);
        if admitted != 201 {
            return Some(admitted);
        }
        let granted = self.feed_chunked(system, tag, length(body))?;
        if granted {
            return Some(self.books.commit(system, tag, length(body)));
        }
        self.books.abort(system, tag);
        Some(413)
    }

    fn admit_chunked(&mut self, system: usize, tag: u64) -> u16 {
        match self.books.admit(system, tag, MAX_UPLOAD) {
            413 => {
                self.note_refused(system);
                self.books.admit(system, tag, 1)
            }
            answer => answer,
        }
    }

    /// Whether a chunked upload may have come so far.
    fn feed_chunked(&mut self, system: usize, tag: u64, count: u64) -> Option<bool> {
        let upload = self.books.systems[system].open.iter().find(|upload| upload.tag == tag);
        let want = upload.map_or(0, |upload| upload.want);
        if count > MAX_UPLOAD {
            return Some(false);
        }
        if count <= want || self.books.grow(system, tag, MAX_UPLOAD) {
            return Some(true);
        }
        self.note_refused(system);
        self.books.grows(system, tag, count)
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
        let before = self.books.clone();
        let remembers = self.may_remember(system);
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
            // Something made room, and the process has not noticed yet: it does within a second.
            eventually(PATIENCE, || {
                answer = send();
                answer.status != 413
            });
        }
        if let Some(predicted) = predicted {
            assert_eq!(answer.status, predicted, "{answer}");
        } else {
            self.books = before;
            let admitted = self.admit_chunked(system, tag);
            assert_eq!(admitted, 201);
            if answer.status == 201 {
                assert!(self.books.grow(system, tag, length(&body)));
                assert_eq!(self.books.commit(system, tag, length(&body)), 201);
            } else {
                assert_eq!(answer.status, 413, "{answer}");
                self.books.abort(system, tag);
            }
        }
        self.take_in(&answer, tag, system, body);
    }

    fn take_in(&mut self, answer: &Answer, tag: u64, system: usize, body: Vec<u8>) {
        if answer.status == 413 {
            self.note_refused(system);
        }
        if answer.status == 201 {
            self.learn(tag, answer.id(), system, body);
        }
    }

    /// Half an upload. Whether it was let in shows in the books.
    pub fn begin(&mut self) {
        // Several of one system: what one is to replace, another may take.
        let near = self.half.first().map(|half| half.system).filter(|of| self.may_take(*of));
        let system = near.filter(|_| self.random.below(3) > 0).or_else(|| self.some_unrefused());
        let Some(system) = system.filter(|_| self.half.len() < 6) else {
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
        let mut wire = Wire::upload(&self.server, &self.systems[system], &[&line]);
        let mut predicted = if chunked {
            self.admit_chunked(system, tag)
        } else {
            self.books.admit(system, tag, length(&body))
        };
        let first = if chunked { chunk(&body[..sent]) } else { body[..sent].to_vec() };
        let _ = wire.try_send(first);
        if chunked && predicted == 201 {
            let granted = self.feed_chunked(system, tag, sent as u64);
            // So few bytes come in one piece.
            if granted != Some(true) {
                self.books.abort(system, tag);
                predicted = 413;
            }
        }
        if predicted != 201 {
            let answer = wire.answer().status(predicted);
            self.take_in(&answer, tag, system, Vec::new());
            return;
        }
        self.half.push(Half { tag, system, wire, body, sent, chunked });
    }

    pub fn end_half(&mut self) {
        if self.half.is_empty() {
            println!("nothing");
            return;
        }
        let index = self.random.below(self.half.len());
        if self.random.below(3) == 0 {
            self.break_off(index);
        } else {
            self.finish(index);
        }
    }

    pub fn break_off(&mut self, index: usize) {
        let Half { tag, system, wire, .. } = self.half.swap_remove(index);
        println!("break {tag} off");
        self.books.abort(system, tag);
        wire.vanish(if self.random.below(2) == 0 { Vanish::Fin } else { Vanish::Rst });
    }

    fn finish(&mut self, index: usize) {
        let Half { tag, system, mut wire, body, sent, chunked } = self.half.swap_remove(index);
        println!("finish {tag}");
        let rest = &body[sent..];
        let _ = wire.try_send(if chunked { [chunk(rest), chunk(b"")].concat() } else { rest.to_vec() });
        let answer = wire.answer();
        let open = self.books.systems[system].open.iter().any(|upload| upload.tag == tag);
        let predicted = if chunked && open {
            match self.feed_chunked(system, tag, length(&body)) {
                Some(true) => self.books.commit(system, tag, length(&body)),
                // Its pieces decide: what the server said goes.
                None if answer.status == 201 => {
                    assert!(self.books.grow(system, tag, length(&body)));
                    self.books.commit(system, tag, length(&body))
                }
                _ => {
                    self.books.abort(system, tag);
                    413
                }
            }
        } else {
            self.books.commit(system, tag, length(&body))
        };
        assert_eq!(answer.status, predicted, "{answer}");
        self.take_in(&answer, tag, system, body);
    }
}
