#!/usr/bin/env bash
# A million keys in one vault: how long it takes to start, to list them all page by page, and to use many of
# them, and what memory that holds. Built with the release profile; the numbers are the kernel's.
#
#   bash benches/million-keys.sh [KEYS] [USED] [CACHED]
#
# KEYS stand (1000000), wrapped by the HSM like the vault's own work; USED of them are used, so each is opened
# in the HSM (200000); CACHED may be open at once (100000, the default of `keys.cache_keys_max`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export JINKU_TEST_KEYS=${1:-1000000} JINKU_TEST_KEYS_USED=${2:-200000} JINKU_TEST_KEYS_CACHED=${3:-100000}

# What the test runs are the workspace's programs, of the same profile.
cargo build --release --workspace --locked
cargo test --release --locked --package tests --test many_keys -- --nocapture
