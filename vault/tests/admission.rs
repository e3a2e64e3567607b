//! May it speak now: each bound refuses by its own word, and a slot comes back when it is dropped.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType};
use vault::admission::{Admission, Admitted, Arrival, Bounds, Inadmissible, Load, Refused};
use vault::identity::{Caller, ClientCertificate, Identity, Presented};
use vault::model::{Calendars, Catalogue, Clock, Registry, RouteGroup, Timestamp};

/// 2026-06-01T00:00:00Z, a Monday, 08:00 in Taipei; and so many seconds later.
#[derive(Default)]
struct June(AtomicU64);

const JUNE: u64 = 1_780_272_000_000_000;

impl June {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for June {
    fn now(&self) -> Timestamp {
        Timestamp(JUNE + self.0.load(Ordering::Relaxed) * 1_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

struct Door {
    identity: Identity,
    admission: Admission,
    clock: Arc<June>,
    certificates: Vec<ClientCertificate>,
}

const UNITS: [&str; 2] = ["tax", "parks"];

/// Units with these extra lines in their registrations; so many requests at once, and so many that wait.
fn door_of(lines: [&str; 2], in_flight_max: usize, waiting_max: usize) -> Door {
    let catalogue = "levels = ['restricted']\nclass = []\ndomain = []";
    let catalogue = Catalogue::parse(catalogue).unwrap();
    let unit = |(name, lines): (&str, &str)| {
        format!(
            "[[unit]]\nname = '{name}'\ntitle_zh = '局'\ntitle_en = 'Unit'\nclearance = 'restricted'\n\
             certificate_uri = 'spiffe://test/unit/{name}'\n{lines}\n"
        )
    };
    let registry: String = UNITS.into_iter().zip(lines).map(unit).collect();
    let registry = Arc::new(Registry::parse(&registry, &catalogue).unwrap());
    let certificate = |name: &str| {
        let uri = format!("spiffe://test/unit/{name}");
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::read(signed.der())
    };
    let clock = Arc::new(June::default());
    let bounds = Bounds {
        in_flight_max,
        waiting_max,
        wait_max: Duration::from_mins(1),
    };
    let calendars = "[[calendar]]\nname = 'tw'\nholidays = ['2026-06-02']";
    let told: Arc<dyn Clock> = Arc::<June>::clone(&clock);
    Door {
        identity: Identity::new(registry, Vec::new(), Arc::clone(&told)),
        admission: Admission::new(bounds, told)
            .with_calendars(Calendars::parse(calendars).unwrap()),
        clock,
        certificates: UNITS.map(certificate).into(),
    }
}

/// One unit with these extra lines, where nobody waits.
fn door(lines: &str, in_flight_max: usize) -> Door {
    door_of([lines, ""], in_flight_max, 0)
}

fn from(source: &str, group: RouteGroup) -> Arrival {
    Arrival {
        source: source.parse().unwrap(),
        group,
        patience: None,
    }
}

impl Door {
    fn caller(&self, unit: usize) -> Caller {
        let presented = Presented {
            certificate: Some(&self.certificates[unit]),
            authorization: None,
        };
        self.identity.identify(&presented).unwrap()
    }

    async fn asked(&self, unit: usize, group: RouteGroup) -> Result<Admitted, Box<Refused>> {
        let arrival = from("127.0.0.1", group);
        self.admission.admit(self.caller(unit), arrival).await
    }

    async fn admit(&self, source: &str) -> Result<Admitted, Inadmissible> {
        let arrival = from(source, RouteGroup::Tokenize);
        let admitted = self.admission.admit(self.caller(0), arrival).await;
        admitted.map_err(|refused| refused.reason)
    }

    /// Why a request of the group is refused now, and when to come again.
    async fn refusal(&self, group: RouteGroup) -> Option<(Inadmissible, Option<u32>)> {
        let refused = self.asked(0, group).await.err()?;
        Some((refused.reason, refused.retry_after_seconds))
    }
}

#[tokio::test]
async fn only_registered_networks_are_let_in() {
    let door = door("networks = ['10.1.0.0/16', '2001:db8::/32']", 10);
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
        assert!(door.admit(inside).await.is_ok(), "{inside}");
    }
    for outside in ["10.2.0.1", "127.0.0.1", "2001:db9::1"] {
        let refused = door.admit(outside).await.err();
        assert_eq!(refused, Some(Inadmissible::Address), "{outside}");
    }
}

#[tokio::test]
async fn a_registration_counts_only_in_its_time() {
    let ended = door("valid_until = '2026-06-01T00:00:00Z'", 10);
    let refused = ended.admit("127.0.0.1").await.err();
    assert_eq!(refused, Some(Inadmissible::Validity));
    let coming = door("valid_from = '2026-06-01T00:00:01Z'", 10);
    let refused = coming.admit("127.0.0.1").await.err();
    assert_eq!(refused, Some(Inadmissible::Validity));
    let running = door(
        "valid_from = '2026-06-01T00:00:00Z'\nvalid_until = '2026-06-01T00:00:01Z'",
        10,
    );
    assert!(running.admit("127.0.0.1").await.is_ok());
}

#[tokio::test]
async fn a_unit_is_served_in_its_hours_and_not_on_holidays() {
    let door = door(
        "limits.zone = 'Asia/Taipei'\nlimits.hours.holidays = 'tw'\n\
         limits.hours.weekly = [{ days = 'mon-fri', from = '08:00', to = '18:00' }]",
        10,
    );
    let closed = Some((Inadmissible::Hours, None));
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, None);
    door.clock.pass(10 * 3_600 - 1);
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, None);
    door.clock.pass(1);
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, closed);
    // Tuesday is a holiday, Wednesday is not.
    door.clock.pass(14 * 3_600);
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, closed);
    door.clock.pass(24 * 3_600);
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, None);
}

#[tokio::test]
async fn only_open_routes_are_let_in() {
    let door = door("limits.routes = ['tokenize', 'receipts']", 10);
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, None);
    assert_eq!(door.refusal(RouteGroup::Receipts).await, None);
    for group in [RouteGroup::Detokenize, RouteGroup::Keys, RouteGroup::Other] {
        let refused = door.refusal(group).await;
        assert_eq!(refused, Some((Inadmissible::Route, None)));
    }
}

#[tokio::test]
async fn a_unit_that_asks_too_fast_is_slowed_down_and_told_for_how_long() {
    let door = door("requests_per_second = 3\nlimits.burst = 5", 10);
    for _ in 0..5 {
        assert_eq!(door.refusal(RouteGroup::Keys).await, None);
    }
    let slower = Some((Inadmissible::Rate, Some(1)));
    assert_eq!(door.refusal(RouteGroup::Keys).await, slower);
    door.clock.pass(1);
    for _ in 0..3 {
        assert_eq!(door.refusal(RouteGroup::Keys).await, None);
    }
    assert_eq!(door.refusal(RouteGroup::Keys).await, slower);
}

#[tokio::test]
async fn a_group_has_a_rate_and_a_quota_of_its_own() {
    let door = door(
        "requests_per_second = 100\nlimits.group.detokenize = { requests_per_second = 1, burst = 2 }\n\
         limits.group.keys.quota.day = 2",
        10,
    );
    for group in [RouteGroup::Detokenize, RouteGroup::Keys] {
        assert_eq!(door.refusal(group).await, None);
        assert_eq!(door.refusal(group).await, None);
    }
    let refused = door.refusal(RouteGroup::Detokenize).await;
    assert_eq!(refused, Some((Inadmissible::Rate, Some(1))));
    let refused = door.refusal(RouteGroup::Keys).await;
    assert_eq!(refused, Some((Inadmissible::Quota, Some(24 * 3_600))));
    assert_eq!(door.refusal(RouteGroup::Tokenize).await, None);
}

#[tokio::test]
async fn a_quota_begins_anew_at_the_unit_s_midnight() {
    let door = door(
        "limits.zone = 'Asia/Taipei'\nlimits.quota = { day = 3, month = 5 }",
        10,
    );
    let given = async || {
        let mut given = 0;
        while door.refusal(RouteGroup::Tokenize).await.is_none() {
            given += 1;
        }
        given
    };
    assert_eq!(given().await, 3);
    let refused = door.refusal(RouteGroup::Tokenize).await;
    assert_eq!(refused, Some((Inadmissible::Quota, Some(16 * 3_600))));
    door.clock.pass(16 * 3_600);
    assert_eq!(given().await, 2);
}

#[tokio::test]
async fn a_slot_comes_back_when_it_is_dropped() {
    let door = door("", 1);
    let first = door.admit("127.0.0.1").await.unwrap();
    let busy = door.refusal(RouteGroup::Tokenize).await;
    assert_eq!(busy, Some((Inadmissible::Busy, Some(60))));
    drop(first);
    assert!(door.admit("127.0.0.1").await.is_ok());
}

#[tokio::test]
async fn while_the_vault_is_full_a_high_priority_goes_first_and_one_that_is_shed_costs_no_quota() {
    let low = "limits.priority = 'low'\nlimits.quota.day = 3";
    let door = door_of([low, "limits.priority = 'high'"], 1, 2);
    let mut context = Context::from_waker(Waker::noop());
    let first = door.asked(0, RouteGroup::Tokenize).await;
    let mut low = pin!(door.asked(0, RouteGroup::Tokenize));
    assert!(low.as_mut().poll(&mut context).is_pending());
    let mut other = pin!(door.asked(0, RouteGroup::Tokenize));
    assert!(other.as_mut().poll(&mut context).is_pending());
    // Full: the low unit's second one has to go for it.
    let mut high = pin!(door.asked(1, RouteGroup::Tokenize));
    assert!(high.as_mut().poll(&mut context).is_pending());
    match other.as_mut().poll(&mut context) {
        Poll::Ready(Err(refused)) => assert_eq!(refused.reason, Inadmissible::Busy),
        _ => panic!("it was not shed"),
    }
    let full = Load {
        in_flight: 1,
        waiting: 2,
    };
    assert_eq!(door.admission.load(), full);
    // The low one came first, and goes second.
    drop(first);
    assert!(low.as_mut().poll(&mut context).is_pending());
    let served = high.as_mut().poll(&mut context);
    assert!(matches!(&served, Poll::Ready(Ok(_))));
    assert!(low.as_mut().poll(&mut context).is_pending());
    drop(served);
    assert!(matches!(
        low.as_mut().poll(&mut context),
        Poll::Ready(Ok(_))
    ));
    // Two of three were let in.
    assert!(door.asked(0, RouteGroup::Tokenize).await.is_ok());
    let refused = door.refusal(RouteGroup::Tokenize).await;
    assert_eq!(refused.map(|(reason, _)| reason), Some(Inadmissible::Quota));
}
