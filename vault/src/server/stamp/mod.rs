//! Time stamps of the log (RFC 3161): how an authority is asked, what of its answers is kept, and when.
//!
//! | file | owns |
//! | --- | --- |
//! | `authority` | one request to one authority, and whether its answer holds |
//! | `kept` | the stamps beside the log |
//! | `round` | the task that has the log stamped while the vault runs |
//! | `gauges` | what monitoring reads of it |

mod authority;
mod gauges;
mod kept;
mod round;

pub use authority::{StampAuthority, StampFault, stamp_nonce};
pub use kept::{KeptStamp, keep_stamp_of};
pub use round::{StampTerms, keep_stamped};

pub(super) use gauges::StampGauges;
