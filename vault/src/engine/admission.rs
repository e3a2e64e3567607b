//! What admission leaves to be written: refusals that were counted, and leases of quotas that were not used up.

use ledger::{Facts, Operation, Outcome};

use super::{Engine, EngineError, unit_text};
use crate::admission::{Draw, RefusalKind};
use crate::commit::{Record, Sequenced, Withheld};
use crate::store::{Change, QuotaWrite};

impl Engine {
    /// Records how many refusals of a kind came after the one that has an entry of its own.
    pub async fn refusals_counted(
        &self,
        kind: &RefusalKind,
        more: u64,
    ) -> Result<Sequenced, EngineError> {
        let mut facts = Facts::new(Operation::AdmissionTally, Outcome::Denied);
        facts.unit = unit_text(kind.unit.as_ref());
        facts.gateway = kind.gateway.as_ref().map(ToString::to_string);
        facts.reason = Some(format!("{} {more}", kind.code));
        let record = Record::single(Change::none(), facts);
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }

    /// Gives back what was taken of quotas and not used.
    pub async fn quotas_left_over(&self, left: Vec<Draw>) -> Result<(), EngineError> {
        for draw in left {
            self.committer
                .write_quota(QuotaWrite::GiveBack(draw))
                .await?;
        }
        Ok(())
    }
}
