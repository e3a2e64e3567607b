//! Where a unit may call from.

use std::net::IpAddr;

use super::Inadmissible;
use crate::model::Unit;

/// An IPv4 address that came as an IPv6 one is the same address.
pub(super) fn check(unit: &Unit, source: IpAddr) -> Result<(), Inadmissible> {
    let source = source.to_canonical();
    if unit.networks.is_empty() || unit.networks.iter().any(|net| net.contains(&source)) {
        Ok(())
    } else {
        Err(Inadmissible::Address)
    }
}
