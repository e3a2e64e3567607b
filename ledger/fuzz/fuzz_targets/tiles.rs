//! See `ledger_fuzz::tiles`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_fuzz::tiles(bytes));
