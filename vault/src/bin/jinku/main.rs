//! `jinku`: the vault's command line.

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is given back, also by libraries: bodies, JSON and TLS records hold payloads.
// INVARIANT 11: what went through leaves nothing behind in memory.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    vault::cli::run()
}
