//! A crash in the midst of publishing, at each step: what it leaves is mended by the next start, or refused openly.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger::verify::{Options, verify_archive};
use ledger::{Facts, Operation, Origin, Outcome, Trust, VerifierKey, framed_note, read_frames};
use ring::signature::{Ed25519KeyPair, KeyPair};
use vault::commit::{
    CheckpointSigner, Committer, OpenLog, PublishError, Publisher, Record, Withheld, WriterThread,
};
use vault::model::SystemClock;
use vault::store::{Change, Database};

const ORIGIN: &str = "test.example/node";
/// A publisher that works when it is told to, and not before.
const NEVER: Duration = Duration::from_hours(1);
const LONG: Duration = Duration::from_secs(20);
/// What was published before the crash, and what is published when it comes: the leaf tile is filled by it.
const SIZES: [u64; 2] = [250, 300];

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()
}

fn key() -> VerifierKey {
    VerifierKey::new(ORIGIN, pair().public_key().as_ref().try_into().unwrap()).unwrap()
}

/// A database with its log, which the test publishes as often as it likes.
struct Desk {
    folder: tempfile::TempDir,
    database: Database,
    committer: Committer,
    _writer: WriterThread,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let log = OpenLog {
            origin: Origin::parse(ORIGIN).unwrap(),
            writer: database.writer().unwrap(),
            clock: Arc::new(SystemClock::new()),
            boot: [1; 8],
            deadline: LONG,
        };
        let (committer, writer) = WriterThread::start(log, &database.reader()).unwrap();
        Self {
            folder,
            database,
            committer,
            _writer: writer,
        }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    async fn grow(&self, size: u64) {
        loop {
            let facts = Facts::new(Operation::Detokenize, Outcome::Denied);
            let record = Record::single(Change::none(), facts);
            let written = self.committer.record(record, Withheld::nothing()).await;
            if written.unwrap().1.seq() + 1 >= size {
                return;
            }
        }
    }

    /// A publisher's start, one round of it, and its end.
    fn publish(&self) -> Result<u64, PublishError> {
        let pair = pair();
        let sign = move |bytes: &[u8]| Ok(pair.sign(bytes).as_ref().try_into().unwrap());
        let signer = CheckpointSigner {
            key: key(),
            sign: Box::new(sign),
            second: None,
        };
        let origin = Origin::parse(ORIGIN).unwrap();
        let beside = (
            self.database.reader(),
            Arc::new(SystemClock::new()) as Arc<_>,
        );
        let publisher = Publisher::start(&self.ledger(), origin, signer, beside, NEVER, None)?;
        Ok(publisher.publish()?.size())
    }

    /// The archive is whole, and its history has all that was published.
    fn assert_sound(&self, case: &str) {
        let trust = Trust {
            key: Some(key()),
            ..Trust::default()
        };
        let report = verify_archive(&self.ledger(), &trust, &Options::default());
        assert_eq!(report.exit_code, 0, "{case}: {:?}", report.findings);
        let (_, notes) = day(&self.ledger());
        let sizes: Vec<u64> = read_frames(&notes)
            .unwrap()
            .iter()
            .map(|note| note.lines().nth(1).unwrap().parse().unwrap())
            .collect();
        let mut sorted = sizes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sizes, sorted, "{case}: each once, in order");
        assert_eq!(sizes[..1], SIZES[..1], "{case}");
        assert_eq!(sizes.last(), SIZES.last(), "{case}");
    }
}

/// The one file of archived checkpoints, and its text.
fn day(ledger: &Path) -> (PathBuf, String) {
    let all = files(ledger);
    let file = all
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "notes"));
    let path = ledger.join(file.unwrap());
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// Every file, relative, in the order in which publishing writes them.
fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    let step = |path: &PathBuf| match path.iter().next().and_then(|name| name.to_str()) {
        Some("checkpoint") => 1,
        Some("checkpoints") => 2,
        _ => 0,
    };
    found.sort_by_key(|path| (step(path), path.clone()));
    found
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    for file in files(from) {
        put(&to.join(&file), &fs::read(from.join(&file)).unwrap());
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A desk whose log was published twice, and the ledger directory as it was after each.
async fn published_twice() -> (Desk, PathBuf, PathBuf) {
    let desk = Desk::new();
    let [before, after] = ["before", "after"].map(|name| desk.folder.path().join(name));
    for (size, saved) in SIZES.iter().zip([&before, &after]) {
        desk.grow(*size).await;
        assert_eq!(desk.publish().unwrap(), *size);
        copy(&desk.ledger(), saved);
    }
    desk.assert_sound("no crash");
    (desk, before, after)
}

// The steps of publishing are files that are written one after another: the crash comes behind each, and in each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_of_publishing_is_mended() {
    let (desk, before, after) = published_twice().await;
    let changed: Vec<PathBuf> = files(&after)
        .into_iter()
        .filter(|file| fs::read(before.join(file)).ok() != fs::read(after.join(file)).ok())
        .collect();
    assert!(changed.len() > 5);
    for (step, file) in changed.iter().enumerate() {
        let bytes = fs::read(after.join(file)).unwrap();
        for length in [0, bytes.len() / 2, bytes.len()] {
            copy(&before, &desk.ledger());
            for done in &changed[..step] {
                put(
                    &desk.ledger().join(done),
                    &fs::read(after.join(done)).unwrap(),
                );
            }
            // Written beside its place first; the archive alone is appended to.
            if !file.starts_with("checkpoints") {
                let mut name = file.clone().into_os_string();
                name.push(".new");
                put(&desk.ledger().join(name), &bytes[..length]);
            }
            assert_eq!(desk.publish().unwrap(), SIZES[1]);
            desk.assert_sound(&format!("{length} bytes of {}", file.display()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_torn_anywhere_is_archived_again() {
    let (desk, _, after) = published_twice().await;
    let (path, text) = day(&after);
    let path = path.strip_prefix(&after).unwrap();
    let last = framed_note(read_frames(&text).unwrap().last().unwrap()).len();
    for torn in 0..=last {
        copy(&after, &desk.ledger());
        let place = desk.ledger().join(path);
        let mut bytes = text.as_bytes()[..text.len() - last + torn].to_vec();
        put(&place, &bytes);
        assert_eq!(desk.publish().unwrap(), SIZES[1], "{torn}");
        assert_eq!(fs::read_to_string(&place).unwrap(), text, "{torn}");
        // A disk that had not got so far when the power went.
        bytes.resize(text.len() - last / 3, 0);
        put(&place, &bytes);
        assert_eq!(desk.publish().unwrap(), SIZES[1], "{torn}");
        assert_eq!(fs::read_to_string(&place).unwrap(), text, "{torn}");
    }
    desk.assert_sound("torn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_crash_leaves_is_refused_and_not_touched() {
    let (desk, _, after) = published_twice().await;
    let (path, text) = day(&after);
    let path = path.strip_prefix(&after).unwrap();
    for more in ["x", "#12\n", "#5\nabc", "\n"] {
        copy(&after, &desk.ledger());
        let (place, bad) = (desk.ledger().join(path), format!("{text}{more}"));
        put(&place, bad.as_bytes());
        let refused = desk.publish();
        assert!(
            matches!(refused, Err(PublishError::Archive(_))),
            "{more}: {refused:?}"
        );
        assert_eq!(fs::read_to_string(&place).unwrap(), bad);
    }
}
