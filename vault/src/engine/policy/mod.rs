//! The rule of two for policy sets: one puts a set up, another approves it, and only then it decides.
//!
//! | file | owns |
//! | --- | --- |
//! | `mark` | what says of a kept set that this vault kept it |
//! | `act` | put up, approve, adopt |
//! | `fault` | why the rule said no |

mod act;
mod fault;
mod mark;

pub use act::{KeptSets, Staged};
pub use fault::PolicyFault;
pub use mark::PolicyMark;
