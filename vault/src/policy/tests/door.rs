//! The room's door, as the corridor walks it: an admitted caller in, a proof or a refusal out.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};

use super::{PLAIN, Room, TOKENIZE, room};
use crate::admission::{Admission, Admitted, Arrival, Bounds, Inadmissible};
use crate::identity::{ClientCertificate, Identity, Presented};
use crate::model::{
    ClassName, Delivery, DomainName, Purpose, Registry, RouteGroup, SystemClock, View,
};
use crate::policy::{Denied, Detokenize, DetokenizeScope, TokenizeScope};

/// One request at once, and nobody waits.
const ONE: Bounds = Bounds {
    in_flight_max: 1,
    waiting_max: 0,
    wait_max: Duration::ZERO,
};

/// Identity and admission with one slot, so that a test sees who holds it.
struct Way {
    identity: Identity,
    admission: Admission,
}

impl Way {
    fn to(room: &Room) -> Self {
        let registry: Registry = room.registry.clone();
        let clock = Arc::new(SystemClock::new());
        Self {
            admission: Admission::new(ONE, clock.clone()),
            identity: Identity::new(Arc::new(registry), Vec::new(), clock),
        }
    }

    fn walk(&self, unit: &str) -> Result<Admitted, Inadmissible> {
        let mut params = CertificateParams::default();
        let uri = format!("spiffe://jinku.example/unit/{unit}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = ClientCertificate::read(certificate.der());
        let presented = Presented {
            certificate: Some(&certificate),
            authorization: None,
        };
        let caller = self.identity.identify(&presented).unwrap();
        let arrival = Arrival {
            source: Ipv4Addr::LOCALHOST.into(),
            group: RouteGroup::Other,
            patience: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        let admitting = self.admission.admit(caller, arrival);
        runtime
            .block_on(admitting)
            .map_err(|refused| refused.reason)
    }
}

fn class(name: &str) -> ClassName {
    ClassName::parse(name).unwrap()
}

fn city() -> DomainName {
    DomainName::parse("city").unwrap()
}

fn purpose() -> Purpose {
    Purpose::parse("tax-assessment").unwrap()
}

#[test]
fn a_proof_says_what_for_and_under_which_set_and_holds_the_slot() {
    let room = room(PLAIN).unwrap();
    let way = Way::to(&room);
    let (domain, purpose) = (city(), purpose());
    let scope = DetokenizeScope {
        domain: &domain,
        purpose: &purpose,
        delivery: Delivery::Sealed,
    };
    let admitted = way.walk("tax-bureau").unwrap();
    let Ok(proof) = room.policies.authorize_detokenize(admitted, scope) else {
        panic!("policy said no");
    };
    let grant: &Detokenize = proof.grant();
    assert_eq!(grant.purpose(), &purpose);
    assert_eq!(grant.delivery(), Delivery::Sealed);
    assert_eq!(grant.view(&class("name")), Some(View::Plain));
    assert_eq!(proof.grant().domain(), &domain);
    assert_eq!(proof.policy(), room.policies.digest());
    let caller = proof.admitted().caller();
    assert_eq!(caller.unit().name.as_str(), "tax-bureau");

    assert_eq!(way.walk("treasury").err(), Some(Inadmissible::Busy));
    drop(proof);
    assert!(way.walk("treasury").is_ok());
}

#[test]
fn a_refusal_gives_back_who_was_refused_with_the_slot() {
    let room = room(PLAIN).unwrap();
    let way = Way::to(&room);
    let (domain, classes) = (city(), BTreeSet::from([class("name")]));
    let scope = TokenizeScope {
        domain: &domain,
        classes: &classes,
    };
    let admitted = way.walk("public-library").unwrap();
    let Err(refused) = room.policies.authorize_tokenize(admitted, scope) else {
        panic!("policy said yes");
    };
    assert_eq!(refused.denial, Denied::NotPermitted);
    assert_eq!(refused.policy, room.policies.digest());
    let caller = refused.admitted.caller();
    assert_eq!(caller.unit().name.as_str(), "public-library");

    assert_eq!(way.walk("treasury").err(), Some(Inadmissible::Busy));
    drop(refused);
    assert!(way.walk("treasury").is_ok());
}

#[test]
fn all_classes_of_a_request_are_permitted_or_none() {
    let name_only = TOKENIZE.replace("resource)", r#"resource == Jinku::DataClass::"name")"#);
    let room = room(&name_only).unwrap();
    let way = Way::to(&room);
    let domain = city();
    let ask = |names: &[&str]| {
        let classes: BTreeSet<ClassName> = names.iter().map(|name| class(name)).collect();
        let scope = TokenizeScope {
            domain: &domain,
            classes: &classes,
        };
        let admitted = way.walk("tax-bureau").unwrap();
        match room.policies.authorize_tokenize(admitted, scope) {
            Ok(proof) => Ok(proof.grant().classes() == &classes),
            Err(refused) => Err(refused.denial),
        }
    };
    assert_eq!(ask(&["name"]), Ok(true));
    assert_eq!(ask(&["name", "pan"]), Err(Denied::NotPermitted));
    assert_eq!(ask(&["name", "nothing"]), Err(Denied::UnknownClass));
}
