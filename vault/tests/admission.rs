//! May it speak now: each bound refuses by its own word, and a slot comes back when it is dropped.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};
use vault::admission::{Admission, Admitted, Inadmissible};
use vault::identity::{Caller, Identity, Presented};
use vault::model::{Catalogue, Clock, Registry, Timestamp};

/// 2026-06-01T00:00:00Z.
struct June;

impl Clock for June {
    fn now(&self) -> Timestamp {
        Timestamp(1_780_272_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Door {
    identity: Identity,
    admission: Admission,
    certificate: Vec<u8>,
}

/// One unit with these extra lines in its registration.
fn door(lines: &str, in_flight_max: usize) -> Door {
    let catalogue = "levels = ['restricted']\nclass = []\ndomain = []";
    let catalogue = Catalogue::parse(catalogue).unwrap();
    let registry = format!(
        "[[unit]]\nname = 'tax'\ntitle_zh = '稅'\ntitle_en = 'Tax'\nclearance = 'restricted'\n\
         certificate_uri = 'spiffe://test/unit/tax'\n{lines}\n"
    );
    let registry = Arc::new(Registry::parse(&registry, &catalogue).unwrap());
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.subject_alt_names = vec![SanType::URI("spiffe://test/unit/tax".try_into().unwrap())];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Door {
        identity: Identity::new(Arc::clone(&registry), Vec::new(), Arc::new(June)),
        admission: Admission::new(in_flight_max, Arc::new(June)),
        certificate: certificate.der().to_vec(),
    }
}

impl Door {
    fn caller(&self) -> Caller {
        let presented = Presented {
            certificate: Some(&self.certificate),
            authorization: None,
        };
        self.identity.identify(&presented).unwrap()
    }

    fn admit(&self, source: &str) -> Result<Admitted, Inadmissible> {
        let admitted = self.admission.admit(self.caller(), source.parse().unwrap());
        admitted.map_err(|refused| refused.reason)
    }
}

#[test]
fn only_registered_networks_are_let_in() {
    let door = door("networks = ['10.1.0.0/16', '2001:db8::/32']", 10);
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
        assert!(door.admit(inside).is_ok(), "{inside}");
    }
    for outside in ["10.2.0.1", "127.0.0.1", "2001:db9::1"] {
        assert_eq!(
            door.admit(outside).err(),
            Some(Inadmissible::Address),
            "{outside}"
        );
    }
}

#[test]
fn a_registration_counts_only_in_its_time() {
    let ended = door("valid_until = '2026-06-01T00:00:00Z'", 10);
    assert_eq!(ended.admit("127.0.0.1").err(), Some(Inadmissible::Validity));
    let coming = door("valid_from = '2026-06-01T00:00:01Z'", 10);
    assert_eq!(
        coming.admit("127.0.0.1").err(),
        Some(Inadmissible::Validity)
    );
    let running = door(
        "valid_from = '2026-06-01T00:00:00Z'\nvalid_until = '2026-06-01T00:00:01Z'",
        10,
    );
    assert!(running.admit("127.0.0.1").is_ok());
}

#[test]
fn a_unit_that_asks_too_fast_is_slowed_down() {
    let door = door("requests_per_second = 3", 10);
    let outcomes: Vec<_> = (0..5).map(|_| door.admit("127.0.0.1").err()).collect();
    assert_eq!(outcomes[..3], [None, None, None]);
    assert_eq!(outcomes[4], Some(Inadmissible::Rate));
}

#[test]
fn a_slot_comes_back_when_it_is_dropped() {
    let door = door("", 1);
    let first = door.admit("127.0.0.1").unwrap();
    assert_eq!(door.admit("127.0.0.1").err(), Some(Inadmissible::Busy));
    drop(first);
    assert!(door.admit("127.0.0.1").is_ok());
}
