//! A network that loses the packets of open connections to Postgres, without an error. New connections work.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use strongroom::db::{Connector, Db, Lane};
use tokio::runtime::Runtime;

use crate::harness::{Database, LinkFault, PostgresLink, TIMEOUT, assert_eventually};

/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(2);

/// How many sessions the pool sets up at the same time.
const SET_UP_TOGETHER: usize = 3;

/// Opens as many connections as requests may use, by statements that run at the same time. Returns whether all succeeded.
async fn open_connections(db: &Db) -> bool {
    let together = std::sync::Arc::new(std::sync::Barrier::new(Lane::General.connections() as usize));
    let statements: Vec<_> = (0..Lane::General.connections())
        .map(|_| {
            let (db, together) = (db.clone(), together.clone());
            tokio::spawn(async move {
                let statement = move |conn: &mut strongroom::db::Conn| {
                    together.wait();
                    Ok(conn.batch_execute("SELECT 1")?)
                };
                db.run(Lane::General, TIMEOUT, statement).await
            })
        })
        .collect();
    let mut all = true;
    for statement in statements {
        all &= statement.await.is_ok_and(|result| result.is_ok());
    }
    all
}

#[test]
fn checks_alone_find_a_connection_that_works() {
    // It is dropped after the link: when it ends, threads may still wait for a lost connection.
    let runtime = Runtime::new().expect("a runtime");
    let database = Database::new();
    let link = PostgresLink::to(&database);
    let db = Db::new(Connector::new(link.url()).expect("a URL"), runtime.handle().clone());
    assert!(runtime.block_on(open_connections(&db)), "the connections work");
    link.inject(LinkFault::PacketsLost);
    link.repair();
    let works = || runtime.block_on(db.can_commit(LIMIT)).is_ok();
    assert!(!works(), "every connection of the pool is lost");
    // A check that does not report its connection takes it up. So after a few checks none would be left for requests.
    assert_eventually("a check finds a connection that works", TIMEOUT * 3, works);
}

#[test]
fn sessions_that_are_lost_while_they_are_set_up_are_replaced() {
    let runtime = Runtime::new().expect("a runtime");
    let database = Database::new();
    let link = PostgresLink::to(&database);
    let db = Db::new(Connector::new(link.url()).expect("a URL"), runtime.handle().clone());
    assert!(runtime.block_on(open_connections(&db)), "the connections work");
    link.inject(LinkFault::SetUpLost);
    let _waiting: Vec<_> = (0..SET_UP_TOGETHER)
        .map(|_| {
            let db = db.clone();
            let statement = |conn: &mut strongroom::db::Conn| Ok(conn.batch_execute("SELECT 1")?);
            runtime.spawn(async move { db.run(Lane::General, TIMEOUT, statement).await })
        })
        .collect();
    assert_eventually("every thread of the pool waits", TIMEOUT, || link.swallowed() >= SET_UP_TOGETHER);
    link.repair();
    let works = || runtime.block_on(db.can_commit(LIMIT)).is_ok();
    assert_eventually("the pool opens a connection that works", TIMEOUT * 3, works);
}

#[test]
fn after_sessions_that_got_no_answer_no_others_are_opened_for_a_while() {
    let database = Database::new();
    let link = PostgresLink::to(&database);
    let connector = Connector::new(link.url()).expect("a URL");
    connector.connect().expect("the first session is checked");
    link.inject(LinkFault::SetUpLost);
    // On a slow machine some fail to connect. Once some hang there is a pause, and then others follow.
    while link.swallowed() < 6 {
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| assert!(connector.connect().is_err()));
            }
        });
    }
    // They still hang: otherwise soon every session of the server would be one of them.
    let hanging = link.swallowed();
    assert!(connector.connect().is_err());
    assert_eq!(link.swallowed(), hanging, "a further one was opened");
}
