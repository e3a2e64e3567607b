//! The cache with a clock, a loader and an HSM of the test's own.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{CacheError, CacheHealth, CacheLimits, KeyCache};
use crate::error::{Error, HsmError};
use crate::key::{KeyId, KeyKind, WrappedKey};
use crate::opened::OpenKey;

const TTL: Duration = Duration::from_secs(80);
const GRACE: Duration = Duration::from_secs(40);

type Answer = Result<Arc<OpenKey>, CacheError<Infallible>>;

struct Bench {
    cache: KeyCache,
    now: Arc<Mutex<Instant>>,
    opened: AtomicUsize,
}

impl Bench {
    fn new(keys_max: usize) -> Self {
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&now);
        let limits = CacheLimits {
            bytes_max: 1 << 20,
            keys_max,
            ttl: TTL,
            grace: GRACE,
        };
        Self {
            cache: KeyCache::new(limits, move || *clock.lock().unwrap()),
            now,
            opened: AtomicUsize::new(0),
        }
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    /// Asks while the HSM works.
    fn ask(&self, id: &KeyId, version: u32) -> Answer {
        self.ask_hsm(id, version, opens)
    }

    fn ask_hsm(
        &self,
        id: &KeyId,
        version: u32,
        hsm: impl FnOnce(&WrappedKey) -> Result<OpenKey, Error>,
    ) -> Answer {
        let load = || Ok(wrapped(id, version));
        self.cache.open_with(id, version, load, |wrapped| {
            self.opened.fetch_add(1, Ordering::SeqCst);
            hsm(wrapped)
        })
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

fn id(name: &str) -> KeyId {
    KeyId::parse(name).unwrap()
}

fn wrapped(id: &KeyId, version: u32) -> WrappedKey {
    WrappedKey::from_parts(id.clone(), version, KeyKind::HmacSha256, Vec::new())
}

fn opens(wrapped: &WrappedKey) -> Result<OpenKey, Error> {
    OpenKey::new(wrapped, &[7; 32])
}

fn fails(_: &WrappedKey) -> Result<OpenKey, Error> {
    Err(Error::Hsm(HsmError::Tampered {
        function: "C_Decrypt",
    }))
}

#[test]
fn a_young_key_is_served_without_the_hsm() {
    let bench = Bench::new(10);
    let first = bench.ask(&id("a"), 1).unwrap();
    bench.pass(TTL / 2);
    let second = bench.ask_hsm(&id("a"), 1, fails).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(bench.opened(), 1);
    assert_eq!(bench.cache.held(), (1, first.bytes_held()));
}

#[test]
fn an_aged_key_is_opened_anew_and_shortly_before_that() {
    for age in [TTL / 16 * 15, TTL] {
        let bench = Bench::new(10);
        let first = bench.ask(&id("a"), 1).unwrap();
        bench.pass(age);
        let second = bench.ask(&id("a"), 1).unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "{age:?}");
        assert_eq!(bench.cache.held().0, 1);
    }
}

#[test]
fn an_outage_is_bridged_by_the_grace_and_no_longer() {
    let bench = Bench::new(10);
    bench.ask(&id("a"), 1).unwrap();
    assert_eq!(bench.cache.health(), CacheHealth::Ready);
    bench.pass(TTL);
    bench.ask_hsm(&id("a"), 1, fails).unwrap();
    bench.pass(GRACE.saturating_sub(Duration::from_millis(1)));
    bench.ask_hsm(&id("a"), 1, fails).unwrap();
    let since = GRACE.saturating_sub(Duration::from_millis(1));
    assert_eq!(bench.cache.health(), CacheHealth::Degraded { since });
    bench.pass(Duration::from_millis(1));
    let late = bench.ask_hsm(&id("a"), 1, fails);
    assert!(late.is_err_and(|error| error.is_outage()));
    bench.pass(Duration::from_secs(6));
    bench.ask(&id("a"), 1).unwrap();
    assert_eq!(bench.cache.health(), CacheHealth::Ready);
}

#[test]
fn after_a_failure_the_hsm_is_left_alone_for_a_while() {
    let bench = Bench::new(10);
    assert!(matches!(
        bench.ask_hsm(&id("a"), 1, fails),
        Err(CacheError::Open(_))
    ));
    let Err(CacheError::Waiting { retry_after }) = bench.ask(&id("a"), 1) else {
        panic!("asked again at once");
    };
    assert!(retry_after >= Duration::from_millis(25) && retry_after <= Duration::from_millis(50));
    assert_eq!(bench.opened(), 1);
    bench.ask(&id("b"), 1).unwrap();
    bench.pass(retry_after);
    bench.ask(&id("a"), 1).unwrap();
}

#[test]
fn an_altered_key_is_refused_at_once_whatever_the_grace() {
    let bench = Bench::new(10);
    bench.ask(&id("a"), 1).unwrap();
    bench.pass(TTL);
    let altered = bench.ask_hsm(&id("a"), 1, |_| Err(Error::Unopened));
    assert!(matches!(altered, Err(CacheError::Open(Error::Unopened))));
    assert_eq!(bench.cache.held(), (0, 0));
}

#[test]
fn a_loader_that_gives_another_key_is_refused() {
    let bench = Bench::new(10);
    let load = || Ok::<_, Infallible>(wrapped(&id("b"), 1));
    let answer = bench.cache.open_with(&id("a"), 1, load, opens);
    assert!(matches!(answer, Err(CacheError::Open(Error::Unopened))));
    assert_eq!(bench.cache.held().0, 0);
}

#[test]
fn many_who_ask_at_once_open_it_once() {
    let bench = Bench::new(10);
    let ready = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                ready.wait();
                bench.ask(&id("a"), 1).unwrap();
            });
        }
    });
    assert_eq!(bench.opened(), 1);
}

#[test]
fn a_key_forgotten_while_it_is_opened_is_not_kept() {
    for forget in [
        (|bench: &Bench| bench.cache.forget(&id("a"))) as fn(&Bench),
        |bench| bench.cache.clear(),
    ] {
        let bench = Bench::new(10);
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let bench = &bench;
            scope.spawn(move || {
                bench.ask_hsm(&id("a"), 1, |wrapped| {
                    begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    opens(wrapped)
                })
            });
            has_begun.recv().unwrap();
            forget(bench);
            // Whoever asks from now on opens it anew, and that is kept.
            bench.ask(&id("a"), 2).unwrap();
            go_on.send(()).unwrap();
        });
        assert_eq!(bench.cache.held().0, 1);
        assert!(bench.cache.shard(&id("a")).find(&id("a"), 1).is_none());
    }
}

#[test]
fn a_slow_hsm_holds_up_one_who_asks_and_not_the_others() {
    for (age, name) in [(TTL / 16 * 15, "still fresh"), (TTL, "within its grace")] {
        let bench = Bench::new(10);
        let old = bench.ask(&id("a"), 1).unwrap();
        bench.pass(age);
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let bench = &bench;
            let slow = scope.spawn(move || {
                bench.ask_hsm(&id("a"), 1, |wrapped| {
                    begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    opens(wrapped)
                })
            });
            has_begun.recv().unwrap();
            let meanwhile = bench.ask(&id("a"), 1).unwrap();
            assert!(Arc::ptr_eq(&meanwhile, &old), "{name}");
            go_on.send(()).unwrap();
            assert!(!Arc::ptr_eq(&slow.join().unwrap().unwrap(), &old));
        });
    }
}

#[test]
fn a_panic_while_opening_leaves_nobody_waiting() {
    let bench = Bench::new(10);
    let (begun, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let opener = scope.spawn(|| {
            bench.ask_hsm(&id("a"), 1, |_| {
                begun.send(()).unwrap();
                panic!("the test's own")
            })
        });
        has_begun.recv().unwrap();
        bench.ask(&id("a"), 1).unwrap();
        assert!(opener.join().is_err());
    });
}

#[test]
fn all_versions_are_forgotten_and_no_other_key() {
    let bench = Bench::new(10);
    for version in 1..=3 {
        bench.ask(&id("a"), version).unwrap();
    }
    bench.ask(&id("b"), 1).unwrap();
    bench.cache.forget(&id("a"));
    assert_eq!(bench.cache.held().0, 1);
    bench.ask_hsm(&id("b"), 1, fails).unwrap();
    bench.cache.clear();
    assert_eq!(bench.cache.held(), (0, 0));
}

#[test]
fn what_is_asked_for_stays_and_the_rest_makes_room() {
    let bench = Bench::new(3);
    for name in ["a", "b", "c"] {
        bench.ask(&id(name), 1).unwrap();
    }
    for name in ["d", "e", "f", "g"] {
        bench.ask_hsm(&id("a"), 1, fails).unwrap();
        bench.ask(&id(name), 1).unwrap();
    }
    bench.ask_hsm(&id("a"), 1, fails).unwrap();
    assert_eq!(bench.cache.held().0, 3);
}

#[test]
fn bytes_are_bounded_too() {
    let one = opens(&wrapped(&id("a"), 1)).unwrap().bytes_held();
    let limits = CacheLimits {
        bytes_max: 2 * one,
        keys_max: 10,
        ttl: TTL,
        grace: GRACE,
    };
    let cache = KeyCache::new(limits, Instant::now);
    for name in ["a", "b", "c"] {
        let load = || Ok::<_, Infallible>(wrapped(&id(name), 1));
        cache.open_with(&id(name), 1, load, opens).unwrap();
    }
    assert_eq!(cache.held(), (2, 2 * one));
}

#[test]
fn what_nobody_asks_for_is_swept_when_its_time_is_over() {
    let bench = Bench::new(10);
    bench.ask(&id("a"), 1).unwrap();
    bench.pass((TTL + GRACE).saturating_sub(Duration::from_millis(1)));
    bench.ask(&id("b"), 1).unwrap();
    bench.cache.sweep();
    assert_eq!(bench.cache.held().0, 2);
    bench.pass(Duration::from_millis(1));
    bench.cache.sweep();
    assert_eq!(bench.cache.held().0, 1);
}

#[test]
fn a_large_cache_keeps_its_bounds_over_all_shards() {
    let bench = Bench::new(1000);
    for number in 0..3000 {
        bench.ask(&id(&format!("key-{number}")), 1).unwrap();
    }
    let (keys, _) = bench.cache.held();
    assert!(keys <= 1000 && keys > 900, "{keys}");
}
