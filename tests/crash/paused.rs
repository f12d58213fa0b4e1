//! A process that stands still past its lease while another sweeps, and then goes on as if nothing had been: it is
//! fenced, and harms nothing. (tests/api/crash.rs has the one that is paused in the middle of a body.)

use crate::harness::{Answer, PATIENCE, Server, assert_eventually, bytes, on_s3};
use crate::scene::{POINT, Scene};

/// An upload stands still at the point; `meanwhile` happens; the process goes on. Gives the answer.
fn paused(scene: &mut Scene, point: &str, body: &[u8], meanwhile: impl FnOnce(&Scene, &Server)) -> Answer {
    scene.doom(format!("stop {point}"));
    let other = scene.server.sibling_with(POINT, "");
    let answer = std::thread::scope(|scope| {
        let upload = scope.spawn(|| scene.server.put(&scene.system, body));
        assert_eventually("it stands still", PATIENCE, || scene.server.is_stopped());
        meanwhile(scene, &other);
        scene.server.signal(libc::SIGCONT);
        upload.join().expect("an answer")
    });
    assert_eventually("both go on", PATIENCE, || scene.server.get("/api/health").send().status == 200);
    answer
}

fn taken_back(_: &Scene, other: &Server) {
    assert_eventually("the other takes the upload back", PATIENCE * 2, || other.receiving() == 0);
}

#[track_caller]
fn is_fenced(point: &str) {
    let mut scene = Scene::new();
    let answer = paused(&mut scene, point, &bytes(300_000), taken_back);
    assert_eq!(answer.status, 503, "its row was gone: {answer}");
    scene.is_whole(&scene.kept);
}

#[test]
fn paused_with_the_last_byte_in_hand_it_stores_nothing() {
    is_fenced("upload.received");
}

#[test]
fn paused_before_the_file_gets_its_name_it_takes_the_late_object_away() {
    if !on_s3() {
        is_fenced("local.synced");
    }
}

#[test]
fn paused_when_the_file_has_its_name_it_stores_nothing() {
    if !on_s3() {
        is_fenced("local.renamed");
    }
}

#[test]
fn paused_between_object_and_commit_it_stores_nothing() {
    is_fenced("upload.stored");
}

#[test]
fn paused_inside_its_commit_it_stores_nothing() {
    is_fenced("books.written 2");
}

#[test]
fn paused_between_commit_and_answer_it_keeps_its_word() {
    let mut scene = Scene::new();
    let body = bytes(300_000);
    let answer = paused(&mut scene, "books.committed 2", &body, |_, other| {
        let writers =
            "SELECT count(*) FROM writers WHERE lease_expires_at < clock_timestamp() - interval '1 second'";
        assert_eventually("its lease is long over", PATIENCE, || other.db.number(writers) > 0);
        assert_eq!(other.receiving(), 0);
    });
    let id = answer.id();
    scene.is_whole(&[scene.kept[1].clone(), (id, body)]);
}

#[test]
fn paused_while_its_system_is_destroyed_it_stores_nothing() {
    let mut scene = Scene::new();
    let answer = paused(&mut scene, "upload.stored", &bytes(300_000), |scene, other| {
        other.cli(["system", "destroy", &scene.system.key, "--yes"]).exits(0);
    });
    answer.is_invalid_token();
    assert_eventually("nothing is left", PATIENCE, || scene.server.objects().is_empty());
    crate::scene::settles(&scene.server);
    assert_eq!(scene.server.db.number("SELECT count(*) FROM systems"), 0);
}

#[test]
fn a_purger_paused_after_its_claim_does_no_harm_when_another_was_faster() {
    let mut scene = Scene::new();
    let body = bytes(3000);
    let answer = paused(&mut scene, "purge.claimed", &body, |_, other| {
        other.db.execute(
            "UPDATE backups SET purge_started_at = now() - interval '2 minutes' WHERE state = 'retired'",
        );
        let retired = "SELECT count(*) FROM backups WHERE state = 'retired'";
        assert_eventually("the other purges", PATIENCE, || other.db.number(retired) == 0);
    });
    scene.is_whole(&[scene.kept[1].clone(), (answer.id(), body)]);
}
