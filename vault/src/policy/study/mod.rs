//! Questions about a policy set that nobody is served by: what is odd in it, why it decides so, what another set would
//! decide otherwise, and what it would have decided about acts of the past.
//!
//! | file | owns |
//! | --- | --- |
//! | `cells` | requests that can be told apart, over the installation's units and classes |
//! | `lint`, `spelling` | policies that decide nothing, and words that nobody knows |
//! | `made_up` | keys, grants and proposals that lint asks about |
//! | `explain` | which policies decided, and which single fact would change it |
//! | `compare` | what two sets decide otherwise |
//! | `replay` | what a set would have decided about acts in the ledger |

mod cells;
mod compare;
mod explain;
mod lint;
mod made_up;
mod replay;
mod spelling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::identity::Proof;
use crate::model::{Catalogue, ClassName, DomainName, Gateway, Purpose, Registry, Unit};
use crate::policy::check::{self, CheckReport};
use crate::policy::words::SetWords;
use crate::policy::{Asker, Policies, PolicyError};

use cells::{Shape, Way};

pub use compare::{Changed, Compared, PolicyEdit};
pub use explain::{Asked, Explained, Hint};
pub use lint::{Finding, Weight};
pub use replay::{PastAct, Replayed, Verdict};

/// Why a question can't be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The set is refused.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// More requests can be told apart than are looked at.
    #[error("more than {max} requests can be told apart: name units with `--unit`")]
    TooMany {
        /// Most that are looked at.
        max: u64,
    },
    /// The question names something that the installation does not have.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// Which kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// A policy set with the units and classes that it is about.
pub struct Study {
    directory: PathBuf,
    policies: Policies,
    catalogue: Arc<Catalogue>,
    registry: Registry,
    words: SetWords,
    /// Purposes that the set's tests speak of.
    tested: BTreeSet<String>,
    /// One that neither they nor any policy speaks of.
    unspoken: Option<Purpose>,
    /// What each action on classes takes.
    shapes: BTreeMap<String, Shape>,
    /// Ways of a request that the set can tell apart.
    ways: Vec<Way>,
}

/// What a request is decided on, beside its class.
#[derive(Clone)]
pub struct Facts {
    /// Who asks.
    pub unit: Unit,
    /// Through which gateway.
    pub gateway: Option<Arc<Gateway>>,
    /// How the unit proves itself.
    pub proof: Proof,
    /// Why, where the action asks for it.
    pub purpose: Option<Purpose>,
    /// `inline`, `sealed` or `ticket`, where the action asks for it.
    pub delivery: &'static str,
}

impl Facts {
    /// The unit may be one that is nowhere registered so: nothing that is decided about it may be kept.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            unit: &self.unit,
            gateway: self.gateway.as_deref(),
            proof: self.proof,
            purpose: self.purpose.as_ref(),
            delivery: None,
        }
    }
}

/// A class in a domain.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) domain: DomainName,
    pub(super) class: ClassName,
}

impl Study {
    /// Reads and validates the set below `directory`.
    pub fn open(
        directory: &Path,
        catalogue: Arc<Catalogue>,
        registry: Registry,
    ) -> Result<Self, StudyError> {
        let policies = Policies::load(directory, Arc::clone(&catalogue), Vec::new())?;
        let words = SetWords::of(policies.live().set.policies())?;
        let mut study = Self {
            directory: directory.to_owned(),
            policies,
            catalogue,
            registry,
            words,
            tested: check::purposes(directory)?,
            unspoken: None,
            shapes: BTreeMap::new(),
            ways: Vec::new(),
        };
        study.unspoken = study.unspoken_purpose();
        study.ways = study.told_apart();
        let actions = study.actions_on("Jinku::DataClass").into_iter();
        study.shapes = actions
            .filter_map(|action| study.shape_of(&action).map(|shape| (action, shape)))
            .collect();
        Ok(study)
    }

    /// Runs the set's own tests.
    pub fn check(&self) -> Result<CheckReport, StudyError> {
        let run = check::run(&self.directory, &self.policies, &self.registry);
        run.map_err(StudyError::Policy)
    }

    /// Digest of the set's own files: what a second person approves.
    pub fn set_digest(&self) -> [u8; 32] {
        self.policies.set_digest()
    }

    /// The classes that it is about.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The units that it is about.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Every class of every domain.
    fn places(&self) -> Vec<Place> {
        let domains = self.catalogue.domains();
        let places = domains.flat_map(|domain| {
            let place = |class: &ClassName| Place {
                domain: domain.name.clone(),
                class: class.clone(),
            };
            domain.classes.iter().map(place)
        });
        places.collect()
    }

    /// A purpose that no policy and no test speaks of.
    fn unspoken_purpose(&self) -> Option<Purpose> {
        let spoken = self.words.texts("purpose");
        let free = |word: &String| !spoken.contains(word) && !self.tested.contains(word);
        let words = (0..=spoken.len() + self.tested.len()).map(|number| match number {
            0 => "any-other-purpose".to_owned(),
            number => format!("any-other-purpose-{number}"),
        });
        words
            .filter(free)
            .find_map(|word| Purpose::parse(&word).ok())
    }
}

#[cfg(test)]
mod tests;
