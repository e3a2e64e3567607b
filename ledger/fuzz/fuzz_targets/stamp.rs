//! See `ledger_fuzz::stamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_fuzz::stamp(bytes));
