//! A PKCS#11 token in software: a hardware security module's behaviour for development and tests.
//!
//! Programs load `libhsm_sim.so` and speak PKCS#11 2.40 or 3.0 to it, as they would to an HSM's
//! module. It is **not** an HSM: keys are in the memory of the program that loads it, and whoever
//! has the token's files may guess its PIN without the module.
//!
//! ```no_run
//! # fn main() -> hsm_sim::Result<()> {
//! let directory = hsm_sim::token_directory().ok_or(hsm_sim::Error::General)?;
//! let slot = hsm_sim::install(&directory, "jinku", b"so-pin-1234", b"user-pin-1234")?;
//! assert!(hsm_sim::survey(&directory)?.iter().any(|report| report.slot == slot));
//! # Ok(())
//! # }
//! ```
//!
//! # Mechanisms
//! AES (GCM, CBC, CMAC, key wrapping), RSA of 2048 to 4096 bits (OAEP, PSS, PKCS #1 signatures), ECDSA
//! and ECDH on P-256 and P-384, pure Ed25519, HMAC and digests of SHA-2 and SHA-3, HKDF and SP 800-108.
//! The vendor profile says which of them are listed, and who makes the IV of AES-GCM.
//!
//! # The token file
//! Tokens live in `JINKU_HSM_DIR` (see [`token_directory`]), one file `slot-NNNN.token` for each
//! slot, replaced atomically under the file `lock`. Six lines: magic; header (serial, label, and
//! the master key in one envelope for each PIN: Argon2id, 19 MiB, 2 passes, then AES-256-GCM);
//! public objects; private objects (AES-256-GCM under the master key, lines 1 to 3 as AAD); PIN
//! tries left; SHA-256 of all before. A try is stored as spent before the PIN is looked at.
//!
//! The file `slot-NNNN.counter`, beside it or in `JINKU_HSM_COUNTER_DIR`, has the tries once more under
//! a number that only grows: an older token file brings none back. Two lines: serial, tries and
//! number; HMAC-SHA-256 of them under a key that lies in the token's header, for all to read.
//!
//! # Stricter than PKCS#11 asks
//! A stored secret must be `CKA_PRIVATE`; token objects are written only after a login; keys are
//! sensitive, not extractable and of no use unless the template says so; usage flags only go down;
//! no key both wraps and decrypts, or unwraps and encrypts; what wraps was made here and stays here,
//! or is trusted by the SO; what is unwrapped is hidden and stays. `JINKU_HSM_PROFILE` chooses another
//! module's habits, and with them its leniency.
//!
//! # Threads
//! One lock guards all state. What an operation computes, the drawing of key pairs and the look at
//! a PIN work outside it; wrapping, unwrapping and derivation hold it.
//!
//! # Modules
//! - `functions`: the exported C functions, the only place with pointers and `unsafe`.
//! - `token`: state, rules, storage and cryptography, in safe Rust.
//! - `faults`: what goes wrong on order; `functions/wall.rs` lets it strike.
//! - `provision`: the two calls above, for the program `jinku-hsm`.
//! - `broker`: the token, or a vendor's module, in processes of its own (`jinku-hsm serve`).
//! - `error`: the return values.

pub mod broker;
mod error;
mod faults;
mod functions;
mod provision;
mod token;

pub use error::{Error, Result};
pub use faults::{CrashPoint, Failures, Faults, Happened, Latency};
pub use hsm_wire::{socket_path, token_directory};
pub use provision::{PinState, Role, SlotReport, install, lock_pin, survey, tamper};
