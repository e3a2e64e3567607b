//! What can go wrong, by what the caller can do about it. No message holds a key, a PIN or a value.

use std::path::PathBuf;

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A ciphertext, tag or wrapped key does not open: altered, another key, or another context.
    /// One answer for all of them.
    #[error("it does not open: altered, under another key, or in another context")]
    Unopened,
    /// A key id is not in its one spelling.
    #[error(
        "a key id must be 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit"
    )]
    KeyId,
    /// A key made for one thing was used for another.
    #[error("the key was made for another usage")]
    Usage,
    /// The plaintext is longer than one message may be.
    #[error("the plaintext is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// No memory for a key.
    #[error("no memory could be had for a key: check the process's memory limits")]
    Memory,
    /// The system's random numbers failed.
    #[error("the system's random numbers failed")]
    Random,
    /// The HSM refused or failed.
    #[error(transparent)]
    Hsm(#[from] HsmError),
}

/// Why the HSM did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    /// The module can't be loaded.
    #[error("the PKCS#11 module `{module}` can't be loaded: check `hsm.module`")]
    Module {
        /// Its path.
        module: PathBuf,
    },
    /// No token has the label.
    #[error(
        "no initialised token is labelled `{label}` in `{module}`: check `hsm.token_label` and the module's own settings"
    )]
    NoToken {
        /// The label.
        label: String,
        /// The module's path.
        module: PathBuf,
    },
    /// A token has the label already.
    #[error("a token is labelled `{label}` already: choose another label")]
    TokenExists {
        /// The label.
        label: String,
    },
    /// No slot is free for a new token.
    #[error("no slot holds a token that is not initialised yet")]
    NoFreeSlot,
    /// The PIN is wrong. Tries are limited: don't repeat it.
    #[error("the HSM refused the PIN: check `hsm.pin_file` before the next try, tries are limited")]
    WrongPin,
    /// The PIN is locked.
    #[error("the HSM's PIN is locked: the security officer must set a new one")]
    PinLocked,
    /// The object is not there.
    #[error("the HSM has no key labelled `{label}`")]
    NoKey {
        /// The label.
        label: String,
    },
    /// Several objects have the label.
    #[error("the HSM has more than one key labelled `{label}`: labels must be unique")]
    AmbiguousKey {
        /// The label.
        label: String,
    },
    /// The object does not look as it must.
    #[error("the HSM's key `{label}` is not of the expected kind")]
    KeyKind {
        /// The label.
        label: String,
    },
    /// Something else; the name is PKCS#11's.
    #[error("the HSM answered {code} to {function}")]
    Refused {
        /// `CKR_…`, or the binding's word.
        code: String,
        /// The function that was called.
        function: &'static str,
    },
}
