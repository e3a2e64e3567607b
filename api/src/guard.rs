//! A client of the guard: one method for each call of `guard.proto`.

use tonic::transport::Channel;

use crate::channel::{RESPONSE_BYTES_MAX, answer, channel, with_proof};
use crate::v1::guard_client::GuardClient as Stub;
use crate::v1::{
    GrantRequest, GrantResponse, PlantHoneytokensRequest, PlantHoneytokensResponse,
    RequestGrantRequest, UnitRequest, UnitResponse,
};
use crate::{ClientError, ClientSettings, UnitProof};

/// A client of the guard. Clones share one channel.
#[derive(Clone)]
pub struct GuardClient {
    stub: Stub<Channel>,
}

impl GuardClient {
    /// Prepares the channel; it connects when it is first used, and again when it was lost.
    pub fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        let stub = Stub::new(channel(settings)?).max_decoding_message_size(RESPONSE_BYTES_MAX);
        Ok(Self { stub })
    }
}

macro_rules! calls {
    ($($(#[$doc:meta])* $call:ident($request:ident) -> $response:ident;)+) => {
        impl GuardClient {
            $($(#[$doc])*
            pub async fn $call(
                &self,
                request: $request,
                proof: Option<&UnitProof>,
            ) -> Result<$response, ClientError> {
                answer(self.stub.clone().$call(with_proof(request, proof)).await)
            })+
        }
    };
}

calls! {
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
