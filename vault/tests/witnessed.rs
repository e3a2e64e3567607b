//! Publishing with witnesses, on a real database: what counts as a cosignature, what is asked, and what a
//! publisher that was broken off is held to.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger::witness::{AddCheckpoint, WatchedLog};
use ledger::{
    ANY_TIME, Checkpoint, Cosigned, Facts, Operation, Origin, Outcome, Policy, VerifierKey,
    WitnessKey, cosignature_line, cosigned, cosigned_text,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use vault::commit::{
    Ask, CheckpointSigner, Committer, OpenLog, PublishError, Publisher, Record, Withheld,
    WitnessAnswer, WitnessFault, Witnesses, WriterThread,
};
use vault::model::{Clock, SystemClock};
use vault::store::{Change, Database};

const ORIGIN: &str = "test.example/node";
/// A publisher that works when it is told to, and not before.
const NEVER: Duration = Duration::from_hours(1);
const LONG: Duration = Duration::from_secs(20);

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn signed(pair: &Ed25519KeyPair, text: &str) -> [u8; 64] {
    pair.sign(text.as_bytes()).as_ref().try_into().unwrap()
}

fn log_key() -> VerifierKey {
    VerifierKey::new(ORIGIN, pair(3).public_key().as_ref().try_into().unwrap()).unwrap()
}

/// A witness in this process: the library's judgement, and what it saw.
#[derive(Default)]
struct Eye {
    seen: Mutex<Option<Checkpoint>>,
    /// Sizes that it was asked to go on from.
    asked_from: Mutex<Vec<u64>>,
    /// How far its clock stands back, in seconds.
    behind_s: AtomicU64,
    /// How many times more it gives its line.
    repeats: AtomicUsize,
    /// What it answers in place of a judgement.
    instead: Mutex<Option<Result<WitnessAnswer, String>>>,
}

impl Eye {
    fn key() -> WitnessKey {
        let public = pair(9).public_key().as_ref().try_into().unwrap();
        WitnessKey::new("witness.example/w1", public).unwrap()
    }

    fn answers(&self, instead: Option<Result<WitnessAnswer, String>>) {
        *self.instead.lock().unwrap() = instead;
    }

    fn away(&self) {
        self.answers(Some(Err("away".to_owned())));
    }

    fn answer(&self, body: &str) -> Result<WitnessAnswer, String> {
        if let Some(instead) = self.instead.lock().unwrap().clone() {
            return instead;
        }
        let request = AddCheckpoint::parse(body).unwrap();
        self.asked_from.lock().unwrap().push(request.old_size);
        let log = WatchedLog {
            origin: Origin::parse(ORIGIN).unwrap(),
            keys: vec![log_key()],
        };
        let mut seen = self.seen.lock().unwrap();
        let judged = request.judge(&log, seen.as_ref());
        Ok(match judged {
            Ok(checkpoint) => {
                let now_s = SystemClock::new().now().0 / 1_000_000;
                let time_s = now_s - self.behind_s.load(Ordering::Relaxed);
                let signature = signed(&pair(9), &cosigned_text(&checkpoint.body(), time_s));
                let line = cosignature_line(&Self::key(), time_s, &signature);
                *seen = Some(checkpoint);
                WitnessAnswer {
                    status: 200,
                    body: format!("{line}\n").repeat(1 + self.repeats.load(Ordering::Relaxed)),
                }
            }
            Err(refused) => WitnessAnswer {
                status: refused.status(),
                body: refused
                    .size()
                    .map_or_else(String::new, |size| format!("{size}\n")),
            },
        })
    }
}

struct Desk {
    committer: Committer,
    publisher: Publisher,
    _writer: WriterThread,
    _database: Database,
}

impl Desk {
    fn opened(folder: &Path, eye: &Arc<Eye>) -> Result<Self, PublishError> {
        let database = Database::open(&folder.join("vault.db")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let log = pair(3);
        let signer = CheckpointSigner {
            key: log_key(),
            sign: Box::new(move |body| Ok(log.sign(body).as_ref().try_into().unwrap())),
            second: None,
        };
        let policy = format!("witness w1 {}\nquorum w1\n", Eye::key());
        let asked = Arc::clone(eye);
        let ask: Ask = Box::new(move |body| asked.answer(&body));
        let witnesses = Witnesses {
            policy: Policy::parse(policy.as_bytes()).unwrap(),
            asks: vec![Some(ask)],
            deadline: LONG,
        };
        let origin = Origin::parse(ORIGIN).unwrap();
        let publisher = Publisher::start(
            &folder.join("ledger"),
            origin.clone(),
            signer,
            (database.reader(), Arc::clone(&clock)),
            NEVER,
            Some(witnesses),
        )?;
        let log = OpenLog {
            origin,
            writer: database.writer().unwrap(),
            clock,
            boot: [1; 8],
            deadline: LONG,
        };
        let (committer, writer) = WriterThread::start(log, &database.reader()).unwrap();
        Ok(Self {
            committer,
            publisher,
            _writer: writer,
            _database: database,
        })
    }

    async fn record(&self, entries: u64) {
        for _ in 0..entries {
            let record = Record::single(Change::none(), Facts::new(Operation::Search, Outcome::Ok));
            self.committer
                .record(record, Withheld::nothing())
                .await
                .unwrap();
        }
    }

    fn fault(&self) -> String {
        match self.publisher.publish().unwrap_err() {
            PublishError::Unwitnessed { faults, .. } => faults,
            other => other.to_string(),
        }
    }
}

fn note(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join("ledger/checkpoint")).ok()
}

#[tokio::test]
async fn nothing_is_published_before_it_is_cosigned() {
    let (folder, eye) = (tempfile::tempdir().unwrap(), Arc::new(Eye::default()));
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(5).await;
    let line = |time_s: u64, key: &WitnessKey| {
        let signature = signed(&pair(8), &cosigned_text("another\n", time_s));
        cosignature_line(key, time_s, &signature) + "\n"
    };
    let said = |status, body: &str| {
        Some(Ok(WitnessAnswer {
            status,
            body: body.to_owned(),
        }))
    };
    let now_s = SystemClock::new().now().0 / 1_000_000;
    for (answer, expected) in [
        (Some(Err("away".to_owned())), "away"),
        (said(404, ""), "404"),
        (said(409, "x\n"), "409"),
        (said(200, ""), "no fresh cosignature"),
        (said(200, "ok\n"), "no fresh cosignature"),
        (said(200, &line(now_s, &Eye::key())), "no fresh cosignature"),
        (said(422, ""), "another history"),
        (said(409, "7\n"), "has cosigned 7 entries"),
    ] {
        eye.answers(answer);
        let fault = desk.fault();
        assert!(fault.contains(expected), "{expected}: {fault}");
        assert_eq!(note(folder.path()), None);
    }
    assert_eq!(
        (
            *desk.publisher.integrated().borrow(),
            *desk.publisher.published().borrow()
        ),
        (6, 0)
    );
    // One whose clock stands back is no witness of now.
    eye.answers(None);
    eye.behind_s.store(301, Ordering::Relaxed);
    assert!(desk.fault().contains("no fresh cosignature"));
    eye.behind_s.store(290, Ordering::Relaxed);
    assert_eq!(desk.publisher.publish().unwrap().size(), 6);
    let published = note(folder.path()).unwrap();
    assert!(matches!(
        cosigned(&published, &Eye::key(), &ANY_TIME),
        Ok(Cosigned::At(_))
    ));
}

// As many good lines as an answer takes: with all of them the checkpoint would be too long to be read again.
#[tokio::test]
async fn of_a_witness_one_line_is_published() {
    let (folder, eye) = (tempfile::tempdir().unwrap(), Arc::new(Eye::default()));
    eye.repeats.store(479, Ordering::Relaxed);
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(2).await;
    desk.publisher.publish().unwrap();
    drop(desk);
    let published = note(folder.path()).unwrap();
    assert_eq!(published.matches("witness.example/w1").count(), 1);
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(1).await;
    assert_eq!(desk.publisher.publish().unwrap().size(), 4);
}

#[tokio::test]
async fn a_witness_is_asked_from_the_size_that_it_saw() {
    let (folder, eye) = (tempfile::tempdir().unwrap(), Arc::new(Eye::default()));
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(2).await;
    desk.publisher.publish().unwrap();
    desk.record(300).await;
    desk.publisher.publish().unwrap();
    drop(desk);
    // After a start it is asked from what is published, and nothing more was needed.
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(1).await;
    desk.publisher.publish().unwrap();
    assert_eq!(*eye.asked_from.lock().unwrap(), [0, 3, 303]);
    // A witness that comes new is asked from the size that it names.
    *eye.seen.lock().unwrap() = None;
    desk.record(1).await;
    desk.publisher.publish().unwrap();
    assert_eq!(eye.asked_from.lock().unwrap()[3..], [304, 0]);
}

// The witness cosigned, and the process ended before the checkpoint took its place.
#[tokio::test]
async fn what_a_witness_may_have_seen_binds_the_log() {
    let (folder, eye) = (tempfile::tempdir().unwrap(), Arc::new(Eye::default()));
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(2).await;
    desk.publisher.publish().unwrap();
    drop(desk);
    let copy = folder.path().join("copy.db");
    std::fs::copy(folder.path().join("vault.db"), &copy).unwrap();
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(3).await;
    eye.away();
    assert!(desk.fault().contains("away"));
    drop(desk);
    assert!(folder.path().join("ledger.intended").exists());
    // The database goes back to what is published: with nobody to ask, it is refused all the same.
    let newest = folder.path().join("newest.db");
    std::fs::rename(folder.path().join("vault.db"), &newest).unwrap();
    for suffix in ["vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(suffix));
    }
    std::fs::copy(&copy, folder.path().join("vault.db")).unwrap();
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    assert!(matches!(
        desk.publisher.publish(),
        Err(PublishError::Rollback)
    ));
    // As many entries as were signed, and others.
    desk.record(3).await;
    eye.answers(None);
    assert!(matches!(
        desk.publisher.publish(),
        Err(PublishError::Rollback)
    ));
    desk.record(5).await;
    assert!(matches!(
        desk.publisher.publish(),
        Err(PublishError::Rollback)
    ));
    drop(desk);
    // The newest one goes on where it was.
    for suffix in ["vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(suffix));
    }
    std::fs::rename(&newest, folder.path().join("vault.db")).unwrap();
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    assert_eq!(desk.publisher.publish().unwrap().size(), 6);
    assert!(!folder.path().join("ledger.intended").exists());
}

#[tokio::test]
async fn a_witness_of_another_past_is_told_from_one_that_is_away() {
    let (folder, eye) = (tempfile::tempdir().unwrap(), Arc::new(Eye::default()));
    let desk = Desk::opened(folder.path(), &eye).unwrap();
    desk.record(2).await;
    desk.publisher.publish().unwrap();
    // Another node of this name was cosigned meanwhile.
    let forked = Checkpoint {
        origin: Origin::parse(ORIGIN).unwrap(),
        size: 3,
        root: ledger::Hash([7; 32]),
    };
    *eye.seen.lock().unwrap() = Some(forked.clone());
    desk.record(1).await;
    let contradicted = desk.publisher.publish().unwrap_err();
    assert!(
        matches!(
            &contradicted,
            PublishError::Contradicted {
                fault: WitnessFault::OtherHistory,
                ..
            }
        ),
        "{contradicted}"
    );
    *eye.seen.lock().unwrap() = Some(Checkpoint { size: 50, ..forked });
    let contradicted = desk.publisher.publish().unwrap_err();
    assert!(
        matches!(
            &contradicted,
            PublishError::Contradicted {
                fault: WitnessFault::Ahead(50),
                ..
            }
        ),
        "{contradicted}"
    );
}
