//! What is measured, for the eye.
#![expect(clippy::print_stdout, reason = "this is where the meter prints")]

/// Act, bytes, and two comparisons.
pub(crate) fn line([act, bytes, kms, ring, bare, alike, fair]: [&str; 7]) {
    println!("{act:<32}{bytes:>8}{kms:>10}{ring:>10}{bare:>8}{alike:>12}{fair:>8}");
}
