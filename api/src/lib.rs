//! The contract between gateways, units and the vault.
//!
//! [`v1`] holds the messages and the service stubs that `proto/jinku/v1/vault.proto` describes;
//! [`Client`] is a small client over mutual TLS. Neither knows anything of the vault's inside.
//!
//! | module | holds |
//! | --- | --- |
//! | [`v1`] | generated messages, client and server stubs |
//! | `client` | [`Client`], [`ClientSettings`], [`ClientError`], [`UnitProof`] |

mod client;

pub use client::{Client, ClientError, ClientSettings, UnitProof};

/// Generated from `proto/jinku/v1/vault.proto`.
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
