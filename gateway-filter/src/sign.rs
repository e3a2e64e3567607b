//! Owns signatures of messages: what is demanded of one that comes, and what is made for one that goes. It
//! holds no secret and no socket: codes and signatures of secret keys are made and checked by the vault,
//! `filter/sealed.rs` asks it. Yields what to ask, or the fault.
//!
//! | file | owns |
//! | --- | --- |
//! | `key`, `public_key`, `jwk` | keys by their names; partners' public halves |
//! | `signature` | HTTP Message Signatures (RFC 9421) with digests (RFC 9530) |
//! | `code`, `parameters` | the older "SignCode" headers: a code over a canonical text |
//! | `nonces` | which nonces were seen |
//! | `origin` | the request that an answer's signature may cover |
//! | `receipt` | the header that names ledger entries |
//! | `clock` | the time |

pub(crate) mod clock;
pub(crate) mod code;
mod encoding;
mod fault;
mod jwk;
mod key;
pub(crate) mod nonces;
pub(crate) mod origin;
pub(crate) mod parameters;
mod public_key;
pub(crate) mod receipt;
pub(crate) mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api::signature::{Message, SignatureFault, is_of_request};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::media::Media;
pub(crate) use encoding::Encoding;
pub use fault::{ParametersFault, SigningFault, Unbelieved};
pub(crate) use key::{Algorithm, Holder, Key};
pub use key::{KeyKind, KeyUse};
pub(crate) use origin::{Origin, Sent};
pub(crate) use public_key::PublicKey;
pub use public_key::PublicKeyFault;

/// What is checked and made in one direction of a route.
#[derive(Debug, Default)]
pub(crate) struct Signing {
    /// All of them must hold.
    pub(crate) verify: Vec<Verify>,
    /// Codes first: a signature covers what they add.
    pub(crate) make: Vec<Make>,
    /// Whether the ledger's entries are named in a header.
    pub(crate) receipt: bool,
}

/// One demand.
#[derive(Debug)]
pub(crate) enum Verify {
    /// RFC 9421.
    Http(signature::Demanded),
    /// A profile's code.
    Code(Arc<code::Code>, Arc<Key>),
}

/// One signature to make.
#[derive(Debug)]
pub(crate) enum Make {
    /// A profile's code.
    Code(Arc<code::Code>, Arc<Key>),
    /// RFC 9421.
    Http(signature::Made),
}

/// A message as a signature sees it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) start: Start<'a>,
    pub(crate) headers: &'a HeaderMap,
    /// `None` where no body follows the head.
    pub(crate) body: Option<&'a Bytes>,
    pub(crate) media: Media,
    /// Of an answer: the request, where something of it may be covered.
    pub(crate) of: Option<&'a Sent>,
}

/// Its first line.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    Request {
        method: &'a Method,
        authority: &'a str,
        target: &'a str,
    },
    Response(StatusCode),
}

impl Signing {
    /// Whether there is anything to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.verify.is_empty() && self.make.is_empty() && !self.receipt
    }

    /// Whether what is checked or made here, an answer's, may cover something of its request.
    pub(crate) fn covers_request(&self) -> bool {
        let checked = |verify: &Verify| matches!(verify, Verify::Http(_));
        let made = |make: &Make| match make {
            Make::Http(made) => made.covered.iter().any(|name| is_of_request(name)),
            Make::Code(..) => false,
        };
        self.verify.iter().any(checked) || self.make.iter().any(made)
    }

    /// For people, before and after what becomes of fields.
    pub(crate) fn describe(&self) -> (String, String) {
        let verify = self.verify.iter().map(Verify::describe);
        let make = self.make.iter().map(Make::describe);
        let receipt = self.receipt.then(|| "receipt".to_owned());
        let joined = |words: Vec<String>| words.join(", ");
        (
            joined(verify.collect()),
            joined(make.chain(receipt).collect()),
        )
    }
}

impl Verify {
    fn describe(&self) -> String {
        match self {
            Self::Http(demanded) => format!("verify rfc9421 ({})", demanded.describe()),
            Self::Code(code, _) => format!("verify {} ({})", code.name, code.freshness()),
        }
    }
}

impl Make {
    fn describe(&self) -> String {
        match self {
            Self::Http(made) => format!("sign rfc9421 ({})", made.key.name),
            Self::Code(code, key) => format!("sign {} ({})", code.name, key.name),
        }
    }
}

impl<'a> Seen<'a> {
    /// As RFC 9421 sees it, in a scheme and, if another is told, for another authority.
    fn message(&self, scheme: &'a str, told: Option<&str>) -> Result<Message<'a>, SignatureFault> {
        match self.start {
            Start::Request {
                method,
                authority,
                target,
            } => Message::request(
                method,
                scheme,
                told.unwrap_or(authority),
                target,
                self.headers,
            ),
            Start::Response(status) => {
                let answer = Message::response(status, self.headers);
                match self.of {
                    None => Ok(answer),
                    Some(sent) => Ok(answer.answering(sent.message(scheme, told)?)),
                }
            }
        }
    }

    /// The body's bytes; none where there is no body.
    fn bytes(&self) -> &'a [u8] {
        self.body.map_or(&[], |body| body.as_ref())
    }
}
