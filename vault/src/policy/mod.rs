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
//! | `texts` | a set's files: read, digested, bundled |
//! | `links` | `links.toml`: templates and what fills their slots |
//! | `load` | a set made of its texts, and validated |
//! | `slice` | the policies that can decide about a unit and an action |
//! | `cache` | decisions, kept until the set changes |
//! | `key_act`, `keys` | acts on keys, and whether they are permitted |
//! | `token_act` | acts on tokens, and on which classes they are permitted |
//! | `carry` | whether a gateway may carry a unit |
//! | `guard_act`, `guard` | acts of the guard, and whether they are permitted |
//! | `unit_act`, `units` | acts on registered units, and whether they are permitted |
//! | `policy_act` | acts on policy sets, and whether they are permitted |
//! | `words` | the words and names that policies speak of |
//! | `check` | policy tests: a request and the expected view |
//! | `study` | questions about a set that nobody serves by: lint, explain, diff, simulate |

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
mod carry;
mod check;
mod entities;
mod guard;
pub mod guard_act;
pub mod key_act;
mod keys;
mod links;
mod load;
pub mod policy_act;
mod slice;
mod study;
mod texts;
pub mod token_act;
pub mod unit_act;
mod units;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{Authorizer, Decision, PolicySet};

use crate::admission::Admitted;
use crate::identity::{Caller, Proof};
use crate::model::{
    Catalogue, ClassName, DataClass, Domain, DomainName, Gateway, Purpose, Unit, Units, View,
};

pub use action::{Detokenize, DetokenizeScope, IssueTicket, TicketScope, Tokenize, TokenizeScope};
pub use authorized::{Authorized, Denied, Refused};
pub use carry::NotCarried;
pub use check::{CheckReport, FailedCase, check};
pub use guard_act::{OnClasses, OnGrant, OnUnit};
pub use key_act::{OnKey, OnKeys};
pub use load::PolicyError;
pub use policy_act::OnPolicies;
pub use study::{
    Asked, Changed, Compared, Explained, Facts, Finding, Hint, PastAct, PolicyEdit, Replayed,
    Study, StudyError, Verdict, Weight,
};
pub use texts::PolicyTexts;
pub use token_act::{OnDetails, OnTokens, TokensScope};
pub use unit_act::{OnProposal, OnRegistered, OnRegistry};

use cache::{Cache, Key, Views};
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
    /// Digest of the registry that its digest covers, if there is one that changes.
    units: Option<Digest>,
}

/// A validated set that may decide next.
pub struct Prepared(Arc<Live>);

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
    /// Reads `schema.cedarschema`, `policies/*.cedar` and `links.toml` below `directory`, and validates them.
    ///
    /// `ground` is what the policies stand on, as text: the catalogue, the budgets. It enters the digest.
    pub fn load(
        directory: &Path,
        catalogue: Arc<Catalogue>,
        ground: impl Into<Vec<String>>,
    ) -> Result<Self, PolicyError> {
        Self::of(PolicyTexts::read(directory)?, directory, catalogue, ground)
    }

    /// The same, of texts that were kept: `directory` is read at the next reload.
    pub fn of(
        texts: PolicyTexts,
        directory: &Path,
        catalogue: Arc<Catalogue>,
        ground: impl Into<Vec<String>>,
    ) -> Result<Self, PolicyError> {
        let ground = ground.into();
        let set = PolicySetAtRest::build(directory, texts, &ground)?;
        let live = RwLock::new(Live::of(set));
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
        Ok(self.activate(self.prepare(self.at_hand()?)?))
    }

    /// The texts of the set that lies in the directory.
    pub fn at_hand(&self) -> Result<PolicyTexts, PolicyError> {
        PolicyTexts::read(&self.directory)
    }

    /// Validates a set, which decides nothing yet.
    pub fn prepare(&self, texts: PolicyTexts) -> Result<Prepared, PolicyError> {
        let set = PolicySetAtRest::build(&self.directory, texts, &self.ground)?;
        Ok(Prepared(Live::of(set)))
    }

    /// From now on the prepared set decides. Requests under way end under the one before.
    ///
    /// Yields its digest with the units that are registered now.
    pub fn activate(&self, prepared: Prepared) -> Digest {
        let Prepared(fresh) = prepared;
        let fresh = fresh.over(self.registered());
        let digest = fresh.set.digest();
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        digest
    }

    /// Digest of the texts of the set that decides now: without units, classes and budgets.
    pub fn set_digest(&self) -> Digest {
        self.live().set.texts().digest()
    }

    /// The texts of the set that decides now.
    pub fn texts(&self) -> PolicyTexts {
        self.live().set.texts().clone()
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
        let permitted = live.cache.classes(key, || {
            self.permitted_classes(live, asker, "Tokenize", domain)
        });
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

    fn views(&self, live: &Live, asker: Asker<'_>, domain: &DomainName) -> Result<Views, Denied> {
        let domain = self.domain(domain)?;
        let key = Key::detokenize(asker, &domain.name);
        let views = live.cache.views(key, || self.viewable(live, asker, domain));
        // INVARIANT 9: no matching policy is a denial.
        if views.is_empty() {
            return Err(Denied::NotPermitted);
        }
        Ok(views)
    }

    /// The classes of the domain that the action is permitted on.
    fn permitted_classes(
        &self,
        live: &Live,
        asker: Asker<'_>,
        action: &'static str,
        domain: &Domain,
    ) -> BTreeSet<ClassName> {
        let slice = live.slice(action, asker);
        self.classes(domain)
            .filter(|class| live.permits(&slice, asker, domain, class))
            .map(|class| class.name.clone())
            .collect()
    }

    /// For each class the strongest view that is permitted; classes without one are left out.
    fn viewable(
        &self,
        live: &Live,
        asker: Asker<'_>,
        domain: &Domain,
    ) -> BTreeMap<ClassName, View> {
        let slices = View::STRONGEST_FIRST.map(|view| (view, live.slice(action_name(view), asker)));
        let strongest = |class: &DataClass| {
            let mut slices = slices.iter();
            let (view, _) = slices.find(|(_, slice)| live.permits(slice, asker, domain, class))?;
            Some((class.name.clone(), *view))
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

    /// The set that decides now, named together with the units that are registered now.
    fn live(&self) -> Arc<Live> {
        let live = Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner));
        let units = self.registered();
        if live.units == units {
            return live;
        }
        let mut current = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let following = current.over(units);
        *current = Arc::clone(&following);
        following
    }

    /// Digest of the registry in force.
    fn registered(&self) -> Option<Digest> {
        self.units.as_ref().map(|units| units.now().digest())
    }
}

/// The policies that can decide about an action of a unit.
struct Slice {
    action: &'static str,
    policies: PolicySet,
}

impl Live {
    fn of(set: PolicySetAtRest) -> Arc<Self> {
        Arc::new(Self {
            set,
            cache: Arc::default(),
            units: None,
        })
    }

    /// The same set over this registry. Decisions made before are kept: each knows of its own unit.
    fn over(self: &Arc<Self>, units: Option<Digest>) -> Arc<Self> {
        match units {
            Some(digest) if self.units != units => Arc::new(Self {
                set: self.set.over(digest),
                cache: Arc::clone(&self.cache),
                units,
            }),
            _ => Arc::clone(self),
        }
    }

    fn slice(&self, action: &'static str, asker: Asker<'_>) -> Slice {
        let policies = self.set.slices().slice(action, asker.unit);
        Slice { action, policies }
    }

    /// One question to Cedar. An error in a request or in a policy's evaluation is a denial.
    fn permits(&self, slice: &Slice, asker: Asker<'_>, domain: &Domain, class: &DataClass) -> bool {
        let (action, vocabulary) = (slice.action, self.set.vocabulary());
        let question = || Question::of_class(action, asker, domain, class, vocabulary);
        slice.answers_yes(question)
    }
}

impl Slice {
    fn answers_yes(&self, question: impl FnOnce() -> Option<Question>) -> bool {
        // INVARIANT 9: no matching policy is a denial.
        if self.policies.is_empty() {
            return false;
        }
        let Some(question) = question() else {
            let action = self.action;
            tracing::error!(action, "a request does not fit the policy schema");
            return false;
        };
        answers_yes(&self.policies, &question)
    }
}

fn answers_yes(policies: &PolicySet, question: &Question) -> bool {
    let answer = Authorizer::new().is_authorized(&question.request, policies, &question.entities);
    // INVARIANT 9: a policy that fails to evaluate might have been the one that forbids.
    answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none()
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
