//! A PKCS#11 module that passes every call on to the process that holds the token.
//!
//! Programs load `libhsm_client.so` as they would a vendor's module. It finds the server
//! (`jinku-hsm serve`) by `JINKU_HSM_SOCKET`, else as `hsm.sock` in the tokens' directory, and
//! holds no key: a crash of the token is an error of one call here.
//!
//! # When the server goes
//! The call that was on its way answers `CKR_DEVICE_REMOVED`, and so does every call until the
//! server is back; `C_Initialize` is not needed again. Sessions are gone then: a handle of an
//! earlier life answers `CKR_SESSION_HANDLE_INVALID`, or `CKR_OBJECT_HANDLE_INVALID`, and never
//! means something new, because each handle carries the number of its life.
//!
//! # Threads
//! Each thread that calls has a connection of its own while it waits, so a slow call holds up
//! nobody. A child of `fork` must call `C_Initialize` itself, as PKCS#11 says.
//!
//! # What does not travel
//! Callbacks (`C_OpenSession`'s notification), parameters of mechanisms that PKCS#11 3.0 does not
//! describe (`CKR_MECHANISM_PARAM_INVALID`), and calls of more than 64 MiB.
//!
//! # Modules
//! - `exports`: the C functions and their tables. `call`: one call, there and back.
//! - `memory`: the caller's memory, read and written by layouts.
//! - `handles`: handles with the number of their life. `link`: the server and its connections.

mod call;
mod exports;
mod handles;
mod link;
mod memory;
