//! The secrets of systems. A secret is generated or passed by the operator, and shown once. Only its hash is stored.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::account::as_caller;
use super::exit::Failure;
use super::say::say;
use crate::auth::basic::new_secret;

/// The shortest accepted secret: a shorter one could be guessed.
const MIN_CHARACTERS: usize = 32;
/// The longest accepted secret: a longer one does not fit into the header in which it is sent.
const MAX_BYTES: u64 = 4096;

/// The options that pass a secret. Without them a secret is generated.
#[derive(clap::Args)]
pub struct SecretSource {
    /// File that holds the secret (at least 32 characters), or `-` for standard input [default: 256 random bits]
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// Secret itself, which everybody who lists the processes of this machine can see: use --secret-file instead
    #[arg(long, allow_hyphen_values = true)]
    secret: Option<SecretString>,
}

impl SecretSource {
    /// Reads the secret that was passed, or generates one of 256 random bits.
    pub fn read_or_generate(self) -> Result<SecretString, Failure> {
        match (self.secret_file, self.secret) {
            (Some(file), _) => checked("--secret-file", read(&file)?),
            (None, Some(secret)) => {
                say(
                    "--secret shows the secret to everybody who lists this machine's processes: use --secret-file",
                );
                checked("--secret", secret)
            }
            (None, None) => new_secret().map_err(|error| Failure::Refused(error.to_string())),
        }
    }
}

/// Returns the content of the file, without the line break at its end.
fn read(file: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text)
    } else {
        // The error does not contain the name: it may be the secret, passed by mistake.
        as_caller(|| File::open(file)).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::Usage(format!("--secret-file: it can't be read: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

/// Refuses a secret that can't be sent or could be guessed. The error does not contain the secret.
fn checked(option: &str, secret: SecretString) -> Result<SecretString, Failure> {
    let text = secret.expose_secret();
    let problem = if text.chars().count() < MIN_CHARACTERS {
        format!("it has to be at least {MIN_CHARACTERS} characters long")
    } else if text.len() as u64 > MAX_BYTES {
        format!("it is longer than {MAX_BYTES} bytes")
    } else if text.contains(char::is_control) {
        // RFC 7617, 2.
        "it has a line break or another control character in it, which can't be sent".to_owned()
    } else {
        return Ok(secret);
    };
    Err(Failure::Usage(format!("{option}: {problem}")))
}
