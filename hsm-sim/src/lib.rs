//! A PKCS#11 token in software: a hardware security module's behaviour for development and tests.
//!
//! Programs load `libhsm_sim.so` and speak PKCS#11 2.40 or 3.0 to it, as they would to an HSM's
//! module. It is **not** an HSM: keys are in the memory of the program that loads it, and whoever
//! can restore an old token file restores its PIN tries.
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
//! AES-GCM (keys of 128, 192, 256 bits; 96-bit IV of the caller; 128-bit tag), HMAC and digests of
//! SHA-256/384/512, pure Ed25519, and the generation of their keys.
//!
//! # The token file
//! Tokens live in `JINKU_HSM_DIR` (see [`token_directory`]), one file `slot-NNNN.token` for each
//! slot, replaced atomically under the file `lock`. Six lines: magic; header (serial, label, and
//! the master key in one envelope for each PIN: Argon2id, 19 MiB, 2 passes, then AES-256-GCM);
//! public objects; private objects (AES-256-GCM under the master key, lines 1 to 3 as AAD); PIN
//! tries left; SHA-256 of all before. A try is stored as spent before the PIN is looked at.
//!
//! # Stricter than PKCS#11 asks
//! A stored secret must be `CKA_PRIVATE`; token objects are written only after a login; keys are
//! sensitive, not extractable and of no use unless the template says so; usage flags only go down;
//! no key both wraps and decrypts, or unwraps and encrypts.
//!
//! # Modules
//! - `functions`: the exported C functions, the only place with pointers and `unsafe`.
//! - `token`: state, rules, storage and cryptography, in safe Rust.
//! - `provision`: the two calls above, for the program `jinku-hsm`.
//! - `settings`: the environment. `error`: the return values.

mod error;
mod functions;
mod provision;
mod settings;
mod token;

pub use error::{Error, Result};
pub use provision::{PinState, SlotReport, install, survey};
pub use settings::token_directory;
