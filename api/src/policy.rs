//! A client of policy sets: one method for each call of `policy.proto`.

use crate::calls::client;
use crate::v1::policy_client::PolicyClient as Stub;
use crate::v1::{
    ApprovePolicySetRequest, DescribePolicySetRequest, DescribePolicySetResponse,
    PolicySetResponse, ProposePolicySetRequest,
};

client! {
    /// A client of policy sets under the rule of two. Clones share one channel.
    PolicyClient over Stub {
        /// Puts the set in the vault's directory up for approval.
        propose_policy_set(ProposePolicySetRequest) -> PolicySetResponse;
        /// Approves the set of this digest: with the answer it decides.
        approve_policy_set(ApprovePolicySetRequest) -> PolicySetResponse;
        /// Which set decides, and which waits.
        describe_policy_set(DescribePolicySetRequest) -> DescribePolicySetResponse;
    }
}
