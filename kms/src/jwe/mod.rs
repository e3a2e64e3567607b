//! JWE compact serialization (RFC 7516): to a recipient's public key, and its opening by who holds the
//! private half; and under a key that both sides have.
//!
//! To a public key, one suite: `ECDH-ES+A256KW` (RFC 7518 section 4.6) with `A256GCM` (section 5.3), to EC `P-256` or OKP
//! `X25519` (RFC 8037). Each message has an ephemeral key, a content key and an IV of its own: RFC 7518
//! section 4.6 asks for a new ephemeral key at each agreement, so none is shared. No function takes any.
//!
//! Under a shared key, `dir` or `A256KW`, by the key's kind, and `A256GCM`: see [`SharedKey`].
//!
//! | file | owns |
//! | --- | --- |
//! | `jwk` | [`RecipientKey`]: a public JWK, strictly read |
//! | `private` | [`RecipientSecret`]: its private half, from PKCS#8 or JWK |
//! | `agreement` | the curves, and the Concat KDF |
//! | `seal`, `open` | the messages to public keys |
//! | `shared` | the messages under shared keys |
//! | `compact` | what all messages have alike: five parts, content keys, `A256GCM` |
//! | `members` | JSON objects in which no member stands twice |
//!
//! Limits: a JWK has at most 4,096 bytes, a `kid` 256, a plaintext 1 MiB (64 MiB under a shared key), a
//! protected header 8,192 bytes.

mod agreement;
mod compact;
mod jwk;
mod members;
mod open;
mod private;
mod seal;
mod shared;
#[cfg(test)]
mod tests;

pub use jwk::RecipientKey;
pub use open::Opened;
pub use private::RecipientSecret;
pub use seal::Labels;
pub use shared::{OpenedShared, SharedKey, key_id, named_key};

/// `alg` of every message to a public key.
const ALGORITHM: &str = "ECDH-ES+A256KW";
/// `enc` of every message here.
const ENCRYPTION: &str = "A256GCM";
/// Longest JWK or PKCS#8 key that is read, in bytes.
const KEY_TEXT_BYTES_MAX: usize = 4_096;
/// Longest `kid`, in bytes.
const KID_BYTES_MAX: usize = 256;
/// Longest plaintext, in bytes.
const PLAINTEXT_BYTES_MAX: usize = 1024 * 1024;
/// Longest protected header, in bytes of JSON.
const HEADER_BYTES_MAX: usize = 8_192;
/// Bytes of a content key that is wrapped (RFC 3394: 8 more than the key).
const WRAPPED_BYTES: usize = 40;
/// Bytes of an IV of GCM (RFC 7518 section 5.3).
const IV_BYTES: usize = 12;

/// Why a recipient's key was refused, or can't be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// The text is no JSON object, too long, or names a member twice.
    #[error(
        "the key is no jwk: a json object of at most 4096 bytes, in which no member stands twice"
    )]
    Form,
    /// A private key stands where a public one is expected.
    #[error(
        "the key is a private key: give its public half, without `d`, and keep this one to its holder"
    )]
    Private,
    /// A public key stands where a private one is expected.
    #[error("the key is a public key: its private half is needed to open")]
    Public,
    /// Another type of key or curve.
    #[error("the key must be of `kty` EC with `crv` P-256, or of `kty` OKP with `crv` X25519")]
    Curve,
    /// A coordinate is not base64url of 32 bytes, or the point is not on its curve, or of small order.
    #[error(
        "the key's coordinates are no point of its curve: each is 32 bytes in base64url without padding"
    )]
    Point,
    /// `use`, `key_ops` or `alg` say that it is for something else.
    #[error(
        "the key is for something else: `use` must be enc, `alg` ECDH-ES+A256KW, `key_ops` deriveKey or deriveBits, where they stand"
    )]
    Usage,
    /// `kid` is no text, empty or too long.
    #[error("the key's `kid` must be a text of 1 to 256 bytes")]
    Kid,
    /// A private key's scalar is out of range, or its public half is another key's.
    #[error("the private key is out of range, or its public half is another key's")]
    Scalar,
    /// PKCS#8 that is not read.
    #[error(
        "the key is no pkcs#8 private key of p-256 or x25519: `openssl genpkey -algorithm x25519` makes one"
    )]
    Pkcs8,
}
