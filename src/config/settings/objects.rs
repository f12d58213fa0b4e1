use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::check;
use crate::config::setting::{
    About,
    Default::{Is, IsOrOfUnit, Unset},
    Group, Kind, Setting, settings,
};

settings! {
    "Object store";

    /// The directory of the local store, which is used when no bucket is set; for the service alone, mode 0700.
    ///
    /// With this file the default is /var/lib/strongroom/objects, for the service (its unit sets it) and for
    /// commands; without the file it is var/objects in the current directory. Another place has to be opened
    /// to the service with ReadWritePaths= (systemctl edit strongroom). Never change it for a database in
    /// use: the objects do not move by themselves.
    BACKUP_DATA_DIR: PathBuf {
        IsOrOfUnit("var/objects", "/var/lib/strongroom/objects"), Kind::Path, check::path
    }

    /// A bucket of an S3-compatible engine, for Strongroom alone; unset: the local store.
    ///
    /// The bucket has to exist. With a bucket the directory is not used. The key needs to list the bucket,
    /// and to read, write and delete in it.
    BACKUP_S3_BUCKET: String {
        Unset { means: "unset", example: "strongroom" }, Kind::Text, check::bucket
    }

    /// The address of the engine: `https://HOST[:PORT]`; `http://` only on loopback, or with BACKUP_S3_ALLOW_INSECURE.
    ///
    /// Required with a bucket.
    S3_ENDPOINT: String {
        Unset { means: "required with a bucket", example: "https://s3.example.org" }, Kind::Url, check::base_url
    }

    /// The name of the access key.
    ///
    /// Required with a bucket.
    S3_ACCESS_KEY: SecretString {
        Unset { means: "required with a bucket", example: "" }, Kind::Secret, check::access_key
    }

    /// The secret of the access key.
    ///
    /// Required with a bucket.
    S3_SECRET_KEY: SecretString {
        Unset { means: "required with a bucket", example: "" }, Kind::Secret, check::secret
    }

    /// The region that requests are signed for; it has to be the engine's.
    BACKUP_S3_REGION: String { Is("us-east-1"), Kind::Text, check::region }

    /// `true`: plain HTTP also to an engine on another machine, in a network that you trust.
    BACKUP_S3_ALLOW_INSECURE: bool { Is("false"), Kind::Flag, check::flag }

    /// `false` changes nothing but logs a warning: path-style is always used (the bucket is in the path, not in
    /// the host's name).
    BACKUP_S3_USE_PATH_STYLE: bool { Is("true"), Kind::Flag, check::flag }

    /// The address at which clients reach the engine, if it is not S3_ENDPOINT.
    BACKUP_S3_PRESIGN_ENDPOINT: String {
        Unset { means: "S3_ENDPOINT", example: "https://s3.example.net" }, Kind::Url, check::base_url
    }

    /// How long a `download_url` of the management API is valid, with either store; up to a week.
    // S3 engines accept no signature that is valid for longer.
    BACKUP_PRESIGN_TTL: Duration {
        Is("300"), Kind::Seconds, |text| check::seconds(text, 1..=604_800)
    }
}
