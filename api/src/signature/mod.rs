//! HTTP Message Signatures (RFC 9421) without keys: what is signed, byte for byte, and what a signature must say.
//!
//! Vault and gateway share it. It reads `Signature-Input` and `Signature`, builds the signature base of a request
//! or response, and says whether enough is covered, for how long. Whoever calls it holds the keys and the clock:
//!
//! ```
//! use api::signature::{Draft, Message, signatures};
//! use http::{HeaderMap, HeaderValue, Method};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("content-type", HeaderValue::from_static("application/json"));
//! let message = Message::request(&Method::POST, "https", "vault.example", "/v1/detokenize", &headers)?;
//! let draft = Draft::covering(&["@method", "@target-uri", "content-type"])
//!     .created(1_800_000_000)
//!     .expires(1_800_000_060)
//!     .nonce("one-of-a-kind")
//!     .keyid("tax-bureau-2026");
//! // The key is the caller's: this one only counts bytes.
//! let fields = draft.signed(&message, |base| vec![u8::try_from(base.len()).unwrap_or(0)])?;
//!
//! let mut received = headers.clone();
//! received.insert("signature-input", HeaderValue::from_str(&fields.input).unwrap());
//! received.insert("signature", HeaderValue::from_str(&fields.signature).unwrap());
//! let message = Message::request(&Method::POST, "https", "vault.example", "/v1/detokenize", &received)?;
//! let read = signatures(&received)?;
//! assert_eq!(usize::from(read[0].signature()[0]), read[0].base(&message)?.len());
//! # Ok::<(), api::signature::SignatureFault>(())
//! ```
//!
//! | file | owns |
//! | --- | --- |
//! | `input` | [`signatures`], [`Signed`]: the two fields, strictly |
//! | `component` | what can be covered (section 2.1, 2.2), and its one spelling |
//! | `message` | [`Message`]: where covered values come from |
//! | `demands` | [`Demands`]: coverage and times that a verifier asks for |
//! | `digest` | [`ContentDigest`] (RFC 9530) |
//! | `draft` | [`Draft`]: the signer's side |
//! | `structured` | structured fields (RFC 9651) in their canonical form |

mod component;
mod demands;
mod digest;
mod draft;
mod fault;
mod input;
mod message;
mod structured;
#[cfg(test)]
mod tests;

pub use component::{is_component, is_of_request};
pub use demands::{Body, Demands, Fresh};
pub use digest::ContentDigest;
pub use draft::{Draft, SignatureFields, UnsignedBase};
pub use fault::SignatureFault;
pub use input::{Parameters, Signed, is_signed, signatures};
pub use message::Message;
