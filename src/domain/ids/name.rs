//! The names that operators choose: [`OrgId`] and [`SystemKey`].
//!
//! Both become folders in the store, so their alphabet has no separator, no dot and no character that would need escaping.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// The longest name in bytes. All characters are ASCII.
const MAX_LEN: usize = 64;

/// The name is empty or too long, or has a character outside the alphabet. The error's text is the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to 64 characters from A-Z, a-z, 0-9, '_' and '-'")]
pub struct InvalidName;

fn check(text: &str) -> Result<(), InvalidName> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) { Ok(()) } else { Err(InvalidName) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses a name: `[A-Za-z0-9_-]{1,64}`. Letter case is kept.
            ///
            /// # Errors
            /// [`InvalidName`] for any other text.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                check(text).map(|()| Self(text.to_owned()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The id of an organization (a tenant), which is also the name of its folder in the store.
    OrgId
}

name! {
    /// The user name of a system (an appliance), which is also the name of its folder in the store.
    SystemKey
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_to_64_characters_of_a_small_alphabet() {
        let longest = "a".repeat(64);
        for good in ["a", "Z", "0", "_", "-", "acme", "fw-01_B", &longest] {
            assert_eq!(OrgId::parse(good).unwrap().as_str(), good);
            assert_eq!(SystemKey::parse(good).unwrap().to_string(), good);
        }
        let too_long = "a".repeat(65);
        for bad in
            ["", ".", "..", "a.b", "a/b", "a\\b", "a b", "a\0", "a\n", "é", "а", "a%2f", "~", &too_long]
        {
            assert_eq!(OrgId::parse(bad), Err(InvalidName), "{bad:?}");
            assert_eq!(SystemKey::parse(bad), Err(InvalidName), "{bad:?}");
        }
    }

    #[test]
    fn the_message_says_the_rule_and_json_is_a_plain_string() {
        assert!(InvalidName.to_string().contains("1 to 64"));
        let json = serde_json::to_string(&OrgId::parse("acme").unwrap()).unwrap();
        assert_eq!(json, "\"acme\"");
    }

    proptest! {
        #[test]
        fn whatever_parses_is_a_safe_folder_name(text in "\\PC{0,70}|[A-Za-z0-9_-]{0,70}") {
            if let Ok(name) = SystemKey::parse(&text) {
                prop_assert!(!name.as_str().is_empty() && name.as_str().len() <= 64);
                prop_assert!(!name.as_str().contains(['.', '/', '\\', '\0']));
            }
        }
    }
}
