//! Whether an act of the guard is permitted. These are rare, and decided anew each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::authorized::{self, Authorized, Denied, Refused};
use super::entities::Question;
use super::guard_act::{GuardAct, OnClasses, OnGrant, OnUnit};
use super::{Asker, Live, Policies};
use crate::admission::Admitted;
use crate::model::{ClassName, DomainName, Grant, Purpose, Unit};

impl Policies {
    /// May the unit do `A` to this unit?
    pub fn authorize_on_unit<A: GuardAct>(
        &self,
        admitted: Admitted,
        unit: Arc<Unit>,
    ) -> Result<Authorized<OnUnit<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = live.permits_on_unit(A::ACTION, asker, &unit);
        let granted = granted.map(|()| OnUnit::new(unit));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to each of these classes of a domain?
    pub fn authorize_on_classes<A: GuardAct>(
        &self,
        admitted: Admitted,
        domain: DomainName,
        classes: BTreeSet<ClassName>,
        purpose: Option<Purpose>,
    ) -> Result<Authorized<OnClasses<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), purpose.as_ref());
        let granted = self.grants_on_classes(&live, A::ACTION, asker, (&domain, &classes));
        let granted = granted.map(|()| OnClasses::new(domain, classes, purpose));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to this grant?
    pub fn authorize_on_grant<A: GuardAct>(
        &self,
        admitted: Admitted,
        grant: Arc<Grant>,
    ) -> Result<Authorized<OnGrant<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let vocabulary = live.set.vocabulary();
        let question = || Question::of_grant(A::ACTION, asker, &grant, vocabulary);
        let granted = live.permitted(A::ACTION, asker, question);
        let granted = granted.map(|()| OnGrant::new(grant));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// The refusal of an act on something that is not there.
    // INVARIANT 9: what nobody registered or asked for is permitted to nobody.
    pub fn refuse_unknown(&self, admitted: Admitted, denial: Denied) -> Box<Refused> {
        Box::new(Refused {
            admitted,
            denial,
            policy: self.live().set.digest(),
        })
    }

    pub(super) fn grants_on_classes(
        &self,
        live: &Live,
        action: &'static str,
        asker: Asker<'_>,
        (domain, classes): (&DomainName, &BTreeSet<ClassName>),
    ) -> Result<(), Denied> {
        let domain = self.domain(domain)?;
        // Of no class nothing is permitted: an empty list is not every class.
        if classes.is_empty() {
            return Err(Denied::UnknownClass);
        }
        let slice = live.slice(action, asker);
        for class in classes {
            let known = domain.classes.contains(class);
            let class = self.catalogue.class(class).filter(|_| known);
            let class = class.ok_or(Denied::UnknownClass)?;
            if !live.permits(&slice, asker, domain, class) {
                return Err(Denied::NotPermitted);
            }
        }
        Ok(())
    }
}

impl Live {
    pub(super) fn permits_on_unit(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        unit: &Unit,
    ) -> Result<(), Denied> {
        let vocabulary = self.set.vocabulary();
        let question = || Question::of_unit(action, asker, unit, vocabulary);
        self.permitted(action, asker, question)
    }

    pub(super) fn permitted(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        question: impl FnOnce() -> Option<Question>,
    ) -> Result<(), Denied> {
        if self.slice(action, asker).answers_yes(question) {
            Ok(())
        } else {
            Err(Denied::NotPermitted)
        }
    }
}
