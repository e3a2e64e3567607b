//! `kill -9` in the midst of publishing: whatever it leaves verifies, as far as it was signed, and the next start goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;

/// How often the vault is killed at least, and until when it is at most.
const ROUNDS_MIN: usize = 4;
const ROUNDS_MAX: usize = 24;
const TIME_MAX: Duration = Duration::from_secs(14);
/// A load that went so far unseen ends all the same: disks may be faster than eyes.
const CALLS_MAX: usize = 400;

/// Every file below a folder; those that go meanwhile are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if name.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(name.path());
            } else {
                found.push(name.path());
            }
        }
    }
    found
}

/// Whether a file stands beside its place: it is being written.
fn is_writing(ledger: &Path) -> bool {
    let fresh = |path: &PathBuf| path.extension().is_some_and(|end| end == "new");
    files(ledger).iter().any(fresh)
}

/// Whether the checkpoint that stands is archived too.
fn is_archived(ledger: &Path) -> bool {
    let checkpoint = std::fs::read_to_string(ledger.join("checkpoint")).unwrap_or_default();
    let archived = files(&ledger.join("checkpoints"));
    let mut archived = archived
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok());
    checkpoint.is_empty() || archived.any(|notes| notes.contains(&checkpoint))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_leaves_of_publishing_verifies_and_is_mended() {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        "[ledger]\npublish_interval_ms = 1\n",
    );
    house.serve();
    let ledger = house.directory().join("data/ledger");
    let (begun, mut torn) = (Instant::now(), Vec::new());
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS_MIN && (begun.elapsed() > TIME_MAX || torn.len() > ROUNDS_MIN) {
            break;
        }
        let calls = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = house.client(Some("tax-bureau"));
                let prefix = format!("p{round}-c{number}");
                tokio::spawn(load(client, prefix, Arc::default(), Arc::clone(&calls)))
            })
            .collect();
        // Some way into the load, so that the bundles fill; then at once when a file is seen that is not in its place.
        let moment = rand::rng().random_range(5..60);
        while calls.load(Ordering::SeqCst) < moment {
            assert!(!clients.iter().all(tokio::task::JoinHandle::is_finished));
            tokio::task::yield_now().await;
        }
        while !is_writing(&ledger) && calls.load(Ordering::SeqCst) < CALLS_MAX {
            tokio::task::yield_now().await;
        }
        house.kill();
        for client in clients {
            client.await.unwrap();
        }
        let (exit, said) = house.verify(&ledger);
        // Not 2 (tampered), not 3 (not trusted), not 4 (another history): at the most there is more than was signed,
        // or nothing was signed yet.
        assert!(matches!(exit, 0 | 1 | 5), "round {round}: {exit}: {said}");
        if exit != 0 || is_writing(&ledger) || !is_archived(&ledger) {
            torn.push((round, exit));
        }
        house.serve();
    }
    let recorded = tokens_in_ledger(&house.audited());
    assert_eq!(recorded, house.rows(), "rows and entries disagree");
    assert!(!torn.is_empty(), "no kill came in the midst of publishing");
    println!("killed in the midst of publishing, and what `verify` said: {torn:?}");
}
