//! A kept decision serves only who asked for it: each fact of a request is in the cache's key.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{PLAIN, Room, UNITS, room};
use crate::identity::Proof;
use crate::model::{
    ClassName, Delivery, DomainName, GatewayName, Purpose, Registry, Unit, UnitName, Units, View,
};
use crate::policy::{Asker, Denied, DetokenizeScope, TokenizeScope};

/// Permits exactly [`Facts::permitted`].
const NARROW: &str = r#"
@id("detokenize") permit(
  principal == Jinku::Unit::"tax-bureau", action == Jinku::Action::"DetokenizePlain", resource)
when { context.purpose == "tax-assessment" && context.delivery == "sealed" && context.proof == "access-token" &&
  resource.domain == "city" && context has gateway && context.gateway == "city-gateway" };
@id("tokenize") permit(
  principal == Jinku::Unit::"tax-bureau", action == Jinku::Action::"Tokenize", resource)
when { context.proof == "access-token" && resource.domain == "city" &&
  context has gateway && context.gateway == "city-gateway" };
"#;

#[derive(Clone)]
struct Facts {
    unit: &'static str,
    through_gateway: bool,
    proof: Proof,
    domain: &'static str,
    purpose: &'static str,
    delivery: Delivery,
}

impl Facts {
    fn permitted() -> Self {
        Self {
            unit: "tax-bureau",
            through_gateway: true,
            proof: Proof::AccessToken,
            domain: "city",
            purpose: "tax-assessment",
            delivery: Delivery::Sealed,
        }
    }

    /// The permitted request with one fact changed, for each fact that tokenize knows too.
    fn others() -> [Self; 4] {
        let mut others = [(); 4].map(|()| Self::permitted());
        others[0].unit = "treasury";
        others[1].through_gateway = false;
        others[2].proof = Proof::MutualTls;
        others[3].domain = "bank";
        others
    }
}

impl Room {
    fn asker<'a>(&'a self, facts: &Facts, purpose: Option<&'a Purpose>) -> Asker<'a> {
        let unit: &Unit = self
            .registry
            .unit(&UnitName::parse(facts.unit).unwrap())
            .unwrap();
        let gateway = GatewayName::parse("city-gateway").unwrap();
        let gateway = self.registry.gateway(&gateway).unwrap();
        Asker {
            unit,
            gateway: facts.through_gateway.then_some(gateway),
            proof: facts.proof,
            purpose,
            delivery: None,
        }
    }

    fn detokenizes(&self, facts: &Facts) -> Result<Option<View>, Denied> {
        let purpose = Purpose::parse(facts.purpose).unwrap();
        let scope = DetokenizeScope {
            domain: &DomainName::parse(facts.domain).unwrap(),
            purpose: &purpose,
            delivery: facts.delivery,
        };
        let live = self.policies.live();
        let asker = self.asker(facts, Some(&purpose));
        let grant = self.policies.detokenize_grant(&live, asker, scope)?;
        Ok(grant.view(&ClassName::parse("name").unwrap()))
    }

    fn tokenizes(&self, facts: &Facts) -> Result<(), Denied> {
        let scope = TokenizeScope {
            domain: &DomainName::parse(facts.domain).unwrap(),
            classes: &BTreeSet::from([ClassName::parse("name").unwrap()]),
        };
        let live = self.policies.live();
        let asker = self.asker(facts, None);
        self.policies
            .tokenize_grant(&live, asker, scope)
            .map(|_| ())
    }
}

#[test]
fn a_view_granted_to_one_request_does_not_serve_another() {
    let room = room(NARROW).unwrap();
    let permitted = Facts::permitted();
    // Twice: the second answer is the kept one.
    assert_eq!(room.detokenizes(&permitted), Ok(Some(View::Plain)));
    assert_eq!(room.detokenizes(&permitted), Ok(Some(View::Plain)));
    for (place, other) in Facts::others().iter().enumerate() {
        let found = room.detokenizes(other);
        assert_eq!(found, Err(Denied::NotPermitted), "{place}");
    }
    let mut other = permitted.clone();
    other.purpose = "curiosity";
    assert_eq!(room.detokenizes(&other), Err(Denied::NotPermitted));
    let mut other = permitted;
    other.delivery = Delivery::Inline;
    assert_eq!(room.detokenizes(&other), Err(Denied::NotPermitted));
}

// A unit that changes while the vault runs: nothing that was kept of it as it was serves.
#[test]
fn what_was_decided_on_other_facts_of_a_unit_does_not_serve() {
    let room = room(
        r#"@id("p") permit(principal, action == Jinku::Action::"DetokenizePlain", resource)
        when { principal.groups.contains("revenue") };"#,
    )
    .unwrap();
    let live = room.policies.live();
    let facts = Facts::permitted();
    let purpose = Purpose::parse(facts.purpose).unwrap();
    let scope = DetokenizeScope {
        domain: &DomainName::parse(facts.domain).unwrap(),
        purpose: &purpose,
        delivery: facts.delivery,
    };
    let before = room.asker(&facts, Some(&purpose));
    assert!(room.policies.detokenize_grant(&live, before, scope).is_ok());
    let units = UNITS.replacen("\"revenue\"", "\"care\"", 1);
    let changed = Registry::parse(&units, &room.policies.catalogue).unwrap();
    let unit = changed.unit(&before.unit.name).unwrap();
    let after = Asker { unit, ..before };
    let found = room.policies.detokenize_grant(&live, after, scope);
    assert_eq!(found.err(), Some(Denied::NotPermitted));
}

// What an entry names covers the registry in force, whichever set decides and whenever it was read; decisions about
// units that did not change are kept.
#[test]
fn another_registry_has_a_digest_of_its_own_and_leaves_other_units_decisions() {
    let registry = |text: &str, room: &Room| {
        Arc::new(Registry::parse(text, &room.policies.catalogue).unwrap())
    };
    let mut room = room(PLAIN).unwrap();
    let units = Arc::new(Units::new(registry(UNITS, &room)));
    let alone = room.policies.digest();
    room.policies = room.policies.over(Arc::clone(&units));
    let first = room.policies.digest();
    assert_ne!(first, alone);
    let before = room.policies.live();

    let raised = UNITS.replacen("\"internal\"", "\"restricted\"", 1);
    units.put_in_force(registry(&raised, &room));
    let second = room.policies.digest();
    assert_ne!(second, first);
    assert!(Arc::ptr_eq(&before.cache, &room.policies.live().cache));

    // The same files read anew are named over the same registry, and nothing is kept.
    assert_eq!(room.policies.reload().unwrap(), second);
    assert_eq!(room.policies.digest(), second);
    assert!(!Arc::ptr_eq(&before.cache, &room.policies.live().cache));
    units.put_in_force(registry(UNITS, &room));
    assert_eq!(room.policies.digest(), first);
}

#[test]
fn a_permit_to_tokenize_does_not_serve_another() {
    let room = room(NARROW).unwrap();
    assert_eq!(room.tokenizes(&Facts::permitted()), Ok(()));
    for (place, other) in Facts::others().iter().enumerate() {
        let found = room.tokenizes(other);
        assert_eq!(found, Err(Denied::NotPermitted), "{place}");
    }
}

#[test]
fn a_domain_that_is_not_there_has_an_answer_of_its_own() {
    let room = room(NARROW).unwrap();
    let mut facts = Facts::permitted();
    facts.domain = "nowhere";
    assert_eq!(room.detokenizes(&facts), Err(Denied::UnknownDomain));
    assert_eq!(room.tokenizes(&facts), Err(Denied::UnknownDomain));
}
