//! The token itself, in safe Rust without pointers: state, rules and cryptography.
//! [`module::Module`] is its door; `functions` turns C calls into calls of it.

pub(crate) mod attributes;
pub(crate) mod crypto;
mod hex;
mod keys;
pub(crate) mod mechanism;
pub(crate) mod module;
mod object;
mod objects;
pub(crate) mod operation;
pub(crate) mod pin;
pub(crate) mod record;
pub(crate) mod session;
mod slot;
mod store;
mod template;
pub(crate) mod work;
