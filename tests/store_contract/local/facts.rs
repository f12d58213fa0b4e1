//! The metadata that a file keeps.

use std::fs::File;

use rustix::fs::fgetxattr;
use tempfile::TempDir;

use super::{file_of, subject_in};
use crate::fixture::*;

#[tokio::test]
async fn file_and_its_copy_carry_the_objects_metadata() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let (from, to) = (key("acme", "fw-01"), key("other", "fw-01"));
    subject.put(&from, b"bytes").await;
    subject.store.copy(&from, &to).await.unwrap();
    for key in [from, to] {
        let file = File::open(file_of(folder.path(), &key)).unwrap();
        let fact = |name: &str| {
            let mut value = [0; 300];
            fgetxattr(&file, format!("user.strongroom.{name}"), &mut value[..])
                .map(|length| String::from_utf8_lossy(&value[..length]).into_owned())
        };
        match fact("filename") {
            Err(rustix::io::Errno::OPNOTSUPP) => println!("this file system has no such attributes"),
            filename => {
                assert_eq!(filename.unwrap(), "fw-01.tar.gz.gpg");
                assert_eq!(fact("mimetype").unwrap(), "application/pgp-encrypted");
                assert_eq!(fact("system-id").unwrap(), metadata().system_id.to_string());
            }
        }
    }
}
