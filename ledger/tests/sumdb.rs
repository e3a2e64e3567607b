//! Go's `sumdb` packages verify a log of ours: `tests/peers/go`, which `tests/run.sh prepare` builds. Where there is
//! no Go to be had, `JINKU_TEST_GO_PEER=none` says so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ledger::tile::{entries_path, tile_path};
use ledger::verify::Book;
use support::Log;
use tempfile::tempdir;

/// A whole leaf tile and a partial one, and both of them in a partial tile above.
const SIZE: u64 = 600;

fn peer() -> Option<OsString> {
    env::var_os("JINKU_TEST_GO_PEER").filter(|peer| peer != "none")
}

fn judged(peer: &OsString, dir: &Path, key: &str, proof: &Path) -> Output {
    let mut command = Command::new(peer);
    command.arg(dir).arg(key).arg(proof).output().unwrap()
}

#[test]
fn go_verifies_what_we_wrote_and_nothing_that_was_changed() {
    let Some(peer) = peer() else {
        println!(
            "skipped: JINKU_TEST_GO_PEER names no program (`bash tests/run.sh prepare` builds it)"
        );
        return;
    };
    let (log, home) = (Log::of(SIZE), tempdir().unwrap());
    let (dir, proof) = (home.path().join("ledger"), home.path().join("proof"));
    log.publish(&dir, &[300, SIZE]);
    let key = log.key().to_string();
    let book = Book::open(&dir, &log.trust()).unwrap();
    for seq in [0, 255, 256, 599] {
        fs::write(&proof, book.receipt(seq).unwrap().encode().unwrap()).unwrap();
        let output = judged(&peer, &dir, &key, &proof);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{seq}: {said}");
        // Two tiles of entries' hashes and a half one, and one above.
        assert_eq!(String::from_utf8_lossy(&output.stdout), "600 4\n");
    }
    let stranger = Log::named("other.example/node", 1).key().to_string();
    assert!(!judged(&peer, &dir, &stranger, &proof).status.success());
    for file in [
        "checkpoint".to_owned(),
        entries_path(0, None),
        entries_path(2, Some(88)),
        tile_path(0, 1, None),
        tile_path(1, 0, Some(2)),
    ] {
        let good = fs::read(dir.join(&file)).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(dir.join(&file), bad).unwrap();
        assert!(
            !judged(&peer, &dir, &key, &proof).status.success(),
            "{file}"
        );
        fs::write(dir.join(&file), good).unwrap();
    }
    // A letter of the proof's first hash.
    let proof_text = fs::read_to_string(&proof).unwrap();
    let (head, hashes) = proof_text.split_once("index 599\n").unwrap();
    let other = if hashes.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}index 599\n{other}{}", &hashes[1..]);
    fs::write(&proof, forged).unwrap();
    assert!(!judged(&peer, &dir, &key, &proof).status.success());
}
