//! Who may look at the log: every unit sees how far it has come, its files are for those that are named.

use ledger::Operation;

use super::{Ticket, refusal};
use crate::policy::Denied;
use crate::server::problem::Problem;
use crate::server::{LedgerReaders, Vault};

/// Any unit that was admitted.
pub(in crate::server) fn known(ticket: &Ticket) -> Result<(), Problem> {
    ticket.take().map(drop)
}

/// A unit that the settings name as a reader. Others are refused, and that is an entry.
pub(in crate::server) async fn reads(vault: &Vault, ticket: &Ticket) -> Result<(), Problem> {
    let admitted = ticket.take()?;
    let caller = admitted.caller();
    let may = match vault.ledger.readers() {
        LedgerReaders::Units(units) => units.contains(&caller.unit().name),
        LedgerReaders::Nobody | LedgerReaders::Anyone => false,
    };
    if may {
        return Ok(());
    }
    let problem = Problem::from(Denied::NotPermitted);
    let refused = refusal(Operation::RequestRefused, &problem, ticket.request, caller);
    vault.engine.refuse(refused).await?;
    Err(problem)
}
