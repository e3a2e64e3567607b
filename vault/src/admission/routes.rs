//! Which groups of paths and calls a unit may use.

use super::Inadmissible;
use crate::model::{RouteGroup, Unit};

pub(super) fn check(unit: &Unit, group: RouteGroup) -> Result<(), Inadmissible> {
    let routes = unit.allowance.routes.as_ref();
    if routes.is_none_or(|open| open.contains(&group)) {
        Ok(())
    } else {
        Err(Inadmissible::Route)
    }
}
