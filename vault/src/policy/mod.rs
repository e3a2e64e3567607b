//! What a unit may do and see: Cedar policies, and nowhere else. No Cedar type leaves this room.
//!
//! Yields [`Authorized`], which the engine's methods take and only this room makes. Deny wins, no
//! matching policy is a denial, and a set that does not validate is refused whole.
//!
//! | file | owns |
//! | --- | --- |
//! | `action` | [`Tokenize`], [`Detokenize`]: what is granted |
//! | `authorized` | the proof, and the refusal |
//! | `entities` | the one translation of our words into Cedar's |
//! | `load` | reading, validating, digesting a set |
//! | `cache` | decisions, kept until the set changes |
//! | `key_act`, `keys` | acts on keys, and whether they are permitted |
//! | `token_act` | acts on tokens, and on which classes they are permitted |
//! | `guard_act`, `guard` | acts of the guard, and whether they are permitted |
//! | `unit_act`, `units` | acts on registered units, and whether they are permitted |
//! | `check` | policy tests: a request and the expected view |

/// Acts, each a type of its own, with its word in Cedar and its word in the ledger.
macro_rules! acts {
    ($trait:ident: $($(#[$doc:meta])* $name:ident = $action:literal $operation:ident,)+) => {
        $($(#[$doc])* pub enum $name {}

        impl $trait for $name {
            const ACTION: &'static str = $action;
            const OPERATION: Operation = Operation::$operation;
        })+

        /// The actions of all acts, as the Cedar schema names them.
        pub(super) const ACTIONS: &[&str] = &[$($action,)+];
    };
}

mod action;
mod authorized;
mod cache;
mod check;
mod entities;
mod guard;
pub mod guard_act;
pub mod key_act;
mod keys;
mod load;
pub mod token_act;
pub mod unit_act;
mod units;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{Authorizer, Decision};

use crate::admission::Admitted;
use crate::identity::{Caller, Proof};
use crate::model::{
    Catalogue, ClassName, DataClass, Domain, DomainName, Gateway, Purpose, Unit, Units, View,
};

pub use action::{Detokenize, DetokenizeScope, IssueTicket, TicketScope, Tokenize, TokenizeScope};
pub use authorized::{Authorized, Denied, Refused};
pub use check::{CheckReport, FailedCase, check};
pub use guard_act::{OnClasses, OnGrant, OnUnit};
pub use key_act::{OnKey, OnKeys};
pub use load::PolicyError;
pub use token_act::{OnTokens, TokensScope};
pub use unit_act::{OnProposal, OnRegistered, OnRegistry};

use cache::{Cache, Key};
use entities::Question;
use load::PolicySetAtRest;

/// SHA-256 over a policy set's files.
pub type Digest = [u8; 32];

/// The live policy set. Reading it never waits for a reload.
pub struct Policies {
    directory: PathBuf,
    catalogue: Arc<Catalogue>,
    ground: Vec<String>,
    /// Where the registry in force is, if there is one that changes.
    units: Option<Arc<Units>>,
    live: RwLock<Arc<Live>>,
}

/// One set, as validated, with the decisions made under it.
struct Live {
    set: PolicySetAtRest,
    cache: Arc<Cache>,
    /// Digest of the registry that its digest covers.
    units: Digest,
}

/// Who asks, for what purpose: the facts a decision depends on.
#[derive(Clone, Copy)]
struct Asker<'a> {
    unit: &'a Unit,
    gateway: Option<&'a Gateway>,
    proof: Proof,
    purpose: Option<&'a Purpose>,
    delivery: Option<&'static str>,
}

/// What the context's `delivery` says of a ticket.
const TICKET: &str = "ticket";

impl<'a> Asker<'a> {
    fn of(caller: &'a Caller, purpose: Option<&'a Purpose>) -> Self {
        Self {
            unit: caller.unit(),
            gateway: caller.gateway(),
            proof: caller.proof(),
            purpose,
            delivery: None,
        }
    }

    fn to_see(self, delivery: &'static str) -> Self {
        Self {
            delivery: Some(delivery),
            ..self
        }
    }
}

impl Policies {
    /// Reads `schema.cedarschema` and `policies/*.cedar` below `directory`, and validates them.
    ///
    /// `ground` is what the policies stand on, as text: the catalogue, the budgets. It enters the digest.
    pub fn load(
        directory: &Path,
        catalogue: Arc<Catalogue>,
        ground: impl Into<Vec<String>>,
    ) -> Result<Self, PolicyError> {
        let ground = ground.into();
        let set = PolicySetAtRest::read(directory, &ground)?;
        let live = RwLock::new(Arc::new(Live {
            set,
            cache: Arc::default(),
            units: Digest::default(),
        }));
        Ok(Self {
            directory: directory.to_owned(),
            catalogue,
            ground,
            units: None,
            live,
        })
    }

    /// Over these units, however they change: what is registered enters the digest, so that a raised clearance
    /// shows in every entry as a changed policy does.
    #[must_use]
    pub fn over(self, units: Arc<Units>) -> Self {
        Self {
            units: Some(units),
            ..self
        }
    }

    /// Reads the files again. On any error the last good set stays.
    // INVARIANT 9: an unreadable or invalid set is refused whole, and the last good one decides on.
    pub fn reload(&self) -> Result<Digest, PolicyError> {
        let set = PolicySetAtRest::read(&self.directory, &self.ground)?;
        let fresh = Arc::new(Live {
            set,
            cache: Arc::default(),
            units: Digest::default(),
        });
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(self.digest())
    }

    /// Digest of the set that decides now.
    pub fn digest(&self) -> Digest {
        self.live().set.digest()
    }

    /// May the unit tokenize values of all these classes in this domain?
    pub fn authorize_tokenize(
        &self,
        admitted: Admitted,
        scope: TokenizeScope<'_>,
    ) -> Result<Authorized<Tokenize>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = self.tokenize_grant(&live, asker, scope);
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// What may the unit see of each of the domain's classes, for this purpose?
    pub fn authorize_detokenize(
        &self,
        admitted: Admitted,
        scope: DetokenizeScope<'_>,
    ) -> Result<Authorized<Detokenize>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), Some(scope.purpose));
        let granted = self.detokenize_grant(&live, asker, scope);
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit see anything of the domain for this purpose, and leave that to a ticket's holder?
    pub fn authorize_ticket(
        &self,
        admitted: Admitted,
        scope: TicketScope<'_>,
    ) -> Result<Authorized<IssueTicket>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), Some(scope.purpose)).to_see(TICKET);
        let views = self.views(&live, asker, scope.domain);
        let granted = views.map(|_| IssueTicket::new(scope));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    fn tokenize_grant(
        &self,
        live: &Live,
        asker: Asker<'_>,
        scope: TokenizeScope<'_>,
    ) -> Result<Tokenize, Denied> {
        let domain = self.domain(scope.domain)?;
        let known = |class: &ClassName| domain.classes.contains(class);
        if !scope.classes.iter().all(known) {
            return Err(Denied::UnknownClass);
        }
        let key = Key::tokenize(asker, &domain.name);
        let permitted = live
            .cache
            .classes(key, || self.tokenizable(live, asker, domain));
        if scope.classes.iter().all(|class| permitted.contains(class)) {
            Ok(Tokenize::new(scope))
        } else {
            Err(Denied::NotPermitted)
        }
    }

    fn detokenize_grant(
        &self,
        live: &Live,
        asker: Asker<'_>,
        scope: DetokenizeScope<'_>,
    ) -> Result<Detokenize, Denied> {
        let asker = asker.to_see(scope.delivery.as_str());
        let views = self.views(live, asker, scope.domain)?;
        Ok(Detokenize::new(scope, views))
    }

    fn views(
        &self,
        live: &Live,
        asker: Asker<'_>,
        domain: &DomainName,
    ) -> Result<Vec<(ClassName, View)>, Denied> {
        let domain = self.domain(domain)?;
        let key = Key::detokenize(asker, &domain.name);
        let views = live.cache.views(key, || self.viewable(live, asker, domain));
        // INVARIANT 9: no matching policy is a denial.
        if views.is_empty() {
            return Err(Denied::NotPermitted);
        }
        Ok(views)
    }

    fn tokenizable(&self, live: &Live, asker: Asker<'_>, domain: &Domain) -> Vec<ClassName> {
        let permitted = |class: &&DataClass| live.permits("Tokenize", asker, domain, class);
        self.classes(domain)
            .filter(permitted)
            .map(|class| class.name.clone())
            .collect()
    }

    /// For each class the strongest view that is permitted; classes without one are left out.
    fn viewable(&self, live: &Live, asker: Asker<'_>, domain: &Domain) -> Vec<(ClassName, View)> {
        let strongest = |class: &DataClass| {
            let permitted = |view: &View| live.permits(action_name(*view), asker, domain, class);
            let view = View::STRONGEST_FIRST.into_iter().find(permitted)?;
            Some((class.name.clone(), view))
        };
        self.classes(domain).filter_map(strongest).collect()
    }

    fn classes<'a>(&'a self, domain: &'a Domain) -> impl Iterator<Item = &'a DataClass> {
        domain
            .classes
            .iter()
            .filter_map(|class| self.catalogue.class(class))
    }

    fn domain(&self, name: &DomainName) -> Result<&Domain, Denied> {
        self.catalogue.domain(name).ok_or(Denied::UnknownDomain)
    }

    /// The set that decides now, named together with the units that are registered now. Decisions made before
    /// are kept: each knows of its own unit.
    fn live(&self) -> Arc<Live> {
        let live = Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner));
        let Some(units) = &self.units else {
            return live;
        };
        let digest = units.now().digest();
        if live.units == digest {
            return live;
        }
        let mut current = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let following = Arc::new(Live {
            set: current.set.over(digest),
            cache: Arc::clone(&current.cache),
            units: digest,
        });
        *current = Arc::clone(&following);
        following
    }
}

impl Live {
    /// One question to Cedar. An error in a request or in a policy's evaluation is a denial.
    fn permits(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        domain: &Domain,
        class: &DataClass,
    ) -> bool {
        let Some(question) = Question::of_class(action, asker, domain, class, self.set.schema())
        else {
            tracing::error!(action, "a request does not fit the policy schema");
            return false;
        };
        self.answers_yes(&question)
    }

    fn answers_yes(&self, question: &Question) -> bool {
        let answer = Authorizer::new().is_authorized(
            &question.request,
            self.set.policies(),
            &question.entities,
        );
        // INVARIANT 9: a policy that fails to evaluate might have been the one that forbids.
        answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none()
    }
}

fn action_name(view: View) -> &'static str {
    match view {
        View::Plain => "DetokenizePlain",
        View::Masked => "DetokenizeMasked",
        View::Token => "DetokenizeToken",
    }
}

#[cfg(test)]
mod tests;
