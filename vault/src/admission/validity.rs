//! From when and until when a registration counts.

use super::Inadmissible;
use crate::model::{Timestamp, Unit};

pub(super) fn check(unit: &Unit, now: Timestamp) -> Result<(), Inadmissible> {
    let begun = unit.valid_from.is_none_or(|from| from <= now);
    let over = unit.valid_until.is_some_and(|until| until <= now);
    if begun && !over {
        Ok(())
    } else {
        Err(Inadmissible::Validity)
    }
}
