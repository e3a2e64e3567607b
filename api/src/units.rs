//! A client of registered units: one method for each call of `units.proto`.

use crate::calls::client;
use crate::v1::units_client::UnitsClient as Stub;
use crate::v1::{
    DescribeProposalResponse, DescribeUnitResponse, ListProposalsRequest, ListProposalsResponse,
    ListUnitsRequest, ListUnitsResponse, NamedProposal, NamedUnit, ProposalEndedResponse,
    SetUnitRequest, UnitActResponse,
};

client! {
    /// A client of registered units. Clones share one channel.
    UnitsClient over Stub {
        /// A unit as it shall be, new or not: proposed where it widens anything, done at once where it does not.
        set_unit(SetUnitRequest) -> UnitActResponse;
        /// Suspends a unit.
        suspend_unit(NamedUnit) -> UnitActResponse;
        /// Proposes that a suspended unit acts again.
        resume_unit(NamedUnit) -> UnitActResponse;
        /// Retires a unit, for good.
        retire_unit(NamedUnit) -> UnitActResponse;
        /// Reads a unit's registration.
        describe_unit(NamedUnit) -> DescribeUnitResponse;
        /// Lists units.
        list_units(ListUnitsRequest) -> ListUnitsResponse;
        /// Approves another unit's proposal.
        approve_unit(NamedProposal) -> UnitActResponse;
        /// Turns another unit's proposal down.
        refuse_unit(NamedProposal) -> ProposalEndedResponse;
        /// Takes one's own proposal back.
        withdraw_unit(NamedProposal) -> ProposalEndedResponse;
        /// Reads a proposal that waits.
        describe_proposal(NamedProposal) -> DescribeProposalResponse;
        /// Lists the proposals that wait.
        list_proposals(ListProposalsRequest) -> ListProposalsResponse;
    }
}
