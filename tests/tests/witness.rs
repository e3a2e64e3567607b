//! A vault whose checkpoints count when k of n witnesses have cosigned them; and what it does when they are
//! away, or saw another past.

use std::time::{Duration, Instant};

use ledger::{ANY_TIME, Policy, Quorum};
use tests::{House, Program, binary, refusal, tokenize};
use tonic::Code;

/// A vault that ran once, so that its log has a key.
fn house() -> House {
    let mut house = House::open();
    house.stop();
    house
}

async fn tokenized(house: &House, values: usize) {
    let client = house.client(Some("tax-bureau"));
    for _ in 0..values {
        client
            .tokenize(tokenize("name", &["王測試"]), None)
            .await
            .unwrap();
    }
}

fn checkpoint(house: &House) -> String {
    std::fs::read_to_string(house.directory().join("data/ledger/checkpoint")).unwrap()
}

/// What the operator's own policy says of a note.
fn judged(house: &House, note: &str) -> Quorum {
    let policy = std::fs::read(house.directory().join("witnesses.policy")).unwrap();
    Policy::parse(&policy)
        .unwrap()
        .judge(note, &ANY_TIME)
        .unwrap()
}

fn sizes(house: &House) -> [u64; 3] {
    let reply = house.curl(Some("tax-bureau"), "/v1/ledger", &[]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    ["sequenced", "integrated", "published"].map(|state| body[state].as_u64().unwrap())
}

/// Waits until the sizes are as they should be.
fn until(house: &House, reached: impl Fn([u64; 3]) -> bool) -> [u64; 3] {
    let started = Instant::now();
    loop {
        let now = sizes(house);
        if reached(now) {
            return now;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{now:?}\n{}",
            house.vault().said()
        );
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_cosigned_by_a_quorum() {
    let mut house = house();
    let _witnesses = house.witnessed(3, 2, "");
    house.serve();
    tokenized(&house, 3).await;
    until(&house, |[sequenced, integrated, published]| {
        sequenced == published && integrated == published && published > 3
    });
    let note = checkpoint(&house);
    let quorum = judged(&house, &note);
    assert!(quorum.met && quorum.count() >= 2, "{quorum:?}");
    // A receipt carries them, and so does the archive.
    let client = house.client(Some("tax-bureau"));
    let request = tokenize("name", &["王測試"]);
    let entry = client.tokenize(request, None).await.unwrap().entry;
    let receipt = house.curl(Some("tax-bureau"), &format!("/v1/receipts/{entry}"), &[]);
    let (_, receipt_note) = receipt.body.split_once("\n\n").unwrap();
    assert!(judged(&house, receipt_note).met, "{}", receipt.body);
    house.stop();
    let archive = house.export("archive");
    let copied = std::fs::read_to_string(archive.join("checkpoint")).unwrap();
    assert!(judged(&house, &copied).met);
    let (exit, said) = house.verify(&archive);
    assert_eq!(exit, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_witnesses_are_away_entries_are_sequenced_and_not_published() {
    let mut house = house();
    let mut witnesses = house.witnessed(3, 2, "unpublished_entries_max = 100");
    house.serve();
    // One of three may be away.
    witnesses[0].kill();
    tokenized(&house, 1).await;
    until(&house, |[sequenced, _, published]| sequenced == published);
    witnesses[1].kill();
    let before = until(&house, |[sequenced, _, published]| sequenced == published)[2];
    tokenized(&house, 1).await;
    let client = house.client(Some("tax-bureau"));
    let waiting = until(&house, |[_, integrated, _]| integrated > before);
    assert_eq!(waiting[2], before, "{waiting:?}");
    assert!(judged(&house, &checkpoint(&house)).met);
    // Up to the bound, and no further.
    let mut issued = 0;
    let refused = loop {
        match client.tokenize(tokenize("name", &["王測試"]), None).await {
            Ok(_) => issued += 1,
            Err(error) => break refusal(&error),
        }
        assert!(issued <= 100, "there is no bound");
    };
    assert_eq!(
        refused,
        (Code::Unavailable, "ledger-unpublished".to_owned())
    );
    assert!(issued > 90, "{issued}");
    let [sequenced, _, published] = sizes(&house);
    assert_eq!((published, sequenced), (before, before + 100));
    // A vault that starts meanwhile serves, for a checkpoint stands; what waited is published later.
    house.stop();
    house.serve();
    assert_eq!(sizes(&house)[2], before);
    witnesses[0].serve();
    let caught_up = until(&house, |[sequenced, _, published]| sequenced == published);
    assert!(caught_up[2] > before + 100);
    tokenized(&house, 1).await;
    house.stop();
    let archive = house.export("archive");
    let (exit, said) = house.verify(&archive);
    assert_eq!(exit, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_back_is_found_out_by_its_witness() {
    let mut house = house();
    let witnesses = house.witnessed(1, 1, "");
    house.serve();
    tokenized(&house, 2).await;
    house.stop();
    // The whole data directory, as a snapshot of the machine would have it.
    let (data, snapshot) = (
        house.directory().join("data"),
        house.directory().join("snapshot"),
    );
    copied(&data, &snapshot);
    house.serve();
    tokenized(&house, 5).await;
    house.stop();
    std::fs::remove_dir_all(&data).unwrap();
    copied(&snapshot, &data);
    let said = house.refuses_to_serve();
    assert!(said.contains("contradicts this log"), "{said}");
    assert!(said.contains("has cosigned"), "{said}");
    drop(witnesses);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_origin_are_found_out() {
    let mut house = house();
    let _witnesses = house.witnessed(1, 1, "");
    house.serve();
    tokenized(&house, 2).await;
    house.stop();
    // The disk is cloned, and both run: with one HSM, one key, one name.
    let clone = house.directory().join("clone");
    std::fs::create_dir(&clone).unwrap();
    copied(&house.directory().join("data"), &clone.join("data"));
    for folder in ["tls", "policies", "issuer"] {
        copied(&house.directory().join(folder), &clone.join(folder));
    }
    for file in ["hsm-pin", "witnesses.policy"] {
        std::fs::copy(house.directory().join(file), clone.join(file)).unwrap();
    }
    let settings = std::fs::read_to_string(house.directory().join("jinku.toml")).unwrap();
    let listen = format!("127.0.0.1:{}", house.port());
    std::fs::write(
        clone.join("jinku.toml"),
        settings.replace(&listen, "127.0.0.1:0"),
    )
    .unwrap();
    house.serve();
    tokenized(&house, 2).await;
    until(&house, |[sequenced, _, published]| sequenced == published);
    let mut second = std::process::Command::new(binary("jinku"));
    second
        .args(["serve", "--config"])
        .arg(clone.join("jinku.toml"))
        .env("JINKU_HSM_DIR", house.directory().join("hsm"));
    let said = Program::refusing(&mut second, &clone.join("vault.log"));
    assert!(
        said.contains("another node writes under this log's name"),
        "{said}"
    );
    // The first one goes on.
    tokenized(&house, 1).await;
    until(&house, |[sequenced, _, published]| sequenced == published);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_nobody_can_meet_is_refused_at_the_start() {
    let house = house();
    let _witnesses = house.witnessed(1, 1, "");
    let policy = house.directory().join("witnesses.policy");
    let honest = std::fs::read_to_string(&policy).unwrap();
    for (bad, expected) in [
        (
            honest.replace("quorum", "# quorum"),
            "there is no `quorum` line",
        ),
        (
            honest.replace(" http://", " http://example.com/ #"),
            "witness",
        ),
        (
            honest.replace("http://127.0.0.1", "http://192.0.2.1"),
            "can't be used",
        ),
        (
            honest
                .lines()
                .map(|line| line.split(" http").next().unwrap().to_owned() + "\n")
                .collect(),
            "gives a URL",
        ),
    ] {
        std::fs::write(&policy, bad).unwrap();
        let said = house.refuses_to_serve();
        assert!(said.contains(expected), "{said}");
    }
}

fn copied(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status();
    assert!(status.unwrap().success());
}
