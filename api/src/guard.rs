//! A client of the guard: one method for each call of `guard.proto`.

use crate::calls::client;
use crate::v1::guard_client::GuardClient as Stub;
use crate::v1::{
    GrantRequest, GrantResponse, PlantHoneytokensRequest, PlantHoneytokensResponse,
    RequestGrantRequest, UnitRequest, UnitResponse,
};

client! {
    /// A client of the guard. Clones share one channel.
    GuardClient over Stub {
        /// Locks a unit out.
        lock_unit(UnitRequest) -> UnitResponse;
        /// Lets a locked unit in again.
        unlock_unit(UnitRequest) -> UnitResponse;
        /// Plants tokens that nobody has a reason to present.
        plant_honeytokens(PlantHoneytokensRequest) -> PlantHoneytokensResponse;
        /// Asks for a grant to read many values.
        request_grant(RequestGrantRequest) -> GrantResponse;
        /// Approves another unit's grant.
        approve_grant(GrantRequest) -> GrantResponse;
        /// Takes a grant back.
        revoke_grant(GrantRequest) -> GrantResponse;
        /// Reads a grant.
        describe_grant(GrantRequest) -> GrantResponse;
    }
}
