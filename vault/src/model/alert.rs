//! What people are told of at once: kinds of alerts, and where they go.

use std::collections::BTreeSet;

use super::key::KeyRef;
use super::name::HookName;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What an alert is about.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum AlertKind { $($(#[$doc])* $variant,)+ }

        impl AlertKind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word for it, in settings and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

kinds! {
    /// A honeytoken was presented.
    Honeytoken = "honeytoken",
    /// A unit asked for more distinct values than its budget.
    Budget = "budget",
    /// A unit was locked out.
    UnitLocked = "unit-locked",
    /// A class's token format is used up beyond its share.
    SpaceWarn = "space-warn",
    /// A grant for many values became active.
    GrantApproved = "grant-approved",
}

impl AlertKind {
    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// Its type in a webhook's body: words of letters, digits and `_` between full stops.
    pub fn event_type(self) -> String {
        format!("jinku.alert.{}", self.as_str().replace('-', "_"))
    }
}

/// What presenting a honeytoken brings about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alarm {
    /// People are told.
    Tell,
    /// People are told, and the unit is locked out.
    Lock,
}

/// As it is written: whether it locks.
impl From<bool> for Alarm {
    fn from(locks: bool) -> Self {
        if locks { Self::Lock } else { Self::Tell }
    }
}

/// A place that alerts go to, as far as the vault's inside knows it.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name.
    pub name: HookName,
    /// What it is told of.
    pub kinds: BTreeSet<AlertKind>,
    /// The key service's key that signs what it is sent: `hmac-sha-256`.
    pub key: KeyRef,
}
