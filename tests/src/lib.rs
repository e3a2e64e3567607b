//! A whole house for tests: the real binaries on loopback, in a directory of their own.
//!
//! [`House::install`] makes a development installation with `jinku init`; [`House::serve`] runs the
//! vault, [`House::kill`] ends it as a power cut would. Clients are the `api` crate over mutual TLS,
//! and `curl` for REST.

mod house;
mod programs;

pub use house::{House, Reply, detokenize, refusal, tokenize, values};
pub use programs::{Program, binary, envoy, free_port, hsm_module, sample, workspace};
