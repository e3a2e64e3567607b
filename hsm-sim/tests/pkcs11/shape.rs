//! The token in a program's own memory. `tests/brokered` has the other shape.

use std::path::Path;

/// The module that a program loads.
pub(crate) const LIBRARY: &str = "libhsm_sim.so";

/// Nothing is behind it.
pub(crate) struct Behind;

impl Behind {
    pub(crate) fn start(_directory: &Path) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the other shape has something to end")]
    pub(crate) fn end(&mut self) {}
}
