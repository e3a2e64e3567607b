//! See `ledger_fuzz::cosignature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_fuzz::cosignature(bytes));
