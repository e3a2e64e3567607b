//! The published log over HTTP, as C2SP tlog-tiles has it: for nobody, for named units, or for anyone.

use std::path::Path;

use ledger::tile::{entries_path, partial, tile_path};
use ledger::{Checkpoint, VerifierKey, open_checkpoint};
use tests::{House, tokenize};

const AUDIT: &str = "tax-bureau";

async fn house(setting: &str, values: usize) -> House {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        &format!("[ledger]\n{setting}\n"),
    );
    house.serve();
    let client = house.client(Some("tax-bureau"));
    for _ in 0..values {
        client
            .tokenize(tokenize("name", &["王測試"]), None)
            .await
            .unwrap();
    }
    house
}

fn read(house: &House, unit: Option<&str>, path: &str) -> Option<(String, Vec<u8>)> {
    let to = house.directory().join("fetched");
    let head = house.directory().join("head");
    let _ = std::fs::remove_file(&to);
    let arguments = [
        "--output",
        to.to_str().unwrap(),
        "--dump-header",
        head.to_str().unwrap(),
        "--path-as-is",
    ];
    let reply = house.curl(unit, path, &arguments);
    let head = std::fs::read_to_string(head).unwrap().to_lowercase();
    (reply.status == 200).then(|| (head, std::fs::read(to).unwrap()))
}

fn checkpoint(house: &House, unit: Option<&str>) -> (String, Checkpoint) {
    let (head, note) = read(house, unit, "/ledger/checkpoint").unwrap();
    assert!(head.contains("cache-control: no-cache"), "{head}");
    assert!(
        head.contains("content-type: text/plain; charset=utf-8"),
        "{head}"
    );
    let key = std::fs::read_to_string(house.directory().join("data/ledger-key")).unwrap();
    let key = VerifierKey::parse(key.trim()).unwrap();
    let note = String::from_utf8(note).unwrap();
    let checkpoint = open_checkpoint(&note, &key).unwrap();
    (note, checkpoint)
}

/// Waits until a checkpoint covers so many entries.
fn covering(house: &House, unit: Option<&str>, size: u64) -> (String, Checkpoint) {
    let started = std::time::Instant::now();
    loop {
        let found = checkpoint(house, unit);
        if found.1.size >= size {
            return found;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(60));
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anyone_fetches_a_public_log_and_verifies_it() {
    let house = house("public = true", 300).await;
    let (note, Checkpoint { size, .. }) = covering(&house, None, 300);
    let archive = house.directory().join("mirror");
    let put = |path: &str, bytes: &[u8]| {
        let path = archive.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("checkpoint", note.as_bytes());
    let full = tile_path(0, 0, None);
    let mut paths = vec![full.clone(), entries_path(0, None)];
    paths.extend([
        tile_path(0, 1, partial(size)),
        entries_path(1, partial(size)),
        tile_path(1, 0, Some(1)),
    ]);
    for path in &paths {
        let (head, bytes) =
            read(&house, None, &format!("/ledger/{path}")).unwrap_or_else(|| panic!("{path}"));
        assert!(
            head.contains("cache-control: public, max-age=31536000, immutable"),
            "{head}"
        );
        assert!(
            head.contains("content-type: application/octet-stream"),
            "{head}"
        );
        put(path, &bytes);
    }
    // Items are no part of C2SP's files: without them there is no verdict on them, and no other finding.
    let (exit, said) = house.verify(Path::new(&archive));
    assert!(exit == 5 && said.contains("items/"), "{exit} {said}");
    for finding in ["root-mismatch", "tile-hash", "entry-altered", "signature"] {
        assert!(!said.contains(&format!("- {finding}")), "{said}");
    }
    // What no checkpoint covers, and whatever is no file of a log.
    let beyond = [
        tile_path(0, 1, None),
        entries_path(2, None),
        tile_path(1, 0, None),
        tile_path(0, 1, Some(255)),
    ];
    for path in beyond.iter().map(String::as_str).chain([
        "tile/0/0",
        "tile/0/000/",
        "tile/../checkpoint",
        "tile/0/../../../vault.db",
        "tile/0/%2e%2e/000",
        "tile/0/000.p/0",
        "tile/8/000",
        "tile/entries/x000/000",
        "checkpoints/2026/11/28.notes",
        "items/000",
        "",
        "tile/",
        "tile/0/000%00",
        "tile//0/000",
        "checkpoint/",
    ]) {
        assert!(
            read(&house, None, &format!("/ledger/{path}")).is_none(),
            "{path}"
        );
    }
    let unknown = house.curl(None, "/ledger/tile/0/999", &[]);
    assert_eq!(
        (unknown.status, unknown.code()),
        (404, "ledger-file-unknown".to_owned())
    );
    let post = house.post(None, "/ledger/checkpoint", &[], b"{}");
    assert_eq!(post.status, 405);
    // How far it has come is for those who prove who they are.
    assert_eq!(house.curl(None, "/v1/ledger", &[]).status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_units_read_it_and_others_are_refused_with_an_entry() {
    let mut house = house(&format!("readers = [\"{AUDIT}\"]"), 2).await;
    let (_, stated) = covering(&house, Some(AUDIT), 2);
    let path = format!("/ledger/{}", tile_path(0, 0, partial(stated.size)));
    let (head, _) = read(&house, Some(AUDIT), &path).unwrap();
    assert!(
        head.contains("cache-control: private, max-age=31536000, immutable"),
        "{head}"
    );
    assert_eq!(house.curl(None, "/ledger/checkpoint", &[]).status, 401);
    for path in ["/ledger/checkpoint", path.as_str()] {
        let refused = house.curl(Some("health-bureau"), path, &[]);
        assert_eq!(
            (refused.status, refused.code()),
            (403, "not-permitted".to_owned())
        );
    }
    let reply = house.curl(Some("health-bureau"), "/v1/ledger", &[]);
    assert!(
        reply.json()["published"].as_u64().unwrap() >= stated.size,
        "{}",
        reply.body
    );
    let entries = house.audited();
    let refused = |entry: &&serde_json::Value| {
        entry["unit"] == "health-bureau"
            && entry["reason"] == "not-permitted"
            && entry["outcome"] == "denied"
    };
    assert_eq!(entries.iter().filter(refused).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_the_paths_are_not_there() {
    let house = house("", 1).await;
    for unit in [None, Some(AUDIT)] {
        let reply = house.curl(unit, "/ledger/checkpoint", &[]);
        assert_eq!(
            (reply.status, reply.code()),
            (404, "path-unknown".to_owned())
        );
    }
}

#[test]
fn both_ways_of_reading_at_once_are_refused() {
    let house = House::install();
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        "[ledger]\npublic = true\nreaders = [\"tax-bureau\"]\n",
    );
    assert!(house.refuses_to_serve().contains("ledger.readers"));
}
