//! Long random sequences of steps against the real server, compared with a small model of the documented
//! behaviour: answers, lists, accounting and objects must equal the model's after each step.
//! `STRONGROOM_MODEL_SECONDS` (15) is the duration of each sequence, `STRONGROOM_MODEL_SEED` repeats one step by
//! step. `script/test` runs this suite; with `STRONGROOM_TEST_STORE=s3` it uses a bucket.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
#[path = "../api/harness/mod.rs"]
mod harness;

mod accounting;
mod check;
mod model_fixture;
mod operate;
mod pairs;
mod uploads;

use std::time::Instant;

use crate::harness::{Random, seconds};
use crate::model_fixture::ModelFixture;

fn sequence(number: u64) {
    let mut random = Random::seeded("STRONGROOM_MODEL_SEED");
    for _ in 0..number {
        random = random.fork();
    }
    let end = Instant::now() + seconds("STRONGROOM_MODEL_SECONDS", 15);
    let mut fixture = ModelFixture::new(random);
    let mut steps = 0;
    while Instant::now() < end {
        steps += 1;
        print!("{steps}: ");
        fixture.step();
        fixture.check();
        if steps % 50 == 0 {
            fixture.server.audit_is_clean();
        }
    }
    println!("{steps} steps");
    fixture.end();
}

#[test]
fn first_random_sequence_agrees_with_the_model() {
    sequence(1);
}

#[test]
fn second_random_sequence_agrees_with_the_model() {
    sequence(2);
}

#[test]
fn third_random_sequence_agrees_with_the_model() {
    sequence(3);
}

#[test]
fn fourth_random_sequence_agrees_with_the_model() {
    sequence(4);
}
