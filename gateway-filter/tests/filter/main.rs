//! The filter's behaviour from outside: the pipeline over a vault in memory, and both fronts over
//! real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows `#[test]` functions, not what they call"
)]

mod answer_heads;
mod answer_trailers;
mod binary;
mod bodies;
mod city;
mod embedded;
mod envoy;
mod examples;
mod ext_proc;
mod head;
mod jose;
mod layer;
mod memory;
mod operations;
mod pipeline;
mod proxy;
mod signing;
mod silence;
mod smuggled;
mod vault_client;
mod vault_failure;
