//! See `ledger_fuzz::detail`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_fuzz::detail(bytes));
