//! Use cases of tokens that stand: their life, what holds them, finding them. None of them shows a value.
//!
//! Each takes the proof for its own act and makes one entry; a batch's items fail one by one. A token that is
//! absent, another domain's, or of a class that the proof does not cover walks the same steps.
//!
//! | file | owns |
//! | --- | --- |
//! | `fault` | why an act, or one item of it, was not done |
//! | `act` | the way from a proof and tokens to an entry |
//! | `again` | a replacement that comes again |
//! | `describe` | what a token is, without its value |
//! | `switch` | off, and on again |
//! | `replace`, `transfer` | another token for a value; another class for a token |
//! | `hold` | legal holds |
//! | `purge` | what is old goes |
//! | `erase` | tokens and their values go, by token or by subject, with a certificate |
//! | `detail` | the reasons that people give, which entries commit to |
//! | `search`, `reindex` | a value's tokens, and what finds them |
//! | `shred` | keys that are destroyed when the entry stands |

mod act;
mod again;
mod describe;
mod detail;
mod erase;
mod fault;
mod hold;
mod purge;
mod reindex;
mod replace;
mod search;
mod shred;
mod switch;
mod transfer;

pub use act::Acted;
pub use describe::Description;
pub use erase::{ERASED_ROWS_MAX, ErasedItem, Erasing, Erasure};
pub use fault::{TokenActFault, TokenFault};
pub use purge::{PurgeStep, Purged};
pub use reindex::Reindexing;
pub use replace::Replacement;
pub use search::Found;

pub(super) use detail::detail_told;
pub(super) use search::SearchRates;
pub(super) use shred::Shredded;
