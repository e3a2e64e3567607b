//! The tokenization vault: values in, random tokens out, and back only for those who may.
//!
//! A request walks the rooms once, each step taking the proof that the one before made:
//!
//! ```text
//! limits -> identity (Caller) -> admission (Admitted) -> decode -> policy (Authorized<A>)
//!        -> engine (store, token, seal) -> commit (Withheld in, Sequenced out) -> encode
//! ```
//!
//! A room may import only rooms to its left; `tests/tests/house.rs` says so.
//!
//! | room | owns |
//! | --- | --- |
//! | [`model`] | names, classes, levels, purposes, views, secrets, time |
//! | [`identity`] | who speaks |
//! | [`admission`] | may it speak now |
//! | [`policy`] | what it may do and see: Cedar, nowhere else |
//! | [`store`] | tables and queries |
//! | [`commit`] | the one writer: change and ledger entry, durable together |
//! | [`token`] | formats, drawing, check digits, masks |
//! | [`seal`] | one value's encryption, bound to its row |
//! | [`engine`] | the use cases |
//! | [`server`] | the wire: one corridor for all requests |
//! | [`cli`] | the command line |

pub mod admission;
pub mod cli;
pub mod commit;
pub mod config;
pub mod engine;
pub mod identity;
pub mod model;
pub mod policy;
pub mod seal;
pub mod server;
pub mod store;
pub mod token;
