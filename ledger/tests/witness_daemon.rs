//! `jinku-ledger witness` as a log meets it: over HTTP, through restarts, `kill -9` and a disk that is full.

#![cfg(feature = "witness")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ledger::proof::consistency_proof;
use ledger::witness::AddCheckpoint;
use ledger::{ANY_TIME, Cosigned, Hash, WitnessKey, cosigned, leaf_hash};
use sha2::{Digest as _, Sha256};
use support::Log;
use tempfile::TempDir;

const TOOL: &str = env!("CARGO_BIN_EXE_jinku-ledger");
const LONG: Duration = Duration::from_secs(30);

/// A witness's folder, and its process while it runs.
struct Eye {
    folder: TempDir,
    key: WitnessKey,
    running: Option<(Child, String)>,
}

impl Drop for Eye {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Eye {
    fn watching(logs: &[&Log]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("w");
        let made = tool(&[
            "witness",
            "init",
            dir.to_str().unwrap(),
            "--name",
            "witness.example/w1",
        ]);
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap();
        let tables = logs
            .iter()
            .map(|log| format!("[[log]]\nkeys = [\"{}\"]\n", log.key()));
        let settings = format!("listen = \"127.0.0.1:0\"\n{}", tables.collect::<String>());
        fs::write(dir.join("witness.toml"), settings).unwrap();
        let key = WitnessKey::parse(key.trim()).unwrap();
        let running = None;
        Self {
            folder,
            key,
            running,
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("w")
    }

    fn serve(&mut self) {
        let address = self.folder.path().join("address");
        let _ = fs::remove_file(&address);
        let mut child = Command::new(TOOL)
            .args(["witness", "serve"])
            .arg(self.dir())
            .arg("--address-file")
            .arg(&address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !address.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            assert!(started.elapsed() < LONG, "it does not listen");
            // pacing: the conditions above decide, this only spares the processor
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running = Some((child, fs::read_to_string(&address).unwrap()));
    }

    fn serving(logs: &[&Log]) -> Self {
        let mut eye = Self::watching(logs);
        eye.serve();
        eye
    }

    /// `kill -9`.
    fn kill(&mut self) {
        let (mut child, _) = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn post(&self, body: &str) -> Reply {
        let (_, address) = self.running.as_ref().unwrap();
        exchange(address, "POST", "/add-checkpoint", body.as_bytes())
    }

    fn ask(&self, log: &Log, old: u64, size: u64) -> Reply {
        self.post(&request(log, old, size).encode())
    }

    /// Whether this reply cosigns the log at this size.
    fn cosigns(&self, log: &Log, size: u64, reply: &Reply) -> bool {
        assert_eq!(reply.status, 200, "{}", reply.body);
        let note = log.note(size) + &reply.body;
        matches!(cosigned(&note, &self.key, &ANY_TIME), Ok(Cosigned::At(_)))
    }
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

fn exchange(address: &str, method: &str, path: &str, body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A body that is refused for its length may not be read whole.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head[9..12].parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

fn tool(args: &[&str]) -> Output {
    Command::new(TOOL).args(args).output().unwrap()
}

/// Runs a witness that must end with an error instead of listening.
fn refuses(dir: &Path) -> String {
    let output = tool(&["witness", "serve", dir.to_str().unwrap()]);
    assert!(!output.status.success(), "it served");
    String::from_utf8(output.stderr).unwrap()
}

fn request(log: &Log, old_size: u64, size: u64) -> AddCheckpoint {
    let leaves: Vec<Hash> = log.entries.iter().map(|entry| leaf_hash(entry)).collect();
    let leaves = &leaves[..usize::try_from(size).unwrap()];
    AddCheckpoint {
        old_size,
        proof: consistency_proof(leaves, old_size).unwrap_or_default(),
        note: log.note(size),
    }
}

fn other_history() -> Log {
    Log::told(9, |seq, entry| entry.time_us += seq / 4)
}

#[test]
fn it_answers_as_tlog_witness_has_it() {
    let log = Log::of(9);
    let eye = Eye::serving(&[&log]);
    assert!(eye.cosigns(&log, 5, &eye.ask(&log, 0, 5)));
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 5, 9)));
    // The same one again is cosigned again, with a newer time.
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 9, 9)));
    let stale = eye.ask(&log, 0, 5);
    assert_eq!((stale.status, stale.body.as_str()), (409, "9\n"));
    assert!(
        stale.head.contains("content-type: text/x.tlog.size"),
        "{}",
        stale.head
    );
    let fork = eye.ask(&other_history(), 9, 9);
    assert_eq!(fork.status, 422, "{}", fork.body);
    let mut wrong = request(&log, 9, 9);
    wrong.proof.push(Hash([0; 32]));
    assert_eq!(eye.post(&wrong.encode()).status, 422);
    let mut stranger = log.clone();
    stranger.signer = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    assert_eq!(eye.ask(&stranger, 9, 9).status, 403);
    let mut elsewhere = log.clone();
    elsewhere.origin = ledger::Origin::parse("other.example/log").unwrap();
    assert_eq!(eye.ask(&elsewhere, 0, 9).status, 404);
    let backward = AddCheckpoint {
        old_size: 9,
        ..request(&log, 5, 5)
    };
    assert_eq!(eye.post(&backward.encode()).status, 400);
    for garbage in ["", "old 9\n", "old 9\n\n", "\u{0}"] {
        assert_eq!(eye.post(garbage).status, 400, "{garbage:?}");
    }
    let (_, address) = eye.running.as_ref().unwrap();
    assert_eq!(
        exchange(address, "POST", "/add-checkpoint", &[0xff; 9]).status,
        400
    );
    assert_eq!(
        exchange(address, "POST", "/add-checkpoint", &vec![b'a'; 200_000]).status,
        400
    );
    assert_eq!(exchange(address, "GET", "/add-checkpoint", b"").status, 405);
    assert_eq!(exchange(address, "POST", "/", b"").status, 404);
    // Monitors read what was cosigned last.
    let hash = Hash(Sha256::digest(log.origin.as_str()).into()).to_string();
    let last = exchange(address, "GET", &format!("/{hash}/checkpoint"), b"");
    assert!(last.body.starts_with(&log.note(9)), "{}", last.body);
    assert!(matches!(
        cosigned(&last.body, &eye.key, &ANY_TIME),
        Ok(Cosigned::At(_))
    ));
    let none = exchange(
        address,
        "GET",
        &format!("/{}/checkpoint", hash.to_uppercase()),
        b"",
    );
    assert_eq!(none.status, 404);
}

// A request may carry any number of others' lines: none of them is kept, and none takes the log's place.
#[test]
fn others_lines_are_not_kept() {
    let log = Log::of(9);
    let mut eye = Eye::serving(&[&log]);
    let mut request = request(&log, 0, 5);
    let stray = format!("— stray.example {}\n", "QUJD".repeat(24));
    let room = ledger::NOTE_BYTES_MAX - request.note.len();
    request.note += &stray.repeat(room / stray.len());
    assert!(eye.cosigns(&log, 5, &eye.post(&request.encode())));
    let state = fs::read_to_string(eye.dir().join("state")).unwrap();
    assert!(state.len() < 1000 && !state.contains("stray"));
    eye.kill();
    eye.serve();
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 5, 9)));
}

// Nor is the log's own line kept more than once: the state must be one that a restart reads.
#[test]
fn the_logs_own_line_is_kept_once() {
    let log = Log::of(9);
    let mut eye = Eye::serving(&[&log]);
    let mut request = request(&log, 0, 5);
    let line = request.note.lines().last().unwrap().to_owned() + "\n";
    let room = ledger::NOTE_BYTES_MAX - request.note.len();
    request.note += &line.repeat(room / line.len());
    assert!(eye.cosigns(&log, 5, &eye.post(&request.encode())));
    let state = fs::read_to_string(eye.dir().join("state")).unwrap();
    assert_eq!(state.matches(&line).count(), 1);
    eye.kill();
    eye.serve();
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 5, 9)));
}

#[test]
fn what_it_cosigned_binds_it_after_a_kill() {
    let log = Log::of(9);
    let mut eye = Eye::serving(&[&log]);
    assert!(eye.cosigns(&log, 7, &eye.ask(&log, 0, 7)));
    eye.kill();
    eye.serve();
    // A rollback, a fork of the same size, and one that is longer: none is cosigned.
    let other = other_history();
    assert_eq!(eye.ask(&log, 0, 5).status, 409);
    assert_eq!(eye.ask(&other, 7, 7).status, 422);
    assert_eq!(eye.ask(&other, 7, 9).status, 422);
    assert_eq!(eye.ask(&other, 1, 7).status, 409);
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 7, 9)));
    // What the log signed for the other history is kept.
    let kept: Vec<String> = fs::read_dir(eye.dir().join("evidence"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    // With whatever old size, another root of the same size is proof; one checkpoint is kept once.
    assert_eq!(kept.len(), 2);
    for size in [7, 9] {
        assert!(
            kept.iter().any(|text| text.ends_with(&other.note(size))),
            "{size}"
        );
    }
}

// Whoever has a published checkpoint can send it with a wrong proof, and as often as he likes.
#[test]
fn evidence_is_what_shows_something_and_is_kept_once() {
    let log = Log::of(9);
    let eye = Eye::serving(&[&log]);
    let wrong = |old, size, hash| AddCheckpoint {
        proof: vec![Hash([hash; 32])],
        ..request(&log, old, size)
    };
    let kept = || fs::read_dir(eye.dir().join("evidence")).map_or(0, Iterator::count);
    // Nothing was cosigned before; then exactly this was.
    assert_eq!(eye.post(&wrong(0, 7, 0).encode()).status, 422);
    assert!(eye.cosigns(&log, 7, &eye.ask(&log, 0, 7)));
    assert_eq!(eye.post(&wrong(7, 7, 0).encode()).status, 422);
    assert_eq!(kept(), 0);
    for hash in 0..3 {
        assert_eq!(eye.post(&wrong(7, 9, hash).encode()).status, 422);
        assert_eq!(kept(), 1);
    }
    assert_eq!(eye.ask(&other_history(), 7, 7).status, 422);
    assert_eq!(kept(), 2);
}

// The log changed its key: who holds the old one alone goes on without a cosignature, after a restart too.
#[test]
fn a_key_that_was_replaced_signs_no_more() {
    let old = Log::of(9);
    let mut new = old.clone();
    new.signer = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let mut eye = Eye::watching(&[]);
    let settings = format!(
        "listen = \"127.0.0.1:0\"\n[[log]]\nkeys = [\"{}\", \"{}\"]\n",
        old.key(),
        new.key()
    );
    fs::write(eye.dir().join("witness.toml"), settings).unwrap();
    eye.serve();
    assert!(eye.cosigns(&old, 5, &eye.ask(&old, 0, 5)));
    assert!(eye.cosigns(&new, 7, &eye.ask(&new, 5, 7)));
    assert_eq!(eye.ask(&old, 7, 9).status, 403);
    eye.kill();
    eye.serve();
    assert_eq!(eye.ask(&old, 7, 9).status, 403);
    // Both together are the new one's.
    let mut both = request(&new, 7, 8);
    both.note += old.note(8).lines().last().unwrap();
    both.note += "\n";
    assert_eq!(eye.post(&both.encode()).status, 200);
    assert!(eye.cosigns(&new, 9, &eye.ask(&new, 8, 9)));
}

#[test]
fn a_witness_that_forgot_does_not_begin_again() {
    let log = Log::of(5);
    let mut eye = Eye::serving(&[&log]);
    assert!(eye.cosigns(&log, 5, &eye.ask(&log, 0, 5)));
    let said = refuses(&eye.dir());
    assert!(said.contains("another witness runs"), "{said}");
    eye.kill();
    let state = eye.dir().join("state");
    let honest = fs::read(&state).unwrap();
    fs::remove_file(&state).unwrap();
    let said = refuses(&eye.dir());
    assert!(said.contains("retire this witness"), "{said}");
    // Half a file, and one that the log did not sign.
    fs::write(&state, &honest[..honest.len() - 1]).unwrap();
    assert!(refuses(&eye.dir()).contains("damaged"));
    let smaller = String::from_utf8(honest.clone())
        .unwrap()
        .replacen("\n5\n", "\n4\n", 1);
    fs::write(&state, smaller).unwrap();
    assert!(refuses(&eye.dir()).contains("not signed"));
    fs::write(&state, honest).unwrap();
    eye.serve();
    assert_eq!(eye.ask(&log, 0, 5).status, 409);
    let again = tool(&[
        "witness",
        "init",
        eye.dir().to_str().unwrap(),
        "--name",
        "a",
    ]);
    assert!(!again.status.success(), "a witness is made once");
    fs::set_permissions(eye.dir().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    eye.kill();
    assert!(refuses(&eye.dir()).contains("chmod 600"));
}

// A folder in the place of the new state stands for a full disk: nothing can be made durable.
#[test]
fn what_cannot_be_made_durable_is_not_cosigned() {
    let log = Log::of(9);
    let mut eye = Eye::serving(&[&log]);
    assert!(eye.cosigns(&log, 5, &eye.ask(&log, 0, 5)));
    fs::create_dir(eye.dir().join("state.new")).unwrap();
    let failed = eye.ask(&log, 5, 9);
    assert_eq!(failed.status, 500);
    assert!(!failed.body.contains('—'), "{}", failed.body);
    fs::remove_dir(eye.dir().join("state.new")).unwrap();
    // It stands where it stood, in memory and on disk.
    assert_eq!(eye.ask(&log, 0, 9).body, "5\n");
    eye.kill();
    eye.serve();
    assert!(eye.cosigns(&log, 9, &eye.ask(&log, 5, 9)));
}

// Invariant of tlog-witness: two that come at once are judged one after the other.
#[test]
fn of_two_histories_at_once_one_is_cosigned() {
    let (log, other) = (Log::of(9), other_history());
    let eye = Eye::serving(&[&log]);
    for round in 0..8 {
        let size = 5 + round % 4;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let asked = [&log, &other].map(|log| scope.spawn(|| eye.ask(log, 0, size).status));
            asked
                .into_iter()
                .map(|asked| asked.join().unwrap())
                .collect()
        });
        let cosigned = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(cosigned, usize::from(round == 0), "{statuses:?}");
    }
}

// Silent peers would take all the connections there are, and the witness with them.
#[test]
fn who_says_nothing_is_not_waited_for() {
    let log = Log::of(5);
    let eye = Eye::serving(&[&log]);
    let (_, address) = eye.running.as_ref().unwrap();
    let mut silent = TcpStream::connect(address).unwrap();
    silent.set_read_timeout(Some(LONG)).unwrap();
    let mut heard = Vec::new();
    silent.read_to_end(&mut heard).unwrap();
    assert!(eye.cosigns(&log, 5, &eye.ask(&log, 0, 5)));
}

#[test]
fn status_says_what_was_cosigned_of_each_log() {
    let (log, mut quiet) = (Log::of(5), Log::of(1));
    quiet.origin = ledger::Origin::parse("quiet.example/log").unwrap();
    let eye = Eye::serving(&[&log, &quiet]);
    assert!(eye.cosigns(&log, 5, &eye.ask(&log, 0, 5)));
    let output = tool(&["witness", "status", eye.dir().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&eye.key.to_string()), "{said}");
    assert!(
        said.contains(&format!(
            "{}: size 5, root {}",
            log.origin,
            log.checkpoint(5).root
        )),
        "{said}"
    );
    assert!(
        said.contains("quiet.example/log: nothing cosigned yet"),
        "{said}"
    );
}
