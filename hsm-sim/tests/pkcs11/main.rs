//! The module as its callers meet it: loaded as a shared library, through the crate `cryptoki`.
//! PKCS#11 has one state for each process, so every test holds one lock and has its own directory.

mod command;
mod keys;
mod pins;
mod room;
mod store;
