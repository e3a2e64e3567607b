//! The module as its callers meet it: loaded as a shared library, through the crate `cryptoki`.
//! PKCS#11 has one state for each process, so every test holds one lock and has its own directory.

mod attacks;
mod command;
mod crashes;
mod curves;
mod faults;
mod keys;
mod pins;
mod profiles;
mod raw;
mod room;
mod rsa;
mod shape;
mod store;
mod wrapping;
