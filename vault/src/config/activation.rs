//! When a policy set that was read decides.

use serde::Deserialize;

/// What brings a policy set into force.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// A hang-up signal, or a start: whoever writes the directory decides.
    #[default]
    Reload,
    /// A unit's approval of what another one, or the operator, put up. The approved set is kept in the database.
    Approval,
}
