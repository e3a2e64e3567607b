//! Names: one spelling, compared as stored. Anything else is refused where it is parsed.

use std::fmt;
use std::sync::Arc;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Why a name was refused. It does not repeat what was given: that may be a value in the wrong field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} must be 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit")]
pub struct InvalidName {
    what: &'static str,
}

impl InvalidName {
    /// The kind of word that was refused, for example `domain`.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

fn parse(what: &'static str, text: &str) -> Result<Arc<str>, InvalidName> {
    let first = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    if first && rest && text.len() <= NAME_BYTES_MAX {
        Ok(text.into())
    } else {
        Err(InvalidName { what })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name in its one spelling.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                parse($what, text).map(Self)
            }

            /// The name as it is stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = String::deserialize(input)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// An organisation's system that acts.
    UnitName,
    "unit"
);
name_type!(
    /// A machine that carries other units' requests.
    GatewayName,
    "gateway"
);
name_type!(
    /// A token namespace.
    DomainName,
    "domain"
);
name_type!(
    /// What a field is, for example `national-id`.
    ClassName,
    "class"
);
name_type!(
    /// A need-to-know label beside the level, for example `tax`.
    Compartment,
    "compartment"
);
name_type!(
    /// Another name of a key, which may be moved to another key.
    KeyAlias,
    "key alias"
);
name_type!(
    /// A budget, in logs and alerts.
    BudgetName,
    "budget"
);
name_type!(
    /// A place that alerts go to.
    HookName,
    "hook"
);
name_type!(
    /// One of a gateway's routes, by the gateway's own word.
    RouteName,
    "route"
);
name_type!(
    /// Why a value is asked for. Policies decide on it and the ledger keeps it.
    Purpose,
    "purpose"
);
name_type!(
    /// For which matter a legal hold is placed, for example a court's file number.
    Matter,
    "matter"
);

/// Names one request in answers, logs and the ledger: 128 random bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for good in ["a", "0", "tax-bureau", "a.b_c-9"] {
            assert!(DomainName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "", "A", "-a", ".a", "a b", "a/b", "稅", "a\u{0}", " a", "a ",
        ] {
            assert!(DomainName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(DomainName::parse(&"a".repeat(64)).is_ok());
        assert!(DomainName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn a_refusal_does_not_repeat_what_was_given() {
        let error = ClassName::parse("A123456789").unwrap_err();
        assert!(!error.to_string().contains("A123456789"));
    }
}
