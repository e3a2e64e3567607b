//! The key service: keys with versions, wrapped by an HSM's root key and opened only in memory.
//!
//! An [`Hsm`] is reached by PKCS#11, whatever module the settings name. Its [`RootKey`] never leaves
//! it; an [`Envelope`] asks it to wrap and unwrap [`WrappedKey`]s. What is opened is an [`AeadKey`] or
//! a [`MacKey`], one purpose each, by type. No function takes a nonce.
//!
//! ```
//! let context = kms::Binding::new("invoice").field(b"city").number(7);
//! let other = kms::Binding::new("invoice").field(b"cit").field(b"y").number(7);
//! assert_ne!(context.as_bytes(), other.as_bytes());
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | `hsm` | the HSM through PKCS#11: sessions, root key, signing key |
//! | `envelope` | key versions, wrapped under the root key |
//! | `key` | ids, usages, wrapped versions |
//! | `aead` | sealing with XAES-256-GCM and key commitment |
//! | `mac` | HMAC-SHA-256 |
//! | `binding` | the one injective encoding of contexts |
//! | `derive` | every derivation, on one screen |
//! | `xaes`, `primitives` | XAES-256-GCM; `ring`, behind one small door |
//! | `locked`, `secret` | memory that is locked, not dumped, and wiped |

mod aead;
mod binding;
mod derive;
mod envelope;
mod error;
mod hsm;
mod key;
mod locked;
mod mac;
mod primitives;
mod secret;
mod xaes;

pub use aead::{AeadKey, AeadKeyring, sealed_key_version};
pub use binding::Binding;
pub use envelope::Envelope;
pub use error::{Error, HsmError};
pub use hsm::{Hsm, HsmSettings, RootKey, Signer};
pub use key::{KeyId, Usage, WrappedKey};
pub use locked::LockState;
pub use mac::MacKey;
pub use secret::{Pin, SecretBytes};

/// Whether two byte strings are equal, in time that depends on their lengths only (invariant 12).
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}
