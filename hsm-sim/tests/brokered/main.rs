//! The same contracts through the client and a server: what holds in a program's own memory holds
//! across processes. Beside them, what only processes can go through.

#[path = "../pkcs11/attacks.rs"]
mod attacks;
#[path = "../pkcs11/command.rs"]
mod command;
#[path = "../pkcs11/curves.rs"]
mod curves;
#[path = "../pkcs11/faults.rs"]
mod faults;
#[path = "../pkcs11/keys.rs"]
mod keys;
#[path = "../pkcs11/pins.rs"]
mod pins;
mod processes;
#[path = "../pkcs11/profiles.rs"]
mod profiles;
mod rates;
#[path = "../pkcs11/raw.rs"]
mod raw;
#[path = "../pkcs11/room.rs"]
mod room;
#[path = "../pkcs11/rsa.rs"]
mod rsa;
mod shape;
mod softhsm;
#[path = "../pkcs11/store.rs"]
mod store;
#[path = "../pkcs11/wrapping.rs"]
mod wrapping;
