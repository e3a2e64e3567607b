//! A whole house for tests: the real binaries on loopback, in a directory of their own.
//!
//! [`House::install`] makes a development installation with `jinku init`; [`House::serve`] runs the
//! vault, [`House::kill`] ends it as a power cut would. Clients are the `api` crate over mutual TLS,
//! and `curl` for REST. [`Upstream`] records what a gateway lets through.

mod authority;
mod curl;
mod forge;
mod gateway;
mod house;
mod leaks;
mod ledger;
mod lock;
mod officer;
mod programs;
mod python;
mod receiver;
mod signer;
mod upstream;
mod witness;
mod wrapping;

pub use authority::{Authority, DnName, Holder};
pub use curl::{Reply, post_to};
pub use forge::{TokenParts, now};
pub use gateway::{Form, plugged};
pub use house::{House, detokenize, refusal, tokenize, values};
pub use leaks::{byte_leaks, leaks};
pub use ledger::has_entry;
pub use lock::WriteLock;
pub use officer::Said;
pub use programs::{
    Program, binary, envoy, free_port, hsm_client, hsm_module, hsm_server, sample, workspace,
};
pub use python::{python, run_python};
pub use receiver::Receiver;
pub use signer::{Signer, Unsigned};
pub use upstream::{Seen, Upstream};
pub use witness::Witness;
pub use wrapping::wrapped;
