//! Registered units: who is registered is decided by more than one person, kept under a key, and in the ledger.
//!
//! What widens waits for another unit's approval; what narrows is done at once. An act that is answered is in
//! force: whoever asks next is judged by it, and no restart is needed.
//!
//! | file | owns |
//! | --- | --- |
//! | `key` | what rows of units are authenticated with |
//! | `books` | what is known of all rows, and that they are as new as the ledger |
//! | `plan` | what a wish takes: nothing, an act at once, or a second person |
//! | `propose`, `decide` | proposals: made, taken back, turned down, approved |
//! | `change` | what is done at once |
//! | `read` | registrations and proposals, to be read |
//! | `file` | `units.toml` read anew |
//! | `restored` | units in a database that came from a backup |
//! | `fault` | why not |

mod books;
mod change;
mod decide;
mod fault;
mod file;
mod key;
mod plan;
mod propose;
mod read;
mod restored;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::{Facts, Operation, Outcome};
use tokio::sync::OwnedMutexGuard;

use crate::commit::{Sequenced, Withheld};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{
    Calendars, Proposal, ProposalId, Registry, Standing, Timestamp, Unit, UnitDocument, UnitKey,
    Units,
};
use crate::store::{Change, UnitRow, UnitWrite};

pub use books::UnitsError;
pub use fault::UnitFault;
pub use plan::Plan;
pub use read::UnitPage;

pub(super) use key::{REGISTRY_KEY, RegistryKey};
pub(super) use restored::Restored;

use books::Books;

/// How much may be proposed, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct UnitLimits {
    /// How many units other than the proposing one must approve.
    pub approvals: usize,
    /// How long a proposal waits for that.
    pub waits: Duration,
    /// Most proposals that wait.
    pub proposals_max: usize,
    /// Most units, those of the file too.
    pub units_max: usize,
}

impl Default for UnitLimits {
    fn default() -> Self {
        Self {
            approvals: 1,
            waits: Duration::from_hours(7 * 24),
            proposals_max: 1_000,
            units_max: 20_000,
        }
    }
}

/// Who is registered, and how that changes.
pub struct Registrar {
    units: Arc<Units>,
    /// What the file alone has.
    file: Mutex<Arc<Registry>>,
    limits: UnitLimits,
    calendars: Calendars,
    /// Changes come one after another: each sees what the one before it left.
    turn: Arc<tokio::sync::Mutex<Books>>,
}

/// What came of an act on units.
pub struct UnitActed {
    /// The unit, as it is in force now; for a proposal, as it shall be.
    pub document: UnitDocument,
    /// The revision that is in force; 0 for a unit that is not there yet.
    pub revision: u64,
    /// What became of it.
    pub outcome: UnitOutcome,
    /// The keys that differ; of a proposal, those that widen.
    pub keys: BTreeSet<UnitKey>,
    /// The proposal that waits, where one does.
    pub proposal: Option<Proposal>,
    /// The entry that says so; none where nothing was done.
    pub entry: Option<Sequenced>,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnitOutcome {
    /// It is so already.
    Unchanged,
    /// It is in force.
    Done,
    /// It waits for approval.
    Proposed,
}

impl UnitOutcome {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Done => "done",
            Self::Proposed => "proposed",
        }
    }
}

/// Whether a wish is carried out, or only what it would take is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Run {
    /// It is carried out.
    Real,
    /// Nothing is done, and no entry says anything.
    Dry,
}

impl From<bool> for Run {
    fn from(dry: bool) -> Self {
        if dry { Self::Dry } else { Self::Real }
    }
}

type Turn = OwnedMutexGuard<Books>;

impl Registrar {
    /// Of a registry that nothing was registered in beside its file.
    pub fn of_file(units: Arc<Units>, limits: UnitLimits) -> Self {
        Self {
            file: Mutex::new(units.now()),
            units,
            limits,
            calendars: Calendars::default(),
            turn: Arc::default(),
        }
    }

    /// With calendars of holidays, which units' hours name.
    #[must_use]
    pub fn with_calendars(self, calendars: Calendars) -> Self {
        Self { calendars, ..self }
    }

    fn file(&self) -> Arc<Registry> {
        Arc::clone(&self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }
}

/// A unit as it shall be in force, and its row.
struct Fresh {
    row: UnitRow,
    unit: Arc<Unit>,
    id: ProposalId,
}

impl Engine {
    /// Who is registered now.
    pub fn units_now(&self) -> Arc<Registry> {
        self.registrar.units.now()
    }

    /// How long a proposal waits.
    pub fn proposals_wait(&self) -> Duration {
        self.registrar.limits.waits
    }

    /// What a document registers. An active unit's calendar must be there: without it the unit would never be
    /// served.
    fn meant(&self, document: &UnitDocument, revision: u64) -> Result<Unit, EngineError> {
        let unit = Unit::registered(document, revision, &self.catalogue);
        let unit = unit.map_err(UnitFault::unfit)?;
        if unit.standing == Standing::Active {
            let calendars = &self.registrar.calendars;
            calendars.serve(&unit).map_err(UnitFault::unfit)?;
        }
        Ok(unit)
    }

    fn fresh(
        &self,
        document: &UnitDocument,
        revision: u64,
        salt: [u8; 16],
        changed: Timestamp,
    ) -> Result<Fresh, EngineError> {
        let unit = Arc::new(self.meant(document, revision)?);
        let id = ProposalId::of(&unit.name, revision, document.as_str(), &salt);
        let row = UnitRow {
            name: unit.name.clone(),
            revision,
            document: document.as_str().to_owned(),
            salt,
            changed,
            tag: self.keys.registry().unit_tag(id, changed),
        };
        Ok(Fresh { row, unit, id })
    }

    /// Writes a unit with its entry, and puts it in force, whatever becomes of the request.
    async fn put(
        self: &Arc<Self>,
        mut turn: Turn,
        mut stated: Stated,
        fresh: Fresh,
        mut writes: Vec<UnitWrite>,
    ) -> Result<Sequenced, EngineError> {
        let Fresh { row, unit, id } = fresh;
        stated.facts.reason = Some(unit.name.to_string());
        stated.facts.commitment = Some(id.0);
        let books = turn.with(&row, id);
        let (engine, held) = (Arc::clone(self), books.clone());
        let (registry, state) = self
            .blocking(move |engine| {
                let registry = engine.units_now().with(unit).map_err(UnitFault::unfit)?;
                let last = engine.reader.last_entry()?;
                let seq = last.map_or(0, |entry| entry.seq + 1);
                Ok((registry, held.state(seq, engine.keys.registry())))
            })
            .await?;
        if registry.count() > self.registrar.limits.units_max {
            let max = self.registrar.limits.units_max;
            return Err(UnitFault::TooManyUnits { max }.into());
        }
        writes.push(UnitWrite::Put(Box::new(row)));
        writes.push(UnitWrite::Whole(state));
        let change = Change {
            units: writes,
            ..Change::none()
        };
        let after = async move {
            engine.put_in_force(registry.into());
            *turn = books;
        };
        let record = self.record_of(stated, change)?;
        let recorded = self
            .committer
            .record_then(record, Withheld::nothing(), after);
        let ((), entry, ()) = recorded.await?;
        Ok(entry)
    }

    /// From here on, requests are judged by this registry.
    fn put_in_force(&self, registry: Arc<Registry>) {
        self.guard.budget.follow(&registry);
        self.registrar.units.put_in_force(registry);
    }

    /// Writes an entry about units that puts nothing in force.
    async fn note_of_units(
        &self,
        stated: impl Into<Stated>,
        units: Vec<UnitWrite>,
    ) -> Result<Sequenced, EngineError> {
        let change = Change {
            units,
            ..Change::none()
        };
        let record = self.record_of(stated.into(), change)?;
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }
}

/// Whether an entry says that a unit is in force as its commitment has it. An approval that is not the last one
/// names no unit.
fn puts_in_force(facts: &Facts) -> bool {
    let acts = matches!(
        facts.operation,
        Operation::UnitApprove
            | Operation::UnitChange
            | Operation::UnitSuspend
            | Operation::UnitRetire
    );
    acts && facts.outcome == Outcome::Ok && facts.reason.is_some()
}
