//! The secrets of systems: random or given, shown once. Only their hashes are kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::exit::Failure;

/// A given secret shorter than this could be guessed.
const LEAST_CHARACTERS: usize = 32;
/// Longer ones do not fit into the header that they are sent in.
const MOST_BYTES: u64 = 4096;

/// Where a secret comes from that is not to be a random one.
#[derive(clap::Args)]
pub struct Given {
    /// File with a secret of at least 32 characters, `-` for standard input [default: 256 random bits]
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// The secret itself: whoever lists the processes of this machine sees it; use --secret-file
    #[arg(long, allow_hyphen_values = true)]
    secret: Option<SecretString>,
}

impl Given {
    /// The given secret, or a new random one of 256 bits.
    pub fn or_new(self) -> Result<SecretString, Failure> {
        match (self.secret_file, self.secret) {
            (Some(file), _) => checked("--secret-file", read(&file)?),
            (None, Some(secret)) => {
                eprintln!(
                    "strongroom: --secret shows the secret to everybody who lists this machine's processes: use --secret-file"
                );
                checked("--secret", secret)
            }
            (None, None) => Ok(URL_SAFE_NO_PAD.encode(random_bytes(32)?).into()),
        }
    }
}

/// What is in the file, without the line break at its end.
fn read(file: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_string(&mut text)
    } else {
        // Its name is not repeated: it may be the secret.
        File::open(file).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::Usage(format!("--secret-file: it can't be read: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

/// The secret, if it is one that can be sent and not be guessed. What is wrong with it is said without it.
fn checked(option: &str, secret: SecretString) -> Result<SecretString, Failure> {
    let text = secret.expose_secret();
    let problem = if text.chars().count() < LEAST_CHARACTERS {
        format!("it has to be at least {LEAST_CHARACTERS} characters long")
    } else if text.len() as u64 > MOST_BYTES {
        format!("it is longer than {MOST_BYTES} bytes")
    } else if text.contains(char::is_control) {
        // RFC 7617, 2.
        "it has a line break or another control character in it, which can't be sent".to_owned()
    } else {
        return Ok(secret);
    };
    Err(Failure::Usage(format!("{option}: {problem}")))
}

pub fn random_bytes(count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0u8; count];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::Refused(format!("the system gives no random bytes: {e}")))?;
    Ok(bytes)
}

pub fn sha256(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}
