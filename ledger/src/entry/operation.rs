//! The closed sets of an entry: what can be done, and how it can end.

use std::fmt;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$item])* $variant,)+ }

        impl $name {
            /// Every one, by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands for it in the ledger.
            pub const fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Its name, as shown and as parsed.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one with this number.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The one with this name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use coded;

coded! {
    /// What was done, or tried.
    Operation {
        /// The log was begun.
        Genesis = 0 "genesis",
        /// The node started.
        NodeStart = 1 "node-start",
        /// Values were replaced by tokens.
        Tokenize = 2 "tokenize",
        /// Tokens were presented for their values.
        Detokenize = 3 "detokenize",
        /// A key was made.
        KeyCreate = 4 "key-create",
        /// A key got a new version.
        KeyRotate = 5 "key-rotate",
        /// A key version was destroyed.
        KeyDestroy = 6 "key-destroy",
        /// The policy set was replaced.
        PolicySet = 7 "policy-set",
        /// A unit was registered or changed.
        UnitSet = 8 "unit-set",
        /// A caller could not prove who it is.
        AuthRefused = 9 "auth-refused",
        /// A caller may not speak now.
        AdmissionRefused = 10 "admission-refused",
        /// A request could not be understood.
        RequestRefused = 11 "request-refused",
        /// Tokens and their values were erased.
        Erase = 12 "erase",
    }
}

coded! {
    /// How it ended.
    Outcome {
        /// Done.
        Ok = 0 "ok",
        /// Refused by policy.
        Denied = 1 "denied",
        /// Failed.
        Error = 2 "error",
    }
}
