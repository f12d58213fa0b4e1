//! Two uploads at the same moment: the answers, lists and accounting equal those of one of the orders in which
//! their admissions and commits can follow each other.

use std::sync::Barrier;

use crate::accounting::{Accounting, MAX_UPLOAD, Refused};
use crate::harness::Answer;
use crate::model_fixture::ModelFixture;

/// The possible orders: in each step, the upload that makes progress.
const ORDERS: [[usize; 4]; 6] =
    [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]];

struct One {
    system: usize,
    tag: u64,
    body: Vec<u8>,
}

/// Returns the answers and the accounting after one order.
fn play(mut accounting: Accounting, pair: &[One; 2], order: [usize; 4]) -> ([u16; 2], Accounting) {
    let mut answers = [None, None];
    for index in order {
        let One { system, tag, body } = &pair[index];
        let size = body.len() as u64;
        answers[index] = Some(match answers[index] {
            None => accounting.admit(*system, *tag, size),
            Some(201) => accounting.commit(*system, *tag, size),
            Some(refused) => refused,
        });
    }
    (answers.map(Option::unwrap_or_default), accounting)
}

impl ModelFixture {
    fn one(&mut self) -> Option<One> {
        let system = self.some_system_without_remembered_refusal()?;
        let most = usize::try_from(MAX_UPLOAD).expect("a small number");
        let (size, tag) = (self.some_size(system).min(most), self.tag());
        Some(One { system, tag, body: self.random.bytes(size) })
    }

    pub fn pair(&mut self) {
        let (Some(first), Some(second)) = (self.one(), self.one()) else {
            println!("nothing");
            return;
        };
        let pair = [first, second];
        for One { system, tag, body } in &pair {
            println!("at once: {tag} of {} to {system}", body.len());
        }
        let start = Barrier::new(2);
        let send = |one: &One| {
            start.wait();
            self.server.put(&self.systems[one.system], &one.body)
        };
        let answers: [Answer; 2] = std::thread::scope(|scope| {
            let clients = pair.each_ref().map(|one| scope.spawn(|| send(one)));
            clients.map(|client| client.join().expect("a client"))
        });
        let told = [answers[0].status, answers[1].status];
        for (one, answer) in pair.iter().zip(&answers) {
            if answer.status == 201 {
                self.record_upload(one.tag, answer.id(), one.system, one.body.clone());
            } else {
                self.refused.insert(one.system, std::time::Instant::now());
            }
        }
        let possible: Vec<_> =
            ORDERS.iter().map(|order| play(self.accounting.clone(), &pair, *order)).collect();
        let fitting =
            possible.iter().find(|(said, accounting)| *said == told && self.assert_equal(accounting));
        let Some((_, accounting)) = fitting else {
            panic!("{told:?} is the outcome of no order: {possible:#?}");
        };
        self.accounting = accounting.clone();
        for (one, _) in pair.iter().zip(&answers).filter(|(_, answer)| answer.status != 201) {
            if told.contains(&201) && pair[0].system == pair[1].system {
                self.accounting.systems[one.system].refused = Refused::Unknown(pair[1].tag);
            } else {
                self.accounting.refuse(one.system, one.tag);
            }
        }
    }
}
