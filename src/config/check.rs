//! Parses and checks the values of settings. An error is one line about what is wrong. It does not repeat a value that may
//! contain a secret.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use secrecy::{ExposeSecret, SecretString};

use super::literal;
use crate::domain::rate_window::RateLimits;
use crate::domain::{duration, size};

/// The largest number of bytes that a setting accepts: the sum of a few of them still fits into Postgres' bigint.
pub const MAX_BYTES: u64 = 1 << 60;
/// The longest time span that a setting accepts: a year.
const MAX_SECONDS: u64 = 366 * 86_400;
/// The longest time for which events are kept: a century.
const MAX_KEEP_SECONDS: u64 = 36_525 * 86_400;
/// The shortest HS256 secret in bytes: the key has to be as long as the hash (RFC 7518, 3.2).
const HS256_MIN_LENGTH: usize = 32;

fn parsed<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not {expected}"))
}

pub fn text(text: &str) -> Result<String, String> {
    parsed(text, "text")
}

/// Accepts what env_logger understands, except a lone name that is no module of Strongroom's: it would switch off every
/// line of the others, the errors too, and is mostly a misspelt level.
pub fn log_filter(text: &str) -> Result<String, String> {
    let is_level = |text: &str| text.parse::<LevelFilter>().is_ok();
    let levels = "`error`, `warn`, `info`, `debug`, `trace` or `off`";
    let directives = text.split('/').next().unwrap_or_default().split(',').map(str::trim);
    for directive in directives.filter(|directive| !directive.is_empty()) {
        match directive.split_once('=') {
            Some((_, level)) if is_level(level.trim()) => {}
            Some((module, level)) => {
                return Err(format!("{level:?} is not a level: write {module}=LEVEL with {levels}"));
            }
            None if is_level(directive) || directive.split("::").next() == Some("strongroom") => {}
            None => {
                return Err(format!(
                    "{directive:?} is not a level: write {levels}, or MODULE=LEVEL for a single module"
                ));
            }
        }
    }
    Ok(text.to_owned())
}

pub fn flag(text: &str) -> Result<bool, String> {
    parsed(text, "true or false")
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    parsed(text, "an address like 127.0.0.1:8081")
}

pub fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let value: u64 = parsed(text, "a whole number")?;
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = range.into_inner();
    Err(format!("{value} is out of range: {least} to {most}"))
}

pub fn count(text: &str, range: RangeInclusive<u64>) -> Result<usize, String> {
    Ok(usize::try_from(number(text, range)?).unwrap_or(usize::MAX))
}

pub fn rate(text: &str) -> Result<usize, String> {
    count(text, 0..=RateLimits::MAX as u64)
}

/// Parses a size in bytes, or with a unit.
pub fn size(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let bytes = size::parse(text)?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    let (least, most) = range.into_inner();
    Err(format!("{text} is out of range: {} to {}", size::exact(least), size::exact(most)))
}

/// Parses a time span in seconds, or with units.
pub fn seconds(text: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    let span = duration::parse_or_seconds(text)?;
    if range.contains(&span.as_secs()) {
        return Ok(span);
    }
    let limit = |seconds| duration::exact(Duration::from_secs(seconds));
    let (least, most) = range.into_inner();
    Err(format!("{text} is out of range: {} to {}", limit(least), limit(most)))
}

pub fn time_span(text: &str) -> Result<Duration, String> {
    seconds(text, 1..=MAX_SECONDS)
}

/// Parses how long events are kept: at least two days, because the days of usage are added up from them.
pub fn events_keep(text: &str) -> Result<Duration, String> {
    seconds(text, 2 * 86_400..=MAX_KEEP_SECONDS)
}

pub fn undelete_window(text: &str) -> Result<Duration, String> {
    match seconds(text, 0..=MAX_SECONDS)? {
        Duration::ZERO => Ok(Duration::ZERO),
        _ => Err("only 0 is possible in this version".to_owned()),
    }
}

pub fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("it is empty: name a path, or unset it".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

/// Parses `https://HOST[:PORT]`, or the same with `http://`. A slash at the end is removed.
pub fn base_url(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let host = host.trim_end_matches('/');
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#@\"'<>".contains(c);
    if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains(odd) {
        return Err("it has to be https://HOST or https://HOST:PORT, and nothing more".to_owned());
    }
    Ok(format!("{scheme}://{host}"))
}

/// Parses the URL of a key set: https, or http to this machine. Somebody who can change the keys in transfer can make any token.
pub fn key_set_url(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@#".contains(c);
    if !matches!(scheme, "http" | "https") || host.is_empty() || text.contains(odd) {
        return Err("it has to be a URL like https://HOST/PATH, without a user in it".to_owned());
    }
    if scheme == "http" && !is_loopback(host) {
        return Err("it has to be https (http only to this machine)".to_owned());
    }
    Ok(text.to_owned())
}

/// Whether a host, with or without a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub fn bucket(text: &str) -> Result<String, String> {
    if text.starts_with('.') || !is_plain_name(text) {
        return Err(format!("{text:?} is not a bucket's name: letters, digits, '-', '.' and '_'"));
    }
    Ok(text.to_owned())
}

pub fn region(text: &str) -> Result<String, String> {
    if !is_plain_name(text) {
        return Err("it is not a region's name: letters, digits, '-', '.' and '_'".to_owned());
    }
    Ok(text.to_owned())
}

fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// Returns a secret without the white space around it. It must not contain a line break or another control character: secrets
/// are sent in headers and on lines, and an error about such a character there would repeat the secret.
pub fn secret(text: &str) -> Result<SecretString, String> {
    // Some editors put an invisible mark in front of UTF-8.
    let secret = text.trim_start_matches('\u{feff}').trim();
    if secret.is_empty() {
        return Err("it is empty".to_owned());
    }
    if secret.contains(char::is_control) {
        return Err(
            "it has a line break or another control character in it: it has to be one line".to_owned()
        );
    }
    literal::problem_of_text(secret).map_or(Ok(secret.into()), |problem| Err(problem.to_owned()))
}

/// Parses the name of an access key. It is sent in a header of each request.
pub fn access_key(text: &str) -> Result<SecretString, String> {
    let key = secret(text)?;
    if !key.expose_secret().chars().all(|c| c.is_ascii_graphic()) {
        return Err("it has a character that no access key has".to_owned());
    }
    Ok(key)
}

pub fn hs256_secret(text: &str) -> Result<SecretString, String> {
    let secret = secret(text)?;
    if secret.expose_secret().len() < HS256_MIN_LENGTH {
        return Err(format!("it has to be at least {HS256_MIN_LENGTH} characters long"));
    }
    Ok(secret)
}
