//! The contract between gateways, units and the vault.
//!
//! [`v1`] holds the messages and the service stubs that `proto/jinku/v1/*.proto` describe;
//! [`Client`] (values and tokens), [`TokensClient`] (tokens that stand), [`KeysClient`] (the key service) and
//! [`GuardClient`] (locks, honeytokens, grants), [`UnitsClient`] (registered units), and [`PolicyClient`] (policy sets under
//! the rule of two) are small clients over mutual TLS. None knows anything of the vault's inside.
//!
//! | module | holds |
//! | --- | --- |
//! | [`v1`] | generated messages, client and server stubs |
//! | `calls` | how a client is made of its contract |
//! | `channel` | [`ClientSettings`], [`ClientError`], [`UnitProof`] |
//! | `client` | [`Client`] |
//! | `guard` | [`GuardClient`] |
//! | `keys` | [`KeysClient`] |
//! | `opening` | [`Opening`]: how long whoever connects, to a vault or to a filter, may say nothing |
//! | `policy` | [`PolicyClient`] |
//! | `ready` | [`ReadyClient`] |
//! | [`signature`] | HTTP Message Signatures (RFC 9421) without keys |
//! | `tokens` | [`TokensClient`] |
//! | `units` | [`UnitsClient`] |

mod calls;
mod channel;
mod client;
mod guard;
mod keys;
mod opening;
mod policy;
mod ready;
pub mod signature;
mod tokens;
mod units;

pub use channel::{ClientError, ClientSettings, UnitProof};
pub use client::Client;
pub use guard::GuardClient;
pub use keys::KeysClient;
pub use opening::{Heard, Opening};
pub use policy::PolicyClient;
pub use ready::ReadyClient;
pub use tokens::TokensClient;
pub use units::UnitsClient;

/// Generated from `proto/jinku/v1/*.proto`.
pub mod v1 {
    #![expect(
        missing_docs,
        unused_qualifications,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code; the .proto is its documentation"
    )]
    tonic::include_proto!("jinku.v1");
}
