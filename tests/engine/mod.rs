//! An S3 engine for tests: either one in this process, whose buckets are folders, or the real one named by
//! `STRONGROOM_TEST_S3_ENDPOINT`, `_BUCKET`, `_ACCESS_KEY` and `_SECRET_KEY` (its key must be allowed to create
//! buckets). Each test has a bucket of its own.

#![allow(dead_code, unused_imports, reason = "each suite uses some of it")]
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod closable_port;
mod messages;
mod proxy;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rusoto_core::credential::StaticProvider;
use rusoto_core::{HttpClient, Region};
use rusoto_s3::{
    AbortMultipartUploadRequest, CreateBucketRequest, CreateMultipartUploadRequest, DeleteBucketRequest,
    DeleteObjectRequest, GetObjectRequest, ListMultipartUploadsRequest, ListObjectsV2Request,
    PutObjectRequest, S3, S3Client,
};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Runtime;

pub use closable_port::ClosablePort;
pub use proxy::{Fault, Proxy};

/// A bucket of the test's own; dropping this value removes it.
pub struct Bucket {
    pub endpoint: String,
    pub name: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    /// The bucket's folder, if the engine is in this process.
    folder: Option<PathBuf>,
}

/// The engine in this process: its address, and the folder with the buckets.
struct InProcess {
    address: SocketAddr,
    folder: TempDir,
}

const ACCESS_KEY: &str = "strongroom-test";
const SECRET_KEY: &str = "the-secret-of-the-test-key";

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("STRONGROOM_TEST_S3_{name}")).ok()
}

/// Whether the engine is a real one.
pub fn is_real() -> bool {
    variable("ENDPOINT").is_some()
}

impl Bucket {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let Some(endpoint) = variable("ENDPOINT") else {
            let engine = in_process();
            let name = format!("bucket-{number}");
            let folder = engine.folder.path().join(&name);
            std::fs::create_dir(&folder).expect("make a bucket");
            return Self {
                endpoint: format!("http://{}", engine.address),
                name,
                access_key: ACCESS_KEY.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                region: "us-east-1".to_owned(),
                folder: Some(folder),
            };
        };
        let get = |name| variable(name).unwrap_or_else(|| panic!("STRONGROOM_TEST_S3_{name} is not set"));
        let bucket = Self {
            endpoint,
            name: format!("{}-{}-{number}", get("BUCKET"), std::process::id()),
            access_key: get("ACCESS_KEY"),
            secret_key: get("SECRET_KEY"),
            region: variable("REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            folder: None,
        };
        let request = CreateBucketRequest { bucket: bucket.name.clone(), ..Default::default() };
        bucket
            .ask(|client| async move { client.create_bucket(request).await })
            .expect("make a bucket: the test key must be allowed to (garage key allow --create-bucket)");
        bucket
    }

    /// Calls the engine, from any thread.
    pub fn ask<T: Send, F>(&self, question: impl FnOnce(S3Client) -> F + Send) -> T
    where
        F: Future<Output = T> + Send,
    {
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| {
                let runtime = Runtime::new().expect("a runtime");
                let keys = StaticProvider::new_minimal(self.access_key.clone(), self.secret_key.clone());
                let region = Region::Custom { name: self.region.clone(), endpoint: self.endpoint.clone() };
                let client = S3Client::new_with(HttpClient::new().expect("a client"), keys, region);
                runtime.block_on(question(client))
            });
            answer.join().expect("an answer")
        })
    }

    /// Returns the service's settings for this bucket, with the address of the engine or of a proxy to it.
    pub fn settings<'a>(&'a self, endpoint: &'a str) -> [(&'static str, &'a str); 5] {
        [
            ("BACKUP_S3_BUCKET", &self.name),
            ("S3_ENDPOINT", endpoint),
            ("S3_ACCESS_KEY", &self.access_key),
            ("S3_SECRET_KEY", &self.secret_key),
            ("BACKUP_S3_REGION", &self.region),
        ]
    }

    /// Returns all keys, also those that are not of backups.
    pub fn keys(&self) -> Vec<String> {
        let bucket = self.name.clone();
        self.ask(|client| async move {
            let mut keys = Vec::new();
            let mut token = None;
            loop {
                let request = ListObjectsV2Request {
                    bucket: bucket.clone(),
                    continuation_token: token,
                    ..Default::default()
                };
                let page = client.list_objects_v2(request).await.expect("list the bucket");
                keys.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
                token = page.next_continuation_token;
                if token.is_none() {
                    return keys;
                }
            }
        })
    }

    /// Returns the unfinished uploads: from the files of the engine in this process (of this bucket only, where
    /// the file names show it), or as a real engine lists them.
    pub fn uploads(&self) -> Vec<(String, String)> {
        if let Some(folder) = &self.folder {
            let marker = format!(".bucket-{}.", base64_name(&self.name));
            let root = folder.parent().expect("a bucket is in a folder");
            let names = std::fs::read_dir(root).expect("the engine's folder").flatten();
            let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let ours = names.filter(|name| name.starts_with(&marker) && name.contains(".upload-"));
            return ours.map(|name| (name, String::new())).collect();
        }
        let request = ListMultipartUploadsRequest { bucket: self.name.clone(), ..Default::default() };
        let listed = self.ask(|client| async move { client.list_multipart_uploads(request).await });
        let uploads = listed.expect("list the uploads").uploads.unwrap_or_default();
        uploads
            .into_iter()
            .map(|upload| (upload.key.unwrap_or_default(), upload.upload_id.unwrap_or_default()))
            .collect()
    }

    pub fn read(&self, key: &str) -> Option<Vec<u8>> {
        let request =
            GetObjectRequest { bucket: self.name.clone(), key: key.to_owned(), ..Default::default() };
        self.ask(|client| async move {
            let body = client.get_object(request).await.ok()?.body?;
            let mut bytes = Vec::new();
            body.into_async_read().read_to_end(&mut bytes).await.ok()?;
            Some(bytes)
        })
    }

    pub fn write(&self, key: &str, bytes: &[u8]) {
        let request = PutObjectRequest {
            bucket: self.name.clone(),
            key: key.to_owned(),
            body: Some(bytes.to_vec().into()),
            ..Default::default()
        };
        self.ask(|client| async move { client.put_object(request).await }).expect("write an object");
    }

    /// Begins a multipart upload and leaves it unfinished.
    pub fn begin_upload(&self, key: &str) {
        let request = CreateMultipartUploadRequest {
            bucket: self.name.clone(),
            key: key.to_owned(),
            ..Default::default()
        };
        let begun = self.ask(|client| async move { client.create_multipart_upload(request).await });
        begun.expect("begin an upload");
    }

    pub fn remove(&self, key: &str) {
        let request =
            DeleteObjectRequest { bucket: self.name.clone(), key: key.to_owned(), ..Default::default() };
        self.ask(|client| async move { client.delete_object(request).await }).expect("remove an object");
    }
}

/// Encodes a bucket's name as the engine in this process does for file names.
fn base64_name(name: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(name)
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
            return;
        }
        if std::thread::panicking() {
            return;
        }
        for key in self.keys() {
            self.remove(&key);
        }
        for (key, upload_id) in self.uploads() {
            let request = AbortMultipartUploadRequest {
                bucket: self.name.clone(),
                key,
                upload_id,
                ..Default::default()
            };
            let _ = self.ask(|client| async move { client.abort_multipart_upload(request).await });
        }
        let request = DeleteBucketRequest { bucket: self.name.clone(), ..Default::default() };
        let _ = self.ask(|client| async move { client.delete_bucket(request).await });
    }
}

fn in_process() -> &'static InProcess {
    static ENGINE: OnceLock<InProcess> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let folder = TempDir::with_prefix("strongroom-engine-").expect("make a folder");
        let root = folder.path().to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            Runtime::new().expect("a runtime").block_on(async {
                let files = s3s_fs::FileSystem::new(root).expect("open the folder");
                let mut service = S3ServiceBuilder::new(files);
                service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
                let service = service.build();
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("send the address");
                loop {
                    let Ok((socket, _)) = listener.accept().await else { continue };
                    let service = service.clone();
                    tokio::spawn(async move {
                        let server = Builder::new(TokioExecutor::new()).http1_only();
                        let _ = server.serve_connection(TokioIo::new(socket), service).await;
                    });
                }
            });
        });
        let address = told.recv().expect("the engine listens");
        InProcess { address, folder }
    })
}
