//! The token itself, in safe Rust without pointers: state, rules and cryptography.
//! [`module::Module`] is its door; `functions` turns C calls into calls of it.

mod algorithm;
pub(crate) mod attributes;
pub(crate) mod block;
mod counter;
pub(crate) mod crypto;
mod derivation;
mod elliptic;
pub(crate) mod family;
pub(crate) mod hash;
mod hex;
pub(crate) mod keys;
mod material;
pub(crate) mod mechanism;
pub(crate) mod message;
mod mishaps;
pub(crate) mod modular;
pub(crate) mod module;
mod object;
mod objects;
pub(crate) mod operation;
pub(crate) mod pin;
pub(crate) mod profile;
pub(crate) mod record;
mod rules;
pub(crate) mod session;
mod slot;
pub(crate) mod store;
mod template;
pub(crate) mod work;
mod wrapping;
