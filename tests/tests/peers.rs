//! Tools that nobody here wrote read the log and cosign it: PyPI's `aics-tlog` and `aics-witness`.
//!
//! They need Python 3.12, which `tests/run.sh` looks for; `JINKU_TEST_PEERS=none` says that there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tests::{House, Program, Witness, free_port, tokenize};

/// The Python that has the packages.
fn peers() -> Option<PathBuf> {
    let python = std::env::var_os("JINKU_TEST_PEERS")
        .expect("JINKU_TEST_PEERS names no Python: run `bash tests/run.sh`, which provides one");
    (python != "none").then(|| PathBuf::from(python))
}

/// Checks signature, every cosignature, every tile and every bundle.
const AUDIT: &str = r#"
import sys
from aics_tlog import FileSystemTileReader, audit_tiles, parse_note, parse_vkey, verify_checkpoint
archive, log, *witnesses = sys.argv[1:]
note = parse_note(open(archive + "/checkpoint", "rb").read())
keys = [parse_vkey(key) for key in witnesses]
found = verify_checkpoint(note, parse_vkey(log), keys, quorum=len(keys), max_age_seconds=3600)
assert found.ok, found
report = audit_tiles(FileSystemTileReader(archive), found.size, found.root)
print(found.size, found.cosignature_count, report.tiles, report.bundles)
"#;

fn audited(python: &Path, archive: &Path, keys: &[&str]) -> Output {
    let mut command = Command::new(python);
    command.args(["-c", AUDIT]).arg(archive).args(keys);
    command.output().unwrap()
}

/// `aics-witness`, watching one log.
fn foreign_witness(python: &Path, house: &House) -> (Program, String, String) {
    let dir = house.directory().join("foreign");
    std::fs::create_dir(&dir).unwrap();
    let config = dir.join("witness.json");
    let tool = |arguments: &[&str]| {
        let mut command = Command::new(python);
        command.args(["-m", "aics_witness"]).args(arguments);
        command.arg("--config").arg(&config).current_dir(&dir);
        command
    };
    let made = tool(&["init", "--name", "foreign.example/w9"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        made.status.success(),
        "{said} {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let vkey = said
        .split_whitespace()
        .find(|word| word.starts_with("foreign.example/w9+"));
    let vkey = vkey
        .unwrap_or_else(|| panic!("no key in {said}"))
        .to_owned();
    let key = house.ledger_key();
    let origin = key.split('+').next().unwrap();
    let added = tool(&["add-log", "--origin", origin, "--vkey", &key])
        .output()
        .unwrap();
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut program = Program::start(&mut tool(&["serve", "--listen", &listen]), &dir.join("log"));
    program.wait_for(|| std::net::TcpStream::connect(&listen).is_ok());
    let line = format!("witness w9 {vkey} http://{listen}\n");
    (program, vkey, line)
}

#[tokio::test(flavor = "multi_thread")]
async fn others_tools_verify_the_log_and_cosign_it() {
    let Some(python) = peers() else {
        println!("skipped: there is no Python 3.12 for `aics-tlog` and `aics-witness`");
        return;
    };
    let mut house = House::open();
    house.stop();
    let (_foreign, foreign_key, foreign_line) = foreign_witness(&python, &house);
    let own = Witness::watching(&house.directory().join("own"), "w1", &house.ledger_key());
    house.witnessed_by(&[foreign_line, own.line()], 2, "");
    house.serve();
    let client = house.client(Some("tax-bureau"));
    for _ in 0..300 {
        client
            .tokenize(tokenize("name", &["王測試"]), None)
            .await
            .unwrap();
    }
    let started = Instant::now();
    loop {
        let sizes = house.curl(Some("tax-bureau"), "/v1/ledger", &[]).json();
        if sizes["published"].as_u64() >= Some(300) {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{sizes} {}",
            house.vault().said()
        );
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(20));
    }
    house.stop();
    let archive = house.export("archive");
    let log_key = house.ledger_key();
    let keys = [log_key.as_str(), foreign_key.as_str(), own.vkey()];
    let output = audited(&python, &archive, &keys);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let numbers: Vec<u64> = said
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    assert!(numbers[0] > 300, "{said}");
    assert_eq!(numbers[1..], [2, 3, 2], "cosignatures, tiles, bundles");
    // It is no rubber stamp: one bit of an entry, and it says so.
    let bundle = archive.join("tile/entries/000");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    assert!(!audited(&python, &archive, &keys).status.success());
}
