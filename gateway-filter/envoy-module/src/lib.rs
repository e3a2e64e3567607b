//! The gateway filter within Envoy: a dynamic module (`envoy.filters.http.dynamic_modules`), without an
//! SDK, for the ABI `v0.2.0` of Envoy 1.40. The core is `gateway_filter`; it holds no keys and calls the
//! vault over a pooled channel, beside Envoy's own threads.
//!
//! # One message
//! Envoy's worker thread shows the head; a body that a route reads stays in Envoy's buffer until it is
//! whole. Then a task of the module's own threads asks the vault, and when it is done the worker is told
//! (`scheduler`): it puts the new body in place and lets the message go on, or answers it. What fails,
//! panics or is dropped on the way ends in an answer of the module's, never in the first body.
//!
//! # Another Envoy
//! Envoy only warns where a module was made for another ABI. This one asks which Envoy it is in, and
//! refuses to load where it is not the series it knows.
//!
//! | module | owns |
//! | --- | --- |
//! | `abi` | Envoy's C functions: the only `unsafe` |
//! | `house` | what all messages share: settings, vault, threads |
//! | `message` | one message's states |
//! | `series` | which Envoy this is |

mod abi;
mod house;
mod message;
mod series;
