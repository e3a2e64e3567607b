//! The key service: keys with versions, wrapped by an HSM's root key and opened only in memory.
//!
//! An [`Hsm`] is reached by PKCS#11, whatever module the settings name. Its [`RootKey`] never leaves
//! it; an [`Envelope`] asks it to wrap and unwrap [`WrappedKey`]s. What is opened does one thing, by type:
//! the vault's own keys are an [`AeadKey`] or a [`MacKey`]; a key of the service is an [`OpenKey`], which is
//! a [`Cipher`], an [`HmacKey`], a [`SigningKey`] or a [`jwe::SharedKey`]. A [`KeyCache`] keeps opened keys. No function takes a nonce.
//!
//! ```
//! let context = kms::Binding::new("invoice").field(b"city").number(7);
//! let other = kms::Binding::new("invoice").field(b"cit").field(b"y").number(7);
//! assert_ne!(context.as_bytes(), other.as_bytes());
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | `hsm` | the HSM through PKCS#11: sessions and their recovery, root key, signing key, import key |
//! | `envelope` | key versions, wrapped under the root key; proofs under it |
//! | `key`, `material` | ids, kinds, usages, wrapped versions; what may be a key |
//! | `opened` | an opened version of the service: one thing by type |
//! | `aead`, `cipher` | the vault's own messages; the service's messages |
//! | `bearer` | what only the bearer of a secret opens |
//! | `sealing`, `commitment` | XAES-256-GCM with a key commitment, for both |
//! | `sealer`, `subkeys` | many messages in one go; keys of messages, kept for the next ones |
//! | `shred` | keys of single values, outside of the database: what they sealed goes with them |
//! | `mac` | HMAC |
//! | `second` | ML-DSA-44, for the log's second signature |
//! | `signing`, `public` | Ed25519, ECDSA P-256; public keys as DER, PEM, JWK |
//! | `jwe` | messages to a recipient's public key, which only its holder opens; messages for who has the same key |
//! | `cache` | opened keys, kept for a while |
//! | `shares`, `recovery` | a secret split among people, and the file that it opens |
//! | `binding` | the one injective encoding of contexts |
//! | `derive` | every derivation, on one screen |
//! | `xaes`, `primitives` | XAES-256-GCM; `ring`, behind one small door |
//! | `locked`, `secret`, `scrub` | memory that is locked, not dumped, and wiped; the stack too |
//! | `equal` | comparing in constant time |

mod aead;
mod bearer;
mod binding;
mod cache;
mod cipher;
mod commitment;
mod derive;
mod envelope;
mod equal;
mod error;
mod hex;
mod hsm;
pub mod jwe;
mod key;
mod locked;
mod mac;
mod material;
mod opened;
mod primitives;
mod public;
#[cfg(test)]
mod published;
mod recovery;
mod scrub;
mod sealer;
mod sealing;
mod second;
mod secret;
pub mod shares;
mod shred;
mod signing;
mod subkeys;
mod xaes;

pub use aead::{AeadKey, AeadKeyring, sealed_key_version};
pub use bearer::BearerKey;
pub use binding::Binding;
pub use cache::{CacheError, CacheHealth, CacheLimits, KeyCache};
pub use cipher::{Cipher, NamedKey, ciphertext_key};
pub use envelope::Envelope;
pub use equal::constant_time_eq;
pub use error::{Error, HsmError, is_outage};
pub use hsm::{GcmIv, Hsm, HsmSettings, ImportKey, RootKey, Signer, unwrap_import};
pub use key::{KeyId, KeyKind, Usage, WrappedKey};
pub use locked::LockState;
pub use mac::{HmacKey, MacKey};
pub use opened::OpenKey;
pub use public::PublicKey;
pub use recovery::RecoveryFile;
pub use sealer::Sealer;
pub use second::SecondSigner;
pub use secret::{Pin, SecretBytes, random_bytes};
pub use shred::ShredKey;
pub use signing::{SigningKey, signature_from_der, signature_to_der};
